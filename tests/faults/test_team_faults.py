"""Several hosts on one PostgreSQL: connections cut, leaders killed, the server restarted.

Each test prints its figure, which is the evidence. The daemons and the server are real; the
registry is a loopback server.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ctsync.cli import main
from ctsync.model import NctId
from ctsync.store.admin.check import check
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.database.engine import parse_url
from ctsync.store.store import Store, open_store
from tests.conftest import PostgresServer, StillClock
from tests.faults.database_gate import (
    Behaviour,
    DatabaseGate,
    close_at_once,
    drip,
    forward,
    never_answer,
)
from tests.registry_fixtures import an_id, publish
from tests.replay import faults
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry
from tests.store.samples import FETCHED, keep

pytestmark = pytest.mark.slow

TAKEOVER_SECONDS = 30
"""The longest takeover that the README promises."""

TRIALS = [*map(an_id, range(1, 61))]


@dataclass
class Daemon:
    """One `ctsync daemon`, as on a host of its own, and the lines it has logged so far."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip())

    def has_said(self, words: str) -> bool:
        return any(words in line for line in self.said)

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=15) == 0
        self.reader.join()
        return "\n".join(self.said)


@dataclass
class Team:
    """A database, a registry and the daemons that use both."""

    url: str
    registry: ReplayRegistry
    folder: Path
    postgres: PostgresServer
    daemons: list[Daemon] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("CTSYNC_")},
            "CTSYNC_REGISTRY_URL": self.registry.url,
            "CTSYNC_REGISTRY__REQUESTS_PER_SECOND": "10",
            "CTSYNC_REGISTRY__BURST": "20",
            "CTSYNC_REGISTRY__RETRY_SECONDS": "0",
            "CTSYNC_DATABASE_URL": self.url,
            "CTSYNC_LOG__EVENTS": "off",
            "XDG_CONFIG_HOME": str(self.folder),
            "HOME": str(self.folder),
        }

    def start(self) -> Daemon:
        process = subprocess.Popen(
            [sys.executable, "-m", "ctsync", "daemon"],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.daemons.append(Daemon(process))
        return self.daemons[-1]

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, list(words), env=dict(self.environment))

    @property
    def living(self) -> list[Daemon]:
        return [daemon for daemon in self.daemons if daemon.process.poll() is None]

    def store(self) -> Store:
        return open_store(self.url, clock=StillClock())

    def leader(self) -> Daemon | None:
        """The daemon that holds the writer lock."""
        import psycopg

        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            found = connection.execute(
                "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                "WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
            ).fetchone()
        return next(
            (d for d in self.living if found and f" pid {d.process.pid} " in found[0]), None
        )

    def cut(self, names: str = "%") -> None:
        """End the database sessions whose name matches, as a failover does."""
        name = self.postgres.name_of(self.url)
        self.postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
            f"datname = '{name}' AND application_name LIKE '{names}'"
        )

    def wrong(self) -> dict[str, int]:
        """Count lost, duplicate and torn trials after a completed cycle."""
        with self.store() as store:
            versions = {nct_id: len(store.versions.of(nct_id)) for nct_id in TRIALS}
            counts = store.counts()
            events = store.events.find(EventFilter())
        return {
            "lost": sum(count == 0 for count in versions.values()),
            "double": sum(count > 1 for count in versions.values()),
            "torn": len(check(self.url))
            + abs(len({e.nct_id for e in events}) - counts["snapshots"]),
        }


@pytest.fixture
def team(postgres: PostgresServer, tmp_path: Path) -> Iterator[Team]:
    """A team that follows 60 trials and has fetched none of them yet."""
    url = postgres.new_migrated_database()
    with open_store(url, clock=StillClock()) as store, store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(TRIALS), FETCHED)
    with ReplayRegistry(Catalogue("2026-02-02")) as registry:
        publish(registry, *TRIALS)
        made = Team(url, registry, tmp_path, postgres)
        yield made
        for daemon in made.daemons:
            daemon.process.kill()
            daemon.process.wait()
            daemon.reader.join()
            assert daemon.process.stderr is not None
            daemon.process.stderr.close()
    postgres.drop(url)


