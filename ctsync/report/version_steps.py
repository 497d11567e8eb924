"""The steps of a trial from version to version, with each event in words. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from ctsync.model import Event, Kind, Level, NctId, StoredEvent, Version, compare_url
from ctsync.record.context import PUBLISHED_RATES, BaseRates, shown_context
from ctsync.record.events.flag_event import is_by_time
from ctsync.report.event_order import line_order
from ctsync.report.report import ReportLine, ReportStep, TextMark
from ctsync.report.words.event_line import gap_words
from ctsync.report.words.event_text import (
    detail,
    is_measured,
    is_type,
    move,
    move_since_first,
    sides,
)
from ctsync.report.words.excerpts import Excerpt, excerpt, in_full

_BEFORE_LOADS = datetime.min.replace(tzinfo=UTC)
_CUT = re.compile(r"… \(\+\d+ characters?\)")
_COUNTS = re.compile(r"(?:\A|:? )(?:edited|rewritten): [\d,]+ words? (?:added|removed).* kept")
_ITEM = re.compile(
    r'(of ".*?")(?:\Z|: |, (?=\d|before the start)| \(| (?:added|removed|edited|rewritten): )'
)


def steps_of(
    events: Sequence[StoredEvent],
    *,
    administrative: bool = False,
    rates: BaseRates | None = PUBLISHED_RATES,
) -> Iterator[ReportStep]:
    """The versions that these events of one trial led to, oldest first.

    Administrative events have lines only if `administrative` asks for them. `rates` are the base
    rates for the context of lines; with None they have none. A note is shown once.
    """
    seen: set[str] = set()
    edits = {_sight(stored) for stored in events if not is_by_time(stored.event)}

    def step_key(stored: StoredEvent) -> tuple[int, datetime]:
        """The version; a flag that time alone changed has a step of its own in its load."""
        version, load = _sight(stored)
        is_alone = is_by_time(stored.event) and (version, load) not in edits
        return version, load if is_alone else _BEFORE_LOADS

    ordered = sorted(events, key=lambda stored: (step_key(stored), line_order(stored)))
    for _, group in groupby(ordered, key=step_key):
        of_version = list(group)
        told = [
            stored
            for stored in of_version
            if administrative or stored.event.level is not Level.ADMINISTRATIVE
        ]
        lines = tuple(with_context(_lines(told), rates, seen))
        yield _step(of_version, lines, hidden=len(of_version) - len(told))


def _sight(stored: StoredEvent) -> tuple[int, datetime]:
    return stored.to_version, stored.observed or stored.fetched


def _step(
    events: Sequence[StoredEvent], lines: tuple[ReportLine, ...], *, hidden: int
) -> ReportStep:
    # a flag belongs to its version alone, so it does not show what led to it
    first = next((one for one in events if one.event.kind is not Kind.FLAG), events[0])
    newer, before = first.to_registry_version, first.from_version
    number = _number(first.to_version, newer)
    by_time = all(is_by_time(stored.event) for stored in events)
    if by_time:
        number, before = f"{number} (no new version)", None
    elif first.event.kind is Kind.FLAG:
        before = first.to_version - 1
    return ReportStep(
        number=number,
        from_version=before,
        to_version=first.to_version,
        posted=first.posted,
        observed=first.observed,
        fetched=first.fetched,
        compare_url=_compare(first.nct_id, first.from_registry_version, newer),
        lines=lines,
        administrative=hidden,
        command=_diff_command(first.nct_id, before, first.to_version),
        gap=gap_words(first),
        is_by_time=by_time,
    )


def step_of(
    version: Version,
    events: Sequence[StoredEvent],
    *,
    before: int | None,
    rates: BaseRates | None = PUBLISHED_RATES,
) -> ReportStep:
    """A version as a step with a line per event, of any level; `events` may be empty."""
    steps = [one for one in events if one.event.kind is not Kind.FLAG]
    older = steps[0].from_registry_version if steps else None
    return ReportStep(
        number=_number(version.version, version.registry_version),
        from_version=before,
        to_version=version.version,
        posted=version.posted,
        observed=version.observed,
        fetched=version.fetched,
        compare_url=_compare(version.nct_id, older, version.registry_version),
        lines=tuple(with_context(_lines(sorted(events, key=line_order)), rates, set())),
        administrative=0,
        command=_diff_command(version.nct_id, before, version.version),
        gap=gap_words(steps[0]) if steps else "",
    )


def with_context(
    lines: Iterable[ReportLine], rates: BaseRates | None, seen: set[str]
) -> Iterator[ReportLine]:
    """Give each line its notes that are not `seen`, and add them to `seen`."""
    for line in lines:
        stored = line.stored
        shown = shown_context(stored.event, rates, sponsor=stored.lead_sponsor)
        notes = tuple(note for note in shown if note.text not in seen)
        seen.update(note.text for note in notes)
        yield replace(line, context=notes) if notes else line


def item_of(line: ReportLine) -> str:
    """The item of a list whose field changed: of "Overall survival"; empty for other changes."""
    return _item(line.detail)


def item_in(stored: StoredEvent) -> str:
    """The item of a list whose field an event changed, as `item_of` returns it."""
    return _item(detail(stored.event))


def note_of(line: ReportLine) -> str:
    """What a line says besides the item and both values: why a trial stopped, for example."""
    said = line.detail.removeprefix(item_of(line)).lstrip(" ,:")
    values = sides(line.stored.event)
    for before, after in (values, (f'"{values[0]}"', f'"{values[1]}"')):
        if said.startswith(shown := f"{before} -> {after}"):
            return said.removeprefix(shown).lstrip(" ,:")
    return said if line.pieces else ""


def _item(said: str) -> str:
    found = _ITEM.match(said)
    return found[1] if found else ""


def line_in_full(line: ReportLine) -> Excerpt | None:
    """The change of a line without leaving anything out; None if the line shows both values."""
    event = line.stored.event
    before, after = sides(event)
    has_gap = any(piece.mark is TextMark.CUT for piece in line.pieces)
    if (before, after) == (line.before, line.after) and not has_gap:
        return None
    return in_full(before, after, values=_values(event))


def _values(event: Event) -> tuple[Any, Any]:
    """Return both values; a primary outcome that changed in several fields is one text."""
    values = event.before, event.after
    if event.kind is Kind.OUTCOME and all(isinstance(value, dict) for value in values):
        return sides(event)
    return values


def _number(version: int, registry_version: int | None) -> str:
    known = "" if registry_version is None else f" (registry v{registry_version})"
    return f"{version}{known}"


def _compare(nct_id: NctId, older: int | None, newer: int | None) -> str | None:
    if older is None or newer is None or older == newer:
        return None
    return compare_url(nct_id, older, newer)


def _diff_command(nct_id: NctId, before: int | None, after: int) -> str:
    return f"ctsync diff {nct_id} {before} {after}" if before else f"ctsync show {nct_id}"


def _lines(events: Sequence[StoredEvent]) -> Iterator[ReportLine]:
    """One line per event, except that a date or count shares a line with its type change."""
    types = {stored.event.kind: stored for stored in events if is_type(stored.event)}
    measured = {stored.event.kind for stored in events if is_measured(stored.event)}
    for stored in events:
        if is_measured(stored.event):
            yield _line(stored, types.get(stored.event.kind))
        elif stored.event.kind not in measured or not is_type(stored.event):
            yield _line(stored)


def _line(stored: StoredEvent, of_type: StoredEvent | None = None) -> ReportLine:
    event = stored.event
    before, after = sides(event)
    passage = excerpt(before, after, values=_values(event))
    told = "" if is_measured(event) else detail(event)
    if passage.pieces:
        # counts of words, or both values, add nothing to the words themselves
        told = _COUNTS.sub("", told).replace(f': "{before}" -> "{after}"', "")
    is_list = any(isinstance(value, list | dict) for value in (event.before, event.after))
    return ReportLine(
        stored=stored,
        before=passage.before,
        after=passage.after,
        detail=told,
        pieces=passage.pieces,
        move=move(event),
        since_first=move_since_first(event),
        is_cut=passage.is_cut or bool(told and (is_list or _CUT.search(told))),
        of_type=of_type,
    )
