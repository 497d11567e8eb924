"""Two versions of a trial compared field by field. Writes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from ctsync.dates import PartialDate
from ctsync.errors import UnknownVersion, UsageError
from ctsync.model import (
    MISSING,
    Category,
    Event,
    FieldChange,
    Kind,
    Level,
    NctId,
    Record,
    Version,
)
from ctsync.questions.trial.stored_records import (
    aligned,
    pair_of,
    stored_record,
    stored_versions,
)
from ctsync.questions.trial.unfetched_versions import (
    between,
    course_points,
    gap_note,
    record_note,
    since_version,
)
from ctsync.questions.trial.version_dates import (
    NotKnown,
    find_version,
    stands_from,
    version_days,
    version_on,
)
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.record.fields.table import field_at
from ctsync.record.rules.rules import Thresholds
from ctsync.report.comparison.comparison import ChangeSelection, Comparison
from ctsync.store.store import Store

_NUMBER = re.compile(r"-?\d{1,6}", re.ASCII)
_REGISTRY_NUMBER = re.compile(r"v(\d{1,6})", re.ASCII | re.IGNORECASE)
_NAMES = {"first": "1", "oldest": "1", "previous": "-2", "last": "-1", "newest": "-1"}


@dataclass(frozen=True, slots=True)
class FieldChangeRow:
    """One field that differs between two versions of a record."""

    path: str
    """The place in the record; an item of a list is named in brackets."""
    field: str
    """The same place without the names of items."""
    label: str
    """The name of the field; the place again if ctsync does not know the field."""
    item: str | None
    """The list item that the value belongs to, or that was added or removed; null if none."""
    category: Category
    """The part of the record that the change is reported under."""
    kind: Kind
    """The kind of the event that reports the change."""
    level: Level
    """How much the change matters, by the rule table."""
    rule: str
    """The rule that gave the level."""
    summary: str
    """The event that reports the change, in words; it may report several changes."""
    days: int | None
    """Days that a date moved, positive if it is now later; null if it is not a date."""
    percent: float | None
    """Percent by which a count changed; null if it is not a count."""
    added: bool
    """True if the older version has no such value."""
    removed: bool
    """True if the newer version has no such value."""
    before: Any
    """The value in the older version; null if it has none."""
    after: Any
    """The value in the newer version; null if it has none."""


def field_change_row(change: FieldChange, event: Event) -> FieldChangeRow:
    """Return the row of a field change; `event` reports it."""
    return FieldChangeRow(
        path=change.path,
        field=change.field,
        label=field_at(change.field).label,
        item=change.item,
        category=event.category,
        kind=event.kind,
        level=event.level,
        rule=event.rule,
        summary=event.summary,
        days=event.days,
        percent=event.percent,
        added=change.before is MISSING,
        removed=change.after is MISSING,
        before=change.before,
        after=change.after,
    )


@dataclass(frozen=True, slots=True)
class CompareQuestion:
    """The two versions of a trial to compare; without them, the last two.

    A version is a number ("3", "-1"), the registry's number ("v2"), a day ("2020-01-01", "2020-01")
    or "first", "previous" or "last". `pasted` holds the registry's numbers from the URL of a
    page, if there was one; they are used if both versions are stored. `thresholds` are used by the
    rule table.
    """

    nct_id: NctId
    older: str | None = None
    newer: str | None = None
    pasted: tuple[int, int] | None = None
    thresholds: Thresholds | None = None


def compare_versions(store: Store, question: CompareQuestion) -> Comparison:
    """Compare two stored versions.

    Raises UnknownTrial, UnknownVersion, CorruptBody, and UsageError for a text that does not name
    a version.
    """
    versions = stored_versions(store, question.nct_id)
    if question.older is None and len(versions) < 2:
        raise UnknownVersion(f"only one version of {question.nct_id} is stored: nothing to compare")
    pair, note = _pair(versions, question)
    records = pair_of(store, *pair)
    notes = [note, *_notes_of_unfetched(store, versions, pair, question)]
    note = "; ".join(one for one in notes if one)
    return _compared(versions, pair, records, note=note, thresholds=question.thresholds)


def _notes_of_unfetched(
    store: Store,
    versions: Sequence[Version],
    pair: tuple[Version, Version],
    question: CompareQuestion,
) -> Iterator[str]:
    """Yield what may differ because versions are listed and not fetched; some may be empty."""
    nct_id = question.nct_id
    points = course_points(versions, store.listed.unfetched(nct_id))
    for version, text in zip(pair, _split(question.older, question.newer), strict=True):
        if day := _day_of(text or ""):
            yield record_note(nct_id, since_version(points, version, day), day)
    yield gap_note(nct_id, between(points, *pair))


def site_comparisons(
    store: Store, nct_id: NctId, *, thresholds: Thresholds | None = None
) -> Iterator[Comparison]:
    """Compare each version of a trial with the one before, then the first with the last.

    Holds at most three records at a time. Raises UnknownTrial and CorruptBody.
    """
    versions = stored_versions(store, nct_id)
    known = [one for one in versions if one.digest is not None]
    if len(known) < 2:
        return
    points = course_points(versions, store.listed.unfetched(nct_id))
    first = before = stored_record(store, known[0])
    for older, newer in pairwise(known):
        after = stored_record(store, newer)
        records = aligned(older, before, newer, after)
        note = gap_note(nct_id, between(points, older, newer))
        yield _compared(versions, (older, newer), records, note=note, thresholds=thresholds)
        before = after
    if len(known) > 2:
        ends = known[0], known[-1]
        records = aligned(ends[0], first, ends[1], before)
        note = gap_note(nct_id, between(points, *ends))
        yield _compared(versions, ends, records, note=note, thresholds=thresholds)


def _compared(
    versions: Sequence[Version],
    pair: tuple[Version, Version],
    records: tuple[Record, Record],
    *,
    note: str = "",
    thresholds: Thresholds | None = None,
) -> Comparison:
    before, after = pair
    old, new = records
    changes = tuple(diff(old, new))
    known = version_days(versions)
    since = {one.number: one.since for one in known}
    past = _past(versions, before, after)
    events = classify(
        changes,
        old,
        new,
        past=[version.key for version in past],
        stood_from=stands_from([*past, after]) if past else (),
        registry_versions=[one.registry_version for one in (*past, after)] if past else (),
        thresholds=thresholds,
    )
    return Comparison(
        before=before,
        after=after,
        since=(since[before.version], since[after.version]),
        changes=changes,
        events=tuple(events),
        note=note,
        newer=new,
        versions=known,
    )


def comparison_rows(
    comparison: Comparison, selection: ChangeSelection | None = None
) -> tuple[FieldChangeRow, ...]:
    """Return the fields that differ as rows, in the order of the record.

    `selection` narrows them by the level and category of their events.
    """
    event_of = {path: event for event in comparison.events for path in event.covers}
    return tuple(
        field_change_row(change, event_of[change.path])
        for change in comparison.changes
        if selection is None or selection.has(event_of[change.path])
    )


def _past(versions: Sequence[Version], before: Version, after: Version) -> list[Version]:
    """Return the versions up to the older one; none if the newer one precedes it."""
    if after.version < before.version:
        return []
    return [one for one in versions if one.version <= before.version and one.digest is not None]


def _pair(
    versions: Sequence[Version], question: CompareQuestion
) -> tuple[tuple[Version, Version], str]:
    """Return the two versions, and why they are not the ones of a pasted URL."""
    if question.pasted is None or question.older is not None:
        older, newer = _split(question.older, question.newer)
        return (_pick(versions, older or "-2"), _pick(versions, newer or "-1")), ""
    stored = {one.registry_version: one for one in versions}
    found = [stored.get(number) for number in question.pasted]
    if found[0] and found[1]:
        return (found[0], found[1]), ""
    missing = [
        str(number + 1) for number, one in zip(question.pasted, found, strict=True) if one is None
    ]
    name = f"Version {missing[0]}" if len(missing) == 1 else f"Versions {' and '.join(missing)}"
    verb = "is" if len(missing) == 1 else "are"
    note = (
        f"{name} of the pasted page {verb} not stored; these are the last two stored versions. "
        f"To store the registry history: ctsync backfill {question.nct_id}"
    )
    return (_pick(versions, "-2"), _pick(versions, "-1")), note


def _split(older: str | None, newer: str | None) -> tuple[str | None, str | None]:
    """Split "1..4" into two versions."""
    if older and newer is None and ".." in older:
        first, _, last = older.partition("..")
        return first or None, last or None
    return older, newer


def _pick(versions: Sequence[Version], text: str) -> Version:
    text = _NAMES.get(text.lower(), text)
    if _NUMBER.fullmatch(text):
        return find_version(versions, int(text))
    if found := _REGISTRY_NUMBER.fullmatch(text):
        return _of_registry(versions, int(found[1]))
    day = _day_of(text)
    if day is None:
        raise UsageError(
            f"{text!r} is not a version: write its number (3, -1), the registry's number (v2) or a "
            "day (2020-01-01)"
        )
    return _on(versions, day)


def _day_of(text: str) -> date | None:
    """Return the day that names a version, or None if it is named otherwise."""
    if _NUMBER.fullmatch(text) or _REGISTRY_NUMBER.fullmatch(text):
        return None
    day = PartialDate.parse(text)
    return None if day is None else day.last


def _of_registry(versions: Sequence[Version], number: int) -> Version:
    for version in versions:
        if version.registry_version == number:
            return version
    nct_id = versions[0].nct_id
    raise UnknownVersion(
        f"version v{number} of the registry is not stored of {nct_id}; to store the registry "
        f"history: ctsync backfill {nct_id}"
    )


def _on(versions: Sequence[Version], day: date) -> Version:
    stood = version_on(versions, day)
    if isinstance(stood, Version):
        return stood
    nct_id = versions[0].nct_id
    more = (
        f"; to store earlier ones: ctsync backfill {nct_id}" if isinstance(stood, NotKnown) else ""
    )
    raise UnknownVersion(f"no version of {nct_id} is known for {day}{more}")


SCHEMAS = {"field_change": FieldChangeRow}
