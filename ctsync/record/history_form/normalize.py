"""Normal form in which history bodies and API v2 bodies are compared.

The registry's history writes texts as HTML, its API v2 as Markdown, and each has fields that the
other lacks. `align_forms` prepares two records of either source for comparison, so that only
differences in substance remain.

Does no I/O.
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
from ctsync.record.fields.field_types import Shape
from ctsync.record.fields.table import field_at, listing_at
from ctsync.record.history_form.html_to_markdown import BETWEEN_LISTS, to_markdown


class HistoryForm(StrEnum):
    """The markup in which the texts of a body are written."""

    MARKDOWN = "markdown"
    HTML = "html"


# TEXT fields of the table that v2 nevertheless writes as Markdown (measured)
_ALSO_MARKDOWN = frozenset((
    "protocolSection.statusModule.whyStopped",
    "protocolSection.referencesModule.seeAlsoLinks.label",
    "protocolSection.referencesModule.availIpds.comment",
))  # fmt: skip

# a MARKUP field of the table that v2 writes as plain text (measured)
_PLAIN = frozenset(("resultsSection.adverseEventsModule.timeFrame",))

# never in the registry's own differences between versions (47 recorded JSON Patches)
_NEVER_CARRIED = ("derivedSection",)
# in those differences, but absent from the recorded versions
_OFTEN_CARRIED = ("annotationSection", "documentSection")
_SELDOM_CARRIED = (
    "protocolSection.referencesModule.seeAlsoLinks",
    "protocolSection.referencesModule.references.retractions",
    "protocolSection.contactsLocationsModule.locations.geoPoint",
    "protocolSection.contactsLocationsModule.locations.countryCode",
)
# the registry reviewers' comments on a submission, which v2 never shows (47 JSON Patches)
_ONLY_IN_HISTORY = (
    "protocolSection.outcomesModule.primaryOutcomes.reviewUnit",
    "protocolSection.outcomesModule.secondaryOutcomes.reviewUnit",
    "protocolSection.outcomesModule.otherOutcomes.reviewUnit",
    "resultsSection.outcomeMeasuresModule.outcomeMeasures.reviewUnit",
)

_BACKSLASHES = re.compile(r"\\+([!-/:-@\[\]-`{-~]?)")
_MARKERS = re.compile(r"(?:(?:[-+*]|\d{1,9}[.)])(?:\s+|\Z))+")


def form_of(source: Source) -> HistoryForm:
    """Return the form of a stored body. A version known from both sources has the v2 body."""
    return HistoryForm.HTML if source is Source.HISTORY else HistoryForm.MARKDOWN


def readable(record: Record, form: HistoryForm) -> Record:
    """Return the record with its texts as v2 writes them; a Markdown record is unchanged."""
    if form is HistoryForm.MARKDOWN:
        return record
    return seal(_readable(record.body, ""))


def align_forms(
    before: Record, before_form: HistoryForm, after: Record, after_form: HistoryForm
) -> tuple[Record, Record]:
    """Return two records in one form, ready to be compared.

    If the forms differ, each text of the history body that has the same content as the v2 text
    is replaced by the v2 text. Its other texts are converted to Markdown. Fields that only one
    source carries are removed from both records.
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
    """Return whether two records differ in nothing except their form."""
    old, new = align_forms(before, before_form, after, after_form)
    return old.canonical == new.canonical


def may_lack(form: HistoryForm, path: str) -> bool:
    """Return whether bodies of a form may omit a path although the trial has a value there.

    If so, a missing value in such a body does not mean that the trial had none.
    """
    lacked = {
        HistoryForm.HTML: (*_NEVER_CARRIED, *_OFTEN_CARRIED, *_SELDOM_CARRIED),
        HistoryForm.MARKDOWN: _ONLY_IN_HISTORY,
    }
    return any(f"{path}.".startswith(f"{one}.") for one in lacked[form])


