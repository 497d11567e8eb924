"""A report as a feed, Atom or JSON Feed, with one entry per version. Does no I/O."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from urllib.parse import quote

from ctsync.dates import PartialDate, format_timestamp
from ctsync.record.context import BaseRates
from ctsync.report.addresses import Addresses
from ctsync.report.alike_lines import alike
from ctsync.report.formats.plain_text import said
from ctsync.report.mail.subject import trial_subject
from ctsync.report.report import Report, ReportStep, ReportTrial
from ctsync.report.sentences import (
    about_line,
    aside_sentence,
    closing_sentences,
    coverage_line,
    flags_of_trial,
    fold_lines,
    left_out_sentence,
    step_title,
    trial_left_out_sentence,
    window_line,
)
from ctsync.report.version_steps import with_context
from ctsync.report.words.net_changes import net_changes
from ctsync.report.words.trial_heading import short_title, trial_heading
from ctsync.text import for_markup

HOME = "https://clinicaltrials.gov/"


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One version of a trial, or the report itself; each version always has the same `id`.

    A flag that time alone changed has no new version: the day of its load is part of its `id`.
    """

    id: str
    title: str
    url: str
    updated: datetime
    content: str


def entries(report: Report, links: Addresses | None = None) -> list[FeedEntry]:
    """Yield an entry for the report, then one per version in it, newest first.

    With `links`, the entry of a version links to the page of its trial in that site.
    """
    return [_overview(report), *version_entries(report, links)]


def version_entries(report: Report, links: Addresses | None = None) -> list[FeedEntry]:
    """Return an entry per version in the report, newest first: those of a feed to subscribe to."""
    versions = [
        _linked(trial, step, links, report) for trial in report.trials for step in trial.steps
    ]
    return sorted(versions, key=lambda entry: entry.updated, reverse=True)


def render_atom(report: Report) -> str:
    """Write the report as an Atom feed."""
    return atom(feed_title(report), entries(report), updated=report.window.until)


def feed_title(report: Report) -> str:
    """Return the title of the feed, which does not depend on the changes in the report."""
    return f"ctsync: {report.title}"


def atom(
    title: str,
    told: Iterable[FeedEntry],
    *,
    updated: datetime,
    page: str = "",
    own: str = "",
    following: str = "",
) -> str:
    """Write entries as an Atom feed (RFC 4287), in their order.

    `page` is the address of an HTML page with the same content; it may be relative. `own` is
    the address at which the feed is published; empty if unknown. `following` is the address of the
    next page, which has older entries (RFC 5005); empty if there is none.
    """
    feed = ET.Element("feed", xmlns="http://www.w3.org/2005/Atom")
    _add(feed, "id", f"urn:ctsync:{quote(title, safe='', errors='replace')}")
    _add(feed, "title", title)
    _add(feed, "updated", format_timestamp(updated))
    _add(ET.SubElement(feed, "author"), "name", "ctsync")
    if own:
        ET.SubElement(feed, "link", rel="self", href=for_markup(own))
    if following:
        ET.SubElement(feed, "link", rel="next", href=for_markup(following))
    if page:
        _add_link(feed, page)
    _add(feed, "generator", "ctsync")
    for one in told:
        entry = ET.SubElement(feed, "entry")
        _add(entry, "id", one.id)
        _add(entry, "title", one.title)
        _add(entry, "updated", format_timestamp(one.updated))
        _add(entry, "content", one.content).set("type", "text")
        _add_link(entry, one.url)
    ET.indent(feed)
    text: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text.decode() + "\n"


def _add(parent: ET.Element, name: str, text: str) -> ET.Element:
    """Add an element with a text. ElementTree escapes it but keeps controls that XML forbids."""
    element = ET.SubElement(parent, name)
    element.text = for_markup(text)
    return element


def _add_link(parent: ET.Element, address: str) -> None:
    ET.SubElement(parent, "link", rel="alternate", href=for_markup(address))


def json_feed(
    title: str,
    told: Sequence[FeedEntry],
    *,
    page: str = "",
    own: str = "",
    following: str = "",
) -> str:
    """Write entries as JSON Feed 1.1; `read_json_feed` reads them again.

    `page` is the address of an HTML page with the same content, `own` that of the feed, and
    `following` that of its next page; all are absolute, or empty if unknown.
    """
    items = [
        {
            "id": one.id,
            "title": one.title,
            "url": one.url,
            "date_modified": format_timestamp(one.updated),
            "content_text": one.content,
        }
        for one in told
    ]
    known = {"home_page_url": page, "feed_url": own, "next_url": following}
    places = {name: address for name, address in known.items() if address}
    version = "https://jsonfeed.org/version/1.1"
    feed = {"version": version, "title": title, **places, "items": items}
    return json.dumps(feed, indent=1) + "\n"


