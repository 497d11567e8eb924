"""What a report over a window needs, read from the store; formats nothing, writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ctsync.errors import UsageError
from ctsync.model import MISSING, KeyFields, Kind, Level, NctId, Record, StoredEvent, Version
from ctsync.questions.changes.coverage import coverage_of
from ctsync.questions.trial.stored_records import aligned, stored_record
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.fields.lookup import find_path, value_at
from ctsync.record.history_form.normalize import form_of, may_lack, readable
from ctsync.record.registry.notices import Notice, read_notices
from ctsync.record.rules.relevel import relevel_stored
from ctsync.report.build import Scope, build
from ctsync.report.report import Report, Window
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.field_history import Unshown, ValueSpell, course_of
from ctsync.report.trial.timeline import Timeline, query_steps, trace
from ctsync.store.data.events import EventFilter
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store


def review(
    store: Store,
    *,
    window: Window,
    title: str = "all watches",
    watch: str | None = None,
    ids: Sequence[NctId] = (),
    limit: int | None = None,
    drawn: bool = True,
) -> Report:
    """Report what happened in `window` to the trials watched, or to those of one watch or `ids`.

    The denominators are of the newest run: how many trials it could check, and why not. What is
    not to be `drawn` needs no timelines.
    """
    followed = TrialSelection(tuple(ids), watch)
    events, _ = events_told(
        store,
        EventFilter(nct_ids=tuple(ids), since=window.since, until=window.until, watch=watch),
    )
    notices = _notices(store, window)
    if watch is not None or ids:
        notices = tuple(one for one in notices if any(one.covers(stored) for stored in events))
    changed = sorted({stored.nct_id for stored in events})
    coverage = coverage_of(store, followed)
    scope = Scope(
        title=title,
        watched=coverage.watched if coverage else store.watched.count(followed),
        coverage=coverage,
        keys=_last_keys(store, changed),
        timelines={
            nct_id: trace(versions, stands_from(versions), until=window.until.date())
            for nct_id, versions in store.versions.of_many(changed if drawn else ()).items()
        },
        limit=limit,
        notices=notices,
    )
    return build(events, window=window, scope=scope)


def _last_keys(store: Store, ids: Sequence[NctId]) -> dict[NctId, KeyFields]:
    """The key fields of each trial as its newest version with a record has them."""
    found = store.versions.newest_keys(ids)
    away = store.versions.of_many([nct_id for nct_id in ids if nct_id not in found])
    for versions in away.values():
        found |= {version.nct_id: version.key for version in versions if version.digest}
    return found


def events_told(store: Store, wanted: EventFilter) -> tuple[list[StoredEvent], int]:
    """The events asked for, oldest first, and how many there are whatever the limit.

    Each is at the level its reader is told: the one it is stored with, or where `wanted` names
    a watch with thresholds of its own, the one these give.
    """
    own = store.watches.own_thresholds().get(wanted.watch) if wanted.watch else None
    if own is None:
        events = store.events.find(wanted)
        return events, store.events.count(wanted) if wanted.limit else len(events)
    minimum = wanted.minimum_level or Level.ADMINISTRATIVE
    of_any_level = replace(wanted, minimum_level=None)
    told = [
        stored
        for stored in (relevel_stored(one, own) for one in store.events.each(of_any_level))
        if stored.event.level.reaches(minimum)
    ]
    return told[-wanted.limit :] if wanted.limit else told, len(told)


def _notices(store: Store, window: Window) -> tuple[Notice, ...]:
    """What the runs over the window's loads told as a whole."""
    runs = store.runs.with_notices(since=window.since, until=window.until)
    return tuple(notice for run in runs for notice in read_notices(run.notices))


def timeline_of(store: Store, nct_id: NctId, *, until: datetime) -> Timeline:
    """The course of one stored trial up to a moment, and the queries it entered and left."""
    versions = store.versions.of(nct_id)
    drawn = trace(versions, stands_from(versions), until=until.date())
    moves = store.events.find(EventFilter(nct_ids=(nct_id,), kinds=(Kind.ENTERED, Kind.LEFT)))
    return replace(drawn, queries=query_steps(moves))


def story_of(store: Store, nct_id: NctId, *, until: datetime) -> TrialContent:
    """All that is stored of one trial up to now; raises ValueError where nothing is."""
    versions = store.versions.of(nct_id)
    told = [
        stored
        for stored in store.events.find(EventFilter(nct_ids=(nct_id,)))
        if stored.event.kind is not Kind.FIRST_SEEN  # a baseline is no change
    ]
    return TrialContent(versions, told, trace(versions, stands_from(versions), until=until.date()))


def course_of_field(
    store: Store, versions: Sequence[Version], name: str, *, until: datetime
) -> tuple[str, list[ValueSpell]]:
    """The path that `name` means, and every value it had in a trial's versions, oldest first.

    A path that no table declares does as well, where a version has it. Raises UsageError as
    `find_path` does, and CorruptBody.
    """
    try:
        path = find_path(name)
    except UsageError:
        values = _values(store, versions, name)
        if all(value is MISSING or isinstance(value, Unshown) for value in values):
            raise
        path = name
    pairs = zip(versions, _values(store, versions, path), strict=True)
    return path, course_of(pairs, stands_from(versions), until=until.date())


def _values(store: Store, versions: Sequence[Version], path: str) -> Iterator[Any]:
    """What each version has at a path; what differs from the one before in form alone is the same.

    One record is held at a time, and the one before it.
    """
    before: tuple[Version, Record, Any] | None = None
    for version in versions:
        if version.digest is None:
            yield MISSING
            continue
        record = stored_record(store, version)
        form = form_of(version.source)
        value = value_at(readable(record, form).body, path)
        if value is MISSING and may_lack(form, path):
            yield Unshown.NOT_CARRIED
            continue
        if before is not None and form_of(before[0].source) is not form:
            old, new = aligned(before[0], before[1], version, record)
            is_known = value is not MISSING and before[2] is not MISSING
            if is_known and value_at(old.body, path) == value_at(new.body, path):
                value = before[2]
        before = (version, record, value)
        yield value


def followed_trials(store: Store, *, watch: str | None = None) -> Sequence[NctId]:
    """The trials followed, by one watch or any, of which something is stored."""
    followed = store.watched.ids(TrialSelection(watch=watch))
    stored = store.trials.heads(followed)
    return [nct_id for nct_id in followed if nct_id in stored]
