"""The answer to a question as a sequence of typed rows, and its other forms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from ctsync.export.arrow_schema import arrow_schema, arrow_table, require_pyarrow
from ctsync.export.row_columns import columns_of, values_of
from ctsync.model import JsonObject
from ctsync.python.data_frames import pandas_frame, polars_frame
from ctsync.python.notebook_table import notebook_table
from ctsync.report.rows.row_json import to_json

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import DataclassInstance
    from pandas import DataFrame
    from polars import DataFrame as PolarsFrame

RowT = TypeVar("RowT", bound="DataclassInstance")


class Rows(Sequence[RowT], Generic[RowT]):
    """The rows of an answer: a sequence of frozen dataclasses of one type, `row_type`.

    `notes` has a sentence about each part of the answer that is not shown, such as changes beyond
    a limit. A slice is a Rows as well. In a notebook, the rows are shown as a table.

    The columns of `df`, `pl` and `arrow` are the fields of a row. Text, numbers and flags stay as
    they are. A `date` is a date, a `datetime` a time in UTC. A date of the registry is a day, a
    month or a year, so it has three columns: NAME is its first day, NAME_precision is day, month
    or year, and NAME_text is the registry's text. Lists, objects and values of any type, such as
    `before` and `after` of a change, are JSON text: a text is in quotes. `ctsync export parquet`
    writes the same.
    """

    def __init__(
        self, row_type: type[RowT], rows: Sequence[RowT], *, notes: Sequence[str] = ()
    ) -> None:
        self.row_type = row_type
        self.notes = tuple(notes)
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> RowT: ...

    @overload
    def __getitem__(self, index: slice) -> Rows[RowT]: ...

    def __getitem__(self, index: int | slice) -> RowT | Rows[RowT]:
        if isinstance(index, slice):
            return Rows(self.row_type, self._rows[index], notes=self.notes)
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[RowT]:
        return iter(self._rows)

    def __repr__(self) -> str:
        notes = f"; {'; '.join(self.notes)}" if self.notes else ""
        return f"<Rows: {len(self):,} of {self.row_type.__name__}{notes}>"

    def _repr_html_(self) -> str:
        return notebook_table(self.row_type, self._rows, self.notes)

    def dicts(self) -> list[JsonObject]:
        """Return the rows as objects of JSON values, the same that `--json` writes."""
        return [to_json(row) for row in self._rows]

    def arrow(self) -> pa.Table:
        """Return the rows as a pyarrow Table.

        Raises UsageError if pyarrow is missing; `pip install 'ctsync[parquet]'` installs it.
        """
        require_pyarrow("Rows.arrow()")
        schema = arrow_schema(columns_of(self.row_type))
        return arrow_table(map(values_of, self._rows), schema)

    def df(self) -> DataFrame:
        """Return the rows as a pandas DataFrame; raises UsageError if pandas is missing.

        Dates are datetime64, and numbers and flags keep their type if values are missing: Int64
        and boolean.
        """
        return pandas_frame(map(values_of, self._rows), columns_of(self.row_type))

    def pl(self) -> PolarsFrame:
        """Return the rows as a polars DataFrame; raises UsageError if polars is missing."""
        return polars_frame(map(values_of, self._rows), columns_of(self.row_type))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as a PyCapsule of the Arrow C stream interface, for other libraries."""
        return self.arrow().__arrow_c_stream__(requested_schema)
