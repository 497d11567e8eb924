"""The main commands: watch, sync, changes, history, show, diff, report, status and init."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctsync.cli import main
from tests.cli.conftest import SEED, Shell
from tests.replay import faults
from tests.replay.registry_server import ReplayRegistry

STATUS = "protocolSection.statusModule.overallStatus"


@pytest.fixture
def watched(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A shell after a baseline, a change and a change back."""
    shell.run("watch", "add", "BM-MSC-01", "NCT05935098")
    shell.run("sync")
    for status in ("SUSPENDED", "RECRUITING"):
        registry.catalogue.advance()
        registry.catalogue.edit(SEED, {STATUS: status})
        shell.run("sync")
    return shell


def test_a_trial_is_followed_by_its_study_id_and_fetched_by_the_next_sync(shell: Shell) -> None:
    assert f"following {SEED} (BM-MSC-01)" in shell.run("watch", "add", "BM-MSC-01").stderr
    (watch,) = shell.json("watch", "list", "--json")
    assert watch == {
        "name": "default",
        "origin": "cli",
        "query": None,
        "listed": None,
        "matching": 0,
        "left": 0,
        "trials": [
            {
                "nct_id": SEED,
                "asked_as": "BM-MSC-01",
                "by_query": False,
                "left_at": None,
                "unknown_since": None,
                "history": None,
            }
        ],
        "merged": [],
    }
    assert "checked 1 of 1 trial " in shell.run("sync").stderr
    assert [v["version"] for v in shell.json("history", SEED, "--json")] == [1]


def test_a_quiet_sync_writes_nothing_until_a_trial_changes(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED)
    assert shell.run("sync", "--quiet").stderr
    registry.catalogue.advance()
    quiet = shell.run("sync", "--quiet")
    assert (quiet.stdout, quiet.stderr) == ("", "")
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    assert "1 changed" in shell.run("sync", "-q").stderr


def test_a_command_that_only_reads_needs_no_secret(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ctsync.toml").write_text(
        '[smtp]\nhost = "mail.example.org"\nsender = "a@example.org"\nusername = "a"\n'
        'password = "env:NO_SUCH_SECRET"\n[[recipients]]\nemail = "b@example.org"\n'
    )
    shell.run("watch", "add", SEED)
    shell.run("watch", "list")
    assert "NO_SUCH_SECRET" in shell.run("sync", exit_code=2).stderr


def test_a_channel_with_an_unknown_watch_is_reported(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ctsync.toml").write_text(
        '[[channels]]\nname = "there"\nurl = "file:///tmp/nowhere"\nwatches = ["defualt"]\n'
    )
    shell.run("watch", "add", SEED)
    assert "did you mean default?" in shell.run("sync").stderr


def test_watch_add_can_sync_at_once(shell: Shell) -> None:
    shell.run("watch", "add", SEED, "--sync")
    assert len(shell.json("history", SEED, "--json")) == 1


def test_watches_are_read_from_a_file_or_standard_input(shell: Shell, tmp_path: Path) -> None:
    listed = tmp_path / "trials.txt"
    listed.write_text(f"# mine\n{SEED}\n\n nct-05935098 # with a comment\n")
    shell.run("watch", "add", "--name", "mine", "--file", str(listed))
    shell.run("watch", "add", "--name", "theirs", "--file", "-", stdin="NCT00000001\n")
    watches = {
        w["name"]: [t["nct_id"] for t in w["trials"]] for w in shell.json("watch", "list", "--json")
    }
    assert watches == {"mine": [SEED, "NCT05935098"], "theirs": ["NCT00000001"]}


def test_a_removed_watch_keeps_its_history(watched: Shell) -> None:
    watched.run("watch", "remove", "default", "NCT05935098")
    assert [t["nct_id"] for t in watched.json("watch", "list", "--json")[0]["trials"]] == [SEED]
    watched.run("watch", "remove", "default")
    assert watched.json("watch", "list", "--json") == []
    assert len(watched.json("history", SEED, "--json")) == 3


