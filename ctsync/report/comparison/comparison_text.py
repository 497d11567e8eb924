"""A comparison as plain text with styles. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ctsync.model import Level
from ctsync.record.value_text import counted
from ctsync.report.comparison.entries import ComparisonEntry, Section
from ctsync.report.comparison.reading import ComparisonReading, others_in, overview
from ctsync.report.comparison.shown_change import ShownChange, shortened
from ctsync.report.comparison.site_groups import SiteGroup
from ctsync.report.comparison.site_table import site_table
from ctsync.report.comparison.styled_lines import Line, Span, Style, wrap_spans
from ctsync.report.report import TextMark, TextPiece

MOST_NAMES = 6
"""Most sites of a group whose names a short reading shows."""
MOST_COUNTRIES = 12
"""Most countries of a group that a short reading lists."""
LONGEST = 320
"""Most characters of a value in a short reading."""
_LEVEL, _CATEGORY = 9, 24
_INDENT = " " * (_LEVEL + 3)
_SITES = f"{_INDENT}  "
_MARKS = {
    TextMark.KEPT: ("{}", Style.PLAIN),
    TextMark.CUT: ("{}", Style.SOFT),
    TextMark.REMOVED: ("[-{}-]", Style.REMOVED),
    TextMark.ADDED: ("{{+{}+}}", Style.ADDED),
}
_LEVELS = {
    Level.CRITICAL: ("critical", Style.CRITICAL),
    Level.NOTABLE: ("notable", Style.NOTABLE),
    Level.ROUTINE: ("routine", Style.PLAIN),
    Level.ADMINISTRATIVE: ("admin", Style.SOFT),
}


def comparison_lines(reading: ComparisonReading, width: int) -> Iterator[Line]:
    """Write a comparison as lines of at most `width` columns; a longer word is not broken."""
    yield from _top(reading, width)
    if reading.has_overview:
        yield ()
        yield from _overview(reading, width)
    for section in reading.sections:
        yield ()
        yield from _section(section, reading, width)
    if reading.hidden:
        yield ()
        text = f"{reading.hidden} Show all changes, in full:"
        yield from wrap_spans([Span(text, Style.SOFT)], width)
        # on its own line, so that it can be copied
        yield (Span(f"  {reading.command}"),)


def _top(reading: ComparisonReading, width: int) -> Iterator[Line]:
    head = f"{reading.trial}  "
    title = [Span(head, Style.HEADING), Span(reading.title, Style.HEADING)]
    yield from wrap_spans(title, width, rest=" " * len(head))
    if reading.about:
        yield from wrap_spans([Span(reading.about)], width)
    yield from wrap_spans([Span(reading.versions)], width)
    if reading.comparison.note:
        yield from wrap_spans([Span(reading.comparison.note)], width)
    yield from wrap_spans([Span(reading.verdict, Style.HEADING)], width)


def _overview(reading: ComparisonReading, width: int) -> Iterator[Line]:
    columns = f"{'LEVEL':<{_LEVEL}} {'CATEGORY':<{_CATEGORY}} WORST CHANGES"
    yield (Span(columns, Style.SOFT),)
    for section, words in overview(reading):
        name, style = _LEVELS[section.level]
        title = Span(f"{section.title:<{_CATEGORY}} ")
        rest = " " * (_LEVEL + _CATEGORY + 2)
        lines = wrap_spans([Span(words)], width, first=rest, rest=rest)
        first, *others = lines
        yield (Span(f"{name:<{_LEVEL}} ", style), title, *first[1:])
        yield from others


def _section(section: Section, reading: ComparisonReading, width: int) -> Iterator[Line]:
    yield (Span(section.title.upper(), Style.HEADING),)
    for entry in section.entries:
        name, style = _LEVELS[entry.level]
        first, *others = _entry(entry, reading, width)
        yield (Span(f"  {name:<{_LEVEL}} ", style), *first[1:])
        yield from others


def _entry(entry: ComparisonEntry, reading: ComparisonReading, width: int) -> Iterator[Line]:
    """Write an entry, each line with the indent of its level."""
    is_full = reading.is_full

    def wrapped(spans: Iterable[Span], more: str = "", *, first: str = "") -> Iterator[Line]:
        return wrap_spans(
            spans, width, first=_INDENT + first, rest=_INDENT + (more or " " * len(first))
        )

    note = [Span(f"; {entry.note}", Style.LABEL)] if entry.note else []
    if len(entry.values) == 1 and not entry.summary:
        only = _value(entry.values[0], entry.label, is_full=is_full)
        yield from wrapped([*only, *note], "  ")
    else:
        head = [Span(f"{entry.label}:", Style.LABEL), Span(f" {entry.summary}"), *note]
        yield from wrapped(head, "  ")
        for value in entry.values:
            yield from wrapped(_value(value, value.label, is_full=is_full), first="- ")
    for value in entry.values:
        yield from _parts(value, width, is_full=is_full)
    if entry.also_of:
        same = Span(f"the same of {others_in(entry)}: ", Style.SOFT)
        yield from wrapped([same, Span("; ".join(entry.also_of))], "    ", first="  ")
    yield from _changed_sites(entry.sites, width, is_full=is_full)
    if is_full:
        for value in entry.others:
            yield from wrapped(_value(value, value.label, is_full=True), first="- ")
            yield from _parts(value, width, is_full=True)


def _value(value: ShownChange, label: str, *, is_full: bool) -> Iterator[Span]:
    """Write a change: its label, the item it belongs to, and both values or the edited text."""
    yield Span(label, Style.LABEL)
    if value.of:
        yield Span(f' of "{value.of if is_full else cut(value.of)}"')
    if value.is_order:
        yield Span(": only the order changed")
        if not is_full:
            return
    elif value.verb:
        yield Span(f" {value.verb}")
    yield Span(": ")
    if value.pieces:
        yield from _pieces(value.pieces if is_full else tuple(shortened(value.pieces)))
        return
    sides = [(value.before, TextMark.REMOVED), (value.after, TextMark.ADDED)]
    present = [(text, mark) for text, mark in sides if text is not None]
    is_pair = len(present) > 1
    is_long = is_pair and max(len(text) for text, _ in present) > LONGEST
    for n, (text, mark) in enumerate(present):
        if n:
            yield Span(" → ")
        words = value.title if value.title or value.parts else text
        words = words if is_full else cut(words)
        yield Span(words, _MARKS[mark][1] if is_long or not is_pair else Style.PLAIN)


def _parts(value: ShownChange, width: int, *, is_full: bool) -> Iterator[Line]:
    for part in value.parts:
        text = part.text if is_full else cut(part.text)
        spans = [Span(f"{part.label}: ", Style.SOFT), Span(text)]
        indent = f"{_INDENT}    "
        yield from wrap_spans(spans, width, first=indent, rest=f"{indent}  ")


def _pieces(pieces: Sequence[TextPiece]) -> Iterator[Span]:
    for piece in pieces:
        form, style = _MARKS[piece.mark]
        yield Span(form.format(piece.text), style)
        if not piece.is_glued:
            yield Span(" ")


def cut(text: str) -> str:
    """Shorten a long text after a word, with the number of words that are left out."""
    if len(text) <= LONGEST:
        return text
    shown = text[:LONGEST].rpartition(" ")[0] or text[:LONGEST]
    left = len(text[len(shown) :].split())
    return f"{shown} … ({counted(left, 'more word')}: --all)"


def _changed_sites(groups: Sequence[SiteGroup], width: int, *, is_full: bool) -> Iterator[Line]:
    """Write large groups as a table if they fit, and each other group as lines."""
    large = [] if is_full else [one for one in groups if one.count > MOST_NAMES]
    # the places of a single group fit in a line
    table = site_table(large, width=width - len(_SITES)) if len(large) > 1 else ()
    yield from ((Span(_SITES), *line) for line in table)
    for group in groups:
        if not (table and group in large):
            for spans in _sites(group, is_full=is_full):
                yield from wrap_spans(spans, width, first=_SITES, rest=f"{_INDENT}    ")


def _sites(group: SiteGroup, *, is_full: bool) -> Iterator[list[Span]]:
    head = Span(f"{group.count:,} {group.what}: ", Style.LABEL)
    if is_full:
        yield [head]
        for one in group.countries:
            title = Span(f"{one.country} ({len(one.names):,}): ", Style.SOFT)
            yield [title, Span("; ".join(one.names))]
    elif group.count <= MOST_NAMES:
        named = (f"{name}, {one.country}" for one in group.countries for name in one.names)
        yield [head, Span("; ".join(named))]
    else:
        yield [head, Span(in_countries(group))]


def in_countries(group: SiteGroup) -> str:
    """Return how many sites of a group each of the first countries has, and all others."""
    shown = group.countries[:MOST_COUNTRIES]
    more = sum(len(one.names) for one in group.countries[MOST_COUNTRIES:])
    counts = [f"{one.country} {len(one.names):,}" for one in shown]
    rest = [f"{counted(more, 'more site')} elsewhere (--all)"] if more else []
    return ", ".join([*counts, *rest])
