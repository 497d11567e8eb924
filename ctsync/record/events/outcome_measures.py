"""Events of the outcome measures.

Each change of an outcome is one of: added, dropped, replaced (one dropped and another added in
its place), promoted (from secondary or other to primary, or from other to secondary), demoted
(the other direction), measure edited, time frame edited, description edited, reordered, cosmetic.
If the list has the outcome more than once, the change of one entry is one of: time frame added,
time frame dropped, duplicate added, duplicate removed. Changes of a primary outcome get a higher
level once the trial has started.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ctsync.dates import PartialDate
from ctsync.model import MISSING, Event, FieldChange, Record
from ctsync.record.compare.align import ALIKE, likeness
from ctsync.record.compare.diff import is_order
from ctsync.record.compare.text_diff import is_cosmetic
from ctsync.record.events.base import VersionStep, absent_as_none, make_event
from ctsync.record.events.edit_text import edit_summary, is_quoted_in_full
from ctsync.record.events.item_names import NAME_WIDTH, item_at
from ctsync.record.events.repeated_outcomes import (
    OutcomeEntries,
    RepeatedOutcome,
    Repetition,
    comparable_measure,
    full_name,
    item_of,
    measure_name,
    measure_of,
    repetitions,
)
from ctsync.record.fields.lookup import value_at
from ctsync.record.fields.table import field_at
from ctsync.record.value_text import counted, duration, quoted

MODULE = "protocolSection.outcomesModule"
_LISTS = {
    f"{MODULE}.primaryOutcomes": "primary",
    f"{MODULE}.secondaryOutcomes": "secondary",
    f"{MODULE}.otherOutcomes": "other",
}
_WEIGHT = {"primary": 2, "secondary": 1, "other": 0}
_EDITS = {
    "measure": "measure edited",
    "timeFrame": "time frame edited",
    "description": "description edited",
}
_DUPLICATES = frozenset({"duplicate removed", "duplicate added"})
_MOST_COMPARISONS = 40_000
_NOT_STARTED = frozenset({"NOT_YET_RECRUITING", "WITHHELD", None})


class _Move(NamedTuple):
    """An outcome removed from one list and added to another."""

    gone: FieldChange
    come: FieldChange


class _Entries(NamedTuple):
    """The outcomes before and after a step, by the field of their list."""

    before: dict[str, OutcomeEntries]
    after: dict[str, OutcomeEntries]

    def name(self, outcome: Any, *fields: str, width: int = NAME_WIDTH * 2) -> str:
        """Return the measure, with its time frame if one of the lists has the measure twice."""
        lists = (side[field] for field in fields for side in self)
        is_repeated = any(len(entries.named_like(outcome)) > 1 for entries in lists)
        name = full_name if is_repeated else measure_name
        return name(outcome, width)


def _entries(record: Record) -> dict[str, OutcomeEntries]:
    lists = {field: value_at(record.body, field) for field in _LISTS}
    return {
        field: OutcomeEntries(entries if isinstance(entries, list) else ())
        for field, entries in lists.items()
    }


def outcome_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    """Yield the events of all outcome lists together, because an outcome may change its list."""
    entries = _Entries(_entries(step.before), _entries(step.after))
    gone = [c for c in changes if _is_item(c) and c.after is MISSING]
    come = [c for c in changes if _is_item(c) and c.before is MISSING]
    repeated = repetitions(gone, entries.after) | repetitions(come, entries.before)
    kept = {key for key, found in repeated.items() if found.likeness.is_duplicate}
    moved = _between_lists([c for c in gone if id(c) not in kept], come)
    for move in moved:
        yield _moved(move, step, entries, repeated.get(id(move.gone)))
    reported = {id(change) for move in moved for change in move}
    for change in (*gone, *come):
        if id(change) in repeated and id(change) not in reported:
            reported.add(id(change))
            yield _repeated(change, repeated[id(change)], step)
    for field in _LISTS:
        old, new = (
            [c for c in side if c.field == field and id(c) not in reported] for side in (gone, come)
        )
        yield from _come_and_gone(old, new, step, entries)
    for change in changes:
        if is_order(change):
            yield _reordered(change, step)
        elif not (_is_item(change) and MISSING in (change.before, change.after)):
            yield _edited(change, step, entries)


def _is_item(change: FieldChange) -> bool:
    return change.field in _LISTS and isinstance(change.steps[-1], int)


def _rank(change: FieldChange) -> str:
    return next((rank for path, rank in _LISTS.items() if change.field.startswith(path)), "other")


def _equality(before: str, after: str) -> float:
    return 100.0 if before == after else 0.0


def _between_lists(gone: list[FieldChange], come: list[FieldChange]) -> list[_Move]:
    """Pair outcomes removed from one list and added to another by similar measures, best first."""
    old_texts = [comparable_measure(change.before) for change in gone]
    new_texts = [comparable_measure(change.after) for change in come]
    # comparing this many pairs would take too long: only equal texts count as similar
    like = likeness if len(gone) * len(come) <= _MOST_COMPARISONS else _equality
    scored = [
        (-alike, abs(i - j), i + j, i, j)
        for i, old in enumerate(gone)
        for j, new in enumerate(come)
        if old.field != new.field and old_texts[i] and new_texts[j]
        if (alike := like(old_texts[i], new_texts[j])) >= ALIKE
    ]
    taken: tuple[set[int], set[int]] = (set(), set())
    moves = []
    for *_, i, j in sorted(scored):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            moves.append(_Move(gone[i], come[j]))
    return moves


def _timing(step: VersionStep) -> dict[str, Any]:
    """Return the change's timing: days after first recorded start and completion, after results."""
    keys = (*step.past, step.new)
    day = step.day
    starts = [d for key in keys if (d := PartialDate.parse(key.start_date))]
    ends = [d for key in keys if (d := PartialDate.parse(key.primary_completion_date))]
    start, end = starts[0] if starts else None, ends[0] if ends else None
    after_start = (day - start.first).days if day and start else None
    posted = PartialDate.parse(step.new.results_first_posted)
    started = after_start >= 0 if after_start is not None else step.old.status not in _NOT_STARTED
    return {
        "started": started,
        "days_after_start": after_start,
        "days_after_primary_completion": (day - end.last).days if day and end else None,
        "days_after_results": (day - posted.last).days if day and posted else None,
    }


