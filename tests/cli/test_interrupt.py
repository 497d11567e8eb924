"""A Ctrl-C during an object's finalizer still stops the work, without a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ctsync.cli.interrupt import heeding_interrupts
from ctsync.errors import Stopped


@pytest.fixture(autouse=True)
def at_a_terminal() -> Iterator[None]:
    """Enable Ctrl-C, even if the shell that runs the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class InterruptedFinalizer:
    """An object whose finalizer receives a Ctrl-C."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_a_ctrl_c_during_a_finalizer_is_found_by_the_next_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with heeding_interrupts() as check:
        check()
        InterruptedFinalizer()  # Python drops the KeyboardInterrupt
        with pytest.raises(Stopped):
            check()
    assert capsys.readouterr().err == ""


def test_any_other_ctrl_c_stops_the_work_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), heeding_interrupts():
        signal.raise_signal(signal.SIGINT)


def test_hook_and_signal_handler_are_restored() -> None:
    hook = sys.unraisablehook
    with heeding_interrupts():
        assert sys.unraisablehook is not hook
    assert sys.unraisablehook is hook
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_sigint_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with heeding_interrupts() as check:
        signal.raise_signal(signal.SIGINT)
        check()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


RETURN_A_CONNECTION = """
import signal, sqlite3
from sqlalchemy import event
from sqlalchemy.pool import QueuePool
from ctsync.cli.app import App

def fail(*_):
    {failure}

if {logs}:
    App().start_logging()
pool = QueuePool(lambda: sqlite3.connect(":memory:"))
event.listen(pool, "reset", fail)
connection = pool.connect()
try:
    connection.close()
except KeyboardInterrupt:
    print("interrupted")
"""


def return_a_connection(failure: str, *, logs: bool = True) -> tuple[str, str]:
    """What a process writes whose connection returns to the pool at the moment of a failure.

    A separate process, because pytest handles the log lines of this one.
    """
    program = RETURN_A_CONNECTION.format(failure=failure, logs=logs)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


@pytest.mark.slow
def test_a_ctrl_c_while_a_connection_is_returned_shows_no_traceback() -> None:
    ctrl_c = "signal.raise_signal(signal.SIGINT)"
    assert return_a_connection(ctrl_c) == ("interrupted\n", "")
    _, unhandled = return_a_connection(ctrl_c, logs=False)
    assert "Traceback" in unhandled


@pytest.mark.slow
def test_another_failure_while_a_connection_is_returned_is_logged_in_one_line() -> None:
    output, errors = return_a_connection('raise sqlite3.OperationalError("disk I/O error")')
    assert output == ""
    (line,) = errors.splitlines()
    assert line.startswith("ERROR sqlalchemy.pool")
    assert "disk I/O error" in line
