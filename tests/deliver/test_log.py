"""The log channel: one line per event, for any text and any destination."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctsync.config.settings import LogSettings
from ctsync.deliver.channels.log import LogChannel
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.errors import ConfigError
from ctsync.model import Kind, StoredEvent
from ctsync.report.build import Scope
from ctsync.route import ChannelKind, Layout, Route
from tests.given_settings import given_section
from tests.report.examples import WINDOW, demo_events, event, stored
from tests.security.attacks import ATTACKS

ROUTE = Route(ChannelKind.LOG, ChannelKind.LOG, layout=Layout.STREAM, takes_baselines=True)
ATTACKED = [stored(event(Kind.TEXT, summary=text, label=text, after=text)) for text in ATTACKS]


def message(events: list[StoredEvent]) -> Message:
    return Message("key", ROUTE, (), tuple(events), WINDOW, Scope("all", 1), dict)


def log_to(**settings: object) -> LogChannel:
    return LogChannel({ChannelKind.LOG: ROUTE}, given_section(LogSettings, settings))


def test_events_go_to_stderr_as_readable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log = log_to(events="stderr")
    log.send(message(demo_events()[:1]))
    log.close()

    assert capsys.readouterr().err == (
        "2019-07-17T10:00:00Z critical NCT01352702 v4->v5 Status RECRUITING -> TERMINATED "
        "[R-STA-01] posted 2019-07-16, seen 2019-07-17T09:00:00Z\n"
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_remote_text_forges_a_line(form: str, tmp_path: Path) -> None:
    path = tmp_path / "log" / "events.log"
    log = log_to(events="file", file=path, format=form)
    log.send(message(ATTACKED))
    log.close()

    written = path.read_bytes()
    forged = written.count(b"\n") - len(ATTACKED)
    print(f"log file, {form}: {len(ATTACKED)} attacks, {forged} forged lines")
    assert forged == 0
    assert len(written.decode().splitlines()) == len(ATTACKED)
    assert not set(written) & ({*range(32), 127} - {10})


def test_json_lines_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = log_to(events="file", file=path, format="json")
    log.send(message(ATTACKED))
    log.close()

    summaries = [json.loads(line)["summary"] for line in path.read_text().splitlines()]
    assert summaries == list(ATTACKS)


def test_the_file_is_private_and_rotates(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    log = log_to(events="file", file=path, max_megabytes=0.01, keep=2)
    for _ in range(40):
        log.send(message(demo_events()))
    log.close()

    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "events.log",
        "events.log.1",
        "events.log.2",
    ]
    assert path.stat().st_size < 11_000
    assert path.with_suffix(".log.2").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_channel_failure() -> None:
    log = log_to(events="file", file="/dev/full")

    with pytest.raises(DeliveryError, match="No space left") as failed:
        log.send(message(demo_events()))
    assert failed.value.is_channel
    log.close()


def test_events_to_a_file_need_the_file_setting() -> None:
    with pytest.raises(ConfigError, match=r"log\.file"):
        log_to(events="file")


def test_lines_of_two_processes_survive_a_rotation_by_either(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    one, two = (
        log_to(events="file", file=path, max_megabytes=0.01, keep=100) for _ in ("one", "two")
    )
    events = demo_events()
    for _ in range(40):
        one.send(message(events))
        two.send(message(events))
    one.close()
    two.close()

    files = list(tmp_path.iterdir())
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len(lines) == 80 * len(events)
    assert len(files) > 5
    assert max(file.stat().st_size for file in files) < 11_000


def test_a_file_that_disappears_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    log = log_to(events="file", file=path)
    log.send(message(demo_events()[:1]))
    path.unlink()
    log.send(message(demo_events()[:1]))
    log.close()
    assert len(path.read_text().splitlines()) == 1
