# ruff: noqa: PLC0415 - see below
"""A database opened for reading, with one method per question. Writes nothing.

Each method imports its question. A program asks few of them, and importing them all took a tenth
of the time of a first `ctsync.open().portfolio().df()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ctsync.dates import Clock
from ctsync.model import Category, Kind, Level
from ctsync.pasted_url import versions_of
from ctsync.python import arguments
from ctsync.python.arguments import When, Words
from ctsync.python.rows import Rows
from ctsync.questions.changes.filters import (
    LAST_REPORT,
    last_report_end,
    parse_phase,
    parse_word,
    require_sponsor,
)
from ctsync.questions.parameters import BEGINNING
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store

if TYPE_CHECKING:
    from ctsync.python.trial_record import TrialRecord
    from ctsync.python.trial_timeline import TrialTimeline
    from ctsync.questions.operation.runs import RunRow
    from ctsync.questions.portfolio.find import FoundTrial
    from ctsync.questions.portfolio.flags import TrialFlagRow
    from ctsync.questions.portfolio.forecast import ExpectedChangeRow
    from ctsync.questions.portfolio.portfolio import PortfolioRow
    from ctsync.questions.portfolio.watches import WatchRow
    from ctsync.questions.results.registry_rows import ListedVersionRow
    from ctsync.questions.trial.compare import FieldChangeRow
    from ctsync.questions.trial.field_history import FieldValueRow
    from ctsync.questions.trial.versions import VersionRow
    from ctsync.record.rules.rules import Thresholds
    from ctsync.report.rows.event_row import EventRow


class TrialDatabase:
    """A database opened for reading; `ctsync.open` returns it.

    Each method asks the question of the command of the same name. Its parameters are named as the
    options of that command, and its rows are those that the command writes with `--json`. A trial
    is named by its NCT id in any spelling, or by the URL of its page. A day is a `date` or text
    such as 2026-03-13. Wrong parameters raise UsageError, with the message of the command line.
    """

    def __init__(
        self, store: Store, *, context: bool, thresholds: Callable[[], Thresholds], clock: Clock
    ) -> None:
        self._store = store
        self._context = context
        self._thresholds = thresholds
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ctsync.TrialDatabase {self._store.name}>"

    def close(self) -> None:
        """Close every connection."""
        self._store.close()

    def changes(
        self,
        *trials: str,
        since: When | None = None,
        until: When | None = None,
        kind: Words = (),
        level: str | None = None,
        category: Words = (),
        watch: str | None = None,
        limit: int | None = None,
    ) -> Rows[EventRow]:
        """List stored changes, oldest day first.

        The trials are those named, or all. `since` and `until` may also be an age ("7d"),
        "yesterday", "last week", and for `since` "last report". `level` is the lowest level to
        list. `limit` keeps the newest changes.

            >>> db.changes("NCT01352702", kind="status", level="notable")
            <Rows: 2 of EventRow>
        """
        from ctsync.questions.changes.changes import find_changes
        from ctsync.questions.portfolio.base_rates import rates_in_use
        from ctsync.questions.portfolio.watches import require_watch
        from ctsync.report.rows.event_row import EventRow, event_row
        from ctsync.store.data.event_filter import EventFilter

        require_watch(self._store, watch)
        wanted = EventFilter(
            nct_ids=arguments.trials(trials),
            since=self._since(since),
            until=self._moment(until, end_of_day=True),
            kinds=tuple(arguments.words(kind, Kind)),
            minimum_level=parse_word(level, Level) if level else None,
            categories=tuple(arguments.words(category, Category)),
            watch=watch,
            limit=arguments.limit(limit),
        )
        found = find_changes(self._store, wanted)
        rates = rates_in_use(self._store) if self._context else None
        shown = len(found.events)
        notes = [f"the newest {shown:,} of {found.total:,} changes"] if found.total > shown else []
        return Rows(EventRow, [event_row(one, rates) for one in found.events], notes=notes)

    def versions(self, nct: str, *, substantive: bool = False) -> Rows[VersionRow]:
        """List the stored versions of a trial, oldest first, and what each changed.

        `substantive` leaves out versions with only administrative changes.

            >>> [row.status for row in db.versions("nct03693833", substantive=True)]
            ['RECRUITING', 'SUSPENDED', 'RECRUITING']
        """
        from ctsync.questions.trial.versions import VersionRow, trial_versions

        found = trial_versions(self._store, arguments.trial(nct), substantive=substantive)
        return Rows(VersionRow, found.rows, notes=found.notes)

    def listed_versions(self, nct: str) -> Rows[ListedVersionRow]:
        """List the versions of a trial that the registry lists and that are not fetched.

        They have no record. `ctsync backfill --index-only` stores them.
        """
        from ctsync.questions.results.registry_rows import ListedVersionRow
        from ctsync.questions.trial.unfetched_versions import unfetched_versions

        return Rows(ListedVersionRow, unfetched_versions(self._store, arguments.trial(nct)))

    def record(
        self, nct: str, *, as_of: date | str | None = None, version: int | None = None
    ) -> TrialRecord:
        """Return the record of a trial: the newest, that of a day, or that of a version.

        A negative version counts back from the newest, -1. Raises UnknownVersion if the record is
        not known for that day.

            >>> db.record("NCT03693833", as_of="2020-04-01").value("overall status")
            'SUSPENDED'
        """
        from ctsync.python.trial_record import TrialRecord
        from ctsync.questions.trial.record_as_of import RecordQuestion, record_as_of

        day = None if as_of is None else arguments.day(as_of)
        found = record_as_of(self._store, RecordQuestion(arguments.trial(nct), day, version))
        return TrialRecord(
            nct_id=found.version.nct_id,
            version=found.version.version,
            registry_version=found.version.registry_version,
            posted=found.version.posted,
            fetched=found.version.fetched,
            digest=found.version.digest or "",
            body=found.record.body,
            note=found.note,
        )

    def compare(
        self,
        nct: str,
        older: int | date | str | None = None,
        newer: int | date | str | None = None,
        *,
        category: Words = (),
        level: str | None = None,
    ) -> Rows[FieldChangeRow]:
        """Compare two versions of a trial field by field; without them, the last two.

        A version is a number (3, or -1 for the last), the registry's number ("v2") or a day. `nct`
        may be the URL of a compare page at ClinicalTrials.gov.

            >>> [row.label for row in db.compare("NCT03693833", 1, 2, category="status")]
            ['Overall Status', 'Why Stopped']
        """
        from ctsync.questions.trial.compare import (
            CompareQuestion,
            FieldChangeRow,
            compare_versions,
            comparison_rows,
        )
        from ctsync.report.comparison.comparison import ChangeSelection

        question = CompareQuestion(
            arguments.trial(nct),
            None if older is None else str(older),
            None if newer is None else str(newer),
            versions_of(nct),
            self._thresholds(),
        )
        lowest = parse_word(level, Level) if level else Level.ADMINISTRATIVE
        selection = ChangeSelection(
            lowest, tuple(arguments.words(category, Category)), is_full=False
        )
        found = compare_versions(self._store, question)
        notes = [found.note] if found.note else []
        return Rows(FieldChangeRow, comparison_rows(found, selection), notes=notes)

    def field_history(self, nct: str, field: str) -> Rows[FieldValueRow]:
        """List every value that a field of a trial had, since when and for how long.

        `field` is its label ("primary completion"), its path, or the end of its path. A field with
        parts, such as a date and its type, has an object as its value.

            >>> [row.value for row in db.field_history("NCT03693833", "overall status")]
            ['RECRUITING', 'SUSPENDED', 'RECRUITING']
        """
        from ctsync.questions.trial.field_history import FieldValueRow, field_history
        from ctsync.questions.trial.stored_records import stored_versions

        versions = stored_versions(self._store, arguments.trial(nct))
        found = field_history(self._store, versions, field, until=self._clock.now())
        return Rows(FieldValueRow, found.rows, notes=[found.note] if found.note else [])

    def find(
        self,
        *conditions: str,
        ever: bool = False,
        as_of: date | str | None = None,
        watch: str | None = None,
        limit: int | None = None,
    ) -> Rows[FoundTrial]:
        """Find trials by the values of their versions; `ctsync find --help` lists the fields.

        All conditions must be met. `ever` searches all versions, not only the newest; `as_of`
        searches the records as they were at the end of that day. Without a text index (`ctsync db
        index-text`), a condition such as "condition~lung cancer" is compared with each record.
        `limit` keeps the first results, in order of the trials' ids; a note has their total.

            >>> [(row.nct_id, row.days) for row in db.find("status=SUSPENDED", ever=True)]
            [('NCT02025543', 294), ('NCT03693833', 91), ('NCT04161976', 44)]
        """
        from ctsync.questions.portfolio.find import (
            FindQuestion,
            FoundTrial,
            first_results,
            search_notes,
        )
        from ctsync.questions.portfolio.watches import require_watch
        from ctsync.record.rules.conditions import read_condition

        wanted = [read_condition(text) for text in conditions]
        require_watch(self._store, watch)
        day = None if as_of is None else arguments.day(as_of)
        question, most = FindQuestion(wanted, ever, day, watch), arguments.limit(limit)
        found, total = first_results(self._store, question, today=self._today(), limit=most)
        notes = search_notes(self._store, question)
        if total > len(found):
            notes.append(f"the first {len(found):,} of {total:,} results")
        return Rows(FoundTrial, found, notes=notes)

    def flags(
        self,
        *trials: str,
        watch: str | None = None,
        flag: Words = (),
        sponsor: str | None = None,
        since: When | None = None,
        all: bool = False,  # noqa: A002 - named as the option
    ) -> Rows[TrialFlagRow]:
        """List facts about followed trials, such as results that are due.

        They are facts about a record on the day of the newest registry data. `all` adds flags that
        are undecided or not known, and results due that are posted.
        """
        from ctsync.questions.portfolio.flags import FlagQuestion, TrialFlagRow, find_flags
        from ctsync.questions.portfolio.watches import require_watch
        from ctsync.record.flags import FlagId

        start = self._moment(since)
        question = FlagQuestion(
            arguments.trials(trials),
            watch,
            arguments.words(flag, FlagId),
            sponsor,
            None if start is None or start <= BEGINNING else start.date(),
            all,
        )
        require_watch(self._store, watch)
        if sponsor is not None:
            require_sponsor(self._store, sponsor, {}, TrialSelection(tuple(question.ids), watch))
        found = find_flags(self._store, question, today=self._today())
        notes = [
            f"the record of {nct_id} cannot be read; see: ctsync check"
            for nct_id in found.unreadable
        ]
        return Rows(TrialFlagRow, found.rows, notes=notes)

    def portfolio(
        self,
        *,
        watch: Words = (),
        sponsor: Words = (),
        phase: Words = (),
        status: Words = (),
        condition: Words = (),
        country: Words = (),
        flag: Words = (),
        level: Words = (),
        search: str = "",
        where: Words = (),
        sort: str = "changed",
        reverse: bool = False,
    ) -> Rows[PortfolioRow]:
        """List the followed trials: milestones, slips, flags and last changes.

        Days and flags are computed for the day of the newest registry data. `where` are conditions
        of `find` that the newest version of a trial meets.
        """
        from ctsync.questions.portfolio.portfolio import (
            PortfolioRow,
            find_portfolio,
            portfolio_question,
        )
        from ctsync.questions.portfolio.portfolio_filter import PortfolioFacet, PortfolioSort
        from ctsync.record.flags import FlagId

        chosen: Mapping[PortfolioFacet, Sequence[str]] = {
            PortfolioFacet.WATCH: arguments.texts(watch),
            PortfolioFacet.SPONSOR: arguments.texts(sponsor),
            PortfolioFacet.PHASE: [parse_phase(one) for one in arguments.texts(phase)],
            PortfolioFacet.STATUS: arguments.texts(status),
            PortfolioFacet.CONDITION: arguments.texts(condition),
            PortfolioFacet.COUNTRY: arguments.texts(country),
            PortfolioFacet.FLAG: arguments.words(flag, FlagId),
            PortfolioFacet.LEVEL: arguments.words(level, Level),
        }
        order = parse_word(sort, PortfolioSort)
        question = portfolio_question(
            chosen, search, where=arguments.texts(where), sort=order, reverse=reverse
        )
        found = find_portfolio(self._store, question, today=self._today())
        return Rows(PortfolioRow, found.rows)

    def forecast(
        self,
        *,
        within: timedelta | str | None = "90d",
        watch: str | None = None,
        what: Words = (),
    ) -> Rows[ExpectedChangeRow]:
        """List followed trials that will become UNKNOWN or get a flag by time, soonest first.

        `within` is the time span to look ahead; None means all.
        """
        from ctsync.questions.portfolio.forecast import (
            Expectation,
            ExpectedChangeRow,
            expected_change_row,
            forecast_changes,
        )
        from ctsync.questions.portfolio.watches import require_watch

        today = self._today()
        require_watch(self._store, watch)
        found = forecast_changes(
            self._store,
            today,
            within=arguments.span(within),
            watch=watch,
            what=arguments.words(what, Expectation),
        )
        rows = [expected_change_row(one, today) for one in found.expected]
        notes = [f"{found.later:,} more will later"] if found.later else []
        return Rows(ExpectedChangeRow, rows, notes=notes)

    def timeline(self, nct: str) -> TrialTimeline:
        """Return the status, dates and enrollment of a trial over time.

        Its `df()`, `pl()` and `arrow()` have one row per value.

        >>> [(spell.status, spell.days) for spell in db.timeline("NCT03693833").spells][1]
        ('SUSPENDED', 91)
        """
        from ctsync.python.trial_timeline import TrialTimeline
        from ctsync.questions.trial.stored_records import stored_versions
        from ctsync.questions.trial.timeline import timeline_row, trial_timeline

        wanted = arguments.trial(nct)
        stored_versions(self._store, wanted)
        drawn = trial_timeline(self._store, wanted, until=self._clock.now())
        return TrialTimeline.of(timeline_row(drawn))

    def watches(self) -> Rows[WatchRow]:
        """List the watches, each with the trials that it follows."""
        from ctsync.questions.portfolio.watches import WatchRow, member_facts, watch_row

        watches = self._store.watches.all()
        facts = member_facts(self._store, watches)
        return Rows(WatchRow, [watch_row(watch, facts) for watch in watches])

    def runs(self, *, limit: int | None = None) -> Rows[RunRow]:
        """List the runs, newest first; all of them without `limit`."""
        from ctsync.questions.operation.runs import RunRow, latest_runs, run_row

        now = self._clock.now()
        found = latest_runs(self._store, limit=arguments.limit(limit))
        shown = len(found.runs)
        notes = [f"the newest {shown:,} of {found.total:,} runs"] if found.total > shown else []
        return Rows(RunRow, [run_row(run, now) for run in found.runs], notes=notes)

    def _since(self, since: When | None) -> datetime | None:
        if isinstance(since, str) and " ".join(since.lower().split()) == LAST_REPORT:
            return last_report_end(self._store, self._clock.now())
        return self._moment(since)

    def _moment(self, value: When | None, *, end_of_day: bool = False) -> datetime | None:
        if value is None:
            return None
        return arguments.moment(value, self._clock.now(), end_of_day=end_of_day)

    def _today(self) -> date:
        return self._clock.now().date()