def test_watches_of_the_settings_file_are_added_by_sync(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ctsync.toml").write_text(
        '[[watches]]\nname = "from-file"\ntrials = ["NCT05935098"]\norg_ids = ["BM-MSC-01"]\n'
    )
    shell.run("sync")
    (watch,) = shell.json("watch", "list", "--json")
    assert (watch["name"], watch["origin"], len(watch["trials"])) == ("from-file", "file", 2)


def test_changes_have_the_published_shape(watched: Shell) -> None:
    events = watched.json("changes", SEED, "--kind", "status", "--json")
    assert list(events[0]) == [
        "nct_id", "kind", "category", "level", "rule", "path", "label", "before", "after",
        "before_type", "after_type", "days", "days_since_first", "percent", "percent_since_first",
        "from_version", "to_version", "posted", "observed", "fetched", "summary", "url", "context",
            "unfetched",
    ]  # fmt: skip
    assert [(e["before"], e["after"], e["from_version"], e["to_version"]) for e in events] == [
        ("RECRUITING", "SUSPENDED", 1, 2),
        ("SUSPENDED", "RECRUITING", 2, 3),
    ]
    assert {e["level"] for e in events} == {"critical"}


def test_changes_are_filtered_by_time_level_category_and_limit(watched: Shell) -> None:
    def count(*options: str) -> int:
        return len(watched.json("changes", *options, "--json"))

    assert count() == 4
    assert count("--level", "critical") == 2
    assert count("--category", "status") == 2
    assert count("--category", "arms") == 0
    assert count("--since", "2026-02-04") == 1
    assert count("--until", "2026-02-03") == 3
    assert count("--since", "1d") == 0
    assert count("--limit", "1") == 1
    assert count("--watch", "default") == 4
    limited = watched.run("changes", "--limit", "1")
    assert "newest 1 of 4 changes" in limited.stderr


def test_history_has_the_published_shape(watched: Shell) -> None:
    versions = watched.json("history", SEED, "--json")
    assert [v["status"] for v in versions] == ["RECRUITING", "SUSPENDED", "RECRUITING"]
    published = [
        "nct_id", "version", "registry_version", "source", "posted", "submitted", "observed",
        "status", "start_date", "start_date_type", "primary_completion_date",
        "primary_completion_date_type", "completion_date", "completion_date_type", "enrollment",
        "enrollment_type", "level", "kinds", "digest", "url",
    ]  # fmt: skip
    assert [name for name in versions[0] if name in published] == published
    assert versions[1]["kinds"] == ["status"]
    assert versions[1]["level"] == "critical"


def test_the_list_of_versions_calls_only_the_overall_status_the_status(
    watched: Shell, registry: ReplayRegistry
) -> None:
    registry.catalogue.advance()
    access = "protocolSection.statusModule.expandedAccessInfo"
    registry.catalogue.edit(SEED, {access: {"hasExpandedAccess": True}})
    watched.run("sync")
    changed = [line.split("\t")[-1] for line in watched.rows("history", SEED)]
    assert changed[-2].startswith("status -> ")
    assert changed[-1].startswith("Expanded Access")
    report = watched.run("report", "--since", "all", "--format", "text").stdout
    assert "Expanded Access" in report
    assert watched.json("history", SEED, "--json")[-1]["kinds"] == ["status"]


