"""A daemon whose channels answer one byte at a time: the next sync starts on schedule.

Each daemon prints its figure, which is the evidence. Daemon, web server and mail server are real.
The daemons of a test run at the same time: they mostly wait.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from ctsync.dates import SystemClock
from ctsync.model import NctId
from ctsync.store.admin.check import check
from ctsync.store.store import open_store
from tests.conftest import PostgresServer
from tests.deliver.dripserver import (
    Talk,
    dripping,
    http,
    smtp_greeting,
    smtp_verdict,
)
from tests.registry_fixtures import an_id, publish
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

TRIALS = [*map(an_id, range(1, 4))]
SLOW = (smtp_greeting, smtp_verdict, http)
INTERVAL_SECONDS = 8
SYNCS = 4
STATUS = "protocolSection.statusModule.overallStatus"

# the settings have no interval below a minute
PROGRAM = f"""
from ctsync.cli import main
from ctsync.cli.sync import daemon
from ctsync.daemon import Schedule

daemon.Schedule = lambda *_, **__: Schedule("", minutes={INTERVAL_SECONDS} / 60)
Schedule.is_due = lambda *_: True  # a part of so short an interval is spent on starting
main(["daemon"], prog_name="ctsync")
"""

SETTINGS = """
[registry]
url = "{registry}"
requests_per_second = 10.0
burst = 20
[log]
events = "off"
[smtp]
host = "127.0.0.1"
port = {mail}
security = "none"
sender = "ctsync@example.org"
[[recipients]]
email = "anna@example.org"
[[channels]]
name = "team"
url = "env:HOOK"
[monitor]
ping_url = "env:PING"
"""


def started(url: str, *, after: int = 0) -> list[float]:
    with open_store(url, clock=SystemClock()) as store:
        return sorted(run.started.timestamp() for run in store.runs.latest() if run.id > after)


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request: pytest.FixtureRequest, migrated_file: Path) -> Iterator[Callable[[Path], str]]:
    """Make an empty database of the newest schema for a daemon that has this folder."""
    made: list[str] = []
    if request.param == "sqlite":
        yield lambda folder: f"sqlite:///{shutil.copy(migrated_file, folder / 'ctsync.db')}"
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")

    def new(_folder: Path) -> str:
        made.append(postgres.new_migrated_database())
        return made[-1]

    yield new
    for url in made:
        postgres.drop(url)


def test_slow_channels_delay_no_sync_and_no_stop(
    new_url: Callable[[Path], str], tmp_path: Path
) -> None:
    daemons = []
    for talk in SLOW:
        folder = tmp_path / talk.__name__
        folder.mkdir()
        daemons.append((talk, new_url(folder), folder))
    with ThreadPoolExecutor(len(daemons)) as threads:
        for figure in threads.map(run_daemon, *zip(*daemons, strict=True)):
            print(figure)


def run_daemon(slow: Talk, url: str, folder: Path) -> str:
    """Hold a daemon against channels that drip, and return the figure.

    Both channels lead to the slow server. If it talks HTTP, nobody gets mail.
    """
    with ExitStack() as servers:
        registry = servers.enter_context(ReplayRegistry(Catalogue("2026-02-02")))
        publish(registry, *TRIALS)
        first, ping = (servers.enter_context(dripping(talk)) for talk in (slow, http))
        (folder / "ctsync.toml").write_text(SETTINGS.format(registry=registry.url, mail=first.port))
        with open_store(url, clock=SystemClock()) as store, store.unit() as unit:
            unit.watches.add_trials("mine", dict.fromkeys(TRIALS), SystemClock().now())
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CTSYNC_")},
            "CTSYNC_CONFIG": str(folder / "ctsync.toml"),
            "CTSYNC_DATABASE_URL": url,
            "HOME": str(folder),
            "HOOK": first.url,
            "PING": "http://127.0.0.1:1",
        }
        quiet = env | {"CTSYNC_RECIPIENTS": "[]", "CTSYNC_CHANNELS": "[]"}
        subprocess.run([sys.executable, "-m", "ctsync", "sync", "-q"], env=quiet, check=True)
        change(registry, TRIALS[0], "TERMINATED")
        loud = env | {"PING": ping.url} | ({"CTSYNC_RECIPIENTS": "[]"} if slow is http else {})
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=loud, cwd=folder, stderr=subprocess.DEVNULL
        )
        try:
            begun = watched(url, registry)
            stopping = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=20)
            stopped = time.monotonic() - stopping
        finally:
            process.kill()
            process.wait()
    # the first sync of a daemon starts when its modules are loaded, not on a schedule
    places = [at - n * INTERVAL_SECONDS for n, at in enumerate(begun[1:])]
    late = max(places) - min(places)
    assert late < INTERVAL_SECONDS / 2, "no sync was skipped"
    if os.getloadavg()[0] < (os.cpu_count() or 1):  # else this is the figure of a busy machine
        assert late < 1
    assert min(first.connections, ping.connections) > 0
    assert (code, stopped < 10) == (0, True)
    assert unsent(url) == ({} if slow is http else {"anna@example.org": 2}) | {"team": 2}
    assert check(url) == []
    kind = url.partition("+")[0].partition(":")[0]
    return (
        f"{kind}, {slow.__name__}: {len(begun)} syncs, none more than {late:.2f} s after its time; "
        f"the slow channel was asked {first.connections} times, the monitor {ping.connections} "
        f"times; stopped in {stopped:.1f} s"
    )


def watched(url: str, registry: ReplayRegistry) -> list[float]:
    """Return the starts of the daemon's syncs; change another trial after the second."""
    end, changed = time.monotonic() + 120, False
    while len(begun := started(url, after=1)) < SYNCS:
        assert time.monotonic() < end, f"{len(begun)} syncs in time"
        if len(begun) == 2 and not changed:
            changed = True
            change(registry, TRIALS[1], "COMPLETED")
        time.sleep(0.2)
    return begun


def change(registry: ReplayRegistry, nct_id: NctId, status: str) -> None:
    registry.catalogue.advance()
    registry.catalogue.edit(nct_id, {STATUS: status})


def unsent(url: str) -> dict[str, int]:
    """Count the trials of each recipient whose change is not sent yet."""
    found: dict[str, set[NctId]] = {}
    with open_store(url, clock=SystemClock()) as store:
        events = {stored.event_id: stored.nct_id for stored in store.events.find()}
        for row in store.outbox.deliveries(unsent_only=True):
            found.setdefault(row.recipient, set()).add(events[row.event_id])
    return {recipient: len(ids) for recipient, ids in found.items()}
