"""The whole-registry download: every study of a load in one zip archive. No sockets."""

from __future__ import annotations

import io
import zipfile

from ctsync.demo.catalogue import View
from ctsync.demo.exchange import Reply, Request, bad_value, json_reply

FORMAT = "json.zip"


def download(view: View, request: Request) -> Reply:
    """`NCT….json` in a folder named by the id's last two digits, as the real archive has them."""
    wanted = request.params.get("format", "")
    if wanted != FORMAT:
        raise bad_value("format", wanted)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for nct_id in view.ids:
            file.writestr(f"{nct_id[-2:]}/{nct_id}.json", json_reply(view.study(nct_id)).body)
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": "attachment; filename=ctg-studies.json.zip",
    }
    return Reply(200, archive.getvalue(), headers)
