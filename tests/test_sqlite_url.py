"""URLs of database files: any path has a URL, and a parameter is known or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.errors import ConfigError, UsageError
from ctsync.sqlite_url import SqliteUrl, named_url, sqlite_url
from ctsync.store.database.engine import parse_url, sqlite_file
from ctsync.store.database.lock import writer_lock
from ctsync.store.store import open_for_reading, open_store
from tests.conftest import StillClock
from tests.store.samples import fill

# any bytes but NUL and the slash, as Python reads names from the disk
NAMES = st.binary(min_size=1, max_size=30).map(
    lambda name: os.fsdecode(name.replace(b"\0", b"?").replace(b"/", b"%"))
)


@given(NAMES)
def test_any_path_is_read_from_its_url_unchanged(name: str) -> None:
    file = Path("/folder") / name
    assert Path(SqliteUrl.parse(sqlite_url(file)).path) == file
    assert sqlite_file(parse_url(sqlite_url(file))) == file


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("trials.db", "sqlite:///trials.db"),
        ("/srv/50% off?.db", "sqlite:////srv/50%25 off%3F.db"),
        ("~/trials.db", "sqlite:///~/trials.db"),
        ("./a:b.db", "sqlite:///a:b.db"),
        ("sqlite:///trials.db?mode=ro", None),
        ("sqlite:trials.db", None),
        ("postgresql+psycopg://host/name", None),
        ("mysql://host/name", None),
        ("env:TRIALS", None),
        ("", None),
    ],
)
def test_a_database_is_named_by_its_file_or_by_its_url(name: str, url: str | None) -> None:
    assert named_url(name) == (name if url is None else url)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///a b.db", "a b.db"),
        ("sqlite:///a%20b.db", "a b.db"),
        ("sqlite:///50%.db", "50%.db"),
        ("sqlite:///a#b.db", "a#b.db"),
        ("sqlite:////x/a%3Fb%23c%25d.db", "/x/a?b#c%d.db"),
    ],
)
def test_percent_signs_stand_for_bytes_and_other_characters_for_themselves(
    text: str, path: str
) -> None:
    assert SqliteUrl.parse(text) == SqliteUrl(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sqlite:///a?b.db", "unknown parameter 'b.db'"),
        ("sqlite:///a.db?cache=shared", "unknown parameter 'cache=shared'"),
        ("sqlite:///a.db?mode=ro&uri=true", "unknown parameter 'uri=true'"),
        ("sqlite:///a.db?", "unknown parameter ''"),
        ("sqlite:///a.db?mode=memory", "not mode=memory"),
        ("sqlite:///a.db?mode=ro&mode=rw", "mode twice"),
        ("sqlite:///a.db?timeout=-1", "timeout of 0 to 3600 seconds"),
        ("sqlite:///a.db?timeout=nan", "timeout of 0 to 3600 seconds"),
        ("sqlite:///a%00.db", "%00"),
        ("sqlite:///", "must name a file"),
        ("sqlite://folder/a.db", "must name a file"),
    ],
)
def test_what_is_unknown_in_a_url_is_refused_before_a_file_is_touched(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        open_store(text, clock=StillClock())
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_url_for_reading_only_reads_and_refuses_every_writer(migrated_sqlite_url: str) -> None:
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        fill(store, 2)
        counts = store.counts()
    url = f"{migrated_sqlite_url}?mode=ro"
    with open_for_reading(url, clock=StillClock()) as store:
        assert store.counts() == counts
    with pytest.raises(UsageError, match="reading only"):
        open_store(url, clock=StillClock())
    lock = writer_lock(url, clock=StillClock(), holder="test")
    with pytest.raises(UsageError, match="reading only"), lock:
        raise AssertionError("the lock was given")


def test_a_url_that_must_not_create_a_file_creates_none(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no database yet"):
        open_store(f"{sqlite_url}?mode=rw", clock=StillClock())
    assert list(tmp_path.iterdir()) == []


def test_the_timeout_of_a_url_is_how_long_a_writer_waits(migrated_sqlite_url: str) -> None:
    url = f"{migrated_sqlite_url}?timeout=0.25"
    with open_store(url, clock=StillClock()) as store, store.view() as connection:
        milliseconds = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    assert milliseconds == 250
