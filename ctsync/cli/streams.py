r"""Standard streams that work in every encoding, if closed, and after their reader has exited.

`open_streams` replaces them once, before the first output. Characters that the encoding lacks are
written as a look-alike (-> for an arrow) or an escape (\u65e5), so that no output is cut short.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TextIO

_ERRORS = "ctsync.look_alikes"
_LOOK_ALIKES = {
    "→": "->", "←": "<-", "↔": "<->", "↑": "^", "↓": "v", "…": "...", "·": "-", "•": "*",
    "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "━": "-", "─": "-", "│": "|", "×": "x",
    "≥": ">=", "≤": "<=", "≠": "!=", "≈": "~", "‘": "'", "’": "'", "“": '"', "”": '"',
    "\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ", "\N{THIN SPACE}": " ",
}  # fmt: skip


class OutputStream(io.TextIOWrapper):
    """A standard stream on which writing never fails with an error of the kind `drops`.

    After such an error, for example from a pipe without a reader, the rest of the output is
    dropped: the command completes its work and exits with the code of its result. `lost` is the
    error, for callers that must know.
    """

    def __init__(
        self, raw: TextIO, drops: type[OSError] = BrokenPipeError, *, lost: OSError | None = None
    ) -> None:
        """Write to the buffer of another stream, in its encoding."""
        self.target = codecs.lookup(raw.encoding).name
        self.lost = lost
        self._drops = drops
        self._raw = raw  # keep a reference: when deleted, it would close the buffer
        super().__init__(
            raw.buffer,
            # click writes UTF-8 to a stream that says it is ASCII
            encoding="utf-8" if self.target == "ascii" else raw.encoding,
            errors=_ERRORS,
            line_buffering=getattr(raw, "line_buffering", False),
            write_through=getattr(raw, "write_through", False),
        )

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        if self.target == "ascii":
            text = text.encode(self.target, _ERRORS).decode(self.target)
        try:
            return super().write(text)
        except self._drops as error:
            drop_output(self, error)
            return len(text)

    def flush(self) -> None:
        """Write the buffered text, or drop it."""
        try:
            super().flush()
        except self._drops as error:
            drop_output(self, error)


def open_streams() -> None:
    """Replace the standard streams of the process, except streams that a test has replaced.

    An error on stderr never stops the command. A full disk behind stdout is an error.
    """
    codecs.register_error(_ERRORS, _look_alike)
    closed = _occupy_closed()
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
    sys.stdout = _output(sys.stdout, 1, BrokenPipeError, closed)
    sys.stderr = _output(sys.stderr, 2, OSError, closed)


def _output(
    stream: TextIO | None, number: int, drops: type[OSError], closed: dict[int, OSError]
) -> TextIO:
    if stream is None:
        stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
    if type(stream) is not io.TextIOWrapper:
        return stream
    return OutputStream(stream, drops, lost=closed.get(number))


def drop_output(stream: object, error: OSError) -> None:
    """Redirect a stream that can no longer be written to the null device."""
    if isinstance(stream, OutputStream):
        stream.lost = error
    number = stream.fileno()  # type: ignore[attr-defined]  # every stream of a process has one
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


def can_show(text: str) -> bool:
    """Whether stdout can show a text without replacing a character."""
    encoding = getattr(sys.stdout, "target", None) or sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _occupy_closed() -> dict[int, OSError]:
    """Open closed standard descriptors on the null device; return the error of each.

    Otherwise the database file could get such a descriptor, and output would be written into it.
    """
    closed = {}
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError as error:
            closed[number] = error
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # the lowest free one
    return closed


def _look_alike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    shown = (_LOOK_ALIKES.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text)
    return "".join(shown), error.end
