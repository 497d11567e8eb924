"""Context beside changes: in every face, and switched off by the setting."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ctsync.questions.portfolio.base_rates import SAVED_FROM, SAVED_RATES, SAVED_SPONSORS
from ctsync.store.store import open_store
from tests.cli.conftest import SEED, Shell
from tests.conftest import StillClock
from tests.replay.registry_server import ReplayRegistry

STATUS = "protocolSection.statusModule.overallStatus"
RATE = "51.6 % of 1,475 suspended trials restarted"


@pytest.fixture
def watched(shell: Shell, registry: ReplayRegistry) -> Shell:
    """The seed trial was suspended, and restarted."""
    shell.run("watch", "add", SEED)
    for status in ("RECRUITING", "SUSPENDED", "RECRUITING"):
        registry.catalogue.edit(SEED, {STATUS: status})
        shell.run("sync")
        registry.catalogue.advance()
    return shell


def save(shell: Shell, value: str, *, key: str = SAVED_RATES) -> None:
    url = str(shell.env["CTSYNC_DATABASE_URL"])
    with open_store(url, clock=StillClock()) as store, store.unit() as unit:
        unit.marks.set(key, value)


def faces(shell: Shell, folder: Path) -> dict[str, str]:
    """Return what each face shows, on one line."""
    shell.run("site", str(folder / "site"), "--since", "all")
    shown = {
        "text": shell.run("report", "--since", "all").stdout,
        "html": shell.run("report", "--since", "all", "--format", "html").stdout,
        "markdown": shell.run("report", "--since", "all", "--format", "markdown").stdout,
        "json": shell.run("report", "--since", "all", "--format", "json").stdout,
        "page": shell.run("page", SEED).stdout,
        "site": (folder / "site" / "days" / "last-30.html").read_text(encoding="utf-8"),
        "changes": shell.run("changes", "--json").stdout,
        "export": shell.run("export", "jsonl", "--what", "events").stdout,
        "csv": shell.run("report", "--since", "all", "--format", "csv").stdout,
        "atom": shell.run("report", "--since", "all", "--format", "atom").stdout,
        "feed of the site": (folder / "site" / "feed.atom").read_text(encoding="utf-8"),
        "table": shell.run("changes", "--context").stdout,
    }
    return {face: re.sub(r"\s+", " ", text) for face, text in shown.items()}


def test_each_face_shows_the_base_rate_of_a_suspension(watched: Shell, tmp_path: Path) -> None:
    shown = faces(watched, tmp_path)
    missing = [face for face, text in shown.items() if RATE not in text]
    print(f"context: {len(shown) - len(missing)} of {len(shown)} faces show the base rate")
    assert missing == []


def test_the_setting_removes_the_context_from_each_face(
    watched: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(watched.env, "CTSYNC_REPORTS__CONTEXT", "false")
    shown = faces(watched, tmp_path)
    assert [face for face, text in shown.items() if RATE in text] == []
    assert all(event["context"] == [] for event in json.loads(shown["changes"]))


def test_the_context_in_json_has_number_window_and_source(watched: Shell) -> None:
    (stop, restart) = watched.json("changes", SEED, "--kind", "status", "--json")
    assert restart["context"] == []
    rate = stop["context"][0]["rates"][0]
    assert (rate["id"], rate["percent"], rate["count"], rate["n"]) == (
        "suspended_restarted", 51.6, 761, 1475,
    )  # fmt: skip
    assert (rate["window"], rate["source"]) == (
        "2019-12 to 2022-11, without COVID-19",
        "ctcovidstop (CC BY 4.0)",
    )


def test_base_rates_are_counted_and_compared_with_the_published_ones(watched: Shell) -> None:
    rows = {row["id"]: row for row in watched.json("base-rates", "--json")}
    assert rows["terminated_reopened"]["own"] is None
    assert rows["terminated_reopened"]["published"][0]["n"] == 6216
    assert not any(row["is_own_preferred"] for row in rows.values())
    shown = watched.run("base-rates", "--save")
    assert shown.stderr.splitlines()[0].startswith("0 of 15 rates count 400 trials or more")
    assert watched.json("changes", SEED, "--kind", "status", "--json")[0]["context"]


def test_a_large_rate_of_your_own_replaces_the_published_one(watched: Shell) -> None:
    (row, *_) = watched.json("base-rates", "--json")
    own = {**row["published"][0], "n": 4000, "percent": 12.5}
    save(watched, json.dumps([own, {"id": "unknown"}]))
    shown = watched.run("report", "--since", "all").stdout
    assert "12.5 % of 4,000 suspended trials" in re.sub(r"\s+", " ", shown)
    assert RATE not in re.sub(r"\s+", " ", shown)


@pytest.mark.parametrize("damaged", ["{", "5", "[5]"])
def test_damaged_saved_rates_leave_the_published_ones(watched: Shell, damaged: str) -> None:
    save(watched, damaged)
    assert RATE in re.sub(r"\s+", " ", watched.run("report", "--since", "all").stdout)


def lines_of(shell: Shell, label: str) -> list[str]:
    return [
        line.removeprefix(label).strip()
        for line in shell.run("show", SEED).stdout.splitlines()
        if line.startswith(label)
    ]


@pytest.mark.slow
def test_a_suspended_trial_says_for_how_long_and_how_many_restarted(
    watched: Shell, registry: ReplayRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lines_of(watched, "Context:") == []
    registry.catalogue.edit(SEED, {STATUS: "SUSPENDED"})
    watched.run("sync")
    (said,) = lines_of(watched, "Context:")
    assert re.match(r"suspended for at least \d+ days?, recorded since 2026-", said)
    assert RATE in said
    watched.run("site", str(tmp_path / "site"), "--since", "all")
    pages = [
        watched.run("page", SEED).stdout,
        (tmp_path / "site" / "trials" / f"{SEED}.html").read_text(encoding="utf-8"),
    ]
    assert [said in page for page in pages] == [True, True]
    # a version that was replaced did not stand on one day only
    assert "Context:" not in watched.run("show", SEED, "--version", "2").stdout
    assert "Context:" in watched.run("show", SEED, "--as-of", "2026-12-01").stdout
    monkeypatch.setitem(watched.env, "CTSYNC_REPORTS__CONTEXT", "false")
    assert lines_of(watched, "Context:") == []
    assert "context: suspended" not in watched.run("page", SEED).stdout


@pytest.mark.slow
def test_saved_counts_of_a_sponsor_stand_beside_its_stops(watched: Shell) -> None:
    (stop, _) = watched.json("changes", SEED, "--kind", "status", "--json")
    assert not any("sponsor" in note["text"] for note in stop["context"])
    shown = watched.json("report", "--since", "all", "--format", "json")
    sponsor = shown["trials"][0]["sponsor"]
    counts = {"window": "versions up to 2026-11", "sponsors": {sponsor: [31, 4, 1, 12, 5]}}
    save(watched, "[]")
    save(watched, json.dumps(counts), key=SAVED_SPONSORS)
    (stop, _) = watched.json("changes", SEED, "--kind", "status", "--json")
    said = "4 of 31 stored trials of this sponsor were terminated (versions up to 2026-11)"
    assert stop["context"][-1]["text"] == said
    assert stop["context"][-1]["rates"][0]["n"] == 31
    assert said in re.sub(r"\s+", " ", watched.run("report", "--since", "all").stdout)


def test_base_rates_say_how_old_the_saved_ones_are(shell: Shell) -> None:
    shell.run("watch", "add", SEED)
    said = shell.run("base-rates", "--watch", "default").stderr.splitlines()
    assert said[1:] == ["counted in 0 trials; sponsors with 10 trials or more: 0"]
    refused = shell.refuse("base-rates", "--watch", "default", "--save", exit_code=2)
    assert "--save needs all trials: leave out --watch" in refused
    said = shell.run("base-rates", "--save").stderr.splitlines()
    assert said[2] == "saved 0 rates and the past of 0 sponsors"
    again = shell.run("base-rates").stderr.splitlines()[2]
    assert re.fullmatch(
        r"reports use the rates saved 0 days ago, on \d{4}-\d\d-\d\d, from 0 trials; now there are "
        r"0; to replace them: ctsync base-rates --save",
        again,
    )
    save(shell, "5", key=SAVED_FROM)
    assert "reports use" not in shell.run("base-rates").stderr
