"""Cron, daemon and commands at once, and signals at any moment: one writer, no corrupt data."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from ctsync.store.admin.check import check
from tests.cli import starters
from tests.cli.conftest import SEED, Shell
from tests.forked import note_missing_imports, start_forked
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

OTHER = "NCT05935098"
STATUS = "protocolSection.statusModule.overallStatus"
COUNT = "protocolSection.designModule.enrollmentInfo.count"
LONGEST_END_SECONDS = 10

Start = Callable[..., ForkServerProcess]


@pytest.fixture
def url(shell: Shell, migrated_url: str) -> str:
    """URL of the shell's database; the test runs once per kind of database."""
    shell.env["CTSYNC_DATABASE_URL"] = migrated_url
    shell.env["CTSYNC_SCHEDULE__INTERVAL_MINUTES"] = "60"
    return migrated_url


@pytest.fixture
def start(shell: Shell, tmp_path: Path) -> Start:
    def started(*args: str, at_once: bool = False) -> ForkServerProcess:
        env = {name: value for name, value in shell.env.items() if value is not None}
        return start_forked(starters.run, args, env, tmp_path, at_once=at_once)

    return started


def one(url: str, statement: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        found: int = connection.execute(text(statement)).scalar_one()
    engine.dispose()
    return found


TORN = (
    "SELECT count(*) FROM snapshots s "
    "WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.to_snapshot_id = s.id)"
)


def edit(registry: ReplayRegistry, number: int) -> None:
    registry.catalogue.advance()
    for nct_id in (SEED, OTHER):
        registry.catalogue.edit(nct_id, {COUNT: 1000 + number})


def test_a_process_is_forked_with_its_imports_done(tmp_path: Path) -> None:
    process = start_forked(note_missing_imports, tmp_path / "missing")
    process.join()
    assert (tmp_path / "missing").read_text() == ""


@pytest.mark.parametrize("rounds", [6, pytest.param(50, marks=pytest.mark.soak)])
def test_cron_daemon_and_command_line_write_one_at_a_time_and_lose_nothing(
    shell: Shell, start: Start, registry: ReplayRegistry, url: str, tmp_path: Path, rounds: int
) -> None:
    shell.run("watch", "add", SEED, OTHER)
    lost = refused = 0
    for number in range(rounds):
        edit(registry, number)
        together = [
            start("sync", "--quiet"),
            start("daemon", at_once=True),
            start("sync", "--wait", "60"),
        ]
        for process in together:
            process.join(60)
        ends = [process.exitcode for process in together]
        assert ends[0] in (0, 5), ends  # cron does not wait: its next run follows
        assert ends[1:] == [0, 0], ends
        refused += ends.count(5)
        lost += one(url, f"SELECT count(*) FROM snapshots WHERE enrollment = {1000 + number}") != 2
    twice = one(url, "SELECT count(*) FROM snapshots") - 2 * rounds
    two_writers = len(list(tmp_path.glob("two-writers-*")))
    print(
        f"starters: {rounds} times cron, daemon and command line at once, {two_writers} times two "
        f"writers, {lost} lost, {twice} stored twice, {refused} refused"
    )
    assert (two_writers, lost, twice) == (0, 0, 0)
    assert one(url, TORN) == 0
    assert check(url) == []
    for output in tmp_path.glob("output-*"):
        assert "Traceback" not in output.read_text()


@pytest.mark.parametrize("signals", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_a_signal_at_any_moment_stops_it_in_time_and_corrupts_no_data(
    shell: Shell, start: Start, registry: ReplayRegistry, url: str, tmp_path: Path, signals: int
) -> None:
    shell.run("watch", "add", SEED, OTHER)
    rng = random.Random(3)
    late = torn = interrupted = 0
    for number in range(signals):
        edit(registry, number)
        command = ("daemon", "sync")[number % 2]
        process = start(command)
        while not (tmp_path / f"begun-{process.pid}").exists():
            time.sleep(0.002)
        time.sleep(rng.random() * 0.8)
        sent = rng.choice([signal.SIGTERM, signal.SIGINT])
        if process.is_alive():
            os.kill(process.pid or 0, sent)
        process.join(LONGEST_END_SECONDS)
        late += process.is_alive()
        process.kill()
        process.join()
        stored = f"SELECT count(*) FROM snapshots WHERE enrollment = {1000 + number}"
        interrupted += one(url, stored) < 2
        torn += one(url, TORN)
        output = (tmp_path / f"output-{process.pid}").read_text()
        assert "Traceback" not in output, output
    shell.run("sync")
    print(
        f"signals: {signals} at random moments, {late} too late to end, {torn} torn; {interrupted} "
        "came before all was stored"
    )
    assert interrupted > 0
    assert (late, torn) == (0, 0)
    assert check(url) == []
    newest: Any = [shell.json("history", nct_id, "--json")[-1] for nct_id in (SEED, OTHER)]
    assert [version["enrollment"] for version in newest] == [1000 + signals - 1] * 2
