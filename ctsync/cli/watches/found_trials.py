"""The trials that `watch add` found: a table, or totals by status if there are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ctsync.cli.output import tell
from ctsync.cli.terminal_table import show_table
from ctsync.model import NctId
from ctsync.record.enum_words import enum_words
from ctsync.sync.watches.query_preview import NamedTrials, QueryMatch
from ctsync.text import for_terminal

MOST_ROWS = 20
UNKNOWN = "-"
ABSENT = "not at the registry"
NOT_ANSWERED = "could not be looked up"


def show_matches(matches: Sequence[QueryMatch]) -> None:
    """Write a table of trials to stdout; nothing if there are none."""
    if matches:
        show_table(
            ("TRIAL", "STATUS", "SPONSOR", "TITLE"),
            [(one.nct_id, enum_words(one.status), one.sponsor, one.title) for one in matches],
            shorten=("SPONSOR", "TITLE"),
        )


def show_named(ids: Sequence[NctId], named: NamedTrials) -> None:
    """Write the named trials to stdout; if there are more than 20, count them by status."""
    if len(ids) <= MOST_ROWS:
        show_matches([named.found.get(nct_id) or _unseen(nct_id, named) for nct_id in ids])
    else:
        found = [named.found[nct_id] for nct_id in ids if nct_id in named.found]
        statuses = Counter(match.status for match in found)
        rows = [(enum_words(status), f"{count:,}") for status, count in statuses.most_common()]
        failed = len(named.failed)
        absent = len(ids) - len(found) - failed
        rows += [(NOT_ANSWERED, f"{failed:,}")] if failed else []
        rows += [(ABSENT, f"{absent:,}")] if absent else []
        show_table(("STATUS", "TRIALS"), [*rows, ("total", f"{len(ids):,}")])


def tell_oddities(ids: Sequence[NctId], named: NamedTrials) -> None:
    """Report the named trials that the registry lacks, has under another id, or failed to show."""
    found, failed = named.found, named.failed
    if failed:
        error = next(iter(failed.values()))
        tell(for_terminal(f"could not look up {_named(list(failed))}: {error}"))
    absent_ids = [nct_id for nct_id in ids if nct_id not in found and nct_id not in failed]
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


def _unseen(nct_id: NctId, named: NamedTrials) -> QueryMatch:
    title = NOT_ANSWERED if nct_id in named.failed else ABSENT
    return QueryMatch(nct_id, status=UNKNOWN, title=title, sponsor=UNKNOWN)
