"""Reliable Ctrl-C, although Python drops a KeyboardInterrupt raised in an object's finalizer."""

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
    """Yield a `check` that raises Stopped after Ctrl-C was pressed.

    Ctrl-C still raises KeyboardInterrupt at once; `check` catches the one in a thousand that Python
    drops. Changes nothing if SIGINT is ignored (nohup) or outside the main thread.
    """
    pressed: list[int] = []

    def check() -> None:
        if pressed:
            raise Stopped("interrupted by a signal")

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
