"""The migrations: a single line, equal to the models, and applied completely or not at all."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import alembic
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.exc import OperationalError

from ctsync.errors import StoreError
from ctsync.store.database import migrate
from ctsync.store.database.engine import make_engine, parse_url
from ctsync.store.database.migrate import head_revision, migrations_folder, revision_of
from ctsync.store.database.tables import METADATA
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.store.samples import fill

ROOT = Path(__file__).parents[2]


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    return ScriptDirectory.from_config(config)


def test_there_is_one_newest_migration_and_head_revision_names_it() -> None:
    assert scripts().get_heads() == [head_revision()]


def test_the_migrations_folder_does_not_hide_the_alembic_package() -> None:
    assert not list((ROOT / "alembic").rglob("__init__.py"))
    assert "site-packages" in (alembic.__file__ or "")
    assert migrations_folder() == ROOT / "alembic"


def test_the_migrated_tables_equal_the_models(database_url: str) -> None:
    open_store(database_url, clock=StillClock()).close()
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_column_comments_are_stored_in_the_postgresql_schema(
    migrated_postgres_url: str,
) -> None:
    engine = create_engine(migrated_postgres_url)
    comments = {c["name"]: c["comment"] for c in inspect(engine).get_columns("snapshots")}
    engine.dispose()
    assert comments["observed"] == "dataTimestamp of the load it was seen in"


OPEN = """
import sys
from ctsync.dates import SystemClock
from ctsync.store.store import open_store
from ctsync.store.admin.copy import contents
open_store(sys.argv[1], clock=SystemClock()).versions.of("NCT03389919")
print([name for name in ("alembic", "mako", "psycopg", "filelock") if name in sys.modules])
"""


@pytest.mark.slow
def test_opening_a_current_database_does_not_import_alembic(migrated_sqlite_url: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", OPEN, migrated_sqlite_url],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert child.stdout == "[]\n"


@contextmanager
def failing_at(engine: Engine, number: int) -> Iterator[list[str]]:
    """Make the statement with this number fail, and yield the list of statements reached."""
    reached: list[str] = []

    def fail(_c: object, _k: object, statement: str, *_rest: object) -> None:
        reached.append(statement)
        if len(reached) == number:
            raise OperationalError(statement, {}, sqlite3.OperationalError("injected"))

    event.listen(engine, "before_cursor_execute", fail)
    try:
        yield reached
    finally:
        event.remove(engine, "before_cursor_execute", fail)


@pytest.mark.slow
def test_a_migration_that_fails_at_any_statement_leaves_no_table_and_can_rerun(
    database_url: str,
) -> None:
    url = parse_url(database_url)
    engine = make_engine(url)
    # each statement is a round trip to the server, so only every third one is tried there
    step = 1 if url.get_backend_name() == "sqlite" else 3
    failures, stuck = 0, 0
    observer = create_engine(database_url)
    for number in count(1, step):
        try:
            with failing_at(engine, number):
                migrate.prepare(url, engine)
            break
        except (OperationalError, StoreError):
            failures += 1
        stuck += bool(inspect(observer).get_table_names())
    observer.dispose()
    with open_store(database_url, clock=StillClock()) as store:
        fill(store, 2)
    engine.dispose()
    print(f"migration: {failures} statements failed, {stuck} half done, then complete")
    assert failures * step > 20
    assert stuck == 0


# a forked process has the modules already, and exits without this process's exit handlers
FORK = multiprocessing.get_context("fork")


def create(url: str) -> None:
    open_store(url, clock=StillClock()).close()


@pytest.mark.slow
def test_a_migration_killed_at_any_moment_leaves_a_database_that_opens(tmp_path: Path) -> None:
    kills, unfinished = 20, 0
    for number in range(kills):
        url = f"sqlite:///{tmp_path / f'{number}.db'}"
        child = FORK.Process(target=create, args=(url,))
        child.start()
        child.join(timeout=0.01 * number)
        child.kill()
        child.join()
        unfinished += revision_of(url) is None
        with open_store(url, clock=StillClock()) as store:
            assert store.revision() == head_revision()
            fill(store, 1)
    print(f"creation: {kills} kills, {unfinished} unfinished, {kills} opened afterwards")


def test_processes_that_start_at_once_create_one_database(database_url: str) -> None:
    starters = [FORK.Process(target=create, args=(database_url,)) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert [starter.exitcode for starter in starters] == [0, 0, 0, 0]
    assert revision_of(database_url) == head_revision()


def test_a_downgrade_below_the_first_schema_is_refused(sqlite_url: str) -> None:
    open_store(sqlite_url, clock=StillClock()).close()
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    engine = make_engine(parse_url(sqlite_url))
    from alembic import command

    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(RuntimeError, match="nothing before the first schema"):
            command.downgrade(config, "base")
    engine.dispose()


def test_the_table_of_facts_is_added_and_removed_again(migrated_url: str) -> None:
    from alembic import command

    with open_store(migrated_url, clock=StillClock()) as store:
        fill(store, 2)
        before = store.counts()
    engine = make_engine(parse_url(migrated_url))
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    assert revision_of(migrated_url) == "0001"
    assert not inspect(engine).has_table("trial_facts")
    with open_store(migrated_url, clock=StillClock()) as store:  # opening upgrades it
        assert store.revision() == head_revision()
        assert store.counts() == before
    engine.dispose()
