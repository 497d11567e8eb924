"""Values, counts and moves in words, for event summaries and reports. Does no I/O.

`said`, `one_line` and `quoted` write remote text for an event's summary: on one line, cut to a
length that says how much was cut, with controls and turning marks shown as escapes. `plain`
writes a value in full and leaves its characters to the format that shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from ctsync.dates import Shift
from ctsync.model import MISSING
from ctsync.text import for_log, shorten

NOTHING = "(none)"

_WIDTH = 120
_NAMED_COUNTRIES = 3
_TITLES = ("measure", "label", "title", "name", "facility", "term", "citation", "filename")
_NAMES = (*_TITLES, "url", "id", "pmid", "description", "type")


def said(value: Any, width: int = _WIDTH) -> str:
    """A JSON value in a few words; an object by what names it."""
    if value is None or (not value and isinstance(value, str | list | dict)):
        return NOTHING
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return one_line(value, width)
        case dict():
            title = next((value[key] for key in _NAMES if value.get(key)), None)
            return said(title, width) if title is not None else _as_json(value, width)
        case list():
            return one_line(", ".join(said(item, width) for item in value[:width]), width)
        case _:
            return _as_json(value, width)


def one_line(text: str, width: int = _WIDTH) -> str:
    """Remote text as part of a line."""
    if len(text) <= width and text.isascii() and text.isprintable() and "  " not in text:
        return text
    # what is cut away is cut before it is cleaned, which takes as long as the text is
    kept = text if len(text) <= width * 4 else text[: width * 4]
    cut = len(text) - len(kept)
    shown = for_log(" ".join(kept.split()))
    return shorten(shown + " " * cut, width) if cut else shorten(shown, width)


def quoted(value: Any, width: int = _WIDTH) -> str:
    """The same, between quotes if it is a text."""
    shown = said(value, width)
    return shown if shown == NOTHING or not isinstance(value, str | dict) else f'"{shown}"'


def plain(value: Any) -> str:
    """A JSON value in full, as a person would write it; an object by its title first."""
    if isinstance(value, str):  # most are
        return " ".join(value.split()) if value else NOTHING
    if value is MISSING or value in (None, [], {}):
        return NOTHING
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return "; ".join(map(plain, value))
        case dict():
            return _plain_object(value)
        case _:
            return str(value)


def _plain_object(value: dict[str, Any]) -> str:
    if "city" in value:
        place = [value.get(key) for key in ("facility", "city", "country", "status")]
        return ", ".join(plain(part) for part in place if part)
    title = next((value[key] for key in _TITLES if value.get(key)), None)
    rest = [
        f"{key}: {plain(item)}"
        for key, item in value.items()
        if item is not title and item not in (None, "", [], {})
    ]
    if title is None:
        return ", ".join(rest) or NOTHING
    return plain(title) + (f" ({', '.join(rest)})" if rest else "")


def typed(text: str, kind: str | None) -> str:
    """A date or a count, already in words, with its type: "2014-05 (actual)"."""
    return f"{text} ({one_line(kind, 20).lower()})" if kind and text not in {"", NOTHING} else text


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write "1 site" or "3,454 sites"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def ordinal(number: int) -> str:
    """Write 1st, 2nd, 3rd, 11th."""
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def signed(number: float) -> str:
    """A number with its sign; a round number has no decimals."""
    return f"{number:+,.1f}".removesuffix(".0")


def signed_days(days: int, margin: int = 0) -> str:
    """Write a move as "+1,906 d", with its slack if the dates are months or years."""
    slack = f" ±{margin} d" if margin and days else ""
    return f"{days:+,} d{slack}" if days else "0 d"


def signed_percent(percent: float) -> str:
    """Write a change as "-62.4 %"; a round number has no decimals."""
    return f"{signed(percent)} %"


def shifted(shift: Shift) -> str:
    """How far a date moved."""
    return "precision only, 0 d" if shift.precision_only else signed_days(shift.days)


def by_country(countries: Iterable[str]) -> str:
    """Counts per country: "3 Poland, 1 Spain". The counts add up to all `countries`."""
    counts = Counter(countries).most_common()
    if len(counts) == 1:
        return one_line(counts[0][0], 40)
    shown = len(counts) if len(counts) <= _NAMED_COUNTRIES + 1 else _NAMED_COUNTRIES
    named = [f"{n:,} {one_line(country, 40)}" for country, n in counts[:shown]]
    rest = counts[shown:]
    if rest:
        named.append(f"{sum(n for _, n in rest):,} in {len(rest)} other countries")
    return ", ".join(named)


def listed(parts: Sequence[str]) -> str:
    """Parts joined with commas, the empty ones left out."""
    return ", ".join(part for part in parts if part)


def _as_json(value: Any, width: int) -> str:
    return one_line(orjson.dumps(value).decode(), width)
