"""Answers kept in memory, so that the next page of a list need not be computed again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any, NamedTuple

from ctsync.questions.portfolio.portfolio_index import PortfolioIndex

MOST_ROWS_KEPT = 50_000
MOST_ANSWERS = 64
RECENT_SECONDS = 60


class AnswerKey(NamedTuple):
    """A question, the state of the data, and the time for which the question is asked."""

    question: str
    state: str
    asked: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """All rows of an answer, or the ids of its trials.

    `digest` identifies the content, if a later page asks for it by that.
    """

    rows: Sequence[Any]
    notes: Sequence[str]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class KeptPortfolio:
    """The followed trials of a state of the data on a day.

    `run` is the run that was under way when they were read; None if there was none.
    """

    state: str
    as_of: date
    run: object
    read_at: float
    index: PortfolioIndex


class KeptAnswers:
    """The answers that were asked for last, up to 50,000 rows in all, and one portfolio."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: OrderedDict[AnswerKey, KeptAnswer] = OrderedDict()
        self._reading = Lock()
        self._portfolio: KeptPortfolio | None = None

    @property
    def rows(self) -> int:
        """Number of rows that are kept."""
        return sum(len(answer.rows) for answer in self._answers.values())

    def answer(
        self, key: AnswerKey, digest: str | None, compute: Callable[[], KeptAnswer]
    ) -> KeptAnswer:
        """Return the answer with a digest if it is kept, else that of today's data."""
        with self._lock:
            found = self._find(key, digest)
        if found is not None:
            return found
        computed = compute()
        with self._lock:
            self._answers[key] = computed
            self._answers.move_to_end(key)
            while self.rows > MOST_ROWS_KEPT or len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
        return computed

    def portfolio(
        self,
        state: str,
        as_of: date,
        read: Callable[[], PortfolioIndex],
        *,
        run: object = None,
        now: float = 0,
    ) -> KeptPortfolio:
        """Return the followed trials of a state of the data; reads them if they are not kept.

        `run` names a run under way: then the result may be up to a minute old, in seconds of `now`.
        Otherwise every commit of a sync would make the next request read all trials again.
        """
        with self._reading:  # so that several requests do not read them at the same time
            kept = self._portfolio
            if kept is not None and kept.as_of == as_of:
                is_same_run = run is not None and kept.run == run
                if kept.state == state or (is_same_run and now - kept.read_at < RECENT_SECONDS):
                    return kept
            self._portfolio = kept = None  # before the next one: two would double the memory
            self._portfolio = KeptPortfolio(state, as_of, run, now, read())
            return self._portfolio

    def _find(self, key: AnswerKey, digest: str | None) -> KeptAnswer | None:
        for one, answer in self._answers.items():
            is_same = one == key if digest is None else answer.digest == digest
            if is_same and one.question == key.question:
                self._answers.move_to_end(one)
                return answer
        return None