def wait_for(condition: Callable[[], object], seconds: float = TAKEOVER_SECONDS) -> float:
    """Wait until the condition is true; return the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - began


def is_led(team: Team, living: int) -> bool:
    """Whether one of `living` daemons leads and all others have logged that they stand by."""
    leader = team.leader()
    waiting = [d for d in team.living if d is not leader and d.has_said("standing by: ")]
    return leader is not None and len(waiting) == living - 1


def completed(team: Team) -> int:
    with team.store() as store:
        return sum(run.verdict == "ok" for run in store.runs.latest())


def test_another_daemon_leads_after_the_leader_is_killed_and_one_cycle_runs(team: Team) -> None:
    team.registry.faults.add(faults.delayed(3), path="/v2/version", times=3)
    for _ in range(3):
        team.start()
    waits = []
    for living in (3, 2):
        wait_for(partial(is_led, team, living))
        leader = team.leader()
        assert leader is not None
        leader.process.kill()
        leader.process.wait()
        waits.append(wait_for(lambda: team.leader() is not None))
    wait_for(lambda: completed(team))
    said = [daemon.end() for daemon in team.living]
    wrong, cycles = team.wrong(), completed(team)
    print(
        f"leader: {len(waits)} killed, another led after {max(waits):.1f} s at most, "
        f"{cycles} cycle completed, {wrong}"
    )
    assert cycles == 1
    assert wrong == {"lost": 0, "double": 0, "torn": 0}
    assert max(waits) < TAKEOVER_SECONDS
    assert "Traceback" not in "".join(said)
    assert [text.count("standing by: ") for text in said] == [1]


def test_a_leader_that_loses_its_lock_stops_writing_and_one_cycle_completes(team: Team) -> None:
    team.registry.faults.add(faults.delayed(2), path="/v2/studies", times=1)
    one, other = team.start(), team.start()
    wait_for(lambda: one.has_said("standing by: ") or other.has_said("standing by: "))
    leader = team.leader()
    team.cut("ctsync %")  # only the sessions that hold or wait for the lock
    wait_for(lambda: completed(team))
    wait_for(lambda: not team.leader())
    said = {daemon.process.pid: daemon.end() for daemon in (one, other)}
    wrong = team.wrong()
    print(f"lock cut: 1 leader lost its lock during a cycle, {completed(team)} completed, {wrong}")
    assert leader is not None
    assert wrong == {"lost": 0, "double": 0, "torn": 0}
    assert completed(team) == 1
    assert "Traceback" not in "".join(said.values())


def test_connections_cut_at_any_moment_lose_and_duplicate_nothing(team: Team) -> None:
    rng = random.Random(5)
    one, other = team.start(), team.start()
    wait_for(lambda: one.has_said("ctsync daemon: ") and other.has_said("ctsync daemon: "))
    cuts = 0
    while not completed(team):
        time.sleep(rng.uniform(0.05, 0.6))
        team.cut()
        cuts += 1
        if cuts == 12:  # a cycle needs about a second without a cut
            wait_for(lambda: completed(team))
    said = "".join(daemon.end() for daemon in team.daemons)
    wrong = team.wrong()
    print(f"connections: all cut {cuts} times, {completed(team)} cycle completed, {wrong}")
    assert wrong == {"lost": 0, "double": 0, "torn": 0}
    assert "Traceback" not in said


def test_a_cycle_completes_although_the_server_restarts_during_it(team: Team) -> None:
    team.registry.faults.add(faults.delayed(3), path="/v2/studies", times=1)
    daemon = team.start()
    wait_for(lambda: team.leader() is not None)
    before = completed(team)
    team.postgres.restart()
    wait_for(lambda: completed(team))
    said = daemon.end()
    wrong = team.wrong()
    lines = [line for line in said.splitlines() if "trying again in" in line]
    print(f"restart: 1 during a cycle, {len(lines)} lines logged, then complete, {wrong}")
    assert before == 0
    assert wrong == {"lost": 0, "double": 0, "torn": 0}
    assert "Traceback" not in said
    assert completed(team) == 1


def is_behind(team: Team) -> DatabaseGate:
    """Put a gate between the team and its server."""
    folder = parse_url(team.url).query["host"]
    gate = DatabaseGate(forward, server=f"{folder}/.s.PGSQL.5432")
    team.url = f"{gate.url(team.postgres.name_of(team.url))}?sslmode=disable"
    return gate


@pytest.mark.parametrize("behaviour", [never_answer, drip, close_at_once])
def test_a_starting_and_a_running_daemon_wait_for_a_silent_server(
    team: Team, behaviour: Behaviour
) -> None:
    direct = team.url
    with is_behind(team) as gate:
        gate.behaviour = behaviour
        daemon = team.start()
        wait_for(lambda: daemon.has_said("trying again in"))
        starting = sum("trying again in" in line for line in daemon.said)
        team.registry.faults.add(faults.delayed(3), path="/v2/studies", times=1)
        gate.behaviour = forward
        team.url = direct
        wait_for(lambda: team.leader() is not None)
        gate.behaviour = behaviour
        gate.cut()
        wait_for(lambda: sum("trying again in" in line for line in daemon.said) > starting)
        gate.behaviour = forward
        waited = wait_for(lambda: completed(team), seconds=60)
        said = daemon.end()
    lines = [line for line in said.splitlines() if "trying again in" in line]
    wrong = team.wrong()
    print(
        f"silent server ({behaviour.__name__}): waited at the start and in a cycle, "
        f"{len(lines)} lines, complete {waited:.0f} s after it answered, {wrong}"
    )
    assert "hunter2" not in said
    assert "Traceback" not in said
    assert wrong == {"lost": 0, "double": 0, "torn": 0}
    assert completed(team) == 1


READS: list[tuple[str, ...]] = [
    ("history", TRIALS[0]),
    ("show", TRIALS[0]),
    ("timeline", TRIALS[0]),
    ("changes",),
    ("report", "--since", "all"),
    ("watch", "list"),
    ("status",),
    ("outbox", "list"),
    ("db", "current"),
    ("check",),
]


def test_a_read_only_role_can_run_every_question_and_change_nothing(team: Team) -> None:
    team.run("sync", *TRIALS[:2])
    role = f"reader_{team.postgres.name_of(team.url)}"
    import psycopg

    with psycopg.connect(team.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
    team.url = team.url.replace("postgres:@", f"{role}:@", 1)
    assert role in team.url
    for words in READS:
        done = team.run(*words)
        assert (done.exit_code in (0, 3), done.stderr.count("ctsync: ")) == (True, 0), done.stderr
    for words in (("sync",), ("watch", "add", "NCT00000999")):
        done = team.run(*words)
        (line,) = done.stderr.strip().splitlines()
        assert (done.exit_code, "denies this user access; grant" in line) == (6, True), line


# --- several writers at once -----------------------------------------------------------------


def write(url: str, worker: int, units: int) -> None:
    """Write in one of eight processes: trials of its own, and one watch shared by all."""
    with open_store(url, clock=StillClock()) as store:
        for number in range(units):
            nct_id = NctId(f"NCT{worker:02d}{number // 4:06d}")
            head = store.trials.heads([nct_id]).get(nct_id)
            with store.unit() as unit:
                keep(unit, number, head.snapshot_id if head else None, nct_id)
                unit.watches.add_trials("everybody's", {nct_id: None}, FETCHED)


# a fork needs no imports, and does not run the exit handlers of this process
FORK = multiprocessing.get_context("fork")


@pytest.mark.parametrize("units", [25, pytest.param(1000, marks=pytest.mark.soak)])
def test_eight_processes_that_write_at_once_lose_and_duplicate_nothing(
    migrated_postgres_url: str, units: int
) -> None:
    url = migrated_postgres_url
    writers = [FORK.Process(target=write, args=(url, worker, units)) for worker in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    errors = sum(writer.exitcode != 0 for writer in writers)
    with open_store(url, clock=StillClock()) as store:
        counts = store.counts()
    wrong = abs(counts["snapshots"] - 8 * units) + abs(counts["events"] - 16 * units)
    torn = len(check(url))
    print(
        f"writers: 8 processes, {8 * units:,} units, {wrong} lost or duplicate, {torn} torn, "
        f"{errors} ended with an error"
    )
    assert (wrong, errors, torn) == (0, 0, 0)
