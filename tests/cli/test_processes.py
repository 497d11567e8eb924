"""The daemon and commands as real processes on one database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ctsync.cli import main
from tests.cli.conftest import SEED, Shell
from tests.replay import faults
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(shell: Shell) -> Iterator[Start]:
    """Return a function that starts `ctsync` as a separate process."""
    running: list[subprocess.Popen[str]] = []

    def run(*args: str) -> subprocess.Popen[str]:
        environment = {**os.environ, **{k: v for k, v in shell.env.items() if v is not None}}
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "ctsync", *args],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "condition not met within 20 s"
        time.sleep(0.05)


def versions(shell: Shell) -> int:
    result = shell.runner.invoke(main, ["history", SEED, "--json"], env=shell.env)
    return result.stdout.count('"version"')


def said_until(process: subprocess.Popen[str], words: str) -> str:
    """Return what a process said up to these words; kills it if they do not come within 20 s."""
    assert process.stderr is not None
    deadline = threading.Timer(20, process.kill)
    deadline.start()
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            break
    deadline.cancel()
    return said


def test_the_daemon_syncs_at_once_if_a_sync_was_missed_and_ends_on_a_signal(
    shell: Shell, start: Start
) -> None:
    shell.run("watch", "add", SEED)
    process = start("daemon")
    checked = "INFO ctsync.cli.sync.daemon: checked 1 of 1 trial against the registry data"
    messages = said_until(process, checked)
    assert checked in messages
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in messages + rest
    assert shell.json("status", "--json")["state"] == "ok"


def test_the_daemon_keeps_running_if_the_registry_is_down(
    shell: Shell, start: Start, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED)
    registry.faults.add(faults.status(503), times=faults.EVERY_TIME)
    registry.forget_requests()
    process = start("daemon")
    wait_until(lambda: len(registry.requests) > 0)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "ERROR ctsync.daemon: tick failed: " in messages
    assert "Traceback" not in messages


def test_the_daemon_names_a_trial_that_the_registry_does_not_have(
    shell: Shell, start: Start
) -> None:
    shell.run("watch", "add", SEED, "NCT00000001")
    process = start("daemon")
    unknown = "INFO ctsync.cli.sync.daemon: NCT00000001: the registry has no such trial"
    assert unknown in said_until(process, unknown)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)


def test_a_second_writer_is_refused_with_the_holder_of_the_lock(
    shell: Shell, start: Start, registry: ReplayRegistry, tmp_path: Path
) -> None:
    shell.run("watch", "add", SEED)
    registry.faults.add(faults.delayed(20), path="/v2/version")
    registry.forget_requests()
    first = start("sync")
    wait_until(lambda: len(registry.requests) > 0)
    assert (tmp_path / "ctsync.db.lock-holder").exists()
    line = shell.refuse("sync", exit_code=5)
    assert f"ctsync sync (process {first.pid}" in line
    assert shell.json("watch", "list", "--json")  # readers never wait
    first.kill()
    first.wait()
    shell.run("sync")  # the lock is free at once


def test_a_killed_sync_can_be_run_again_without_cleaning_up(
    shell: Shell, start: Start, registry: ReplayRegistry
) -> None:
    shell.run("watch", "add", SEED, "NCT05935098")
    killed = 0
    for tenth in range(3, 13, 3):
        process = start("sync")
        time.sleep(tenth / 10)
        killed += process.poll() is None
        process.kill()
        process.wait()
    shell.run("sync")
    assert [v["version"] for v in shell.json("history", SEED, "--json")] == [1]
    assert [e["kind"] for e in shell.json("changes", SEED, "--json")] == ["first_seen"]
    print(f"kill: {killed} syncs killed, 0 lost, 0 duplicated")
