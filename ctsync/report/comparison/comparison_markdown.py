"""A comparison as Markdown; remote text is shown literally. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctsync.report.comparison.comparison_text import MOST_NAMES, cut, in_countries
from ctsync.report.comparison.entries import ComparisonEntry
from ctsync.report.comparison.reading import ComparisonReading, others_in, overview
from ctsync.report.comparison.shown_change import ShownChange, shortened
from ctsync.report.comparison.site_groups import SiteGroup
from ctsync.report.formats.markdown import escaped
from ctsync.report.report import TextMark, TextPiece

_MARKS = {
    TextMark.KEPT: "{}",
    TextMark.CUT: "{}",
    TextMark.REMOVED: "~~{}~~",
    TextMark.ADDED: "**{}**",
}


def comparison_markdown(reading: ComparisonReading) -> str:
    """Write the comparison: an overview as a table, then one heading per category."""
    return "\n".join(_lines(reading)) + "\n"


def _lines(reading: ComparisonReading) -> Iterator[str]:
    yield f"# [{reading.trial}]({reading.url}) {escaped(reading.title)}"
    yield ""
    if reading.about:
        yield escaped(reading.about) + "  "
    compare = f" · [compare at the registry]({reading.compare_url})" if reading.compare_url else ""
    yield escaped(reading.versions) + compare
    if reading.comparison.note:
        yield ""
        yield escaped(reading.comparison.note)
    yield ""
    yield f"**{escaped(reading.verdict)}**"
    if reading.has_overview:
        yield ""
        yield "| Level | Category | Worst changes |"
        yield "|---|---|---|"
        for section, words in overview(reading):
            yield f"| {section.level.value} | {section.title} | {escaped(words)} |"
    for section in reading.sections:
        yield ""
        yield f"## {section.title}"
        yield ""
        for entry in section.entries:
            yield from _entry(entry, is_full=reading.is_full)
    if reading.hidden:
        yield ""
        yield f"{escaped(reading.hidden)} Show all changes, in full: `{reading.command}`"


def _entry(entry: ComparisonEntry, *, is_full: bool) -> Iterator[str]:
    level, note = f"*{entry.level.value}*", f"; {escaped(entry.note)}" if entry.note else ""
    if len(entry.values) == 1 and not entry.summary:
        yield f"- {level} {_value(entry.values[0], entry.label, is_full=is_full)}{note}"
    else:
        yield f"- {level} **{escaped(entry.label)}**: {escaped(entry.summary)}{note}"
        for value in entry.values:
            yield f"    - {_value(value, value.label, is_full=is_full)}"
    for value in entry.values:
        yield from _parts(value, is_full=is_full)
    if entry.also_of:
        yield f"    - the same of {others_in(entry)}: {escaped('; '.join(entry.also_of))}"
    for group in entry.sites:
        yield from _sites(group, is_full=is_full)
    for value in entry.others if is_full else ():
        yield f"    - {_value(value, value.label, is_full=True)}"
        yield from _parts(value, is_full=True)


def _value(value: ShownChange, label: str, *, is_full: bool) -> str:
    head = f"**{escaped(label)}**"
    if value.of:
        head += f' of "{escaped(value.of if is_full else cut(value.of))}"'
    if value.is_order:
        head += ": only the order changed"
        if not is_full:
            return head
    elif value.verb:
        head += f" {value.verb}"
    if value.pieces:
        return f"{head}: {_pieces(value.pieces if is_full else tuple(shortened(value.pieces)))}"
    if value.title or value.parts:
        return f"{head}: {escaped(value.title if is_full else cut(value.title))}"
    sides = [side for side in (value.before, value.after) if side is not None]
    return f"{head}: {' → '.join(escaped(side if is_full else cut(side)) for side in sides)}"


def _parts(value: ShownChange, *, is_full: bool) -> Iterator[str]:
    for part in value.parts:
        yield f"    - {escaped(part.label)}: {escaped(part.text if is_full else cut(part.text))}"


def _pieces(pieces: Sequence[TextPiece]) -> str:
    marked = (_MARKS[piece.mark].format(escaped(piece.text)) + piece.blank for piece in pieces)
    return "".join(marked).rstrip()


def _sites(group: SiteGroup, *, is_full: bool) -> Iterator[str]:
    head = f"    - {group.count:,} {escaped(group.what)}"
    if not is_full and group.count > MOST_NAMES:
        yield f"{head}: {escaped(in_countries(group))}"
        return
    yield head
    for one in group.countries:
        names = escaped("; ".join(one.names))
        yield f"        - {escaped(one.country)} ({len(one.names):,}): {names}"
