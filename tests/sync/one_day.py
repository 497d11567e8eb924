"""One simulated day of the registry for a mirror: the changes, and which step finds each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from ctsync.model import Kind, NctId, Verdict
from ctsync.sync.mirror.mirror import Mirror
from ctsync.sync.mirror.result import MirrorResult
from ctsync.sync.mirror.scan import FETCHED_AT_ONCE, SLIM_PAGE
from tests.replay.registry_server import ReplayRegistry

STATUS = "protocolSection.statusModule"
DAY, NEXT = "2026-10-05", "2026-10-06"
LONG_AGO = "2026-09-01"


@dataclass(frozen=True)
class Day:
    """The changes of one load, grouped by the step that can find them.

    `posted` and `registered` have a date in the delta's window. `quiet` were set to UNKNOWN by the
    registry, which changes no date, or posted so late that the window has passed. `withdrawn` are
    gone.
    """

    posted: frozenset[NctId]
    registered: frozenset[NctId]
    quiet: frozenset[NctId]
    withdrawn: frozenset[NctId]

    def __len__(self) -> int:
        return sum(map(len, (self.posted, self.registered, self.quiet, self.withdrawn)))


def let_a_day_pass(replay: ReplayRegistry, known: Sequence[NctId], new: Sequence[NctId]) -> Day:
    """Change one in a hundred of the `known` records; `new` are published already."""
    share = len(known) // 100
    moved = [known[number * 97 % len(known)] for number in range(share)]
    posted, quiet = moved[: share * 3 // 4], moved[share * 3 // 4 : share * 19 // 20]
    withdrawn = moved[share * 19 // 20 :]
    catalogue = replay.catalogue
    for number, nct_id in enumerate(posted):
        catalogue.edit(nct_id, {
            f"{STATUS}.lastUpdatePostDateStruct": {"date": DAY, "type": "ACTUAL"},
            f"{STATUS}.whyStopped": f"Reason {number}",
        })  # fmt: skip
    for number, nct_id in enumerate(quiet):
        late = {"date": LONG_AGO, "type": "ACTUAL"}
        unknown = {
            f"{STATUS}.overallStatus": "UNKNOWN",
            f"{STATUS}.lastKnownStatus": "ENROLLING_BY_INVITATION",
        }
        catalogue.edit(
            nct_id, unknown if number % 2 else {f"{STATUS}.lastUpdatePostDateStruct": late}
        )
    for nct_id in withdrawn:
        catalogue.withdraw(nct_id)
    return Day(frozenset(posted), frozenset(new), frozenset(quiet), frozenset(withdrawn))


def found_by(mirror: Mirror, result: MirrorResult) -> Counter[NctId]:
    """The trials with events of a run, and the number of events."""
    return Counter(stored.nct_id for stored in mirror.store.events.of_run(result.run_id))


def live_through(make: Callable[[], Mirror], replay: ReplayRegistry, day: Day, *, of: int) -> str:
    """Mirror the day by delta, by sweep and by the next load; return the requests in words.

    Each step must find every change it can find, and nothing else.
    """
    replay.forget_requests()
    mirror = make()
    delta = mirror.run()
    asked = {"delta": len(replay.requests)}
    assert (delta.steps, delta.verdict) == (["delta"], Verdict.OK)
    assert found_by(mirror, delta).keys() == day.posted | day.registered
    assert (delta.tally.changed, delta.tally.new) == (len(day.posted), len(day.registered))

    replay.forget_requests()
    sweep = mirror.run(sweep=True)
    asked["sweep"] = len(replay.requests)
    assert sweep.steps == ["sweep"]
    assert found_by(mirror, sweep).keys() == day.quiet
    assert set(sweep.missing) == day.withdrawn

    replay.load = NEXT
    replay.forget_requests()
    again = mirror.run(sweep=True)
    asked["the next"] = len(replay.requests)
    assert (again.steps, again.missing) == (["delta", "sweep"], ())
    found = mirror.store.events.of_run(again.run_id)
    assert {stored.nct_id for stored in found} == day.withdrawn
    assert {stored.event.kind for stored in found} == {Kind.GONE}

    near = len(day.posted | day.registered)
    least = {
        "delta": ceil(near / SLIM_PAGE) + ceil(near / FETCHED_AT_ONCE),
        "sweep": ceil(of / SLIM_PAGE) + ceil(len(day.quiet) / FETCHED_AT_ONCE),
    }
    return (
        f"{len(day):,} of {of:,} changed: delta found {near:,} of {near:,} with a new date in "
        f"{asked['delta']} requests (at least {least['delta']}), the sweep found "
        f"{len(day.quiet):,} of {len(day.quiet):,} others and {len(day.withdrawn):,} missing in "
        f"{asked['sweep']} (at least {least['sweep']}), which the next load confirmed in "
        f"{asked['the next']}; 0 other events"
    )
