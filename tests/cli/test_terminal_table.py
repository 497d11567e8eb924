"""Listings on real terminals of several widths, and in pipes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from ctsync.cli import main
from ctsync.cli.output import broken_at_words
from ctsync.cli.terminal_table import show_table
from ctsync.store.store import open_store
from tests.cli.conftest import SEED, Shell, below_header
from tests.cli.terminal import at_a_terminal, styled
from tests.conftest import StillClock
from tests.record.reconstructed import studies
from tests.registry_fixtures import make_study
from tests.replay.registry_server import ReplayRegistry
from tests.sync.histories import keep_history

OTHER = "NCT05935098"
MODULE = "protocolSection.statusModule"
RUNS = (
    "ID\tKIND\tSTARTED\tSECONDS\tDATA OF\tREQUESTS\tASKED\tANSWERED\tSAME\t"
    "CHANGED\tNEW\tGONE\tFAILED\tVERDICT"
)
HISTORY = "VERSION\tDATE\tSEEN\tSTATUS\tENROLLMENT\tPRIMARY COMPLETION\tWHAT CHANGED"
LONG = "Study of an Investigational Combination Therapy in Patients With Advanced Solid Tumors"


@pytest.fixture
def listing(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A shell with long titles, names and values, a change, a failed run and waiting mail."""
    study = make_study("NCT00000007", overallStatus="ACTIVE_NOT_RECRUITING")
    study["protocolSection"]["identificationModule"]["briefTitle"] = LONG
    sponsor = {"leadSponsor": {"name": "National Institute of Allergy and Infectious Diseases"}}
    study["protocolSection"]["sponsorCollaboratorsModule"] = sponsor
    registry.catalogue.publish(study)
    shell.env |= {
        "CTSYNC_SMTP": '{"host":"127.0.0.1","port":1,"security":"none","sender":"c@example.org"}',
        "CTSYNC_RECIPIENTS": '[{"email":"someone.with.a.long.name@analysis.example.org"}]',
    }
    query = "cond=a long condition of several words, or another condition"
    shell.run("watch", "add", SEED, OTHER, "NCT00000007")
    shell.run("watch", "add", "--name", "the second watch", "--query", query)
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit("NCT00000007", {f"{MODULE}.overallStatus": "TERMINATED"})
    registry.catalogue.edit(SEED, {f"{MODULE}.statusVerifiedDate": "2024-01"})
    shell.run("sync")
    with open_store(str(shell.env["CTSYNC_DATABASE_URL"]), clock=StillClock()) as store:
        keep_history(store, studies("NCT03690141"))
    return shell


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("runs",),
        ("changes",),
        ("find", "status=COMPLETED|RECRUITING", "--ever"),
        ("flags", "--all"),
        ("forecast", "--within", "all"),
        ("watch", "list"),
        ("watch", "show", "default"),
        ("watch", "add", "NCT00000007", "--preview"),
        ("outbox", "list"),
        ("notify", "--preview"),
        ("history", "NCT03690141"),
        ("history", "NCT03690141", "--field", "primary completion"),
        ("rules",),
        ("config", "show"),
        ("db", "stats"),
        ("sync", "--dry-run"),
    ],
)
def test_no_listing_is_wider_than_80_columns(
    listing: Shell, registry: ReplayRegistry, command: tuple[str, ...]
) -> None:
    registry.catalogue.advance()
    registry.catalogue.edit("NCT00000007", {f"{MODULE}.whyStopped": LONG * 3})
    seen = at_a_terminal(listing, *command, columns=80)
    assert len(seen) >= 2
    assert max(map(len, seen)) <= 80


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "header"),
    [
        (("runs",), RUNS),
        (("history", SEED), HISTORY),
        (("watch", "list"), "WATCH\tFROM\tTRIALS\tNOT FETCHED\tFOLLOWS"),
        (("watch", "show", "default"), "TRIAL\tSTATUS\tPHASE\tSPONSOR\tIN THE WATCH\tTITLE"),
        (("outbox", "list"), "ID\tSTATE\tCHANNEL\tRECIPIENT\tDUE\tTRIES\tLAST ERROR"),
        (("changes",), "DAY\tTRIAL\tLEVEL\tRULE\tWHAT\tTITLE"),
        (("find", "status=RECRUITING"), "TRIAL\tVERSIONS\tSINCE\tUNTIL\tDAYS\tWHAT\tTITLE"),
    ],
)  # fmt: skip
def test_a_listing_in_a_pipe_begins_with_its_header_and_cuts_no_cell(
    listing: Shell, command: tuple[str, ...], header: str
) -> None:
    lines = listing.run(*command).stdout.splitlines()
    assert lines[0] == header
    assert {line.count("\t") for line in lines} == {header.count("\t")}
    assert "…" not in "".join(lines)


