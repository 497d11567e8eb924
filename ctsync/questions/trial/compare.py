"""Two versions of a trial compared field by field. Writes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ctsync.errors import UnknownVersion, UsageError
from ctsync.model import MISSING, FieldChange, NctId, Version
from ctsync.questions.trial.stored_records import pair_of, stored_versions
from ctsync.questions.trial.version_dates import find_version, version_on
from ctsync.record.compare.diff import diff
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class FieldChangeRow:
    """One field that differs between two versions of a record."""

    path: str
    """The place in the record; an item of a list is named in brackets."""
    field: str
    """The same place without the names of items."""
    added: bool
    """True if the older version has no such value."""
    removed: bool
    """True if the newer version has no such value."""
    before: Any
    """The value in the older version; null if it has none."""
    after: Any
    """The value in the newer version; null if it has none."""


def field_change_row(change: FieldChange) -> FieldChangeRow:
    """The row of a field change."""
    return FieldChangeRow(
        path=change.path,
        field=change.field,
        added=change.before is MISSING,
        removed=change.after is MISSING,
        before=change.before,
        after=change.after,
    )


@dataclass(frozen=True, slots=True)
class CompareQuestion:
    """Which two versions of a trial: numbers ("3", "-1") or days ("2020-01-01").

    Without them, the last two versions are compared.
    """

    nct_id: NctId
    older: str | None = None
    newer: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions, and the fields that differ, in the order of the record."""

    before: Version
    after: Version
    changes: tuple[FieldChange, ...]

    @property
    def rows(self) -> tuple[FieldChangeRow, ...]:
        """The fields that differ as rows."""
        return tuple(field_change_row(change) for change in self.changes)


def compare_versions(store: Store, question: CompareQuestion) -> Comparison:
    """Compare two stored versions.

    Raises UnknownTrial, UnknownVersion, CorruptBody, and UsageError for a text that is neither a
    number nor a day.
    """
    versions = stored_versions(store, question.nct_id)
    if question.older is None and len(versions) < 2:
        raise UnknownVersion(f"only one version of {question.nct_id} is stored: nothing to compare")
    before = _pick(versions, question.older or "-2")
    after = _pick(versions, question.newer or "-1")
    return Comparison(before, after, tuple(diff(*pair_of(store, before, after))))


def _pick(versions: Sequence[Version], text: str) -> Version:
    if re.fullmatch(r"-?\d{1,6}", text):
        return find_version(versions, int(text))
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a version number or a date (2020-01-01)") from None
    stood = version_on(versions, day)
    if not isinstance(stood, Version):
        raise UnknownVersion(f"no version of {versions[0].nct_id} is known to stand on {day}")
    return stood


SCHEMAS = {"field_change": FieldChangeRow}
