"""All values that a field of a trial has had. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ctsync.errors import UsageError
from ctsync.model import MISSING, Record, State, Version
from ctsync.questions.trial.stored_records import aligned, stored_record
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.fields.lookup import find_path, value_at
from ctsync.record.history_form.normalize import form_of, may_lack, readable
from ctsync.report.trial.field_history import Unshown, ValueSpell, course_of
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class FieldValueRow:
    """A value that a field had, since when and for how long."""

    path: str
    """The place of the field in the record."""
    value: Any
    """The value; null if there was none, or if the source does not contain the field."""
    carried: bool
    """False if the source of these versions does not contain the field: its value is unknown."""
    state: State
    """Whether the registry had a record of the trial."""
    from_version: int
    """The first version with the value."""
    to_version: int
    """The last version with the value."""
    since: date
    """The first day of the value."""
    until: date | None
    """The first day of the next value; null if the value is still current."""
    days: int
    """Number of days that the value was current, up to today if it still is."""


def field_value_row(path: str, spell: ValueSpell) -> FieldValueRow:
    """The row of one value of the field at `path`."""
    is_carried = not isinstance(spell.value, Unshown)
    return FieldValueRow(
        path=path,
        value=spell.value if is_carried else MISSING,
        carried=is_carried,
        state=spell.state,
        from_version=spell.from_version,
        to_version=spell.to_version,
        since=spell.since,
        until=None if spell.is_open else spell.until,
        days=spell.days,
    )


@dataclass(frozen=True, slots=True)
class FieldHistory:
    """The path of a field, and every value it had in the stored versions, oldest first."""

    path: str
    spells: tuple[ValueSpell, ...]

    @property
    def rows(self) -> tuple[FieldValueRow, ...]:
        """The values as rows."""
        return tuple(field_value_row(self.path, spell) for spell in self.spells)


def field_history(
    store: Store, versions: Sequence[Version], name: str, *, until: datetime
) -> FieldHistory:
    """Find every value that a field had in a trial's versions.

    `name` is a path, the end of a path, or a label. A path that the field table does not declare is
    also accepted if a version has it. Raises UsageError as `find_path` does, and CorruptBody.
    """
    try:
        path = find_path(name)
    except UsageError:
        values = _values(store, versions, name)
        if all(value is MISSING or isinstance(value, Unshown) for value in values):
            raise
        path = name
    pairs = zip(versions, _values(store, versions, path), strict=True)
    return FieldHistory(path, tuple(course_of(pairs, stands_from(versions), until=until.date())))


def _values(store: Store, versions: Sequence[Version], path: str) -> Iterator[Any]:
    """Yield each version's value at a path. If only its form differs, repeat the earlier value.

    Holds two records at a time.
    """
    before: tuple[Version, Record, Any] | None = None
    for version in versions:
        if version.digest is None:
            yield MISSING
            continue
        record = stored_record(store, version)
        form = form_of(version.source)
        value = value_at(readable(record, form).body, path)
        if value is MISSING and may_lack(form, path):
            yield Unshown.NOT_CARRIED
            continue
        if before is not None and form_of(before[0].source) is not form:
            old, new = aligned(before[0], before[1], version, record)
            is_known = value is not MISSING and before[2] is not MISSING
            if is_known and value_at(old.body, path) == value_at(new.body, path):
                value = before[2]
        before = (version, record, value)
        yield value


SCHEMAS = {"field_value": FieldValueRow}
