"""The vocabulary every room shares: frozen values, no I/O, no behaviour beyond their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from ctsync.errors import BadNctId, CtsyncError

JsonObject = dict[str, Any]

NctId = NewType("NctId", str)
"""A trial's identity in canonical form, NCT and eight digits; made by `parse_nct_id` only."""

_NCT_ID = re.compile(r"nct0*([1-9]\d{0,7})\Z", re.IGNORECASE | re.ASCII)
STUDY_PAGE = "https://clinicaltrials.gov/study/"


def parse_nct_id(text: str) -> NctId:
    """Read an NCT id in any form the registry takes (nct3389919, NCT03389919).

    The shape is the registry's own (OpenAPI 2.0.5). Raises BadNctId.
    """
    found = _NCT_ID.match(text.strip())
    if found is None:
        raise BadNctId(f"{text!r} is not an NCT id: write NCT and eight digits, as in NCT03389919")
    return NctId(f"NCT{int(found.group(1)):08d}")


class Level(StrEnum):
    """How much a change matters, from worst to least."""

    CRITICAL = "critical"
    NOTABLE = "notable"
    ROUTINE = "routine"
    ADMINISTRATIVE = "administrative"

    @property
    def rank(self) -> int:
        """0 for the worst; for sorting."""
        return _RANKS[self]

    def reaches(self, minimum: Level) -> bool:
        """Whether this level is at least as bad as `minimum`."""
        return self.rank <= minimum.rank


_RANKS = {level: rank for rank, level in enumerate(Level)}


class Category(StrEnum):
    """What part of a record a path belongs to; decides what is told, never what is kept."""

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
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What sort of event it is."""

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


class Source(StrEnum):
    """Where a version was seen."""

    LIVE = "live"
    HISTORY = "history"
    BOTH = "both"


# --- what the registry answers -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """One study as the registry showed it.

    `asked_as` differs from `nct_id` where an alias was asked for. `study` is the parsed JSON
    as received, key order kept. `data_timestamp` is the load it was seen in; `fetched_at` is
    our clock.
    """

    nct_id: NctId
    asked_as: NctId
    study: JsonObject
    fetched_at: datetime
    data_timestamp: datetime


@dataclass(frozen=True, slots=True)
class Absent:
    """The registry said, naming the id, that there is no such study."""

    nct_id: NctId
    said: str
    fetched_at: datetime
    data_timestamp: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """The trial could not be checked; `raw` holds what came instead, where anything did."""

    nct_id: NctId
    error: CtsyncError | ValueError
    raw: bytes = b""


Answer = Observation | Absent | Failed
"""What asking for one trial gives; an Observation whose ids differ is a moved trial."""


@dataclass(frozen=True, slots=True)
class RegistryVersion:
    """The registry's /version: its API version and the load it shows."""

    api_version: str
    data_timestamp: datetime


# --- records and their differences -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A study in canonical form.

    `canonical` is its one byte form, `digest` names those bytes and the canonical form's
    version ("1:<sha256 hex>"), `body` is the same content as objects and is never changed.
    """

    nct_id: NctId
    body: JsonObject = field(repr=False)
    canonical: bytes = field(repr=False)
    digest: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record made ready elsewhere, without its objects: what deciding and storing need of it.

    `keyframe` is its canonical form packed alone, `key` its key fields; both are None where the
    digest is the one it was said to have. `unknown` are paths that nobody declared, where they
    were looked for; `mark` names the bytes it was made from.
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
    """The few fields that plain SQL and "since first registered" are answered from.

    Dates are registry text ("2026-10"), None where the record has none; `posted` is
    lastUpdatePostDate, `submitted` lastUpdateSubmitDate.
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
"""A key of an object; an item of a list is named by "[its key]" or by its index."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One difference between two records.

    `path` is dotted, with a list item in brackets by its key
    ("protocolSection.contactsLocationsModule.locations[Site | City | Country].status"), quoted
    so that remote text cannot forge a path; `field` is the same without any item
    ("protocolSection.contactsLocationsModule.locations.status") and is what the field table
    is asked for. `steps` is the exact address, by which a change can be applied. A value
    that is not there is MISSING, which is not the JSON null.
    """

    path: str
    field: str
    steps: tuple[PathStep, ...]
    before: Any
    after: Any
    item: str | None = None


class _Missing:
    """The value of what is not there; one of its kind, false, and not the JSON null."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Write MISSING."""
        return "MISSING"

    def __bool__(self) -> bool:
        """Say false."""
        return False


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Event:
    """One change in words a person reads, with the rule that levelled it.

    Identity within a step from one snapshot to the next is `path`, never the value. `before`
    and `after` are JSON values; for a list they are the items removed and added. `days` is
    signed, later is positive; `percent` likewise. The `_since_first` figures compare with the
    first version known. `inputs` are the facts the rule table looked at, so that a level can
    be found again under other thresholds without the records. `covers` are the paths of the
    field changes it tells of; it is not stored, and does not count when events are compared.
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


# --- what is stored ----------------------------------------------------------------------------


class State(StrEnum):
    """What a stored version says of its trial."""

    PRESENT = "present"
    GONE = "gone"
    MOVED = "moved"


class Verdict(StrEnum):
    """How a run ended; RUNNING that is never followed by another word was cut off."""

    RUNNING = "running"
    OK = "ok"
    PARTIAL = "partial"
    MIXED = "mixed"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest stored version of a trial, as far as deciding needs it.

    `absent_since` is the load in which the registry first said there is no such trial, while
    that still waits to be confirmed by another load. `source` says whether it was seen live.
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

    `version` counts from 1 in the order of the registry's own time; `registry_version` is the
    registry's 0-based number, None where it is not known. `digest` is None for a version that
    says the trial was gone. `posted` and `submitted` are registry dates, `observed` is the
    load it was seen in, `fetched` is our clock. `run_id` is the run that stored it, None for one
    that was imported.
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
class StoredEvent:
    """An event with its place in a trial's history; `happened` is what it is ordered by."""

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

    @property
    def url(self) -> str:
        """The trial's page at the registry."""
        return STUDY_PAGE + self.nct_id


def compare_url(nct_id: NctId, older: int, newer: int) -> str:
    """The registry's page that compares two versions, from its own 0-based numbers.

    The page counts from 1.
    """
    return f"{STUDY_PAGE}{nct_id}?tab=history&a={older + 1}&b={newer + 1}#version-content-panel"
