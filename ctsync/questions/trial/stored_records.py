"""Stored versions read as records that people and comparisons can use; writes nothing.

A version is stored as its source gave it. Whatever shows a record, or compares two, reads them
here and nowhere else, so that a difference of form never passes for a difference of content.
"""

from __future__ import annotations

from ctsync.errors import UnknownTrial, UnknownVersion
from ctsync.model import NctId, Record, Version
from ctsync.record.compare.canonical import restore
from ctsync.record.history_form.normalize import align_forms, form_of, readable
from ctsync.store.store import Store


def stored_versions(store: Store, nct_id: NctId) -> list[Version]:
    """The versions of a trial, oldest first; raises UnknownTrial if there are none."""
    versions = store.versions.of(nct_id)
    if not versions:
        raise UnknownTrial(
            f"no version of {nct_id} is stored; follow it: ctsync watch add {nct_id} --sync"
        )
    return versions


def stored_record(store: Store, version: Version) -> Record:
    """The record of a stored version in the form its source gave it.

    Raises UnknownVersion where it has none, CorruptBody where it cannot be read.
    """
    if version.digest is None:
        raise UnknownVersion(
            f"version {version.version} of {version.nct_id} has no record: the trial is "
            f"{version.state}"
        )
    return restore(store.bodies.read(version.digest), version.digest)


def record_of(store: Store, version: Version) -> Record:
    """The record of a stored version, its texts as the API shows them; raises as above."""
    return readable(stored_record(store, version), form_of(version.source))


def pair_of(store: Store, before: Version, after: Version) -> tuple[Record, Record]:
    """The records of two stored versions, ready to be compared with each other; raises as above."""
    return aligned(before, stored_record(store, before), after, stored_record(store, after))


def aligned(before: Version, old: Record, after: Version, new: Record) -> tuple[Record, Record]:
    """Two records as they are stored of these versions, ready to be compared."""
    return align_forms(old, form_of(before.source), new, form_of(after.source))
