"""A Ctrl-C that Python has no place to raise at still ends the work, and without a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

from ctsync.cli.interrupt import heeding_interrupts
from ctsync.errors import Stopped


@pytest.fixture(autouse=True)
def at_a_terminal() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run behind a shell that ignores it for them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Letting:
    """An object during whose end Ctrl-C is pressed."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_one_that_comes_while_an_object_is_let_go_is_found_by_the_next_look(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with heeding_interrupts() as check:
        check()
        Letting()  # what it raises, Python drops
        with pytest.raises(Stopped):
            check()
    assert capsys.readouterr().err == ""


def test_any_other_ends_the_work_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), heeding_interrupts():
        signal.raise_signal(signal.SIGINT)


def test_afterwards_all_is_as_before() -> None:
    hook = sys.unraisablehook
    with heeding_interrupts():
        assert sys.unraisablehook is not hook
    assert sys.unraisablehook is hook
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_it_is_ignored_it_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with heeding_interrupts() as check:
        signal.raise_signal(signal.SIGINT)
        check()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
