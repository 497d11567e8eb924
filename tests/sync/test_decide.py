"""Decisions on an answer, for every state of a trial."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ctsync.errors import EdgeRefused
from ctsync.model import Absent, Failed, Head, NctId, Observation, Record, State
from ctsync.sync.decide import (
    Changed,
    First,
    Gone,
    Missing,
    Moved,
    NotChecked,
    Returned,
    Same,
    Seen,
    StillAway,
    decide,
)

TRIAL = NctId("NCT03389919")
OTHER = NctId("NCT01203436")
LOAD = datetime(2026, 3, 13, 9, 0, 5, tzinfo=UTC)
EARLIER = LOAD - timedelta(days=1)


def record(digest: str = "1:aa", nct_id: NctId = TRIAL) -> Record:
    return Record(nct_id=nct_id, body={}, canonical=b"{}", digest=digest)


def seen(digest: str = "1:aa", *, asked_as: NctId = TRIAL, nct_id: NctId = TRIAL) -> Seen:
    return Seen(Observation(nct_id, asked_as, {}, LOAD, LOAD), record(digest, nct_id))


def head(digest: str | None = "1:aa", state: State = State.PRESENT, **more: object) -> Head:
    return Head(TRIAL, 7, 3, digest, state, **more)  # type: ignore[arg-type]  # any of the other fields


ABSENT = Absent(TRIAL, "NCT number NCT03389919 not found", LOAD, LOAD)


def test_the_first_record_of_a_trial_is_a_baseline() -> None:
    assert decide(None, seen()) == First(record(), awaited=False)


def test_the_first_record_of_a_trial_the_registry_did_not_know_is_awaited() -> None:
    assert decide(None, seen(), awaited=True) == First(record(), awaited=True)


def test_an_equal_digest_is_the_same_record() -> None:
    assert decide(head(), seen()) == Same(head(), recovered=False)


def test_another_digest_is_a_change() -> None:
    assert decide(head(), seen("1:bb")) == Changed(head(), record("1:bb"))


def test_a_trial_absent_from_one_load_is_only_missing() -> None:
    assert decide(head(), ABSENT) == Missing(head())


def test_the_same_load_requested_twice_does_not_confirm_an_absence() -> None:
    assert decide(head(absent_since=LOAD), ABSENT) == Missing(head(absent_since=LOAD))


def test_a_trial_absent_from_a_second_load_is_gone() -> None:
    assert decide(head(absent_since=EARLIER), ABSENT) == Gone(head(absent_since=EARLIER))


def test_a_missing_trial_that_is_found_again_is_the_same_and_recovered() -> None:
    assert decide(head(absent_since=EARLIER), seen()) == Same(
        head(absent_since=EARLIER), recovered=True
    )


def test_a_gone_trial_that_is_found_again_has_returned_even_if_unchanged() -> None:
    gone = head(None, State.GONE)
    assert decide(gone, seen()) == Returned(gone, record())


def test_a_gone_trial_that_is_still_absent_is_still_away() -> None:
    gone = head(None, State.GONE)
    assert decide(gone, ABSENT) == StillAway(gone)


def test_an_id_answered_with_another_trial_has_moved_to_it() -> None:
    assert decide(head(), seen(nct_id=OTHER)) == Moved(head(), OTHER)


def test_an_id_already_known_to_have_moved_is_still_away() -> None:
    moved = head(None, State.MOVED, moved_to=OTHER)
    assert decide(moved, seen(nct_id=OTHER)) == StillAway(moved, OTHER)


def test_a_moved_trial_that_moves_again_has_moved() -> None:
    moved = head(None, State.MOVED, moved_to=NctId("NCT00000001"))
    assert decide(moved, seen(nct_id=OTHER)) == Moved(moved, OTHER)


def test_a_trial_whose_request_failed_is_not_checked() -> None:
    failed = Failed(TRIAL, EdgeRefused("403"))
    for known in (None, head(), head(absent_since=EARLIER), head(None, State.GONE)):
        assert decide(known, failed) == NotChecked(failed)


def test_an_absent_trial_without_stored_versions_is_missing_without_a_head() -> None:
    assert decide(None, ABSENT) == Missing(None)