def _when(timing: dict[str, Any]) -> str:
    after_end, after_start = timing["days_after_primary_completion"], timing["days_after_start"]
    if after_end is not None and after_end > 0:
        return f"{duration(after_end)} after primary completion"
    if after_start is not None and after_start >= 0:
        return f"{duration(after_start)} after the start"
    return ""


def _outcome_event(
    step: VersionStep,
    covered: list[FieldChange],
    *,
    what: str,
    summary: str,
    change: FieldChange | None = None,
    before: Any = MISSING,
    after: Any = MISSING,
    **more: Any,
) -> Event:
    change = change or covered[0]
    rank = _rank(change)
    timing = _timing(step)
    nature = {"cosmetic": "cosmetic", "reordered": "order"}.get(what, "change")
    is_dated = rank == "primary" and nature == "change" and what not in _DUPLICATES
    when = _when(timing) if is_dated else ""
    return make_event(
        step,
        field_at(change.field),
        covered,
        f"{summary}, {when}" if when else summary,
        path=change.path,
        before=before,
        after=after,
        inputs={"nature": nature, "change": what, "rank": rank, **timing, **more},
    )


def _moved(
    move: _Move, step: VersionStep, entries: _Entries, repeated: RepeatedOutcome | None
) -> Event:
    old, new = _rank(move.gone), _rank(move.come)
    what = "promoted" if _WEIGHT[new] > _WEIGHT[old] else "demoted"
    heavier = move.come if what == "promoted" else move.gone
    measures = measure_of(move.gone.before), measure_of(move.come.after)
    change = measures[0] != measures[1] and not is_cosmetic(*measures)
    name = entries.name(move.gone.before, move.gone.field, move.come.field)
    new_name = f", now {quoted(measures[1])}" if change else ""
    is_left = repeated and repeated.likeness is Repetition.OTHER_TIME_FRAME
    left = f" (it remains {old} {repeated.time_frames})" if repeated and is_left else ""
    return _outcome_event(
        step,
        [move.gone, move.come],
        what=what,
        summary=f"{new.capitalize()} outcome {name}: {what} from {old} to {new}{new_name}{left}",
        change=heavier,
        before=move.gone.before,
        after=move.come.after,
        from_rank=old,
        to_rank=new,
    )


