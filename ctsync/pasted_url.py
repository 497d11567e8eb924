"""Pasted URLs: the trial that a page shows, or the query of a search. Does no I/O.

A trial is recognised in the path of any URL, so that pages of ClinicalTrials.gov (new and
classic, history and compare), of its API and of other registries all work. A search is
recognised only in URLs of ClinicalTrials.gov. Its parameters become query parameters. Parameters
for the form of the answer are dropped. Any other parameter is refused, because without it the
query would match other trials.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ctsync.errors import BadNctId, BadQuery
from ctsync.model import NctId
from ctsync.nct_id import parse_nct_id
from ctsync.query import PARAMETERS, exactly
from ctsync.text import shorten

_HOST = re.compile(r"(?:[\w-]+\.)*clinicaltrials\.gov", re.IGNORECASE | re.ASCII)
_URL = re.compile(rf"https?://|{_HOST.pattern}(?:[/?#]|\Z)", re.IGNORECASE | re.ASCII)
_ID = re.compile(r"(?<![a-z0-9])nct\d+(?![a-z0-9])", re.IGNORECASE | re.ASCII)
_PAGE_NUMBER = re.compile(r"[1-9]\d{0,5}", re.ASCII)
_DAYS = re.compile(r"(\d{4}-\d{2}-\d{2})?_(\d{4}-\d{2}-\d{2})?", re.ASCII)

_LONG_NAMES = {**PARAMETERS, **{long: long for long in PARAMETERS.values()}}
# the parameters of the site's search page, where its names are not those of the API
_DATES = {
    "start": "StartDate",
    "primComp": "PrimaryCompletionDate",
    "studyComp": "CompletionDate",
    "firstPost": "StudyFirstPostDate",
    "resFirstPost": "ResultsFirstPostDate",
    "lastUpdPost": "LastUpdatePostDate",
}
_PLACES = {"city": "LocationCity", "state": "LocationState", "country": "LocationCountry"}
_POINT = ("lat", "lng", "distance")
_SHOWN = 80
_DISPLAY = frozenset(
    {
        *("format", "markupFormat", "fields", "sort", "countTotal", "pageSize", "pageToken"),
        *("viewType", "page", "limit", "rank", "tab", "checkSpell", "dateField"),
    }
)


def is_url(text: str) -> bool:
    """Return whether a text is meant as a URL, with or without https://."""
    return _URL.match(_bare(text)) is not None


def read_trial(text: str) -> NctId:
    """Return the trial that an NCT id or a pasted URL names. Raises BadNctId."""
    if not is_url(text):
        return parse_nct_id(text)
    trial = trial_of(text)
    if trial is None:
        _refuse(text, _no_trial(text))
    return trial


def trial_of(url: str) -> NctId | None:
    """Return the trial that a URL shows; None if it shows none, as for a search.

    A search for one NCT id only shows that trial. Raises BadNctId if the number does not have
    eight digits, or if the URL names several trials.
    """
    parts = _split(url)
    found = _ID.findall(unquote(parts.path)) or _only_id(parts)
    trials = list(dict.fromkeys(parse_nct_id(one) for one in found))
    if len(trials) > 1:
        _refuse(url, f"names several trials: {', '.join(trials)}")
    return trials[0] if trials else None


def versions_of(url: str) -> tuple[int, int] | None:
    """Return the two versions that a page compares, by its URL, from 0; None if there are none.

    The registry's pages number versions from 1. A page of one version compares it with the one
    before.
    """
    given = dict(parse_qsl(_split(url).query)) if is_url(url) else {}
    a, b = (int(given[name]) if _PAGE_NUMBER.fullmatch(given.get(name, "")) else 0 for name in "ab")
    if a and b:
        return (min(a, b) - 1, max(a, b) - 1)
    number = a or b
    return (number - 2, number - 1) if number > 1 else None


