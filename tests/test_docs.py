"""The documents agree with the program.

`python -m tests.test_docs` updates the program output shown in the README.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ctsync.cli import main
from docs.generators.hook import generated_pages

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REPORT_BLOCK = re.compile(r"(<!-- demo -->\n```text\n)(.*?)(```\n)", re.DOTALL)
LONGEST_README = 200


def commands(
    group: click.Group = main, parents: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that is not a group, with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*parents, name))
        elif not command.hidden:
            yield " ".join((*parents, name)), command


COMMANDS = dict(commands())


def demo_report() -> str:
    """Return the report of `ctsync demo` from its table to its details: no clock times in it."""
    with tempfile.TemporaryDirectory() as folder:
        shown = subprocess.run(
            [sys.executable, "-m", "ctsync", "demo", "--folder", folder],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.returncode == 0, shown.stdout + shown.stderr
        (page,) = re.findall(
            r"^open the pages in a browser: file://(.+)$", shown.stderr, re.MULTILINE
        )
        assert "Intraosseous Administration" in Path(page).read_text("utf-8")
    report = re.search(r"^LEVEL .*?\n(?=\nRun )", shown.stdout, re.DOTALL | re.MULTILINE)
    assert report, shown.stdout
    return report[0]


def readme() -> str:
    return README.read_text(encoding="utf-8")


def test_the_readme_is_short():
    assert len(readme().splitlines()) <= LONGEST_README


@pytest.mark.slow
def test_the_report_in_the_readme_is_the_demos():
    block = REPORT_BLOCK.search(readme())
    assert block
    assert block[2] == demo_report(), "run `python -m tests.test_docs`"


def test_every_command_at_the_top_is_in_the_readme():
    hidden = {"demo", "init", "import"}
    named = set(re.findall(r"`([a-z-]+)`", readme()))
    named |= set(re.findall(r"ctsync ([a-z-]+)", readme()))
    assert set(main.list_commands(click.Context(main))) - hidden - named == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name):
    command = COMMANDS[name]
    assert command.help
    assert command.get_short_help_str()
    undocumented = [
        option.name
        for option in command.params
        if isinstance(option, click.Option) and not (option.help or option.hidden)
    ]
    assert undocumented == []


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each `ctsync` command in a crontab."""
    for line in text.splitlines():
        if not line.startswith("#"):
            for words in re.findall(r"(?:^|&& |\|\| |\* |-5 )\s*ctsync ([^&|>$#()]+)", line):
                yield shlex.split(words)


def test_every_command_line_in_the_crontab_is_valid():
    lines = list(command_lines((ROOT / "config" / "crontab.example").read_text(encoding="utf-8")))
    assert lines
    for words in lines:
        group: click.Command = main
        name = "ctsync"
        while isinstance(group, click.Group):
            name = words.pop(0)
            found = group.get_command(click.Context(group), name)
            assert found is not None, name
            group = found
        group.make_context(name, words)  # parses the arguments without running the command


def test_the_readme_begins_with_the_two_commands():
    blocks = re.findall(r"```sh\n(.*?)```", readme(), re.DOTALL)
    assert [line.split("#")[0].strip() for line in blocks[0].splitlines()] == [
        "make demo",
        "make test",
    ]


@pytest.mark.slow
def test_links_between_the_documents_are_valid():
    generated = {ROOT / "docs" / path for path in generated_pages()}
    documents = [
        README,
        ROOT / "SECURITY.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    for document in documents:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text()):
            place = Path(os.path.normpath(document.parent / target))
            assert place.exists() or place in generated, f"{document.name}: {target}"


def test_decisions_are_short_and_start_with_the_answer():
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert decisions
    for number, path in enumerate(decisions, 1):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert re.fullmatch(rf"{number:03d}-[a-z0-9-]+\.md", path.name)
        assert len(lines) <= 30, path.name
        assert lines[0].startswith("# ")
        assert lines[2].startswith("**tl;dr**"), path.name


def test_the_changelog_has_this_version():
    from ctsync import __version__

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"(?m)^## \[(?:{re.escape(__version__)}|Unreleased)\]", text)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_works_as_documented(shell):
    documented = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    assert f"_CTSYNC_COMPLETE={shell}_source ctsync" in documented
    env = {**os.environ, "_CTSYNC_COMPLETE": f"{shell}_source"}
    completed = subprocess.run(
        [sys.executable, "-m", "ctsync"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    assert f"_CTSYNC_COMPLETE={shell}_complete" in completed.stdout


def test_the_systemd_unit_is_valid(tmp_path):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (ROOT / "config" / "ctsync.service").read_text()
    (tmp_path / "ctsync.service").write_text(
        re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit)
    )
    completed = subprocess.run(
        [verify, "verify", "--man=no", str(tmp_path / "ctsync.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stderr) == (0, "")


def test_the_crontab_holds_only_valid_lines():
    for line in (ROOT / "config" / "crontab.example").read_text().splitlines():
        if line and not line.startswith("#") and "=" not in line.split()[0]:
            fields = line.split()
            assert all(re.fullmatch(r"[\d*,/-]+", field) for field in fields[:5]), line
            assert fields[5] == "ctsync"


def refresh_readme() -> None:
    """Write the current demo report into the README."""
    text = REPORT_BLOCK.sub(lambda block: block[1] + demo_report() + block[3], readme())
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    refresh_readme()