def test_show_shows_the_record_now_in_a_version_or_on_a_day(watched: Shell) -> None:
    field = ("--field", "overallStatus")
    assert watched.run("show", SEED, *field).stdout == "Recruiting\n"
    assert watched.run("show", SEED, "--version", "2", *field).stdout == "Suspended\n"
    assert watched.run("show", SEED, "--as-of", "2026-02-03", *field).stdout == "Suspended\n"
    assert watched.run("show", SEED, "--as-of", "2026-02-02", *field).stdout == "Recruiting\n"
    early = watched.run("show", SEED, "--as-of", "2020-01-01", exit_code=2)
    assert "not registered yet" in early.stderr
    record = watched.json("show", SEED, "--json")
    assert record["protocolSection"]["identificationModule"]["nctId"] == SEED
    assert watched.json("show", SEED, "--raw") == record
    assert "Overall status:" in watched.run("show", SEED).stdout


def test_show_writes_all_fields_in_readable_form(watched: Shell) -> None:
    early = ("show", SEED, "--as-of", "2026-02-02", "--format")

    text = watched.run(*early, "text").stdout
    assert "STUDY STATUS\n" in text
    assert "  Overall Status: Recruiting\n" in text
    page = watched.run(*early, "html").stdout
    assert "<h2>Study Status</h2>" in page
    both = watched.run("show", SEED, "--format", "text", "--json", exit_code=2)
    assert "omit --raw, --json and --field" in both.stderr


def test_diff_compares_any_two_versions(watched: Shell) -> None:
    (change,) = watched.json("diff", SEED, "1", "2", "--json")
    assert (change["path"], change["before"], change["after"]) == (
        STATUS, "RECRUITING", "SUSPENDED",
    )  # fmt: skip
    assert watched.json("diff", SEED, "1", "3", "--json") == []
    assert watched.run("diff", SEED, "--exit-code", exit_code=1).stdout.startswith(SEED)
    text = watched.run("diff", SEED, "1", "2").stdout
    assert "  critical  Overall Status: Recruiting → Suspended" in text
    watched.run("diff", SEED, "1", "3", "--exit-code")
    by_day = watched.json("diff", SEED, "2026-02-02", "2026-02-03", "--json")
    assert by_day == [change]


def test_timeline_draws_the_status_spells(watched: Shell) -> None:
    drawn = watched.run("timeline", SEED, "--width", "80").stdout
    assert "Suspended" in drawn
    assert max(map(len, drawn.splitlines())) <= 80
    assert watched.run("timeline", SEED, "--ascii").stdout.isascii()
    spells = watched.json("timeline", SEED, "--json")
    assert SEED in str(spells)


def test_report_is_written_as_text_as_json_and_to_a_file(watched: Shell) -> None:
    text = watched.run("report", "--since", "2026-02-01").stdout
    assert SEED in text
    assert max(map(len, text.splitlines())) <= 80
    assert watched.json("report", "--since", "2026-02-01", "--format", "json")
    target = Path("report.txt")
    watched.run("report", "--since", "all", "--output", str(target))
    assert SEED in target.read_text()


def test_a_dry_run_stores_nothing(shell: Shell, registry: ReplayRegistry) -> None:
    shell.run("watch", "add", SEED)
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    result = shell.run("sync", "--dry-run")
    assert "TERMINATED" in result.stdout.upper()
    assert len(shell.json("history", SEED, "--json")) == 1
    assert len(shell.json("sync", "--json")["events"]) == 1


def test_a_dry_run_uses_the_watches_of_the_settings_file_and_reports_unchecked_trials(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "ctsync.toml").write_text(
        f'[[watches]]\nname = "mine"\ntrials = ["{SEED}", "NCT00000001"]\norg_ids = ["XX"]\n'
    )
    result = shell.run("sync", "--dry-run", exit_code=3)
    assert "NCT00000001: the registry has no such trial" in result.stderr
    assert "watch mine: no trial has the study id 'XX'" in result.stderr
    assert "checked 2 of 2 trials" in result.stderr
    assert "1 new baseline; nothing stored or sent" in result.stderr
    assert shell.json("watch", "list", "--json") == []