def query_of(url: str) -> dict[str, object]:
    """Return the query of the URL of a search, by the long names of its parameters.

    The values are not checked; `read_query` does that. Raises BadQuery if a parameter cannot be
    part of a query, and BadNctId if the URL is not a search.
    """
    parts = _split(url)
    pairs = _selecting(parts)
    if not _is_registry(parts) or not pairs:
        _refuse(url, _no_trial(url))
    given = dict(pairs)
    problems = [f"{name}: given twice" for name in given if _count(name, pairs) > 1]
    query: dict[str, object] = {}
    for name, value in given.items():
        if name in _LONG_NAMES:
            query[_LONG_NAMES[name]] = value
        elif name.startswith("postFilter."):
            query[name.replace("postFilter.", "filter.")] = value
        elif name in _DATES:
            if not _DAYS.fullmatch(value):
                problems.append(f"{name}: {value!r} is not a range of days")
        elif name not in {*_PLACES, *_POINT, "locStr"}:
            problems.append(f"{name}: the API has no such filter; remove it from the search")
    if problems:
        raise BadQuery(problems)
    _add_place(query, given)
    _add_dates(query, given)
    return query


def _add_place(query: dict[str, object], given: Mapping[str, str]) -> None:
    """Add the place of a search: a circle, else a city, state or country, else its text.

    The site adds a distance to every search with a place; without a point it has no effect.
    """
    places = {area: given[name] for name, area in _PLACES.items() if name in given}
    areas = [f"AREA[{area}]{exactly(place)}" for area, place in places.items()]
    if all(name in given for name in _POINT):
        unit = "" if given["distance"].endswith(("mi", "km")) else "mi"
        point = ",".join(given[name] for name in _POINT)
        query.setdefault("filter.geo", f"distance({point}{unit})")
    elif len(areas) == 1:
        _add_condition(query, areas[0])
    elif areas:
        # SEARCH: one site must match all of them
        _add_condition(query, f"SEARCH[Location]({' AND '.join(areas)})")
    elif "locStr" in given:
        query.setdefault("query.locn", given["locStr"])


def _add_dates(query: dict[str, object], given: Mapping[str, str]) -> None:
    for name, field in _DATES.items():
        days = _DAYS.fullmatch(given.get(name, ""))
        if days and any(days.groups()):
            _add_condition(query, f"AREA[{field}]RANGE[{days[1] or 'MIN'},{days[2] or 'MAX'}]")


def _add_condition(query: dict[str, object], condition: str) -> None:
    earlier = query.get("filter.advanced")
    query["filter.advanced"] = f"({earlier}) AND {condition}" if earlier else condition


def _selecting(parts: SplitResult) -> list[tuple[str, str]]:
    """Return the parameters of a URL that select trials, without empty ones."""
    return [
        (name, value)
        for name, value in parse_qsl(parts.query)
        if value.strip() and name not in _DISPLAY and not name.startswith("utm_")
    ]


def _count(name: str, pairs: Sequence[tuple[str, str]]) -> int:
    return sum(name == one for one, _ in pairs)


def _only_id(parts: SplitResult) -> list[str]:
    """Return the NCT id if a search looks for nothing else; otherwise empty."""
    values = [value.strip() for _, value in _selecting(parts)] if _is_registry(parts) else []
    return values if len(values) == 1 and _ID.fullmatch(values[0]) else []


def _split(url: str) -> SplitResult:
    text = _bare(url)
    try:
        return urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        _refuse(url, "is not a web address")


def _bare(text: str) -> str:
    """Return a text without the characters that surround a URL in mails and documents."""
    return text.strip().strip("\ufeff<>").strip()


def _is_registry(parts: SplitResult) -> bool:
    return _HOST.fullmatch(parts.hostname or "") is not None


def _no_trial(url: str) -> str:
    parts = _split(url)
    if _is_registry(parts) and _selecting(parts):
        return "is a search, not a trial; to follow what it finds: ctsync watch add URL"
    return "names no trial; write an NCT id, as in NCT03389919"


def _refuse(url: str, reason: str) -> NoReturn:
    raise BadNctId(f"{shorten(url, _SHOWN)!r} {reason}")
