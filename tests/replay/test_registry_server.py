"""The server: its list of exchanges, its port, and its end."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import requests

from ctsync.errors import PortInUse
from tests.replay.catalogue import Catalogue
from tests.replay.conftest import Client
from tests.replay.faults import Fault
from tests.replay.registry_server import ReplayRegistry


def test_every_request_is_listed_with_its_status(client: Client, registry: ReplayRegistry) -> None:
    client.get("/version")
    client.studies(filter__ids="NCT00000001|x")
    client.get("/bogus")
    assert [(done.method, done.path, done.params, done.status) for done in registry.requests] == [
        ("GET", "/v2/version", {}, 200),
        ("GET", "/v2/studies", {"filter.ids": "NCT00000001|x"}, 400),
        ("GET", "/v2/bogus", {}, 404),
    ]
    assert registry.requests[0].headers["user-agent"].startswith("python-requests/")
    registry.forget_requests()
    assert registry.requests == []


def test_a_port_in_use_raises_a_clear_error(registry: ReplayRegistry, catalogue: Catalogue) -> None:
    with pytest.raises(PortInUse, match=rf"^cannot listen on 127\.0\.0\.1 port {registry.port} "):
        ReplayRegistry(catalogue, port=registry.port)


def test_it_listens_on_loopback_only(registry: ReplayRegistry) -> None:
    assert registry.url == f"http://127.0.0.1:{registry.port}/api"


def test_closing_ends_all_connections_and_frees_the_port(catalogue: Catalogue) -> None:
    with ReplayRegistry(catalogue) as registry:
        port = registry.port
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(b"GET /api/v2/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(8) == b"HTTP/1.1"
    with connection, connection.makefile("rb") as rest:
        rest.read()  # returns only if the server closes the connection
    with ReplayRegistry(catalogue, port=port) as again:
        assert again.port == port


def test_an_error_in_the_server_is_raised_at_exit(catalogue: Catalogue) -> None:
    def break_down(_: object) -> Any:
        raise ZeroDivisionError

    registry = ReplayRegistry(catalogue)
    registry.faults.add(Fault(rewrite=break_down))
    registry.__enter__()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{registry.url}/v2/version", timeout=10)
    with pytest.raises(ZeroDivisionError):
        registry.__exit__(None, None, None)
