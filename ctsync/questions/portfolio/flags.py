"""The flags of trials: facts about their newest records on the day of the data. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import orjson

from ctsync.dates import PartialDate
from ctsync.errors import CorruptBody
from ctsync.model import STUDY_PAGE, JsonObject, NctId, Version
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.flags import FLAG_LABELS, Flag, FlagId, FlagState, flags_of, shown_flags
from ctsync.record.portfolio_facts import FORM
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.derived.flag_heads import FlagHead
from ctsync.store.store import Store

_REGISTERED = 0
"""The registry's number of the version that was registered."""


@dataclass(frozen=True, slots=True)
class FlagQuestion:
    """Which flags of which trials.

    The trials are those named, or all that are followed; `watch` leaves out others. `sponsor` is a
    part of the lead sponsor's name. `since` leaves out flags that were true before that day, and
    those for which the day is not known. `all_states` adds flags that are undecided or not known,
    and results due that are posted.
    """

    ids: Sequence[NctId] = ()
    watch: str | None = None
    flags: Sequence[FlagId] = ()
    sponsor: str | None = None
    since: date | None = None
    all_states: bool = False


@dataclass(frozen=True, slots=True)
class TrialFlagRow:
    """A fact about the newest record of a trial on the day of the newest registry data."""

    nct_id: NctId
    """The NCT id of the trial."""
    flag: FlagId
    """The id of the flag."""
    label: str
    """The name of the flag for people."""
    state: FlagState
    """`true`; `undecided` if a date without a day fits both answers; `not_known` if the rule
    needs an earlier version that is not stored."""
    since: date | None
    """The first day on which the flag is true; null if that is not known."""
    as_of: date
    """The day for which the flag was computed: that of the newest registry data."""
    words: str
    """The flag in words, with its dates."""
    inputs: Mapping[str, str | int | bool | None]
    """The values that the rule read."""
    source: str
    """Where the rule is published."""
    title: str | None
    """The brief title of the trial."""
    sponsor: str | None
    """The lead sponsor."""
    url: str
    """The page of the trial at the registry."""


@dataclass(frozen=True, slots=True)
class FoundFlags:
    """The flags found, in order of trials, of how many trials; `unreadable` could not be read."""

    rows: tuple[TrialFlagRow, ...]
    as_of: date
    trials: int
    unreadable: tuple[NctId, ...]


def find_flags(store: Store, question: FlagQuestion, *, today: date) -> FoundFlags:
    """Compute the flags of the trials that the registry shows, from their newest records.

    Raises UnknownTrial if nothing is stored of a trial that the question names.
    """
    as_of, ids = flag_day(store, today), _trials(store, question)
    part = (question.sponsor or "").casefold()
    heads = store.flag_heads.of(ids, form=FORM)
    asked = [one for one in heads if part in (one.sponsor or "").casefold()]
    found: dict[NctId, Sequence[Flag]] = {}
    unreadable: list[NctId] = []
    for head in asked:
        try:
            found[head.nct_id] = _flags_of_head(store, head, as_of)
        except (CorruptBody, ValueError):  # a damaged body must not prevent the other rows
            unreadable.append(head.nct_id)
    found |= with_day_of_move(store, found, as_of)
    rows = tuple(
        _row(head.nct_id, flag, title=head.title, sponsor=head.sponsor, as_of=as_of)
        for head in asked
        for flag in _wanted(found.get(head.nct_id, ()), question)
    )
    return FoundFlags(rows, as_of, len(asked), tuple(unreadable))


def _flags_of_head(store: Store, head: FlagHead, as_of: date) -> tuple[Flag, ...]:
    """Return the flags of a trial, from what is stored for its record or from the record."""
    is_registered = head.first_registry_version == _REGISTERED
    if head.flag_record is not None:
        return _flags_in(
            head.flag_record, head.first_start_date, as_of, is_registered=is_registered
        )
    body = orjson.loads(store.bodies.read(head.digest))
    return _flags_of(body, head.first_start_date, as_of, is_registered=is_registered)


@lru_cache(maxsize=4096)
def _flags_in(
    record: str, first_start: str | None, as_of: date, *, is_registered: bool
) -> tuple[Flag, ...]:
    # cached: a server is asked for the same day until the next sync; the rules take 0.1 ms a trial
    return _flags_of(orjson.loads(record), first_start, as_of, is_registered=is_registered)


def with_day_of_move(
    store: Store,
    found: Mapping[NctId, Sequence[Flag]],
    as_of: date,
    *,
    until: Mapping[NctId, int] | None = None,
) -> dict[NctId, tuple[Flag, ...]]:
    """Return the flags of the trials whose start moved, with the day of the move.

    `until` gives the last version of each trial to use; by default, all are used.
    """
    moved = [nct_id for nct_id, flags in found.items() if any(map(_is_move, flags))]
    last = until or {}
    return {
        nct_id: tuple(
            _dated(_known(versions[: last.get(nct_id)]), flag, as_of) for flag in found[nct_id]
        )
        for nct_id, versions in store.versions.of_many(moved).items()
    }


def flag_day(store: Store, today: date) -> date:
    """Return the day for which flags are computed: that of the newest registry data."""
    load = store.runs.newest_load()
    return min(load.date(), today) if load else today


