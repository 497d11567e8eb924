"""Connects to the registry named in the settings."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ctsync.config.environment import missing_ca_bundles
from ctsync.config.settings import RegistrySettings
from ctsync.dates import Clock
from ctsync.errors import ConfigError
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.rate_limit import RateLimit
from ctsync.registry.http.transport import Transport
from ctsync.registry.record_history import HistoryTransport, RegistryHistory


@contextmanager
def connected(
    wanted: RegistrySettings,
    *,
    clock: Clock,
    most_retry_seconds: float = math.inf,
    accept_load: bool = False,
    pace: RateLimit | None = None,
) -> Iterator[RegistryApi]:
    """Connect to the registry.

    `most_retry_seconds` limits the setting, for interactive use. `accept_load` accepts registry
    data dated ahead of this computer's clock. `pace` is a rate limit that several connections
    share, in place of that of the settings. Raises ConfigError if a CA bundle is missing.
    """
    if missing := [f"{name}: {said}" for name, said in missing_ca_bundles(os.environ)]:
        raise ConfigError(missing)
    transport = Transport(
        wanted.url,
        clock=clock,
        requests_per_second=wanted.requests_per_second,
        burst=wanted.burst,
        deadline_seconds=wanted.deadline_seconds,
        max_bytes=wanted.max_megabytes * 2**20,
        retry_seconds=min(wanted.retry_seconds, most_retry_seconds),
        contact=wanted.contact,
        pace=pace,
    )
    try:
        yield RegistryApi(transport, clock=clock, accept_load=accept_load)
    finally:
        transport.close()


@contextmanager
def connected_history(registry: RegistryApi, wanted: RegistrySettings) -> Iterator[RegistryHistory]:
    """Connect to the registry history; shares the rate limit of `registry`."""
    way = HistoryTransport(wanted.history_transport)
    history = RegistryHistory(registry.transport, way=way)
    try:
        yield history
    finally:
        history.close()
