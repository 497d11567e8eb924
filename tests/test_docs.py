"""The documents agree with the program.

`python -m tests.test_docs` updates the program output shown in the README.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
import httpx
import pytest

from ctsync.cli import main
from ctsync.demo.story import TRIAL
from docs.generators.hook import generated_pages

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REPORT_BLOCK = re.compile(r"(<!-- demo -->\n```text\n)(.*?)(```\n)", re.DOTALL)
LONGEST_README = 200
DEMO_SECONDS = 600
"""No limit of speed: a busy machine must not hang the tests."""


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


@dataclass(frozen=True)
class DemoRun:
    """What `ctsync demo --serve` printed, and what its server answered."""

    stdout: str
    stderr: str
    code: int
    served: str
    page: str

    @property
    def report(self) -> str:
        """The report, from its table to its details: no clock times are in it."""
        report = re.search(r"^LEVEL .*?\n(?=\nRun )", self.stdout, re.DOTALL | re.MULTILINE)
        assert report, self.stdout
        return report[0]


def run_demo() -> DemoRun:
    """Run `ctsync demo --serve`, ask its server for a trial, and press Ctrl-C."""
    with tempfile.TemporaryDirectory() as folder:
        output, messages = Path(folder) / "stdout", Path(folder) / "stderr"
        with output.open("w") as out, messages.open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "ctsync", "demo", "--serve", "--folder", f"{folder}/demo"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            served = _served_trial(process, messages)
            # as a terminal does, to every process of the group
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            code = process.wait(DEMO_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shown = messages.read_text("utf-8")
        (page,) = re.findall(r"^open the pages in a browser: file://(.+)$", shown, re.MULTILINE)
        text = Path(page).read_text("utf-8")
        return DemoRun(output.read_text("utf-8"), shown, code, served, text)


def _served_trial(process: subprocess.Popen[bytes], messages: Path) -> str:
    """Wait until the server names its address, and return the page of the trial; or what failed."""
    until = time.monotonic() + DEMO_SECONDS
    while process.poll() is None and time.monotonic() < until:
        found = re.search(
            r"^serving (http://127\.0\.0\.1:\d+)/;", messages.read_text(), re.MULTILINE
        )
        if found:
            return httpx.get(f"{found[1]}/trials/{TRIAL}", timeout=DEMO_SECONDS).text
        time.sleep(0.2)
    return f"no server, exit code {process.poll()}: {messages.read_text()}"


@pytest.fixture(scope="module")
def shown_demo() -> DemoRun:
    return run_demo()


def readme() -> str:
    return README.read_text(encoding="utf-8")


def test_the_readme_is_short():
    assert len(readme().splitlines()) <= LONGEST_README


@pytest.mark.slow
def test_the_report_in_the_readme_is_the_demos(shown_demo):
    block = REPORT_BLOCK.search(readme())
    assert block
    assert block[2] == shown_demo.report, "run `python -m tests.test_docs`"
    assert "Intraosseous Administration" in shown_demo.page


@pytest.mark.slow
def test_the_demo_serves_its_database_until_ctrl_c(shown_demo):
    assert "Intraosseous Administration" in shown_demo.served
    assert shown_demo.stderr.endswith("\nstopped\n")
    assert shown_demo.code == 0


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
    text = REPORT_BLOCK.sub(lambda block: block[1] + run_demo().report + block[3], readme())
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    refresh_readme()
