"""Request parameters, parsed as strictly as the registry does. Uses no sockets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ctsync.errors import BadNctId
from ctsync.model import NctId
from tests.replay.http_messages import (
    Refusal,
    bad_format,
    bad_item,
    bad_value,
    unknown_parameter,
    unsupported,
)
from tests.replay.registry_id import read_registry_id
from tests.replay.search.pieces import Piece, Selection, area, find, is_single, selection

Parameters = Mapping[str, str]

_LARGEST_SORT = 2
_SORTABLE = ("date", "integer", "number")
_FIELD = re.compile(r"([a-zA-Z][a-zA-Z0-9\-. ]*|@query)\Z")
_SORT = re.compile(r"([a-zA-Z][a-zA-Z0-9\-. ]*|@relevance)(?::(asc|desc))?\Z")
_SEPARATOR = re.compile(r"[,|]")


@dataclass(frozen=True, slots=True)
class SortKey:
    """One field to sort by. Studies without it come last in both directions."""

    piece: Piece
    descending: bool


def check_names(params: Parameters, allowed: AbstractSet[str]) -> None:
    """Refuse the first parameter that is not allowed."""
    for name in params:
        if name not in allowed:
            raise unknown_parameter(name)


def check_format(params: Parameters, formats: Sequence[str]) -> None:
    """Accept JSON with Markdown texts. Refuse unknown formats, and those not supported here."""
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


def split_list(text: str) -> list[str]:
    """The items of a list separated by commas or pipes, including empty items."""
    return _SEPARATOR.split(text)


def read_boolean(params: Parameters, name: str) -> bool:
    """A flag; false by default."""
    text = params.get(name, "false")
    if text not in ("true", "false"):
        raise bad_format(name)
    return text == "true"


def read_size(params: Parameters, name: str) -> int:
    """A number of 0 or more; 0 by default."""
    text = params.get(name, "0")
    if not (text.isascii() and text.isdigit()):
        raise bad_format(name)
    return int(text)


def read_ids(params: Parameters, name: str) -> list[NctId]:
    """NCT ids in any form. Refuses the list if one id is malformed."""
    ids = []
    for number, item in enumerate(split_list(params[name]), start=1):
        try:
            if item != item.strip():
                raise bad_item(number, name)
            ids.append(read_registry_id(item))
        except BadNctId:
            raise bad_item(number, name) from None
    return ids


def read_values(params: Parameters, name: str, allowed: Sequence[str]) -> list[str]:
    """Values of an enumeration. As in the registry, the error text omits the prefix of `name`."""
    items = split_list(params[name])
    for item in items:
        if item not in allowed:
            raise bad_value(name.rpartition(".")[2], item)
    return items


def read_fields(params: Parameters) -> Selection | None:
    """The part of each study to return, or None for the complete study."""
    if "fields" not in params:
        return None
    paths = []
    for number, name in enumerate(split_list(params["fields"]), start=1):
        if _FIELD.match(name) is None:
            raise bad_item(number, "fields")
        if name == "@query":
            raise unsupported("the field `@query`")
        found = find(name)
        found_pieces = area(name) if found is None else (found,)
        if found_pieces is None:
            raise Refusal(f"Parameter 'fields' contains invalid field name: '{name}'")
        paths += [piece.path for piece in found_pieces]
    return selection(paths)


def read_sort(params: Parameters) -> list[SortKey]:
    """The sort keys, most significant first."""
    items = split_list(params["sort"]) if params.get("sort") else []
    if len(items) > _LARGEST_SORT:
        raise bad_format("sort")
    return [_sort_key(item, number) for number, item in enumerate(items, start=1)]


def _sort_key(item: str, number: int) -> SortKey:
    found = _SORT.match(item)
    if found is None:
        raise bad_item(number, "sort")
    name, direction = found.groups()
    if name == "@relevance":
        raise unsupported("sorting by `@relevance`")
    piece = find(name)
    if piece is None:
        raise Refusal(f"Unknown piece name of field path: {name}")
    if piece.type not in _SORTABLE:
        raise Refusal(f"Unsupported sort field type: {piece.type}")
    if not is_single(piece):
        raise unsupported(f"sorting by `{name}`, which a study has more than once")
    return SortKey(piece, (direction or ("desc" if piece.type == "date" else "asc")) == "desc")
