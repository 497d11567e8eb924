"""Names of bodies as bytes, which take half the room: in bodies, versions and their indexes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = (("bodies", "digest"), ("bodies", "base_digest"), ("snapshots", "digest"))
_WELL_FORMED = re.compile(r"(\d{1,2}):((?:[0-9a-f]{2}){32})\Z", re.ASCII)
_COMMENTS = (
    "a byte for the canonical form's version, and SHA-256",
    "canonical form's version, colon, SHA-256",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rewrite(_packed)
        return
    # what no ctsync wrote keeps a name that is no other's, for `check` to tell
    _retype(
        sa.LargeBinary(),
        "CASE WHEN {0} ~ '^[0-9]{{1,2}}:[0-9a-f]{{64}}$' "
        "THEN set_byte('\\x00'::bytea, 0, split_part({0}, ':', 1)::int) "
        "|| decode(split_part({0}, ':', 2), 'hex') "
        "ELSE '\\x00'::bytea || convert_to({0}, 'UTF8') END",
    )
    op.alter_column("bodies", "digest", comment=_COMMENTS[0], existing_comment=_COMMENTS[1])


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rewrite(_spelt)
        return
    _retype(
        sa.String(80),
        "CASE WHEN octet_length({0}) = 33 AND get_byte({0}, 0) > 0 "
        "THEN get_byte({0}, 0) || ':' || encode(substr({0}, 2), 'hex') "
        "ELSE convert_from(substr({0}, 2), 'UTF8') END",
    )
    op.alter_column("bodies", "digest", comment=_COMMENTS[1], existing_comment=_COMMENTS[0])


def _packed(text: str | bytes | None) -> bytes | None:
    if text is None or isinstance(text, bytes):
        return text
    found = _WELL_FORMED.match(text)
    # what no ctsync wrote keeps a name that is no other's, for `check` to tell
    if found is None:
        return b"\0" + text.encode()
    return int(found[1]).to_bytes(1) + bytes.fromhex(found[2])


def _spelt(packed: bytes | None) -> str | None:
    if packed is None:
        return None
    if len(packed) == 33 and packed[0]:
        return f"{packed[0]}:{packed[1:].hex()}"
    return packed[1:].decode(errors="replace")


def _rewrite(form: Callable[[Any], str | bytes | None]) -> None:
    """Write the names anew; SQLite keeps bytes in a column of texts as well as in any other."""
    connection = op.get_bind()
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - for mypy: there is one within a transaction
    driver.create_function("ctsync_form", 1, form, deterministic=True)
    op.execute("PRAGMA defer_foreign_keys = ON")
    # without it every body that gets a new name would be looked for among all others
    op.create_index("ix_bodies_base_digest", "bodies", ["base_digest"])
    for name, column in _COLUMNS:
        table = sa.table(name, sa.column(column))
        names = table.c[column]
        new = {names: sa.func.ctsync_form(names)}
        op.execute(sa.update(table).values(new).where(names.is_not(None)))
    op.drop_index("ix_bodies_base_digest", table_name="bodies")


def _retype(kind: sa.types.TypeEngine[Any], form: str) -> None:
    op.drop_constraint("fk_snapshots_digest", "snapshots", type_="foreignkey")
    op.drop_constraint("fk_bodies_base_digest", "bodies", type_="foreignkey")
    for table, column in _COLUMNS:
        op.alter_column(table, column, type_=kind, postgresql_using=form.format(column))
    op.create_foreign_key("fk_bodies_base_digest", "bodies", "bodies", ["base_digest"], ["digest"])
    op.create_foreign_key("fk_snapshots_digest", "snapshots", "bodies", ["digest"], ["digest"])
