"""The history of a trial as one HTML page: its timeline and its versions. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ctsync.dates import format_timestamp
from ctsync.model import STUDY_PAGE, Level, NctId, State, StoredEvent, Version
from ctsync.record.context import BaseRates
from ctsync.record.enum_words import enum_words
from ctsync.record.flags import FLAG_LABELS, Flag
from ctsync.record.trial_line import state_of
from ctsync.record.value_text import NOTHING, counted, typed, typed_date
from ctsync.report.report import ReportStep, Window
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.timeline import Timeline
from ctsync.report.trial.version_words import what_changed
from ctsync.report.version_steps import step_of
from ctsync.report.words.trial_heading import TrialHeading
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page


@dataclass(frozen=True, slots=True)
class PageVersion:
    """One row of the table of versions; `what` are its worst changes in a few words."""

    number: int
    level: str
    posted: str
    what: str
    status: str
    enrollment: str
    completion: str


@dataclass(frozen=True, slots=True)
class PageStep:
    """The changes of one version; `aside` holds the administrative ones."""

    step: ReportStep
    aside: ReportStep | None
    aside_title: str
    empty: str


@dataclass(frozen=True, slots=True)
class PageFlag:
    """A fact about the record: its name, the day since which it is true, words and source."""

    label: str
    since: str
    words: str
    source: str


@dataclass(frozen=True, slots=True)
class TrialPage:
    """The content of the page of one trial."""

    nct_id: NctId
    title: str
    url: str
    heading: TrialHeading
    summary: str
    timeline: Timeline
    flags: tuple[PageFlag, ...]
    flagged_on: str
    rows: tuple[PageVersion, ...]
    steps: tuple[PageStep, ...]


def render_page(story: TrialContent, window: Window, *, frame: Frame | None = None) -> str:
    """Write the page of a trial, newest version first; without a frame it is a page alone."""
    made = format_timestamp(window.until)
    versions = counted(len(story.versions), "stored version")
    footer = f"{versions}; made {made}; administrative changes are folded"
    return fill_page(
        "trial.html.j2",
        trial=page(story, window),
        frame=frame or Frame(is_alone=True),
        footer=footer,
    )


def page(story: TrialContent, window: Window) -> TrialPage:
    """Collect the content of the page."""
    newest = story.versions[-1]
    return TrialPage(
        nct_id=story.nct_id,
        title=story.title,
        url=STUDY_PAGE + story.nct_id,
        heading=story.heading,
        summary=state_of(newest.key, on=window.until.date()),
        timeline=story.timeline,
        flags=tuple(_flag(flag) for flag in story.flags),
        flagged_on=f"{story.flagged_on or window.until.date()}",
        rows=tuple(version_row(version, story.events) for version in reversed(story.versions)),
        steps=tuple(
            _step(version, story.events, story.rates) for version in reversed(story.versions)
        ),
    )


def _flag(flag: Flag) -> PageFlag:
    since = f"since {flag.since}" if flag.since else ""
    return PageFlag(FLAG_LABELS[flag.id], since, flag.words, flag.source)


def version_row(version: Version, events: Sequence[StoredEvent]) -> PageVersion:
    """The row of a version; `events` are those of its trial."""
    key = version.key
    here = [stored for stored in events if stored.to_version == version.version]
    level = _worst(here)
    is_present = version.state is State.PRESENT
    enrollment = NOTHING if key.enrollment is None else str(key.enrollment)
    return PageVersion(
        number=version.version,
        level=level.value if level else "",
        posted=version.posted or NOTHING,
        what=what_changed(version, here),
        status=enum_words(key.status or NOTHING) if is_present else version.state.capitalize(),
        enrollment=typed(enrollment, key.enrollment_type),
        completion=typed_date(key.primary_completion_date, key.primary_completion_date_type),
    )


def _worst(events: Iterable[StoredEvent]) -> Level | None:
    levels = (stored.event.level for stored in events)
    return min(levels, key=lambda level: level.rank, default=None)


def _step(version: Version, events: Sequence[StoredEvent], rates: BaseRates | None) -> PageStep:
    here = [stored for stored in events if stored.to_version == version.version]
    aside = [stored for stored in here if stored.event.level is Level.ADMINISTRATIVE]
    told = [stored for stored in here if stored.event.level is not Level.ADMINISTRATIVE]
    before = version.version - 1 or None
    return PageStep(
        step=step_of(version, told, before=before, rates=rates),
        aside=step_of(version, aside, before=before) if aside else None,
        aside_title=counted(len(aside), "administrative change"),
        empty="the first version that is stored" if before is None else "no change reported",
    )
