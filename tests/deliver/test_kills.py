"""A process that is killed while it sends loses no mail, and a repeat is the same message.

The real mail channel sends to a real SMTP server in a separate process.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ctsync.deliver.channels.email import MailChannel
from ctsync.deliver.outbox import LEASE, drain
from ctsync.route import ChannelKind
from ctsync.store.admin.check import check
from ctsync.store.data.outbox import DeliveryState, OutboxWrites
from ctsync.store.store import Store, open_store
from tests.deliver.desk import ANNA, ClockAt, change, keep
from tests.deliver.mailserver import Server, running, smtp
from tests.registry_fixtures import an_id

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs fork"),
]

KILLS = {"sqlite": 25, "postgresql": 10}
MORE_KILLS = {"sqlite": 100, "postgresql": 100}
MOMENTS: dict[str, tuple[type, str]] = {
    "before claim": (OutboxWrites, "claim"),
    "after claim": (OutboxWrites, "mark_attempt"),
    "after DATA accepted, before mark": (OutboxWrites, "mark_sent"),
    "after mark": (MailChannel, "close"),
}


@pytest.fixture
def store(migrated_url: str, clock: ClockAt) -> Iterator[Store]:
    with open_store(migrated_url, clock=clock) as opened:
        yield opened


@contextmanager
def mailbox(log: Path) -> Iterator[int]:
    """Run a mail server in a separate process that logs each accepted mail. Yield its port."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:

        def note(server: Server, stage: str) -> None:
            if stage.startswith("taken"):
                mail = server.mails[-1]
                text: Any = mail.get_body(("plain",))
                # a mail names a change in the row of its trial, and below it
                changes = " ".join(sorted(set(re.findall(r"Change (\d+)", text.get_content()))))
                with log.open("a") as file:
                    file.write(f"{mail['Message-ID']} {changes}\n")

        with running(note) as server:
            os.write(writer, f"{server.port}\n".encode())
            signal.pause()
        os._exit(0)
    try:
        os.close(writer)
        with os.fdopen(reader) as output:
            yield int(output.readline())
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def killed_at(moment: tuple[type, str], work: Callable[[], object]) -> bool:
    """Run `work` in a separate process that is killed at that moment. Return whether it was."""
    child = os.fork()
    if child == 0:

        def die(*_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        try:
            setattr(*moment, die)
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize(
    "kills_by_database",
    [KILLS, pytest.param(MORE_KILLS, marks=pytest.mark.soak)],
    ids=["few", "many"],
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_loses_no_mail_and_repeats_at_most_the_same_message(
    moment: str,
    kills_by_database: dict[str, int],
    store: Store,
    clock: ClockAt,
    migrated_url: str,
    tmp_path: Path,
) -> None:
    kills = kills_by_database[migrated_url.partition("+")[0].partition(":")[0]]
    log = tmp_path / "received"
    store.close()  # a connection must not be shared with another process
    with mailbox(log) as port:

        def deliver() -> None:
            drain(
                store,
                {ChannelKind.MAIL: MailChannel({ANNA.recipient: ANNA}, smtp(port))},
                clock=clock,
            )

        for number in range(kills):
            keep(store, an_id(1 + number % 9), [change(str(number), label=f"Change {number}")],
                 routes=[ANNA], now=clock.now())  # fmt: skip
            store.close()
            assert killed_at(MOMENTS[moment], deliver)
            clock.at += LEASE + timedelta(minutes=1)
            deliver()

    received = [line.partition(" ")[::2] for line in log.read_text().splitlines()]
    delivered = Counter(int(change) for _, changes in set(received) for change in changes.split())
    undelivered = len(set(range(kills)) - set(delivered))
    repeats = len(received) - len({message_id for message_id, _ in received})
    problems = check(migrated_url)
    print(
        f"mail kill {moment}: {kills} kills, {undelivered} undelivered, {repeats} repeats, "
        f"all with the same Message-ID, {len(problems)} problems"
    )
    assert undelivered == 0
    assert set(delivered.values()) == {1}, "a repeat is the same message with the same changes"
    assert repeats == (kills if moment.startswith("after DATA") else 0)
    assert len(store.outbox.deliveries(DeliveryState.SENT)) == kills
    assert problems == []
