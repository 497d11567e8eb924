"""`watch list` has one row per watch, and `watch show` lists the trials of one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ctsync.model import NctId
from ctsync.store.store import open_store
from tests.cli.conftest import SEED, Shell
from tests.cli.terminal import at_a_terminal
from tests.conftest import StillClock
from tests.record.reconstructed import studies
from tests.registry_fixtures import make_study
from tests.sync.histories import keep_history

SINCE = datetime(2026, 2, 1, tzinfo=UTC)
MANY = [NctId(f"NCT{number:08}") for number in range(1, 601)]
STORED = "NCT03690141"


@pytest.fixture
def large(shell: Shell) -> Shell:
    """A shell with a watch over 601 trials, one of them stored, and a watch over one trial."""
    with open_store(str(shell.env["CTSYNC_DATABASE_URL"]), clock=StillClock()) as store:
        stored = keep_history(store, studies(STORED))
        with store.unit() as unit:
            unit.watches.add_trials("large", {**dict.fromkeys(MANY), stored: None}, SINCE)
            unit.watches.add_trials("one", {NctId(SEED): "BM-MSC-01"}, SINCE)
    return shell


def test_the_list_of_watches_has_one_row_per_watch(large: Shell) -> None:
    listed = large.run("watch", "list")
    lines = listed.stdout.splitlines()
    print(f"watch list: {len(lines) - 1} rows for 2 watches over 602 trials")
    assert lines == [
        "WATCH\tFROM\tTRIALS\tNOT FETCHED\tFOLLOWS",
        "large\tcli\t601\t600\tNCT00000001, NCT00000002, NCT00000003 and 598 more",
        f"one\tcli\t1\t1\t{SEED} (BM-MSC-01)",
    ]
    assert "2 watches, 602 trials" in listed.stderr
    assert "ctsync watch show NAME" in listed.stderr


def test_the_json_of_both_has_every_trial(large: Shell) -> None:
    (first, _) = large.json("watch", "list", "--json")
    assert len(first["trials"]) == 601
    assert large.json("watch", "show", "large", "--json") == first
    assert large.json("watch", "show", "large", "--limit", "1", "--json") == first


def test_a_watch_shows_its_first_trials_and_counts_the_others(large: Shell) -> None:
    shown = large.run("watch", "show", "large")
    assert len(shown.stdout.splitlines()) == 51
    assert "the first 50 of 601 trials: ctsync watch show large --all" in shown.stderr
    few = large.run("watch", "show", "large", "--limit", "2")
    assert "the first 2 of 601 trials" in few.stderr
    every = large.run("watch", "show", "large", "--all")
    (last,) = [line for line in every.stdout.splitlines() if line.startswith(STORED)]
    assert last.split("\t")[1:5] == ["Completed", "-", "-", "named"]
    assert "601 trials" in every.stderr
    assert "NCT00000600\tnot fetched yet\t-\t-\tnamed\t-" in every.stdout
    line = large.refuse("watch", "show", "large", "--all", "--limit", "2", exit_code=2)
    assert "not both" in line


@pytest.mark.slow
def test_the_title_of_a_trial_has_room_at_80_columns(shell: Shell) -> None:
    title = "Study of an Investigational Combination Therapy in Advanced Solid Tumors"
    study = make_study(SEED)
    study["protocolSection"]["identificationModule"]["briefTitle"] = title
    with open_store(str(shell.env["CTSYNC_DATABASE_URL"]), clock=StillClock()) as store:
        keep_history(store, [study])
        with store.unit() as unit:
            unit.watches.add_trials("one", {NctId(SEED): "BM-MSC-01"}, SINCE)
    seen = at_a_terminal(shell, "watch", "show", "one", columns=80)
    assert max(map(len, seen)) <= 80
    assert title[:20] in seen[1]
    assert "named as BM-MSC-01" in seen[1]
