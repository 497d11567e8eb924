"""The history of a trial as one HTML page: its timeline and its versions. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ctsync.dates import format_timestamp
from ctsync.model import STUDY_PAGE, Level, NctId, State, StoredEvent, Version
from ctsync.questions.trial.version_dates import version_days
from ctsync.record.context import BaseRates, ContextNote, flag_context
from ctsync.record.enum_words import enum_words
from ctsync.record.flags import FLAG_LABELS, Flag
from ctsync.record.trial_line import state_of
from ctsync.record.value_text import NOTHING, counted, typed, typed_date
from ctsync.report.addresses import Addresses
from ctsync.report.report import ReportStep, Window
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.trial_view import TrialView, trial_view
from ctsync.report.trial.version_day import VersionDay
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

    `compare` is the address of the comparison with the version before, `record` that of its record;
    each is empty if there is none.
    """

    step: ReportStep
    aside: ReportStep | None
    aside_title: str
    empty: str
    is_substantive: bool = True
    compare: str = ""
    record: str = ""


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

    `rest` and `other_steps` are the versions with administrative changes only. `record` is the
    address of the newest record, empty if it has no page. `compare_form` takes two of `choices` to
    compare; it is empty in a site of files. `unfetched` says which versions are not fetched.
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
    record: str = ""
    compare_ends: str = ""
    compare_form: str = ""
    choices: tuple[VersionDay, ...] = ()
    unfetched: str = ""


def render_page(
    story: TrialContent,
    window: Window,
    *,
    frame: Frame | None = None,
    has_comparisons: bool = False,
) -> str:
    """Write the page of a trial, newest version first; without a frame it is a page alone.

    With `has_comparisons`, versions link to the pages of their comparisons and records.
    """
    frame = frame or Frame(is_alone=True)
    # a page of a site names no time at which it was made, so that it changes only with its trial
    made = f"; made {format_timestamp(window.until)}" if frame.is_alone else ""
    versions = counted(len(story.versions), "stored version")
    return fill_page(
        "trial.html.j2",
        trial=page(story, window, links=frame.links if has_comparisons else None),
        frame=frame,
        footer=f"{versions}{made}; administrative changes are folded",
    )


def page(story: TrialContent, window: Window, *, links: Addresses | None = None) -> TrialPage:
    """Collect the content of the page; with `links`, it links to comparisons and records."""
    newest = story.versions[-1]
    known = [one.version for one in story.versions if one.digest is not None]
    compare = _comparisons(story.nct_id, known, links) if links else {}
    records = _records(story.nct_id, known, links) if links else {}
    steps = _by_version(story.events)
    rows, parts = [], []
    for version in reversed(story.versions):
        here = steps.get(version.version, ())
        is_told = version.version == 1 or is_substantive(here)
        link = compare.get(version.version, "")
        row, step = version_row(version, here), _step(version, here, story.rates)
        rows.append(replace(row, is_substantive=is_told, compare=link))
        record = records.get(version.version, "")
        parts.append(replace(step, is_substantive=is_told, compare=link, record=record))
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
        record=records[known[-1]] if records else "",
        compare_ends=(
            links.compare(story.nct_id, known[0], known[-1]) if links and len(compare) > 1 else ""
        ),
        compare_form=links.compare_form(story.nct_id) if links else "",
        choices=version_days(story.versions) if links and links.is_served else (),
        unfetched=story.unfetched,
    )


def _comparisons(nct_id: NctId, known: Sequence[int], links: Addresses) -> dict[int, str]:
    """Return the address of the comparison of each version with the one before."""
    return {newer: links.compare(nct_id, older, newer) for older, newer in pairwise(known)}


def _records(nct_id: NctId, known: Sequence[int], links: Addresses) -> dict[int, str]:
    """Return the address of the record of each version that has a page for it."""
    found = {number: links.record(nct_id, number) for number in known}
    return found | {number: found[number] or links.record(nct_id) for number in known[-1:]}


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
