"""Context of one event: base rates that apply to it, and the past of the trial and its sponsor.

All but the sponsor's past comes from the event itself: its kind, its values and the inputs stored
with it. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ctsync.model import Event, Kind, Level
from ctsync.record.context.base_rates import (
    OWN_SOURCE,
    PUBLISHED_RATES,
    BaseRate,
    BaseRates,
    ContextNote,
    RateId,
)
from ctsync.record.context.sponsor_past import FEWEST_TRIALS, SLIP_DAYS
from ctsync.record.context.standing_context import flag_context
from ctsync.record.enum_words import enum_words, within_sentence
from ctsync.record.value_text import counted, ordinal, signed_days

_LONGER_SUSPENDED = (
    (90, RateId.SUSPENDED_90_DAYS_RESTARTED),
    (180, RateId.SUSPENDED_180_DAYS_RESTARTED),
    (365, RateId.SUSPENDED_365_DAYS_RESTARTED),
)
_NEXT_SLIP = {1: RateId.SLIP_AFTER_1, 2: RateId.SLIP_AFTER_2}


def context_of(
    event: Event, rates: BaseRates | None = PUBLISHED_RATES, *, sponsor: str | None = None
) -> tuple[ContextNote, ...]:
    """Return the context of an event, the trial's own past first; empty if `rates` is None.

    `sponsor` is the lead sponsor of the trial; its past comes last.
    """
    found = _NOTES.get(event.kind)
    if found is None or rates is None:
        return ()
    return (*found(event, rates), *_sponsor_notes(event, rates, sponsor))


def shown_context(
    event: Event, rates: BaseRates | None = PUBLISHED_RATES, *, sponsor: str | None = None
) -> tuple[ContextNote, ...]:
    """Return the context to show to people.

    Rates, and the rules of flags, stand only beside notable and critical changes.
    """
    is_rated = event.level.reaches(Level.NOTABLE)
    if event.kind is Kind.FLAG and not is_rated:
        return ()
    notes = context_of(event, rates, sponsor=sponsor)
    return tuple(note for note in notes if is_rated or not note.rates)


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
        if since and days is None:  # a version may be missing: only this day is certain
            when = f"recorded on {since}"
        else:
            when = f"{counted(days, 'day')} in {since[:4]}" if since else ""
        by_status.setdefault(stop["status"], []).append(when)
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
        # between two syncs, a version with a further slip can be missed
        recorded = "" if event.inputs.get("has_every_version") else "recorded "
        said = f"{ordinal(slips)} {recorded}slip, {signed_days(since, margin)} {where}"
        yield ContextNote(said, ())
    is_open = event.after_type != "ACTUAL"
    if event.kind is Kind.PRIMARY_COMPLETION_DATE and is_open and slips in _NEXT_SLIP:
        yield from _shares(
            rates, _NEXT_SLIP[slips], f"trials with {counted(slips, 'slip')} slipped again"
        )


def _outcome_notes(event: Event, rates: BaseRates) -> Iterator[ContextNote]:
    inputs = event.inputs
    if not is_primary_outcome_change(inputs) or not inputs.get("started"):
        return
    after_end = inputs.get("days_after_primary_completion")
    if after_end is not None and after_end >= 0:
        said = "trials changed a primary outcome after completion"
        yield from _shares(rates, RateId.PRIMARY_OUTCOME_CHANGED_COMPLETED, said)
        if (inputs.get("days_after_results") or 0) > 0:
            said = "trials changed a primary outcome after the publication in a journal"
            yield from _shares(rates, RateId.PRIMARY_OUTCOME_CHANGED_PUBLISHED, said)
    else:
        said = "trials changed a primary outcome while recruiting"
        yield from _shares(rates, RateId.PRIMARY_OUTCOME_CHANGED_RECRUITING, said)


def is_primary_outcome_change(inputs: Mapping[str, Any]) -> bool:
    """Whether the inputs of an event are of a primary outcome with more than its wording changed.

    That includes changes that are unresolved.
    """
    is_copy = str(inputs.get("change")).startswith("duplicate")
    return inputs.get("rank") == "primary" and inputs.get("nature") == "change" and not is_copy


def _flag_notes(event: Event, rates: BaseRates) -> Iterator[ContextNote]:
    source, since = event.inputs.get("source"), event.inputs.get("since")
    if event.inputs.get("holds") and isinstance(source, str):
        yield ContextNote(f"rule: {source}" + (f"; true since {since}" if since else ""), ())
        yield from flag_context(str(event.inputs.get("flag")), rates)


_NOTES: Mapping[Kind, Callable[[Event, BaseRates], Iterator[ContextNote]]] = {
    Kind.STATUS: _status_notes,
    Kind.START_DATE: _date_notes,
    Kind.PRIMARY_COMPLETION_DATE: _date_notes,
    Kind.COMPLETION_DATE: _date_notes,
    Kind.OUTCOME: _outcome_notes,
    Kind.FLAG: _flag_notes,
}


def _sponsor_notes(event: Event, rates: BaseRates, sponsor: str | None) -> Iterator[ContextNote]:
    past = rates.sponsors.get(sponsor or "")
    if past is None:
        return
    stop = event.after if event.inputs.get("step") == "stopped" else None
    if event.kind is Kind.STATUS and stop:
        rate, said, counts = RateId.SPONSOR_TERMINATED, "were terminated", past.terminated
        if stop == "WITHDRAWN":
            rate, said, counts = RateId.SPONSOR_WITHDRAWN, "were withdrawn", past.withdrawn
        yield from _of_sponsor(
            rate, (counts, past.trials), f"stored trials of this sponsor {said}", rates
        )
    elif event.kind is Kind.PRIMARY_COMPLETION_DATE and (event.days or 0) > 0:
        said = f"trials of this sponsor moved primary completion {SLIP_DAYS} days or more later"
        yield from _of_sponsor(RateId.SPONSOR_SLIPPED, (past.slipped, past.dated), said, rates)


def _of_sponsor(
    rate: RateId, share: tuple[int, int], said: str, rates: BaseRates
) -> Iterator[ContextNote]:
    count, n = share
    if n >= FEWEST_TRIALS:
        window, percent = rates.sponsors_window, round(count / n * 100, 1)
        made = BaseRate(rate, percent, n, count, window, OWN_SOURCE, None, None, None)
        yield ContextNote(f"{count:,} of {n:,} {said} ({window})", (made,))


def _shares(rates: BaseRates, rate: RateId, said: str) -> Iterator[ContextNote]:
    """Yield one note with the share in each window: "51.6 % of 1,475 … (…); 56.5 % of …"."""
    found = rates.get(rate, ())
    if found:
        first, *others = found
        parts = [f"{_share(first)} {said}{_window(first)}"]
        parts += [f"{_share(one)}{_window(one)}" for one in others]
        yield ContextNote("; ".join(parts), found)


def _share(rate: BaseRate) -> str:
    return f"{rate.percent:.1f} % of {rate.n:,}"


def _window(rate: BaseRate) -> str:
    days = f"; median {counted(rate.median_days, 'day')}" if rate.median_days is not None else ""
    return f" ({rate.window}{days})"
