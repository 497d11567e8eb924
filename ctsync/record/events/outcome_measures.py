"""Events of the outcome measures.

Each change of an outcome is one of: added, dropped, replaced (one dropped and another added in
its place), promoted (from secondary or other to primary, or from other to secondary), demoted
(the other direction), measure edited, time frame edited, description edited, reordered, cosmetic.
Changes of a primary outcome get a higher level once the trial has started.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ctsync.dates import PartialDate
from ctsync.model import MISSING, Event, FieldChange
from ctsync.record.compare.align import ALIKE, likeness
from ctsync.record.compare.canonical import as_text
from ctsync.record.compare.diff import is_order
from ctsync.record.compare.text_diff import is_cosmetic, normal_form
from ctsync.record.events.base import VersionStep, absent_as_none, make_event
from ctsync.record.events.edit_text import edit_summary
from ctsync.record.fields.table import field_at
from ctsync.record.value_text import duration, quoted

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
_LONGEST_COMPARED = 1_000
_MOST_COMPARISONS = 40_000
_NOT_STARTED = frozenset({"NOT_YET_RECRUITING", "WITHHELD", None})


class _Move(NamedTuple):
    """An outcome removed from one list and added to another."""

    gone: FieldChange
    come: FieldChange


def outcome_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    """Yield the events of all outcome lists together, because an outcome may change its list."""
    gone = [c for c in changes if _is_item(c) and c.after is MISSING]
    come = [c for c in changes if _is_item(c) and c.before is MISSING]
    moved = _between_lists(gone, come)
    for move in moved:
        yield _moved(move, step)
    gone = [c for c in gone if all(c is not move.gone for move in moved)]
    come = [c for c in come if all(c is not move.come for move in moved)]
    for field in _LISTS:
        yield from _come_and_gone(
            [c for c in gone if c.field == field], [c for c in come if c.field == field], step
        )
    for change in changes:
        if is_order(change):
            yield _reordered(change, step)
        elif not (_is_item(change) and MISSING in (change.before, change.after)):
            yield _edited(change, step)


def _is_item(change: FieldChange) -> bool:
    return change.field in _LISTS and isinstance(change.steps[-1], int)


def _rank(change: FieldChange) -> str:
    return next((rank for path, rank in _LISTS.items() if change.field.startswith(path)), "other")


def _measure(item: Any) -> str:
    return as_text(item.get("measure")) if isinstance(item, dict) else as_text(item)


def _comparable(item: Any) -> str:
    return normal_form(_measure(item)[:_LONGEST_COMPARED])


def _equality(before: str, after: str) -> float:
    return 100.0 if before == after else 0.0


def _between_lists(gone: list[FieldChange], come: list[FieldChange]) -> list[_Move]:
    """Pair outcomes removed from one list and added to another by similar measures, best first."""
    old_texts = [_comparable(change.before) for change in gone]
    new_texts = [_comparable(change.after) for change in come]
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
    when = _when(timing) if rank == "primary" and nature == "change" else ""
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


def _moved(move: _Move, step: VersionStep) -> Event:
    old, new = _rank(move.gone), _rank(move.come)
    what = "promoted" if _WEIGHT[new] > _WEIGHT[old] else "demoted"
    heavier = move.come if what == "promoted" else move.gone
    reworded = not is_cosmetic(_measure(move.gone.before), _measure(move.come.after))
    change = reworded and _measure(move.gone.before) != _measure(move.come.after)
    name = quoted(_measure(move.gone.before))
    new_name = f", now {quoted(_measure(move.come.after))}" if change else ""
    return _outcome_event(
        step,
        [move.gone, move.come],
        what=what,
        summary=f"{new.capitalize()} outcome {name}: {what} from {old} to {new}{new_name}",
        change=heavier,
        before=move.gone.before,
        after=move.come.after,
        from_rank=old,
        to_rank=new,
    )


def _come_and_gone(
    gone: list[FieldChange], come: list[FieldChange], step: VersionStep
) -> Iterator[Event]:
    """Yield the events of one list: pairs in list order are replaced, the rest dropped or added."""
    replaced = list(zip(gone, come, strict=False))
    for old, new in replaced:
        yield _outcome_event(
            step,
            [old, new],
            what="replaced",
            summary=f"{field_at(old.field).label} replaced: {quoted(_measure(old.before))} -> "
            f"{quoted(_measure(new.after))}",
            before=old.before,
            after=new.after,
        )
    for old in gone[len(replaced) :]:
        yield _outcome_event(
            step,
            [old],
            what="dropped",
            summary=f"{field_at(old.field).label} dropped: {quoted(_measure(old.before))}",
            before=old.before,
        )
    for new in come[len(replaced) :]:
        yield _outcome_event(
            step,
            [new],
            what="added",
            summary=f"{field_at(new.field).label} added: {quoted(_measure(new.after))}",
            after=new.after,
        )


def _edited(change: FieldChange, step: VersionStep) -> Event:
    reported = field_at(change.field)
    leaf = change.field.rpartition(".")[2]
    before, after = absent_as_none(change.before), absent_as_none(change.after)
    what = "cosmetic" if is_cosmetic(before, after) else _EDITS.get(leaf, "edited")
    of = f" of {quoted(change.item, 60)}" if leaf != "measure" and change.item else ""
    text, counts = edit_summary(before, after)
    return _outcome_event(
        step,
        [change],
        what=what,
        summary=f"{reported.label}{of}: {text}",
        before=before,
        after=after,
        **counts,
    )


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
