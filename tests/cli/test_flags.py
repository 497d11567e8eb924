"""The command `flags`, and the flags of a trial in `show`."""

from __future__ import annotations

import html
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctsync.dates import SystemClock
from ctsync.model import NctId, RegistryVersion, Source
from ctsync.store.store import Store, open_store
from tests.cli.conftest import SEED, Shell
from tests.conftest import StillClock
from tests.registry_fixtures import make_study
from tests.sync.histories import keep_history

DUE, STALE, PLAIN = "NCT00000001", "NCT00000002", "NCT00000003"
LOAD = datetime(2026, 2, 2, 9, 0, 5, tzinfo=UTC)
REGULATED = {"isFdaRegulatedDrug": True}


@pytest.fixture
def kept(migrated_sqlite_url: str) -> Iterator[Store]:
    """A database with a trial whose results are overdue, a stale one, and one without a flag."""
    dates = {"studyFirstSubmitDate": "2020-01-02", "startDateStruct": {"date": "2020-01-02"}}
    past = {name: {"date": "2024-10"} for name in ("primaryCompletionDateStruct",
                                                   "completionDateStruct")}  # fmt: skip
    due = make_study(DUE, oversightModule=REGULATED, overallStatus="COMPLETED", **dates | past)
    stale = make_study(
        STALE,
        sponsorCollaboratorsModule={"leadSponsor": {"name": "Example Pharma"}},
        statusVerifiedDate="2024-11",
        studyFirstPostDateStruct={"date": "2020-01-05"},
        **dates | past,
    )
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        for study in (due, stale, make_study(PLAIN)):
            keep_history(store, [study], source=Source.LIVE, with_events=False)
        with store.unit() as unit:
            for name, ids in (("default", (DUE, STALE, PLAIN)), ("other", (STALE,))):
                unit.watches.add(name)
                unit.watches.add_trials(name, dict.fromkeys(map(NctId, ids)), LOAD)
            unit.runs.set_load(unit.runs.begin("sync", LOAD), RegistryVersion("2.0.5", LOAD))
        yield store


