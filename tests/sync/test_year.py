"""A year of loads: a new load alone is not a change, and a change needs no update date."""

from __future__ import annotations

import pytest

from ctsync.model import Kind, NctId
from tests.installation import BERT, Installation
from tests.registry_fixtures import make_study

pytestmark = pytest.mark.slow

TRIAL = NctId("NCT00000301")
DESIGN = "protocolSection.designModule.enrollmentInfo.count"


def followed(url: str) -> Installation:
    """One followed trial, with its baseline stored and reported."""
    here = Installation(url, watches={"all": [TRIAL]})
    here.catalogue.publish(make_study(TRIAL))
    here.round()
    here.received.clear()
    return here


@pytest.mark.parametrize(
    ("kind", "days"),
    [("sqlite", 365), ("postgres", 60), pytest.param("postgres", 365, marks=pytest.mark.soak)],
)
def test_new_loads_without_changes_report_nothing(
    request: pytest.FixtureRequest, kind: str, days: int
) -> None:
    here = followed(request.getfixturevalue(f"migrated_{kind}_url"))
    holders = set()
    for _ in range(days):
        here.catalogue.advance(1)
        here.clock.sleep(86_400)
        study = here.catalogue.view().study(TRIAL)
        assert study is not None
        holders.add(study["derivedSection"]["miscInfoModule"]["versionHolder"])
        assert here.round().is_whole
    versions = here.store.versions.of(TRIAL)
    events = [one for one in here.events() if one.event.kind is not Kind.FIRST_SEEN]
    print(
        f"noise: {len(holders)} days of another versionHolder, {len(versions)} snapshot, "
        f"{len(events)} events, {len(here.received)} messages"
    )
    # after a year, the verification is out of date: a change by time, reported once
    flags = [one for one in events if one.event.kind is Kind.FLAG]
    noise = [one for one in events if one.event.kind is not Kind.FLAG]
    of_flags = {one.event_id for one in flags}
    messages = [one for one in here.received if not of_flags.issuperset(one[2])]
    assert len(holders) == days
    assert (len(versions), noise, messages) == (1, [], [])
    assert [one.event.inputs["flag"] for one in flags] == ["verification_stale"] * (days >= 365)
    here.store.close()


def test_a_hundred_edits_without_an_update_date_are_found_and_reported(migrated_url: str) -> None:
    here = followed(migrated_url)
    for count in range(101, 201):
        here.catalogue.advance()
        here.clock.sleep(86_400)
        here.catalogue.edit(TRIAL, {DESIGN: count})
        here.round()
    versions = here.store.versions.of(TRIAL)
    found = [one.event.after for one in here.events() if one.event.kind is Kind.ENROLLMENT]
    reported = {event_id for to, _, events in here.received if to == BERT for event_id in events}
    print(f"edits without an update date: 100 made, {len(found)} found, {len(reported)} reported")
    assert len({version.posted for version in versions}) == 1
    assert found == list(range(101, 201))
    assert len(reported) == 100
    here.store.close()
