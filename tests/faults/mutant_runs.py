"""Runs of pytest on mutants, forked from one process that has imported what ctsync depends on.

`python -m tests.faults.mutant_runs` reads a JSON list of runs, each a mutant and its tests, and
prints a JSON list of their exit codes and outputs. It imports nothing of ctsync itself: each run
does that, with the mutant's change in it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from typing import Any

import pytest

IMPORTED_BEFORE = (
    "alembic.command", "alembic.config", "apprise", "css_inline", "deepdiff", "hypothesis",
    "hypothesis.stateful", "jinja2", "jsonschema", "msgspec", "orjson", "psycopg", "requests",
    "rich.console", "rich.table", "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite", "tenacity", "time_machine",
)  # fmt: skip
OPTIONS = (
    "-q", "-x", "--no-header", "--tb=short", "--hypothesis-seed=0", "-p", "tests.faults.mutation",
    "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:schemathesis",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # plugins are imported before pytest starts
)  # fmt: skip


def run_forked(change: str, tests: list[str]) -> dict[str, Any]:
    """Run tests in a fork of this process, and return the exit code and the output."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            os.environ["CTSYNC_MUTANT"] = change
            code = pytest.main([*tests, *OPTIONS])
            sys.stdout.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        text = output.read().decode()
    return {"code": os.waitstatus_to_exitcode(status), "output": text}


if __name__ == "__main__":
    for name in IMPORTED_BEFORE:
        importlib.import_module(name)
    assert not any(name.partition(".")[0] == "ctsync" for name in sys.modules)
    print(json.dumps([run_forked(*one) for one in json.load(sys.stdin)]))
