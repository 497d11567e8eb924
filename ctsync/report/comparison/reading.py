"""The content and sentences of a comparison, the same in every format. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ctsync.model import STUDY_PAGE, Level, Version, compare_url
from ctsync.record.enum_words import enum_words, phase_words
from ctsync.record.value_text import counted, listed
from ctsync.report.comparison.comparison import ChangeSelection, Comparison
from ctsync.report.comparison.entries import (
    ComparisonEntry,
    Section,
    category_name,
    entries_of,
    fold,
    sections_of,
)
from ctsync.report.report import TextMark
from ctsync.report.words.event_text import is_measured, short

_SHORT_VALUE = 60
_MOST_SHORT = 2


@dataclass(frozen=True, slots=True)
class ComparisonReading:
    """A comparison as every format shows it: heading lines, and sections with entries.

    `hidden` says how many changes are left out, and `command` shows them; both are empty if
    there are none. `aside` has those of the selected categories, for a format that can fold them:
    `aside_title` counts these, and `elsewhere` those of other categories.
    """

    comparison: Comparison
    sections: tuple[Section, ...]
    aside: tuple[Section, ...]
    trial: str
    title: str
    about: str
    versions: str
    verdict: str
    hidden: str
    aside_title: str
    elsewhere: str
    command: str
    url: str
    compare_url: str
    is_full: bool

    @property
    def has_overview(self) -> bool:
        """Whether the sections are too long to be seen at once."""
        return len(self.sections) > 1 and sum(len(one.entries) for one in self.sections) > 4


def reading_of(comparison: Comparison, selection: ChangeSelection) -> ComparisonReading:
    """Select and order the changes of a comparison."""
    entries = entries_of(comparison)
    shown = [entry for entry in entries if _is_selected(entry, selection)]
    left_out = [entry for entry in entries if not _is_selected(entry, selection)]
    aside = [entry for entry in left_out if _has_category(entry, selection)]
    before, after = comparison.before, comparison.after
    key = after.key
    phase = phase_words(key.phases) if key.phases and key.phases != "NA" else ""
    status = enum_words(key.status) if key.status else ""
    return ComparisonReading(
        comparison=comparison,
        sections=tuple(sections_of(fold(shown))),
        aside=tuple(sections_of(fold(aside))),
        trial=after.nct_id,
        title=key.brief_title or "",
        about=" · ".join(part for part in (key.lead_sponsor or "", phase, status) if part),
        versions=f"From {_version(before, comparison.since[0])} "
        f"to {_version(after, comparison.since[1])}",
        verdict=_verdict(comparison, entries),
        hidden=_hidden(left_out),
        aside_title=_counted(aside) if aside else "",
        elsewhere=_hidden([entry for entry in left_out if not _has_category(entry, selection)]),
        command=_command(comparison) if left_out else "",
        url=STUDY_PAGE + after.nct_id,
        compare_url=_compare_url(before, after),
        is_full=selection.is_full,
    )


def _is_selected(entry: ComparisonEntry, selection: ChangeSelection) -> bool:
    return _has_category(entry, selection) and entry.level.reaches(selection.level)


def _has_category(entry: ComparisonEntry, selection: ChangeSelection) -> bool:
    return not selection.categories or entry.event.category in selection.categories


def _version(version: Version, since: date) -> str:
    known = version.registry_version
    number = "" if known is None else f"registry v{known}, "
    day = f"posted {version.posted}" if version.posted else f"in force since {since}"
    return f"version {version.version} ({number}{day})"


def _compare_url(before: Version, after: Version) -> str:
    numbers = before.registry_version, after.registry_version
    if numbers[0] is None or numbers[1] is None:
        return ""
    return compare_url(after.nct_id, numbers[0], numbers[1])


def _verdict(comparison: Comparison, entries: Sequence[ComparisonEntry]) -> str:
    if not entries:
        return "The two versions do not differ."
    counts = Counter(entry.level for entry in entries)
    categories = len({entry.event.category for entry in entries})
    levels = [level for level in Level if counts[level]]
    fields = counted(len(comparison.changes), "value")
    differ = "differs" if len(comparison.changes) == 1 else "differ"
    where = counted(categories, "category", "categories")
    if len(levels) == 1:
        changed = f"{counted(len(entries), f'{levels[0]} change')} in {where}"
    else:
        parts = listed([f"{counts[level]:,} {level}" for level in levels])
        changed = f"{counted(len(entries), 'change')} in {where}: {parts}"
    return f"{changed} ({fields} {differ})."


def _hidden(left_out: Sequence[ComparisonEntry]) -> str:
    if not left_out:
        return ""
    verb = "is" if len(left_out) == 1 else "are"
    return f"{_counted(left_out, f' {verb} not shown')}."


def _counted(entries: Sequence[ComparisonEntry], verb: str = "") -> str:
    levels = {entry.level for entry in entries}
    kind = "administrative change" if levels == {Level.ADMINISTRATIVE} else "change"
    names = dict.fromkeys(category_name(entry.event.category) for entry in entries)
    return f"{counted(len(entries), kind)}{verb} ({', '.join(names)})"


def _command(comparison: Comparison) -> str:
    before, after = comparison.before, comparison.after
    return f"ctsync diff {after.nct_id} {before.version} {after.version} --all"


def in_short(entry: ComparisonEntry) -> str:
    """Return an entry in one phrase for the overview."""
    others = f" (also of {others_in(entry)})" if entry.also_of else ""
    return _phrase(entry) + others


def others_in(entry: ComparisonEntry) -> str:
    """Return the number of further list items that changed in the same way."""
    return counted(len(entry.also_of), "other")


def _phrase(entry: ComparisonEntry) -> str:
    if len(entry.values) == 1 and entry.values[0].pieces:
        return _edited(entry)
    if entry.sites:
        groups = ", ".join(f"{group.count:,} {group.what}" for group in entry.sites)
        return f"Sites {entry.summary}: {groups}"
    if len(entry.values) != 1:
        return short(entry.event).replace(" -> ", " → ")
    value = entry.values[0]
    note = f"; {entry.note}" if entry.note else ""
    if value.title:
        return f"{entry.label} {value.verb}: {_cut(value.title)}{note}"
    sides = [side for side in (value.before, value.after) if side is not None]
    if value.is_order or sum(map(len, sides)) > _SHORT_VALUE:
        what = "reordered" if value.is_order else value.verb or "changed"
        return f"{entry.label} {what}{note}"
    verb = f" {value.verb}" if value.verb and not is_measured(entry.event) else ""
    return f"{entry.label}{verb}: {' → '.join(sides)}{note}"


def _cut(text: str) -> str:
    if len(text) <= _SHORT_VALUE:
        return text
    return f"{text[:_SHORT_VALUE].rpartition(' ')[0] or text[:_SHORT_VALUE]} …"


def _edited(entry: ComparisonEntry) -> str:
    """Return the edited words of a text if they are few, else their number."""
    edits = [piece for piece in entry.values[0].pieces if piece.mark is not TextMark.KEPT]
    if sum(len(piece.text) for piece in edits) <= _SHORT_VALUE:
        words = ", ".join(f'"{piece.text}" {piece.mark}' for piece in edits)
        return f"{entry.label}: {words}"
    removed, added = (
        sum(len(piece.text.split()) for piece in edits if piece.mark is mark)
        for mark in (TextMark.REMOVED, TextMark.ADDED)
    )
    return f"{entry.label} edited ({counted(removed, 'word')} removed, {added:,} added)"


def overview(reading: ComparisonReading) -> Iterator[tuple[Section, str]]:
    """Yield each section with its worst changes in short."""
    for section in reading.sections:
        worst = [entry for entry in section.entries if entry.level is section.level][:_MOST_SHORT]
        phrases = list(dict.fromkeys(in_short(entry) for entry in worst))
        more = sum(1 + len(entry.also_of) for entry in section.entries)
        more -= sum(1 + len(entry.also_of) for entry in worst)
        yield section, "; ".join(phrases) + (f"; {more} more" if more else "")
