"""`backfill --index-only` and `--labels`, and what the commands that read the past say then."""

from __future__ import annotations

import copy
import json
from typing import Any

import httpx
import pytest

import ctsync
from ctsync.model import JsonObject
from tests.cli.conftest import SEED, Shell, below_header
from tests.cli.test_backfill_command import as_html
from tests.conftest import StillClock
from tests.registry_fixtures import make_study
from tests.replay.registry_server import ReplayRegistry
from tests.web.server.conftest import running_server

DAYS = ("2018-01-04", "2019-03-12", "2020-05-20", "2020-11-02", "2021-06-09")
STATUSES = ("NOT_YET_RECRUITING", "RECRUITING", "SUSPENDED", "SUSPENDED", "RECRUITING")
COUNTS = (20, 20, 20, 30, 30)


def versions() -> list[JsonObject]:
    """Return five versions: the status changes in the second, third and fifth, the count once."""
    found = []
    for day, status, count in zip(DAYS, STATUSES, COUNTS, strict=True):
        study = make_study(
            SEED,
            overallStatus=status,
            lastUpdateSubmitDate=day,
            lastUpdatePostDateStruct={"date": day, "type": "ACTUAL"},
            studyFirstPostDateStruct={"date": "2018-01-04", "type": "ACTUAL"},
        )
        study["protocolSection"]["designModule"]["enrollmentInfo"]["count"] = count
        found.append(study)
    return found


@pytest.fixture
def listed(registry: ReplayRegistry) -> ReplayRegistry:
    history = versions()
    registry.catalogue.publish(copy.deepcopy(history[-1]))
    registry.catalogue.set_history(SEED, [as_html(study) for study in history])
    return registry


def test_the_index_shows_the_status_history_of_a_trial_without_a_stored_version(
    shell: Shell, listed: ReplayRegistry
) -> None:
    ran = shell.run("backfill", SEED, "--index-only")
    assert below_header(ran.stdout) == [f"{SEED}\tlisted\t5\t0\t0"]
    assert (
        f"5 versions of 1 trial are listed and not fetched; to see them: ctsync history {SEED}"
        in (ran.stderr)
    )
    assert "(1 request)" in ran.stderr
    table = shell.run("history", SEED)
    rows = [line.split("\t") for line in below_header(table.stdout)]
    assert [row[:2] for row in rows] == [[f"(v{n})", day] for n, day in enumerate(DAYS)]
    assert [row[3] for row in rows][:3] == ["Not yet recruiting", "Recruiting", "Suspended"]
    assert "listed, not fetched: Study Design, Study Status" in rows[3]
    assert "5 versions are listed by the registry and not fetched (v0-v4)" in table.stderr
    assert shell.json("history", SEED, "--json") == []
    rows = shell.json("history", SEED, "--listed", "--json")
    assert [(row["registry_version"], row["status"]) for row in rows] == [*enumerate(STATUSES)]
    assert rows[0]["url"].endswith("?tab=history&a=1")
    for command in (("show", SEED), ("timeline", SEED), ("diff", SEED)):
        line = shell.refuse(*command, exit_code=2)
        assert f"no version of {SEED} is stored; the registry lists 5" in line


