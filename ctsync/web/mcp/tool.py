"""What a tool is: its name, its parameters and its question. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from ctsync.config.settings import Settings
from ctsync.model import NctId
from ctsync.store.store import Store
from ctsync.web.mcp.tool_arguments import ToolArguments, ToolParameter, paging

if TYPE_CHECKING:
    from collections.abc import Iterable

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool: the open database, the settings and the arguments.

    `limit` is the most rows of the answer.
    """

    store: Store
    settings: Settings
    arguments: ToolArguments
    limit: int

    @property
    def now(self) -> datetime:
        """The time of the call."""
        return self.arguments.now

    @property
    def today(self) -> date:
        """The day of the call, in UTC."""
        return self.now.date()


@dataclass(frozen=True, slots=True)
class FactKey:
    """The version that a row comes from, and for a change the version before it.

    Without `version`, the newest version of the trial.
    """

    nct_id: NctId
    version: int | None = None
    from_version: int | None = None


@dataclass(frozen=True, slots=True)
class ToolRows:
    """Rows that answer a call, at most as many as its limit.

    `facts` and `cursors` have one value per row: where it comes from, and the cursor of the rows
    after it. `is_last` is false if there are more rows. `total` is None if they were not counted.
    """

    rows: Sequence[Any]
    facts: Sequence[FactKey]
    cursors: Sequence[str]
    is_last: bool = True
    total: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool: one question, with the parameters of its command."""

    name: str
    title: str
    description: str
    own_parameters: tuple[ToolParameter, ...]
    row_type: type
    ask: Callable[[ToolCall], ToolRows]
    limit: int = 50

    @property
    def parameters(self) -> tuple[ToolParameter, ...]:
        """All parameters, with those that bound the answer."""
        return self.own_parameters + paging(self.limit)


def page_of(
    found: Iterable[RowT],
    call: ToolCall,
    fact: Callable[[RowT], FactKey],
    *,
    total: int | None = None,
    notes: Sequence[str] = (),
    is_skipped: bool = False,
) -> ToolRows:
    """Return the rows of a call from an answer that has all of them, or yields them in order.

    `is_skipped`: the answer begins with the page.
    """
    skip = call.arguments.skip()
    begin = 0 if is_skipped else skip
    rows = list(islice(found, begin, begin + call.limit + 1))
    shown = rows[: call.limit]
    return ToolRows(
        rows=shown,
        facts=[fact(row) for row in shown],
        cursors=[str(skip + number) for number in range(1, len(shown) + 1)],
        is_last=len(rows) == len(shown),
        total=total,
        notes=tuple(notes),
    )
