"""The listing `/v2/studies`: filters, queries, order and paging. Uses no sockets."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from ctsync.errors import BadNctId
from ctsync.model import JsonObject, NctId
from tests.replay.catalogue import View
from tests.replay.http_messages import JSON, Refusal, Reply, Request, bad_format, unsupported
from tests.replay.registry_id import read_registry_id
from tests.replay.search.essie_query import Test, parse
from tests.replay.search.pieces import pieces, select
from tests.replay.search.request_parameters import (
    Parameters,
    SortKey,
    check_format,
    check_names,
    read_boolean,
    read_fields,
    read_ids,
    read_size,
    read_sort,
    read_values,
)

DEFAULT_PAGE_SIZE = 10
LARGEST_PAGE_SIZE = 1000

DATA_CHANGED = (
    "The data have probably changed while you were paginating. "
    "Please, start over from the first page."
)

_QUERIES = {
    "query.cond": "ConditionSearch",
    "query.term": "BasicSearch",
    "query.locn": "LocationSearch",
    "query.titles": "TitleSearch",
    "query.intr": "InterventionSearch",
    "query.outc": "OutcomeSearch",
    "query.spons": "SponsorSearch",
    "query.lead": "LeadSponsorName",
    "query.id": "IdSearch",
}
_FILTERS_BY_ID = ("filter.ids", "postFilter.ids")
_FILTERS = (
    *("filter.overallStatus", "filter.advanced"),
    *("postFilter.overallStatus", "postFilter.advanced"),
)
_NOT_SERVED = frozenset(
    {"query.patient", "filter.geo", "filter.synonyms", "postFilter.geo", "postFilter.synonyms"}
    | {"aggFilters", "geoDecay"}
)
_SELECTING = frozenset({*_QUERIES, *_FILTERS, *_FILTERS_BY_ID, *_NOT_SERVED, "sort"})
_PARAMETERS = _SELECTING | {
    *("format", "markupFormat", "fields", "countTotal", "pageSize", "pageToken"),
}
_PAGE_TOKEN = struct.Struct(">IIQ")
_SEAL_BYTES = 20


def list_studies(view: View, request: Request) -> Reply:
    """One page of the matching studies."""
    params = request.params
    check_names(params, _PARAMETERS)
    check_format(params, ("json", "csv"))
    kept = read_fields(params)
    page = _page_asked_for(params, view)
    want_total = read_boolean(params, "countTotal") and page.number == 1
    rows = _rows(view, params)
    start = max(0, page.start + request.shift)
    shown = rows[start : start + page.size]
    # the registry does not look ahead: after a full last page comes an empty one
    next_page = _Token(view.reload, page.number + 1, start + page.size)
    token = next_page.write() if len(shown) == page.size else None
    studies = [select(view.study(nct_id), kept or {}) for nct_id in shown]
    return _render(studies, total=len(rows) if want_total else None, token=token)


def _rows(view: View, params: Parameters) -> list[NctId]:
    """The matching ids, in order. The view caches them, so that later pages need no search."""
    key = tuple(sorted((k, v) for k, v in params.items() if k in _SELECTING))
    if key not in view.listings:
        keys = read_sort(params)
        rows = _in_registry_order(view, _matching(view, params))
        for sort_key in reversed(keys):
            rows = _sorted(view, rows, sort_key)
        view.listings[key] = rows
    return view.listings[key]


def _matching(view: View, params: Parameters) -> list[NctId]:
    for name in params:
        if name in _NOT_SERVED:
            raise unsupported(f"the parameter `{name}`")
    asked = [_nct_ids_only(params[name]) for name in _QUERIES if name in params]
    ids = [some for some in asked if some]
    tests = [
        parse(params[name], default_area=searched, where=f"parameter `{name}`")
        for name, searched in _QUERIES.items()
        if name in params and not _nct_ids_only(params[name])
    ]
    filter_ids = [read_ids(params, name) for name in _FILTERS_BY_ID if name in params]
    filter_tests = [_filter(params, name) for name in _FILTERS if name in params]
    if not ids:
        # the registry ignores filters if a query contains only NCT ids, as documented
        ids, tests = filter_ids, tests + filter_tests
    found = set(view.ids)
    for wanted in ids:
        # an alias finds the study it was merged into
        found &= {view.canonical(nct_id) or nct_id for nct_id in wanted}
    if not tests:
        return list(found)
    return [n for n in found if (study := view.study(n)) and all(test(study) for test in tests)]


def _nct_ids_only(text: str) -> list[NctId]:
    """The ids of a query that contains only ids, separated by commas or spaces; else empty."""
    try:
        return [read_registry_id(word) for word in text.replace(",", " ").split()]
    except BadNctId:
        return []


def _filter(params: Parameters, name: str) -> Test:
    if name.endswith("advanced"):
        return parse(params[name], default_area="BasicSearch", where="advanced filter")
    status = pieces()["OverallStatus"]
    allowed = set(read_values(params, name, status.values))
    return lambda study: not allowed.isdisjoint(status.of(study))


def _sorted(view: View, rows: list[NctId], key: SortKey) -> list[NctId]:
    values = {nct_id: key.piece.of(view.study(nct_id) or {}) for nct_id in rows}
    having = [nct_id for nct_id in rows if values[nct_id]]
    lacking = [nct_id for nct_id in rows if not values[nct_id]]
    return sorted(having, key=lambda nct_id: values[nct_id][0], reverse=key.descending) + lacking


def _in_registry_order(view: View, ids: Sequence[NctId]) -> list[NctId]:
    """A pseudo-random order, constant within a load: no client may rely on the order of ids."""
    seed = zlib.crc32(view.load.isoformat().encode())
    return sorted(ids, key=lambda nct_id: (zlib.crc32(nct_id.encode(), seed), nct_id))


@dataclass(frozen=True, slots=True)
class _Page:
    number: int
    start: int
    size: int


def _page_asked_for(params: Parameters, view: View) -> _Page:
    size = min(read_size(params, "pageSize") or DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)
    if "pageToken" not in params:
        return _Page(1, 0, size)
    token = _Token.read(params["pageToken"])
    if token.reload != view.reload:
        raise Refusal(DATA_CHANGED)
    return _Page(token.number, token.start, size)


@dataclass(frozen=True, slots=True)
class _Token:
    """The reload and the row at which a page starts. As in the real token, the query is absent."""

    reload: int
    number: int
    start: int

    def write(self) -> str:
        packed = _PAGE_TOKEN.pack(self.reload, self.number, self.start)
        return base64.urlsafe_b64encode(packed + _seal(packed)).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> _Token:
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            raise bad_format("pageToken") from None
        packed, seal = packed[: _PAGE_TOKEN.size], packed[_PAGE_TOKEN.size :]
        if seal != _seal(packed):
            raise bad_format("pageToken")
        return cls(*_PAGE_TOKEN.unpack(packed))


def _seal(packed: bytes) -> bytes:
    return hashlib.sha256(packed).digest()[:_SEAL_BYTES]


def page_number(params: Parameters) -> int:
    """The number of the requested page, from 1; 0 if its token is malformed."""
    if "pageToken" not in params:
        return 1
    try:
        return _Token.read(params["pageToken"]).number
    except Refusal:
        return 0


def _render(studies: Sequence[JsonObject | None], *, total: int | None, token: str | None) -> Reply:
    """The page as JSON with one study per line, so that clients can read it as a stream."""
    head = b"" if total is None else b'"totalCount":%d,' % total
    rows = b",\n".join(orjson.dumps(study) for study in studies)
    tail = b"" if token is None else b',"nextPageToken":"%s"' % token.encode()
    listed = b"[\n" + rows + b"\n]" if rows else b"[  ]"
    return Reply(200, b"{" + head + b'"studies":' + listed + tail + b"}", {"Content-Type": JSON})
