"""The addresses of the API: each asks one question, with parameters named as its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ctsync.model import Category, JsonObject, Kind, Level
from ctsync.python import arguments
from ctsync.python.database import TrialDatabase
from ctsync.python.rows import Rows
from ctsync.questions.operation.runs import RunRow
from ctsync.questions.portfolio.find import FoundTrial
from ctsync.questions.portfolio.flags import TrialFlagRow
from ctsync.questions.portfolio.forecast import Expectation, ExpectedChangeRow
from ctsync.questions.portfolio.portfolio import PortfolioRow
from ctsync.questions.portfolio.portfolio_filter import PortfolioSort
from ctsync.questions.portfolio.watches import WatchRow
from ctsync.questions.results.registry_rows import ListedVersionRow
from ctsync.questions.trial.compare import FieldChangeRow
from ctsync.questions.trial.field_history import FieldValueRow
from ctsync.questions.trial.timeline import TrialTimelineRow
from ctsync.questions.trial.trial_status import TrialStatusRow, trial_status
from ctsync.questions.trial.versions import VersionRow
from ctsync.record.fields.lookup import values_of_field
from ctsync.record.flags import FlagId
from ctsync.report.rows.event_row import EventRow
from ctsync.web.api.address_parameters import (
    CURSOR,
    FIELDS,
    LIMIT,
    TEXT,
    Given,
    Parameter,
    ParameterType,
)
from ctsync.web.api.long_lists import changes_page, find_page, runs_page, trials_page
from ctsync.web.api.paging import Asked, OneAnswer, Page, page_of

ROOT = "/api/v1"
TRIAL = Parameter(
    "nct", "The NCT id of the trial.", schema={"type": "string", "pattern": "^NCT(?!0{8})[0-9]{8}$"}
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, and the question that it asks.

    `answer` returns a page of rows of the type `row_type`, or one answer if `is_list` is false.
    Without a row type, the answer is a record or a part of one. Unless `is_counted`, a list may
    have no total.
    """

    path: str
    summary: str
    row_type: type | None
    answer: Callable[[Asked], Page | OneAnswer]
    parameters: tuple[Parameter, ...] = ()
    is_list: bool = True
    is_counted: bool = True

    @property
    def query(self) -> tuple[Parameter, ...]:
        """All parameters behind the question mark."""
        of_rows = (FIELDS,) if self.row_type else ()
        return *self.parameters, *of_rows, *((LIMIT, CURSOR) if self.is_list else ())

    @property
    def of_trial(self) -> bool:
        """Whether the address names a trial."""
        return "{nct}" in self.path


def _schema(narrowed: JsonObject) -> JsonObject:
    return {"type": "string", **narrowed} if narrowed else TEXT


def _text(name: str, description: str, **schema: Any) -> Parameter:
    return Parameter(name, description, schema=_schema(schema))


def _flag(name: str, description: str) -> Parameter:
    schema: JsonObject = {"type": "boolean", "default": False}
    return Parameter(name, description, ParameterType.FLAG, schema)


def _list(name: str, description: str, **schema: Any) -> Parameter:
    return Parameter(name, description, ParameterType.LIST, _schema(schema))


def _words(name: str, description: str, known: type[StrEnum]) -> Parameter:
    return _list(name, description, enum=[word.value for word in known])


_AGES: JsonObject = {"type": "string", "pattern": "^([1-9][0-9]{0,3}[hdwm]|[1-9][0-9]{0,2}y)$"}
_DAY: JsonObject = {"type": "string", "format": "date"}
_NAMED = ["today", "yesterday", "last week", "all"]
_UNTIL: JsonObject = {"anyOf": [_DAY, _AGES, {"enum": _NAMED}]}
_SINCE: JsonObject = {"anyOf": [_DAY, _AGES, {"enum": _NAMED}]}
_SINCE_REPORT: JsonObject = {"anyOf": [_DAY, _AGES, {"enum": [*_NAMED, "last report"]}]}
_LEVELS = [level.value for level in Level]
_PHASES = ["EARLY_PHASE1", "PHASE1", "PHASE2", "PHASE3", "PHASE4", "NA"]
_VERSION: JsonObject = {
    "anyOf": [
        {"type": "string", "pattern": "^(-?[1-9][0-9]{0,4}|v[0-9]{1,5}|first|previous|last)$"},
        {"type": "string", "pattern": "^(?!0000)[0-9]{4}(-(0[1-9]|1[0-2]))?$"},
        _DAY,
    ]
}
_TRIALS = _list("nct", "Only these trials; may be repeated.", pattern="^NCT(?!0{8})[0-9]{8}$")
_WATCH = _text("watch", "Only trials of this watch.")
_CATEGORIES = _words("category", "Only this part of the record; may be repeated.", Category)


