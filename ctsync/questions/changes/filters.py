"""The filters of reports and changes, read from text. Writes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from ctsync.dates import is_ahead
from ctsync.errors import UsageError
from ctsync.model import KeyFields, NctId
from ctsync.report.report_filter import read_phase
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.data.runs import SYNC
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store
from ctsync.text import nearest, nearest_words

LAST_REPORT = "last report"
_PHASES = ("early 1", "1", "2", "3", "4", "NA")
_LOG = "log"
_MOST_NAMES = 5
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")

EnumT = TypeVar("EnumT", bound=StrEnum)


def parse_word(text: str, words: type[EnumT], name: str = "") -> EnumT:
    """Read a level, category, kind or flag; raises UsageError with the likely values.

    `name` is what the error calls the words, if not by their class.
    """
    wanted = "-".join(text.lower().split())
    for word in words:
        if wanted in {word.value, word.value.replace("_", "-")}:
            return word
    name = name or _CAPITAL.sub(" ", words.__name__.removesuffix("Id")).lower()
    raise UsageError(f"there is no {name} {text!r}; {nearest(text, list(words))}")


def parse_phase(text: str) -> str:
    """Read a phase ("2", "phase 2", "PHASE2"); raises UsageError with the values."""
    phase = read_phase(text)
    if phase is None:
        raise UsageError(f"there is no phase {text!r}; known: {', '.join(_PHASES)}")
    return phase


def last_report_end(store: Store, now: datetime) -> datetime:
    """Return the end of the last report that was sent: it has no changes from this time on.

    The last report is the newest message that any recipient got, other than the event log. It
    covers the registry data of the last sync that had finished by then. `ctsync report` keeps no
    record of what it prints, so it does not count. A message sent ahead of `now`, by a wrong
    clock, does not count either. Raises UsageError if none was sent.
    """
    sent = [
        row.sent_at
        for row in store.outbox.deliveries(DeliveryState.SENT)
        if row.sent_at is not None and not is_ahead(row.sent_at, now) and row.channel != _LOG
    ]
    if not sent:
        raise UsageError("no report was sent yet; use --since 7d, or a day such as 2026-03-13")
    last = max(sent)
    for run in store.runs.latest(kind=SYNC):
        if run.finished is not None and run.finished <= last:
            load = run.load_after or run.load_before
            if load is not None:
                # an event of this load was in the report; the next load is at least a second later
                return load + timedelta(seconds=1)
    return last


def require_sponsor(
    store: Store, part: str, changed: Mapping[NctId, KeyFields], followed: TrialSelection
) -> None:
    """Raise UsageError, with the likely names, if no lead sponsor has `part` in its name.

    `changed` are the key fields of the trials that changed; the other followed trials are read
    only if none of these matches.
    """
    wanted = part.casefold()
    if any(wanted in (key.lead_sponsor or "").casefold() for key in changed.values()):
        return
    keys = store.versions.newest_keys(store.watched.ids(followed))
    names = sorted({key.lead_sponsor for key in keys.values() if key.lead_sponsor})
    if any(wanted in name.casefold() for name in names):
        return
    likely = nearest_words(part, names, most=_MOST_NAMES) or _with_a_word_like(part, names)
    hint = f"did you mean {', '.join(likely)}?" if likely else "see: ctsync find --help"
    raise UsageError(f"no followed trial has a lead sponsor with {part!r} in its name; {hint}")


def _with_a_word_like(part: str, names: list[str]) -> list[str]:
    """Return the names with a word similar to the wanted words: Novartis for "Novarits"."""
    by_word = {word: name for name in names for word in name.split()}
    words = nearest_words(part, by_word, most=_MOST_NAMES, likeness=0.7)
    return list(dict.fromkeys(by_word[word] for word in words))
