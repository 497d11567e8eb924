"""The standard streams: odd encodings, closed descriptors, readers that exit, full disks."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ctsync.cli.streams import OutputStream, open_streams
from tests.cli.conftest import SEED, Shell
from tests.deliver.webserver import web
from tests.replay.registry_server import ReplayRegistry

TEXT = "Müller: 5 → 7 … ≥ 日本"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", TEXT),
        ("cp1252", "Müller: 5 -> 7 … >= \\u65e5\\u672c"),
        ("iso8859-1", "Müller: 5 -> 7 ... >= \\u65e5\\u672c"),
        ("ascii", "M\\xfcller: 5 -> 7 ... >= \\u65e5\\u672c"),
    ],
)
def test_text_degrades_to_what_the_encoding_has(encoding: str, shown: str) -> None:
    open_streams()  # registers the look-alikes
    written = io.BytesIO()
    stream = OutputStream(io.TextIOWrapper(written, encoding))
    stream.write(TEXT)
    stream.flush()
    assert written.getvalue().decode(encoding) == shown


def test_a_lone_surrogate_is_escaped_in_utf_8() -> None:
    open_streams()
    written = io.BytesIO()
    stream = OutputStream(io.TextIOWrapper(written, "utf-8"))
    stream.write("a\udc80b")
    stream.flush()
    assert written.getvalue() == b"a\\udc80b"


def test_closed_streams_are_occupied_before_a_file_gets_their_number() -> None:
    code = (
        "import os, sys; from ctsync.cli.streams import open_streams; open_streams()\n"
        "print('lost'); print('lost', file=sys.stderr); sys.stdin.read()\n"
        "file = os.open(sys.argv[1], os.O_RDONLY)\n"
        "sys.exit(file if sys.stdout.lost and sys.stderr.lost else 1)\n"
    )
    done = subprocess.run(
        ["bash", "-c", 'exec "$0" -c "$1" "$2" <&- >&- 2>&-', sys.executable, code, __file__],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 3


# --- a sync with broken streams ------------------------------------------------------------------


def bash(shell: Shell, line: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line with `ctsync` in it; its exit code is that of ctsync."""
    env = {**os.environ, **{k: v for k, v in shell.env.items() if v is not None}, **more}
    command = f"ctsync() {{ exec '{sys.executable}' -m ctsync \"$@\"; }}; {line}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=120,
    )


BROKEN = {
    "(ctsync sync >&-)": 0,
    "(ctsync sync 2>&-)": 0,
    "(ctsync sync <&- >&- 2>&-)": 0,
    "(ctsync sync 2>/dev/full)": 0,
    "(ctsync sync >/dev/full)": 74,
    "(ctsync sync --json) | head -c 1": 0,
    "(ctsync -vv sync 2>&1 >/dev/null) | head -c 1": 0,
}


@pytest.mark.slow
@pytest.mark.parametrize("line", BROKEN)
def test_a_sync_with_a_broken_stream_stores_and_sends_all(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path, line: str
) -> None:
    shell.run("watch", "add", SEED, "--sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {"protocolSection.statusModule.overallStatus": "TERMINATED"})
    with web(200) as server:
        (tmp_path / "ctsync.toml").write_text(
            f'[[channels]]\nname = "hook"\nurl = "{server.url}/hook"\n'
        )
        done = bash(shell, line)
        sent = len(server.received)
    stored = len(shell.json("history", SEED, "--json"))
    print(f"streams: {line}: exit code {done.returncode}, {stored} versions, {sent} sent")
    assert (done.returncode, stored, sent) == (BROKEN[line], 2, 1), done.stderr
    assert b"Traceback" not in done.stdout + done.stderr
    assert b"Exception ignored" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("option", ["", "--json"])
def test_the_exit_code_depends_on_the_result_even_if_nobody_reads(
    shell: Shell, tmp_path: Path, option: str
) -> None:
    shell.run("db", "upgrade")
    (tmp_path / "ctsync.toml").write_text(f'[[watches]]\nname = "file"\ntrials = ["{SEED}"]\n')
    assert bash(shell, f"(ctsync status {option}) | true").returncode == 3


@pytest.mark.slow
def test_event_lines_for_a_closed_stderr_are_not_counted_as_sent(
    shell: Shell, registry: ReplayRegistry
) -> None:
    shell.env["CTSYNC_LOG__EVENTS"] = "stderr"
    shell.run("watch", "add", SEED)
    assert bash(shell, "(ctsync sync 2>&-)").returncode == 0
    waiting = shell.json("outbox", "list", "--json")
    assert [one["channel"] for one in waiting] == ["log"]


@pytest.mark.slow
def test_the_c_locale_shows_text_as_ascii_and_writes_formats_as_utf_8(
    shell: Shell, registry: ReplayRegistry
) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shell.run("watch", "add", SEED, "--name", "日本", "--sync")
    listed = bash(shell, "(ctsync watch list)", **locale)
    assert (listed.returncode, listed.stdout.isascii()) == (0, True)
    assert b"\\u65e5\\u672c" in listed.stdout
    as_json = bash(shell, "(ctsync watch list --json)", **locale)
    assert "日本" in as_json.stdout.decode()


@pytest.mark.slow
def test_a_path_that_the_locale_cannot_name_is_refused_with_its_name(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "ctsync.toml").write_text('[database]\nurl = "sqlite:///größe.db"\n', "utf-8")
    shell.env["CTSYNC_DATABASE_URL"] = None
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "CTSYNC_DATABASE_URL": ""}
    refused = bash(shell, "(ctsync status)", **env)
    assert refused.returncode == 2
    assert b"gr\\xf6\\xdfe.db: not a file name in this locale" in refused.stderr


# --- files on a full disk ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--since", "all", "--output"),
        ("report", "--since", "all", "--format", "xlsx", "--output"),
        ("diff", SEED, "--output"),
        ("export", "csv", "--output"),
        ("page", SEED, "--output"),
    ],
)
def test_a_file_on_a_full_disk_exits_with_74(two_versions: Shell, words: tuple[str, ...]) -> None:
    line = two_versions.refuse(*words, "/dev/full", exit_code=74)
    assert line == "ctsync: cannot write /dev/full: No space left on device"


@pytest.fixture
def two_versions(shell: Shell, registry: ReplayRegistry) -> Shell:
    shell.run("watch", "add", SEED, "--sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {"protocolSection.statusModule.overallStatus": "TERMINATED"})
    shell.run("sync")
    return shell
