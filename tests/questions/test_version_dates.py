"""Which version was current on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from ctsync.errors import UnknownVersion
from ctsync.model import KeyFields, NctId, Source, State, Version
from ctsync.questions.trial.version_dates import (
    NotKnown,
    NotRegistered,
    find_version,
    stands_from,
    version_on,
)
from ctsync.store.store import Store
from tests.record.reconstructed import studies
from tests.sync.histories import keep_history

TRIAL = NctId("NCT03389919")


def version(number: int, posted: str | None, observed: str | None = None) -> Version:
    seen = datetime.fromisoformat(observed).replace(tzinfo=UTC) if observed else None
    return Version(
        snapshot_id=number, nct_id=TRIAL, version=number, registry_version=None,
        source=Source.LIVE, state=State.PRESENT, digest=f"1:{number}", posted=posted,
        submitted=posted, observed=seen, fetched=datetime(2026, 1, 1, tzinfo=UTC),
        key=KeyFields(first_posted="2018-01-04"),
    )  # fmt: skip


# the reference trial: posted once, then made UNKNOWN by the registry without a new date
SEED = [
    version(1, "2018-01-04", "2018-01-05T09:00:05"),
    version(2, "2018-01-04", "2023-01-03T09:00:05"),
    version(3, "2024-05-20", "2024-05-21T09:00:05"),
]


def test_a_version_counts_from_its_load_if_its_post_date_did_not_change() -> None:
    assert stands_from(SEED) == [date(2018, 1, 4), date(2023, 1, 3), date(2024, 5, 20)]


def test_as_of_finds_the_version_of_that_day() -> None:
    days = {"2018-01-04": 1, "2023-01-02": 1, "2023-01-03": 2, "2024-05-19": 2, "2026-01-01": 3}
    found = {day: version_on(SEED, date.fromisoformat(day)) for day in days}
    assert {day: v.version for day, v in found.items() if isinstance(v, Version)} == days


def test_before_the_first_posting_the_trial_was_not_registered() -> None:
    assert version_on(SEED, date(2018, 1, 3)) == NotRegistered("2018-01-04")


def test_a_day_between_registration_and_the_first_version_is_unknown() -> None:
    late = [version(1, "2020-06-01", "2020-06-02T09:00:05")]
    assert version_on(late, date(2019, 1, 1)) == NotKnown(date(2020, 6, 1))


def test_as_of_gives_the_documented_statuses_of_a_reconstructed_trial(store: Store) -> None:
    """The R package cthist documents these days and statuses of NCT02110043."""
    trial = keep_history(store, studies("NCT02110043"))
    versions = store.versions.of(trial)
    expected = {
        "2014-04-08": (0, "RECRUITING"),
        "2017-01-01": (4, "RECRUITING"),
        "2018-01-01": (6, "ACTIVE_NOT_RECRUITING"),
        "2022-01-01": (7, "COMPLETED"),
    }
    stood = {day: version_on(versions, date.fromisoformat(day)) for day in expected}
    assert {
        day: (one.registry_version, one.key.status)
        for day, one in stood.items()
        if isinstance(one, Version)
    } == expected
    assert version_on(versions, date(2014, 4, 7)) == NotRegistered("2014-04-08")


def test_backfilled_versions_have_the_order_of_the_registry() -> None:
    """Two versions of one day, then a live version that has no new post date."""
    numbered = [
        replace(version(number + 1, posted), registry_version=number, source=Source.HISTORY)
        for number, posted in enumerate(["2019-01-01", "2020-05-04", "2020-05-04", "2021-02-01"])
    ]
    unknown = version(5, "2021-02-01", "2023-03-01T09:00:05")
    versions = [*numbered, unknown]
    days = {"2020-05-04": 3, "2023-02-28": 4, "2023-03-01": 5}
    found = {day: version_on(versions, date.fromisoformat(day)) for day in days}
    assert {day: v.version for day, v in found.items() if isinstance(v, Version)} == days


def test_version_days_never_decrease_even_if_the_registrys_dates_do() -> None:
    odd = [version(1, "2020-06-01"), version(2, "2020-05-01"), version(3, "2020-07-01")]
    assert stands_from(odd) == [date(2020, 6, 1), date(2020, 6, 1), date(2020, 7, 1)]


def test_a_version_is_found_by_its_number_or_from_the_end_if_negative() -> None:
    assert find_version(SEED, 2).version == 2
    assert find_version(SEED, -1).version == 3


def test_an_unknown_version_number_is_refused_with_the_stored_numbers() -> None:
    with pytest.raises(UnknownVersion, match="stored: versions 1 to 3"):
        find_version(SEED, 4)


def test_a_trial_without_stored_versions_is_refused() -> None:
    with pytest.raises(UnknownVersion, match="no version of this trial is stored"):
        version_on([], date(2020, 1, 1))