def text_content(text: str) -> str:
    """Return the content of a Markdown text without its layout.

    Two texts with equal results have the same content. Blanks, bullets, the punctuation after an
    item's number, and escaping backslashes are dropped. Words, numbers, other punctuation and
    letter case are kept.
    """
    *above, last = text.split("\n")
    if not above:
        return _line_content(last)
    # in Markdown a backslash at the end of a line is a line break, not text
    lines = [*(line.rstrip().rstrip("\\") for line in above), last]
    return " ".join(filter(None, map(_line_content, lines)))


def _line_content(line: str) -> str:
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
    # HTML numbers list items itself, so it does not distinguish "1)" from "1."
    numbers = [f"{marker[:-1]}." for marker in markers[0].split() if marker[0].isdigit()]
    return " ".join(filter(None, (*numbers, words[markers.end() :])))


def _unescaped(found: re.Match[str]) -> str:
    # a backslash typed by a sponsor is two in a Markdown text and one in a plain text
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


def _contents(value: Any) -> Any:
    """Return a copy of the value with every text replaced by its content."""
    match value:
        case dict():
            return {key: _contents(child) for key, child in value.items()}
        case list():
            return [_contents(item) for item in value]
        case str():
            return text_content(value)
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
    old, new = _matched(_WithContent(old, _contents(old)), _WithContent(new, _contents(new)), "")
    return seal(old), seal(new)


def _one_sided(html: JsonObject, markdown: JsonObject) -> list[str]:
    """Return the paths to leave out of the comparison because only one source carries them."""
    left_out = [path for path in _SELDOM_CARRIED if not _carries(html, path.split("."))]
    # The history omits these sections. If both bodies are of one submission, a missing section
    # is such an omission; if the v2 body is of a later submission, the section may be new.
    if key_fields(html).submitted == key_fields(markdown).submitted:
        left_out += [section for section in _OFTEN_CARRIED if section not in html]
    # a history body with hasResults but without results: the history omitted the section
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
    """Return a copy of a value without a path, and without the objects that this leaves empty."""
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


class _WithContent(NamedTuple):
    """A value, and the same value with every text replaced by its content."""

    value: Any
    content: Any

    def part(self, key: Any) -> _WithContent:
        return _WithContent(self.value[key], self.content[key])


def _matched(html: _WithContent, markdown: _WithContent, path: str) -> tuple[Any, Any]:
    """Return both values, with the texts of `html` as in `markdown` if their content is equal."""
    old, new = html.value, markdown.value
    if isinstance(old, dict) and isinstance(new, dict):
        return _matched_objects(html, markdown, path)
    if isinstance(old, list) and isinstance(new, list):
        return _matched_lists(html, markdown, path)
    same = isinstance(old, str) and isinstance(new, str) and html.content == markdown.content
    return (new if same else old), new


def _matched_objects(
    html: _WithContent, markdown: _WithContent, path: str
) -> tuple[JsonObject, JsonObject]:
    made: tuple[JsonObject, JsonObject] = {}, {}
    for key in html.value.keys() | markdown.value.keys():
        below = _below(path, key)
        if key in html.value and key in markdown.value:
            parts = _matched(html.part(key), markdown.part(key), below)
            made[0][key], made[1][key] = parts
        # An undeclared field that only one source has is dropped: it belongs to that source, not
        # to the trial. A declared field that only one side has is a difference.
        elif field_at(below).known:
            side, source = (made[0], html) if key in html.value else (made[1], markdown)
            side[key] = source.value[key]
    return made


def _matched_lists(
    html: _WithContent, markdown: _WithContent, path: str
) -> tuple[list[Any], list[Any]]:
    made = list(html.value), list(markdown.value)
    for i, j in align(html.content, markdown.content, listing_at(path)).pairs:
        made[0][i], made[1][j] = _matched(html.part(i), markdown.part(j), path)
    return made
