"""Context of one event: the base rates that apply to it, and the trial's own past. No I/O.

Everything comes from the event itself: its kind, its values and the inputs stored with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ctsync.model import Event, Kind
from ctsync.record.context.base_rates import PUBLISHED_RATES, BaseRate, BaseRates, RateId
from ctsync.record.enum_words import enum_words, within_sentence
from ctsync.record.value_text import counted, ordinal, signed_days

_LONGER_SUSPENDED = (
    (90, RateId.SUSPENDED_90_DAYS_RESTARTED),
    (180, RateId.SUSPENDED_180_DAYS_RESTARTED),
    (365, RateId.SUSPENDED_365_DAYS_RESTARTED),
)
_NEXT_SLIP = {1: RateId.SLIP_AFTER_1, 2: RateId.SLIP_AFTER_2}


@dataclass(frozen=True, slots=True)
class ContextNote:
    """A sentence beside a change: base rates; the trial's own past or the rule of a flag if
    `rates` is empty.
    """

    text: str
    """The note in words, with the number and window of each rate."""
    rates: tuple[BaseRate, ...]
    """The base rates that the note shows; empty for the trial's own past and for a flag."""


def context_of(event: Event, rates: BaseRates | None = PUBLISHED_RATES) -> tuple[ContextNote, ...]:
    """Return the context of an event, the trial's own past first; empty if `rates` is None."""
    found = _NOTES.get(event.kind)
    return () if found is None or rates is None else tuple(found(event, rates))


def _status_notes(event: Event, rates: BaseRates) -> Iterator[ContextNote]:
    if event.inputs.get("part") != "overall status" or event.inputs.get("step") != "stopped":
        return
    yield from _own_stops(event.inputs.get("stopped_before"))
    match event.after:
        case "SUSPENDED":
            yield from _suspended(event, rates)
        case "TERMINATED":
            yield from _shares(
                rates, RateId.TERMINATED_REOPENED, "terminated trials reopened or were completed"
            )
            yield from _terminated_enrollment(rates)
        case "WITHDRAWN":
            yield from _shares(
                rates, RateId.WITHDRAWN_REOPENED, "withdrawn trials reopened or were completed"
            )


def _own_stops(stops: Any) -> Iterator[ContextNote]:
    by_status: dict[str, list[str]] = {}
    for stop in stops if isinstance(stops, list) else ():
        days, since = stop.get("days"), stop.get("since")
        year = f"in {since[:4]}" if since else ""
        length = counted(days, "day") if days is not None else ""
        by_status.setdefault(stop["status"], []).append(f"{length} {year}".strip())
    for status, times in by_status.items():
        when = "; ".join(time for time in times if time)
        words = f"{within_sentence(enum_words(status))} before"
        yield ContextNote(f"{words}, {when}" if when else words, ())


def _suspended(event: Event, rates: BaseRates) -> Iterator[ContextNote]:
    yield from _shares(
        rates, RateId.SUSPENDED_RESTARTED, "suspended trials restarted or were completed"
    )
    found = [(days, rates[rate][0]) for days, rate in _LONGER_SUSPENDED if rates.get(rate)]
    if found:
        days = " / ".join(str(number) for number, _ in found)
        shares = " / ".join(f"{rate.percent:.1f}" for _, rate in found)
        numbers = " / ".join(f"{rate.n:,}" for _, rate in found)
        yield ContextNote(
            f"of {numbers} still suspended after {days} days, {shares} % did "
            f"({found[0][1].window})",
            tuple(rate for _, rate in found),
        )
    why = event.inputs.get("why_stopped")
    if isinstance(why, str) and "funding" in why.casefold():
        found_rates = rates.get(RateId.SUSPENDED_FOR_FUNDING_RESTARTED, ())
        shares = "; ".join(f"{_share(rate)}{_window(rate)}" for rate in found_rates)
        if shares:
            words = 'suspensions with "funding" in the reason restarted'
            yield ContextNote(f"{words}: {shares}", found_rates)


