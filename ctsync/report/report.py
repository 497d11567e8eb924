"""A report as frozen values, independent of its format. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from ctsync.model import KeyFields, Level, NctId, StoredEvent
from ctsync.record.context import PUBLISHED_RATES, BaseRates, ContextNote
from ctsync.record.flags import Flag
from ctsync.report.trial.timeline import Timeline
from ctsync.report.words.event_text import since_what
from ctsync.report.words.net_changes import NetChange
from ctsync.report.words.trial_heading import (
    TrialHeading,
    heading_parts,
)


@dataclass(frozen=True, slots=True)
class Window:
    """The time a report covers; `since` is None if it starts at the first version."""

    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class UncheckedTrial:
    """A trial that could not be checked, and why."""

    nct_id: NctId
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the last run checked: the denominators of a report.

    `checked` counts the followed trials that the registry answered. `load` is the dataTimestamp
    of the registry in that run; `refreshed` is False if an earlier run had seen this load.
    """

    checked: int
    failed: tuple[UncheckedTrial, ...] = ()
    load: datetime | None = None
    refreshed: bool = True
    run_ids: tuple[int, ...] = ()
    requests: int | None = None
    retries: int | None = None

    @property
    def watched(self) -> int:
        """The number of followed trials."""
        return self.checked + len(self.failed)


class TextMark(StrEnum):
    """What happened to a piece of text."""

    KEPT = "kept"
    REMOVED = "removed"
    ADDED = "added"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Consecutive words of a text; a CUT piece says how many words are left out.

    `is_glued` if no blank separates it from the next piece.
    """

    mark: TextMark
    text: str
    is_glued: bool = False

    @property
    def blank(self) -> str:
        """The text between this piece and the next."""
        return "" if self.is_glued else " "


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One event, in words that every format uses.

    A date or count reads `before` -> `after`, with its moves. For other events `detail` says
    what happened. If a text changed in part, `pieces` shows the change word by word. `of_type`
    is the event for a change of the type; both values include the type. If `is_cut`, something
    was shortened, and the command of the step shows it in full. `also` has the events of other
    list items that changed in exactly the same way. `context` has the base rates and the trial's
    own past, less the notes of an earlier line of the trial; base rates only from notable on.
    """

    stored: StoredEvent
    before: str
    after: str
    detail: str
    pieces: tuple[TextPiece, ...]
    move: str
    since_first: str
    is_cut: bool
    of_type: StoredEvent | None = None
    also: tuple[StoredEvent, ...] = ()
    context: tuple[ContextNote, ...] = ()

    @property
    def events(self) -> tuple[StoredEvent, ...]:
        """The events in this line: one, and those of `of_type` and `also`."""
        of_type = (self.of_type,) if self.of_type else ()
        return (self.stored, *of_type, *self.also)

    @property
    def rules(self) -> str:
        """Level and rule of each event, without repetitions."""
        by_level: dict[str, dict[str, None]] = {}
        for event in (stored.event for stored in self.events):
            by_level.setdefault(event.level.value, {})[event.rule] = None
        return ", ".join(f"{level} {', '.join(rules)}" for level, rules in by_level.items())


@dataclass(frozen=True, slots=True)
class ReportStep:
    """One version of a trial and the changes that led to it, worst first.

    `administrative` counts events that have no line. `number` is ctsync's number of the version,
    followed by the registry's if known. `gap` says how many versions before it are not fetched.
    `is_by_time`: there is no new version, and only flags changed because time passed.
    """

    number: str
    from_version: int | None
    to_version: int
    posted: str | None
    observed: datetime | None
    fetched: datetime
    compare_url: str | None
    lines: tuple[ReportLine, ...]
    administrative: int
    command: str
    gap: str = ""
    is_by_time: bool = False

    @property
    def is_cut(self) -> bool:
        """Whether a value in this step was shortened."""
        return any(line.is_cut for line in self.lines)


class Fold(StrEnum):
    """The reason why a report shows trials together in one line: nothing else changed."""

    SITES = "sites"
    ADMINISTRATIVE = "administrative"