def read_json_feed(text: str) -> list[FeedEntry]:
    """The entries of a feed that `json_feed` wrote; raises ValueError for other text."""
    try:
        return [
            FeedEntry(
                id=str(item["id"]),
                title=str(item["title"]),
                url=str(item["url"]),
                updated=datetime.fromisoformat(item["date_modified"]),
                content=str(item["content_text"]),
            )
            for item in json.loads(text)["items"]
        ]
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a feed of ctsync: {error!r}") from error


def _with_own_context(step: ReportStep, rates: BaseRates | None) -> ReportStep:
    """The step with its full context: an entry stands alone, but a report shows each note once."""
    return replace(step, lines=tuple(with_context(step.lines, rates, set())))


def _linked(
    trial: ReportTrial, step: ReportStep, links: Addresses | None, report: Report
) -> FeedEntry:
    flags = _flags(trial, step, report, links)
    step = _with_own_context(step, report.rates)
    page = links.version(trial.nct_id, step.to_version) if links else ""
    if not page:
        return _entry(trial, step, flags)
    # no command is needed: the linked page shows the version in full
    return replace(_entry(trial, replace(step, command=""), flags), url=page)


def _flags(trial: ReportTrial, step: ReportStep, report: Report, links: Addresses | None) -> str:
    """Return the line of flags for the entry of the newest version; empty for earlier ones."""
    if step is not trial.steps[-1]:
        return ""
    return flags_of_trial(trial, report, has_command=links is None)


def _entry(trial: ReportTrial, step: ReportStep, flags: str) -> FeedEntry:
    changes = net_changes(stored for line in step.lines for stored in line.events)
    administrative = f"{trial.nct_id} administrative changes only"
    return FeedEntry(
        id=f"{trial.url}#v{step.to_version}{_day_of_flags(step)}",
        title=trial_subject(trial.nct_id, trial.about, changes) if changes else administrative,
        url=step.compare_url or trial.url,
        updated=_posted_at(step),
        content="\n".join(filter(None, [*_told(trial, step), flags])),
    )


def _told(trial: ReportTrial, step: ReportStep) -> Iterator[str]:
    yield f"{trial.nct_id} {trial.title}"
    yield from filter(None, [trial_heading(trial.heading)])
    yield step_title(step)
    for line in alike(step.lines):
        yield f"{line.stored.event.label}: {said(line)} [{line.rules}]"
        for note in line.context:
            yield f"context: {note.text}"
    if step.is_cut and step.command:
        yield f"in full: {step.command}"
    if step.compare_url:
        yield f"compare: {step.compare_url}"


def _day_of_flags(step: ReportStep) -> str:
    # a reader leaves out an entry whose id it knows: it would never show "results overdue"
    return f"@{(step.observed or step.fetched).date()}" if step.is_by_time else ""


def _posted_at(step: ReportStep) -> datetime:
    posted = PartialDate.parse(step.posted)
    if posted is None or step.is_by_time:
        return step.observed or step.fetched
    return datetime.combine(posted.last, time(), UTC)


def _overview(report: Report) -> FeedEntry:
    return FeedEntry(
        id=f"urn:ctsync:report:{report.report_id}",
        title=report.subject,
        url=HOME,
        updated=report.window.until,
        content="\n".join(line for line in _overview_lines(report) if line),
    )


def _overview_lines(report: Report) -> Iterator[str]:
    yield about_line(report)
    yield report.headline
    yield window_line(report)
    yield report.filters
    yield coverage_line(report)
    for trial in report.listed:
        since = f" ({trial.since_first} {trial.since_what})" if trial.since_first else ""
        yield f"{trial.level.value} {trial.nct_id} {trial.what}{since}"
        yield " · ".join(filter(None, [trial_heading(trial.heading), short_title(trial.heading)]))
        yield trial_left_out_sentence(trial) if trial.left_out else ""
        yield aside_sentence(trial) if trial.administrative else ""
    yield left_out_sentence(report)
    yield from fold_lines(report)
    yield from closing_sentences(report)
