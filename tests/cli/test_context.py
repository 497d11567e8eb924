"""Context beside changes: in every face, and switched off by the setting."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ctsync.questions.portfolio.base_rates import SAVED_RATES
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


def save(shell: Shell, rates: str) -> None:
    url = str(shell.env["CTSYNC_DATABASE_URL"])
    with open_store(url, clock=StillClock()) as store, store.unit() as unit:
        unit.marks.set(SAVED_RATES, rates)


def faces(shell: Shell, folder: Path) -> dict[str, str]:
    """Return what each face shows, on one line."""
    shell.run("site", str(folder / "site"), "--since", "all")
    shown = {
        "text": shell.run("report", "--since", "all").stdout,
        "html": shell.run("report", "--since", "all", "--format", "html").stdout,
        "markdown": shell.run("report", "--since", "all", "--format", "markdown").stdout,
        "json": shell.run("report", "--since", "all", "--format", "json").stdout,
        "page": shell.run("page", SEED).stdout,
        "site": (folder / "site" / "latest.html").read_text(encoding="utf-8"),
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
