"""The migrations: one line of them, equal to the models, whole or not at all."""

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


def test_there_is_one_newest_migration_and_the_models_name_it() -> None:
    assert scripts().get_heads() == [head_revision()]


def test_the_folder_of_migrations_is_no_package_and_hides_none() -> None:
    assert not list((ROOT / "alembic").rglob("__init__.py"))
    assert "site-packages" in (alembic.__file__ or "")
    assert migrations_folder() == ROOT / "alembic"


def test_the_migrated_tables_are_the_models(database_url: str) -> None:
    open_store(database_url, clock=StillClock()).close()
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_every_column_that_its_name_does_not_explain_has_a_comment_in_the_database(
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


def test_opening_a_current_database_needs_no_alembic(migrated_sqlite_url: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", OPEN, migrated_sqlite_url],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert child.stdout == "[]\n"


@contextmanager
def failing_at(engine: Engine, number: int) -> Iterator[list[str]]:
    """The n-th statement fails; the statements that were reached."""
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
def test_a_migration_that_fails_at_any_statement_leaves_nothing_and_runs_again(
    database_url: str,
) -> None:
    url = parse_url(database_url)
    engine = make_engine(url)
    # the server takes a round trip for each: there a third of them stand for all
    step = 1 if url.get_backend_name() == "sqlite" else 3
    failures, stuck = 0, 0
    looked_at = create_engine(database_url)
    for number in count(1, step):
        try:
            with failing_at(engine, number):
                migrate.prepare(url, engine)
            break
        except (OperationalError, StoreError):
            failures += 1
        stuck += bool(inspect(looked_at).get_table_names())
    looked_at.dispose()
    with open_store(database_url, clock=StillClock()) as store:
        fill(store, 2)
    engine.dispose()
    print(f"migration: {failures} statements failed, {stuck} half done, then whole")
    assert failures * step > 20
    assert stuck == 0


# a fork has its imports done; it ends without running what this process would at its end
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
    print(f"creation: {kills} kills, {unfinished} before the end, {kills} open afterwards")


def test_several_that_start_at_once_create_one_database(database_url: str) -> None:
    starters = [FORK.Process(target=create, args=(database_url,)) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert [starter.exitcode for starter in starters] == [0, 0, 0, 0]
    assert revision_of(database_url) == head_revision()


def test_a_database_older_than_the_first_schema_is_not_ours_to_guess(sqlite_url: str) -> None:
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
