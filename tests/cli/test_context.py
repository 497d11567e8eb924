"""Context beside changes: in every face, and switched off by the setting."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import SEED, Shell
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
