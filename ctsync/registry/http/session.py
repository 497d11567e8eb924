"""requests session with one time limit per answer, without redirects, cookies and .netrc."""

from __future__ import annotations

import http.client
import io
import socket
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import unquote

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError

from ctsync import __version__
from ctsync.dates import SystemClock
from ctsync.registry.http.name_lookup import addresses_of
from ctsync.registry.http.timed_reads import TimedReads
from ctsync.text import for_header

# socket timeouts use the machine's clock, even if the Transport has another clock
_MACHINE = SystemClock()


class _TimedResponse(http.client.HTTPResponse):
    """A response whose status line, headers and body share one time limit."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        timeout = sock.gettimeout()
        end = None if timeout is None else _MACHINE.monotonic() + timeout

        def seconds_left() -> float | None:
            return None if end is None else end - _MACHINE.monotonic()

        self.fp = io.BufferedReader(TimedReads(self.fp.detach(), sock, seconds_left))


class _Connection(HTTPConnection):
    response_class = _TimedResponse

    def _new_conn(self) -> socket.socket:
        """Look the name up within the limit for connecting, then connect to its addresses."""
        host = self._dns_host
        seconds = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            addresses = addresses_of(host, self.port, seconds=seconds)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host}: {error}") from error
        except UnicodeError:
            return super()._new_conn()  # it has its own error for such a name
        *others, last = addresses
        try:
            for self._dns_host in others:
                with suppress(HTTPError):
                    return super()._new_conn()
            self._dns_host = last
            return super()._new_conn()
        finally:
            self._dns_host = host


class _SecureConnection(_Connection, HTTPSConnection):
    """A connection with TLS, whose certificate is checked for the name, not for the address."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """Uses the time-limited connections, directly and through an HTTP proxy. Retries nothing."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        if isinstance(manager, urllib3.ProxyManager):
            manager.pool_classes_by_scheme = _POOLS
        return manager


class _Session(requests.Session):
    def get_redirect_target(self, resp: Any) -> None:
        """Report no redirect.

        Even with allow_redirects=False, requests prepares the next request, and for that it reads
        the complete body without a size limit.
        """


def _send_no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # with an auth callable, even one that adds nothing, requests does not read .netrc
    return request


def new_session(username: str | None, password: str | None, contact: str) -> requests.Session:
    """Return a session without cookies and redirects that limits the time of each answer."""
    session = _Session()
    session.mount("https://", _Adapter())
    session.mount("http://", _Adapter())
    session.auth = _send_no_credentials
    if username:
        session.auth = HTTPBasicAuth(unquote(username), unquote(password or ""))
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": user_agent(contact), "Accept-Encoding": "gzip, deflate"})
    return session


def time_limit(seconds: float, *, connect: float) -> Any:  # the stubs of requests lack its type
    """Return a limit for connecting, sending and the complete answer together.

    Only a session from `new_session` enforces it if the name lookup hangs or an answer arrives
    slowly. The lookup, and connecting to one address, may take `connect` seconds each.
    """
    return urllib3.Timeout(total=seconds, connect=min(connect, seconds))


def user_agent(contact: str = "") -> str:
    """Return the User-Agent header.

    The edge server refuses a client whose first token does not match the library that makes the
    connection, so `python-requests` comes first.
    """
    plain = for_header(contact).encode("ascii", "ignore").decode().strip("() ")
    own = f"python-requests/{requests.__version__} ctsync/{__version__}"
    return f"{own} (+{plain})" if plain else own
