"""Registry queries: which studies match. A query is checked before any request is sent.

The parameters are those of `/v2/studies` in the registry's OpenAPI document 2.0.5 that select
studies. Parameters for the form of the answer (fields, sort, pages) are not part of a query.
The registry answers some queries wrongly, without an error. They are refused here:

- A query.* value that contains only NCT ids: the registry then ignores every filter.
- Unpaired quotes, parentheses and brackets: an open quote includes the text after it.

Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ctsync.errors import BadNctId, BadQuery
from ctsync.nct_id import parse_nct_id
from ctsync.text import nearest

Given = Mapping[str, object]
"""A query as users write it: short or long names, each with a value or a list of values."""

STATUSES = (
    *("ACTIVE_NOT_RECRUITING", "COMPLETED", "ENROLLING_BY_INVITATION", "NOT_YET_RECRUITING"),
    *("RECRUITING", "SUSPENDED", "TERMINATED", "WITHDRAWN", "AVAILABLE", "NO_LONGER_AVAILABLE"),
    *("TEMPORARILY_NOT_AVAILABLE", "APPROVED_FOR_MARKETING", "WITHHELD", "UNKNOWN"),
)
"""The values of overallStatus (schema `Status`)."""

LONGEST = 4_000
"""Maximum number of characters of all values: the registry's front end accepts URLs of 8 KB."""

_ESSIE = ("cond", "term", "locn", "titles", "intr", "outc", "spons", "lead", "id", "patient")
_FILTERS = ("overallStatus", "geo", "ids", "advanced", "synonyms")
_BARE = ("aggFilters", "geoDecay")
_SHOWN = ("format", "markupFormat", "fields", "sort", "countTotal", "pageSize", "pageToken")

PARAMETERS: Mapping[str, str] = {
    **{name: f"query.{name}" for name in _ESSIE},
    **{name: f"filter.{name}" for name in _FILTERS},
    **{name: name for name in _BARE},
}
"""Every parameter: short name to long name."""

_LONG_NAMES = frozenset(PARAMETERS.values())
_LISTS = ("filter.overallStatus", "filter.ids", "filter.synonyms", "aggFilters")
_SEPARATOR = re.compile(r"[,|]")
# the registry accepts these as ids: unlike parse_nct_id, it adds missing zeros
_REGISTRY_ID = re.compile(r"nct0*[1-9]\d{0,7}", re.IGNORECASE | re.ASCII)
_LENGTH = r"\d+(?:\.\d+)?(?:km|mi)"
_PLACE = re.compile(
    r"distance\(-?\d+(?:\.\d+)?,-?\d+(?:\.\d+)?,\d+(?:\.\d+)?(?:km|mi)?\)", re.ASCII
)
_DECAY = re.compile(
    rf"func:(?:gauss|exp|linear),scale:{_LENGTH},offset:{_LENGTH},decay:\d+(?:\.\d+)?", re.ASCII
)
_SYNONYM = re.compile(r"[A-Za-z]+:\d+", re.ASCII)
_FACET = re.compile(r"[a-z][A-Za-z]*:[a-z0-9_]+(?: [a-z0-9_]+)*", re.ASCII)
_PAIRS = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class Query:
    """A checked query. `params` are its parameters by long name.

    Queries with the same parameters and values are equal, in any order.
    """

    params: Mapping[str, str]

    def __hash__(self) -> int:
        """Hash the parameters independent of their order, as equality does."""
        return hash(frozenset(self.params.items()))

    def __str__(self) -> str:
        """Return the query in the form of `--query`, with short names, separated by commas."""
        short = {long: name for name, long in PARAMETERS.items()}
        return ", ".join(f"{short[name]}={value}" for name, value in self.params.items())


def read_query(given: Given) -> Query:
    """Check a query. Raises BadQuery with all problems, each with its correction."""
    problems: list[str] = []
    params: dict[str, str] = {}
    for name, value in given.items():
        long = _long_name(name)
        if long is None:
            problems.append(f"{name}: {_no_such(name)}")
            continue
        if long in params:
            problems.append(f"{name}: given twice")
            continue
        text = _text(value, is_list=long in _LISTS)
        if text is None:
            wanted = "a text or a list of texts" if long in _LISTS else "a text"
            problems.append(f"{name}: must be {wanted}")
            continue
        params[long] = text
        problems += [f"{name}: {said}" for said in _wrong(long, text)]
    if not problems:
        problems += _contradictions(params)
    if problems:
        raise BadQuery(problems)
    in_order = sorted(params, key=list(PARAMETERS.values()).index)
    return Query({name: _settled(name, params[name]) for name in in_order})


def phrase(text: str) -> str:
    """Return a text for use between quotes in a query.

    Characters that could end the phrase or start an operator become blanks. The registry searches
    by words, so it finds the same trials.
    """
    plain = re.sub(r'["\\\[\]\x00-\x1f\x7f]', " ", text)
    return " ".join(plain.encode("utf-8", "replace").decode().split())