@dataclass(frozen=True, slots=True)
class ReportTrial:
    """One trial with its steps, oldest first.

    `what` and `since_first` are its row in the table. They describe `changes`, the net changes
    over the window, worst first.
    `administrative` counts events in `administrative_versions` versions that have no line;
    `command` shows them. `left_out` counts events beyond the size limit. `heading` holds the
    words for the trial; `fold` is set if the trial is shown in one line with others like it.
    `watches` names the watches that the trial is in, if the report covers several. `flags` are
    those to show for the day of the report.
    """

    number: int
    nct_id: NctId
    title: str
    url: str
    level: Level
    what: str
    since_first: str
    changes: tuple[NetChange, ...]
    steps: tuple[ReportStep, ...]
    administrative: int
    administrative_versions: int
    left_out: int
    command: str
    key: KeyFields | None
    timeline: Timeline | None
    heading: TrialHeading
    fold: Fold | None
    watches: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()

    @property
    def about(self) -> tuple[str, ...]:
        """Sponsor, condition and phase, without empty values."""
        return heading_parts(self.heading)

    @property
    def since_what(self) -> str:
        """The start of `since_first`: since registration, or since first seen."""
        return since_what(change.event for change in self.changes)

    @property
    def lines(self) -> tuple[ReportLine, ...]:
        """The lines of all steps."""
        return tuple(line for step in self.steps for line in step.lines)


@dataclass(frozen=True, slots=True)
class ReportSection:
    """The trials whose worst change has one level."""

    level: Level
    trials: tuple[ReportTrial, ...]


@dataclass(frozen=True, slots=True)
class Welcome:
    """A newly followed trial and its state when ctsync first saw it."""

    nct_id: NctId
    title: str
    url: str
    state: str
    status: str = ""


@dataclass(frozen=True, slots=True)
class StatusTotal:
    """The number of newly followed trials with one overall status."""

    status: str
    trials: int


class NoChangeReason(StrEnum):
    """Why a report shows no change of a trial: four distinct reasons.

    There are two more reasons for trials with changes. NOT_REPORTED: all changes are below the
    level of the recipient or are sent in another message. NOT_SELECTED: no change passes the
    filters.
    """

    NO_UPDATE = "no update posted"
    ADMINISTRATIVE_ONLY = "administrative only"
    NOT_CHECKED = "could not check"
    NOT_REFRESHED = "registry not refreshed"
    NOT_REPORTED = "told elsewhere"
    NOT_SELECTED = "not selected"


@dataclass(frozen=True, slots=True)
class ReportSentence:
    """A sentence about `count` of the followed trials."""

    standing: NoChangeReason
    count: int
    text: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The events and trials beyond the size limit, and the command that shows them.

    `levels` counts these trials by level, without the `arrivals`, which are only new in a watch,
    and without those that a fold would show, which `folds` counts.
    """

    events: int
    trials: int
    command: str
    levels: Mapping[Level, int] = field(default_factory=dict)
    folds: Mapping[Fold, int] = field(default_factory=dict)
    arrivals: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report: the same content in every format.

    `welcomed` counts the newly followed trials; `welcomes` are those shown. `total` counts all
    events except baselines: `shown` have a line, `collapsed` are administrative, and the rest
    are in `left_out`, beyond the size limit. `notices` describe a load and replace events that are
    not in the report; the footer starts with them. `filters` says in words which
    changes are selected; it is empty if all are. `statuses` counts all newly followed trials of
    a welcome by status; it is empty in other reports. `site` is the address of the pages that a
    mail links to, or empty. `rates` are the base rates of its context; None if it has no context.
    `flagged_on` is the day of the flags; None if they were not computed.
    """

    report_id: str
    subject: str
    headline: str
    title: str
    window: Window
    watched: int
    coverage: Coverage | None
    counts: Mapping[Level, int]
    sections: tuple[ReportSection, ...]
    welcomes: tuple[Welcome, ...]
    welcomed: int
    sentences: tuple[ReportSentence, ...]
    left_out: LeftOut | None
    shown: int
    collapsed: int
    total: int
    footer: tuple[str, ...]
    notices: tuple[str, ...] = ()
    statuses: tuple[StatusTotal, ...] = ()
    site: str = ""
    filters: str = ""
    rates: BaseRates | None = field(default_factory=lambda: PUBLISHED_RATES)
    flagged_on: date | None = None

    @property
    def trials(self) -> tuple[ReportTrial, ...]:
        """All trials with a change, worst first; folded trials come last."""
        return tuple(trial for section in self.sections for trial in section.trials)

    @property
    def listed(self) -> tuple[ReportTrial, ...]:
        """The trials with their own row."""
        return tuple(trial for trial in self.trials if trial.fold is None)

    def folded(self, fold: Fold) -> tuple[ReportTrial, ...]:
        """The trials that one line shows together."""
        return tuple(trial for trial in self.trials if trial.fold is fold)
