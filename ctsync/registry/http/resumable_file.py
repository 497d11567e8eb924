"""File for a streamed answer that a broken transfer can resume."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ctsync.errors import StoreUnavailable

_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


class ResumableFile:
    """A partial file, with the answer's ETag in a second file beside it.

    A context manager. Resumes the file of an earlier attempt, even of a killed process, if the
    server confirms that its data is the same. Raises StoreUnavailable if a file cannot be written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._note = file.with_name(f"{file.name}.etag")
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Open the file, readable by its owner only."""
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
        """Close the file and keep it."""
        if self._stream is not None:
            self._stream.close()

    def headers(self) -> dict[str, str]:
        """Return the request headers. They request only the missing bytes of unchanged data."""
        tag = self._note.read_text("ascii") if self._note.exists() else ""
        size = self.file.stat().st_size
        # in a compressed answer, the byte positions would differ from those of the file
        plain = {"Accept-Encoding": "identity"}
        if not size or not tag.startswith('"'):  # a weak ETag does not promise equal bytes
            return plain
        return {**plain, "Range": f"bytes={size}-", "If-Range": tag}

    def begin(self, status: int, headers: Mapping[str, str]) -> int:
        """Move to the position of an answer's first byte. Return the number of bytes before it.

        Starts over, and stores the new ETag, unless the answer is a 206 for this position.
        """
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
        """Append bytes."""
        try:
            self._opened.write(chunk)
        except OSError as error:
            raise self._unwritten(error) from error

    def finish(self, to: Path) -> None:
        """Rename the complete file to `to`."""
        self._opened.flush()
        self.file.replace(to)
        self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete the file and its ETag."""
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    @property
    def _opened(self) -> IO[bytes]:
        if self._stream is None:
            raise ValueError("the file is not open")
        return self._stream

    def _unwritten(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(f"{self.file} cannot be written: {error.strerror}; make room")