@pytest.fixture
def flagged(
    kept: Store, migrated_sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """A shell on that database; its clock is ahead of the newest data, which decides the day."""
    assert kept.file
    later = datetime(2026, 12, 1, tzinfo=UTC)
    monkeypatch.setattr(SystemClock, "now", lambda _: later)
    monkeypatch.chdir(tmp_path)
    return Shell({"CTSYNC_DATABASE_URL": migrated_sqlite_url, "HOME": str(tmp_path)})


def listed(shell: Shell, *words: str) -> list[tuple[str, str]]:
    return [(one["nct_id"], one["flag"]) for one in shell.json("flags", *words, "--json")]


def test_flags_are_listed_for_the_day_of_the_newest_data(flagged: Shell) -> None:
    seen = flagged.run("flags")

    header, *rows = seen.stdout.splitlines()
    assert header == "TRIAL\tSINCE\tFLAG\tWHAT\tTITLE"
    assert [row.split("\t")[:3] for row in rows] == [
        [DUE, "2025-11-01", "results_due"],
        [DUE, "2025-11-01", "results_overdue"],
        [STALE, "2025-12-01", "verification_stale"],
        [STALE, "2024-11-01", "open_past_completion"],
        [STALE, "2024-11-01", "recruiting_past_primary_completion"],
    ]
    assert seen.stderr == "5 flags on 2 of 3 trials, as of 2026-02-02\n"


def test_the_json_of_a_flag_has_words_inputs_and_source(flagged: Shell) -> None:
    (one,) = flagged.json("flags", "--flag", "results_overdue", "--json")

    assert one["state"] == "true"
    assert (one["since"], one["as_of"]) == ("2025-11-01", "2026-02-02")
    assert one["words"].startswith(
        "no results posted or in review; due 2025-10-31 by the rule of 42 CFR"
    )
    assert (one["inputs"]["due"], one["inputs"]["due_by_tracker"]) == ("2025-10-31", "2025-11-30")
    assert (one["inputs"]["class"], one["sponsor"]) == ("ACT", "A sponsor")
    assert one["source"] == "42 CFR 11.44, as the FDAAA TrialsTracker applies it"


def test_flags_are_filtered(flagged: Shell) -> None:
    assert {trial for trial, _ in listed(flagged, "--watch", "other")} == {STALE}
    assert {trial for trial, _ in listed(flagged, "--sponsor", "pharma")} == {STALE}
    assert {trial for trial, _ in listed(flagged, DUE)} == {DUE}
    assert listed(flagged, DUE, "--watch", "other") == []
    assert listed(flagged, "--since", "2025-12-01") == [(STALE, "verification_stale")]
    assert len(listed(flagged, "--since", "all")) == 5
    two = ("--flag", "results-due", "--flag", "open_past_completion")
    assert listed(flagged, *two) == [(DUE, "results_due"), (STALE, "open_past_completion")]


def test_a_wrong_filter_is_refused_in_one_line(flagged: Shell) -> None:
    refused = flagged.refuse("flags", "--flag", "results_overdu", exit_code=2)
    assert "there is no flag 'results_overdu'; did you mean results_overdue?" in refused
    assert "there is no watch" in flagged.refuse("flags", "--watch", "x", exit_code=2)
    assert "no followed trial" in flagged.refuse("flags", "--sponsor", "zz", exit_code=2)
    assert "no version of NCT00000099" in flagged.refuse("flags", "NCT00000099", exit_code=2)


def test_all_lists_flags_that_are_not_known(flagged: Shell) -> None:
    (one,) = flagged.json("flags", PLAIN, "--all", "--json")

    assert (one["flag"], one["state"], one["since"]) == (
        "retroactively_prospective", "not_known", None,
    )  # fmt: skip
    assert f"{PLAIN}\t-\tretroactively_prospective (not_known)\t" in (
        flagged.run("flags", PLAIN, "--all").stdout
    )


def test_a_start_that_moved_across_the_registration_is_found(flagged: Shell, kept: Store) -> None:
    days = ("2020-01", "2020-01", "2020-04", "2020-05", "2020-05")
    versions = [
        make_study(
            SEED,
            startDateStruct={"date": start},
            studyFirstSubmitDate="2020-03-01",
            lastUpdatePostDateStruct={"date": f"2021-0{number + 1}-01"},
        )
        for number, start in enumerate(days)
    ]
    for source, trial_versions in ((Source.HISTORY, versions), (Source.LIVE, versions[2:])):
        for one in trial_versions:
            one["protocolSection"]["identificationModule"]["nctId"] = (
                SEED if source is Source.HISTORY else "NCT05935098"
            )
        keep_history(kept, trial_versions, source=source, with_events=False)

    (moved,) = flagged.json("flags", SEED, "--flag", "retroactively_prospective", "--all", "--json")
    assert (moved["state"], moved["since"]) == ("true", "2021-03-01")
    (unknown,) = flagged.json(
        "flags", "NCT05935098", "--flag", "retroactively_prospective", "--all", "--json"
    )
    assert unknown["state"] == "not_known"


def test_a_record_that_cannot_be_read_does_not_hide_the_others(flagged: Shell, kept: Store) -> None:
    assert kept.file
    with sqlite3.connect(kept.file) as database:
        database.execute(
            "UPDATE bodies SET data = x'00' WHERE digest IN "
            "(SELECT digest FROM snapshots WHERE nct_id = ?)",
            (DUE,),
        )
    database.close()

    seen = flagged.run("flags")
    assert [row.split("\t")[0] for row in seen.stdout.splitlines()[1:]] == [STALE] * 3
    assert f"the record of {DUE} cannot be read; see: ctsync check" in seen.stderr


def test_show_lists_the_flags_of_a_trial(flagged: Shell) -> None:
    shown = flagged.run("show", DUE).stdout

    lines = [line.split(None, 1)[1] for line in shown.splitlines() if line.startswith("Flag:")]
    assert [line.partition(":")[0] for line in lines] == [
        "results_due since 2025-11-01",
        "results_overdue since 2025-11-01",
    ]
    assert "Flag:" not in flagged.run("show", PLAIN).stdout
    assert "Flag:" not in flagged.run("show", DUE, "--field", "overallStatus").stdout


def test_show_gives_the_flags_of_the_day_asked_for(flagged: Shell, kept: Store) -> None:
    first, last = (
        make_study(
            SEED,
            overallStatus=status,
            completionDateStruct={"date": "2021-06"},
            primaryCompletionDateStruct={"date": "2021-06"},
            lastUpdatePostDateStruct={"date": posted},
        )
        for status, posted in (("RECRUITING", "2021-01-01"), ("COMPLETED", "2022-01-01"))
    )
    keep_history(kept, [first, last])

    assert "Flag:" not in flagged.run("show", SEED, "--as-of", "2021-06-30").stdout
    assert "open_past_completion since 2021-07-01" in (
        flagged.run("show", SEED, "--as-of", "2021-07-01").stdout
    )
    assert "Flag:" not in flagged.run("show", SEED, "--version", "1").stdout
    assert "open_past" not in flagged.run("show", SEED).stdout


def test_a_forecast_lists_results_that_will_be_due(
    flagged: Shell, kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda _: LOAD)
    ended = {"overallStatus": "COMPLETED", "completionDateStruct": {"date": "2025-05-01"}}
    soon = ended | {"primaryCompletionDateStruct": {"date": "2025-03-14"}}
    in_review = {"derivedSection": {"miscInfoModule": {"submissionTracking": {
        "submissionInfos": [{"releaseDate": "2026-01-05"}]}}}}  # fmt: skip
    certified = soon | {"dispFirstSubmitDate": "2026-01-01"}
    submitted = soon | {"resultsFirstSubmitDate": "2026-01-01"}
    values = {"11": (soon, {}), "12": (soon, in_review), "13": (certified, {}),
              "14": (submitted, {})}  # fmt: skip
    ids = [NctId(f"NCT000000{number}") for number in values]
    for nct_id, (status, sections) in zip(ids, values.values(), strict=True):
        study = make_study(nct_id, oversightModule=REGULATED, **status) | sections
        keep_history(kept, [study], source=Source.LIVE, with_events=False)
    with kept.unit() as unit:
        unit.watches.add_trials("default", dict.fromkeys(ids), LOAD)

    one, reviewed, sent = flagged.json("forecast", "--what", "results_due", "--json")
    assert (one["nct_id"], one["what"], one["on"]) == (ids[0], "results_due", "2026-03-15")
    assert one["why"] == "42 CFR 11.44 counts from completion 2025-03-14; none submitted"
    assert one["rule"] == "42 CFR 11.44, as the FDAAA TrialsTracker applies it"
    for other, nct_id in ((reviewed, ids[1]), (sent, ids[3])):
        assert (other["nct_id"], other["on"]) == (nct_id, "2026-03-15")
        assert other["why"].endswith("; submitted, not posted")
    later = flagged.json("forecast", "--within", "all", "--json")
    assert [(row["nct_id"], row["on"]) for row in later if row["what"] == "results_due"] == [
        (ids[0], "2026-03-15"),
        (ids[1], "2026-03-15"),
        (ids[3], "2026-03-15"),
        (ids[2], "2028-04-14"),
    ]
    seen = flagged.run("forecast", "--what", "results_due")
    assert seen.stdout.splitlines()[1].split("\t")[3:5] == ["41 days", "results due"]
    assert "3 will have results due" in seen.stderr
    assert flagged.json("flags", ids[0], "--flag", "results_due", "--json") == []


def test_the_page_of_a_trial_lists_its_flags(flagged: Shell, kept: Store) -> None:
    page = html.unescape(flagged.run("page", DUE, "--output", "-").stdout)

    assert (
        "<li><b>Results overdue</b> since 2025-11-01: no results posted or in review; due " in page
    )
    assert "(42 CFR 11.44, as the FDAAA TrialsTracker applies it)" in page
    assert "context: 36.2 % of 4,209 trials with results due had submitted none" in page
    assert "Facts about the record on 2026-02-02, not a judgement of the trial" in page
    assert "<h2>Flags</h2>" not in flagged.run("page", PLAIN, "--output", "-").stdout
