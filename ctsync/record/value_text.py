"""Values, counts and moves in words, for event summaries and reports. Does no I/O.

`said`, `one_line` and `quoted` write remote text for an event's summary: on one line, cut to a
length that says how much was cut, with controls and turning marks shown as escapes. `plain`
writes a value in full and leaves its characters to the format that shows it.

`said`, `quoted` and `plain` take the path of the value's field, without list items. With it, enum
values are in words, also in the objects and lists below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from ctsync.dates import PartialDate, Shift
from ctsync.model import MISSING
from ctsync.record.enum_words import enum_words, is_enum, within_sentence
from ctsync.text import for_log, shorten

NOTHING = "(none)"

_WIDTH = 120
_ROUNDED_FROM = 61
"""The shortest length, in days, that is given in months."""
_MONTH_MARGIN, _YEAR_MARGIN = 27, 364
"""The smallest slack of a move between months, and between years."""
_YEAR = 364
"""The shortest length, in days, that is given in years."""
_NAMED_COUNTRIES = 3
TITLES = ("measure", "label", "title", "name", "facility", "term", "citation", "filename")
_NAMES = (*TITLES, "url", "id", "pmid", "description", "type")


def said(value: Any, width: int = _WIDTH, *, field: str = "") -> str:
    """A JSON value in a few words; an object by what names it."""
    if value is None or (not value and isinstance(value, str | list | dict)):
        return NOTHING
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return one_line(_in_words(value, field), width)
        case dict():
            key = next((key for key in _NAMES if value.get(key)), None)
            below = _below(field, key or "")
            return said(value[key], width, field=below) if key else _as_json(value, width)
        case list():
            items = (said(item, width, field=field) for item in value[:width])
            return one_line(", ".join(items), width)
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


def quoted(value: Any, width: int = _WIDTH, *, field: str = "") -> str:
    """The same, between quotes if it is a text."""
    shown = said(value, width, field=field)
    is_text = isinstance(value, str | dict) and not (isinstance(value, str) and is_enum(field))
    return f'"{shown}"' if is_text and shown != NOTHING else shown


def plain(value: Any, *, field: str = "") -> str:
    """A JSON value in full, as a person would write it; an object by its title first."""
    if isinstance(value, str):  # most are
        return " ".join(_in_words(value, field).split()) if value else NOTHING
    if value is MISSING or value in (None, [], {}):
        return NOTHING
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return "; ".join(plain(item, field=field) for item in value)
        case dict():
            return _plain_object(value, field)
        case _:
            return str(value)


def _plain_object(value: dict[str, Any], field: str) -> str:
    if "city" in value:
        place = [(key, value.get(key)) for key in ("facility", "city", "country", "status")]
        return ", ".join(plain(part, field=_below(field, key)) for key, part in place if part)
    title = next((value[key] for key in TITLES if value.get(key)), None)
    rest = [
        f"{key}: {plain(item, field=_below(field, key))}"
        for key, item in value.items()
        if item is not title and item not in (None, "", [], {})
    ]
    if title is None:
        return ", ".join(rest) or NOTHING
    return plain(title) + (f" ({', '.join(rest)})" if rest else "")


def _in_words(text: str, field: str) -> str:
    return enum_words(text, field) if field and is_enum(field) else text


def _below(field: str, key: str) -> str:
    return f"{field}.{key}" if field else ""


def typed(text: str, kind: str | None) -> str:
    """A date or a count, already in words, with its type: "2014-05 (actual)"."""
    if not kind or text in {"", NOTHING}:
        return text
    return f"{text} ({within_sentence(enum_words(one_line(kind, 20)))})"


def typed_date(value: Any, kind: str | None) -> str:
    """A date of a record with its type; a date that does not exist is called unreadable.

    "2014-05 (actual)", "2020-02-30 (unreadable, estimated)".
    """
    text = plain(value)
    if text == NOTHING or PartialDate.parse(value) is not None:
        return typed(text, kind)
    words = typed("-", kind).removeprefix("-").strip(" ()")
    return f"{text} ({listed(['unreadable', words])})"


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


def duration(days: int) -> str:
    """A length of time: "45 days", "4 months (122 days)", "2.0 years (747 days)"."""
    length = _rounded(days)
    return length if days < _ROUNDED_FROM else f"{length} ({counted(days, 'day')})"


def short_duration(days: int) -> str:
    """A length of time for a table cell: "45 days", "4 months", "2.0 years"."""
    return _rounded(days)


def signed_days(days: int, margin: int = 0) -> str:
    """A move with its slack: "+45 days", "+2.0 years (747 days)", "+1 month (31 days ±30)".

    `margin` is the slack in days of a move between dates that are months or years.
    """
    if not days:
        return "0 days"
    sign, size = "-" if days < 0 else "+", abs(days)
    slack = f" ±{margin}" if margin else ""
    length = _rounded(size, margin)
    exact = counted(size, "day")
    return (
        f"{sign}{length}" if length == exact and not slack else f"{sign}{length} ({exact}{slack})"
    )


def short_signed_days(days: int, margin: int = 0) -> str:
    """A move for a table cell: "+45 days", "+4 months", "+2.0 years".

    A move between months is given in months, as its days are not known.
    """
    return f"{'-' if days < 0 else '+'}{_rounded(abs(days), margin)}" if days else "0 days"


def _rounded(days: int, margin: int = 0) -> str:
    """A length in days, months or years; never finer than its margin."""
    if days >= _YEAR or margin >= _YEAR_MARGIN:
        return f"{days / 365.25:,.1f} years"
    if days >= _ROUNDED_FROM or margin >= _MONTH_MARGIN:
        return counted(max(1, round(days / 30.4375)), "month")
    return counted(days, "day")


def signed_percent(percent: float) -> str:
    """Write a change as "-62.4 %"; a round number has no decimals."""
    return f"{signed(percent)} %"


def shifted(shift: Shift) -> str:
    """How far a date moved."""
    if shift.precision_only:
        return "precision only, 0 days"
    return signed_days(shift.days, shift.margin)


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
