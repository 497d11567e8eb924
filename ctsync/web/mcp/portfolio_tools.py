"""The tools about many trials: changes, conditions, the portfolio, flags and forecasts."""

from __future__ import annotations

from ctsync.model import Category, Kind, Level, StoredEvent
from ctsync.questions.changes.changes import newest_changes
from ctsync.questions.changes.filters import last_report_end, parse_phase, require_sponsor
from ctsync.questions.parameters import BEGINNING
from ctsync.questions.portfolio.base_rates import rates_in_use
from ctsync.questions.portfolio.find import (
    FindQuestion,
    FoundTrial,
    find_trials,
    search_notes,
)
from ctsync.questions.portfolio.flags import FlagQuestion, TrialFlagRow, find_flags
from ctsync.questions.portfolio.forecast import (
    Expectation,
    ExpectedChangeRow,
    expected_change_row,
    forecast_changes,
)
from ctsync.questions.portfolio.portfolio import PortfolioRow, portfolio_question
from ctsync.questions.portfolio.portfolio_filter import PortfolioFacet, PortfolioSort
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.flags import FlagId
from ctsync.record.rules.conditions import TERMS, read_condition
from ctsync.report.rows.event_row import EventRow, event_row
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.web.kept_answers import KeptAnswer
from ctsync.web.mcp.tool import FactKey, McpTool, ToolCall, ToolRows, page_of, page_of_answer
from ctsync.web.mcp.tool_arguments import ParameterForm, ToolParameter, version_cursor
from ctsync.web.mcp.trial_tools import CATEGORY, LEVEL

FORECAST = "90d"
_TRIALS = ToolParameter(
    "nct",
    ParameterForm.TEXTS,
    "Only these trials: NCT ids, or URLs of their pages at ClinicalTrials.gov.",
)
_WATCH = ToolParameter("watch", ParameterForm.TEXT, "Only trials of this watch, by its name.")
_FLAG = ToolParameter("flag", ParameterForm.TEXTS, "Only these flags.", words=tuple(FlagId))


def _changes(call: ToolCall) -> ToolRows:
    given, store = call.arguments, call.store
    watch = given.text("watch")
    require_watch(store, watch)
    is_last_report = given.is_last_report("since")
    wanted = EventFilter(
        nct_ids=given.trials(),
        since=last_report_end(store, call.now) if is_last_report else given.moment("since"),
        until=given.moment("until", end_of_day=True),
        kinds=given.words("kind", Kind),
        minimum_level=given.word("level", Level),
        categories=given.words("category", Category),
        watch=watch,
    )
    after = given.after()
    found = newest_changes(store, wanted, after=after, limit=call.limit + 1)
    shown = found[: call.limit]
    rates = rates_in_use(store) if call.settings.reports.context else None
    is_last = len(found) == len(shown)
    return ToolRows(
        rows=[event_row(one, rates) for one in shown],
        facts=[_fact_of(one) for one in shown],
        cursors=[str(one.event_id) for one in shown],
        is_last=is_last,
        total=len(shown) if is_last and after is None else None,
    )


def _fact_of(stored: StoredEvent) -> FactKey:
    is_step = stored.from_version != stored.to_version
    return FactKey(stored.nct_id, stored.to_version, stored.from_version if is_step else None)


def _find(call: ToolCall) -> ToolRows:
    given = call.arguments
    wanted = given.each("conditions", read_condition)
    watch = given.text("watch")
    require_watch(call.store, watch)
    ever, as_of = given.flag("ever"), given.day("as_of")
    question = FindQuestion(wanted, ever, as_of, watch, after=given.version())
    found = find_trials(call.store, question, today=call.today)
    notes = search_notes(call.store, question)

    def fact(row: FoundTrial) -> FactKey:
        return FactKey(row.nct_id, row.to_version)

    def place(row: FoundTrial) -> str:
        return version_cursor(row.nct_id, row.from_version)

    return page_of(found, call, fact, notes=notes, cursor=place)


