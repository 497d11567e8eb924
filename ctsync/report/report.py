"""What a report holds, before it has any format: frozen values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ctsync.model import KeyFields, Level, NctId, StoredEvent
from ctsync.report.trial.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Window:
    """The time a report speaks of; `since` is None where it begins with the first version."""

    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class UncheckedTrial:
    """A trial that could not be checked, and why."""

    nct_id: NctId
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was looked at: the denominators of a report.

    `checked` of the trials followed were answered by the last run; `load` is the registry's
    dataTimestamp of it, and `refreshed` is False where that load had been seen before.
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
        """How many are followed."""
        return self.checked + len(self.failed)


class TextMark(StrEnum):
    """What became of a piece of text."""

    KEPT = "kept"
    REMOVED = "removed"
    ADDED = "added"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A run of words of a text before and after; a CUT piece says how much is left out."""

    mark: TextMark
    text: str


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One event, in the words every format uses.

    A measured value reads `before` -> `after`, with its moves. Of anything else `detail` tells
    what happened, and `pieces` how a text changed, word by word, where it did so in part.
    `of_type` is the event that its type changed too, which both values show. `is_cut` says that
    something was shortened, which its step's command shows in full.
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

    @property
    def events(self) -> tuple[StoredEvent, ...]:
        """What it tells: one event, or two."""
        return (self.stored, self.of_type) if self.of_type else (self.stored,)

    @property
    def rules(self) -> str:
        """The level and rule of each event; what is the same is said once."""
        by_level: dict[str, dict[str, None]] = {}
        for event in (stored.event for stored in self.events):
            by_level.setdefault(event.level.value, {})[event.rule] = None
        return ", ".join(f"{level} {', '.join(rules)}" for level, rules in by_level.items())


@dataclass(frozen=True, slots=True)
class ReportStep:
    """One version of a trial: what changed on the way to it, worst first.

    `administrative` counts the events that are collapsed. `number` is the registry's where it
    is known, as in "v7", else ours.
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

    @property
    def is_cut(self) -> bool:
        """Whether a value in it was shortened."""
        return any(line.is_cut for line in self.lines)


@dataclass(frozen=True, slots=True)
class ReportTrial:
    """One trial with its steps, oldest first.

    `what` and `since_first` are its row on the first screen, `subject` the same for a subject
    line. `administrative` events in `administrative_versions` versions are collapsed to a
    count; `command` shows them. `left_out` counts events that a size limit kept out.
    """

    number: int
    nct_id: NctId
    title: str
    url: str
    level: Level
    what: str
    since_first: str
    subject: str
    steps: tuple[ReportStep, ...]
    administrative: int
    administrative_versions: int
    left_out: int
    command: str
    key: KeyFields | None
    timeline: Timeline | None

    @property
    def lines(self) -> tuple[ReportLine, ...]:
        """Every line of every step."""
        return tuple(line for step in self.steps for line in step.lines)


@dataclass(frozen=True, slots=True)
class ReportSection:
    """The trials whose worst change is of one level."""

    level: Level
    trials: tuple[ReportTrial, ...]


@dataclass(frozen=True, slots=True)
class Welcome:
    """A trial that is followed from now on, and the state it was found in."""

    nct_id: NctId
    title: str
    url: str
    state: str


class NoChangeReason(StrEnum):
    """The four things that may be true of a trial without a change to tell; never mixed.

    A message to one recipient leaves out what is below its level or in another message: of a
    trial with nothing but that, none of the four is true, and it says so.
    """

    NO_UPDATE = "no update posted"
    ADMINISTRATIVE_ONLY = "administrative only"
    NOT_CHECKED = "could not check"
    NOT_REFRESHED = "registry not refreshed"
    NOT_TOLD = "told elsewhere"


@dataclass(frozen=True, slots=True)
class ReportSentence:
    """What stands of `count` trials of those followed."""

    standing: NoChangeReason
    count: int
    text: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a size limit kept out of the report, and the command that shows it."""

    events: int
    trials: int
    command: str


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report: the same content whatever it is rendered as.

    `welcomed` trials are newly followed, of which `welcomes` are shown.
    `shown` events stand in lines, `collapsed` ones are administrative and counted,
    `left_out` ones passed the size limit and are counted: together they are `total`, which
    does not count baselines. `notices` tell of a load as a whole, in place of events that are
    not in the report; they begin the footer.
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

    @property
    def trials(self) -> tuple[ReportTrial, ...]:
        """Every trial with a change, worst first."""
        return tuple(trial for section in self.sections for trial in section.trials)
