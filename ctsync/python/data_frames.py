"""Rows of typed columns as data frames of pandas and of polars. Neither needs pyarrow; no I/O.

Importing pyarrow and converting its tables would take a tenth of the time of the first data frame
of a program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ctsync.errors import UsageError
from ctsync.export.columns import ColumnType, Row, storable

if TYPE_CHECKING:
    from pandas import DataFrame
    from polars import DataFrame as PolarsFrame


def pandas_frame(rows: Iterable[Row], columns: Mapping[str, ColumnType]) -> DataFrame:
    """Return rows as a pandas DataFrame; raises UsageError if pandas is missing.

    Integers and flags have the types that can miss a value, and text the type that this version of
    pandas gives it.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - not required, and slow to import
    except ImportError:
        raise UsageError("Rows.df() needs pandas: pip install pandas") from None
    types: Mapping[ColumnType, Any] = {
        ColumnType.TEXT: pd.Series(["text"]).dtype,
        ColumnType.INTEGER: pd.Int64Dtype(),
        ColumnType.FLOAT: "float64",
        ColumnType.FLAG: pd.BooleanDtype(),
        ColumnType.DATE: "datetime64[ms]",  # in nanoseconds, dates end in 2262
        ColumnType.TIME: pd.DatetimeTZDtype("us", "UTC"),
    }
    held = _by_column(rows, columns)
    made = {name: pd.Series(held[name], dtype=types[sort]) for name, sort in columns.items()}
    frame: DataFrame = pd.DataFrame(made)
    return frame


def polars_frame(rows: Iterable[Row], columns: Mapping[str, ColumnType]) -> PolarsFrame:
    """Return rows as a polars DataFrame; raises UsageError if polars is missing."""
    try:
        import polars as pl  # noqa: PLC0415 - not required, and slow to import
    except ImportError:
        raise UsageError("Rows.pl() needs polars: pip install polars") from None
    types = {
        ColumnType.TEXT: pl.String(),
        ColumnType.INTEGER: pl.Int64(),
        ColumnType.FLOAT: pl.Float64(),
        ColumnType.FLAG: pl.Boolean(),
        ColumnType.DATE: pl.Date(),
        ColumnType.TIME: pl.Datetime("us", "UTC"),
    }
    schema = {name: types[sort] for name, sort in columns.items()}
    return pl.DataFrame(_by_column(rows, columns), schema=schema)


def _by_column(rows: Iterable[Row], columns: Mapping[str, ColumnType]) -> dict[str, list[Any]]:
    listed = list(rows)
    return {
        name: [storable(row[name]) for row in listed]
        if sort is ColumnType.TEXT
        else [row[name] for row in listed]
        for name, sort in columns.items()
    }
