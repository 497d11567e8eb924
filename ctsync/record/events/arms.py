"""Events of arms and interventions.

The registry writes each link between an arm and an intervention twice: the arm lists the
intervention ("Drug: Placebo"), and the intervention lists the label of the arm. So a renamed,
added or removed arm also changes its interventions, and the other way round. The event of the arm
or intervention reports these changes too. A link that is added or removed by itself is one event,
of the arm.

Does no I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ctsync.model import Event, FieldChange, PathStep, Record
from ctsync.record.compare.text_diff import is_cosmetic
from ctsync.record.events.base import VersionStep
from ctsync.record.events.edit_text import is_quoted_in_full
from ctsync.record.events.other import plain_event
from ctsync.record.fields.table import field_at
from ctsync.record.value_text import counted, quoted

MODULE = "protocolSection.armsInterventionsModule"
ARMS, INTERVENTIONS = f"{MODULE}.armGroups", f"{MODULE}.interventions"
_NOUNS = {ARMS: "arm", INTERVENTIONS: "intervention"}
_OTHER_LIST = {ARMS: INTERVENTIONS, INTERVENTIONS: ARMS}
_LINKS = {f"{ARMS}.interventionNames": ARMS, f"{INTERVENTIONS}.armGroupLabels": INTERVENTIONS}
_RENAMED = {f"{ARMS}.label": ARMS, f"{INTERVENTIONS}.name": INTERVENTIONS}
_NAMED_BY = {
    f"{INTERVENTIONS}.type": INTERVENTIONS,
    **_RENAMED,
    ARMS: ARMS,
    INTERVENTIONS: INTERVENTIONS,
}
"""The list whose items a change of a field adds, removes or names differently."""
_DEPTH = MODULE.count(".") + 3
"""How many steps lead to an arm or intervention."""

_Steps = tuple[PathStep, ...]
_Link = tuple[str | None, str | None]
_Causes = dict[str | None, dict[str | None, FieldChange]]
"""The changes that renamed, added or removed an item of one list, by name before and after."""


class _Name(NamedTuple):
    """How links name an arm or intervention before and after; None if it does not exist then."""

    before: str | None
    after: str | None


_NO_NAME = _Name(None, None)


class _Links(NamedTuple):
    """The changed links of one item of a list, by the name that was removed or added."""

    field: str
    owner: _Name
    removed: dict[str, FieldChange]
    added: dict[str, FieldChange]


def arm_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    """Yield one event per change that does not follow from another change."""
    following: dict[int, list[FieldChange]] = defaultdict(list)
    followers: set[int] = set()
    for cause, change in _consequences(changes, step.before):
        if id(change) not in followers:
            following[id(cause)].append(change)
            followers.add(id(change))
    for change in changes:
        if id(change) not in followers:
            yield _event(change, following[id(change)], step)


def _consequences(
    changes: Sequence[FieldChange], before: Record
) -> Iterator[tuple[FieldChange, FieldChange]]:
    """Yield (cause, consequence) for each changed link that follows from another change."""
    names = _names(changes, before)
    causes = _causes(changes, names)
    links = _changed_links(changes, names)
    for field, of_list in links.items():
        for one in of_list:
            yield from _followed(one, causes[_OTHER_LIST[field]])
    yield from _mirrored(links[ARMS], links[INTERVENTIONS])


def _names(changes: Sequence[FieldChange], before: Record) -> dict[_Steps, _Name]:
    """Return the names of all changed arms and interventions that exist before and after."""
    edited: dict[_Steps, dict[str, Any]] = defaultdict(dict)
    for change in changes:
        item = change.steps[:_DEPTH]
        if len(change.steps) > _DEPTH and isinstance(item[-1], int):
            edits = edited[item]
            if change.field in _NAMED_BY:
                edits[str(change.steps[-1])] = change.after
    found = {}
    for item, edits in edited.items():
        old = _at(before, item)
        found[item] = _Name(_name(old), _name({**old, **edits}))
    return found


def _at(record: Record, steps: _Steps) -> dict[str, Any]:
    here: Any = record.body
    for step in steps:
        here = here[step]
    return here if isinstance(here, dict) else {}


def _name(item: Any) -> str | None:
    """Return how links name an arm ("Arm A") or an intervention ("Dietary Supplement: Iron")."""
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("label"), str):
        return str(item["label"])
    kind, name = item.get("type"), item.get("name")
    if not (isinstance(kind, str) and isinstance(name, str)):
        return None
    return f"{kind.replace('_', ' ').title()}: {name}"


def _causes(changes: Sequence[FieldChange], names: Mapping[_Steps, _Name]) -> dict[str, _Causes]:
    causes: dict[str, _Causes] = {ARMS: defaultdict(dict), INTERVENTIONS: defaultdict(dict)}
    for change in changes:
        if change.field in causes and isinstance(change.steps[-1], int):
            before, after = _name(change.before), _name(change.after)
        else:
            before, after = names.get(change.steps[:_DEPTH], _NO_NAME)
        field = _NAMED_BY.get(change.field)
        if field and before != after:
            # if the name and the type of an intervention changed, its name comes first
            causes[field][before].setdefault(after, change)
    return causes


def _changed_links(
    changes: Sequence[FieldChange], names: Mapping[_Steps, _Name]
) -> dict[str, list[_Links]]:
    found: dict[_Steps, _Links] = {}
    for change in changes:
        item = change.steps[:_DEPTH]
        if change.field in _LINKS and item in names:
            links = found.setdefault(item, _Links(_LINKS[change.field], names[item], {}, {}))
            if isinstance(change.before, str):
                links.removed[change.before] = change
            if isinstance(change.after, str):
                links.added[change.after] = change
    return {field: [links for links in found.values() if links.field == field] for field in _NOUNS}


def _followed(links: _Links, causes: _Causes) -> Iterator[tuple[FieldChange, FieldChange]]:
    """Take out the links whose arm or intervention was renamed, removed or added itself."""
    for old in list(links.removed):
        for new, cause in causes.get(old, {}).items():
            if new in links.added and old in links.removed:
                yield cause, links.removed.pop(old)
                yield cause, links.added.pop(new)
        if old in links.removed and None in causes.get(old, {}):
            yield causes[old][None], links.removed.pop(old)
    for new in list(links.added):
        if new in causes.get(None, {}):
            yield causes[None][new], links.added.pop(new)


def _mirrored(
    of_arms: Iterable[_Links], of_interventions: Iterable[_Links]
) -> Iterator[tuple[FieldChange, FieldChange]]:
    """Find the links that both the arm and the intervention lost or gained."""
    removed: dict[_Link, FieldChange] = {}
    added: dict[_Link, FieldChange] = {}
    for arm in of_arms:
        removed |= {(arm.owner.before, name): change for name, change in arm.removed.items()}
        added |= {(arm.owner.after, name): change for name, change in arm.added.items()}
    for one in of_interventions:
        for label, change in one.removed.items():
            if (label, one.owner.before) in removed:
                yield removed[label, one.owner.before], change
        for label, change in one.added.items():
            if (label, one.owner.after) in added:
                yield added[label, one.owner.after], change


def _event(change: FieldChange, following: Sequence[FieldChange], step: VersionStep) -> Event:
    event = _named(plain_event([change, *following], step), change)
    field = _NAMED_BY.get(change.field)
    if field is None or not following:
        return event
    others = len({other.steps[:_DEPTH] for other in following})
    repeats = counted(others, _NOUNS[_OTHER_LIST[field]])
    return replace(event, summary=f"{event.summary} (in {repeats} too)")


def _named(event: Event, change: FieldChange) -> Event:
    """Return the event of a new name in the words of a renaming, if they show both names."""
    before, after, field = change.before, change.after, _RENAMED.get(change.field)
    if field is None or not (isinstance(before, str) and isinstance(after, str)):
        return event
    if is_cosmetic(before, after) or not is_quoted_in_full(before, after):
        return event
    label = field_at(field).label
    summary = f"{label} renamed: {quoted(before)} -> {quoted(after)}"
    return replace(event, label=label, summary=summary)
