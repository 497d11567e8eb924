"""`/v2/studies`: parameters checked as strictly as the registry does, and paging. No sockets."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from ctsync.demo.catalogue import View
from ctsync.demo.exchange import (
    JSON,
    Refusal,
    Reply,
    Request,
    bad_format,
    bad_item,
    bad_value,
    unknown_parameter,
    unsupported,
)
from ctsync.errors import BadNctId
from ctsync.model import JsonObject, NctId, parse_nct_id

DEFAULT_PAGE_SIZE = 10
LARGEST_PAGE_SIZE = 1000

DATA_CHANGED = (
    "The data have probably changed while you were paginating. "
    "Please, start over from the first page."
)

_QUERIES = frozenset(
    {"query.cond", "query.term", "query.locn", "query.titles", "query.intr", "query.outc"}
    | {"query.spons", "query.lead", "query.id", "query.patient"}
)
_FILTERS = frozenset(
    f"{prefix}.{name}"
    for prefix in ("filter", "postFilter")
    for name in ("overallStatus", "geo", "ids", "advanced", "synonyms")
)
_PARAMETERS = (
    _QUERIES
    | _FILTERS
    | {"format", "markupFormat", "aggFilters", "geoDecay"}
    | {"fields", "sort", "countTotal", "pageSize", "pageToken"}
)
_PAGE_TOKEN = struct.Struct(">IIQ")
_SEAL_BYTES = 20


def split_list(text: str) -> list[str]:
    """The items of a comma- or pipe-separated list, empty ones too."""
    return text.replace("|", ",").split(",")


def check_names(params: Mapping[str, str], allowed: frozenset[str]) -> None:
    """Refuse the first parameter that the endpoint does not know."""
    for name in params:
        if name not in allowed:
            raise unknown_parameter(name)


def check_format(params: Mapping[str, str], formats: Sequence[str]) -> None:
    """Take JSON with Markdown texts, refuse what is no format, admit what is not served."""
    wanted = params.get("format", "json")
    if wanted not in formats:
        raise bad_value("format", wanted)
    if wanted != "json":
        raise unsupported(f"the format `{wanted}`")
    markup = params.get("markupFormat", "markdown")
    if markup not in ("markdown", "legacy"):
        raise bad_value("markupFormat", markup)
    if markup == "legacy":
        raise unsupported("the markup format `legacy`")


def list_studies(view: View, request: Request) -> Reply:
    """One page of the studies that match."""
    params = request.params
    check_names(params, _PARAMETERS)
    check_format(params, ("json", "csv"))
    page = _page_asked_for(params, view)
    want_total = _read_boolean(params, "countTotal") and page.number == 1
    rows = _in_registry_order(view, _matching(view, params))
    start = max(0, page.start + request.shift)
    shown = rows[start : start + page.size]
    # there is no looking ahead: a full page has a next one, which may be empty
    next_page = _Token(view.reload, page.number + 1, start + page.size)
    token = next_page.write() if len(shown) == page.size else None
    studies = [view.study(nct_id) for nct_id in shown]
    return _render(studies, total=len(rows) if want_total else None, token=token)


def _matching(view: View, params: Mapping[str, str]) -> list[NctId]:
    for name in params:
        if name in _QUERIES or name in ("aggFilters", "geoDecay", "fields", "sort"):
            raise unsupported(f"the parameter `{name}`")
    matching = set(view.ids)
    for name in _FILTERS:
        if name in params:
            if not name.endswith("ids"):
                raise unsupported(f"the parameter `{name}`")
            matching &= _ids_asked_for(view, name, params[name])
    return list(matching)


def _ids_asked_for(view: View, name: str, text: str) -> set[NctId]:
    """The canonical ids of those asked for that are shown, aliases followed."""
    found = set()
    for number, item in enumerate(split_list(text), start=1):
        try:
            if item != item.strip():
                raise bad_item(number, name)
            canonical = view.canonical(parse_nct_id(item))
        except BadNctId:
            raise bad_item(number, name) from None
        if canonical is not None:
            found.add(canonical)
    return found


def _in_registry_order(view: View, ids: Sequence[NctId]) -> list[NctId]:
    """An order that means nothing, so that no client comes to rest on one; it holds for a load."""
    seed = zlib.crc32(view.load.isoformat().encode())
    return sorted(ids, key=lambda nct_id: (zlib.crc32(nct_id.encode(), seed), nct_id))


@dataclass(frozen=True, slots=True)
class _Page:
    number: int
    start: int
    size: int


def _page_asked_for(params: Mapping[str, str], view: View) -> _Page:
    size_text = params.get("pageSize", "0")
    if not (size_text.isascii() and size_text.isdigit()):
        raise bad_format("pageSize")
    size = min(int(size_text) or DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)
    if "pageToken" not in params:
        return _Page(1, 0, size)
    token = _Token.read(params["pageToken"])
    if token.reload != view.reload:
        raise Refusal(DATA_CHANGED)
    return _Page(token.number, token.start, size)


@dataclass(frozen=True, slots=True)
class _Token:
    """Where a page starts, in which data; nothing of the query is in it, as in the real one."""

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


def page_number(params: Mapping[str, str]) -> int:
    """Which page of a listing is asked for, from 1; 0 where its token cannot be read."""
    if "pageToken" not in params:
        return 1
    try:
        return _Token.read(params["pageToken"]).number
    except Refusal:
        return 0


def _read_boolean(params: Mapping[str, str], name: str) -> bool:
    text = params.get(name, "false")
    if text not in ("true", "false"):
        raise bad_format(name)
    return text == "true"


def _render(studies: Sequence[JsonObject | None], *, total: int | None, token: str | None) -> Reply:
    """Every study on a line of its own, so that a page can be read as a stream."""
    head = b"" if total is None else b'"totalCount":%d,' % total
    rows = b",\n".join(orjson.dumps(study) for study in studies)
    tail = b"" if token is None else b',"nextPageToken":"%s"' % token.encode()
    listed = b"[\n" + rows + b"\n]" if rows else b"[  ]"
    return Reply(200, b"{" + head + b'"studies":' + listed + tail + b"}", {"Content-Type": JSON})
