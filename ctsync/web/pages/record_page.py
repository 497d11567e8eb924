"""A record of a day or a version as one HTML page. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import orjson
from markupsafe import Markup, escape

from ctsync.model import STUDY_PAGE, Record, Version
from ctsync.record.enum_words import enum_words
from ctsync.record.trial_line import state_of
from ctsync.report.record_view.record_text import version_words
from ctsync.report.record_view.shown_record import RecordSection, record_sections
from ctsync.report.trial.version_day import VersionDay, step_after, step_before
from ctsync.text import for_markup
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page

_API = "https://clinicaltrials.gov/api/v2/studies/"
_INDENTED = 100_000
"""Most bytes of a record whose JSON is indented; indents triple the size of a large one."""


@dataclass(frozen=True, slots=True)
class RecordContent:
    """The content of the page of a record; `raw` is its JSON, empty if the page has none."""

    nct_id: str
    title: str
    number: int
    version: str
    summary: str
    url: str
    url_of_json: str
    sections: tuple[RecordSection, ...]
    raw: Markup


@dataclass(frozen=True, slots=True)
class RecordLinks:
    """The pages beside a record; an address is empty if there is no such page.

    `form` takes a version or a day; `comparison` shows what changed in this version.
    """

    trial: str = ""
    previous: str = ""
    next: str = ""
    comparison: str = ""
    form: str = ""


def record_page(
    version: Version,
    record: Record,
    *,
    frame: Frame | None = None,
    versions: Sequence[VersionDay] = (),
    as_of: date | None = None,
    has_raw: bool = True,
) -> str:
    """Write the page; without a frame it is a page alone.

    The sections are in the registry's order. `versions` are all versions with a record. `as_of` is
    the day for which the version was found, if it was. With `has_raw`, the JSON is folded at the
    end; without it, the page links to the registry's API.
    """
    frame = frame or Frame(is_alone=True)
    return fill_page(
        "record.html.j2",
        frame=frame,
        record=record_content(version, record, has_raw=has_raw),
        versions=versions,
        as_of=as_of,
        ways=_ways(frame, version, versions),
    )


def record_content(version: Version, record: Record, *, has_raw: bool = True) -> RecordContent:
    """Collect the content of the page."""
    key = version.key
    return RecordContent(
        nct_id=version.nct_id,
        title=key.brief_title or "",
        number=version.version,
        version=version_words(version),
        summary=state_of(key) if key.status else enum_words(version.state.value),
        url=_url(version),
        url_of_json=f"{_API}{version.nct_id}",
        sections=tuple(record_sections(record.body)),
        raw=_raw(record) if has_raw else Markup(),
    )


def _ways(frame: Frame, version: Version, versions: Sequence[VersionDay]) -> RecordLinks:
    links, nct_id, number = frame.links, version.nct_id, version.version
    if links is None:
        return RecordLinks()
    before, after = step_before(versions, number), step_after(versions, number)
    return RecordLinks(
        trial=links.trial(nct_id),
        previous=links.record(nct_id, before[0]) if before else "",
        next=links.record(nct_id, after[1]) if after else "",
        comparison=links.compare(nct_id, *before) if before else "",
        form=links.record(nct_id) if links.is_served else "",
    )


def _raw(record: Record) -> Markup:
    """Return the JSON as the content of an element, where quotes need no escape.

    The escapes would double the size of JSON.
    """
    is_small = len(record.canonical) <= _INDENTED
    raw = orjson.dumps(record.body, option=orjson.OPT_INDENT_2) if is_small else record.canonical
    return Markup(str(escape(for_markup(raw.decode()))).replace("&#34;", '"'))  # noqa: S704  escaped here


def _url(version: Version) -> str:
    known = version.registry_version
    place = "" if known is None else f"?tab=history&a={known + 1}"
    return f"{STUDY_PAGE}{version.nct_id}{place}"
