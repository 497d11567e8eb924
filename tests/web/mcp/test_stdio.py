"""`ctsync mcp` as a process, with the SDK's own client on its stdin and stdout."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from mcp import StdioServerParameters
from mcp.client.client import Client

from ctsync.cli import main
from tests.questions.answers import TRIAL
from tests.web.mcp.asking import Tools, answer_of

COMMAND = ("-m", "ctsync", "-v", "mcp")
MODES = ("legacy", "auto")


def environment(url: str, folder: Path) -> dict[str, str]:
    return {**os.environ, "CTSYNC_DATABASE_URL": url, "HOME": str(folder)}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_client_starts_the_command_and_asks(tools: Tools, tmp_path: Path, mode: str) -> None:
    started = StdioServerParameters(
        command=sys.executable,
        args=list(COMMAND),
        env=environment(tools.url, tmp_path),
        cwd=tmp_path,
    )

    async def asking() -> tuple[int, int, str]:
        async with Client(started, mode=mode) as client:
            listed = await client.list_tools()
            found = answer_of(await client.call_tool("versions", {"nct": TRIAL}))
            wrong = answer_of(await client.call_tool("versions", {"nct": "x"}))
            again = answer_of(await client.call_tool("timeline", {"nct": TRIAL}))
            assert again["rows"]
            return len(listed.tools), len(found["rows"]), wrong["error"]

    count, rows, error = asyncio.run(asking())
    assert (count, rows) == (10, 5)
    assert "not an NCT id" in error


@pytest.mark.slow
def test_stdout_has_nothing_but_messages_of_the_protocol(tmp_path: Path) -> None:
    """Also for a wrong message, a call before the handshake, and a missing database."""
    sent = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call",
         "params": {"name": "portfolio", "arguments": {}}},
        {"jsonrpc": "2.0", "id": 4, "method": "no/such"},
    ]  # fmt: skip
    lines = [*(json.dumps(one) for one in sent), "this is not JSON", "\x1b[2J", "[]"]
    url = f"sqlite:///{tmp_path / 'none.db'}"
    with subprocess.Popen(
        [sys.executable, *COMMAND],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=tmp_path, env=environment(url, tmp_path), text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("\n".join(lines) + "\n")
        server.stdin.flush()
        read = [json.loads(server.stdout.readline()) for _ in range(4)]
        rest, words = server.communicate(timeout=60)
    answers = [*read, *(json.loads(line) for line in rest.splitlines())]
    assert all(one["jsonrpc"] == "2.0" for one in answers)
    by_id = {one.get("id"): one for one in answers}
    assert len(by_id[2]["result"]["tools"]) == 10
    assert by_id[3]["result"]["isError"] is True
    assert "there is no database yet" in by_id[3]["result"]["content"][0]["text"]
    assert "error" in by_id[4]
    assert server.returncode == 0
    assert "\x1b" not in words
    print(f"stdout: {len(lines)} messages sent, {len(answers)} answers, 0 other lines")


def test_the_command_ends_when_the_client_closes_stdin(tools: Tools) -> None:
    done = CliRunner().invoke(main, ["--database", tools.url, "mcp"], input="")
    assert (done.exit_code, done.output) == (0, "")


def test_wrong_settings_are_an_error_before_the_server_starts(tmp_path: Path) -> None:
    file = tmp_path / "ctsync.toml"
    file.write_text("[database]\nurl = 7\n")
    done = CliRunner().invoke(main, ["--config", str(file), "mcp"], input="")
    assert done.exit_code == 2
    assert "database.url" in done.stderr


def test_without_the_extra_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "ctsync.web.mcp.mcp_server", raising=False)
    monkeypatch.setitem(sys.modules, "mcp.server.stdio", None)
    done = CliRunner().invoke(main, ["mcp"], input="")
    assert done.exit_code == 2
    assert done.stderr == "ctsync: ctsync mcp needs the package mcp: pip install 'ctsync[mcp]'\n"
