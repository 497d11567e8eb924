"""Sends messages of several channels at the same time. Knows no outbox."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ctsync.deliver.channels.channel import Channel

if TYPE_CHECKING:
    from ctsync.deliver.compose import ComposedMessage


@dataclass(frozen=True, slots=True)
class SendResult:
    """A message that its channel has finished with; `error` is what the channel raised, if any."""

    parcel: ComposedMessage
    error: BaseException | None

    @property
    def channel(self) -> str:
        """The name of the channel."""
        return self.parcel.message.route.channel


class ConcurrentSends:
    """Sends at most one message per channel at a time, each in a thread of its own.

    The threads end with the process: a channel that hangs does not keep it alive.
    """

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels
        self._results: SimpleQueue[SendResult] = SimpleQueue()
        self.under_way: set[str] = set()

    def start(self, parcel: ComposedMessage) -> None:
        """Start to send a message. No other message of its channel may be under way."""
        name = parcel.message.route.channel
        channel = self._channels[name]

        def send() -> None:
            raised: BaseException | None = None
            try:
                channel.send(parcel.message)
            except BaseException as error:  # noqa: BLE001 - raised or noted by the drain
                raised = error
            self._results.put(SendResult(parcel, raised))

        threading.Thread(target=send, name=f"send {name}", daemon=True).start()
        self.under_way.add(name)

    def result(self, timeout: float | None = None) -> SendResult | None:
        """Wait for the next message to end; return None if none does within `timeout` seconds."""
        try:
            result = self._results.get(timeout=timeout)
        except Empty:
            return None
        self.under_way.discard(result.channel)
        return result
