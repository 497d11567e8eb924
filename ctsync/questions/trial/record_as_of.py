"""A record now, on a day, or in a version. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ctsync.errors import UnknownVersion, UsageError
from ctsync.model import NctId, Record, Version
from ctsync.questions.trial.stored_records import record_of, stored_record, stored_versions
from ctsync.questions.trial.unfetched_versions import (
    course_points,
    record_note,
    since_version,
    unfetched_note,
)
from ctsync.questions.trial.version_dates import (
    NotKnown,
    NotRegistered,
    find_version,
    version_days,
    version_on,
)
from ctsync.report.trial.version_day import VersionDay
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class RecordQuestion:
    """The wanted record: of a day, of a version by its number, or the newest.

    A negative number counts back from the newest version, -1. With `as_stored`, texts are in the
    form of their source instead of the API's form.
    """

    nct_id: NctId
    as_of: date | None = None
    number: int | None = None
    as_stored: bool = False


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A version and its record; `versions` are all versions of the trial with a record.

    `note` says which versions are not fetched that may have replaced this one by the day asked
    for; empty if there is none.
    """

    version: Version
    record: Record
    versions: tuple[VersionDay, ...] = ()
    note: str = ""


def record_as_of(store: Store, question: RecordQuestion) -> VersionRecord:
    """Find the record.

    Raises UnknownTrial if no version of the trial is stored, UnknownVersion if the version does not
    exist or is not known for that day, and CorruptBody.
    """
    if question.as_of is not None and question.number is not None:
        raise UsageError("specify --as-of or --version, not both")
    versions = stored_versions(store, question.nct_id)
    version = _version(versions, question)
    read = stored_record if question.as_stored else record_of
    note = _note(store, versions, version, question.as_of)
    return VersionRecord(version, read(store, version), version_days(versions), note)


def _note(store: Store, versions: Sequence[Version], version: Version, day: date | None) -> str:
    listed = store.listed.unfetched(version.nct_id)
    if day is None:
        return unfetched_note(version.nct_id, listed)
    replaced = since_version(course_points(versions, listed), version, day)
    return record_note(version.nct_id, replaced, day)


def _version(versions: Sequence[Version], question: RecordQuestion) -> Version:
    nct_id, day = question.nct_id, question.as_of
    if day is None:
        return find_version(versions, -1 if question.number is None else question.number)
    match version_on(versions, day):
        case NotRegistered(first_posted):
            raise UnknownVersion(
                f"not registered yet: {nct_id} was first posted on {first_posted}, after {day}"
            )
        case NotKnown(since):
            raise UnknownVersion(
                f"not known: {nct_id} was registered by {day}, but the oldest stored version is "
                f"from {since}; to fetch earlier ones: ctsync backfill {nct_id}"
            )
        case version:
            return version
