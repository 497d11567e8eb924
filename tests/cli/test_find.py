"""The commands `find` and `history --field`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from ctsync.record.rules.conditions import TERMS
from ctsync.store.store import Store, open_store
from tests.cli.conftest import SEED, Shell
from tests.cli.terminal import at_a_terminal
from tests.conftest import StillClock
from tests.record.reconstructed import studies
from tests.record.studies import site, study
from tests.registry_fixtures import an_id
from tests.sync.histories import keep_history

SUSPENDED = "NCT03693833"


@pytest.fixture
def kept(shell: Shell) -> Iterator[Store]:
    """The shell's database, open so that a test can store a history."""
    with open_store(str(shell.env["CTSYNC_DATABASE_URL"]), clock=StillClock()) as store:
        yield store


def test_a_trial_that_was_once_suspended_is_found(shell: Shell, kept: Store) -> None:
    keep_history(kept, studies(SUSPENDED))
    (one,) = shell.json("find", "status=suspended", "--ever", "--json")
    assert one == {
        "nct_id": SUSPENDED,
        "title": None,
        "from_version": 2,
        "to_version": 2,
        "since": "2020-03-16",
        "until": "2020-06-15",
        "days": 91,
        "values": {"status": "SUSPENDED"},
        "first_match": 2,
    }
    assert shell.json("find", "status=suspended", "--json") == []
    (then,) = shell.json("find", "status=suspended", "--as-of", "2020-04-01", "--json")
    assert (then["until"], then["days"]) == (None, 16)
    listed = shell.run("find", "status=suspended", "--ever")
    assert listed.stdout.endswith("\tstatus Suspended\t-\n")
    assert "1 trial" in listed.stderr


def test_words_of_a_record_are_found_with_and_without_the_index(shell: Shell, kept: Store) -> None:
    keep_history(
        kept,
        [
            study(protocolSection__conditionsModule__conditions=["Lung Cancer", "Flu"]),
            study(protocolSection__conditionsModule__conditions=["Cough", "Cold", "Flu", "Pain"]),
        ],
    )
    scanned = shell.run("find", "condition~lung", "--ever")
    (line,) = [one for one in scanned.stderr.splitlines() if "index" in one]
    assert line == (
        "no text index: the search reads the records themselves; build it: ctsync db index-text"
    )
    header, row = scanned.stdout.splitlines()
    assert header.split("\t")[:3] == ["TRIAL", "FIRST", "VERSIONS"]
    assert row.split("\t")[1:3] == ["1", "1"]
    assert row.endswith("\tcondition Lung Cancer\tA trial")
    built = shell.run("db", "index-text").stderr
    assert "the text index has 2 records and " in built
    indexed = shell.run("find", "condition~lung", "--ever")
    assert (indexed.stdout, "index" in indexed.stderr) == (scanned.stdout, False)
    listed = shell.run("find", "condition!=none", "condition~pain|flu|cold|cough").stdout
    assert listed.endswith("\tcondition Cold, Cough, Flu and 1 more\tA trial\n")
    assert shell.run("find", "eligibility=none").stdout.endswith("\t\tA trial\n")
    smaller = shell.run("db", "index-text", "--detail", "words")
    assert "the text index has 2 records and " in smaller.stderr
    assert "the database shrank by " in smaller.stderr or "grew by 0 bytes" in smaller.stderr
    assert shell.run("find", "condition~lung", "--ever").stdout == scanned.stdout
    shell.run("db", "index-text", "--detail", "names")
    assert shell.run("find", "condition~lung", "--ever").stdout == scanned.stdout
    assert shell.run("find", "eligibility=none").stderr.startswith(
        "the text index does not have eligibility: the search reads the records themselves; "
    )
    assert "the text index is deleted" in shell.run("db", "index-text", "--drop").stderr