@pytest.mark.slow
def test_a_followed_trial_has_the_listed_statuses_in_its_timeline_and_field_history(
    shell: Shell, listed: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    shell.run("backfill", "--all", "--index-only")
    spells = shell.json("timeline", SEED, "--json")
    assert [(one["status"], one["since"]) for one in spells["spells"]] == [
        ("NOT_YET_RECRUITING", DAYS[0]),
        ("RECRUITING", DAYS[1]),
        ("SUSPENDED", DAYS[2]),
        ("RECRUITING", DAYS[4]),
    ]
    assert spells["unfetched"] == 4
    assert [len(track["steps"]) for track in spells["dates"]] == [1] * len(spells["dates"])
    values = shell.json("history", SEED, "--field", "overall status", "--json")
    assert [
        (one["value"], one["from_version"], one["to_version"], one["listed"]) for one in values
    ] == [
        ("NOT_YET_RECRUITING", None, None, [0]),
        ("RECRUITING", None, None, [1]),
        ("SUSPENDED", None, None, [2, 3]),
        ("RECRUITING", 1, 1, []),
    ]
    table = shell.run("history", SEED, "--field", "overall status")
    assert [line.split("\t")[0] for line in below_header(table.stdout)] == [
        "(v0)", "(v1)", "(v2-v3)", "1",
    ]  # fmt: skip
    count = shell.run("history", SEED, "--field", "enrollment")
    assert len(below_header(count.stdout)) == 1
    assert "2 versions of them (v0, v3) may have changed this field" in count.stderr
    assert "4 versions are listed by the registry and not fetched (v0-v3)" in (
        shell.run("show", SEED).stderr
    )
    assert shell.json("status", SEED, "--json")[0]["unfetched"] == 4
    assert "Not fetched:           4 versions" in shell.run("status", SEED).stdout
    assert "are listed by the registry and not fetched (v0-v3)" in shell.run("page", SEED).stdout
    rows = below_header(shell.run("history", SEED).stdout)
    assert [row.split("\t")[0] for row in rows] == ["(v0)", "(v1)", "(v2)", "(v3)", "1"]
    assert shell.run("check").stdout == ""


@pytest.mark.slow
def test_labels_fetch_some_versions_and_answers_name_the_others(
    shell: Shell, listed: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    ran = shell.run("backfill", SEED, "--labels", "study design")
    assert below_header(ran.stdout) == [f"{SEED}\tlisted\t5\t2\t1"]
    assert [v["registry_version"] for v in shell.json("history", SEED, "--json")] == [0, 3, 4]
    gap = "between these versions, 2 versions are listed by the registry and not fetched (v1-v2)"
    assert gap in shell.run("diff", SEED, "1", "2").stdout
    assert gap in shell.run("diff", SEED, "1", "2", "--json").stderr
    assert "not fetched" not in shell.run("diff", SEED, "2", "3").stdout
    count = shell.run("history", SEED, "--field", "enrollment")
    assert len(below_header(count.stdout)) == 2
    assert "by the registry's list, none changed this field" in count.stderr
    record = shell.run("show", SEED, "--as-of", "2019-12-31")
    assert "(v1): the record on 2019-12-31 may differ in Study Status" in record.stderr
    assert "not fetched" not in shell.run("show", SEED, "--as-of", "2018-12-31").stderr
    ever = shell.run("find", "status=SUSPENDED", "--ever")
    assert "2 versions of 1 trial are listed by the registry and not fetched" in ever.stderr
    assert "not fetched" not in shell.run("find", "status=SUSPENDED").stderr
    full = shell.run("backfill", SEED)
    assert below_header(full.stdout) == [f"{SEED}\tcomplete\t5\t2\t0"]
    for words in (("history", SEED), ("diff", SEED, "1", "-1"), ("find", "nct!=none", "--ever")):
        done = shell.run(*words)
        assert "not fetched" not in done.stdout + done.stderr
    assert shell.json("history", SEED, "--listed", "--json") == []
    assert shell.run("check", "--rebuild-events").stdout == ""


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--labels", "Study Sttus"), "'Study Sttus' is not a module label of the registry; "),
        (("--labels", "Study Status,"), "'' is not a module label of the registry; the labels are"),
        (("--labels", "Oversight", "--index-only"), "specify --index-only or --labels, not both"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    shell: Shell, words: tuple[str, ...], error: str
) -> None:
    line = shell.refuse("backfill", SEED, *words, exit_code=2)
    assert error in line
    if "module label" in error:
        assert "Study Status, " in line
        assert "Outcome Measures (Results)" in line


def test_a_backfill_reports_the_versions_that_are_not_fetched_as_json(
    shell: Shell, listed: ReplayRegistry
) -> None:
    answer: Any = shell.json("backfill", SEED, "--index-only", "--json")
    (trial,) = answer["trials"]
    assert (trial["history"], trial["listed"], trial["unfetched"]) == ("listed", 5, 5)
    assert trial["retry"] is None


@pytest.mark.slow
def test_every_face_names_the_versions_that_are_listed_and_not_fetched(
    shell: Shell, listed: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    shell.run("backfill", SEED, "--labels", "Study Design")
    rows = shell.json("history", SEED, "--listed", "--json")
    assert [row["registry_version"] for row in rows] == [1, 2]
    words, url = "2 versions are listed", str(shell.env["CTSYNC_DATABASE_URL"])
    with (
        running_server(url, StillClock()) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        api, page = f"/api/v1/trials/{SEED}", f"/trials/{SEED}"
        assert client.get(f"{api}/listed").json()["rows"] == rows
        for question in ("versions", "compare?from=1&to=2", "fields?field=overall+status"):
            assert words in " ".join(client.get(f"{api}/{question}").json()["notes"]), question
        assert client.get(f"{api}/timeline").json()["unfetched"] == len(rows)
        for address in (page, f"{page}/compare?from=1&to=2"):
            assert words in client.get(address).text, address
        assert GAP.replace("->", "→") in client.get("/changes?from=2017-01-01").text
    with ctsync.open(url) as database:
        assert words in " ".join(database.versions(SEED).notes)
        assert len(list(database.listed_versions(SEED))) == len(rows)


GAP = "v0 -> v3 (2 versions between are not fetched)"


@pytest.mark.slow
def test_a_step_over_versions_that_are_not_fetched_is_named_wherever_changes_are_shown(
    shell: Shell, listed: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    shell.run("backfill", SEED, "--labels", "Study Design")
    spanned = [row for row in shell.json("changes", SEED, "--json") if row["to_version"] == 2]
    assert {row["unfetched"] for row in spanned} == {2}
    lines = shell.run("changes", SEED).stdout.splitlines()
    assert sum(GAP in line for line in lines) == len(spanned) > 0
    assert sum("not fetched" in line for line in lines) == len(spanned)
    asked = ("report", "--since", "2017-01-01", "--format")
    for form in ("text", "markdown", "html"):
        shown = " ".join(shell.run(*asked, form).stdout.replace("&gt;", ">").split())
        assert GAP in shown.replace("-\\>", "->"), form
    trial = json.loads(shell.run(*asked, "json").stdout)["trials"][0]
    assert [GAP in version["title"] for version in trial["versions"]].count(True) == 1
    assert GAP.replace("->", "→") in shell.run("page", SEED).stdout.replace("-&gt;", "→")
    shell.run("backfill", SEED)
    assert "not fetched" not in shell.run("changes", SEED).stdout
    assert {row["unfetched"] for row in shell.json("changes", SEED, "--json")} == {0}
