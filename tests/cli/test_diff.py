"""`ctsync diff` as a user runs it: which versions, which changes, which format."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest

from ctsync.pasted_url import versions_of
from ctsync.questions.schemas import schema
from tests.cli.conftest import SEED, Shell
from tests.cli.test_backfill_command import with_history
from tests.registry_fixtures import make_study
from tests.replay.registry_server import ReplayRegistry

__all__ = ["with_history"]  # a fixture

STATUS = "protocolSection.statusModule"
PAGE = f"https://clinicaltrials.gov/study/{SEED}?tab=history"


@pytest.fixture
def slipped(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A shell with three versions: a slip, then an administrative change."""
    shell.run("watch", "add", SEED, "--sync")
    study = make_study(SEED)
    for date, verified in (("2029-07", "2026-01"), ("2029-07", "2026-02")):
        registry.catalogue.advance()
        now = deepcopy(study)
        status = now["protocolSection"]["statusModule"]
        status["primaryCompletionDateStruct"]["date"] = date
        status["statusVerifiedDate"] = verified
        registry.catalogue.publish(now)
        shell.run("sync")
    return shell


def test_diff_shows_the_slip_with_its_size_and_the_versions(slipped: Shell) -> None:
    text = slipped.run("diff", SEED, "1", "2").stdout
    assert text.startswith(f"{SEED} A trial called {SEED}\n")
    assert "From version 1 (posted 2026-01-13) to version 2 (posted 2026-01-13)" in text
    assert "Primary Completion: 2027-06 (estimated) → 2029-07 (estimated); +2.1 years" in text
    assert "protocolSection" not in text


@pytest.mark.slow
def test_administrative_changes_are_shown_on_request(slipped: Shell) -> None:
    short = slipped.run("diff", SEED).stdout
    assert "Record Verification" not in short
    assert short.endswith(f"\n  ctsync diff {SEED} 2 3 --all\n")
    assert "Record Verification: 2026-01 → 2026-02" in slipped.run("diff", SEED, "--all").stdout
    assert "Record Verification" in slipped.run("diff", SEED, "--level", "administrative").stdout


def test_a_category_selects_in_every_format(slipped: Shell) -> None:
    assert slipped.json("diff", SEED, "1", "3", "--category", "dates", "--json")
    assert slipped.json("diff", SEED, "1", "3", "--category", "sites", "--format", "json") == []
    text = slipped.run("diff", SEED, "1", "3", "--category", "sites").stdout
    assert "Primary Completion:" not in text
    assert "not shown" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("1", "3"), ("1..3",), ("first", "last"), ("-3", "-1"), ("2026-02-02", "2026-02")]
)
def test_two_versions_have_many_names(slipped: Shell, words: tuple[str, ...]) -> None:
    assert slipped.run("diff", SEED, *words).stdout == slipped.run("diff", SEED, "1", "3").stdout


def test_a_text_that_names_no_version_is_refused(slipped: Shell) -> None:
    assert "write its number" in slipped.refuse("diff", SEED, "yesterday", exit_code=2)
    line = slipped.refuse("diff", SEED, "v0", exit_code=2)
    assert f"ctsync backfill {SEED}" in line


def test_a_pasted_compare_url_selects_the_registrys_versions(
    shell: Shell, with_history: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, "--sync", "--history")
    url = f"{PAGE}&a=1&b=3#version-content-panel"
    text = shell.run("diff", url).stdout
    assert "From version 1 (registry v0" in text
    assert "to version 3 (registry v2" in text
    assert shell.run("diff", SEED, "v0", "v2").stdout == text
    assert "version 2 (registry v1" in shell.run("diff", f"{PAGE}&a=2").stdout


def test_a_pasted_compare_url_without_history_says_what_is_compared(slipped: Shell) -> None:
    text = " ".join(slipped.run("diff", f"{PAGE}&a=1&b=4").stdout.split())
    assert "Versions 1 and 4 of the pasted page are not stored" in text
    assert "the last two stored versions" in text
    assert f"ctsync backfill {SEED}" in text
    assert "From version 2 (" in text
    assert "not stored" in slipped.run("diff", f"{PAGE}&a=1&b=4", "--json").stderr


@pytest.mark.parametrize(
    ("end", "versions"),
    [
        ("&a=1&b=4#version-content-panel", (0, 3)),
        ("&a=4&b=1", (0, 3)),
        ("&a=3", (1, 2)),
        ("&a=1", None),
        ("&a=x&b=0", None),
        ("", None),
    ],
)
def test_a_compare_url_counts_versions_from_1(end: str, versions: tuple[int, int] | None) -> None:
    assert versions_of(PAGE + end) == versions


def test_an_id_names_no_versions() -> None:
    assert versions_of(SEED) is None


def test_json_has_the_paths_and_keeps_its_schema(slipped: Shell) -> None:
    (change,) = slipped.json("diff", SEED, "1", "2", "--category", "dates", "--json")
    assert change["path"] == f"{STATUS}.primaryCompletionDateStruct.date"
    assert (change["label"], change["category"], change["days"]) == (
        "Primary Completion", "dates", 761,
    )  # fmt: skip
    assert set(change) == set(schema("field_change")["properties"])


@pytest.mark.slow
def test_html_and_markdown_are_written_to_a_file(slipped: Shell, tmp_path: Path) -> None:
    slipped.run("diff", SEED, "1", "2", "--format", "html", "--output", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    markdown = slipped.run("diff", SEED, "1", "2", "--format", "markdown").stdout
    assert "## Dates" in markdown


def at_a_terminal(shell: Shell, *words: str, **env: str) -> str:
    ours, theirs = pty.openpty()
    given = {**os.environ, **{k: v for k, v in shell.env.items() if v}, **env}
    done = subprocess.run(
        [sys.executable, "-m", "ctsync", *words], env=given, stdout=theirs, check=True
    )
    os.close(theirs)
    assert done.returncode == 0
    text = b""
    try:
        while block := os.read(ours, 65536):
            text += block
    except OSError:
        pass  # Linux reports the end of a terminal as an I/O error
    os.close(ours)
    return text.decode()


@pytest.mark.slow
def test_a_terminal_gets_colours_unless_no_color_is_set(slipped: Shell) -> None:
    assert "\x1b[" in at_a_terminal(slipped, "diff", SEED, "1", "2", TERM="xterm", NO_COLOR="")
    assert "\x1b[" not in at_a_terminal(slipped, "diff", SEED, "1", "2", NO_COLOR="1")
    assert "\x1b[" not in slipped.run("diff", SEED, "1", "2").stdout


def test_history_hides_versions_with_only_administrative_changes(slipped: Shell) -> None:
    shown = slipped.run("history", SEED, "--substantive")
    assert "1 version with only administrative changes is hidden" in shown.stderr
    rows = slipped.json("history", SEED, "--substantive", "--json")
    assert [row["version"] for row in rows] == [1, 2]
    every = slipped.json("history", SEED, "--json")
    assert [row["substantive"] for row in every] == [True, True, False]
    line = slipped.refuse("history", SEED, "--substantive", "--field", "phase", exit_code=2)
    assert "without --field" in line
