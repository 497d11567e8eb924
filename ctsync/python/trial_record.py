"""A record of a trial, stored or fetched, as the Python API returns it. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ctsync.model import JsonObject, NctId
from ctsync.record.fields.lookup import values_of_field


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """The record of a trial in one version.

    `record["protocolSection"]` is a part of it, as the API of ClinicalTrials.gov has it.
    """

    nct_id: NctId
    """The NCT id of the trial."""
    version: int | None
    """The number of the stored version, from 1; None if it was fetched."""
    registry_version: int | None
    """The registry's own number of the version, from 0; None if it is not known."""
    posted: str | None
    """The date on which the registry posted the version."""
    fetched: datetime
    """The time at which ctsync fetched the record."""
    digest: str
    """Identifies the content of the record."""
    body: JsonObject = field(repr=False)
    """The record as JSON values; the texts are Markdown."""
    note: str = ""
    """Which versions the registry lists that are not fetched; empty if there is none."""

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    def value(self, field: str) -> Any:
        """Return the value of a field, named by its label or path: "overall status".

        A field in a list has several values: they are returned by their place. Raises UsageError
        if the record has no such field.
        """
        found = values_of_field(self.body, field)
        return found if len(found) > 1 else next(iter(found.values()))
