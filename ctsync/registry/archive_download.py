"""Download of the bulk archive, and the registry's number of studies."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

from ctsync.errors import BadAnswer, BadArchive, RequestRefused
from ctsync.registry.archive import Archive
from ctsync.registry.http.download import Download
from ctsync.registry.http.response import RequestCounts, as_object
from ctsync.registry.http.resumable_file import ResumableFile
from ctsync.registry.http.transport import Transport
from ctsync.text import for_log

FORMAT = "json.zip"
LARGEST_ARCHIVE = 20 * 2**30
"""Limit in bytes: seven times the archive's size in 2026."""

_logger = logging.getLogger(__name__)


class ArchiveDownload:
    """The registry's bulk download over an HTTP transport."""

    def __init__(self, transport: Transport, *, deadline_seconds: float = 3600.0) -> None:
        self._transport = transport
        self._download = cast("Download", transport.beside(Download))
        self._deadline_seconds = deadline_seconds

    @property
    def counts(self) -> RequestCounts:
        """The requests sent for downloads so far. The transport counts requests for the size."""
        return self._download.counts

    def close(self) -> None:
        """Close the connections used for downloads."""
        self._download.close()

    def total(self) -> int:
        """Fetch the registry's number of studies (`/stats/size`). Raises RegistryError."""
        reply, total = self._transport.get_json("/v2/stats/size", read=_read_total)
        if reply.status != 200:
            raise BadAnswer(f"/v2/stats/size answers with status {reply.status}")
        return int(total)

    def fetch(self, to: Path) -> Archive | None:
        """Download the archive to a new file, or return None if the registry offers no archive.

        An interrupted attempt leaves `<name>.partial`, and the next attempt resumes it. Raises
        RegistryError, and BadArchive if the file is not a complete archive. Deletes such a file.
        """
        with ResumableFile(to.with_name(f"{to.name}.partial")) as partial:
            try:
                reply = self._download.save(
                    "/v2/studies/download",
                    {"format": FORMAT},
                    partial,
                    accept=("application/zip", "application/octet-stream"),
                    max_bytes=LARGEST_ARCHIVE,
                    deadline_seconds=self._deadline_seconds,
                )
            except BadAnswer:
                partial.discard()  # the partial file may be the cause: start over next time
                raise
            except RequestRefused as error:
                return self._not_offered(partial, str(error))
            if reply.status != 200:
                return self._not_offered(partial, f"status {reply.status}")
            partial.finish(to)
        try:
            return Archive(to)
        except BadArchive:
            to.unlink(missing_ok=True)
            raise

    @staticmethod
    def _not_offered(partial: ResumableFile, reason: str) -> None:
        _logger.warning("the registry offers no bulk download: %s", for_log(reason))
        partial.discard()


def _read_total(value: Any) -> int:
    total = as_object(value).get("totalStudies")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise BadAnswer("the registry's size has no totalStudies")
    return total
