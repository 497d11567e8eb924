"""A daemon whose channels answer one byte at a time: the next sync starts on schedule.

Each test prints its figure, which is the evidence. Daemon, web server and mail server are real.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ctsync.dates import SystemClock
from ctsync.model import NctId
from ctsync.store.admin.check import check
from ctsync.store.store import open_store
from tests.deliver.dripserver import (
    DripServer,
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
INTERVAL_SECONDS = 3
SYNCS = 5
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
[database]
url = "{database}"
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


@pytest.fixture
def registry() -> Iterator[ReplayRegistry]:
    with ReplayRegistry(Catalogue("2026-02-02")) as replay:
        publish(replay, *TRIALS)
        yield replay


def environment(folder: Path, *, hook: DripServer, ping: DripServer) -> dict[str, str]:
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("CTSYNC_")},
        "CTSYNC_CONFIG": str(folder / "ctsync.toml"),
        "HOOK": hook.url,
        "PING": ping.url,
        "HOME": str(folder),
    }


def started(url: str, *, after: int = 0) -> list[float]:
    with open_store(url, clock=SystemClock()) as store:
        return sorted(run.started.timestamp() for run in store.runs.latest() if run.id > after)


@pytest.mark.parametrize("mail_talk", [smtp_greeting, smtp_verdict])
def test_slow_channels_delay_no_sync_and_no_stop(
    mail_talk: Talk, migrated_url: str, registry: ReplayRegistry, tmp_path: Path
) -> None:
    with ExitStack() as servers:
        mail, hook, ping = (
            servers.enter_context(dripping(talk)) for talk in (mail_talk, http, http)
        )
        (tmp_path / "ctsync.toml").write_text(
            SETTINGS.format(database=migrated_url, registry=registry.url, mail=mail.port)
        )
        with open_store(migrated_url, clock=SystemClock()) as store, store.unit() as unit:
            unit.watches.add_trials("mine", dict.fromkeys(TRIALS), SystemClock().now())
        env = environment(tmp_path, hook=hook, ping=ping)
        off = {"CTSYNC_RECIPIENTS": "[]", "CTSYNC_CHANNELS": "[]", "PING": "http://127.0.0.1:1"}
        quiet = env | off
        subprocess.run([sys.executable, "-m", "ctsync", "sync"], env=quiet, check=True)
        (first,) = started(migrated_url)
        change(registry, TRIALS[0], "TERMINATED")
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=env, cwd=tmp_path, stderr=subprocess.DEVNULL
        )
        try:
            end = time.monotonic() + 60
            changed = [TRIALS[0]]
            while (count := len(started(migrated_url, after=1))) < SYNCS:
                assert time.monotonic() < end, f"{count} syncs within a minute"
                if count == 2 and len(changed) == 1:
                    changed.append(TRIALS[1])
                    change(registry, TRIALS[1], "COMPLETED")
                time.sleep(0.2)
            begun = started(migrated_url, after=1)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=20)
            stopped = time.monotonic() - began
        finally:
            process.kill()
            process.wait()
    late = [at - begun[0] - n * INTERVAL_SECONDS for n, at in enumerate(begun)]
    print(
        f"{mail_talk.__name__}: {len(begun)} syncs, the latest {max(late, default=99):.2f} s after "
        f"its time; mail server asked {mail.connections} times, webhook {hook.connections}, monitor "
        f"{ping.connections}; stopped in {stopped:.1f} s"
    )
    assert first
    assert len(begun) >= SYNCS
    assert max(late) < 1
    assert min(mail.connections, ping.connections) > 0
    assert (code, stopped < 10) == (0, True)
    assert unsent(migrated_url) == {"anna@example.org": 2, "team": 2}
    assert check(migrated_url) == []


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
