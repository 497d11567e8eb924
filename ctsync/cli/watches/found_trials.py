"""The trials that `watch add` found: a table, or totals by status if there are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ctsync.cli.output import tell
from ctsync.cli.terminal_table import show_table
from ctsync.model import NctId
from ctsync.record.enum_words import enum_words
from ctsync.sync.watches.query_preview import QueryMatch
from ctsync.text import for_terminal

MOST_ROWS = 20
UNKNOWN = "-"


def show_matches(matches: Sequence[QueryMatch]) -> None:
    """Write a table of trials to stdout; nothing if there are none."""
    if matches:
        show_table(
            ("TRIAL", "STATUS", "SPONSOR", "TITLE"),
            [(one.nct_id, enum_words(one.status), one.sponsor, one.title) for one in matches],
            shorten=("SPONSOR", "TITLE"),
        )


def show_named(ids: Sequence[NctId], found: Mapping[NctId, QueryMatch]) -> None:
    """Write the named trials to stdout; if there are more than 20, count them by status."""
    if len(ids) <= MOST_ROWS:
        show_matches([found.get(nct_id) or _absent(nct_id) for nct_id in ids])
    else:
        statuses = Counter(found[nct_id].status for nct_id in ids if nct_id in found)
        rows = [(enum_words(status), f"{count:,}") for status, count in statuses.most_common()]
        absent = sum(nct_id not in found for nct_id in ids)
        rows += [("not at the registry", f"{absent:,}")] if absent else []
        show_table(("STATUS", "TRIALS"), [*rows, ("total", f"{len(ids):,}")])


def tell_oddities(ids: Sequence[NctId], found: Mapping[NctId, QueryMatch]) -> None:
    """Report the named trials that the registry lacks or has under another id."""
    absent_ids = [nct_id for nct_id in ids if nct_id not in found]
    if absent_ids:
        tell(f"the registry has no trial {_named(absent_ids)}; check the NCT id")
    for nct_id in ids:
        now = found[nct_id].nct_id if nct_id in found else nct_id
        if now != nct_id:
            tell(f"{nct_id} is an old id of {now}")


def _named(texts: Sequence[str]) -> str:
    """Return up to 20 names in one line, and the number of the rest."""
    more = len(texts) - MOST_ROWS
    shown = [for_terminal(text) for text in texts[:MOST_ROWS]]
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def _absent(nct_id: NctId) -> QueryMatch:
    return QueryMatch(nct_id, status=UNKNOWN, title="not at the registry", sponsor=UNKNOWN)
