"""The changes between two versions as entries, by category, worst first. Does no I/O."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ctsync.model import Category, Event, FieldChange, Kind, Level
from ctsync.record.events.lists import SITES
from ctsync.record.events.site_text import changes_of
from ctsync.record.fields.table import reporting_field
from ctsync.report.comparison.comparison import Comparison
from ctsync.report.comparison.shown_change import ShownChange, shown_change
from ctsync.report.comparison.site_groups import SiteGroup, site_groups
from ctsync.report.comparison.site_rows import SiteRow, site_rows
from ctsync.report.words.event_text import detail, is_measured, is_type, move, sides

_KIND_ORDER = {kind: position for position, kind in enumerate(Kind)}
_PERIOD = r"(?:[^,]|,(?=\d))+"
_WHEN = re.compile(
    rf", ((?:before the start|{_PERIOD} after (?:the start|primary completion))"
    rf"(?: and {_PERIOD} the results)?)\Z"
)
_TOO = re.compile(r"\((in \d[\d,]* (?:arm|intervention)s? too)\)\Z")
_SPELL = re.compile(
    r"(?:, )?(?:[a-z, ]+ for (?:at least )?[\d.,]+ (?:days?|months?|years?)(?: \([\d,]+ days?\))?"
    r"|recorded as [a-z, ]+ on \d{4}-\d\d-\d\d)\Z"
)
_STATUS_NOTE = re.compile(r"Status .+? -> [^:]+: (.+)", re.DOTALL)
_ITEM_NAMES = {
    "results-qc": "Results quality control",
    "ipd": "IPD sharing",
    "geo": "Site positions",
    "derived": "Derived by the registry",
    "unknown": "Unknown to ctsync",
    "arms": "Arms and interventions",
}


@dataclass(frozen=True, slots=True)
class ComparisonEntry:
    """One event between the two versions.

    `values` are always shown, `others` only in a full reading: together they are all field
    changes that the event reports. `summary` says what happened if no value does; `note` adds a
    figure, such as the time since the start. `of_type` is the event of the type of a date or count,
    which is a part of this entry. `sites` has the changed sites. `also_of` names further list
    items with exactly the same change.
    """

    event: Event
    level: Level
    label: str
    summary: str
    note: str
    values: tuple[ShownChange, ...]
    others: tuple[ShownChange, ...]
    sites: tuple[SiteGroup, ...] = ()
    of_type: Event | None = None
    also_of: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """The name of a link to the change; the same whenever the two versions are compared."""
        named = "\n".join((self.event.kind, self.event.path, *self.event.covers))
        return f"change-{hashlib.sha256(named.encode()).hexdigest()[:10]}"

    @property
    def site_rows(self) -> tuple[SiteRow, ...]:
        """The changed sites, one row each; empty for another entry."""
        return site_rows(changes_of(self.event)) if self.sites else ()

    @property
    def rules(self) -> str:
        """The rules that gave the level."""
        return ", ".join(dict.fromkeys(e.rule for e in (self.event, self.of_type) if e))


@dataclass(frozen=True, slots=True)
class Section:
    """The entries of one category, worst first."""

    category: Category
    entries: tuple[ComparisonEntry, ...]

    @property
    def level(self) -> Level:
        """The worst level."""
        return self.entries[0].level

    @property
    def title(self) -> str:
        """The name of the category."""
        return category_name(self.category)


def category_name(category: Category) -> str:
    """Return the name of a category for people."""
    return _ITEM_NAMES.get(category, category.capitalize())


def entries_of(comparison: Comparison) -> list[ComparisonEntry]:
    """Return all entries, worst first. Each field change is in exactly one of them."""
    types = {event.kind: event for event in comparison.events if is_type(event)}
    measured = {event.kind for event in comparison.events if is_measured(event)}
    found = [
        _entry(event, comparison, types.get(event.kind) if is_measured(event) else None)
        for event in comparison.events
        if not (is_type(event) and event.kind in measured)
    ]
    return sorted(found, key=_weight)


def sections_of(entries: Iterable[ComparisonEntry]) -> list[Section]:
    """Group entries by category; the category with the worst entry comes first."""
    found: dict[Category, list[ComparisonEntry]] = {}
    for entry in entries:
        found.setdefault(entry.event.category, []).append(entry)
    return [Section(category, tuple(group)) for category, group in found.items()]


def fold(entries: Iterable[ComparisonEntry]) -> list[ComparisonEntry]:
    """Fold the entries of list items that changed in exactly the same way into the first.

    A sponsor often moves the time frame of all outcomes at once.
    """
    found: dict[object, ComparisonEntry] = {}
    for entry in entries:
        key = _sameness(entry)
        first = found.get(key)
        names = (*first.also_of, entry.values[0].of) if first else ()
        found[key] = replace(first, also_of=names) if first else entry
    return list(found.values())


def _sameness(entry: ComparisonEntry) -> object:
    """Return a key that is equal for entries that can be folded."""
    values = entry.values
    if len(values) != 1 or entry.others or not values[0].of or values[0].verb:
        return id(entry)
    return entry.event.category, entry.level, entry.note, replace(values[0], of="")


def _weight(entry: ComparisonEntry) -> tuple[int, int, float, str]:
    event = entry.event
    size = abs(event.days or event.percent or 0)
    return entry.level.rank, _KIND_ORDER[event.kind], -size, event.path


def _entry(event: Event, comparison: Comparison, of_type: Event | None) -> ComparisonEntry:
    covered = comparison.covered(event)
    of_types = comparison.covered(of_type) if of_type else []
    shown = [shown_change(change) for change in covered]
    others = [shown_change(change) for change in of_types]
    level = min((e.level for e in (event, of_type) if e), key=lambda level: level.rank)
    if event.path == SITES:
        return _site_entry(event, tuple(shown))
    if is_measured(event):
        shown[0] = _with_types(shown[0], event)
    always = _shown_always(event, covered)
    return ComparisonEntry(
        event=event,
        level=level,
        label=shown[0].label if always == 1 else event.label,
        summary="" if always == 1 else _summary(event),
        note=", ".join(_notes(event, is_dated=comparison.is_one_step)),
        values=tuple(shown[:always]),
        others=(*shown[always:], *others),
        of_type=of_type,
    )


def _site_entry(event: Event, shown: tuple[ShownChange, ...]) -> ComparisonEntry:
    changes = changes_of(event)
    groups = site_groups(changes)
    total = f"{changes.before:,} → {changes.after:,}" if groups else _summary(event)
    return ComparisonEntry(event, event.level, event.label, total, "", (), shown, groups)


def _shown_always(event: Event, covered: Sequence[FieldChange]) -> int:
    """Return how many of an event's changes are always shown; the others follow from these."""
    if len(covered) == 1 or is_measured(event) or event.kind is Kind.ARM:
        return 1
    if event.kind is Kind.OUTCOME:
        return len(covered)
    reported = reporting_field(covered[0].field)
    is_list = reported.summed or not reported.known or event.kind is Kind.RESULTS
    return 0 if is_list else 1


def _with_types(shown: ShownChange, event: Event) -> ShownChange:
    before, after = sides(event)
    return ShownChange(
        label=shown.label,
        of=shown.of,
        before=None if shown.before is None else before,
        after=None if shown.after is None else after,
    )


def _summary(event: Event) -> str:
    return _WHEN.sub("", detail(event)).replace(" -> ", " → ")


def _notes(event: Event, *, is_dated: bool) -> Iterator[str]:
    """Yield the figures of an event.

    The time since the start, or the duration of a status, needs the day of the change. It would be
    wrong if other versions lie between the two.
    """
    if moved := move(event):
        yield moved
    if is_dated and (found := _WHEN.search(event.summary)):
        yield found[1]
    reason = event.inputs.get("reason")
    # the summary of an event with several values is shown, and has the reason
    if reason and len(event.covers) == 1 and f"({reason})" in event.summary:
        yield str(reason)
    if found := _TOO.search(event.summary):
        yield found[1]
    if event.kind is Kind.STATUS and (found := _STATUS_NOTE.match(event.summary)):
        note = found[1] if is_dated else _SPELL.sub("", found[1])
        if note:
            yield note
