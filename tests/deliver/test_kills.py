"""A process killed anywhere around sending leaves nothing undelivered; a repeat is the same.

The mail goes by the real channel to a real SMTP server, which stands in a process of its own.
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

from ctsync.deliver.email import MailChannel
from ctsync.deliver.outbox import LEASE, drain
from ctsync.deliver.routes import MAIL
from ctsync.store.check import check
from ctsync.store.deliveries import DeliveryState, DeliveryWrites
from ctsync.store.store import Store, open_store
from tests.deliver.desk import ANNA, ClockAt, change, keep, trial
from tests.deliver.mailserver import Server, running, smtp

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs fork"),
]

KILLS = {"sqlite": 100, "postgresql": 10}
MOMENTS: dict[str, tuple[type, str]] = {
    "before claim": (DeliveryWrites, "claim"),
    "after claim": (DeliveryWrites, "mark_attempt"),
    "after DATA accepted, before mark": (DeliveryWrites, "mark_sent"),
    "after mark": (MailChannel, "close"),
}


@pytest.fixture
def store(migrated_url: str, clock: ClockAt) -> Iterator[Store]:
    with open_store(migrated_url, clock=clock) as opened:
        yield opened


@contextmanager
def mailbox(log: Path) -> Iterator[int]:
    """A mail server in a process of its own, which notes each mail it takes; gives its port."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:

        def note(server: Server, stage: str) -> None:
            if stage.startswith("taken"):
                mail = server.mails[-1]
                text: Any = mail.get_body(("plain",))
                told = " ".join(re.findall(r"Change (\d+)", text.get_content()))
                with log.open("a") as file:
                    file.write(f"{mail['Message-ID']} {told}\n")

        with running(note) as server:
            os.write(writer, f"{server.port}\n".encode())
            signal.pause()
        os._exit(0)
    try:
        os.close(writer)
        with os.fdopen(reader) as said:
            yield int(said.readline())
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def killed_at(moment: tuple[type, str], work: Callable[[], object]) -> bool:
    """Do `work` in a process of its own that is killed at that moment; whether it was."""
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


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_loses_no_mail_and_repeats_at_most_the_same_message(
    moment: str, store: Store, clock: ClockAt, migrated_url: str, tmp_path: Path
) -> None:
    kills = KILLS[migrated_url.partition("+")[0].partition(":")[0]]
    log = tmp_path / "received"
    store.close()  # no connection is carried into another process
    with mailbox(log) as port:

        def deliver() -> None:
            drain(store, {MAIL: MailChannel({ANNA.recipient: ANNA}, smtp(port))}, clock=clock)

        for number in range(kills):
            keep(store, trial(1 + number % 9), [change(str(number), label=f"Change {number}")],
                 routes=[ANNA], now=clock.now())  # fmt: skip
            store.close()
            assert killed_at(MOMENTS[moment], deliver)
            clock.at += LEASE + timedelta(minutes=1)
            deliver()

    received = [line.partition(" ")[::2] for line in log.read_text().splitlines()]
    told = Counter(int(change) for _, changes in set(received) for change in changes.split())
    undelivered = len(set(range(kills)) - set(told))
    repeats = len(received) - len({message_id for message_id, _ in received})
    problems = check(migrated_url)
    print(
        f"mail kill {moment}: {kills} kills, {undelivered} undelivered, {repeats} repeats, "
        f"all with the same Message-ID, {len(problems)} problems"
    )
    assert undelivered == 0
    assert set(told.values()) == {1}, "a repeat is the same message, with the same changes"
    assert repeats == (kills if moment.startswith("after DATA") else 0)
    assert len(store.deliveries(DeliveryState.SENT)) == kills
    assert problems == []
