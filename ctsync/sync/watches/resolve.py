"""What is watched: terms resolved to trials, and the watches of file and command line joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from ctsync.config.settings import WatchSettings
from ctsync.errors import (
    AmbiguousOrgId,
    RegistryError,
    RequestRefused,
    UnmatchedOrgId,
    UsageError,
)
from ctsync.model import NctId, parse_nct_id
from ctsync.registry.api import Registry
from ctsync.store.data.watches import NewWatch, Watch, WatchedTrial
from ctsync.store.store import Store
from ctsync.text import shorten

SHOWN_MATCHES = 10
SHOWN_WIDTH = 80


@dataclass(frozen=True, slots=True)
class ResolvedTerm:
    """A term as it was written, and the one trial it names.

    `asked_as` is the term where it is a study id, None where it is the trial's own id.
    """

    term: str
    nct_id: NctId

    asked_as: str | None = None


def resolve(term: str, registry: Registry) -> ResolvedTerm:
    """Find the one trial that `term` names.

    An NCT id is taken at its word, without a request. Anything else is looked for among the
    organisations' study ids, and must match exactly one trial: UnmatchedOrgId, AmbiguousOrgId.
    What looks like an NCT id gone wrong is BadNctId, and is not asked for.
    """
    text = term.strip()
    if not text:
        raise UsageError("an empty term names no trial")
    if is_nct_id(text):
        return ResolvedTerm(text, parse_nct_id(text))
    matches = registry.find_org_id(text)
    if not matches and "=" in text:
        raise UnmatchedOrgId(
            f"no trial carries the study id {shorten(text, SHOWN_WIDTH)!r}; if it is part of a "
            "query, write --query before each KEY=VALUE"
        )
    if not matches:
        raise UnmatchedOrgId(
            f"no trial carries the study id {shorten(text, SHOWN_WIDTH)!r}: "
            "it must be the sponsor's own id in full, as the record shows it; or give the NCT id"
        )
    if len(matches) > 1:
        shown = ", ".join(matches[:SHOWN_MATCHES])
        more = len(matches) - SHOWN_MATCHES
        rest = f" and {more} more" if more > 0 else ""
        raise AmbiguousOrgId(
            f"{len(matches)} trials carry the study id {shorten(text, SHOWN_WIDTH)!r}: "
            f"{shown}{rest}; give the NCT id"
        )
    return ResolvedTerm(text, matches[0], asked_as=text)


def is_nct_id(term: str) -> bool:
    """Whether a term is meant for an NCT id, be it one gone wrong."""
    return term[:3].upper() == "NCT" and term[3:4].isdigit()


def resolve_all(terms: Iterable[str], registry: Registry) -> list[ResolvedTerm]:
    """Resolve every term, or raise one error that lists all that could not be.

    The error is of the class of the first problem; a registry that cannot be asked ends it.
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
    """A term of a watch in the settings file that names no one trial, and why."""

    watch: str
    term: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileWatches:
    """The watches of the settings file with the trials they name, and what names none."""

    watches: tuple[NewWatch, ...]
    unresolved: tuple[UnresolvedTerm, ...]


def resolve_file_watches(
    store: Store,
    registry: Registry,
    watches: Sequence[WatchSettings],
    *,
    rules: Mapping[str, float] = MappingProxyType({}),
) -> FileWatches:
    """Find the trials that the watches of the settings file name; writes nothing.

    A study id is asked for once: what it was found to name is remembered, and so is where a
    moved trial went. A term that cannot be resolved, or asked for, leaves the rest of its watch
    in force; a registry that cannot be reached is not asked again. A watch with thresholds of
    its own has those of `rules`, which are for all, where it sets none.
    """
    known = {
        (watch.name, trial.asked_as): trial.nct_id
        for watch in store.watches.all()
        if watch.origin == "file"
        for trial in watch.trials
    }
    unresolved: list[UnresolvedTerm] = []
    join_watches: list[NewWatch] = []
    away: RegistryError | None = None
    for watch in watches:
        trials: dict[NctId, str | None] = {}
        for term in (*watch.trials, *watch.org_ids):
            try:
                nct_id = known.get((watch.name, term)) or _resolve_unless(away, term, registry)
            except (UsageError, RegistryError) as reason:
                unresolved.append(UnresolvedTerm(watch.name, term, str(reason)))
                if isinstance(reason, RegistryError) and not isinstance(reason, RequestRefused):
                    away = reason
            else:
                trials.setdefault(nct_id, None if term == nct_id else term)
        own = {**rules, **watch.rules} if watch.rules else {}
        join_watches.append(NewWatch(watch.name, trials, rules=own, query=watch.query or None))
    return FileWatches(tuple(join_watches), tuple(unresolved))


def _resolve_unless(away: RegistryError | None, term: str, registry: Registry) -> NctId:
    if away is not None and not is_nct_id(term):
        raise away
    return resolve(term, registry).nct_id


def join_watches(stored: Sequence[Watch], found: FileWatches, *, at: datetime) -> list[Watch]:
    """The stored watches as they would be once `join_file_watches` had brought `found` in."""
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
    """Bring the watches of the settings file into the store, in one unit.

    A watch no longer in the file ends; what was stored of its trials stays.
    """
    with store.unit() as unit:
        unit.watches.replace_from_file(found.watches)
