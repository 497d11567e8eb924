"""A file that a large answer is streamed into, and that a broken transfer leaves to go on with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ctsync.errors import StoreUnavailable

_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


class ResumableFile:
    """Bytes as they come, beside a note of what they are part of (the answer's ETag).

    A context manager. What is there of an earlier attempt, be it one that was killed, is gone
    on with if the server says that it is the same. Raises StoreUnavailable where it cannot be
    written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._note = file.with_name(f"{file.name}.etag")
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Open it, private to its owner."""
        try:
            self.file.touch(mode=0o600, exist_ok=True)
            self._stream = self.file.open("r+b")
        except OSError as error:
            raise self._unwritten(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it, and leave it."""
        if self._stream is not None:
            self._stream.close()

    def headers(self) -> dict[str, str]:
        """What to ask with: the rest alone, if the data is still the same."""
        tag = self._note.read_text("ascii") if self._note.exists() else ""
        size = self.file.stat().st_size
        whole = {"Accept-Encoding": "identity"}
        if not size or not tag.startswith('"'):  # a weak tag says nothing of bytes
            return whole
        return {**whole, "Range": f"bytes={size}-", "If-Range": tag}

    def begin(self, status: int, headers: Mapping[str, str]) -> int:
        """Stand where an answer's first byte belongs; how many bytes are before it."""
        size = self.file.stat().st_size
        found = _RANGE.fullmatch(headers.get("Content-Range", ""))
        start = size if status == 206 and found and int(found[1]) == size else 0
        try:
            self._opened.seek(start)
            self._opened.truncate(start)
            if start == 0:
                self._note.write_text(headers.get("ETag", ""), "ascii", "replace")
        except OSError as error:
            raise self._unwritten(error) from error
        return start

    def write(self, chunk: bytes) -> None:
        """Add some bytes."""
        try:
            self._opened.write(chunk)
        except OSError as error:
            raise self._unwritten(error) from error

    def finish(self, to: Path) -> None:
        """Give the whole file its name."""
        self._opened.flush()
        self.file.replace(to)
        self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Take away what is there."""
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    @property
    def _opened(self) -> IO[bytes]:
        if self._stream is None:
            raise ValueError("the file is not open")
        return self._stream

    def _unwritten(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(f"{self.file} cannot be written: {error.strerror}; make room")