def test_the_numbers_of_a_backfill_are_labelled(shell: Shell, registry: ReplayRegistry) -> None:
    shell.run("watch", "add", SEED, "--sync")
    registry.catalogue.set_history(SEED, [make_study(SEED)])
    header, row = shell.run("backfill", SEED).stdout.splitlines()
    assert dict(zip(header.split("\t"), row.split("\t"), strict=True)).keys() == {
        "TRIAL", "HISTORY", "VERSIONS", "STORED", "SEEN LIVE",
    }  # fmt: skip


@pytest.mark.slow
def test_levels_have_colours_on_a_terminal_but_not_with_no_color(listing: Shell) -> None:
    listing.env |= {"TERM": "xterm-256color", "NO_COLOR": None}
    command = ("changes", "NCT00000007", "--level", "critical")
    assert "\x1b[1;31mcritical" in styled(listing, *command)
    assert "\x1b[1m" in styled(listing, *command)
    listing.env["NO_COLOR"] = "1"
    assert "\x1b[1;31m" not in styled(listing, *command)
    assert "\x1b" not in listing.run(*command).stdout


@pytest.mark.slow
def test_a_shown_title_is_cut_and_a_change_is_not(listing: Shell, registry: ReplayRegistry) -> None:
    registry.catalogue.advance()
    registry.catalogue.edit("NCT00000007", {f"{MODULE}.overallStatus": "COMPLETED"})
    header, row, *_ = at_a_terminal(listing, "sync", "--dry-run", columns=120)
    assert header.split() == ["LEVEL", "TRIAL", "WHAT", "TITLE"]
    assert "status -> Completed" in row
    assert row.rstrip().endswith("…")


def test_a_sync_on_a_narrow_terminal_names_each_trial(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    what = "primary completion +1.2 years; completion +1.0 years; 300 of 420 enrolled"
    show_table(
        ("LEVEL", "TRIAL", "WHAT", "TITLE"),
        [
            ("critical", SEED, what, "A Study of GSK5764227 in Participants With Relapsed Cancer"),
            ("notable", SEED, "newly registered", "-"),
        ],
        drop=("TITLE",), shorten=("TITLE",), wrap=("WHAT",), least=56, append={"TITLE": "WHAT"},
        is_drop_noted=False,
    )  # fmt: skip
    words = " ".join(capsys.readouterr().out.split())
    assert f"{what} · A Study of GSK5764227 in Participants With… " in words
    assert words.endswith("newly registered")


@pytest.mark.slow
def test_a_terminal_shows_no_column_that_has_no_value(listing: Shell) -> None:
    header, *_ = at_a_terminal(listing, "history", "NCT03690141", columns=160)
    assert "SEEN" not in header
    header, *_ = at_a_terminal(listing, "history", SEED, columns=160)
    assert "SEEN" in header
    assert "\tSEEN\t" in listing.run("history", "NCT03690141").stdout.splitlines()[0]


def test_a_table_without_rows_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("TRIAL", "WHAT"), [])
    assert capsys.readouterr().out == ""
    show_table(("TRIAL", "WHAT"), [("NCT1", "a\tb\nc")])
    assert below_header(capsys.readouterr().out) == ["NCT1\ta\\tb\\nc"]


def test_the_help_has_one_block_of_commands() -> None:
    shown = CliRunner().invoke(main, ["--help"]).stdout
    assert shown.count("Commands:") == 1
    assert shown.count("\n  sync ") == 1


def test_a_message_on_a_terminal_ends_its_lines_at_words_and_keeps_a_command_whole() -> None:
    """A sync said "no cha" at the end of one line and "nges" on the next."""
    checked = "checked 600 of 600 trials against the registry data of 2026-02-19 09:00Z: no changes"
    unknown = "NCT01902992: no such trial at the registry; to stop: ctsync watch remove NCT01902992"

    assert broken_at_words(checked, 80).splitlines() == [checked[:-8], "changes"]
    assert broken_at_words(unknown, 80).splitlines()[-1] == "ctsync watch remove NCT01902992"
    assert broken_at_words(checked, 100) == checked
    assert " ".join(broken_at_words(unknown, 40).split()) == unknown
