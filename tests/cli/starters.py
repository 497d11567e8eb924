"""Runs `ctsync` in a forked process with its imports done, and records concurrent writers."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# modules that commands import late are imported here once, before the processes fork
from ctsync.cli import main
from ctsync.daemon import Schedule
from ctsync.store.data.runs import RunReads
from ctsync.store.store import Store
from ctsync.sync.cycle import SyncCycle


def run(args: Sequence[str], env: Mapping[str, str], folder: Path, *, at_once: bool) -> None:
    """Run `ctsync ARGS`. With `at_once`, a daemon syncs and then exits."""
    os.environ.update(env)
    os.chdir(folder)
    output = os.open(folder / f"output-{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - open to the end
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 - open to the end
    _note_writers(folder)
    if at_once:
        _be_due_and_end()
    (folder / f"begun-{os.getpid()}").touch()
    code: object = 1
    try:
        main(list(args), prog_name="ctsync")
    except SystemExit as ended:
        code = ended.code
    # a later signal would interrupt the end of this test, not that of ctsync
    os._exit(code if isinstance(code, int) else 0)


def _note_writers(folder: Path) -> None:
    """Keep a file while this process holds the writer lock; create another if it exists already."""
    hold_lock = Store.writer

    @contextmanager
    def noted(self: Store, **given: Any) -> Iterator[None]:
        with hold_lock(self, **given):
            try:
                os.close(os.open(folder / "writing", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                (folder / f"two-writers-{os.getpid()}").touch()
            try:
                yield
            finally:
                with suppress(FileNotFoundError):
                    (folder / "writing").unlink()

    Store.writer = noted  # type: ignore[method-assign]  # in this process only


def _be_due_and_end() -> None:
    """Make the daemon's sync due even if one has just been run, and stop the daemon after it."""
    work = SyncCycle.run_if_due

    def and_end(self: SyncCycle, *given: Any, **more: Any) -> Any:
        try:
            return work(self, *given, **more)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    SyncCycle.run_if_due = and_end  # type: ignore[method-assign]  # in this process only
    Schedule.is_due = lambda *_: True  # type: ignore[method-assign]  # in this process only
    RunReads.last_finished = lambda *_: None  # type: ignore[method-assign]  # in this process only
