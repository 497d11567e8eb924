"""What a process does that starts `ctsync` with its imports done, and notes who writes when."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

# what a command imports late is imported here once, before the processes fork
from ctsync.cli import main
from ctsync.daemon import Schedule
from ctsync.store.data.runs import RunReads
from ctsync.sync.cycle import SyncCycle


def run(args: Sequence[str], env: Mapping[str, str], folder: Path, *, at_once: bool) -> None:
    """Be `ctsync ARGS`; a daemon that is to work `at_once` does so and ends after its round."""
    os.environ.update(env)
    os.chdir(folder)
    said = os.open(folder / f"said-{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - for as long as it lives
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 - the same
    _note_writers(folder)
    if at_once:
        _be_due_and_end()
    (folder / f"begun-{os.getpid()}").touch()
    main(list(args), prog_name="ctsync")


def _note_writers(folder: Path) -> None:
    """Keep a file for as long as a cycle runs; leave a second one if another cycle runs too."""
    write = SyncCycle._run_monitored

    def noted(self: SyncCycle, *given: Any, **more: Any) -> Any:
        try:
            os.close(os.open(folder / "writing", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            (folder / f"two-writers-{os.getpid()}").touch()
        try:
            return write(self, *given, **more)
        finally:
            with suppress(FileNotFoundError):
                (folder / "writing").unlink()

    SyncCycle._run_monitored = noted  # type: ignore[method-assign]  # of this process alone


def _be_due_and_end() -> None:
    """Let a daemon find its round due, whoever made one just now, and stop when it is done."""
    work = SyncCycle.run_if_due

    def and_end(self: SyncCycle, *given: Any, **more: Any) -> Any:
        try:
            return work(self, *given, **more)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    SyncCycle.run_if_due = and_end  # type: ignore[method-assign]  # of this process alone
    Schedule.is_due = lambda *_: True  # type: ignore[method-assign]  # the same
    RunReads.last_finished = lambda *_: None  # type: ignore[method-assign]  # the same
