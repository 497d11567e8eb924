"""The query of `watch add`: options, the query of another watch, or the URL of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from ctsync.cli.app import App
from ctsync.errors import UsageError
from ctsync.query import Query
from ctsync.sync.watches.follow import build_query


class QueryArguments(TypedDict):
    """The query options of `watch add`, as click passes them."""

    pairs: Sequence[str]
    sponsor: str | None
    condition: str | None
    saved: str | None


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The query options of the command line."""

    pairs: Sequence[str] = ()
    sponsor: str | None = None
    condition: str | None = None
    saved: str | None = None

    def query(self, app: App, searches: Sequence[str] = ()) -> Query | None:
        """Build and check the query of the options and of the URL of a search.

        --query replaces a part of the URL. Returns None if there is no query.
        """
        base = self._saved(app) if self.saved is not None else None
        return build_query(
            searches,
            list(map(_pair, self.pairs)),
            sponsor=self.sponsor,
            condition=self.condition,
            base=base,
        )

    def _saved(self, app: App) -> dict[str, object]:
        """Return the query of another watch, from the settings file or the database."""
        for known in app.settings.watches:
            if known.name == self.saved and known.query:
                return dict(known.query)
        with app.store() as store:
            names = {watch.name: watch.query for watch in store.watches.all()}
        if names.get(str(self.saved)) is None:
            raise UsageError(f"--from: no watch {self.saved!r} has a query; see: ctsync watch list")
        return dict(names[str(self.saved)] or {})


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--query {text}: write KEY=VALUE, as in cond=asthma")
    return name.strip(), value