def exactly(text: str) -> str:
    """Return a query.* value that searches for a name, with any characters, as one phrase."""
    return f'"{phrase(text)}"'


def _long_name(name: str) -> str | None:
    return name if name in _LONG_NAMES else PARAMETERS.get(name)


def _no_such(name: str) -> str:
    if name in _SHOWN:
        return "does not select trials; remove it"
    if name.startswith("postFilter."):
        return f"has the effect of filter.*; write {name.removeprefix('postFilter.')}"
    prefix, _, rest = name.rpartition(".")
    known = [short for short, long in PARAMETERS.items() if long == f"{prefix}.{short}"]
    return f"there is no such parameter; {nearest(rest, known or PARAMETERS)}"


def _text(value: object, *, is_list: bool) -> str | None:
    """Return a value in the registry's form, or None if it has the wrong type."""
    if isinstance(value, list | tuple) and is_list and all(isinstance(v, str) for v in value):
        value = "|".join(value)
    return " ".join(value.split()) if isinstance(value, str) else None


def _wrong(name: str, text: str) -> Iterator[str]:
    if not text:
        yield "must not be empty"
    elif not text.isprintable():
        yield "contains an unprintable character"
    else:
        check = _essie if name.startswith("query.") else _CHECKS[name]
        yield from check(text)


def _essie(text: str) -> Iterator[str]:
    yield from _unpaired(text)
    words = text.replace(",", " ").split()
    if all(map(_REGISTRY_ID.fullmatch, words)):
        yield (
            "contains only NCT ids, and then the registry ignores every filter; add the trials by "
            "name, or use ids"
        )


def _unpaired(text: str) -> Iterator[str]:
    """Yield the unpaired mark of an expression. A backslash escapes the next character."""
    open_marks: list[str] = []
    in_quotes = escaped = False
    for mark in text:
        if escaped or mark == "\\":
            escaped = not escaped
        elif mark == '"':
            in_quotes = not in_quotes
        elif in_quotes:
            continue
        elif mark in "([":
            open_marks.append(mark)
        elif mark in _PAIRS and (not open_marks or open_marks.pop() != _PAIRS[mark]):
            yield f"has a {mark} without an opening one"
            return
    if escaped:
        yield "ends in a backslash"
    if in_quotes:
        yield 'has a " without a closing one'
    elif open_marks:
        yield f"has a {open_marks[-1]} without a closing one"


def _statuses(text: str) -> Iterator[str]:
    for item in _SEPARATOR.split(text):
        if item.strip() not in STATUSES:
            yield f"there is no status {item.strip()!r}; {nearest(item.strip(), STATUSES)}"


def _ids(text: str) -> Iterator[str]:
    for item in _SEPARATOR.split(text):
        try:
            parse_nct_id(item)
        except BadNctId as bad:
            yield str(bad)


def _place(text: str) -> Iterator[str]:
    if not _PLACE.fullmatch(text):
        yield f"{text!r} is not a place; write distance(39.0035707,-77.1013313,50mi)"
        return
    latitude, longitude = (float(part) for part in text[len("distance(") :].split(",")[:2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        yield "is not a position: write the latitude (-90 to 90), then the longitude (-180 to 180)"


def _decay(text: str) -> Iterator[str]:
    if not _DECAY.fullmatch(text):
        yield f"{text!r} is not a decay; write func:exp,scale:300mi,offset:0mi,decay:0.5"


def _synonyms(text: str) -> Iterator[str]:
    for item in _SEPARATOR.split(text):
        if not _SYNONYM.fullmatch(item.strip()):
            yield f"{item.strip()!r} is not a synonym; write ConditionSearch:1651367"


def _facets(text: str) -> Iterator[str]:
    """Check the form of facets only: the registry changes the options too often to list them."""
    for item in _SEPARATOR.split(text):
        if not _FACET.fullmatch(item.strip()):
            yield f"{item.strip()!r} is not a facet; write results:with or status:not rec"


_CHECKS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "filter.overallStatus": _statuses,
    "filter.geo": _place,
    "filter.ids": _ids,
    "filter.advanced": _unpaired,
    "filter.synonyms": _synonyms,
    "aggFilters": _facets,
    "geoDecay": _decay,
}


def _contradictions(params: Mapping[str, str]) -> Iterator[str]:
    if not params.keys() - {"geoDecay"}:
        yield f"a query needs a parameter that selects trials: {', '.join(PARAMETERS)}"
    elif "geoDecay" in params and "filter.geo" not in params:
        yield "geoDecay: needs geo"
    length = sum(map(len, params.values()))
    if length > LONGEST:
        yield (
            f"the values have {length:,} characters, more than the {LONGEST:,} a request takes; "
            "for a long list of trials use: ctsync watch add --file"
        )


def _settled(name: str, text: str) -> str:
    """Return a value in one form, so that equal queries compare equal."""
    if name not in _LISTS:
        return text
    items = [item.strip() for item in _SEPARATOR.split(text)]
    if name == "filter.ids":
        items = [parse_nct_id(item) for item in items]
    return "|".join(dict.fromkeys(items))
