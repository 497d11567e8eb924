"""Events of the outcome measures.

Each change of a secondary or other outcome is one of: added, dropped, replaced (one dropped and
another added in its place), promoted (from other to secondary), demoted (the other direction),
measure edited, time frame edited, description edited, reordered, cosmetic. If the list has the
outcome more than once, the change of one entry is one of: time frame added, time frame dropped,
duplicate added, duplicate removed. The changes of primary outcomes come from the comparison in
`ctsync.record.outcomes`; they get a higher level once the trial has started.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from ctsync.model import MISSING, Event, FieldChange
from ctsync.record.compare.align import ALIKE, likeness
from ctsync.record.compare.diff import is_order
from ctsync.record.compare.text_diff import is_cosmetic
from ctsync.record.events.base import VersionStep, absent_as_none
from ctsync.record.events.edit_text import edit_summary, is_quoted_in_full
from ctsync.record.events.item_names import NAME_WIDTH, item_at
from ctsync.record.events.outcomes.judged_outcomes import judged_outcomes
from ctsync.record.events.outcomes.outcome_event import (
    LISTS,
    PRIMARY,
    OutcomeLists,
    is_item,
    outcome_event,
    outcome_lists,
    rank_of,
)
from ctsync.record.events.outcomes.primary_outcomes import primary_event
from ctsync.record.events.outcomes.repeated_outcomes import (
    RepeatedOutcome,
    Repetition,
    comparable_measure,
    full_name,
    item_of,
    measure_name,
    measure_of,
    repetitions,
)
from ctsync.record.fields.table import field_at
from ctsync.record.outcomes import OutcomeLabel
from ctsync.record.value_text import quoted

_WEIGHT = {"primary": 2, "secondary": 1, "other": 0}
_EDITS = {
    "measure": "measure edited",
    "timeFrame": "time frame edited",
    "description": "description edited",
}
_LABELS = {
    "promoted": OutcomeLabel.PRIMARY_FROM_SECONDARY,
    "demoted": OutcomeLabel.PRIMARY_TO_SECONDARY,
    "time frame added": OutcomeLabel.ADDED_TIMING,
    "time frame dropped": OutcomeLabel.OMITTED_TIMING,
}
_MOST_COMPARISONS = 40_000


class _Move(NamedTuple):
    """An outcome removed from one list and added to another."""

    gone: FieldChange
    come: FieldChange


def outcome_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    """Yield the events of all outcome lists together, because an outcome may change its list."""
    lists = outcome_lists(step)
    gone = [c for c in changes if is_item(c) and c.after is MISSING]
    come = [c for c in changes if is_item(c) and c.before is MISSING]
    repeated = repetitions(gone, lists.after) | repetitions(come, lists.before)
    kept = {key for key, found in repeated.items() if found.likeness.is_duplicate}
    reported: set[int] = set()
    # entries of an outcome that its list has several times: the comparison does not see them
    old, new = ([c for c in side if id(c) not in kept] for side in (gone, come))
    for move in _between_lists(old, new, repeated):
        reported |= {id(change) for change in move}
        yield _moved(move, step, lists, repeated.get(id(move.gone)))
    for change in (*gone, *come):
        if id(change) in repeated and id(change) not in reported:
            reported.add(id(change))
            yield _repeated(change, repeated[id(change)], step)
    for judged in judged_outcomes(changes, step.before, step.after, reported=reported):
        reported |= {id(change) for change in judged.changes}
        yield primary_event(judged, step, lists)
    yield from _of_other_lists([c for c in changes if id(c) not in reported], step, lists)


def _of_other_lists(
    changes: list[FieldChange], step: VersionStep, lists: OutcomeLists
) -> Iterator[Event]:
    """Yield the events of secondary and other outcomes, and of what no list entry explains."""
    gone = [c for c in changes if is_item(c) and c.after is MISSING]
    come = [c for c in changes if is_item(c) and c.before is MISSING]
    moved = _between_lists(
        [c for c in gone if c.field != PRIMARY], [c for c in come if c.field != PRIMARY]
    )
    for move in moved:
        yield _moved(move, step, lists, None)
    reported = {id(change) for move in moved for change in move}
    for field in LISTS:
        old, new = (
            [c for c in side if c.field == field and id(c) not in reported] for side in (gone, come)
        )
        yield from _come_and_gone(old, new, step, lists)
    for change in changes:
        if is_order(change):
            yield _reordered(change, step)
        elif not (is_item(change) and MISSING in (change.before, change.after)):
            yield _edited(change, step, lists)


def _equality(before: str, after: str) -> float:
    return 100.0 if before == after else 0.0


def _between_lists(
    gone: list[FieldChange],
    come: list[FieldChange],
    repeated: Collection[int] | None = None,
) -> list[_Move]:
    """Pair outcomes removed from one list and added to another by similar measures, best first.

    With `repeated`, only pairs with at least one change whose id() is in it.
    """
    old_texts = [comparable_measure(change.before) for change in gone]
    new_texts = [comparable_measure(change.after) for change in come]
    # comparing this many pairs would take too long: only equal texts count as similar
    like = likeness if len(gone) * len(come) <= _MOST_COMPARISONS else _equality
    scored = [
        (-alike, abs(i - j), i + j, i, j)
        for i, old in enumerate(gone)
        for j, new in enumerate(come)
        if old.field != new.field and old_texts[i] and new_texts[j]
        if repeated is None or id(old) in repeated or id(new) in repeated
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


def _moved(
    move: _Move, step: VersionStep, lists: OutcomeLists, repeated: RepeatedOutcome | None
) -> Event:
    old, new = rank_of(move.gone), rank_of(move.come)
    what = "promoted" if _WEIGHT[new] > _WEIGHT[old] else "demoted"
    heavier = move.come if what == "promoted" else move.gone
    measures = measure_of(move.gone.before), measure_of(move.come.after)
    change = measures[0] != measures[1] and not is_cosmetic(*measures)
    name = lists.name(move.gone.before, move.gone.field, move.come.field)
    new_name = f", now {quoted(measures[1])}" if change else ""
    is_left = repeated and repeated.likeness is Repetition.OTHER_TIME_FRAME
    left = f" (it remains {old} {repeated.time_frames})" if repeated and is_left else ""
    return outcome_event(
        step,
        [move.gone, move.come],
        what=what,
        summary=f"{new.capitalize()} outcome {name}: {what} from {old} to {new}{new_name}{left}",
        change=heavier,
        before=move.gone.before,
        after=move.come.after,
        from_rank=old,
        to_rank=new,
        **_labels(what, heavier),
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
    return outcome_event(
        step,
        [change],
        what=what,
        summary=f"{label} {what}: {name} ({rest})",
        before=change.before,
        after=change.after,
        repeats=repeated.likeness.value,
        **_labels(what, change),
    )


def _labels(what: str, change: FieldChange) -> dict[str, Any]:
    """Return the label of a change of one of several entries, if the outcome is a primary one."""
    label = _LABELS.get(what)
    return {"labels": [label.value]} if label and rank_of(change) == "primary" else {}


def _come_and_gone(
    gone: list[FieldChange], come: list[FieldChange], step: VersionStep, lists: OutcomeLists
) -> Iterator[Event]:
    """Yield the events of one list: pairs in list order are replaced, the rest dropped or added."""
    replaced = list(zip(gone, come, strict=False))
    for old, new in replaced:
        yield outcome_event(
            step,
            [old, new],
            what="replaced",
            summary=f"{field_at(old.field).label} replaced: "
            f"{lists.name(old.before, old.field)} -> {lists.name(new.after, new.field)}",
            before=old.before,
            after=new.after,
        )
    for old in gone[len(replaced) :]:
        yield outcome_event(
            step,
            [old],
            what="dropped",
            summary=f"{field_at(old.field).label} dropped: {lists.name(old.before, old.field)}"
            f"{lists.remaining(old.before, old.field)}",
            before=old.before,
        )
    for new in come[len(replaced) :]:
        yield outcome_event(
            step,
            [new],
            what="added",
            summary=f"{field_at(new.field).label} added: {lists.name(new.after, new.field)}",
            after=new.after,
        )


def _edited(change: FieldChange, step: VersionStep, lists: OutcomeLists) -> Event:
    reported = field_at(change.field)
    leaf = change.field.rpartition(".")[2]
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    what = "cosmetic" if is_cosmetic(before, after) else _EDITS.get(leaf, "edited")
    name = _edited_name(change, step, lists)
    text, counts = edit_summary(before, after)
    return outcome_event(
        step,
        [change],
        what=what,
        summary=f"{reported.label}{f' of {name}' if name else ''}{text}",
        before=before,
        after=after,
        **counts,
    )


def _edited_name(change: FieldChange, step: VersionStep, lists: OutcomeLists) -> str:
    """Return the name of the outcome that was edited; empty if the edit itself shows it."""
    field, _, leaf = change.field.rpartition(".")
    outcome = item_at(change, step.before)
    if field not in LISTS or outcome is None:
        # without an outcome: one object where the registry should send a list
        return quoted(change.item, NAME_WIDTH) if change.item else ""
    if leaf == "timeFrame":
        return measure_name(outcome, NAME_WIDTH)
    if leaf != "measure":
        return lists.name(outcome, field, width=NAME_WIDTH)
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    is_text = isinstance(before, str) and isinstance(after, str)
    is_shown = not is_text or is_quoted_in_full(before, after)
    return "" if is_shown else quoted(before, NAME_WIDTH)


def _reordered(change: FieldChange, step: VersionStep) -> Event:
    label = field_at(change.field).label
    return outcome_event(
        step,
        [change],
        what="reordered",
        summary=f"{label}s: only the order changed",
        before=change.before,
        after=change.after,
    )
