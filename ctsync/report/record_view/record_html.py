"""A record of a day or a version as one HTML page. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from markupsafe import Markup, escape

from ctsync.model import STUDY_PAGE, Record, Version
from ctsync.record.enum_words import enum_words
from ctsync.record.trial_line import state_of
from ctsync.report.html_templates import fill
from ctsync.report.record_view.shown_record import RecordSection, record_sections
from ctsync.text import for_markup

_INDENTED = 100_000
"""Most bytes of a record whose JSON is indented; indents triple the size of a large one."""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """The content of the page of a record; `raw` is its JSON."""

    nct_id: str
    title: str
    version: str
    summary: str
    url: str
    sections: tuple[RecordSection, ...]
    raw: Markup


def record_page(version: Version, record: Record) -> RecordPage:
    """Collect the content of the page."""
    is_small = len(record.canonical) <= _INDENTED
    raw = orjson.dumps(record.body, option=orjson.OPT_INDENT_2) if is_small else record.canonical
    key = version.key
    return RecordPage(
        nct_id=version.nct_id,
        title=key.brief_title or "",
        version=version_words(version),
        summary=state_of(key) if key.status else enum_words(version.state.value),
        url=_url(version),
        sections=tuple(record_sections(record.body)),
        raw=_escaped(raw.decode()),
    )


def _escaped(text: str) -> Markup:
    """Return a text as the content of an element, where quotes need no escape.

    The escapes would double the size of JSON.
    """
    return Markup(str(escape(for_markup(text))).replace("&#34;", '"'))  # noqa: S704  escaped here


def record_html(version: Version, record: Record) -> str:
    """Write the page: sections in the registry's order; the JSON is folded at the end."""
    return fill("record.html.j2", record=record_page(version, record), links=None)


def version_words(version: Version) -> str:
    """Return which version it is: its number, the registry's number, and its days."""
    known = version.registry_version
    parts = [
        f"version {version.version}",
        "" if known is None else f"registry v{known}",
        f"posted {version.posted}" if version.posted else "",
        f"seen {version.observed:%Y-%m-%d}" if version.observed else "",
    ]
    return ", ".join(part for part in parts if part)


def _url(version: Version) -> str:
    known = version.registry_version
    place = "" if known is None else f"?tab=history&a={known + 1}"
    return f"{STUDY_PAGE}{version.nct_id}{place}"
