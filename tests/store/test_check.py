"""`check` finds no problem in a sound database, and names each kind of damage."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ctsync.errors import CorruptBody, CtsyncError, ForeignDatabase, StoreUnavailable
from ctsync.model import State
from ctsync.store.admin.check import check
from ctsync.store.database.types import pack_digest
from ctsync.store.store import open_store
from tests.conftest import PostgresServer, StillClock
from tests.store.samples import OTHER, TRIAL, add, fill, record


def fill_database(url: str) -> None:
    with open_store(url, clock=StillClock()) as store:
        *_, last = fill(store, 20)
        fill(store, 2, OTHER)
        with store.unit() as unit:
            gone = add(unit, 20, last, record=None, state=State.GONE)
            add(unit, 21, gone)


@pytest.fixture(scope="module")
def filled_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("filled") / "ctsync.db"
    shutil.copy(migrated_file, file)
    fill_database(f"sqlite:///{file}")
    return file


@pytest.fixture
def filled_sqlite_url(filled_file: Path, tmp_path: Path) -> str:
    shutil.copy(filled_file, tmp_path / "ctsync.db")
    return f"sqlite:///{tmp_path / 'ctsync.db'}"


@pytest.fixture(scope="module")
def filled_template(postgres: PostgresServer) -> str:
    url = postgres.new_migrated_database()
    fill_database(url)
    return postgres.name_of(url)


@pytest.fixture
def filled_postgres_url(postgres: PostgresServer, filled_template: str) -> Iterator[str]:
    url = postgres.new_database(filled_template)
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgres"])
def filled_url(request: pytest.FixtureRequest) -> str:
    """A trial with 22 versions, gone in one of them, and another with two; on both databases."""
    url: str = request.getfixturevalue(f"filled_{request.param}_url")
    return url


def damage_database(url: str, statement: str, **values: object) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def test_a_body_with_a_text_digest_is_reported_and_the_check_continues(
    filled_sqlite_url: str,
) -> None:
    odd = "INSERT INTO bodies VALUES ('odd', 1, 'keyframe', NULL, 0, :data)"
    damage_database(filled_sqlite_url, odd, data=b"odd")
    assert ("corrupt body", "'odd'") in [(p.kind, p.where) for p in check(filled_sqlite_url)]
    with open_store(filled_sqlite_url, clock=StillClock()) as store:
        for name in ("odd", "", "1:xyz", "256:00"):
            with pytest.raises(CorruptBody, match="is not the digest of a body"):
                store.bodies.read(name)


def test_a_sound_database_has_no_problems(filled_url: str) -> None:
    assert check(filled_url) == []


def test_an_empty_database_has_no_problems(migrated_url: str) -> None:
    assert check(migrated_url) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "kind", "where"),
    [
        ("UPDATE bodies SET raw_size = raw_size + 1 WHERE depth = 3", "wrong size", "1:"),
        ("UPDATE bodies SET depth = 0 WHERE depth = 3", "wrong size", "1:"),
        ("UPDATE bodies SET depth = 32 WHERE depth = 3", "wrong size", "1:"),
        ("UPDATE bodies SET depth = 1 WHERE depth = 0", "wrong size", "1:"),
        ("UPDATE trials SET head_snapshot_id = 1 WHERE nct_id = :trial", "wrong head", TRIAL),
        ("UPDATE trials SET head_snapshot_id = NULL WHERE nct_id = :trial", "wrong head", TRIAL),
        ("UPDATE trials SET state = 'gone' WHERE nct_id = :trial", "wrong head", TRIAL),
        ("UPDATE snapshots SET state = 'gone' WHERE id = 3", "wrong state", "snapshot 3"),
        ("UPDATE snapshots SET position = -position WHERE id = 3", "misplaced event", "event"),
        ("UPDATE events SET nct_id = 'NCT01203436' WHERE id = 4", "misplaced event", "event 4"),
        ("UPDATE events SET from_snapshot_id = NULL WHERE id = 5", "misplaced event", "event 5"),
        ("UPDATE events SET path = 'x' WHERE id = 6", "wrong path", "event 6"),
        ("UPDATE alembic_version SET version_num = '0000'", "wrong schema", "alembic_version"),
        ("UPDATE events SET kind = 'Status' WHERE id = 7", "unknown word", "kind"),
        ("UPDATE events SET inputs = '{' WHERE id = 7", "unreadable", "values"),
        ("UPDATE snapshots SET digest = NULL, state = 'gone' WHERE id = 24", "unused body", "1:"),
    ],
)
def test_each_kind_of_damage_is_found_and_named(
    filled_url: str, damage: str, kind: str, where: str
) -> None:
    damage_database(filled_url, damage, **({"trial": TRIAL} if ":trial" in damage else {}))
    problems = check(filled_url)
    assert problems
    assert any(p.kind.startswith(kind) and where in p.where for p in problems), problems


def test_a_damaged_body_is_found_with_the_bodies_packed_against_it(filled_url: str) -> None:
    change = "UPDATE bodies SET data = :data WHERE digest = :digest"
    damage_database(filled_url, change, data=b"damaged", digest=pack_digest(record(10).digest))
    corrupt = {p.where for p in check(filled_url) if p.kind == "corrupt body"}
    # record 11 is packed against it, record 12 against record 8
    assert corrupt == {record(number).digest for number in (10, 11)}


def test_a_reference_to_a_deleted_body_is_found_in_sqlite(filled_sqlite_url: str) -> None:
    damage_database(
        filled_sqlite_url,
        "DELETE FROM bodies WHERE digest = :digest",
        digest=pack_digest(record(19).digest),
    )
    assert "broken reference" in {problem.kind for problem in check(filled_sqlite_url)}


def test_a_foreign_or_missing_database_is_not_checked(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no database yet"):
        check(f"sqlite:///{tmp_path / 'none.db'}")
    (tmp_path / "text.db").write_text("words " * 100)
    with pytest.raises(ForeignDatabase):
        check(f"sqlite:///{tmp_path / 'text.db'}")


def all_rows(file: Path) -> list[str]:
    """Dump all rows with SQLite itself, because code of ctsync could hide a change."""
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def passes(url: str) -> bool:
    """Return whether a check finds no problem."""
    try:
        return check(url) == []
    except CtsyncError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("flips", [150, pytest.param(300, marks=pytest.mark.soak)])
def test_a_flipped_byte_is_found_or_changes_no_row(filled_sqlite_url: str, flips: int) -> None:
    file = Path(filled_sqlite_url.removeprefix("sqlite:///"))
    sound, right = file.read_bytes(), all_rows(file)
    rng = random.Random(7)
    found = wrong = 0
    for _ in range(flips):
        damaged = bytearray(sound)
        damaged[rng.randrange(len(damaged))] ^= 0xFF
        file.write_bytes(damaged)
        if passes(filled_sqlite_url):
            wrong += all_rows(file) != right
        else:
            found += 1
    print(f"flips: {flips} bytes, {found} found, {flips - found} harmless, {wrong} wrong answers")
    assert found > 0
    assert wrong == 0


def test_a_truncated_file_is_found(filled_sqlite_url: str) -> None:
    file = Path(filled_sqlite_url.removeprefix("sqlite:///"))
    sound = file.read_bytes()
    cuts = list(range(1, len(sound) // 4096, 4))
    accepted = 0
    for pages in cuts:
        file.write_bytes(sound[: pages * 4096])
        accepted += passes(filled_sqlite_url)
    print(f"cut: {len(cuts)} lengths, {accepted} accepted")
    assert accepted == 0
