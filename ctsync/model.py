"""Shared frozen values: trials, records, versions, events, and their enumerations. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from ctsync.errors import CtsyncError

JsonObject = dict[str, Any]

NctId = NewType("NctId", str)
"""A trial's id in canonical form: NCT and eight digits. `nct_id.parse_nct_id` creates it."""

STUDY_PAGE = "https://clinicaltrials.gov/study/"


class Level(StrEnum):
    """The severity of a change, worst first."""

    CRITICAL = "critical"
    NOTABLE = "notable"
    ROUTINE = "routine"
    ADMINISTRATIVE = "administrative"

    @property
    def rank(self) -> int:
        """Sort key: 0 for CRITICAL."""
        return _RANKS[self]

    def reaches(self, minimum: Level) -> bool:
        """Return whether this level is `minimum` or more severe."""
        return self.rank <= minimum.rank


_RANKS = {level: rank for rank, level in enumerate(Level)}


class Category(StrEnum):
    """The part of a record that a path belongs to. Affects what is reported, not what is stored."""

    STATUS = "status"
    DATES = "dates"
    ENROLLMENT = "enrollment"
    OUTCOMES = "outcomes"
    ELIGIBILITY = "eligibility"
    DESIGN = "design"
    ARMS = "arms"
    SPONSOR = "sponsor"
    SITES = "sites"
    CONTACTS = "contacts"
    RESULTS = "results"
    RESULTS_QC = "results-qc"
    DOCUMENTS = "documents"
    REFERENCES = "references"
    DESCRIPTION = "description"
    IDENTIFICATION = "identification"
    OVERSIGHT = "oversight"
    IPD = "ipd"
    BOOKKEEPING = "bookkeeping"
    GEO = "geo"
    DERIVED = "derived"
    FLAGS = "flags"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """The kind of an event."""

    FIRST_SEEN = "first_seen"
    REGISTERED = "registered"
    STATUS = "status"
    WHY_STOPPED = "why_stopped"
    START_DATE = "start_date"
    PRIMARY_COMPLETION_DATE = "primary_completion_date"
    COMPLETION_DATE = "completion_date"
    ENROLLMENT = "enrollment"
    OUTCOME = "outcome"
    ELIGIBILITY = "eligibility"
    DESIGN = "design"
    ARM = "arm"
    SPONSOR = "sponsor"
    SITE = "site"
    RESULTS = "results"
    DOCUMENT = "document"
    TEXT = "text"
    CONTACT = "contact"
    BOOKKEEPING = "bookkeeping"
    REFERENCE = "reference"
    DERIVED = "derived"
    OTHER = "other"
    GONE = "gone"
    RETURNED = "returned"
    MOVED = "moved"
    ENTERED = "entered"
    LEFT = "left"
    FLAG = "flag"


class Source(StrEnum):
    """Where a version was seen: in the live registry, in its record history, or in both."""

    LIVE = "live"
    HISTORY = "history"
    BOTH = "both"


# --- registry answers ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """One study as the registry returned it.

    `asked_as` is the requested id; it differs from `nct_id` if that was an alias. `study` is the
    parsed JSON with its key order. `data_timestamp` is the load it comes from; `fetched_at` is
    the time on our clock.
    """

    nct_id: NctId
    asked_as: NctId
    study: JsonObject
    fetched_at: datetime
    data_timestamp: datetime


@dataclass(frozen=True, slots=True)
class Absent:
    """The registry answered, naming the id, that the study does not exist."""

    nct_id: NctId
    said: str
    fetched_at: datetime
    data_timestamp: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """The trial could not be checked. `raw` holds the unusable answer, if there was one."""

    nct_id: NctId
    error: CtsyncError | ValueError
    raw: bytes = b""


Answer = Observation | Absent | Failed
"""The answer for one trial. An Observation whose two ids differ is a moved trial."""


@dataclass(frozen=True, slots=True)
class RegistryVersion:
    """The registry's /version: API version and current load."""

    api_version: str
    data_timestamp: datetime


# --- records and their differences -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A study in canonical form.

    `canonical` holds its canonical bytes. `digest` identifies the bytes and the version of the
    canonical form ("1:<sha256 hex>"). `body` is the same content as objects; never modify it.
    """

    nct_id: NctId
    body: JsonObject = field(repr=False)
    canonical: bytes = field(repr=False)
    digest: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record prepared by another process: the values needed to compare and store it.

    `keyframe` is the canonical form, compressed on its own; `key` are the key fields. Both are
    None if the digest equals the expected one. `unknown` are the undeclared paths, if they were
    searched for. `mark` identifies the bytes from which the record was made.
    """

    nct_id: NctId
    digest: str
    raw_size: int
    keyframe: bytes | None = field(default=None, repr=False)
    key: KeyFields | None = None
    unknown: tuple[str, ...] = ()
    mark: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeyFields:
    """The few fields stored as SQL columns, also used for moves since first registration.

    Dates are registry text ("2026-10"). Missing values are None. `posted` is lastUpdatePostDate,
    `submitted` is lastUpdateSubmitDate.
    """

    status: str | None = None
    last_known_status: str | None = None
    why_stopped: str | None = None
    start_date: str | None = None
    start_date_type: str | None = None
    primary_completion_date: str | None = None
    primary_completion_date_type: str | None = None
    completion_date: str | None = None
    completion_date_type: str | None = None
    enrollment: int | None = None
    enrollment_type: str | None = None
    phases: str | None = None
    study_type: str | None = None
    lead_sponsor: str | None = None
    org_study_id: str | None = None
    brief_title: str | None = None
    verified: str | None = None
    first_submitted: str | None = None
    first_posted: str | None = None
    submitted: str | None = None
    posted: str | None = None
    results_first_posted: str | None = None
    has_results: bool = False


