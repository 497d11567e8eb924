"""`backfill`, and the other commands with fetched registry history."""

from __future__ import annotations

import copy
import html
from typing import Any

import pytest

from ctsync.model import JsonObject
from tests.cli.conftest import SEED, Shell, below_header
from tests.registry_fixtures import make_study
from tests.replay import faults
from tests.replay.faults import EVERY_TIME
from tests.replay.registry_server import ReplayRegistry

OTHER = "NCT05935098"


def versions() -> list[JsonObject]:
    """Return three versions of the seed trial in the form of v2."""

    def posted(day: str, **changes: Any) -> JsonObject:
        return make_study(
            SEED,
            lastUpdateSubmitDate=day,
            lastUpdatePostDateStruct={"date": day, "type": "ACTUAL"},
            studyFirstPostDateStruct={"date": "2018-01-04", "type": "ACTUAL"},
            **changes,
        )

    first = posted("2018-01-04", overallStatus="NOT_YET_RECRUITING")
    stopped = posted("2020-03-30", overallStatus="SUSPENDED", whyStopped="The sponsor's funds")
    newest = posted("2021-06-09")
    newest["protocolSection"]["identificationModule"]["orgStudyIdInfo"]["id"] = "BM-MSC-01"
    return [first, stopped, newest]


def as_html(study: JsonObject) -> JsonObject:
    earlier = copy.deepcopy(study)
    del earlier["derivedSection"]
    status = earlier["protocolSection"]["statusModule"]
    if "whyStopped" in status:
        status["whyStopped"] = html.escape(status["whyStopped"])
    return earlier


@pytest.fixture
def with_history(registry: ReplayRegistry) -> ReplayRegistry:
    history = versions()
    registry.catalogue.publish(history[-1])
    registry.catalogue.set_history(SEED, [as_html(study) for study in history])
    return registry


@pytest.mark.slow
def test_the_history_is_fetched_and_every_command_uses_it(
    shell: Shell, with_history: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, OTHER, "--sync")
    assert "oldest stored version" in shell.refuse(
        "show", SEED, "--as-of", "2019-01-01", exit_code=2
    )
    ran = shell.run("backfill", SEED)
    assert below_header(ran.stdout) == [f"{SEED}\tcomplete\t3\t2\t1"]
    assert "fetched the history of 1 of 1 trial: 2 versions stored (5 requests)" in ran.stderr

    stored = shell.json("history", SEED, "--json")
    assert [
        (v["version"], v["registry_version"], v["source"], v["posted"], v["submitted"], v["status"])
        for v in stored
    ] == [
        (1, 0, "history", "2018-01-04", "2018-01-04", "NOT_YET_RECRUITING"),
        (2, 1, "history", "2020-03-30", "2020-03-30", "SUSPENDED"),
        (3, 2, "both", "2021-06-09", "2021-06-09", "RECRUITING"),
    ]
    urls = [v["url"].rpartition("?")[2] for v in stored]
    assert urls == [f"tab=history&a={n}" for n in (1, 2, 3)]
    assert stored[0]["observed"] is None
    assert "all 3 versions of the registry's own history" in shell.run("history", SEED).stderr

    shown = shell.run("show", SEED, "--as-of", "2020-12-31", "--field", "whyStopped").stdout
    assert shown == "The sponsor's funds\n"
    raw = shell.run("show", SEED, "--as-of", "2020-12-31", "--raw").stdout
    assert "The sponsor&#x27;s funds" in raw, "as the registry history has it"
    assert "not registered yet" in shell.refuse("show", SEED, "--as-of", "2017-01-01", exit_code=2)
    differing = shell.json("diff", SEED, "2020-12-31", "2021-12-31", "--json")
    assert {change["path"].rpartition(".")[2] for change in differing} == {
        "overallStatus", "whyStopped", "lastUpdateSubmitDate", "date", "id",
    }  # fmt: skip
    spells = shell.json("timeline", SEED, "--json")["spells"]
    assert [(one["status"], one["days"]) for one in spells[:2]] == [
        ("NOT_YET_RECRUITING", 816),
        ("SUSPENDED", 436),
    ]
    page = shell.run("page", SEED).stdout
    assert "The sponsor&#39;s funds" in page
    assert "&amp;amp;" not in page


