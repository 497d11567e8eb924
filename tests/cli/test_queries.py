"""Watches with a query: adding, listing and syncing them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from tests.cli.conftest import SEED, Shell, below_header
from tests.registry_fixtures import make_study
from tests.replay import faults
from tests.replay.registry_server import ReplayRegistry

OTHER = "NCT05935098"
STATUS = "protocolSection.statusModule.overallStatus"
COMPARED = (
    *("nct_id", "kind", "to_version", "level", "rule"),
    *("summary", "before", "after", "observed"),
)


def test_a_query_is_followed_and_trials_that_leave_it_are_reported(
    shell: Shell, registry: ReplayRegistry
) -> None:
    result = shell.run("watch", "add", "--name", "open", "--query", "overallStatus=RECRUITING")
    assert "following overallStatus=RECRUITING in watch open: 2 trials match now" in result.stderr
    assert shell.json("watch", "list", "--json")[0]["query"] == {
        "filter.overallStatus": "RECRUITING"
    }
    assert "not listed yet" in shell.run("watch", "list").stdout
    shell.run("sync")
    assert "2 matching, 0 left" in shell.run("watch", "list").stdout
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "UNKNOWN"})
    assert f"notable\t{SEED}\tstatus -> Unknown; left watch open\t" in shell.run("sync").stdout
    assert "\tnotable\tR-WAT-02\tNo longer matches" in shell.run("changes").stdout
    (left,) = shell.json("changes", "--kind", "left", "--json")
    assert (left["kind"], left["nct_id"], left["before"]) == ("left", SEED, "open")
    assert "1 matching, 1 left" in shell.run("watch", "list").stdout
    shown = shell.rows("watch", "show", "open")
    titled = f"left 2026-02-03\tA trial called {SEED}"
    assert shown[0] == f"{SEED}\tUnknown\tPhase 2\tA sponsor\t{titled}"
    assert shown[1].startswith(f"{OTHER}\tRecruiting\t")
    assert "\tby query since 2026-02-02\t" in shown[1]
    assert "status -> Unknown; left watch open" in shell.run("history", SEED).stdout
    drawn = shell.run("timeline", SEED).stdout
    assert drawn.rstrip().endswith("watched queries\n  on   2026-02-03  left open")
    assert shell.json("timeline", SEED, "--json")["queries"] == [
        {"day": "2026-02-03", "watch": "open", "entered": False}
    ]
    report = shell.run("report", "--since", "all").stdout
    assert f"notable   {SEED}  " in report
    assert "\n                         status -> Unknown; left watch open\n" in report
    assert "No longer matches the query of watch" in report
    shell.run("check")
    shell.run("check", "--rebuild-events")


def test_a_change_within_a_load_is_reported_as_the_reason_for_leaving(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", "--name", "open", "--query", "overallStatus=RECRUITING")
    shell.run("sync")
    registry.catalogue.edit(SEED, {STATUS: "COMPLETED"})
    shell.run("sync")
    (left,) = shell.json("changes", "--kind", "left", "--json")
    assert ": Status Recruiting -> Completed" in left["summary"]


def test_a_preview_shows_what_matches_and_stores_nothing(shell: Shell, tmp_path: Path) -> None:
    result = shell.run("watch", "add", "--query", "cond=nothing", "--preview")
    assert "cond=nothing: no trial matches now" in result.stderr
    assert result.stdout == ""
    result = shell.run("watch", "add", SEED, "--query", "term=called", "--preview")
    header, *lines = result.stdout.splitlines()
    assert lines.pop(1) == header  # one table of the trials named, one of those that match
    assert lines == [
        f"{SEED}\tRecruiting\tA sponsor\tA trial called {SEED}",
        *sorted(
            (f"{n}\tRecruiting\tA sponsor\tA trial called {n}" for n in (SEED, OTHER)),
            key=lines[1:].index,
        ),
    ]
    assert "term=called: 2 trials match now, 2 shown" in result.stderr
    preview = shell.json("watch", "add", "--query", "term=called", "--preview", "--json")
    assert preview["matches"] == 2
    assert not (tmp_path / "ctsync.db").exists()
    refused = shell.refuse("watch", "add", SEED, "--preview", "--sync", exit_code=2)
    assert "--preview stores nothing" in refused


def test_a_wrong_query_is_refused_before_any_request(
    shell: Shell, registry: ReplayRegistry
) -> None:
    for pair, problem in (
        ("overallStatus=recruiting", "did you mean RECRUITING?"),
        ("condition=asthma", "did you mean cond?"),
        ("cond", "write KEY=VALUE"),
        ('cond="open', "without a closing one"),
        ("term=NCT03389919", "ignores every filter"),
    ):
        assert problem in shell.refuse("watch", "add", "--query", pair, exit_code=2)
    assert registry.requests == []


def test_a_query_part_without_its_option_is_refused(shell: Shell) -> None:
    result = shell.refuse(
        *("watch", "add", "--query", "term=called", "overallStatus=RECRUITING"), exit_code=2
    )
    assert "write --query before each KEY=VALUE" in result


def test_a_query_refused_by_the_registry_is_reported_with_its_text(shell: Shell) -> None:
    result = shell.refuse("watch", "add", "--query", "advanced=AREA[Nowhere]x", exit_code=2)
    assert "Unknown area name: 'Nowhere'" in result


def test_sponsors_and_conditions_are_found_by_name_with_any_characters(
    shell: Shell, registry: ReplayRegistry
) -> None:
    study = make_study("NCT00000007")
    sponsor = {"leadSponsor": {"name": 'Acme (OR) "Trials" AND [Sons]', "class": "OTHER"}}
    study["protocolSection"]["sponsorCollaboratorsModule"] = sponsor
    study["protocolSection"]["conditionsModule"] = {"conditions": ["Graft Failure"]}
    registry.catalogue.publish(study)
    found = shell.run(
        *("watch", "add", "--name", "acme", "--sponsor", 'Acme (OR) "Trials" AND [Sons]'),
        *("--condition", "graft failure", "--preview"),
    )
    (line,) = below_header(found.stdout)
    assert line.startswith("NCT00000007\t")
    assert "1 trial matches now" in found.stderr


def test_a_query_can_be_taken_from_another_watch_and_narrowed(
    shell: Shell, registry: ReplayRegistry
) -> None:
    registry.catalogue.publish(make_study("NCT00000007", overallStatus="COMPLETED"))
    shell.run("watch", "add", "--name", "all", "--query", "term=called")
    shell.run("watch", "add", "--name", "open", "--from", "all",
              "--query", "overallStatus=COMPLETED")  # fmt: skip
    queries = {one["name"]: one["query"] for one in shell.json("watch", "list", "--json")}
    assert queries["open"] == {"query.term": "called", "filter.overallStatus": "COMPLETED"}
    assert "no watch 'none' has a query" in shell.refuse("watch", "add", "--from", "none",
                                                         exit_code=2)  # fmt: skip
    assert "has another query" in shell.refuse("watch", "add", "--name", "all", "--query",
                                               "term=x", exit_code=2)  # fmt: skip


def test_a_query_of_the_settings_file_is_followed_together_with_named_trials(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    (tmp_path / "ctsync.toml").write_text(
        f'[[watches]]\nname = "mine"\ntrials = ["{SEED}"]\n'
        'query = { term = "called", overallStatus = ["COMPLETED", "TERMINATED"] }\n'
    )
    registry.catalogue.publish(make_study("NCT00000007", overallStatus="COMPLETED"))
    dry = shell.run("sync", "--dry-run")
    assert "checked 2 of 2 trials" in dry.stderr
    shell.run("sync")
    shown = shell.rows("watch", "show", "mine")
    assert [line.split("\t")[0] for line in shown] == ["NCT00000007", SEED]
    registry.catalogue.advance()
    registry.catalogue.edit("NCT00000007", {STATUS: "RECRUITING"})
    registry.catalogue.edit(OTHER, {STATUS: "TERMINATED"})
    dry = shell.run("sync", "--dry-run")
    assert "NCT00000007\tstatus -> Recruiting; left watch mine\t" in dry.stdout
    assert f"{OTHER}\tentered watch mine\t" in dry.stdout
    before = shell.json("watch", "list", "--json")
    assert before == shell.json("watch", "list", "--json")
    shell.run("sync")
    assert "2 matching" not in shell.run("watch", "list").stdout
    assert "1 matching, 1 left" in shell.run("watch", "list").stdout


def test_an_incomplete_listing_is_reported_and_exits_with_3(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", "--name", "open", "--query", "overallStatus=RECRUITING")
    shell.run("sync")
    registry.catalogue.advance()
    registry.faults.add(faults.body(b'{"studies":[]}'), path="/v2/studies", times=3)
    result = shell.run("sync", exit_code=3).stderr
    problem = "the registry did not send the number of studies"
    assert f"watch open could not be listed: {problem}" in result
    registry.faults.add(faults.emptied(), path="/v2/studies", times=3)
    found = orjson.loads(shell.run("sync", "--json", exit_code=3).stdout)
    assert found["listed"][0]["problem"].startswith("0 studies were listed")
    registry.faults.add(faults.emptied(), path="/v2/studies", times=3)
    assert "could not be listed" in shell.run("sync", "--dry-run", exit_code=3).stderr
    shell.run("sync")


def test_a_trial_cannot_be_removed_while_the_query_matches_it(shell: Shell) -> None:
    shell.run("watch", "add", "--name", "open", "--query", "overallStatus=RECRUITING")
    shell.run("sync")
    assert "would add it again" in shell.refuse("watch", "remove", "open", SEED, exit_code=2)
    shell.run("watch", "remove", "open")
    assert shell.json("watch", "list", "--json") == []


def test_adding_a_query_with_sync_fetches_the_matching_trials(shell: Shell) -> None:
    found = shell.json("watch", "add", "--name", "open", "--query", "overallStatus=RECRUITING",
                       "--sync", "--json")  # fmt: skip
    (resolved,) = found["resolved"]
    assert resolved == dict.fromkeys(resolved) | {
        "query": {"filter.overallStatus": "RECRUITING"},
        "watch": "open",
    }
    assert found["sync"]["new"] == 2


@pytest.mark.slow
def test_a_repair_keeps_the_entered_and_left_events(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    shell.run("watch", "add", "--name", "open", "--query", "overallStatus=RECRUITING")
    shell.run("sync")
    for day, status in enumerate(("UNKNOWN", "RECRUITING", "COMPLETED"), start=1):
        registry.catalogue.advance()
        registry.catalogue.edit(SEED, {STATUS: status})
        registry.catalogue.publish(make_study(f"NCT0000001{day}"))
        shell.run("sync")
    reported = shell.json("changes", "--json")
    kinds = [one["kind"] for one in reported]
    assert (kinds.count("left"), kinds.count("entered")) == (2, 4)
    with closing(sqlite3.connect(tmp_path / "ctsync.db")) as database, database:
        database.execute("DELETE FROM events WHERE kind = 'status'")
        database.execute("UPDATE bodies SET raw_size = 7")
        database.execute("UPDATE trials SET head_snapshot_id = 1")
    shell.run("check", exit_code=6)
    shell.run("check", "--repair")
    shell.run("check", "--rebuild-events")

    def by_step(events: list[dict[str, object]]) -> list[tuple[str, ...]]:
        return sorted(tuple(str(one[key]) for key in COMPARED) for one in events)

    assert by_step(shell.json("changes", "--json")) == by_step(reported)
    shell.run("sync")
    assert by_step(shell.json("changes", "--json")) == by_step(reported)