def _versions(database: TrialDatabase, given: Given) -> Rows[VersionRow]:
    return database.versions(given["nct"], substantive=given.get("substantive", False))


def _listed(database: TrialDatabase, given: Given) -> Rows[ListedVersionRow]:
    return database.listed_versions(given["nct"])


def _compared(database: TrialDatabase, given: Given) -> Rows[FieldChangeRow]:
    return database.compare(
        given["nct"],
        given.get("from"),
        given.get("to"),
        category=given.get("category", ()),
        level=given.get("level"),
    )


def _flagged(database: TrialDatabase, given: Given) -> Rows[TrialFlagRow]:
    return database.flags(
        *given.get("nct", ()),
        watch=given.get("watch"),
        flag=given.get("flag", ()),
        sponsor=given.get("sponsor"),
        since=given.get("since"),
        all=given.get("all", False),
    )


def _expected(database: TrialDatabase, given: Given) -> Rows[ExpectedChangeRow]:
    return database.forecast(
        within=given.get("within", "90d"), watch=given.get("watch"), what=given.get("what", ())
    )


def _record(asked: Asked) -> OneAnswer:
    given = asked.given
    found = asked.database.record(
        given["nct"], as_of=given.get("as_of"), version=given.get("version")
    )
    notes = [found.note] if found.note else []
    if "field" not in given:
        return OneAnswer(found.body, notes)
    values = values_of_field(found.body, given["field"])
    return OneAnswer(values if len(values) > 1 else next(iter(values.values())), notes)


def _status(asked: Asked) -> OneAnswer:
    trial = arguments.trial(asked.given["nct"])
    return OneAnswer(trial_status(asked.store, trial, today=asked.clock.now().date()))


def _timeline(asked: Asked) -> OneAnswer:
    return OneAnswer(asked.database.timeline(asked.given["nct"]))


def _watches(database: TrialDatabase, _given: Given) -> Rows[WatchRow]:
    return database.watches()


