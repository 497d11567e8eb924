"""The history of a trial as one HTML page: its timeline and its versions. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ctsync.dates import format_timestamp
from ctsync.model import STUDY_PAGE, Level, NctId, State, StoredEvent, Version
from ctsync.record.context import BaseRates, ContextNote, flag_context
from ctsync.record.enum_words import enum_words
from ctsync.record.flags import FLAG_LABELS, Flag
from ctsync.record.trial_line import state_of
from ctsync.record.value_text import NOTHING, counted, typed, typed_date
from ctsync.report.addresses import Addresses
from ctsync.report.comparison.comparison_site import comparison_name
from ctsync.report.report import ReportStep, Window
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.trial_view import TrialView, trial_view
from ctsync.report.trial.version_words import is_substantive, what_changed
from ctsync.report.version_steps import step_of
from ctsync.report.words.trial_heading import TrialHeading
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page


@dataclass(frozen=True, slots=True)
class PageVersion:
    """One row of the table of versions; `what` are its worst changes in a few words.

    `compare` is the address of its comparison with the version before, empty if there is none.
    """

    number: int
    level: str
    posted: str
    what: str
    status: str
    enrollment: str
    completion: str
    is_substantive: bool = True
    compare: str = ""


@dataclass(frozen=True, slots=True)
class PageStep:
    """The changes of one version; `aside` holds the administrative ones.

    `compare` is the address of the comparison with the version before, empty if there is none.
    """

    step: ReportStep
    aside: ReportStep | None
    aside_title: str
    empty: str
    is_substantive: bool = True
    compare: str = ""


@dataclass(frozen=True, slots=True)
class PageFlag:
    """A fact about the record: its name, the day since which it is true, words and source.

    `context` holds base rates in words.
    """

    label: str
    since: str
    words: str
    source: str
    context: tuple[ContextNote, ...]


@dataclass(frozen=True, slots=True)
class TrialPage:
    """The content of the page of one trial.

    `rest` and `other_steps` are the versions with administrative changes only.
    """

    nct_id: NctId
    title: str
    url: str
    heading: TrialHeading
    summary: str
    standing: tuple[ContextNote, ...]
    view: TrialView
    flags: tuple[PageFlag, ...]
    flagged_on: str
    rows: tuple[PageVersion, ...]
    rest: tuple[PageVersion, ...]
    steps: tuple[PageStep, ...]
    other_steps: tuple[PageStep, ...]
    compare_ends: str = ""


def render_page(
    story: TrialContent,
    window: Window,
    *,
    frame: Frame | None = None,
    has_comparisons: bool = False,
) -> str:
    """Write the page of a trial, newest version first; without a frame it is a page alone.

    With `has_comparisons`, each version links to the page that compares it with the one before.
    """
    frame = frame or Frame(is_alone=True)
    # a page of a site names no time at which it was made, so that it changes only with its trial
    made = f"; made {format_timestamp(window.until)}" if frame.is_alone else ""
    versions = counted(len(story.versions), "stored version")
    return fill_page(
        "trial.html.j2",
        trial=page(story, window, has_comparisons=has_comparisons, links=frame.links),
        frame=frame,
        footer=f"{versions}{made}; administrative changes are folded",
    )


def page(
    story: TrialContent,
    window: Window,
    *,
    has_comparisons: bool = False,
    links: Addresses | None = None,
) -> TrialPage:
    """Collect the content of the page; `links` are those of the site or the server."""
    newest = story.versions[-1]
    known = [one.version for one in story.versions if one.digest is not None]
    before = dict(zip(known[1:], known, strict=False)) if has_comparisons else {}
    compare = {
        number: _compare_address(links, story.nct_id, older, number)
        for number, older in before.items()
    }
    steps = _by_version(story.events)
    rows, parts = [], []
    for version in reversed(story.versions):
        here = steps.get(version.version, ())
        is_told = version.version == 1 or is_substantive(here)
        link = compare.get(version.version, "")
        row, step = version_row(version, here), _step(version, here, story.rates)
        rows.append(replace(row, is_substantive=is_told, compare=link))
        parts.append(replace(step, is_substantive=is_told, compare=link))
    return TrialPage(
        nct_id=story.nct_id,
        title=story.title,
        url=STUDY_PAGE + story.nct_id,
        heading=story.heading,
        summary=state_of(newest.key, on=window.until.date()),
        standing=tuple(story.standing),
        view=trial_view(story),
        flags=tuple(_flag(flag, story.rates) for flag in story.flags),
        flagged_on=f"{story.flagged_on or window.until.date()}",
        rows=tuple(row for row in rows if row.is_substantive),
        rest=tuple(row for row in rows if not row.is_substantive),
        steps=tuple(step for step in parts if step.is_substantive),
        other_steps=tuple(step for step in parts if not step.is_substantive),
        compare_ends=(
            _compare_address(links, story.nct_id, known[0], known[-1]) if len(before) > 1 else ""
        ),
    )


def _compare_address(links: Addresses | None, nct_id: NctId, older: int, newer: int) -> str:
    if links is not None and links.is_served:
        return links.compare(nct_id, older, newer)
    return comparison_name(nct_id, older, newer)


def _by_version(events: Sequence[StoredEvent]) -> dict[int, list[StoredEvent]]:
    found: dict[int, list[StoredEvent]] = {}
    for stored in events:
        found.setdefault(stored.to_version, []).append(stored)
    return found


def _flag(flag: Flag, rates: BaseRates | None) -> PageFlag:
    since = f"since {flag.since}" if flag.since else ""
    context = flag_context(flag.id, rates)
    return PageFlag(FLAG_LABELS[flag.id], since, flag.words, flag.source, context)


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
