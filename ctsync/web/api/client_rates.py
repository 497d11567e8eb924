"""A limit on the requests of each client: one bucket of tokens per client, in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

from ctsync.dates import Clock

MOST_CLIENTS = 4096
_BURST_SECONDS = 10
_IPV6_PREFIX = 64
"""One customer usually has all addresses of such a network."""


@dataclass(frozen=True, slots=True)
class RequestRate:
    """How many requests a client may send: at once, and per second in the long run."""

    per_second: float = 20.0
    burst: int = 200


def rate_of(per_second: float) -> RequestRate:
    """Return a rate that lets a client send ten seconds' worth of requests at once."""
    return RequestRate(per_second, burst=max(1, round(_BURST_SECONDS * per_second)))


class ClientRates:
    """The buckets of the clients. Keeps those of the 4,096 clients that asked last."""

    def __init__(self, rate: RequestRate, *, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def seconds_to_wait(self, client: str) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        name, now = _bucket_name(client), self._clock.monotonic()
        with self._lock:
            tokens, since = self._buckets.pop(name, (float(self._rate.burst), now))
            tokens = min(self._rate.burst, tokens + (now - since) * self._rate.per_second)
            missing = 1 - tokens
            self._buckets[name] = (tokens if missing > 0 else tokens - 1, now)
            if len(self._buckets) > MOST_CLIENTS:
                self._buckets.popitem(last=False)
        return max(0.0, missing) / self._rate.per_second


def _bucket_name(client: str) -> str:
    try:
        address = ip_address(client)
    except ValueError:  # the client of a Unix socket has no address
        return client
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((int(address), _IPV6_PREFIX), strict=False))
    return client
