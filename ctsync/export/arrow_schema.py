"""Typed columns as Arrow columns. Needs pyarrow, an extra; does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from ctsync.errors import UsageError
from ctsync.export.columns import ColumnType, Row, storable

if TYPE_CHECKING:
    import pyarrow as pa


def require_pyarrow(what: str, *, module: str = "pyarrow") -> None:
    """Raise UsageError if a module of pyarrow is missing; `what` names what needs it."""
    try:
        import_module(module)
    except ImportError:
        raise UsageError(f"{what} needs pyarrow: pip install 'ctsync[parquet]'") from None


def arrow_schema(columns: Mapping[str, ColumnType]) -> pa.Schema:
    """Return the Arrow schema of columns."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    types = {
        ColumnType.TEXT: pa.string(),
        ColumnType.INTEGER: pa.int64(),
        ColumnType.FLOAT: pa.float64(),
        ColumnType.FLAG: pa.bool_(),
        ColumnType.DATE: pa.date32(),
        ColumnType.TIME: pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, types[sort]) for name, sort in columns.items()])


def arrow_table(rows: Iterable[Row], schema: pa.Schema) -> pa.Table:
    """Return rows of typed columns as an Arrow table."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    cleaned = [{name: storable(value) for name, value in row.items()} for row in rows]
    return pa.Table.from_pylist(cleaned, schema=schema)
