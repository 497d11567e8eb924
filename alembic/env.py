"""Alembic environment: runs the migrations on the given connection, in the caller's transaction.

The `alembic` command gives no connection; then the database is CTSYNC_DATABASE_URL. Logging is
not configured here, because ctsync configures it.
"""

from __future__ import annotations

import os
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from ctsync.store.database.engine import make_engine, parse_url, writing
from ctsync.store.database.tables import METADATA
from ctsync.store.database.types import Count, Digest, JsonText, RemoteText, Timestamp


def render_plain(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Render our column types as plain SQLAlchemy types in a new migration.

    A migration must not change when our types change later.
    """
    if kind == "type" and isinstance(item, RemoteText | JsonText):
        return "sa.Text()"
    if kind == "type" and isinstance(item, Count):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, Digest):
        return 'sa.LargeBinary().with_variant(sa.String(80), "sqlite")'
    if kind == "type" and isinstance(item, Timestamp):
        return 'sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")'
    return False


def migrate(connection: Connection) -> None:
    """Run the migrations on a connection."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_item=render_plain,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_server_default=True,
        # `ctsync db index-text` creates the tables of words, not a migration
        include_name=lambda name, kind, _: (
            kind != "table" or not f"{name}".startswith(("text_words", "text_shared"))
        ),
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    url = parse_url(os.environ["CTSYNC_DATABASE_URL"])
    with writing(make_engine(url), "the database") as own:
        migrate(own)
