"""All values that a field of a trial has had. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ctsync.errors import UsageError
from ctsync.model import MISSING, ListedVersion, Record, State, Version
from ctsync.questions.trial.stored_records import aligned, stored_record
from ctsync.questions.trial.unfetched_versions import course_points, field_note
from ctsync.record.fields.lookup import find_path, value_at
from ctsync.record.history_form.normalize import form_of, may_lack, readable
from ctsync.report.trial.field_history import Unshown, ValueSpell, course_of
from ctsync.store.store import Store

_STATUS = "protocolSection.statusModule.overallStatus"


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
    from_version: int | None
    """The first stored version with the value; null if it was only in listed versions."""
    to_version: int | None
    """The last stored version with the value; null if it was only in listed versions."""
    listed: tuple[int, ...]
    """The registry's numbers, from 0, of versions with the value that are not fetched."""
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
        listed=spell.listed,
        since=spell.since,
        until=None if spell.is_open else spell.until,
        days=spell.days,
    )


@dataclass(frozen=True, slots=True)
class FieldHistory:
    """The path of a field, and every value it had in the stored versions, oldest first.

    `note` says what is not known because versions are not fetched; empty if all is known.
    """

    path: str
    spells: tuple[ValueSpell, ...]
    note: str = ""

    @property
    def rows(self) -> tuple[FieldValueRow, ...]:
        """The values as rows."""
        return tuple(field_value_row(self.path, spell) for spell in self.spells)


def field_history(
    store: Store, versions: Sequence[Version], name: str, *, until: datetime
) -> FieldHistory:
    """Find every value that a field had in a trial's versions.

    `name` is a path, the end of a path, or a label. A path that the field table does not declare is
    also accepted if a version has it. The overall status of a version that is only listed is known
    too. Raises UsageError as `find_path` does, and CorruptBody.
    """
    try:
        path = find_path(name)
    except UsageError:
        known = _values(store, versions, name)
        if all(value is MISSING or isinstance(value, Unshown) for value in known):
            raise
        path = name
    nct_id = versions[-1].nct_id
    listed = store.listed.unfetched(nct_id)
    is_listed = path == _STATUS
    points = course_points(versions, listed if is_listed else ())
    values = _values(store, versions, path)
    pairs = (
        (point, point.status if isinstance(point.what, ListedVersion) else next(values))
        for point in points
    )
    spells = tuple(course_of(pairs, until=until.date()))
    return FieldHistory(path, spells, field_note(nct_id, listed, path, has_values=is_listed))


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
