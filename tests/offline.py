"""The replay registry without sockets: requests of the real client are answered in-process.

A sync takes a few milliseconds. All scripted faults work except those that depend on time.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from ctsync.dates import Clock
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.session import new_session
from ctsync.registry.http.transport import Transport
from tests.replay.catalogue import Catalogue
from tests.replay.endpoints import answer
from tests.replay.faults import Fault, FaultScript
from tests.replay.http_messages import Reply, Request
from tests.replay.search.studies_listing import page_number

HOST = "http://registry.test"


class OfflineRegistry(BaseAdapter):
    """A registry that shows one load of a catalogue to the clients made by `client`.

    `requests` counts the requests, `spoilt` those that met a fault.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.faults = FaultScript()
        self.requests = self.spoilt = 0

    def client(self, clock: Clock) -> RegistryApi:
        """Make a new client, as each process does."""

        def new_offline_session(*given: Any) -> requests.Session:
            session = new_session(*given)
            session.mount(HOST, self)
            return session

        with patch("ctsync.registry.http.transport.new_session", new_offline_session):
            transport = Transport(f"{HOST}/api", clock=clock, requests_per_second=1e6, burst=1000)
        return RegistryApi(transport, clock=clock, accept_load=True)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.requests += 1
        address = urlsplit(request.url or "")
        pairs = dict(parse_qsl(address.query, keep_blank_values=True))
        asked = Request(request.method or "", unquote(address.path).removeprefix("/api"), pairs)
        fault = self.faults.take(asked, page_number(pairs))
        self.spoilt += fault is not None
        fault = fault or Fault()
        if fault.reload is not None:
            self.catalogue.set_load(fault.reload)
        if fault.reset:
            raise requests.ConnectionError("connection reset")
        reply = fault.instead or answer(self.catalogue, replace(asked, shift=fault.shift))
        if fault.rewrite is not None:
            reply = fault.rewrite(reply)
        return HTTPAdapter().build_response(request, _response(reply, fault))

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _response(reply: Reply, fault: Fault) -> urllib3.HTTPResponse:
    headers = dict(reply.headers)
    if fault.declare_length:
        headers["Content-Length"] = str(len(reply.body))
    return urllib3.HTTPResponse(
        io.BytesIO(reply.body[: fault.cut]),
        headers=headers,
        status=int(reply.status),
        preload_content=False,
        enforce_content_length=True,
    )
