"""A Ctrl-C during an object's finalizer still stops the work, without a traceback."""

from __future__ import annotations

import signal
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
