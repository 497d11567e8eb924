"""Processes forked from a server with their imports done, which take longer than most commands."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from contextlib import chdir
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# with all that a command imports when it runs
PRELOADED = [
    "ctsync.web.server.application",
    "ctsync.web.server.listen",
    "tests.cli.hostile_installation",
    "tests.cli.starters",
    "tests.faults.killed_runs",
]
# one list for all tests of a process: a second call replaces the first
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(PRELOADED)


def start_forked(target: Callable[..., object], *args: Any, **named: Any) -> ForkServerProcess:
    """Start a process, which begins in the checkout; the first one starts the server too."""
    process = SERVER.Process(target=target, args=args, kwargs=named)
    # the server looks for the modules in its own folder, and ignores it if there are none
    with chdir(ROOT):
        process.start()
    return process


def note_missing_imports(file: Path) -> None:
    """Write the modules that the server has not imported."""
    file.write_text("\n".join(set(PRELOADED) - sys.modules.keys()), encoding="utf-8")
