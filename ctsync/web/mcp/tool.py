"""What a tool is: its name, its parameters and its question. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from ctsync.config.settings import Settings
from ctsync.model import NctId
from ctsync.questions.portfolio.flags import flag_day
from ctsync.questions.portfolio.portfolio import (
    PortfolioPageRow,
    PortfolioQuestion,
    portfolio_page,
)
from ctsync.questions.portfolio.portfolio_index import PortfolioIndex
from ctsync.questions.portfolio.portfolio_trials import read_portfolio
from ctsync.store.store import Store
from ctsync.web.kept_answers import AnswerKey, KeptAnswer, KeptAnswers
from ctsync.web.mcp.tool_arguments import ToolArguments, ToolParameter, paging

if TYPE_CHECKING:
    from collections.abc import Iterable

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool: the open database, the settings and the arguments.

    `limit` is the most rows of the answer. `kept` has answers of earlier calls, whose next pages
    need not be computed again.
    """

    store: Store
    settings: Settings
    arguments: ToolArguments
    limit: int
    kept: KeptAnswers

    @property
    def now(self) -> datetime:
        """The time of the call."""
        return self.arguments.now

    @property
    def today(self) -> date:
        """The day of the call, in UTC."""
        return self.now.date()

    def answer(self, question: object, compute: Callable[[], KeptAnswer]) -> KeptAnswer:
        """Return the answer to a question for the data and the day of the call.

        The text of the question must name all that the answer depends on.
        """
        key = AnswerKey(f"{question!r}", self.store.state(), f"{self.today}")
        return self.kept.answer(key, None, compute)

    def portfolio(self, question: PortfolioQuestion) -> PortfolioPageRow:
        """Return a page of the portfolio."""
        store, as_of = self.store, flag_day(self.store, self.today)
        kept = self.kept.portfolio(
            store.state(), as_of, lambda: PortfolioIndex(read_portfolio(store, as_of=as_of))
        )
        return portfolio_page(store, kept.index, question, as_of=as_of)


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
    cursor: Callable[[RowT], str] | None = None,
) -> ToolRows:
    """Return the rows of a call from an answer that has all of them, or yields them in order.

    `cursor` names the place after a row, for an answer that begins with the page.
    """
    skip = 0 if cursor else call.arguments.skip()
    rows = list(islice(found, skip, skip + call.limit + 1))
    shown = rows[: call.limit]
    return ToolRows(
        rows=shown,
        facts=[fact(row) for row in shown],
        cursors=[
            cursor(row) if cursor else str(skip + number)
            for number, row in enumerate(shown, start=1)
        ],
        is_last=len(rows) == len(shown),
        total=total,
        notes=tuple(notes),
    )


def page_of_answer(found: KeptAnswer, call: ToolCall, fact: Callable[[Any], FactKey]) -> ToolRows:
    """Return the rows of a call from an answer that is kept for the next page."""
    return page_of(found.rows, call, fact, total=len(found.rows), notes=found.notes)
