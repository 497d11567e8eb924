"""Who may reach the server: loopback only, the Host header, the token, and a proxy."""

from __future__ import annotations

import base64
import socket
from pathlib import Path

import pytest

from ctsync.errors import PortInUse, UsageError
from ctsync.web.server.gate import Access
from ctsync.web.server.listen import (
    accepted_hosts,
    is_loopback,
    open_socket,
    read_token,
    require_guard,
)
from tests.web.server.conftest import FIRST, client_of

TOKEN = "0123456789abcdef0123456789abcdef"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_token_is_needed_for_every_page_and_taken_from_a_browser_or_a_program(
    filled: str,
) -> None:
    wrong = (
        "", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", basic("anna", ""), "Basic ===",
        basic(TOKEN, ""), f"Token {TOKEN}", "Bearer \xff", basic("anna", f" {TOKEN}"),
    )  # fmt: skip
    paths = ("/", "/trials", f"/trials/{FIRST}", "/feed.atom", "/metrics", "/assets/style.css")
    with client_of(filled, Access(token=TOKEN)) as client:
        for path in paths:
            for header in wrong:
                answer = client.get(path, headers=[(b"Authorization", header.encode("latin-1"))])
                assert answer.status_code == 401, (path, header)
                assert answer.headers["www-authenticate"].startswith('Basic realm="ctsync"')
                assert TOKEN not in answer.text
            for header in (f"Bearer {TOKEN}", basic("anna", TOKEN), basic("", TOKEN)):
                answer = client.get(path, headers={"Authorization": header})
                assert answer.status_code == 200, (path, header)
        assert client.get("/healthz").status_code == 200
    print(f"token: {len(paths)} paths, {len(wrong)} wrong tokens each, 0 accepted")
    assert TOKEN not in repr(Access(token=TOKEN))


def test_a_proxy_may_put_a_path_before_each_address(filled: str) -> None:
    with client_of(filled, Access(root_path="/ctsync")) as client:
        for prefix in ("", "/ctsync"):  # a proxy may remove the path, or not
            text = client.get(f"{prefix}/trials").text
            assert f'href="/ctsync/trials/{FIRST}"' in text
            assert 'href="/ctsync/assets/style.css"' in text
        assert client.get("/ctsync").status_code == 200
        assert client.get("/ctsyncs").status_code == 404
        moved = client.get(f"/ctsync/trials/{FIRST}.html")
        assert moved.headers["location"] == f"/ctsync/trials/{FIRST}"


def test_only_loopback_needs_no_token_and_no_proxy() -> None:
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert is_loopback(host)
        require_guard(host, has_token=False, is_behind_proxy=False)
    for host in ("0.0.0.0", "::", "192.168.1.7", "trials.example.org", "127.0.0.1.example.org", ""):
        assert not is_loopback(host)
        with pytest.raises(UsageError, match=r"--token-file FILE .* or --behind-proxy"):
            require_guard(host, has_token=False, is_behind_proxy=False)
        require_guard(host, has_token=True, is_behind_proxy=False)
        require_guard(host, has_token=False, is_behind_proxy=True)


def test_the_accepted_hosts_name_this_machine_and_the_port() -> None:
    assert accepted_hosts("127.0.0.1", 8337) == {
        "localhost:8337", "127.0.0.1:8337", "[::1]:8337",
    }  # fmt: skip
    assert "localhost" in accepted_hosts("::1", 80)
    assert "127.0.0.9:8337" in accepted_hosts("127.0.0.9", 8337)


def test_a_token_that_is_missing_or_easy_to_guess_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_token(file)
    for text in ("", "short", "two words of a long password", "ü" * 40):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="at least 16 ASCII characters"):
            read_token(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="it is not text"):
        read_token(file)
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    assert read_token(file) == TOKEN


def test_a_port_in_use_or_an_unknown_address_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"on 127\.0\.0\.1 port {port}: .*--port"):
            open_socket("127.0.0.1", port)
    with pytest.raises(PortInUse, match=r"cannot listen on 203\.0\.113\.7"):
        open_socket("203.0.113.7", 8337)