def _repeated(change: FieldChange, repeated: RepeatedOutcome, step: VersionStep) -> Event:
    """Return the event of one of several entries of an outcome, dropped or added."""
    is_gone = change.after is MISSING
    stays = "remains" if is_gone else "was listed before"
    if repeated.likeness.is_duplicate:
        what = "duplicate removed" if is_gone else "duplicate added"
        is_identical = repeated.likeness is Repetition.IDENTICAL
        entry = "an identical entry" if is_identical else "an entry with this measure"
        changed = "was removed too" if is_gone else "was added too"
        rest = f"{entry} {stays if repeated.is_left else changed}"
    else:
        what = "time frame dropped" if is_gone else "time frame added"
        rest = f"it {stays} {repeated.time_frames}"
    label, name = field_at(change.field).label, full_name(item_of(change))
    return _outcome_event(
        step,
        [change],
        what=what,
        summary=f"{label} {what}: {name} ({rest})",
        before=change.before,
        after=change.after,
        repeats=repeated.likeness.value,
    )


def _come_and_gone(
    gone: list[FieldChange], come: list[FieldChange], step: VersionStep, entries: _Entries
) -> Iterator[Event]:
    """Yield the events of one list: pairs in list order are replaced, the rest dropped or added."""
    replaced = list(zip(gone, come, strict=False))
    for old, new in replaced:
        yield _outcome_event(
            step,
            [old, new],
            what="replaced",
            summary=f"{field_at(old.field).label} replaced: "
            f"{entries.name(old.before, old.field)} -> {entries.name(new.after, new.field)}",
            before=old.before,
            after=new.after,
        )
    for old in gone[len(replaced) :]:
        yield _outcome_event(
            step,
            [old],
            what="dropped",
            summary=f"{field_at(old.field).label} dropped: {entries.name(old.before, old.field)}"
            f"{_remaining(old, entries)}",
            before=old.before,
        )
    for new in come[len(replaced) :]:
        yield _outcome_event(
            step,
            [new],
            what="added",
            summary=f"{field_at(new.field).label} added: {entries.name(new.after, new.field)}",
            after=new.after,
        )


def _remaining(change: FieldChange, entries: _Entries) -> str:
    """Return where else the measure of a dropped outcome is still listed."""
    outcome = change.before
    namesakes = len(entries.after[change.field].named_like(outcome))
    if namesakes:
        described = quoted(outcome.get("description"), NAME_WIDTH)
        others = counted(namesakes, "other entry", "other entries")
        return f" described as {described} ({others} with this measure listed)"
    ranks = [
        rank
        for field, rank in _LISTS.items()
        if field != change.field and entries.after[field].named_like(outcome)
    ]
    return f" (the measure is still listed as {' and as '.join(ranks)})" if ranks else ""


def _edited(change: FieldChange, step: VersionStep, entries: _Entries) -> Event:
    reported = field_at(change.field)
    leaf = change.field.rpartition(".")[2]
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    what = "cosmetic" if is_cosmetic(before, after) else _EDITS.get(leaf, "edited")
    name = _edited_name(change, step, entries)
    text, counts = edit_summary(before, after)
    return _outcome_event(
        step,
        [change],
        what=what,
        summary=f"{reported.label}{f' of {name}' if name else ''}{text}",
        before=before,
        after=after,
        **counts,
    )


def _edited_name(change: FieldChange, step: VersionStep, entries: _Entries) -> str:
    """Return the name of the outcome that was edited; empty if the edit itself shows it."""
    field, _, leaf = change.field.rpartition(".")
    outcome = item_at(change, step.before)
    if field not in _LISTS or outcome is None:
        # without an outcome: one object where the registry should send a list
        return quoted(change.item, NAME_WIDTH) if change.item else ""
    if leaf == "timeFrame":
        return measure_name(outcome, NAME_WIDTH)
    if leaf != "measure":
        return entries.name(outcome, field, width=NAME_WIDTH)
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    is_text = isinstance(before, str) and isinstance(after, str)
    is_shown = not is_text or is_quoted_in_full(before, after)
    return "" if is_shown else quoted(before, NAME_WIDTH)


def _reordered(change: FieldChange, step: VersionStep) -> Event:
    label = field_at(change.field).label
    return _outcome_event(
        step,
        [change],
        what="reordered",
        summary=f"{label}s: only the order changed",
        before=change.before,
        after=change.after,
    )
