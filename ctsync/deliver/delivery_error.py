"""The error of a message that a channel could not send."""

from __future__ import annotations


class DeliveryError(Exception):
    """A message that could not be sent.

    A retry cannot fix a `permanent` error. If `is_channel` is true, the channel failed, not
    this message: other messages for the channel need not be tried.
    """

    def __init__(self, reason: str, *, permanent: bool = False, is_channel: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.is_channel = is_channel
