"""Reads stored versions as records for display and comparison. Writes nothing.

A version is stored in the form of its source. All code that shows or compares records reads them
here, so that a difference in form is never reported as a difference in content.
"""

from __future__ import annotations

from ctsync.errors import UnknownTrial, UnknownVersion
from ctsync.model import NctId, Record, Version
from ctsync.record.compare.canonical import restore
from ctsync.record.history_form.normalize import align_forms, form_of, readable
from ctsync.store.store import Store


def stored_versions(store: Store, nct_id: NctId) -> list[Version]:
    """Return the versions of a trial, oldest first; raises UnknownTrial if there are none."""
    versions = store.versions.of(nct_id)
    if not versions:
        if listed := store.listed.unfetched_counts([nct_id]).get(nct_id):
            raise UnknownTrial(
                f"no version of {nct_id} is stored; the registry lists {listed:,}, see: ctsync "
                f"history {nct_id}; to fetch them: ctsync backfill {nct_id}"
            )
        raise UnknownTrial(
            f"no version of {nct_id} is stored; follow it: ctsync watch add {nct_id} --sync"
        )
    return versions


def stored_record(store: Store, version: Version) -> Record:
    """Return the record of a stored version in the form of its source.

    Raises UnknownVersion if it has no record, and CorruptBody if the record cannot be read.
    """
    if version.digest is None:
        raise UnknownVersion(
            f"version {version.version} of {version.nct_id} has no record: the trial is "
            f"{version.state}"
        )
    return restore(store.bodies.read(version.digest), version.digest)


def record_of(store: Store, version: Version) -> Record:
    """Return the record of a stored version with texts in the API's form.

    Raises UnknownVersion and CorruptBody.
    """
    return readable(stored_record(store, version), form_of(version.source))


def pair_of(store: Store, before: Version, after: Version) -> tuple[Record, Record]:
    """Return the records of two stored versions in a common form, ready to be compared.

    Raises UnknownVersion and CorruptBody.
    """
    return aligned(before, stored_record(store, before), after, stored_record(store, after))


def aligned(before: Version, old: Record, after: Version, new: Record) -> tuple[Record, Record]:
    """Return the stored records of two versions in a common form, ready to be compared."""
    return align_forms(old, form_of(before.source), new, form_of(after.source))
