"""The trials of a portfolio, kept for many questions. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from ctsync.questions.portfolio.portfolio_filter import (
    Chosen,
    FacetRow,
    PortfolioSort,
    filtered,
    in_order,
    search_text,
)
from ctsync.questions.portfolio.portfolio_trials import PortfolioTrial


class PortfolioIndex:
    """Trials that are filtered and sorted many times.

    Makes the counts, the orders and the searched texts of all trials once, when first needed.
    """

    def __init__(self, trials: Sequence[PortfolioTrial]) -> None:
        self.trials = trials
        self._orders: dict[tuple[PortfolioSort, bool], Sequence[PortfolioTrial]] = {}

    def find(
        self, chosen: Chosen, text: str, *, sort: PortfolioSort, descending: bool
    ) -> tuple[Sequence[PortfolioTrial], tuple[FacetRow, ...]]:
        """Return the trials that pass all filters, in order, and the facets of the others."""
        words = text.casefold().split()
        if not words and not any(chosen.values()):
            return self._in_order(sort, descending=descending), self._facets
        trials = self._with(words) if words else self.trials
        found, facets = filtered(trials, chosen, "")
        return in_order(found, sort, descending=descending), facets

    def _in_order(self, sort: PortfolioSort, *, descending: bool) -> Sequence[PortfolioTrial]:
        key = sort, descending
        if key not in self._orders:
            self._orders[key] = in_order(self.trials, sort, descending=descending)
        return self._orders[key]

    def _with(self, words: Sequence[str]) -> list[PortfolioTrial]:
        texts = zip(self.trials, self._texts, strict=True)
        return [trial for trial, text in texts if all(word in text for word in words)]

    @cached_property
    def _facets(self) -> tuple[FacetRow, ...]:
        return filtered(self.trials, {}, "")[1]

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return tuple(map(search_text, self.trials))