def _terminated_enrollment(rates: BaseRates) -> Iterator[ContextNote]:
    for rate in rates.get(RateId.TERMINATED_ENROLLMENT, ())[:1]:
        middle = "" if rate.low is None else f", middle half {rate.low:.1f} to {rate.high:.1f} %"
        yield ContextNote(
            f"{rate.n:,} terminated trials enrolled a median of {rate.percent:.1f} % of the "
            f"target{middle}",
            (rate,),
        )


def _date_notes(event: Event, rates: BaseRates) -> Iterator[ContextNote]:
    slips, since = event.inputs.get("slips"), event.days_since_first
    if event.inputs.get("part") != "date" or not slips or not event.days or event.days < 0:
        return
    if slips > 1 and since is not None:
        margin = event.inputs.get("margin_since_first") or 0
        where = "in all" if event.inputs.get("since_registration", True) else "since first seen"
        yield ContextNote(f"{ordinal(slips)} slip, {signed_days(since, margin)} {where}", ())
    is_open = event.after_type != "ACTUAL"
    if event.kind is Kind.PRIMARY_COMPLETION_DATE and is_open and slips in _NEXT_SLIP:
        yield from _shares(
            rates, _NEXT_SLIP[slips], f"trials with {counted(slips, 'slip')} slipped again"
        )


def _outcome_notes(event: Event, rates: BaseRates) -> Iterator[ContextNote]:
    inputs = event.inputs
    if inputs.get("rank") != "primary" or inputs.get("nature") in {"cosmetic", "order"}:
        return
    if not inputs.get("started"):
        return
    after_end = inputs.get("days_after_primary_completion")
    if after_end is not None and after_end >= 0:
        said = "trials changed a primary outcome after completion"
        yield from _shares(rates, RateId.PRIMARY_OUTCOME_CHANGED_COMPLETED, said)
    else:
        said = "trials changed a primary outcome while recruiting"
        yield from _shares(rates, RateId.PRIMARY_OUTCOME_CHANGED_RECRUITING, said)


def _flag_notes(event: Event, _rates: BaseRates) -> Iterator[ContextNote]:
    source, since = event.inputs.get("source"), event.inputs.get("since")
    if event.inputs.get("holds") and isinstance(source, str):
        yield ContextNote(f"rule: {source}" + (f"; true since {since}" if since else ""), ())


_NOTES: Mapping[Kind, Callable[[Event, BaseRates], Iterator[ContextNote]]] = {
    Kind.STATUS: _status_notes,
    Kind.START_DATE: _date_notes,
    Kind.PRIMARY_COMPLETION_DATE: _date_notes,
    Kind.COMPLETION_DATE: _date_notes,
    Kind.OUTCOME: _outcome_notes,
    Kind.FLAG: _flag_notes,
}


def _shares(rates: BaseRates, rate: RateId, said: str) -> Iterator[ContextNote]:
    """Yield one note with the share in each window: "51.6 % of 1,475 … (…); 56.5 % of …"."""
    found = rates.get(rate, ())
    if found:
        first, *others = found
        parts = [f"{_share(first)} {said}{_window(first)}"]
        parts += [f"{_share(one)}{_window(one)}" for one in others]
        yield ContextNote("; ".join(parts), found)


def _resumed(rates: BaseRates, rate: RateId, said: str) -> Iterator[ContextNote]:
    """Yield the note of a share that counts trials that were completed later, too."""
    yield from _shares(rates, rate, f"{said} or were completed")


def _share(rate: BaseRate) -> str:
    return f"{rate.percent:.1f} % of {rate.n:,}"


def _window(rate: BaseRate) -> str:
    days = f"; median {counted(rate.median_days, 'day')}" if rate.median_days is not None else ""
    return f" ({rate.window}{days})"
