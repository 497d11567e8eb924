"""`ctsync serve` as a process: it says where it listens, refuses what is unsafe, and stops."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Shell


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_before_there_is_a_database_and_stops_on_a_signal(
    shell: Shell, number: signal.Signals
) -> None:
    environment = {**os.environ, **{k: v for k, v in shell.env.items() if v is not None}}
    server = subprocess.Popen(
        [sys.executable, "-m", "ctsync", "serve", "--port", "0", "--rate-limit", "0.1"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stderr is not None
    line = server.stderr.readline()
    found = re.fullmatch(r"serving (http://127\.0\.0\.1:\d+)/; stop with Ctrl-C or SIGTERM\n", line)
    assert found, line
    answer = httpx.get(found[1], timeout=20)
    assert (answer.status_code, "ctsync watch add" in answer.text) == (503, True)
    answers = [httpx.get(f"{found[1]}/openapi.json", timeout=20) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 429]
    server.send_signal(number)
    out, err = server.communicate(timeout=20)
    assert (server.returncode, out, err) == (0, "", "stopped\n")


def test_serve_refuses_what_is_unsafe_in_one_sentence(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short")
    for words, sentence in {
        ("--host", "0.0.0.0"): "other machines reach 0.0.0.0",
        ("--host", "::"): "--token-file FILE to ask for a token, or --behind-proxy",
        ("--token-file", "token"): "at least 16 ASCII characters",
        ("--token-file", "none"): "cannot be read: No such file",
        ("--rate-limit", "0"): "0 is not in the range",
        ("--root-path", "no path"): "is not a path; write it as /ctsync",
        ("--root-path", "//other.example"): "is not a path",
        ("--host", "203.0.113.7", "--behind-proxy"): "cannot listen on",
    }.items():
        assert sentence in shell.refuse("serve", *words, exit_code=2), words


def test_serve_without_its_extra_says_what_to_install(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("ctsync.web.server.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("fastapi", "uvicorn"):
        monkeypatch.setitem(sys.modules, name, None)
    line = shell.refuse("serve", exit_code=2)
    assert line == "ctsync: serve needs FastAPI and uvicorn: pip install 'ctsync[web]'"
