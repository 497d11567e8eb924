"""A process killed anywhere around sending leaves nothing undelivered; a repeat is the same."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ctsync.deliver.message import Message
from ctsync.deliver.outbox import drain
from ctsync.deliver.routes import MAIL
from ctsync.store.deliveries import DeliveryState
from ctsync.store.store import Store
from tests.deliver.desk import ANNA, ClockAt, change, keep, trial

KILLS = 100


class Mailbox:
    """A channel that writes what it is sent into a file, and dies where it is told to."""

    def __init__(self, path: Path, dies: str = "") -> None:
        self.routes = {ANNA.recipient: ANNA}
        self._path, self._dies = path, dies

    def send(self, message: Message) -> None:
        self._die("before data")
        told = " ".join(str(stored.event_id) for stored in message.events)
        with self._path.open("a") as file:
            file.write(f"{message.key} {told}\n")
        self._die("after data")

    def close(self) -> None:
        self._die("after mark")

    def _die(self, here: str) -> None:
        if here == self._dies:
            os.kill(os.getpid(), signal.SIGKILL)

    def received(self) -> list[tuple[str, str]]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [(key, told) for key, _, told in (line.partition(" ") for line in lines)]


def killed(work: Callable[[], object]) -> bool:
    """Do `work` in a process of its own; whether that was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("moment", ["before claim", "before data", "after data", "after mark"])
def test_a_kill_loses_no_change_and_repeats_at_most_the_same_message(
    moment: str, store: Store, clock: ClockAt, tmp_path: Path
) -> None:
    path = tmp_path / "mailbox"
    events = []

    def die() -> None:
        if moment == "before claim":
            os.kill(os.getpid(), signal.SIGKILL)
        drain(store, {MAIL: Mailbox(path, moment)}, clock=clock)

    for number in range(KILLS):
        events += keep(store, trial(1 + number % 9), [change(str(number))], routes=[ANNA],
                       now=clock.now())  # fmt: skip
        store.close()  # no connection is carried into the other process
        assert killed(die)
        clock.at += timedelta(minutes=16)
        drain(store, {MAIL: Mailbox(path)}, clock=clock)

    received = Mailbox(path).received()
    told = Counter(int(event) for _, ids in set(received) for event in ids.split())
    undelivered = len(set(events) - set(told))
    twice = len(received) - len(set(received))
    print(f"kill {moment}: {KILLS} kills, {undelivered} undelivered, {twice} repeats, all the same")
    assert undelivered == 0
    assert set(told.values()) == {1}, "a repeat is the same message, with the same events"
    assert twice == (KILLS if moment == "after data" else 0)
    assert len(store.deliveries(DeliveryState.SENT)) == KILLS
