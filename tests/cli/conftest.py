"""Fixtures: the command line as a user runs it, with a replay registry and its own database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ctsync.cli import main
from tests.registry_fixtures import make_study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

SEED = "NCT03389919"


def below_header(stdout: str) -> list[str]:
    """Check that a listing in a pipe begins with its header, and return the other lines."""
    header, *lines = stdout.splitlines()
    assert header == header.upper(), header
    return lines


@dataclass
class Shell:
    """Runs `ctsync` with an environment."""

    env: dict[str, str | None]
    runner: CliRunner = field(default_factory=CliRunner)

    def run(self, *args: str, exit_code: int = 0, stdin: str | None = None) -> Result:
        result = self.runner.invoke(main, list(args), env=self.env, input=stdin)
        output = f"{args} exited with {result.exit_code}\n{result.stdout}\n{result.stderr}"
        assert result.exit_code == exit_code, output
        return result

    def rows(self, *args: str) -> list[str]:
        """Run a command that lists; return the lines below its header."""
        return below_header(self.run(*args).stdout)

    def json(self, *args: str) -> Any:
        return json.loads(self.run(*args).stdout)

    def refuse(self, *args: str, exit_code: int) -> str:
        """Check that a command fails with one line on stderr, and return that line."""
        result = self.run(*args, exit_code=exit_code)
        lines = result.stderr.strip().splitlines()
        (line,) = [line for line in lines if not line.startswith("created the database")]
        assert line.startswith("ctsync: "), line
        assert "Traceback" not in line
        assert result.stdout == ""
        return line


@pytest.fixture
def registry() -> Iterator[ReplayRegistry]:
    """A registry with the seed trial and another one, on the load of 2026-02-02."""
    with ReplayRegistry(Catalogue("2026-02-02")) as replay:
        study = make_study(SEED)
        study["protocolSection"]["identificationModule"]["orgStudyIdInfo"]["id"] = "BM-MSC-01"
        replay.catalogue.publish(study)
        replay.catalogue.publish(make_study("NCT05935098"))
        yield replay


@pytest.fixture
def shell(registry: ReplayRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in an empty directory, where only registry and database are configured."""
    monkeypatch.chdir(tmp_path)
    return Shell(
        {
            "CTSYNC_REGISTRY_URL": registry.url,
            "CTSYNC_REGISTRY__REQUESTS_PER_SECOND": "10",
            "CTSYNC_REGISTRY__BURST": "20",
            "CTSYNC_REGISTRY__RETRY_SECONDS": "0",
            "CTSYNC_DATABASE_URL": f"sqlite:///{tmp_path / 'ctsync.db'}",
            "CTSYNC_LOG__EVENTS": "off",
            "CTSYNC_CONFIG": None,
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "HOME": str(tmp_path),
        }
    )
