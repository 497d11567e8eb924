"""requests and urllib3, told to behave: one time limit an answer, no redirects, no cookies."""

from __future__ import annotations

import http.client
import io
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import unquote

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.connection import HTTPConnection, HTTPSConnection

from ctsync import __version__
from ctsync.dates import SystemClock
from ctsync.text import for_header

# a socket waits in the machine's time, whatever clock the Transport was given
_MACHINE = SystemClock()


class _TimedReads(io.RawIOBase):
    """Reads from a socket's file, all of them together in the time the socket allows for one.

    A socket's timeout begins anew with each byte received, so a dripping server never meets it.
    """

    def __init__(self, raw: Any, sock: Any) -> None:
        self._raw = raw
        self._sock = sock
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else _MACHINE.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline is not None:
            left = self._deadline - _MACHINE.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def readall(self) -> bytes:
        # a chunk that claims a negative length would be read without any limit
        raise OSError("an answer without end")

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer whose status line, headers and body share one time limit."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReads(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _TimedResponse


class _SecureConnection(HTTPSConnection):
    response_class = _TimedResponse


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """Connects with our connections, directly and through an HTTP proxy; retries nothing."""

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
        """Say that nothing redirects.

        Even with allow_redirects=False requests would prepare the next request, for which it
        reads the whole body, however large.
        """


def _send_no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # an auth of our own, even one that adds nothing, keeps requests from looking into .netrc
    return request


def new_session(username: str | None, password: str | None, contact: str) -> requests.Session:
    """A session that keeps no cookies, follows nothing and reads each answer in limited time."""
    session = _Session()
    session.mount("https://", _Adapter())
    session.mount("http://", _Adapter())
    session.auth = _send_no_credentials
    if username:
        session.auth = HTTPBasicAuth(unquote(username), unquote(password or ""))
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": user_agent(contact), "Accept-Encoding": "gzip, deflate"})
    return session


def user_agent(contact: str = "") -> str:
    """Who asks. The edge refuses clients whose first token is not what makes the connection."""
    plain = for_header(contact).encode("ascii", "ignore").decode().strip("() ")
    own = f"python-requests/{requests.__version__} ctsync/{__version__}"
    return f"{own} (+{plain})" if plain else own
