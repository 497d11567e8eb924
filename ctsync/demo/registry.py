"""The demo's registry: a loopback server that answers the requests of the story, and no others."""

from __future__ import annotations

import re
import sys
import threading
from bisect import bisect_right
from collections.abc import Mapping
from datetime import date, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import orjson

from ctsync.dates import format_timestamp
from ctsync.errors import PortInUse
from ctsync.model import JsonObject

HOST = "127.0.0.1"
BASE = "/api"

_API_VERSION = "2.0.5"
_RECORD_PARAMETERS = {"format": "json", "markupFormat": "markdown"}
_SEARCH_PARAMETERS = {**_RECORD_PARAMETERS, "fields": "NCTId|OrgStudyId", "pageSize": "1000"}
_LOOKUP_PARAMETERS = {
    **_RECORD_PARAMETERS,
    "fields": "NCTId|NCTIdAlias|BriefTitle|OverallStatus|LeadSponsorName",
    "pageSize": "1000",
}
_ORG_STUDY_ID = re.compile(r'AREA\[OrgStudyId\]"([^"]*)"')


def answer(study: JsonObject, load: datetime, target: str) -> JsonObject | None:
    """Answer a GET request for `target` from one study, or return None to refuse it.

    Answers the version, the record, the search by org study id and the look-up of title, status
    and sponsor, each only with the parameters that RegistryApi sends. Does no I/O.
    """
    address = urlsplit(target)
    path = address.path.removeprefix(f"{BASE}/v2")
    params = dict(parse_qsl(address.query, keep_blank_values=True))
    identification = study["protocolSection"]["identificationModule"]
    if path == "/version" and not params:
        stamp = format_timestamp(load).removesuffix("Z")
        return {"apiVersion": _API_VERSION, "dataTimestamp": stamp}
    if path == f"/studies/{identification['nctId']}" and params == _RECORD_PARAMETERS:
        return _stamped(study, load.date())
    if path == "/studies" and params == {
        **_LOOKUP_PARAMETERS,
        "filter.ids": identification["nctId"],
    }:
        return {"studies": [_looked_up(study)]}
    wanted = _ORG_STUDY_ID.fullmatch(params.pop("filter.advanced", ""))
    if path == "/studies" and wanted is not None and params == _SEARCH_PARAMETERS:
        row = {key: identification[key] for key in ("nctId", "orgStudyIdInfo")}
        matches = identification["orgStudyIdInfo"]["id"] == wanted[1]
        return {"studies": [{"protocolSection": {"identificationModule": row}}] * matches}
    return None


def _looked_up(study: JsonObject) -> JsonObject:
    """The fields of _LOOKUP_PARAMETERS; the demo's records name no sponsor."""
    protocol = study["protocolSection"]
    identification = protocol["identificationModule"]
    return {
        "protocolSection": {
            "identificationModule": {key: identification[key] for key in ("nctId", "briefTitle")},
            "statusModule": {"overallStatus": protocol["statusModule"]["overallStatus"]},
        }
    }


def _stamped(study: JsonObject, day: date) -> JsonObject:
    """The study with `day` as its versionHolder, which every data refresh sets."""
    derived = study.get("derivedSection", {})
    misc = {**derived.get("miscInfoModule", {}), "versionHolder": day.isoformat()}
    return {**study, "derivedSection": {**derived, "miscInfoModule": misc}}


class DemoRegistry:
    """A registry on loopback with one trial, as it stood on the data refresh `load`.

    `studies` maps each load that changed the trial to the new record. The registry starts at the
    first of them; set `load` to move on. A context manager, which serves within its block.
    Raises PortInUse if it cannot listen.
    """

    def __init__(self, studies: Mapping[datetime, JsonObject]) -> None:
        self._studies = studies
        self._loads = sorted(studies)
        self.load = self._loads[0]
        try:
            self._server = _Server((HOST, 0), self)
        except OSError as error:
            raise PortInUse(f"cannot listen on {HOST}: {error}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        """The base URL of the API, for CTSYNC_REGISTRY_URL."""
        return f"http://{HOST}:{self._server.server_port}{BASE}"

    def answer(self, target: str) -> JsonObject | None:
        """Answer a GET request from the record that is current on `load`, or refuse it."""
        load = self.load
        newest = self._loads[bisect_right(self._loads, load) - 1]
        return answer(self._studies[newest], load, target)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], registry: DemoRegistry) -> None:
        self.registry = registry
        super().__init__(address, _Connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback for a client that hung up, as a command does after Ctrl-C."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        found = self.server.registry.answer(self.path)
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = orjson.dumps(found)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is inherited
        """Print nothing: only the demo's commands write to the terminal."""
