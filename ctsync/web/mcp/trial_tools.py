"""The tools about one trial: its versions, records, differences, field values and timeline."""

from __future__ import annotations

from ctsync.errors import UsageError
from ctsync.model import Category, Level
from ctsync.pasted_url import versions_of
from ctsync.questions.changes.rules import thresholds_in_force
from ctsync.questions.trial.compare import (
    CompareQuestion,
    FieldChangeRow,
    compare_versions,
    comparison_rows,
)
from ctsync.questions.trial.field_history import FieldValueRow, field_history
from ctsync.questions.trial.record_as_of import RecordQuestion, record_as_of
from ctsync.questions.trial.stored_records import stored_versions
from ctsync.questions.trial.timeline import TrialTimelineRow, timeline_row, trial_timeline
from ctsync.questions.trial.versions import TrialVersions, VersionRow, trial_versions
from ctsync.record.fields.lookup import values_of_field
from ctsync.report.comparison.comparison import ChangeSelection
from ctsync.store.data.history_versions import NONE
from ctsync.web.mcp.record_pieces import RecordPiece, divided, pieces_of
from ctsync.web.mcp.tool import FactKey, McpTool, ToolCall, ToolRows, page_of
from ctsync.web.mcp.tool_arguments import ParameterForm, ToolParameter

NCT = ToolParameter(
    "nct",
    ParameterForm.TEXT,
    "The trial: its NCT id, as NCT03389919, or the URL of its page at ClinicalTrials.gov.",
    is_required=True,
)
LEVEL = ToolParameter("level", ParameterForm.TEXT, "The lowest level to list.", words=tuple(Level))
CATEGORY = ToolParameter(
    "category", ParameterForm.TEXTS, "Only these parts of the record.", words=tuple(Category)
)


def _versions(call: ToolCall) -> ToolRows:
    nct_id = call.arguments.trial()
    found = trial_versions(call.store, nct_id, substantive=call.arguments.flag("substantive"))

    def fact(row: VersionRow) -> FactKey:
        return FactKey(nct_id, row.version, row.version - 1 or None)

    total = len(found.versions)
    return page_of(found.rows, call, fact, total=total, notes=_notes_of(found))


def _notes_of(found: TrialVersions) -> list[str]:
    notes = found.notes
    is_known = found.history is not None and found.history.state in {"complete", NONE}
    if not is_known and not found.listed:
        notes.append(
            "the registry may have earlier versions that are not stored; to fetch them: "
            f"ctsync backfill {found.nct_id}"
        )
    return notes


def _record_as_of(call: ToolCall) -> ToolRows:
    given = call.arguments
    found = record_as_of(
        call.store, RecordQuestion(given.trial(), given.day("as_of"), given.number("version"))
    )
    field = given.text("field")
    if field is None:
        pieces = pieces_of(found.record.body)
    else:
        values = values_of_field(found.record.body, field)
        pieces = (piece for path, value in values.items() for piece in divided(path, value))
    key = FactKey(found.version.nct_id, found.version.version)
    return page_of(pieces, call, lambda _: key, notes=[found.note] if found.note else [])


def _compare(call: ToolCall) -> ToolRows:
    given = call.arguments
    older, newer = given.text("older"), given.text("newer")
    if newer is not None and older is None:
        raise UsageError("newer needs older: name both versions, or none to compare the last two")
    question = CompareQuestion(
        given.trial(),
        older,
        newer,
        versions_of(given.text("nct") or ""),
        thresholds_in_force(call.settings),
    )
    lowest = given.word("level", Level) or Level.ADMINISTRATIVE
    selection = ChangeSelection(lowest, given.words("category", Category), is_full=False)
    found = compare_versions(call.store, question)
    rows = comparison_rows(found, selection)
    key = FactKey(question.nct_id, found.after.version, found.before.version)
    notes = [f"compares version {found.before.version} with version {found.after.version}"]
    if found.note:
        notes.append(found.note)
    return page_of(rows, call, lambda _: key, total=len(rows), notes=notes)


def _field_history(call: ToolCall) -> ToolRows:
    nct_id = call.arguments.trial()
    versions = stored_versions(call.store, nct_id)
    name = call.arguments.text("field") or ""
    found = field_history(call.store, versions, name, until=call.now)
    rows = found.rows

    def fact(row: FieldValueRow) -> FactKey:
        if row.from_version is None:
            return FactKey(nct_id)
        return FactKey(nct_id, row.from_version, row.from_version - 1 or None)

    notes = [found.note] if found.note else []
    return page_of(rows, call, fact, total=len(rows), notes=notes)


def _timeline(call: ToolCall) -> ToolRows:
    nct_id = call.arguments.trial()
    stored_versions(call.store, nct_id)  # raises if there are none
    row = timeline_row(trial_timeline(call.store, nct_id, until=call.now))
    return page_of([row], call, lambda _: FactKey(nct_id), total=1)


TRIAL_TOOLS = (
    McpTool(
        "versions",
        "Versions of a trial",
        "Lists the stored versions of a trial, oldest first: status, dates, enrollment and what "
        "each version changed, with its worst level.",
        (
            NCT,
            ToolParameter(
                "substantive",
                ParameterForm.FLAG,
                "Leave out versions with only administrative changes.",
            ),
        ),
        VersionRow,
        _versions,
    ),
    McpTool(
        "record_as_of",
        "Record of a trial",
        "Shows the record of a trial as it is now, as it was on a day, or in a version. Each row "
        "is a part of the record with its path. A record can be long: name a field to get only "
        "that field.",
        (
            NCT,
            ToolParameter(
                "as_of",
                ParameterForm.TEXT,
                "The record as it was at the end of this day, as 2026-03-13.",
            ),
            ToolParameter(
                "version",
                ParameterForm.NUMBER,
                "The record of this version: 1 is the oldest, -1 the newest.",
            ),
            ToolParameter(
                "field",
                ParameterForm.TEXT,
                'Only one field: its label, as "overall status", its path, or the end of its path.',
            ),
        ),
        RecordPiece,
        _record_as_of,
        limit=200,
    ),
    McpTool(
        "compare",
        "Comparison of two versions",
        "Compares two versions of a trial field by field, in the order of the record. Without "
        "versions, it compares the last two.",
        (
            NCT,
            ToolParameter(
                "older",
                ParameterForm.VERSION,
                "The older version: a number (3, or -1 for the last), the registry's number (v2), "
                "or a day (2020-01-01).",
            ),
            ToolParameter(
                "newer",
                ParameterForm.VERSION,
                "The newer version, in the same forms. Default: the last version.",
            ),
            CATEGORY,
            LEVEL,
        ),
        FieldChangeRow,
        _compare,
    ),
    McpTool(
        "field_history",
        "Values of a field over time",
        "Lists every value that a field of a trial had, oldest first, since when and for how long.",
        (
            NCT,
            ToolParameter(
                "field",
                ParameterForm.TEXT,
                'The field: its label, as "primary completion", its path, or the end of its path.',
                is_required=True,
            ),
        ),
        FieldValueRow,
        _field_history,
    ),
    McpTool(
        "timeline",
        "Timeline of a trial",
        "Shows the statuses, dates and enrollment of a trial over time, in one row.",
        (NCT,),
        TrialTimelineRow,
        _timeline,
        limit=1,
    ),
)
