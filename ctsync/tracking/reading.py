"""Stored versions read as records that people and comparisons can use; writes nothing.

A version is stored as its source gave it. Whatever shows a record, or compares two, reads them
here and nowhere else, so that a difference of form never passes for a difference of content.
"""

from __future__ import annotations

from ctsync.errors import UnknownVersion
from ctsync.model import Record, Version
from ctsync.record.canonical import restore
from ctsync.store.store import Store


def record_of(store: Store, version: Version) -> Record:
    """The record of a stored version, its texts in the form that the API shows.

    Raises UnknownVersion where it has none, CorruptBody where it cannot be read.
    """
    if version.digest is None:
        raise UnknownVersion(
            f"version {version.version} of {version.nct_id} has no record: it says the trial is "
            f"{version.state}"
        )
    return restore(store.body(version.digest), version.digest)


def pair_of(store: Store, before: Version, after: Version) -> tuple[Record, Record]:
    """The records of two stored versions, ready to be compared with each other.

    Raises as `record_of` does.
    """
    return record_of(store, before), record_of(store, after)
