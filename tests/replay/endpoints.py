"""The endpoints of the replay registry: from a request to its reply. Uses no sockets.

A request that the real registry supports and the replay registry does not is refused with a text
that says so. It never receives an approximate answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus

from ctsync.dates import format_timestamp
from ctsync.errors import BadNctId
from tests.replay.bulk_download import download, range_start
from tests.replay.catalogue import Catalogue, View
from tests.replay.http_messages import (
    Refusal,
    Reply,
    Request,
    bad_format,
    front_page,
    json_reply,
    unsupported,
)
from tests.replay.record_history import answer_history
from tests.replay.registry_id import read_registry_id
from tests.replay.search.pieces import select
from tests.replay.search.request_parameters import check_format, check_names, read_fields
from tests.replay.search.studies_listing import list_studies

API_VERSION = "2.0.5"
BUILD = "0c75a9c/0.34.1"

_STUDY_FORMATS = ("json", "csv", "json.zip", "fhir.json", "ris")
_STUDY_PARAMETERS = frozenset({"format", "markupFormat", "fields"})
_NOT_SERVED = frozenset(
    {"/v2/studies/metadata", "/v2/studies/search-areas", "/v2/studies/enums"}
    | {"/v2/stats/field/values", "/v2/stats/field/sizes"}
)
_DOWNLOAD = "/v2/studies/download"
_LARGEST_STUDIES = 10
_PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
_RANGE_BYTES = 16 * 1024
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def answer(catalogue: Catalogue, request: Request, *, build: str = BUILD) -> Reply:
    """Answer a request from the current load of the catalogue.

    A 200 carries the ETag of the complete data set. If the client sends that ETag in
    If-None-Match, the reply is a 304.
    """
    if request.method != "GET":
        return replace(front_page(HTTPStatus.METHOD_NOT_ALLOWED), headers={"Allow": "GET"})
    view = catalogue.view()
    try:
        reply = _route(catalogue, view, request)
    except Refusal as refusal:
        return refusal.reply
    if reply.status != HTTPStatus.OK:
        return reply
    tag = etag(view.load, build)
    headers = {**reply.headers, "ETag": tag}
    if _is_known(tag, request.headers.get("if-none-match", "")):
        return Reply(HTTPStatus.NOT_MODIFIED, b"", {"ETag": tag})
    start = range_start(request, len(reply.body), tag) if request.path == _DOWNLOAD else None
    if start is not None:
        sent = f"bytes {start}-{len(reply.body) - 1}/{len(reply.body)}"
        headers = {**headers, "Content-Range": sent}
        return Reply(HTTPStatus.PARTIAL_CONTENT, reply.body[start:], headers)
    return replace(reply, headers=headers)


def etag(load: datetime, build: str) -> str:
    """The ETag of one load and one build, the same for every path."""
    number, digits = round(load.timestamp() * 1000), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return f'"{build}/{digits}"'


def _is_known(tag: str, if_none_match: str) -> bool:
    known = [item.strip().removeprefix("W/") for item in if_none_match.split(",")]
    return tag in known or known == ["*"]


def _route(catalogue: Catalogue, view: View, request: Request) -> Reply:
    path = request.path
    folder, _, name = path.rpartition("/")
    if path in _ROUTES:
        return _ROUTES[path](view, request)
    if path in _NOT_SERVED:
        raise unsupported(path.removeprefix("/v2"))
    if folder == "/v2/studies" and name:
        return _study(view, request, name)
    if path.startswith("/int/"):
        return answer_history(catalogue, request)
    return front_page(HTTPStatus.NOT_FOUND)


def _check_own_names(request: Request, allowed: frozenset[str] = frozenset()) -> None:
    """Refuse listing parameters and unknown parameters, which have different error texts."""
    for name in request.params:
        if name.startswith(("query.", "filter.", "postFilter.")):
            raise Refusal(f"Invalid prefix in parameter name: {name}")
    check_names(request.params, allowed)


def _version(view: View, request: Request) -> Reply:
    _check_own_names(request)
    stamp = format_timestamp(view.load).removesuffix("Z")
    return json_reply({"apiVersion": API_VERSION, "dataTimestamp": stamp})


def _study(view: View, request: Request, asked: str) -> Reply:
    try:
        nct_id = read_registry_id(asked)
    except BadNctId:
        raise bad_format("nctId") from None
    _check_own_names(request, _STUDY_PARAMETERS)
    check_format(request.params, _STUDY_FORMATS)
    canonical = view.canonical(nct_id)
    if canonical is None:
        raise Refusal(f"NCT number {nct_id} not found", HTTPStatus.NOT_FOUND)
    if canonical != nct_id:
        # the real registry drops the query string, so the client receives the complete record
        location = f"/api/v2/studies/{canonical}"
        return Reply(HTTPStatus.MOVED_PERMANENTLY, b"", {"Location": location})
    return json_reply(select(view.study(canonical), read_fields(request.params) or {}))


def _download(view: View, request: Request) -> Reply:
    _check_own_names(request, frozenset({"format"}))
    return download(view, request)


def _sizes(view: View, request: Request) -> Reply:
    """The sizes of the studies as JSON. Clients check a bulk download against `totalStudies`."""
    _check_own_names(request)
    sizes = {nct_id: len(json_reply(view.study(nct_id)).body) for nct_id in view.ids}
    ascending = sorted(sizes.values())
    largest = sorted(sizes.items(), key=lambda item: item[1], reverse=True)[:_LARGEST_STUDIES]
    ranges = Counter(size // _RANGE_BYTES for size in ascending)
    return json_reply(
        {
            "averageSizeBytes": round(sum(ascending) / max(len(ascending), 1)),
            "largestStudies": [{"id": i, "sizeBytes": size} for i, size in largest],
            "percentiles": {
                str(percent): ascending[(len(ascending) - 1) * percent // 100]
                for percent in _PERCENTILES
                if ascending
            },
            "ranges": [
                {
                    "sizeRange": f"{at * _RANGE_BYTES} - {(at + 1) * _RANGE_BYTES - 1}",
                    "studiesCount": count,
                }
                for at, count in sorted(ranges.items())
            ],
            "totalStudies": len(sizes),
        }
    )


_ROUTES: Mapping[str, Callable[[View, Request], Reply]] = {
    "/v2/version": _version,
    "/v2/studies": list_studies,
    _DOWNLOAD: _download,
    "/v2/stats/size": _sizes,
}
