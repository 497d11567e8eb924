"""Ctrl-C, so that none is lost: Python drops one that comes while an object is being let go."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ctsync.errors import Stopped


@contextmanager
def heeding_interrupts() -> Iterator[Callable[[], None]]:
    """Give a `check` that raises Stopped once Ctrl-C was pressed.

    It ends the work at once as ever, by KeyboardInterrupt; `check` is for the one in a thousand
    that Python has no place to raise at. Where SIGINT is ignored (nohup), or this is not the
    main thread, all stays as it is.
    """
    pressed: list[int] = []

    def check() -> None:
        if pressed:
            raise Stopped("told to stop")

    def interrupt(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    def forget(lost: Any) -> None:
        if not (pressed and isinstance(lost.exc_value, KeyboardInterrupt)):
            hook(lost)

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield check
        return
    hook = sys.unraisablehook
    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = forget
    try:
        yield check
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGINT, signal.default_int_handler)