def test_fetched_history_is_in_changes_but_not_in_the_report_of_this_week(
    shell: Shell, with_history: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    before = shell.run("report", "--since", "2026-01-01", "--format", "json").stdout
    shell.run("backfill", SEED)
    after = shell.run("report", "--since", "2026-01-01", "--format", "json").stdout
    assert "SUSPENDED" not in after
    assert after.count('"kind"') == before.count('"kind"')
    past = shell.json("changes", SEED, "--since", "2018-01-01", "--kind", "status", "--json")
    assert [(e["before"], e["after"], e["posted"], e["observed"]) for e in past] == [
        ("NOT_YET_RECRUITING", "SUSPENDED", "2020-03-30", None),
        ("SUSPENDED", "RECRUITING", "2021-06-09", None),
    ]
    lines = shell.rows("changes", SEED, "--kind", "status")
    assert [line.split("\t")[0] for line in lines] == ["2020-03-30", "2021-06-09"]
    assert shell.run("check", "--rebuild-events").stdout == ""


@pytest.mark.slow
def test_a_watch_can_be_added_with_its_history(shell: Shell, with_history: ReplayRegistry) -> None:
    added = shell.json("watch", "add", "BM-MSC-01", "--history", "--json")
    assert [one["nct_id"] for one in added["resolved"]] == [SEED]
    assert added["history"]["trials"] == [
        {
            "nct_id": SEED,
            "history": "complete",
            "listed": 3,
            "stored": 3,
            "seen_live": 0,
            "unfetched": 0,
            "error": None,
            "retry": None,
        }
    ]
    shell.run("sync")
    assert [v["source"] for v in shell.json("history", SEED, "--json")] == [
        "history",
        "history",
        "both",
    ]
    both = shell.json("watch", "add", OTHER, "--sync", "--history", "--json")
    assert set(both) == {"resolved", "sync", "history"}
    assert both["history"]["trials"][0]["history"] == "none"


@pytest.mark.slow
def test_if_the_edge_refuses_the_history_the_trial_is_followed_and_status_reports_it(
    shell: Shell, with_history: ReplayRegistry
) -> None:
    shell.env["CTSYNC_REGISTRY__HISTORY_TRANSPORT"] = "requests"
    with_history.faults.add(faults.edge_refusal(), path="/int/.*", times=EVERY_TIME)
    ran = shell.run("watch", "add", SEED, OTHER, "--sync", "--history", exit_code=4)
    assert f"{SEED}: history unavailable (403): " in ran.stderr
    assert "next try 20" in ran.stderr
    assert {t["nct_id"] for w in shell.json("watch", "list", "--json") for t in w["trials"]} == {
        SEED,
        OTHER,
    }
    assert "history unavailable (403): versions may be missing" in shell.run("history", SEED).stderr
    shell.run("sync")  # the history is not due yet
    histories = shell.json("status", "--json")["histories"]
    assert histories == {"unavailable (403)": 2, "not_requested": 0}
    assert "histories          unavailable (403) 2; next try 20" in shell.run("status").stdout


def test_a_sync_retries_the_histories_that_are_due(
    shell: Shell, with_history: ReplayRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    from ctsync.sync.history import trial_fetch

    monkeypatch.setattr(trial_fetch, "FIRST_RETRY", timedelta())
    with_history.faults.add(faults.status(503), path="/int/.*", times=2)
    shell.run("watch", "add", SEED, OTHER, "--history", exit_code=4)
    ran = shell.run("sync")
    assert "fetched the registry history of 2 trials: 2 complete, 2 versions stored" in ran.stderr
    assert shell.json("status", "--json")["histories"] == {
        "complete": 1,
        "none": 1,
        "not_requested": 0,
    }


def test_backfill_needs_trials_a_watch_or_all(shell: Shell, with_history: ReplayRegistry) -> None:
    assert "specify NCT ids, --watch NAME or --all" in shell.refuse("backfill", exit_code=2)
    assert "specify NCT ids, --watch NAME or --all" in shell.refuse(
        "backfill", SEED, "--all", exit_code=2
    )
    assert "no trial is watched yet" in shell.refuse("backfill", "--all", exit_code=2)
    assert "there is no watch 'mine'" in shell.refuse("backfill", "--watch", "mine", exit_code=2)
    shell.run("watch", "add", SEED, "--name", "mine")
    runs = [shell.json("backfill", *which, "--json") for which in (["--watch", "mine"], ["--all"])]
    assert [[t["stored"] for t in one["trials"]] for one in runs] == [[3], [0]]


@pytest.mark.slow
def test_an_empty_history_is_reported_in_words(shell: Shell, with_history: ReplayRegistry) -> None:
    empty = faults.body(b'{"changes":[]}')
    with_history.faults.add(empty, path=f"/int/studies/{OTHER}/history", times=EVERY_TIME)
    shell.run("watch", "add", SEED, OTHER, "--name", "mine", "--sync")
    ran = shell.run("backfill", "--all")
    assert below_header(ran.stdout)[1] == f"{OTHER}\tno versions\t0\t0\t0"
    assert "the registry's own history has no versions of it" in shell.run("history", OTHER).stderr
    assert f"registry history: no versions: {OTHER}" in shell.run("watch", "show", "mine").stderr
    shell.run("sync")
    assert "complete 1, no versions 1" in shell.run("status").stdout
    trials = shell.json("watch", "show", "mine", "--json")["trials"]
    assert {one["nct_id"]: one["history"] for one in trials} == {SEED: "complete", OTHER: "none"}


def test_trials_that_were_not_requested_take_one_line(
    shell: Shell, with_history: ReplayRegistry
) -> None:
    shell.env["CTSYNC_REGISTRY__HISTORY_TRANSPORT"] = "requests"
    with_history.faults.add(faults.edge_refusal(), path="/int/.*", times=EVERY_TIME)
    ids = [f"NCT0000000{n}" for n in range(1, 8)]
    ran = shell.run("backfill", *ids, exit_code=4)
    assert ran.stderr.count("history unavailable (403)") == 3
    (line,) = [line for line in ran.stderr.splitlines() if "not requested" in line]
    assert line.startswith("4 trials were not requested: the edge server of ")