def test_the_first_results_are_listed_with_their_total(shell: Shell, kept: Store) -> None:
    for number in range(1, 4):
        keep_history(kept, [study(protocolSection__identificationModule__nctId=an_id(number))])
    some = shell.run("find", "nct!=none", "--limit", "2")
    assert len(some.stdout.splitlines()) == 1 + 2
    assert some.stderr == "the first 2 of 3 results; without --limit all are shown\n"
    assert [one["nct_id"] for one in shell.json("find", "nct!=none", "--limit", "1", "--json")] == [
        an_id(1)
    ]
    assert shell.run("find", "nct!=none", "--limit", "3").stderr == "3 trials\n"


def test_the_help_names_every_field(shell: Shell) -> None:
    words = set(shell.run("find", "--help").stdout.replace(",", " ").split())
    hidden = {"start_type", "completion_type", "primary_completion_type"}
    assert {term.name for term in TERMS} - hidden - words == set()


def test_a_wrong_condition_is_reported_in_one_line(shell: Shell) -> None:
    shell.run("db", "upgrade")
    assert "did you mean status?" in shell.refuse("find", "statsu=x", exit_code=2)
    assert "a quote that is not closed" in shell.refuse("find", 'city~"x', exit_code=2)
    assert "there is no watch" in shell.refuse(
        "find", "status=UNKNOWN", "--watch", "x", exit_code=2
    )


@pytest.mark.parametrize("name", ["overallStatus", "Overall Status", "status"])
def test_every_value_of_a_field_is_listed_with_its_duration(
    shell: Shell, kept: Store, name: str
) -> None:
    keep_history(kept, studies(SUSPENDED))
    spells = shell.json("history", SUSPENDED, "--field", name, "--json")
    assert [(s["value"], s["since"], s["days"]) for s in spells[:2]] == [
        ("RECRUITING", "2019-01-15", (date(2020, 3, 16) - date(2019, 1, 15)).days),
        ("SUSPENDED", "2020-03-16", 91),
    ]
    assert (spells[2]["value"], spells[2]["until"]) == ("RECRUITING", None)
    assert {s["path"] for s in spells} == {"protocolSection.statusModule.overallStatus"}


def test_a_value_that_returns_is_listed_twice(shell: Shell, kept: Store) -> None:
    keep_history(kept, studies(SUSPENDED))
    lines = shell.rows("history", SUSPENDED, "--field", "why stopped")
    assert [line.split("\t")[-1] for line in lines] == ["(none)", "COVID-19", "(none)"]


def test_dates_and_counts_are_listed_with_their_type(shell: Shell, kept: Store) -> None:
    trial = keep_history(kept, studies("NCT01352702"))
    lines = shell.rows("history", trial, "--field", "primary completion")
    assert [line.split("\t")[-1] for line in lines] == [
        "2012-02 (estimated)", "2013-02 (estimated)", "2014-04 (estimated)", "2014-05 (actual)",
    ]  # fmt: skip
    counts = shell.json("history", trial, "--field", "enrollment", "--json")
    assert [(c["value"]["count"], c["from_version"], c["to_version"]) for c in counts] == [
        (70, 1, 4),
        (46, 5, 5),
    ]


def test_a_list_is_shown_by_its_added_and_removed_items(shell: Shell, kept: Store) -> None:
    steps = [[site("A"), site("B")], [site("B"), site("C")], None]
    keep_history(
        kept,
        [study(sites=sites, posted=f"2020-0{n}-01") for n, sites in enumerate(steps, start=1)],
    )
    lines = shell.rows("history", SEED, "--field", "sites")
    assert [line.split("\t")[-1] for line in lines] == [
        "2 items: A, Warsaw, Poland; B, Warsaw, Poland",
        "2 items: - A, Warsaw, Poland; + C, Warsaw, Poland",
        "(none)",
    ]


