"""History bodies and v2 bodies brought to one normal form before they are compared; pure, no I/O.

The registry's history writes texts as HTML, its API v2 as Markdown, and either carries fields
that the other does not. `align_forms` makes two records of either source ready to be compared,
so that only what differs in substance is found.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import normalize

from ctsync.model import JsonObject, Record, Source
from ctsync.record.compare.align import align
from ctsync.record.compare.canonical import key_fields, seal
from ctsync.record.fields.schema import Shape
from ctsync.record.fields.table import field_at, listing_at
from ctsync.record.history_form.html_to_markdown import BETWEEN_LISTS, to_markdown


class HistoryForm(StrEnum):
    """What the texts of a body are written in."""

    MARKDOWN = "markdown"
    HTML = "html"


# plain texts of the table that v2 writes as Markdown all the same (measured)
_ALSO_MARKDOWN = frozenset((
    "protocolSection.statusModule.whyStopped",
    "protocolSection.referencesModule.seeAlsoLinks.label",
    "protocolSection.referencesModule.availIpds.comment",
))  # fmt: skip

# and one of its Markdown texts that v2 writes plain (measured)
_PLAIN = frozenset(("resultsSection.adverseEventsModule.timeFrame",))

# the registry's own differences between versions never speak of it (47 recorded JSON Patches)
_NEVER_CARRIED = ("derivedSection",)
# they do of these two, which a recorded version has not
_OFTEN_CARRIED = ("annotationSection", "documentSection")
_SELDOM_CARRIED = (
    "protocolSection.referencesModule.seeAlsoLinks",
    "protocolSection.referencesModule.references.retractions",
    "protocolSection.contactsLocationsModule.locations.geoPoint",
    "protocolSection.contactsLocationsModule.locations.countryCode",
)
# what the registry's reviewers said of a submission; v2 shows none of it (47 JSON Patches)
_ONLY_IN_HISTORY = (
    "protocolSection.outcomesModule.primaryOutcomes.reviewUnit",
    "protocolSection.outcomesModule.secondaryOutcomes.reviewUnit",
    "protocolSection.outcomesModule.otherOutcomes.reviewUnit",
    "resultsSection.outcomeMeasuresModule.outcomeMeasures.reviewUnit",
)

_BACKSLASHES = re.compile(r"\\+([!-/:-@\[\]-`{-~]?)")
_MARKERS = re.compile(r"(?:(?:[-+*]|\d{1,9}[.)])(?:\s+|\Z))+")


def form_of(source: Source) -> HistoryForm:
    """What a stored body of a source is written in; one known from both is that of v2."""
    return HistoryForm.HTML if source is Source.HISTORY else HistoryForm.MARKDOWN


def readable(record: Record, form: HistoryForm) -> Record:
    """The record with its texts as v2 writes them; one in Markdown is given back as it is."""
    if form is HistoryForm.MARKDOWN:
        return record
    return seal(_readable(record.body, ""))


def align_forms(
    before: Record, before_form: HistoryForm, after: Record, after_form: HistoryForm
) -> tuple[Record, Record]:
    """Two records ready to be compared, whatever they are written in.

    Across the seam the texts of the history body become those of the v2 body wherever both say
    the same, its other texts are written as v2 writes them, and what only one of the two sources
    carries is taken out of both.
    """
    if before_form is after_form:
        return readable(before, before_form), readable(after, after_form)
    if before_form is HistoryForm.HTML:
        return _across(before, after)
    after, before = _across(after, before)
    return before, after


def is_same_content(
    before: Record, before_form: HistoryForm, after: Record, after_form: HistoryForm
) -> bool:
    """Whether nothing differs between two records but what they are written in."""
    old, new = align_forms(before, before_form, after, after_form)
    return old.canonical == new.canonical


def may_lack(form: HistoryForm, path: str) -> bool:
    """Whether bodies of a form need not show what the trial has at a path.

    That such a body shows nothing there does not say that there was nothing.
    """
    lacked = {
        HistoryForm.HTML: (*_NEVER_CARRIED, *_OFTEN_CARRIED, *_SELDOM_CARRIED),
        HistoryForm.MARKDOWN: _ONLY_IN_HISTORY,
    }
    return any(f"{path}.".startswith(f"{one}.") for one in lacked[form])


def says(text: str) -> str:
    """What a Markdown text says: its words in order, however they are laid out.

    Two texts of one normal form say the same. Blanks of every kind, bullets, the bracket after an
    item's number and backslashes that only escape are no part of it; words, numbers, punctuation
    and letter case are.
    """
    *above, last = text.split("\n")
    if not above:
        return _line_says(last)
    # a backslash at the end of a line breaks it, and is no text
    lines = [*(line.rstrip().rstrip("\\") for line in above), last]
    return " ".join(filter(None, map(_line_says, lines)))


def _line_says(line: str) -> str:
    words = " ".join(line.split())
    if not words.isascii():
        words = normalize("NFC", words)
    if words == BETWEEN_LISTS:
        return ""
    if "\\" in words:
        words = _BACKSLASHES.sub(_unescaped, words)
    markers = _MARKERS.match(words)
    if markers is None:
        return words
    # HTML numbers items itself, and cannot tell "1)" from "1."
    numbers = [f"{marker[:-1]}." for marker in markers[0].split() if marker[0].isdigit()]
    return " ".join(filter(None, (*numbers, words[markers.end() :])))


def _unescaped(found: re.Match[str]) -> str:
    # what a sponsor typed as one backslash is two in a Markdown text, and one in a plain text
    return found[1] or "\\"


# --- one record ----------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _is_markdown(path: str) -> bool:
    is_markup = field_at(path).shape is Shape.MARKUP
    return (is_markup and path not in _PLAIN) or path in _ALSO_MARKDOWN


def _readable(value: Any, path: str) -> Any:
    match value:
        case dict():
            return {key: _readable(child, _below(path, key)) for key, child in value.items()}
        case list():
            return [_readable(item, path) for item in value]
        case str():
            return to_markdown(value, escaped=_is_markdown(path))
        case _:
            return value


def _said(value: Any) -> Any:
    """The value with every text as what it says."""
    match value:
        case dict():
            return {key: _said(child) for key, child in value.items()}
        case list():
            return [_said(item) for item in value]
        case str():
            return says(value)
        case _:
            return value


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


# --- two records, one of each form ---------------------------------------------------------------


def _across(html: Record, markdown: Record) -> tuple[Record, Record]:
    old: JsonObject = _readable(html.body, "")
    new = markdown.body
    for path in _one_sided(old, new):
        steps = tuple(path.split("."))
        old, new = _without(old, steps), _without(new, steps)
    old, new = _matched(_Told(old, _said(old)), _Told(new, _said(new)), "")
    return seal(old), seal(new)


def _one_sided(html: JsonObject, markdown: JsonObject) -> list[str]:
    """What is not compared with this v2 body, as this history body does not carry it."""
    left_out = [path for path in _SELDOM_CARRIED if not _carries(html, path.split("."))]
    # within one submission what a history body lacks was cut off; in a later one it may be new
    if key_fields(html).submitted == key_fields(markdown).submitted:
        left_out += [section for section in _OFTEN_CARRIED if section not in html]
    # a history body that claims results without any had them cut off
    if html.get("hasResults") is True and not html.get("resultsSection"):
        left_out.append("resultsSection")
    return [*_NEVER_CARRIED, *_ONLY_IN_HISTORY, *left_out]


def _carries(value: Any, steps: list[str]) -> bool:
    if isinstance(value, list):
        return any(_carries(item, steps) for item in value)
    if not steps:
        return True
    return isinstance(value, dict) and steps[0] in value and _carries(value[steps[0]], steps[1:])


def _without(value: Any, steps: tuple[str, ...]) -> Any:
    """A copy of a value without what is at a path; what is left empty by that goes with it."""
    if isinstance(value, list):
        return [_without(item, steps) for item in value]
    if not isinstance(value, dict) or steps[0] not in value:
        return value
    rest = {key: child for key, child in value.items() if key != steps[0]}
    if len(steps) > 1:
        child = _without(value[steps[0]], steps[1:])
        if child or not value[steps[0]]:
            rest[steps[0]] = child
    return rest


class _Told(NamedTuple):
    """A value with what it says."""

    value: Any
    says: Any

    def part(self, key: Any) -> _Told:
        return _Told(self.value[key], self.says[key])


def _matched(html: _Told, markdown: _Told, path: str) -> tuple[Any, Any]:
    """Both values, the texts of `html` as in `markdown` where both say the same."""
    old, new = html.value, markdown.value
    if isinstance(old, dict) and isinstance(new, dict):
        return _matched_objects(html, markdown, path)
    if isinstance(old, list) and isinstance(new, list):
        return _matched_lists(html, markdown, path)
    same = isinstance(old, str) and isinstance(new, str) and html.says == markdown.says
    return (new if same else old), new


def _matched_objects(html: _Told, markdown: _Told, path: str) -> tuple[JsonObject, JsonObject]:
    made: tuple[JsonObject, JsonObject] = {}, {}
    for key in html.value.keys() | markdown.value.keys():
        below = _below(path, key)
        if key in html.value and key in markdown.value:
            parts = _matched(html.part(key), markdown.part(key), below)
            made[0][key], made[1][key] = parts
        # a field that no table knows and one source alone has is that source's own
        elif field_at(below).known:
            side, told = (made[0], html) if key in html.value else (made[1], markdown)
            side[key] = told.value[key]
    return made


def _matched_lists(html: _Told, markdown: _Told, path: str) -> tuple[list[Any], list[Any]]:
    made = list(html.value), list(markdown.value)
    for i, j in align(html.says, markdown.says, listing_at(path)).pairs:
        made[0][i], made[1][j] = _matched(html.part(i), markdown.part(j), path)
    return made
