"""The JSON Schemas of the answers to all questions, by name; pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ctsync.errors import UsageError
from ctsync.model import JsonObject
from ctsync.questions.changes.relevel import RelevelledRow
from ctsync.questions.changes.rules import RuleRow, RuleTableRow
from ctsync.questions.operation.runs import RunRow
from ctsync.questions.operation.status import StatusRow
from ctsync.questions.portfolio.find import FoundTrial
from ctsync.questions.portfolio.unknown_forecast import ExpectedUnknownRow
from ctsync.questions.portfolio.watches import WatchRow
from ctsync.questions.trial.compare import FieldChangeRow
from ctsync.questions.trial.field_history import FieldValueRow
from ctsync.questions.trial.timeline import TrialTimelineRow
from ctsync.questions.trial.versions import VersionRow
from ctsync.report.row_json import schema_of
from ctsync.report.rows import EventRow, ReportRow
from ctsync.text import nearest

ROW_TYPES: Mapping[str, type] = MappingProxyType(
    {
        "change": EventRow,
        "version": VersionRow,
        "field_change": FieldChangeRow,
        "field_value": FieldValueRow,
        "timeline": TrialTimelineRow,
        "found_trial": FoundTrial,
        "expected_unknown": ExpectedUnknownRow,
        "watch": WatchRow,
        "rule": RuleRow,
        "rule_table": RuleTableRow,
        "relevelled_change": RelevelledRow,
        "run": RunRow,
        "status": StatusRow,
        "report": ReportRow,
    }
)
"""The row type of each answer, or of each item of an answer that is a list."""

SCHEMA_VERSION = 1
"""Increases if a key of any row changes its meaning or goes."""


def names() -> tuple[str, ...]:
    """The names of all schemas."""
    return tuple(ROW_TYPES)


def schema_id(name: str) -> str:
    """The identifier of a schema, as documents name it; raises UsageError for an unknown name."""
    if name not in ROW_TYPES:
        raise UsageError(f"there is no schema {name!r}; {nearest(name, ROW_TYPES)}")
    return f"urn:ctsync:schema:{name}:{SCHEMA_VERSION}"


def schema(name: str) -> JsonObject:
    """The JSON Schema of one row; raises UsageError for an unknown name."""
    identifier = schema_id(name)
    found = schema_of(ROW_TYPES[name])
    return {"$schema": found["$schema"], "$id": identifier, **found}