def version_flags(store: Store, versions: Sequence[Version], *, as_of: date) -> tuple[Flag, ...]:
    """Return the flags of the last of these versions of a trial, which are oldest first.

    Raises CorruptBody if the record cannot be read.
    """
    known = _known(versions)
    return flags_of_versions(known, _body(store, known[-1]), as_of=as_of)


def flags_of_versions(
    known: Sequence[Version], body: JsonObject, *, as_of: date
) -> tuple[Flag, ...]:
    """Return the flags of `body`, the record of the last of a trial's versions with a record.

    A start that moved to the registration or later is found from any earlier version. That it
    never moved is known only from the version that was registered.
    """
    first, is_registered = known[0].key.start_date, known[0].registry_version == _REGISTERED
    found = _flags_of(body, first, as_of, is_registered=is_registered)
    return tuple(_dated(known, flag, as_of) for flag in found)


def shown_flags_since(
    first_start: str | None, body: JsonObject, *, as_of: date
) -> tuple[Flag, ...]:
    """Return those flags of a record that are shown; `first_start` is that of the first version.

    A start that moved has no day yet: see `with_day_of_move`.
    """
    return shown_flags(_flags_of(body, first_start, as_of, is_registered=True))


def _flags_of(
    body: JsonObject, first_start: str | None, as_of: date, *, is_registered: bool
) -> tuple[Flag, ...]:
    """Return the flags of a record; a start that moved has no day yet."""
    # the rules read nothing else of a first version
    first = {"protocolSection": {"statusModule": {"startDateStruct": first_start}}}
    found = flags_of(body, as_of=as_of, first=first)
    if is_registered or any(flag.id is FlagId.RETROACTIVELY_PROSPECTIVE for flag in found):
        return found
    return flags_of(body, as_of=as_of)


def _known(versions: Sequence[Version]) -> list[Version]:
    return [version for version in versions if version.digest is not None]


def _is_move(flag: Flag) -> bool:
    return flag.id is FlagId.RETROACTIVELY_PROSPECTIVE and flag.is_true


def _dated(known: Sequence[Version], flag: Flag, as_of: date) -> Flag:
    return replace(flag, since=_moved_on(known, as_of)) if _is_move(flag) else flag


def flags_shown_with(
    store: Store, version: Version, *, as_of: date | None, today: date
) -> tuple[Flag, ...]:
    """Return the flags to show with a version: as of a day, or of the newest registry data.

    A version that was replaced has none without a day, because it did not stand on one day only.
    """
    versions = store.versions.of(version.nct_id)[: version.version]
    is_newest = store.trials.heads([version.nct_id])[version.nct_id].version == version.version
    if version.digest is None or (as_of is None and not is_newest):
        return ()
    day = flag_day(store, today) if as_of is None else as_of
    return shown_flags(version_flags(store, versions, as_of=day))


def flag_row(version: Version, flag: Flag, as_of: date) -> TrialFlagRow:
    """Return the row of a flag of a trial's newest version."""
    key = version.key
    return _row(version.nct_id, flag, title=key.brief_title, sponsor=key.lead_sponsor, as_of=as_of)


def _row(
    nct_id: NctId, flag: Flag, *, title: str | None, sponsor: str | None, as_of: date
) -> TrialFlagRow:
    return TrialFlagRow(
        nct_id=nct_id,
        flag=flag.id,
        label=FLAG_LABELS[flag.id],
        state=flag.state,
        since=flag.since,
        as_of=as_of,
        words=flag.words,
        inputs=flag.inputs,
        source=flag.source,
        title=title,
        sponsor=sponsor,
        url=STUDY_PAGE + nct_id,
    )


def _trials(store: Store, question: FlagQuestion) -> Sequence[NctId]:
    if question.ids:
        # measured: 1 % of a first portfolio in a program, which asks for the day of the flags only
        from ctsync.questions.trial.stored_records import (  # noqa: PLC0415 - see above
            stored_versions,
        )

        for nct_id in question.ids:
            stored_versions(store, nct_id)  # raises if there are none
    if question.ids and not question.watch:
        return sorted(question.ids)
    followed = store.watched.ids(TrialSelection(watch=question.watch))
    return sorted(set(question.ids).intersection(followed)) if question.ids else followed


def _wanted(flags: Sequence[Flag], question: FlagQuestion) -> Sequence[Flag]:
    shown = flags if question.all_states else shown_flags(tuple(flags))
    return [
        flag
        for flag in shown
        if (not question.flags or flag.id in question.flags)
        and (question.since is None or (flag.since is not None and flag.since >= question.since))
    ]


def _body(store: Store, version: Version) -> JsonObject:
    body: JsonObject = orjson.loads(store.bodies.read(version.digest or ""))
    return body


def _moved_on(versions: Sequence[Version], as_of: date) -> date:
    """Return the day from which the start has been on the day of registration or later."""
    registered = PartialDate.parse(versions[-1].key.first_submitted)
    starts = [PartialDate.parse(version.key.start_date) for version in versions]
    earlier = [
        number
        for number, start in enumerate(starts)
        if start is None or registered is None or start.first < registered.last
    ]
    return min(stands_from(versions)[min(earlier[-1] + 1, len(versions) - 1)], as_of)


SCHEMAS = {"trial_flag": TrialFlagRow}
