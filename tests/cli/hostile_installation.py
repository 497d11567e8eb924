"""An installation whose trials hold hostile text, and calls of every command on it."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from ctsync.cli import main
from ctsync.cli.commands import LazyGroup
from tests.forked import start_forked
from tests.registry_fixtures import make_study
from tests.replay.bulk_download import download
from tests.replay.catalogue import Catalogue
from tests.replay.http_messages import Request
from tests.replay.registry_server import ReplayRegistry
from tests.security.attacks import ATTACKS

TRIAL, OTHER, NEW = "NCT03389919", "NCT05935098", "NCT05935099"
FOREIGN = "Müller → 日本語 … ≥ 5 µg “é” 😀 e\u0301 \u011b \u202e \x1b[2J \x9b31m"
SETTINGS = """
[[watches]]
name = "日本 →"
trials = ["NCT05935098"]
[[channels]]
name = "hook"
url = "http://127.0.0.1:9/hook"
[smtp]
host = "127.0.0.1"
port = 9
sender = "Ünal → <ctsync@example.org>"
security = "none"
[[recipients]]
email = "anna@example.org"
"""

READING: Sequence[Sequence[str]] = (
    ("base-rates",),
    ("changes", "--since", "all"),
    ("check",),
    ("config", "check"),
    ("config", "show"),
    ("db", "current"),
    ("db", "stats"),
    ("diff", TRIAL),
    ("export", "cohort"),
    ("export", "csv"),
    ("export", "ics"),
    ("export", "jsonl"),
    ("export", "jsonl", "--what", "flags"),
    ("find", "status=SUSPENDED"),
    ("find", "outcome~survival", "eligibility!~x", "--ever"),
    ("flags", "--all"),
    ("forecast", "--within", "all"),
    ("history", TRIAL),
    ("mcp",),
    ("notify", "--preview", "--full"),
    ("outbox", "list", "--all"),
    ("page", TRIAL),
    ("portfolio",),
    ("relevel",),
    ("report", "--since", "all"),
    ("rules",),
    ("runs",),
    ("schema",),
    ("show", TRIAL),
    ("show", TRIAL, "--format", "text"),
    ("status",),
    ("status", TRIAL),
    ("timeline", TRIAL),
    ("watch", "list"),
    ("watch", "show", "default"),
)
DOCUMENTS: Sequence[Sequence[str]] = (
    ("report", "--since", "all", "--format", "markdown"),
    ("report", "--since", "all", "--format", "html"),
    ("report", "--since", "all", "--format", "json"),
    ("report", "--since", "all", "--format", "csv"),
    ("report", "--since", "all", "--format", "atom"),
    ("report", "--since", "all", "--format", "csv", "--output", "-"),
    ("diff", TRIAL, "--format", "html"),
    ("diff", TRIAL, "--format", "markdown"),
    ("diff", TRIAL, "--format", "json"),
    ("page", TRIAL),
    ("portfolio", "--json"),
    ("portfolio", "--csv"),
    ("portfolio", "--format", "ics"),
    ("portfolio", "--format", "json"),
    ("export", "cohort"),
    ("export", "csv"),
    ("export", "ics"),
    ("export", "ics", "--json"),
    ("export", "jsonl"),
    ("export", "jsonl", "--what", "events"),
    ("changes", "--since", "all", "--json"),
    ("flags", "--all", "--json"),
    ("history", TRIAL, "--json"),
    ("show", TRIAL, "--format", "html"),
    ("show", TRIAL, "--json"),
    ("show", TRIAL, "--raw"),
    ("timeline", TRIAL, "--json"),
    ("watch", "list", "--json"),
)
"""Calls that write a file format to stdout, which is always UTF-8."""
WRITING: Sequence[Sequence[str]] = (
    ("report", "--since", "all", "--output", "-"),
    ("report", "--since", "all", "--format", "xlsx", "--output", "report.xlsx"),
    ("report", "--since", "all", "--format", "html", "--output", "report-日本.html"),
    ("portfolio", "--format", "xlsx", "--output", "portfolio.xlsx"),
    ("diff", TRIAL, "--output", "-"),
    ("backup", "copy-→.db"),
    ("restore", "copy-→.db"),
    ("db", "compact"),
    ("db", "copy", "ctsync.db", "second.db"),
    ("db", "index-text"),
    ("db", "upgrade"),
    ("doctor",),
    ("export", "ics", "--output", "dates.ics"),
    ("export", "jsonl", "--output", "trials.jsonl"),
    ("export", "parquet", "--output", "dataset"),
    ("export", "xlsx", "--output", "trials.xlsx"),
    ("import", "trials.jsonl"),
    ("init", "--config", "new.toml"),
    ("site", "pages"),
    ("watch", "add", NEW, "--name", "Größe"),
    ("watch", "add", NEW, "--name", "≥ 5"),
    ("watch", "remove", "Größe"),
    ("sync",),
    ("sync", "--json"),
    ("outbox", "retry"),
    ("outbox", "drop", "2"),
    ("backfill", TRIAL),
    ("mirror", "--bulk", "ctg-studies.json.zip"),
    ("daemon",),
    ("serve", "--port", "0"),
    ("db", "forget-load", "2026-02-02T09:00:05Z"),
)
DEMO = ("demo",)
"""Takes as long as all others: it runs most of them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended."""

    code: int
    stdout: bytes
    stderr: bytes


def catalogue() -> Catalogue:
    """Return three trials; the first is full of attacks, and changes on the second day."""
    made = Catalogue("2026-02-02")
    for nct_id in (TRIAL, OTHER, NEW):
        study = make_study(nct_id, conditionsModule={"conditions": [FOREIGN]})
        study["protocolSection"]["identificationModule"]["briefTitle"] = f"{FOREIGN} {nct_id}"
        study["protocolSection"]["sponsorCollaboratorsModule"]["leadSponsor"]["name"] = FOREIGN
        made.publish(study)
    attacks = [text for text in ATTACKS if text.strip() and _is_in_json(text)]
    attacked = [" | ".join(attacks[start::20]) for start in range(20)]
    made.publish(
        make_study(
            TRIAL,
            overallStatus="SUSPENDED",
            whyStopped=FOREIGN,
            completionDateStruct={"date": "2028-01", "type": "ESTIMATED"},
            conditionsModule={"conditions": attacked, "keywords": attacked[::-1]},
        ),
        load="2026-02-03",
    )
    return made


def prepare(folder: Path, registry: ReplayRegistry) -> None:
    """Fill a folder with settings, an archive and a database of two days."""
    (folder / "ctsync.toml").write_text(SETTINGS, encoding="utf-8")
    env = environment(folder, registry)
    for words in (("watch", "add", TRIAL), ("sync",)):
        CliRunner().invoke(main, list(words), env=env)
    registry.load = "2026-02-03"
    ended = CliRunner().invoke(main, ["sync"], env=env)
    assert ended.exit_code == 0, ended.output
    archive = download(registry.catalogue.view(), Request("GET", "", {"format": "json.zip"}))
    (folder / "ctg-studies.json.zip").write_bytes(archive.body)


def environment(folder: Path, registry: ReplayRegistry) -> dict[str, str]:
    """Return the environment of all calls; paths are relative to the folder of the call."""
    return {
        "CTSYNC_REGISTRY_URL": registry.url,
        "CTSYNC_REGISTRY__REQUESTS_PER_SECOND": "10",
        "CTSYNC_REGISTRY__BURST": "20",
        "CTSYNC_REGISTRY__RETRY_SECONDS": "0",
        "CTSYNC_DATABASE_URL": f"sqlite:///{folder / 'ctsync.db'}",
        "CTSYNC_MIRROR__PROCESSES": "0",
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "HOME": str(folder),
    }


def _is_in_json(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def names(group: LazyGroup = main) -> set[str]:
    """Return the names of all commands in the table of commands."""
    found = set()
    for name, command in _commands(group):
        inner = names(command) if isinstance(command, LazyGroup) else set()
        found |= {f"{name} {one}" for one in inner} or {name}
    return found


def _commands(group: LazyGroup) -> list[tuple[str, Any]]:
    context = click.Context(group)
    return [(name, group.get_command(context, name)) for name in group.list_commands(context)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Runs calls in forked processes with their imports done, in one folder and one encoding."""

    folder: Path
    env: Mapping[str, str]
    encoding: str

    def __call__(self, words: Sequence[str]) -> Ended:
        """Run a call; a daemon or server is stopped after a moment."""
        process = start_forked(_run, tuple(words), dict(self.env), self.folder, self.encoding)
        process.join(LONGEST_SECONDS)
        assert not process.is_alive(), words
        files = [self.folder / f".{process.pid}.{name}" for name in ("out", "err")]
        written = [file.read_bytes() for file in files]
        for file in files:
            file.unlink()
        return Ended(process.exitcode or 0, *written)


NAMES = names()
"""The names of all commands. Imports their modules, so that the forked processes need not."""

LONGEST_SECONDS = 300
DAEMON_SECONDS = 2.0


def _run(words: Sequence[str], env: Mapping[str, str], folder: Path, encoding: str) -> None:
    os.environ.update(env, PYTHONIOENCODING=encoding)
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        opened = os.open(f".{os.getpid()}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
    # as Python opens them if PYTHONIOENCODING is set
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding, write_through=True)
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), encoding, "backslashreplace", write_through=True
    )
    if words[0] in {"daemon", "serve"}:
        threading.Thread(target=_stop_later, args=(words[0],), daemon=True).start()
    code: object = 1
    try:
        main(list(words), prog_name="ctsync")
    except SystemExit as ended:
        code = ended.code
    sys.stdout.flush()
    os._exit(code if isinstance(code, int) else 0)


def _stop_later(command: str) -> None:
    """Send SIGTERM to this process after a moment."""
    # a busy server takes seconds to begin; the daemon handles signals without a handler
    while command == "serve" and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        time.sleep(0.05)
    time.sleep(DAEMON_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def copied(folder: Path, to: Path) -> Path:
    """Copy a prepared folder, without the database's lock files."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.lock*", ".*"))
    return to