def test_a_study_id_that_cannot_be_resolved_stops_no_other_trial(
    shell: Shell, tmp_path: Path, registry: ReplayRegistry
) -> None:
    (tmp_path / "ctsync.toml").write_text(
        f'[[watches]]\nname = "mine"\ntrials = ["{SEED}"]\norg_ids = ["XX"]\n'
    )
    registry.faults.add(faults.status(400, "bad"), path="/v2/studies")
    result = shell.run("sync", exit_code=3)
    assert "checked 1 of 1" in result.stderr
    assert len(shell.json("history", SEED, "--json")) == 1


@pytest.fixture
def with_broken_trial(registry: ReplayRegistry) -> None:
    """One trial that the registry fails to return."""
    broken = "/v2/studies/NCT00000001"
    registry.faults.add(faults.status(500), path=broken, times=faults.EVERY_TIME)


@pytest.mark.usefixtures("with_broken_trial")
def test_a_sync_of_one_trial_does_not_clear_a_partial_state(shell: Shell) -> None:
    shell.run("watch", "add", SEED, "NCT00000001")
    shell.run("sync", exit_code=3)
    shell.run("sync", SEED)
    shell.run("status", exit_code=3)


def test_status_is_for_people_and_monitors(watched: Shell) -> None:
    status = watched.json("status", "--json")
    assert (status["state"], status["stored"]["trials"], status["watched"]) == ("ok", 2, 2)
    text, stored = watched.run("status").stdout, status["stored"]
    assert text.startswith("ok\n")
    counts = f"trials 2, versions {stored['versions']}, events {stored['events']}; watched 2"
    assert counts in text


@pytest.mark.usefixtures("with_broken_trial")
def test_status_after_an_incomplete_run_exits_with_3(shell: Shell) -> None:
    shell.run("watch", "add", SEED, "NCT00000001")
    assert "could not check NCT00000001" in shell.run("sync", exit_code=3).stderr
    assert shell.run("status", exit_code=3).stdout.startswith("partial\n")


def test_init_writes_valid_settings_and_overwrites_nothing(shell: Shell, tmp_path: Path) -> None:
    shell.run("init")
    written = tmp_path / "ctsync.toml"
    before = written.read_bytes()
    assert b"requests_per_second" in before
    assert "was not changed" in shell.run("init").stderr
    assert written.read_bytes() == before
    shell.run("status")


def test_a_command_before_init_works_and_reports_the_database_path(
    shell: Shell, tmp_path: Path
) -> None:
    shell.env["CTSYNC_DATABASE_URL"] = None
    result = shell.run("watch", "add", SEED).stderr
    assert f"created the database {tmp_path}/data/ctsync/ctsync.db" in result


def test_the_schema_is_reported_and_upgraded(shell: Shell) -> None:
    assert shell.run("db", "current").stdout == "none\n"
    shell.run("db", "upgrade")
    assert shell.run("db", "current").stdout.strip() != "none"


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_completion_works_for_every_shell(shell: Shell, kind: str) -> None:
    shell.env["_CTSYNC_COMPLETE"] = f"{kind}_source"
    result = shell.runner.invoke(main, [], env=shell.env, prog_name="ctsync")
    assert "ctsync" in result.stdout


def test_a_merged_trial_is_shown_as_requested_and_can_be_removed(
    shell: Shell, registry: ReplayRegistry
) -> None:
    other = "NCT05935098"
    shell.run("watch", "add", "--name", "mine", other)
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.merge(other, into=SEED)
    shell.run("sync")
    shown = shell.run("watch", "show", "mine").stdout
    assert f"{other}\tmerged into {SEED}\t-\t-\tnamed" in shown
    watch = shell.json("watch", "show", "mine", "--json")
    assert [trial["nct_id"] for trial in watch["trials"]] == [SEED]
    assert watch["merged"] == [{"nct_id": other, "into": SEED, "asked_as": None}]
    shell.run("watch", "remove", "mine", other)
    assert shell.json("watch", "show", "mine", "--json")["trials"] == []