PathStep = str | int
"""A key of an object, or for an item of a list "[its key]" or its index."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One difference between two records.

    `path` is dotted, with the key of a list item in brackets
    ("protocolSection.contactsLocationsModule.locations[Site | City | Country].status"). The key
    is quoted, so that remote text cannot forge a path. `field` is the path without list items
    ("protocolSection.contactsLocationsModule.locations.status"), as in the field table. `steps`
    is the exact address, with which a change can be applied. `before` or `after` is MISSING if
    there is no value; JSON null is None.
    """

    path: str
    field: str
    steps: tuple[PathStep, ...]
    before: Any
    after: Any
    item: str | None = None


class _Missing:
    """Type of MISSING, which stands for an absent value. Falsy, and different from JSON null."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return "MISSING"."""
        return "MISSING"

    def __bool__(self) -> bool:
        """Return False."""
        return False


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Event:
    """One reported change, with a readable summary and the rule that set its level.

    Within a version step, `path` identifies an event, never its value. `before` and `after` are
    JSON values; for a list they are the items removed and added. `days` is signed, and later is
    positive; `percent` is signed too. The `_since_first` figures compare with the first known
    version. `inputs` are the facts that the rule table uses, so that the level under other
    thresholds can be derived without the records. `covers` are the paths of the field changes
    that the event reports; it is not stored and not compared.
    """

    kind: Kind
    category: Category
    level: Level
    rule: str
    path: str
    label: str
    summary: str
    before: Any = None
    after: Any = None
    before_type: str | None = None
    after_type: str | None = None
    days: int | None = None
    days_since_first: int | None = None
    percent: float | None = None
    percent_since_first: float | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    covers: tuple[str, ...] = field(default=(), compare=False, repr=False)


# --- stored values -----------------------------------------------------------------------------


class State(StrEnum):
    """Whether a stored version shows the trial as present, gone, or moved into another."""

    PRESENT = "present"
    GONE = "gone"
    MOVED = "moved"


class Verdict(StrEnum):
    """The result of a run. A run that stays RUNNING was interrupted."""

    RUNNING = "running"
    OK = "ok"
    PARTIAL = "partial"
    MIXED = "mixed"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest stored version of a trial, with the values that a sync compares.

    `absent_since` is the load in which the registry first reported the trial as absent, until
    another load confirms it. `source` says whether the version was seen live.
    """

    nct_id: NctId
    snapshot_id: int
    version: int
    digest: str | None
    state: State
    absent_since: datetime | None = None
    moved_to: NctId | None = None
    source: Source = Source.LIVE


@dataclass(frozen=True, slots=True)
class Version:
    """One stored version of a trial, without its body.

    `version` counts from 1, in the order of the registry's own time. `registry_version` is the
    registry's 0-based number, None if unknown. `digest` is None for a version that records the
    trial as gone. `posted` and `submitted` are registry dates, `observed` is the load it was
    seen in, `fetched` is the time on our clock. `run_id` is the run that stored it, None for an
    imported version.
    """

    snapshot_id: int
    nct_id: NctId
    version: int
    registry_version: int | None
    source: Source
    state: State
    digest: str | None
    posted: str | None
    submitted: str | None
    observed: datetime | None
    fetched: datetime
    key: KeyFields
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """A version in the registry's index of a trial. It has no record, so it is not a Version.

    `number` counts from 0. `submitted` is the day on which it passed the registry's first check,
    some days before it was posted. `modules` are the labels of the modules that it changed.
    """

    nct_id: NctId
    number: int
    submitted: str
    status: str
    modules: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in a trial's history. `happened` is its sort key.

    `rules_version` is the version of the rules, and of the wording, with which it was stored.
    `lead_sponsor` is that of the version with the change, or of the one before if it has no record.
    `unfetched` counts the versions between both that the registry lists and that are not fetched.
    """

    event_id: int
    nct_id: NctId
    brief_title: str | None
    event: Event
    from_version: int | None
    to_version: int
    from_registry_version: int | None
    to_registry_version: int | None
    posted: str | None
    observed: datetime | None
    fetched: datetime
    run_id: int | None
    happened: datetime | None = None
    rules_version: int | None = None
    lead_sponsor: str | None = None
    unfetched: int = 0

    @property
    def url(self) -> str:
        """The URL of the trial's page at the registry."""
        return STUDY_PAGE + self.nct_id


def compare_url(nct_id: NctId, older: int, newer: int) -> str:
    """Return the URL of the registry's page that compares two versions.

    `older` and `newer` are the registry's 0-based numbers; the URL counts from 1.
    """
    return f"{STUDY_PAGE}{nct_id}?tab=history&a={older + 1}&b={newer + 1}#version-content-panel"
