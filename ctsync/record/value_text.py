"""How values are written in the one-line summary of an event; pure, no I/O.

Remote text in a summary is one line, cut to a length that says what was cut, with controls and
turning marks shown as escapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from ctsync.dates import Shift
from ctsync.text import for_log, shorten

NOTHING = "(none)"

_WIDTH = 120
_NAMED_COUNTRIES = 3
_TITLES = (
    "measure", "label", "title", "name", "facility", "term", "citation", "filename", "url", "id",
    "pmid", "description", "type",
)  # fmt: skip


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
            title = next((value[key] for key in _TITLES if value.get(key)), None)
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
    """The same between quotes, where it is a text; nothing stays without."""
    shown = said(value, width)
    return shown if shown == NOTHING or not isinstance(value, str | dict) else f'"{shown}"'


def typed(value: Any, kind: str | None) -> str:
    """A date or a count with its type: "2014-05 (actual)"."""
    shown = said(value)
    return f"{shown} ({one_line(kind, 20).lower()})" if kind and shown != NOTHING else shown


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write "1 site" or "3,454 sites"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def ordinal(number: int) -> str:
    """Write 1st, 2nd, 3rd, 11th."""
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def signed(number: float) -> str:
    """A number with its sign; a whole one without decimals."""
    return f"{number:+,.1f}".removesuffix(".0")


def shifted(shift: Shift) -> str:
    """How far a date moved."""
    if shift.precision_only:
        return "precision only, 0 d"
    return f"{shift.days:+,} d" if shift.days else "0 d"


def by_country(countries: Iterable[str]) -> str:
    """How many of what is counted is where: "3 Poland, 1 Spain"; every one is accounted for."""
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
