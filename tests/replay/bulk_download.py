"""The bulk download: every study of a load in one zip archive. Uses no sockets."""

from __future__ import annotations

import io
import re
import zipfile

from tests.replay.catalogue import View
from tests.replay.http_messages import Reply, Request, bad_value, json_reply

FORMAT = "json.zip"
_HEADERS = {
    "Content-Type": "application/zip",
    "Content-Disposition": "attachment; filename=ctg-studies.json.zip",
}
_FROM = re.compile(r"bytes=(\d+)-")


def download(view: View, request: Request) -> Reply:
    """The archive: one `NCT….json` per study, in a folder named by the id's last two digits."""
    name = request.params.get("format", "")
    if name != FORMAT:
        raise bad_value("format", name)
    return Reply(200, _archive(view), _HEADERS)


def range_start(request: Request, size: int, tag: str) -> int | None:
    """The first byte that a Range header requests, or None to send the complete archive.

    If the If-Range header does not name `tag`, the client's part comes from other data, and it
    needs the complete archive.
    """
    found = _FROM.fullmatch(request.headers.get("range", ""))
    is_same = request.headers.get("if-range", tag) == tag
    return int(found[1]) if found and is_same and int(found[1]) < size else None


def _archive(view: View) -> bytes:
    """The archive of a load, built once."""
    if view.archive is None:
        view.archive = _packed(view)
    return view.archive


def _packed(view: View) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for nct_id in view.ids:
            file.writestr(f"{nct_id[-2:]}/{nct_id}.json", json_reply(view.study(nct_id)).body)
    return archive.getvalue()
