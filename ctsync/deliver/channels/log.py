"""The log channel: each event as one line, for people or for programs, to a file or stderr."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from ctsync.deliver.delivery_error import DeliveryError
from ctsync.errors import ConfigError
from ctsync.route import Route

if TYPE_CHECKING:
    from ctsync.config.settings import LogSettings
    from ctsync.deliver.message import Message


class LogChannel:
    """Writes each event and notice of a message as one line. Remote text cannot add line breaks.

    The file is `file`, or the one in the settings. It is private to its owner, and rotated at its
    size limit.
    """

    def __init__(
        self, routes: Mapping[str, Route], settings: LogSettings, file: Path | None = None
    ) -> None:
        self._file = file or settings.file
        if settings.events == "file" and self._file is None:
            raise ConfigError(['log.events is "file", but log.file is not set'])
        self.routes = routes
        self._settings = settings
        self._open: logging.Handler | None = None

    def send(self, message: Message) -> str:
        """Write one line per notice, then one per event, and return the file or stream."""
        # measured: with the report that a message builds, a tenth of a sync that sends none
        from ctsync.deliver.channels.log_lines import log_lines  # noqa: PLC0415 - see above

        try:
            stream = self._stream()
            for line in log_lines(message, is_json=self._settings.format == "json"):
                stream.emit(_record(line))
            stream.flush()
        except OSError as error:
            reason = f"cannot write {self._place}: {error.strerror or error}"
            raise DeliveryError(reason, is_channel=True) from error
        return f"written to {self._place}"

    @property
    def _place(self) -> str:
        return str(self._file) if self._settings.events == "file" else "stderr"

    def _stream(self) -> logging.Handler:
        if self._open is None:
            path = self._file if self._settings.events == "file" else None
            self._open = _Rotation(path, self._settings) if path else _Stderr(sys.stderr)
        return self._open

    def close(self) -> None:
        """Close the file."""
        if isinstance(self._open, _Rotation):
            try:
                self._open.close()
            except OSError:
                logging.getLogger(__name__).warning("the event log could not be closed")
        self._open = None


class _Loud(logging.Handler):
    """Raises errors that a handler would only print: an unwritten line is not delivered."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  the library's signature
        raise  # noqa: PLE0704  called by the library inside its except clause


class _Stderr(_Loud, logging.StreamHandler):  # type: ignore[type-arg]  # generic in stubs only
    """Standard error. If it cannot be written, the command line drops messages and stores why."""

    def flush(self) -> None:
        """Raise the error of a stream that has lost its reader: its lines are not delivered."""
        super().flush()
        if (lost := getattr(self.stream, "lost", None)) is not None:
            raise lost


class _Rotation(_Loud, RotatingFileHandler):
    """The rotating file, which only its owner can read.

    Several processes may write to it, such as syncs of two databases in one folder.
    """

    def __init__(self, path: Path, settings: LogSettings) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(
            path,
            maxBytes=int(settings.max_megabytes * 2**20),
            backupCount=settings.keep,
            encoding="utf-8",
            errors="backslashreplace",
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line to the current file: another process may have rotated the old one."""
        if self.stream is not None and not self._is_current(self.stream):
            self.stream.close()
            self.stream = self._open()
        super().emit(record)

    def _is_current(self, stream: TextIOWrapper) -> bool:
        try:
            named = Path(self.baseFilename).stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(stream.fileno()))

    def doRollover(self) -> None:  # noqa: N802  the library's signature
        """Rename the files. Continue with the new file if another process renames them too."""
        with suppress(FileNotFoundError):
            super().doRollover()
        if self.stream is None:
            self.stream = self._open()

    def _open(self) -> TextIOWrapper:
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, mode=0o600)
        return os.fdopen(opened, "a", encoding=self.encoding, errors=self.errors)


def _record(line: str) -> logging.LogRecord:
    return logging.LogRecord("ctsync.events", logging.INFO, "", 0, line, None, None)
