"""Watch resolution: finds the trials that terms name, and joins file and stored watches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from ctsync.config.settings import WatchSettings
from ctsync.errors import (
    AmbiguousOrgId,
    BadNctId,
    RegistryError,
    RequestRefused,
    UnmatchedOrgId,
    UsageError,
)
from ctsync.model import NctId
from ctsync.nct_id import parse_nct_id
from ctsync.pasted_url import is_url, read_trial
from ctsync.registry.interface import Registry
from ctsync.store.data.watches import NewWatch, Watch, WatchedTrial
from ctsync.store.store import Store
from ctsync.text import shorten

# a hyphen between the digits, as in NCT-2013-0211, may belong to an organisation's study id
_MEANT_AS_ID = re.compile("nct(?:\\d|[\\s\u2010-\u2015-]*[\\d\\s]*\\Z)", re.IGNORECASE | re.ASCII)
_GROUPED = re.compile(r"nct[\d\s-]+", re.IGNORECASE | re.ASCII)
SHOWN_MATCHES = 10
SHOWN_WIDTH = 80


@dataclass(frozen=True, slots=True)
class ResolvedTerm:
    """A term as written, and the one trial it names.

    `asked_as` is the term if it is a study id, None if it is the trial's NCT id or URL.
    """

    term: str
    nct_id: NctId
    asked_as: str | None = None


def resolve(term: str, registry: Registry, *, retry: bool = True) -> ResolvedTerm:
    """Find the one trial that `term` names.

    An NCT id or the URL of a trial is accepted without a request. Any other term is searched
    among the organisations' study ids and must match exactly one trial: otherwise UnmatchedOrgId
    or AmbiguousOrgId is raised. A malformed NCT id raises BadNctId without a request. Without
    `retry`, a failed search is not repeated.
    """
    text = term.strip().strip("\ufeff")
    if not text:
        raise UsageError("an empty term names no trial")
    if is_nct_id(text) or is_url(text):
        return ResolvedTerm(text, read_trial(text))
    matches = registry.find_org_id(text, retry=retry)
    if not matches and _GROUPED.fullmatch(text):
        with suppress(BadNctId):
            return ResolvedTerm(text, parse_nct_id(text))
    if not matches and "=" in text:
        raise UnmatchedOrgId(
            f"no trial has the study id {shorten(text, SHOWN_WIDTH)!r}; if it is part of a "
            "query, write --query before each KEY=VALUE"
        )
    if not matches:
        raise UnmatchedOrgId(
            f"no trial has the study id {shorten(text, SHOWN_WIDTH)!r}: "
            "write the sponsor's complete id, as in the record, or give the NCT id"
        )
    if len(matches) > 1:
        shown = ", ".join(matches[:SHOWN_MATCHES])
        more = len(matches) - SHOWN_MATCHES
        rest = f" and {more} more" if more > 0 else ""
        raise AmbiguousOrgId(
            f"{len(matches)} trials have the study id {shorten(text, SHOWN_WIDTH)!r}: "
            f"{shown}{rest}; give the NCT id"
        )
    return ResolvedTerm(text, matches[0], asked_as=text)


def is_nct_id(term: str) -> bool:
    """Return whether a term is meant as an NCT id, even a malformed one."""
    return _MEANT_AS_ID.match(term) is not None


def resolve_all(terms: Iterable[str], registry: Registry) -> list[ResolvedTerm]:
    """Resolve every term, or raise one error that lists all failures.

    The error has the class of the first failure. A RegistryError is raised at once.
    """
    found: list[ResolvedTerm] = []
    problems: list[UsageError] = []
    for term in terms:
        try:
            found.append(resolve(term, registry))
        except UsageError as problem:
            problems.append(problem)
    if problems:
        raise type(problems[0])("; ".join(str(problem) for problem in problems))
    return found


@dataclass(frozen=True, slots=True)
class UnresolvedTerm:
    """A term of a file watch that does not name exactly one trial, and why."""

    watch: str
    term: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileWatches:
    """The watches of the settings file with the trials they name, and the unresolved terms.

    `away` is the error of a registry that could not be reached to look up a study id.
    """

    watches: tuple[NewWatch, ...]
    unresolved: tuple[UnresolvedTerm, ...]
    away: RegistryError | None = None


def resolve_file_watches(
    store: Store,
    registry: Registry,
    watches: Sequence[WatchSettings],
    *,
    rules: Mapping[str, float] = MappingProxyType({}),
    retry: bool = True,
) -> FileWatches:
    """Find the trials that the watches of the settings file name; write nothing.

    A study id is requested once: its trial is stored and used again, even while another trial has
    taken that trial over. A term that cannot be resolved does not affect the rest of its watch.
    After the registry cannot be reached, no other study id is requested; without `retry`, no failed
    search is repeated. A watch with its own thresholds takes those that it does not set from the
    common thresholds in `rules`.
    """
    known = {
        (watch.name, trial.asked_as): trial.nct_id
        for watch in store.watches.all()
        if watch.origin == "file"
        # merged trials come last and win: the term named them, not their successors
        for trial in (*watch.trials, *(one.trial for one in watch.merged))
        if trial.asked_as is not None and not is_nct_id(trial.asked_as)
    }
    unresolved: list[UnresolvedTerm] = []
    resolved: list[NewWatch] = []
    away: RegistryError | None = None
    for watch in watches:
        trials: dict[NctId, str | None] = {}
        for term in (*watch.trials, *watch.org_ids):
            try:
                nct_id = known.get((watch.name, term)) or _resolve_unless(
                    away, term, registry, retry=retry
                )
            except UsageError as error:
                unresolved.append(UnresolvedTerm(watch.name, term, str(error)))
            except RegistryError as error:
                unresolved.append(UnresolvedTerm(watch.name, term, _not_looked_up(term, error)))
                if not isinstance(error, RequestRefused):
                    away = error
            else:
                trials.setdefault(nct_id, None if term == nct_id else term)
        own = {**rules, **watch.own_rules} if watch.own_rules else {}
        resolved.append(NewWatch(watch.name, trials, rules=own, query=watch.query or None))
    return FileWatches(tuple(resolved), tuple(unresolved), away)


def _resolve_unless(
    away: RegistryError | None, term: str, registry: Registry, *, retry: bool
) -> NctId:
    if away is not None and not (is_nct_id(term) or is_url(term)):
        raise away
    return resolve(term, registry, retry=retry).nct_id


def _not_looked_up(term: str, error: RegistryError) -> str:
    return f"the study id {shorten(term, SHOWN_WIDTH)!r} could not be looked up: {error}"


def join_watches(stored: Sequence[Watch], found: FileWatches, *, at: datetime) -> list[Watch]:
    """Return the stored watches as `join_file_watches` would store them with `found`."""
    before = {watch.name: watch for watch in stored if watch.origin == "file"}
    return [
        *(watch for watch in stored if watch.origin != "file"),
        *(_as_stored(new, before.get(new.name), at) for new in found.watches),
    ]


def _as_stored(new: NewWatch, old: Watch | None, at: datetime) -> Watch:
    named = [WatchedTrial(nct_id, asked_as, at) for nct_id, asked_as in new.trials.items()]
    members = old.trials if old is not None and new.query is not None else ()
    brought = [one for one in members if one.by_query and one.nct_id not in new.trials]
    is_same = old is not None and old.query == new.query
    return Watch(
        name=new.name,
        origin="file",
        created=at if old is None else old.created,
        query=new.query,
        rules=new.rules,
        trials=(*named, *brought),
        listed=old.listed if old is not None and is_same else None,
    )


def join_file_watches(store: Store, found: FileWatches) -> None:
    """Copy the watches of the settings file into the store, in one transaction.

    A watch that is no longer in the file is removed; the stored data of its trials is kept.
    """
    with store.unit() as unit:
        unit.watches.replace_from_file(found.watches)
