"""The stored versions of a trial. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from ctsync.model import (
    STUDY_PAGE,
    Kind,
    Level,
    ListedVersion,
    NctId,
    Source,
    State,
    StoredEvent,
    Version,
)
from ctsync.questions.trial.stored_records import stored_versions
from ctsync.questions.trial.unfetched_versions import course_points, unfetched_note
from ctsync.record.value_text import counted
from ctsync.report.trial.course_points import CoursePoint
from ctsync.report.trial.version_words import is_substantive
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.history_versions import NONE, HistoryState
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One stored version of a trial, and what changed in it."""

    nct_id: NctId
    """The NCT id of the trial."""
    version: int
    """The number of the version in ctsync, from 1, in the order of the registry's own time."""
    registry_version: int | None
    """The registry's own number of the version, from 0; null if it is not known."""
    source: Source
    """Where ctsync saw the version."""
    state: State
    """Whether the registry had a record of the trial."""
    posted: str | None
    """The date on which the registry posted the version."""
    submitted: str | None
    """The date on which the sponsor submitted the version."""
    observed: datetime | None
    """The data refresh in which ctsync saw the version; null if it came from registry history."""
    fetched: datetime
    """The time at which ctsync fetched the version."""
    status: str | None
    """The overall status, in the registry's words: RECRUITING."""
    start_date: str | None
    """The start date, as exact as the registry gives it: 2018-10."""
    start_date_type: str | None
    """ESTIMATED or ACTUAL."""
    primary_completion_date: str | None
    """The primary completion date."""
    primary_completion_date_type: str | None
    """ESTIMATED or ACTUAL."""
    completion_date: str | None
    """The completion date."""
    completion_date_type: str | None
    """ESTIMATED or ACTUAL."""
    enrollment: int | None
    """The number of participants."""
    enrollment_type: str | None
    """ESTIMATED or ACTUAL."""
    level: Level | None
    """The worst level of the changes in this version; null if there are none."""
    kinds: tuple[Kind, ...]
    """What changed in this version, in the order of the list of kinds."""
    substantive: bool
    """True for the first version, and if a change in this version is not administrative."""
    digest: str | None
    """Identifies the content of the record; null if the version has no record."""
    url: str
    """The page of the version at the registry, or of the trial if its number is not known."""


def version_row(version: Version, step: Sequence[StoredEvent]) -> VersionRow:
    """The row of a version; `step` holds the events that led to it."""
    key = version.key
    # time alone may change a flag of a version, years later
    step = [stored for stored in step if stored.event.kind is not Kind.FLAG]
    url = STUDY_PAGE + version.nct_id
    if version.registry_version is not None:
        url += f"?tab=history&a={version.registry_version + 1}"
    return VersionRow(
        nct_id=version.nct_id,
        version=version.version,
        registry_version=version.registry_version,
        source=version.source,
        state=version.state,
        posted=version.posted,
        submitted=version.submitted,
        observed=version.observed,
        fetched=version.fetched,
        status=key.status,
        start_date=key.start_date,
        start_date_type=key.start_date_type,
        primary_completion_date=key.primary_completion_date,
        primary_completion_date_type=key.primary_completion_date_type,
        completion_date=key.completion_date,
        completion_date_type=key.completion_date_type,
        enrollment=key.enrollment,
        enrollment_type=key.enrollment_type,
        level=min((stored.event.level for stored in step), key=attrgetter("rank"), default=None),
        substantive=version.version == 1 or is_substantive(step),
        kinds=_kinds_in_order({stored.event.kind for stored in step}),
        digest=version.digest,
        url=url,
    )


def _kinds_in_order(found: Collection[Kind]) -> tuple[Kind, ...]:
    # not in the order of storage, which differs after a backfill in parts
    return tuple(kind for kind in Kind if kind in found)


def history_words(state: str) -> str:
    """Return how far the registry history of a trial was fetched, in words."""
    return "no versions" if state == NONE else state


@dataclass(frozen=True, slots=True)
class TrialVersions:
    """The stored versions of a trial, oldest first, and what led to each.

    `steps` has the events by the number of the version they led to. `history` says how much of
    the registry's own history is stored, None if it was never requested. `hidden` counts the
    versions that were left out because they have only administrative changes. `listed` are the
    versions that the registry lists and that are not fetched.
    """

    nct_id: NctId
    versions: tuple[Version, ...]
    steps: Mapping[int, Sequence[StoredEvent]]
    history: HistoryState | None
    hidden: int = 0
    listed: tuple[ListedVersion, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What is not among the rows, in sentences."""
        hidden = f"{counted(self.hidden, 'version')} with only administrative changes left out"
        missing = unfetched_note(self.nct_id, self.listed)
        return [*([hidden] if self.hidden else []), *([missing] if missing else [])]

    @property
    def points(self) -> tuple[CoursePoint, ...]:
        """The shown and the listed versions in the registry's order."""
        return course_points(self.versions, self.listed)

    @property
    def rows(self) -> tuple[VersionRow, ...]:
        """The versions as rows."""
        return tuple(version_row(one, self.steps.get(one.version, ())) for one in self.versions)


def trial_versions(store: Store, nct_id: NctId, *, substantive: bool = False) -> TrialVersions:
    """List the versions of a trial; raises UnknownTrial if none is stored and none is listed.

    With `substantive`, only the first version and those with a change that is not administrative.
    """
    listed = tuple(store.listed.unfetched(nct_id))
    versions = store.versions.of(nct_id) if listed else stored_versions(store, nct_id)
    steps: dict[int, list[StoredEvent]] = {}
    for stored in store.events.find(EventFilter(nct_ids=(nct_id,))):
        steps.setdefault(stored.to_version, []).append(stored)
    shown = [
        one
        for one in versions
        if not substantive or one.version == 1 or is_substantive(steps.get(one.version, ()))
    ]
    return TrialVersions(
        nct_id=nct_id,
        versions=tuple(shown),
        steps=steps,
        history=store.histories.states([nct_id]).get(nct_id),
        hidden=len(versions) - len(shown),
        listed=listed,
    )


SCHEMAS = {"version": VersionRow}
