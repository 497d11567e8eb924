"""`watch add`: every way to name trials, and the output about the trials found."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cli.conftest import SEED, Shell, below_header
from tests.registry_fixtures import an_id, make_study, publish
from tests.replay import faults
from tests.replay.registry_server import ReplayRegistry

OTHER = "NCT05935098"
COMPARE = "https://clinicaltrials.gov/study/{}?tab=history&a=4&b=5#version-content-panel"
DOWNLOAD = (
    "NCT Number,Study Title,Study URL,Study Status,Brief Summary\r\n"
    '{0},"A, B",https://clinicaltrials.gov/study/{0},RECRUITING,"Two\nlines"\r\n'
    "{1},C,https://clinicaltrials.gov/study/{1},RECRUITING,D\r\n"
)


def row(nct_id: str, status: str = "Recruiting") -> str:
    return f"{nct_id}\t{status}\tA sponsor\tA trial called {nct_id}"


def followed(shell: Shell, name: str = "default") -> list[str]:
    watches = {watch["name"]: watch["trials"] for watch in shell.json("watch", "list", "--json")}
    return [trial["nct_id"] for trial in watches.get(name, [])]


@pytest.mark.parametrize(
    "words",
    [
        [SEED],
        ["nct-03389919"],
        ["NCT 03389919"],
        ["NCT", "03389919"],
        ["nct 0338 9919"],
        ["NCT-0338-9919"],
        ["\ufeffNCT03389919"],
        ["BM-MSC-01"],
        [f"https://clinicaltrials.gov/study/{SEED}"],
        [f"https://clinicaltrials.gov/api/v2/studies/{SEED}?format=json"],
        [f"clinicaltrials.gov/ct2/show/{SEED}"],
        [COMPARE.format(SEED)],
        [f"https://clinicaltrials.gov/search?term={SEED}"],
    ],
)
def test_every_name_of_a_trial_follows_it_and_shows_it(shell: Shell, words: list[str]) -> None:
    added = shell.run("watch", "add", *words)
    assert below_header(added.stdout) == [row(SEED)]
    assert f"following {SEED}" in added.stderr
    assert followed(shell) == [SEED]


def test_a_trial_that_the_watch_has_already_is_not_called_new(
    shell: Shell, registry: ReplayRegistry
) -> None:
    publish(registry, "NCT00338991")
    assert f"following {SEED} in watch default\n" in shell.run("watch", "add", SEED).stderr
    again = shell.run("watch", "add", SEED, "NCT00338991").stderr
    assert f"following {SEED}, NCT00338991 in watch default: 1 new, 1 already in it\n" in again
    other = shell.run("watch", "add", "--name", "other", SEED).stderr
    assert f"following {SEED} in watch other\n" in other


@pytest.mark.parametrize(
    ("term", "likely"),
    [
        ("NCT3389919", SEED),
        ("nct 0338991", "NCT00338991"),
        ("NCT003389919", SEED),
        ("https://clinicaltrials.gov/study/NCT003389919", SEED),
    ],
)
def test_a_number_without_eight_digits_is_refused_with_the_likely_id(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path, term: str, likely: str
) -> None:
    publish(registry, "NCT00338991")
    refused = shell.refuse("watch", "add", OTHER, term, exit_code=2)
    assert f"did you mean {likely}" in refused
    assert registry.requests == []
    assert not (tmp_path / "ctsync.db").exists()


@pytest.mark.parametrize("spelled", ["nct-03389919", COMPARE.format(SEED)])
def test_every_command_on_a_trial_takes_every_spelling_of_it(shell: Shell, spelled: str) -> None:
    shell.run("watch", "add", SEED, OTHER, "--sync")
    for command in ("history", "show", "timeline", "sync", "changes", "report", "page"):
        shell.run(command, spelled)
        assert "did you mean" in shell.refuse(command, "NCT3389919", exit_code=2)
    shell.run("watch", "remove", "default", spelled)
    assert followed(shell) == [OTHER]
    search = "https://clinicaltrials.gov/search?cond=asthma"
    assert "to follow what it finds: ctsync watch add" in shell.refuse("show", search, exit_code=2)


def test_the_settings_take_every_spelling_of_a_trial(shell: Shell, tmp_path: Path) -> None:
    settings = tmp_path / "ctsync.toml"
    settings.write_text(
        f'[[watches]]\nname = "mine"\ntrials = ["nct 03389919", "{COMPARE.format(OTHER)}"]\n'
    )
    shell.run("sync")
    assert followed(shell, "mine") == [SEED, OTHER]
    settings.write_text('[[watches]]\nname = "mine"\ntrials = ["NCT3389919"]\n')
    assert f"did you mean {SEED}?" in shell.refuse("sync", exit_code=2)


def test_a_study_id_in_the_form_of_an_nct_id_stays_a_study_id(
    shell: Shell, registry: ReplayRegistry
) -> None:
    study = make_study("NCT00000011")
    study["protocolSection"]["identificationModule"]["orgStudyIdInfo"]["id"] = "NCT-2013-0211"
    registry.catalogue.publish(study)
    shell.run("watch", "add", "NCT-2013-0211")
    assert followed(shell) == ["NCT00000011"]
    assert "no trial has" in shell.refuse("watch", "add", "NCT-2013-021", exit_code=2)


def test_the_url_of_a_search_is_followed_as_a_query_and_shows_what_matches(
    shell: Shell, registry: ReplayRegistry
) -> None:
    conditions = {"conditions": ["Graft Failure"]}
    publish(registry, *map(an_id, range(1, 13)), conditionsModule=conditions)
    url = "https://clinicaltrials.gov/search?cond=Graft%20Failure&viewType=Table&page=2"
    seen = shell.run("watch", "add", "--name", "graft", url, "--preview")
    assert len(below_header(seen.stdout)) == 10
    assert "cond=Graft Failure: 12 trials match now, 10 shown" in seen.stderr
    added = shell.run("watch", "add", "--name", "graft", url)
    assert set(below_header(added.stdout)) < {row(an_id(number)) for number in range(1, 13)}
    assert "following cond=Graft Failure in watch graft: 12 trials match now, 10 shown" in (
        added.stderr
    )
    (watch,) = shell.json("watch", "list", "--json")
    assert watch["query"] == {"query.cond": "Graft Failure"}
    shell.run("watch", "add", "--name", "open", url, "--query", "overallStatus=COMPLETED")
    queries = {one["name"]: one["query"] for one in shell.json("watch", "list", "--json")}
    assert queries["open"] == {
        "query.cond": "Graft Failure",
        "filter.overallStatus": "COMPLETED",
    }


def test_a_search_that_ctsync_cannot_follow_is_refused(shell: Shell) -> None:
    search = "https://clinicaltrials.gov/search?cond="
    for words, problem in (
        ([search + "x&ageRange=18y_65y"], "ageRange: the API has no such filter"),
        ([search + "x", search + "y"], "a watch follows one search"),
        ([search + "x", "--condition", "y"], "query.cond is given twice"),
        ([search + "x", "--history"], "also needs --sync"),
        ([search], "names no trial"),
    ):
        assert problem in shell.refuse("watch", "add", *words, exit_code=2)
    shell.run("watch", "add", "--name", "first", search + "called")
    refused = shell.refuse("watch", "add", search + "x", "--from", "first", exit_code=2)
    assert "not both" in refused


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_download_and_a_list_are_read_with_and_without_a_bom(
    shell: Shell, tmp_path: Path, mark: str
) -> None:
    download, listed = tmp_path / "ctg-studies.csv", tmp_path / "list.txt"
    download.write_text(mark + DOWNLOAD.format(SEED, OTHER), encoding="utf-8", newline="")
    listed.write_text(f"{mark}{SEED}\n{COMPARE.format(OTHER)}\n", encoding="utf-8")
    for name, file in (("csv", download), ("txt", listed)):
        added = shell.run("watch", "add", "--name", name, "--file", str(file))
        assert below_header(added.stdout) == [row(SEED), row(OTHER)]
        assert followed(shell, name) == [SEED, OTHER]
    shell.run("watch", "add", "--name", "stdin", "--file", "-", stdin=mark + f"{SEED}\n")
    assert followed(shell, "stdin") == [SEED]


def test_a_list_of_more_than_20_trials_prints_totals_by_status(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    publish(registry, *map(an_id, range(1, 16)))
    publish(registry, *map(an_id, range(16, 21)), overallStatus="ACTIVE_NOT_RECRUITING")
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{an_id(number)}\n" for number in range(1, 21)))
    added = shell.run("watch", "add", "--name", "twenty", "--file", str(listed))
    assert below_header(added.stdout)[14:16] == [
        row(an_id(15)),
        row(an_id(16), "Active, not recruiting"),
    ]
    with listed.open("a") as file:
        file.write(f"{SEED}\nNCT00000099\n")
    for words in ((), ("--preview",)):
        added = shell.run("watch", "add", "--name", "more", "--file", str(listed), *words)
        assert below_header(added.stdout) == [
            "Recruiting\t16",
            "Active, not recruiting\t5",
            "not at the registry\t1",
            "total\t22",
        ]
        assert "the registry has no trial NCT00000099; check the NCT id" in added.stderr
    assert len(followed(shell, "more")) == 22


def test_a_trial_that_the_registry_lacks_is_followed_and_marked(shell: Shell) -> None:
    added = shell.run("watch", "add", "NCT00000099", SEED)
    assert below_header(added.stdout) == ["NCT00000099\t-\t-\tnot at the registry", row(SEED)]
    assert "the registry has no trial NCT00000099; check the NCT id" in added.stderr
    absent, found = shell.json("watch", "add", "NCT00000099", SEED, "--json")
    assert absent == {
        "term": "NCT00000099",
        "nct_id": "NCT00000099",
        "watch": "default",
        "status": None,
        "sponsor": None,
        "title": None,
        "query": None,
    }
    assert (found["status"], found["sponsor"]) == ("RECRUITING", "A sponsor")


def test_an_old_number_shows_the_trial_that_took_it_over(
    shell: Shell, registry: ReplayRegistry
) -> None:
    registry.catalogue.advance()
    registry.catalogue.merge(OTHER, into=SEED)
    added = shell.run("watch", "add", OTHER)
    assert below_header(added.stdout) == [row(SEED)]
    assert f"{OTHER} is an old id of {SEED}" in added.stderr
    assert followed(shell) == [OTHER]


def test_a_trial_can_be_added_while_the_registry_is_unreachable(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        shell.env["CTSYNC_REGISTRY_URL"] = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        added = shell.run("watch", "add", SEED)
        assert added.stdout == ""
        assert "title, status and sponsor cannot be shown: the connection to" in added.stderr
        assert "shows no trial" not in added.stderr
        assert followed(shell) == [SEED]
        shell.refuse("watch", "add", SEED, "--preview", exit_code=4)


def test_a_registry_that_refuses_fields_is_asked_for_complete_records(
    shell: Shell, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.status(400), path="/v2/studies", times=1)
    assert shell.rows("watch", "add", SEED) == [row(SEED)]


def test_a_trial_that_the_registry_fails_to_show_hides_no_other(
    shell: Shell, registry: ReplayRegistry
) -> None:
    registry.faults.add(
        faults.body(b"{}"), path="/v2/studies", times=faults.EVERY_TIME,
        only=lambda request: OTHER in request.params.get("filter.ids", ""),
    )  # fmt: skip
    shell.env["CTSYNC_REGISTRY__RETRY_SECONDS"] = "0"
    seen = shell.run("watch", "add", SEED, OTHER, "--preview", exit_code=3)
    assert below_header(seen.stdout) == [row(SEED), f"{OTHER}\t-\t-\tcould not be looked up"]
    assert f"could not look up {OTHER}: " in seen.stderr
    assert "shows no trial" not in seen.stderr
