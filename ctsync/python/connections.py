"""Connections of the Python API to the registry, which share one rate limit per process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from ctsync.config.settings import RegistrySettings
from ctsync.dates import SystemClock
from ctsync.registry.api import RegistryApi
from ctsync.registry.connection import connected
from ctsync.registry.http.rate_limit import RateLimit


@contextmanager
def polite(wanted: RegistrySettings, *, accept_load: bool = False) -> Iterator[RegistryApi]:
    """Connect to the registry at the rate that all connections of this process share."""
    with connected(
        wanted,
        clock=SystemClock(),
        accept_load=accept_load,
        pace=_pace(wanted.requests_per_second, wanted.burst),
    ) as registry:
        yield registry


@cache  # a loop that calls fetch() must not begin each call with a new burst of requests
def _pace(requests_per_second: float, burst: int) -> RateLimit:
    return RateLimit(requests_per_second, burst, clock=SystemClock())