def test_an_undeclared_field_is_found_by_its_path(shell: Shell, kept: Store) -> None:
    keep_history(kept, [study(protocolSection__newModule__thing="first")])
    (only,) = shell.json("history", SEED, "--field", "protocolSection.newModule.thing", "--json")
    assert only["value"] == "first"


def test_an_ambiguous_or_misspelled_field_names_the_candidates(shell: Shell, kept: Store) -> None:
    keep_history(kept, [study()])
    line = shell.refuse("history", SEED, "--field", "measure", exit_code=2)
    assert "primaryOutcomes.measure, secondaryOutcomes.measure" in line
    line = shell.refuse("history", SEED, "--field", "overalStatus", exit_code=2)
    assert "did you mean Overall Status" in line


def test_show_accepts_the_same_field_names(shell: Shell, kept: Store) -> None:
    keep_history(kept, [study()])
    assert shell.run("show", SEED, "--field", "Overall Status").stdout == "Recruiting\n"
    assert "no 'why stopped' in this version" in shell.refuse(
        "show", SEED, "--field", "why stopped", exit_code=2
    )


def test_diff_accepts_two_days(shell: Shell, kept: Store) -> None:
    trial = keep_history(kept, studies("NCT02110043"))
    (status, *_) = shell.json("diff", trial, "2017-01-01", "2018-01-01", "--json")
    assert (status["before"], status["after"]) == (22, None)
    text = shell.run("diff", trial, "2017-01-01", "2018-01-01").stdout
    assert "From version 5 (" in text
    assert "to version 7 (" in text
    line = shell.refuse("show", trial, "--as-of", "2014-04-07", exit_code=2)
    assert "not registered yet" in line


@pytest.mark.slow
def test_a_history_at_80_columns_shows_what_each_version_changed(shell: Shell, kept: Store) -> None:
    trial = keep_history(kept, studies("NCT03690141"))
    header, *rows = at_a_terminal(shell, "history", trial, columns=80)
    assert header.split("  ")[0] == "VERSION"
    assert header.rstrip().endswith("WHAT CHANGED")
    place = header.index("WHAT CHANGED")
    versions = [row for row in rows if row[:1].isdigit()]
    beside = [row for row in versions if row[place:].strip()]
    print(f"history: {len(beside)} of {len(versions)} versions have their change on their line")
    assert len(beside) == len(versions) == 10
    assert max(map(len, (header, *rows))) <= 80


@pytest.mark.slow
@pytest.mark.parametrize("columns", [120, 80, 60])
def test_each_value_of_a_history_is_shown_when_it_changes(
    shell: Shell, kept: Store, columns: int
) -> None:
    trial = keep_history(kept, studies("NCT03690141"))
    seen = at_a_terminal(shell, "history", trial, columns=columns)
    assert max(map(len, seen)) <= columns
    words = " ".join(" ".join(seen).split())
    for told in (
        "1 (v0) 2018-09-27", "30 (estimated)", "2020-03 (estimated)", "8 (v7) 2019-07-16",
        "16 of 30 enrolled", "10 (v9) 2020-04-27", "Completed",
    ):  # fmt: skip
        assert told in words
    if columns == 120:
        assert "16 (actual)" in words


def test_a_history_in_a_pipe_has_every_column(shell: Shell, kept: Store) -> None:
    trial = keep_history(kept, studies("NCT03690141"))
    assert shell.rows("history", trial)[7].split("\t") == [
        "8 (v7)", "2019-07-16", "-", "Active, not recruiting", "16 (actual)",
        "2020-03 (estimated)", "16 of 30 enrolled; status -> Active, not recruiting",
    ]  # fmt: skip


def test_backfilled_changes_are_listed_by_their_own_day(shell: Shell, kept: Store) -> None:
    keep_history(kept, studies(SUSPENDED))
    lines = shell.rows("changes", "--since", "2020-03-01", "--kind", "status")
    assert [line.split("\t")[0] for line in lines] == ["2020-03-16", "2020-06-15"]
