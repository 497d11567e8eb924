"""The outcome measures of a trial, and what each version did to them. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ctsync.record.compare.align import likeness
from ctsync.record.outcomes.compare_outcomes import compare_outcomes
from ctsync.record.outcomes.taxonomy import OutcomeChange, OutcomeLabel, OutcomePlace
from ctsync.record.value_text import plain
from ctsync.text import shorten

RANKS = ("primary", "secondary", "other")
_SAME = 0.6
"""Least likeness of two measures that are one measure reworded."""
_WIDTH = 160
_NOT_GIVEN = "not given"


@dataclass(frozen=True, slots=True)
class OutcomeNote:
    """What one version did to an outcome; `stage` is the stage of the trial, if it is known."""

    version: int
    day: date
    words: str
    stage: str = ""


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """An outcome measure as it is now, or as it was when it was removed, with its changes."""

    rank: str
    measure: str
    time_frame: str
    description: str
    notes: tuple[OutcomeNote, ...] = ()
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeStep:
    """A version that changed outcomes: the `outcomesModule` before and after, in one form."""

    version: int
    day: date
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    stage: str = ""


_Items = dict[OutcomePlace, Mapping[str, Any]]


def outcome_course(
    newest: Mapping[str, Any], steps: Sequence[OutcomeStep]
) -> tuple[OutcomeLine, ...]:
    """Follow each outcome through the steps, oldest first.

    Returns the outcomes of the newest `outcomesModule` in its order, then the removed ones.
    """
    notes: dict[OutcomePlace, tuple[OutcomeNote, ...]] = {}
    removed: list[OutcomeLine] = []
    for step in steps:
        old, new = _items(step.before), _items(step.after)
        partner, verdicts = _paired(step, old, new)
        following: dict[OutcomePlace, tuple[OutcomeNote, ...]] = {}
        for place, item in new.items():
            was = partner.get(place)
            said = _changed(was, old, place, item) if was else [_arrived(place, verdicts)]
            verdict = _verdict(verdicts.get(place)) if was and said else ""
            words = "; ".join(part for part in (*said, verdict) if part)
            more = (OutcomeNote(step.version, step.day, words, step.stage),) if words else ()
            following[place] = (*(notes.get(was, ()) if was else ()), *more)
        for place in old.keys() - set(partner.values()):
            note = OutcomeNote(step.version, step.day, f"removed ({place.rank})", step.stage)
            line = _line(place, old[place], (*notes.get(place, ()), note), is_removed=True)
            removed.append(line)
        notes = following
    lines = [_line(place, item, notes.get(place, ())) for place, item in _items(newest).items()]
    return (*lines, *sorted(removed, key=_by_removal))


def _by_removal(line: OutcomeLine) -> tuple[int, int, str]:
    return -line.notes[-1].version, RANKS.index(line.rank), line.measure


def _items(module: Mapping[str, Any]) -> _Items:
    lists = ((rank, module.get(f"{rank}Outcomes")) for rank in RANKS)
    return {
        OutcomePlace(rank, index): item
        for rank, entries in lists
        if isinstance(entries, list)
        for index, item in enumerate(entries)
        if isinstance(item, Mapping)
    }


def _line(
    place: OutcomePlace,
    item: Mapping[str, Any],
    notes: tuple[OutcomeNote, ...],
    *,
    is_removed: bool = False,
) -> OutcomeLine:
    return OutcomeLine(
        place.rank,
        _text(item, "measure") or "no name",
        _text(item, "timeFrame"),
        _text(item, "description"),
        notes,
        is_removed,
    )


def _text(item: Mapping[str, Any], name: str) -> str:
    return plain(item[name]) if item.get(name) else ""


def _paired(
    step: OutcomeStep, old: _Items, new: _Items
) -> tuple[dict[OutcomePlace, OutcomePlace], dict[OutcomePlace, OutcomeChange]]:
    """Return for each newer place the older place of the same outcome, and the verdicts."""
    partner: dict[OutcomePlace, OutcomePlace] = {}
    left = dict(old)

    def pair(place: OutcomePlace, was: OutcomePlace) -> None:
        partner[place] = was
        del left[was]

    verdicts: dict[OutcomePlace, OutcomeChange] = {}
    for change in compare_outcomes(step.before, step.after).changes:
        place, was = change.after_place, change.before_place
        if place is None:
            continue
        verdicts[place] = change
        if was in left and place in new and place not in partner:
            pair(place, was)
    for test in (_equal, _same_measure_here, _same_measure, _alike):
        for place, item in new.items():
            if place in partner:
                continue
            was = next((one for one in left if test(one, left[one], place, item)), None)
            if was is not None:
                pair(place, was)
    return partner, verdicts


def _equal(
    was: OutcomePlace, before: Mapping[str, Any], place: OutcomePlace, after: Mapping[str, Any]
) -> bool:
    return was.rank == place.rank and before == after


def _same_measure_here(
    was: OutcomePlace, before: Mapping[str, Any], place: OutcomePlace, after: Mapping[str, Any]
) -> bool:
    return was.rank == place.rank and before.get("measure") == after.get("measure")


def _same_measure(
    _was: OutcomePlace, before: Mapping[str, Any], _place: OutcomePlace, after: Mapping[str, Any]
) -> bool:
    return before.get("measure") == after.get("measure")


def _alike(
    was: OutcomePlace, before: Mapping[str, Any], place: OutcomePlace, after: Mapping[str, Any]
) -> bool:
    # the verdict of compare_outcomes decides which primary outcomes are one
    if "primary" in {was.rank, place.rank} or was.rank != place.rank:
        return False
    return likeness(_text(before, "measure"), _text(after, "measure")) >= _SAME


def _changed(
    was: OutcomePlace, old: _Items, place: OutcomePlace, after: Mapping[str, Any]
) -> list[str]:
    """Return in words what differs between an outcome before and after."""
    return list(_differences(was, old[was], place, after))


def _differences(
    was: OutcomePlace, before: Mapping[str, Any], place: OutcomePlace, after: Mapping[str, Any]
) -> Iterator[str]:
    if was.rank != place.rank:
        verb = "promoted" if RANKS.index(place.rank) < RANKS.index(was.rank) else "demoted"
        yield f"{verb} from {was.rank} to {place.rank}"
    if _text(before, "measure") != _text(after, "measure"):
        yield f'measure was "{_cut(_text(before, "measure"))}"'
    old, new = _text(before, "timeFrame"), _text(after, "timeFrame")
    if old != new:
        yield f"time frame {_cut(old) or _NOT_GIVEN} → {_cut(new) or _NOT_GIVEN}"
    old, new = _text(before, "description"), _text(after, "description")
    if old != new:
        verb = "added" if not old else "removed" if not new else "edited"
        yield f"description {verb}"


def _arrived(place: OutcomePlace, verdicts: Mapping[OutcomePlace, OutcomeChange]) -> str:
    verdict = _verdict(verdicts.get(place))
    return f"added as {place.rank}" + (f"; {verdict}" if verdict else "")


def _verdict(change: OutcomeChange | None) -> str:
    """Return what the comparison of primary outcomes decided; empty if its words add nothing."""
    if change is None:
        return ""
    if change.is_cosmetic:
        return "wording only"
    if OutcomeLabel.UNRESOLVED in change.labels:
        return change.reason
    kinds = sorted(label.value.replace("_", " ") for label in change.labels)
    return f"in substance: {', '.join(kinds)}"


def _cut(text: str) -> str:
    return shorten(text, _WIDTH)