def _portfolio(call: ToolCall) -> ToolRows:
    given = call.arguments
    question = portfolio_question(
        {
            PortfolioFacet.WATCH: given.texts("watch"),
            PortfolioFacet.SPONSOR: given.texts("sponsor"),
            PortfolioFacet.PHASE: given.each("phase", parse_phase),
            PortfolioFacet.STATUS: given.texts("status"),
            PortfolioFacet.CONDITION: given.texts("condition"),
            PortfolioFacet.COUNTRY: given.texts("country"),
            PortfolioFacet.FLAG: given.words("flag", FlagId),
            PortfolioFacet.LEVEL: given.words("level", Level),
        },
        given.text("search") or "",
        where=given.texts("where"),
        sort=given.word("sort", PortfolioSort) or PortfolioSort.CHANGED,
        reverse=given.flag("reverse"),
        limit=call.limit,
        after=given.trial("cursor") if given.text("cursor") else None,
    )
    found = call.portfolio(question)
    return ToolRows(
        rows=found.rows,
        facts=[FactKey(row.nct_id) for row in found.rows],
        cursors=[row.nct_id for row in found.rows],
        is_last=found.next_after is None,
        total=found.total,
        notes=(f"{found.followed:,} trials are followed; days and flags as of {found.as_of}",),
    )


def _flags(call: ToolCall) -> ToolRows:
    given = call.arguments
    start, watch, sponsor = given.moment("since"), given.text("watch"), given.text("sponsor")
    question = FlagQuestion(
        given.trials(),
        watch,
        given.words("flag", FlagId),
        sponsor,
        None if start is None or start <= BEGINNING else start.date(),
        given.flag("all"),
    )
    require_watch(call.store, watch)
    if sponsor is not None:
        require_sponsor(call.store, sponsor, {}, TrialSelection(tuple(question.ids), watch))

    def computed() -> KeptAnswer:
        found = find_flags(call.store, question, today=call.today)
        notes = [f"computed for {found.as_of}, for {found.trials:,} trials"]
        notes += [
            f"the record of {one} cannot be read; see: ctsync check" for one in found.unreadable
        ]
        return KeptAnswer(found.rows, notes)

    return page_of_answer(call.answer(question, computed), call, lambda row: FactKey(row.nct_id))


def _forecast(call: ToolCall) -> ToolRows:
    given = call.arguments
    watch, what = given.text("watch"), given.words("what", Expectation)
    within = given.span("within", FORECAST)
    require_watch(call.store, watch)

    def computed() -> KeptAnswer:
        found = forecast_changes(call.store, call.today, within=within, watch=watch, what=what)
        notes = [f"{found.later:,} more will later: within=all"] if found.later else []
        return KeptAnswer([expected_change_row(one, call.today) for one in found.expected], notes)

    asked = "forecast", within, watch, what
    return page_of_answer(call.answer(asked, computed), call, lambda row: FactKey(row.nct_id))


CHANGES = McpTool(
    "changes",
    "Changes",
    "Lists what changed in trials, newest first: each change with its level, the rule that gave "
    "the level, the values before and after, and a sentence.",
    (
        _TRIALS,
        ToolParameter(
            "since",
            ParameterForm.TEXT,
            'Only from then on: a day (2026-03-13), an age (7d, 2w, 6m), "yesterday", '
            '"last week", "last report".',
        ),
        ToolParameter("until", ParameterForm.TEXT, "Only up to then, in the same forms."),
        ToolParameter(
            "kind", ParameterForm.TEXTS, "Only these kinds of change.", words=tuple(Kind)
        ),
        LEVEL,
        CATEGORY,
        _WATCH,
    ),
    EventRow,
    _changes,
)

