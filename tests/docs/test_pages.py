"""Every command in the documentation runs: each page is a story in an empty home."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from ctsync.cli import main
from ctsync.config.cron import read_cron
from tests.docs.conftest import World
from tests.docs.documents import (
    DOCS,
    PAGES,
    ROOT,
    Command,
    CronLine,
    NextDay,
    ShownOutput,
    TitledFile,
    steps,
)
from tests.test_english import WORDS

# beginnings of commands that are not run, each with the reason
NOT_RUN = {
    "pipx ": "installs from a package index",
    "pip install ": "installs from a package index",
    "python3 -m venv ": "installs from a package index",
    "createdb ": "needs a PostgreSQL client; the test makes the databases",
    "crontab ": "changes the crontab of whoever runs the tests",
    "useradd ": "needs root",
    "install -": "needs root",
    "systemctl ": "needs systemd and root",
    "docker ": "needs a container engine",
    "CTSYNC_CONFIG=/etc/ctsync/ctsync.toml ": "needs the installation of systemd",
    "ctsync daemon": "runs until it is stopped; tests/test_daemon.py runs it",
    "ctsync serve": "runs until it is stopped; tests/cli/test_serve.py runs it",
    'eval "$(': "belongs to a start-up file; tests/test_docs.py runs the completion",
    ".venv/bin/python -m pytest ": "would run the tests within a test; the files are checked",
    "datasette ": "is another program, and runs until it is stopped",
    "psql ": "needs a PostgreSQL client; tests/store/test_sql_views.py runs the script of the role",
    "sqlite3 ": "needs the program of SQLite; tests/store/test_sql_views.py runs the queries",
    "make ": "would run the tests within a test; the targets are checked",
}
STORIES = [page for page in PAGES if any(isinstance(s, Command) for s in steps(page.read_text()))]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def excepted(line: str) -> str | None:
    return next((beginning for beginning in NOT_RUN if line.startswith(beginning)), None)


@pytest.mark.slow
@pytest.mark.parametrize("page", STORIES, ids=name_of)
def test_every_command_of_a_page_runs_in_its_order(
    page: Path, world: Callable[[str], World]
) -> None:
    text = page.read_text(encoding="utf-8")
    here = world(text)
    written: set[str] = set()
    for step in steps(text):
        match step:
            case Command(line) if excepted(line) is None:
                here.shell.run(line)
            case TitledFile(name, content):
                here.write(name, content, add=name in written)
                written.add(name)
            case ShownOutput(shown):
                assert here.shell.output.strip() == shown.strip()
            case NextDay():
                here.next_day()


def lines_of_all_pages() -> list[str]:
    return [s.line for page in PAGES for s in steps(page.read_text()) if isinstance(s, Command)]


def test_each_exception_is_needed() -> None:
    assert {excepted(line) for line in lines_of_all_pages()} - {None} == set(NOT_RUN)


def test_most_commands_are_run() -> None:
    lines = lines_of_all_pages()
    of_ctsync = [line for line in lines if line.startswith("ctsync ")]
    assert len(of_ctsync) > 100
    assert {line for line in of_ctsync if excepted(line)} == {"ctsync daemon", "ctsync serve"}


def test_every_make_target_in_the_pages_exists() -> None:
    lines = [line for line in lines_of_all_pages() if line.startswith("make ")]
    targets = [shlex.split(line, comments=True)[1:] for line in lines]
    assert targets
    for named in targets:
        for target in named:
            assert re.search(rf"(?m)^{re.escape(target)}:", MAKEFILE), target


def test_every_crontab_line_in_the_pages_is_valid() -> None:
    lines = [s.line for page in PAGES for s in steps(page.read_text()) if isinstance(s, CronLine)]
    jobs = [line.split(maxsplit=5) for line in lines if not re.match(r"[A-Z_]+=", line)]
    assert len(jobs) >= 4
    context = click.Context(main, **main.context_settings)
    for *fields, job in jobs:
        read_cron(" ".join(fields))
        for words in re.findall(r"ctsync ([^>|;&]+)", job):
            name, *arguments = shlex.split(words.replace(r"\%", "%"))
            command = main.get_command(context, name)
            assert command is not None, name
            command.make_context(name, arguments, parent=context)


def test_every_test_file_in_the_pages_exists() -> None:
    lines = [line for line in lines_of_all_pages() if " -m pytest " in line]
    named = [word for line in lines for word in shlex.split(line) if word.startswith("tests/")]
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_each_promise_has_a_page_that_names_its_tests() -> None:
    architecture = (DOCS / "architecture.md").read_text(encoding="utf-8")
    promised = re.findall(r"(?m)^\| P(\d+) \|", architecture)
    pages = sorted((DOCS / "promises").glob("p[0-9]*.md"))
    assert [int(number) for number in promised] == list(range(1, len(pages) + 1))
    for number, page in enumerate(pages, 1):
        text = page.read_text(encoding="utf-8")
        listed = re.findall(r"(?m)^\| `(tests/\S+)` \|", text)
        (command,) = [step.line for step in steps(text) if isinstance(step, Command)]
        assert f"\n# P{number}: " in text
        assert listed == command.split()[3:], page.name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_uses_a_phrase_of_the_word_list(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = [
        f"{match[0]!r}: write {instead}"
        for pattern, instead in WORDS.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
    assert found == []


def test_a_page_is_read_as_a_story() -> None:
    page = (
        '```toml title="ctsync.toml"\n[log]\n```\n'
        "1. First:\n\n    ```sh\n    # a comment\n    ctsync status  # and why\n    ```\n"
        "<!-- registry: the next day -->\n"
        "```console\n$ ctsync runs \\\n    --json\n```\n"
        '```text title="Output"\n[]\n```\n'
    )
    assert list(steps(page)) == [
        TitledFile("ctsync.toml", "[log]\n"),
        Command("ctsync status  # and why"),
        NextDay(),
        Command("ctsync runs      --json"),
        ShownOutput("[]"),
    ]


def test_a_command_that_fails_is_found(world: Callable[[str], World]) -> None:
    shell = world("").shell
    with pytest.raises(AssertionError, match="exit code 2"):
        shell.run("ctsync show NCT0338991")
    with pytest.raises(AssertionError, match="exit code 1"):
        shell.run("ls && false")


def test_pipes_files_and_variables_work_as_in_a_shell(world: Callable[[str], World]) -> None:
    shell = world("").shell
    shell.run("export PYTHON_COLORS=0 && ctsync schema > names.txt && grep -x version names.txt")
    assert shell.output == "version\n"
    shell.run("ctsync schema | head -n 1")
    assert shell.output == "assumption\n"
    shell.run("CTSYNC_LOG__EVENTS=off ctsync config show | grep log.events | wc -l")
    assert shell.output.strip() == "1"