def _values(database: TrialDatabase, given: Given) -> Rows[FieldValueRow]:
    return database.field_history(given["nct"], given["field"])


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "/changes",
        "List stored changes, oldest day first.",
        EventRow,
        changes_page,
        (
            _TRIALS,
            Parameter("since", "Only changes from this day or age on.", schema=_SINCE_REPORT),
            Parameter("until", "Only changes up to this day or age.", schema=_UNTIL),
            _words("kind", "Only this kind of change; may be repeated.", Kind),
            _text("level", "Lowest level to list.", enum=_LEVELS),
            _CATEGORIES,
            _WATCH,
        ),
    ),
    Endpoint(
        "/trials",
        "List followed trials: milestones, slips, flags and last changes.",
        PortfolioRow,
        trials_page,
        (
            _list("watch", "Only trials of this watch; may be repeated."),
            _list("sponsor", "Only this lead sponsor; may be repeated."),
            _list("phase", "Only this phase; may be repeated.", enum=_PHASES),
            _list("status", "Only this status; may be repeated."),
            _list("condition", "Only this condition; may be repeated."),
            _list("country", "Only trials with sites in it; may be repeated."),
            _words("flag", "Only this flag; may be repeated.", FlagId),
            _words("level", "Only this level of the last change; may be repeated.", Level),
            _text("search", "Only trials with these words."),
            Parameter(
                "where",
                "A condition of `/find` that the newest version meets; may be repeated.",
                ParameterType.LIST,
            ),
            _text(
                "sort",
                "Sort by this column.",
                enum=[one.value for one in PortfolioSort],
                default=PortfolioSort.CHANGED.value,
            ),
            _flag("reverse", "Sort in the other direction."),
        ),
    ),
    Endpoint(
        "/trials/{nct}",
        "Show the newest version of a trial, its flags, and what will happen to it.",
        TrialStatusRow,
        _status,
        is_list=False,
    ),
    Endpoint(
        "/trials/{nct}/versions",
        "List the stored versions of a trial, and what each changed.",
        VersionRow,
        page_of(_versions),
        (_flag("substantive", "Leave out versions with only administrative changes."),),
    ),
    Endpoint(
        "/trials/{nct}/listed",
        "List the versions of a trial that the registry lists and that are not fetched.",
        ListedVersionRow,
        page_of(_listed),
    ),
    Endpoint(
        "/trials/{nct}/record",
        "Show the record of a trial: the newest, that of a day, or that of a version.",
        None,
        _record,
        (
            Parameter("as_of", "The record as it was at the end of this day.", schema=_DAY),
            Parameter(
                "version",
                "Version number; -1 is the newest.",
                ParameterType.NUMBER,
                {"type": "integer", "minimum": -999_999_999, "maximum": 999_999_999},
            ),
            _text("field", "Only this field: its label, its path, or the end of its path."),
        ),
        is_list=False,
    ),
    Endpoint(
        "/trials/{nct}/compare",
        "Compare two versions of a trial field by field; by default the last two.",
        FieldChangeRow,
        page_of(_compared),
        (
            Parameter(
                "from", "The older version: 3, -1 for the last, v2 or a day.", schema=_VERSION
            ),
            Parameter("to", "The newer version.", schema=_VERSION),
            _CATEGORIES,
            _text("level", "Lowest level to list.", enum=_LEVELS),
        ),
    ),
    Endpoint(
        "/trials/{nct}/fields",
        "List every value that a field of a trial had, since when and for how long.",
        FieldValueRow,
        page_of(_values),
        (Parameter("field", "The label or the path of the field, or its end.", is_required=True),),
    ),
    Endpoint(
        "/trials/{nct}/timeline",
        "Show the status, dates and enrollment of a trial over time.",
        TrialTimelineRow,
        _timeline,
        is_list=False,
    ),
    Endpoint(
        "/find",
        "Find trials by the values of their versions.",
        FoundTrial,
        find_page,
        (
            Parameter(
                "condition",
                "FIELD, an operator and a value, as in status=SUSPENDED; all must be met.",
                ParameterType.LIST,
                is_required=True,
            ),
            _flag("ever", "Search all versions, not only the newest."),
            Parameter("as_of", "Search the records as they were on this day.", schema=_DAY),
            _WATCH,
        ),
        is_counted=False,
    ),
    Endpoint(
        "/flags",
        "List facts about followed trials, such as results that are due.",
        TrialFlagRow,
        page_of(_flagged),
        (
            _TRIALS,
            _WATCH,
            _words("flag", "Only this flag; may be repeated.", FlagId),
            _text("sponsor", "Only trials with this text in the lead sponsor's name."),
            Parameter("since", "Only flags that became true on this day or later.", schema=_SINCE),
            _flag("all", "Also flags that are undecided or not known, and results posted."),
        ),
    ),
    Endpoint(
        "/forecast",
        "List trials that will become Unknown or get a flag by time, soonest first.",
        ExpectedChangeRow,
        page_of(_expected),
        (
            Parameter(
                "within",
                "Time span to look ahead.",
                schema={"anyOf": [_AGES, {"const": "all"}], "default": "90d"},
            ),
            _WATCH,
            _words("what", "Only this; may be repeated.", Expectation),
        ),
    ),
    Endpoint("/watches", "List the watches with their trials.", WatchRow, page_of(_watches)),
    Endpoint("/runs", "List the runs, newest first.", RunRow, runs_page),
)
"""Every address of the API, below ROOT."""