FIND = McpTool(
    "find",
    "Trials that meet conditions",
    "Finds stored trials by the values of their newest versions, of all versions (ever), or of "
    "the versions of a day (as_of), in order of their ids.",
    (
        ToolParameter(
            "conditions",
            ParameterForm.TEXTS,
            "All must be met. Each is FIELD, an operator (= != < <= > >=, ~ contains, !~) and a "
            "value: status=SUSPENDED|WITHDRAWN, enrollment>100, primary_completion<2020, "
            "sponsor~novartis, why_stopped!=none, has_results=yes. Fields: "
            f"{', '.join(one.name for one in TERMS)}.",
            is_required=True,
        ),
        ToolParameter("ever", ParameterForm.FLAG, "Search all versions, not only the newest."),
        ToolParameter(
            "as_of",
            ParameterForm.TEXT,
            "Search the records as they were at the end of this day, as 2026-03-13.",
        ),
        _WATCH,
    ),
    FoundTrial,
    _find,
)

PORTFOLIO = McpTool(
    "portfolio",
    "Followed trials",
    "Lists the followed trials: status, next milestone, slip of the primary completion since "
    "registration, enrollment, flags and last change.",
    (
        ToolParameter("watch", ParameterForm.TEXTS, "Only trials of these watches."),
        ToolParameter("sponsor", ParameterForm.TEXTS, "Only these lead sponsors, by full name."),
        ToolParameter("phase", ParameterForm.TEXTS, "Only these phases: 2, PHASE2, NA."),
        ToolParameter("status", ParameterForm.TEXTS, "Only these statuses, as RECRUITING."),
        ToolParameter("condition", ParameterForm.TEXTS, "Only these conditions."),
        ToolParameter("country", ParameterForm.TEXTS, "Only trials with sites in these countries."),
        _FLAG,
        ToolParameter(
            "level",
            ParameterForm.TEXTS,
            "Only these levels of the last change.",
            words=tuple(Level),
        ),
        ToolParameter(
            "search",
            ParameterForm.TEXT,
            "Only trials with these words in id, title, sponsor, conditions or interventions.",
        ),
        ToolParameter(
            "where",
            ParameterForm.TEXTS,
            "Only trials whose newest version meets all of these, written as the conditions of "
            "find: intervention~pembrolizumab, enrollment>100.",
        ),
        ToolParameter(
            "sort",
            ParameterForm.TEXT,
            "Sort by this column.",
            words=tuple(PortfolioSort),
            default=PortfolioSort.CHANGED.value,
        ),
        ToolParameter("reverse", ParameterForm.FLAG, "Sort in the other direction."),
    ),
    PortfolioRow,
    _portfolio,
    limit=25,
)

FLAGS = McpTool(
    "flags",
    "Flags of trials",
    "Lists facts about records on the day of the newest registry data, by published rules: "
    "results due or overdue, verification stale, open past completion, registered late. A flag "
    "is a fact about a record, not a judgement of a trial.",
    (
        _TRIALS,
        _WATCH,
        _FLAG,
        ToolParameter(
            "sponsor", ParameterForm.TEXT, "Only trials with this text in the lead sponsor's name."
        ),
        ToolParameter(
            "since",
            ParameterForm.TEXT,
            "Only flags that became true on this day or later: a day, or an age such as 30d.",
        ),
        ToolParameter(
            "all",
            ParameterForm.FLAG,
            "Also flags that are undecided or not known, and results due that are posted.",
        ),
    ),
    TrialFlagRow,
    _flags,
)

FORECASTS = McpTool(
    "forecast",
    "Expected changes",
    "Lists followed trials that will become UNKNOWN or get a flag if nobody updates their "
    "records, soonest first.",
    (
        ToolParameter(
            "within",
            ParameterForm.TEXT,
            "The time span to look ahead: 30d, 12w, 6m, 1y, or all.",
            default=FORECAST,
        ),
        _WATCH,
        ToolParameter("what", ParameterForm.TEXTS, "Only these changes.", words=tuple(Expectation)),
    ),
    ExpectedChangeRow,
    _forecast,
)
