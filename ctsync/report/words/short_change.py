"""The change of a field without figures, in a few words with a verb. Does no I/O.

The words come from the stored values of an event, not from its summary, so that events stored by
an earlier version read the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ctsync.model import Category, Event, Kind
from ctsync.record.compare.text_diff import Edit, token_diff
from ctsync.record.enum_words import item_words
from ctsync.record.events.other import REMOVED_COUNTRY
from ctsync.record.events.results import HAS_RESULTS, SECTION
from ctsync.record.fields.field_types import Shape
from ctsync.record.fields.table import field_at, field_of, items_of, listing_at
from ctsync.record.value_text import NOTHING, counted, listed, quoted, said

_COUNTS = (("added", "added"), ("removed", "removed"), ("edited", "changed"))
_LONGEST = 60
"""Most characters of a change with its values; a longer one shows no values."""
_GIVEN = frozenset({Shape.DATE, Shape.ENUM, Shape.BOOL, Shape.NUMBER, Shape.COUNT})
"""Shapes of values that a record gives; texts are added and removed."""
_EDITED = {Edit.DELETED: "removed", Edit.INSERTED: "added"}
_NAME = 50
"""Most characters of the name of a list item."""
_FEW_EDITS = 32
"""Most characters of edited words that are shown."""
_COMPARED = 600
"""Longest text that is compared word by word."""
_SAID_BY_SUMMARY = frozenset({SECTION, HAS_RESULTS, REMOVED_COUNTRY})
"""Fields whose summaries are phrases already: "Results first posted (2026-02-03)"."""
_BETWEEN = " | "
_NAMING_KEYS = ("name", "measure", "label", "filename")
_PLURAL = frozenset(
    {
        "arm", "citation", "collaborator", "condition", "contact", "description", "document",
        "frame", "intervention", "keyword", "label", "link", "measure", "name", "official",
        "outcome", "text", "type",
    }
)  # fmt: skip
"""Last words of the labels that have a plural with "s"."""


class ShortChange(NamedTuple):
    """The parts of a phrase: `Arm description` + ` of "Placebo"` + `edited` + `: "a" -> "b"`."""

    label: str
    item: str
    verb: str
    values: str

    @property
    def phrase(self) -> str:
        """The parts in their order."""
        return f"{self.label}{self.item}{self.verb and ' '}{self.verb}{self.values}".strip()

    def of_several(self, number: int) -> str:
        """Return the same change of several list items; names the first, empty if of no item."""
        if not (self.item or self.is_item) or not (name := _plural(self.label)):
            return ""
        # a label in capitals keeps them: "3 IPD documents added"
        name = name if name[1:2].isupper() else name[:1].lower() + name[1:]
        first = self.item.removeprefix(" of ") or self.values.removeprefix(": ")
        others = counted(number - 1, "other")
        return f"{number:,} {name} {self.verb or 'changed'} ({first} and {others})"

    @property
    def is_item(self) -> bool:
        """Whether the change is a list item itself, such as one added or removed."""
        is_entry = self.verb in _ENTRY_VERBS.values()
        ends = ("added", "removed", "dropped", "replaced")
        return not self.item and (is_entry or self.verb.endswith(ends))


def short_change(event: Event) -> ShortChange:
    """Return the change in a few words."""
    field = field_of(event.path)
    has_values = event.before is not None or event.after is not None
    if field in _SAID_BY_SUMMARY or not (event.path and has_values):
        return _summary(event)
    if event.category is Category.UNKNOWN:
        name = said(field.rpartition(".")[2], _NAME)
        return ShortChange("Field unknown to ctsync", "", "changed", f": {name}")
    if event.kind is Kind.OUTCOME and (found := _outcome(event)):
        return found
    if event.path.endswith('"]') or _is_summed(event):
        return _of_list(event)
    if event.kind is Kind.WHY_STOPPED:
        return _reason(event)
    item = _of_item(event)
    verb, values = _what(event, len(event.label) + len(item))
    doubt = _DOUBT if event.inputs.get("change") == "unresolved" else ""
    return ShortChange(event.label, item, verb, f"{values}{doubt}")


def _summary(event: Event) -> ShortChange:
    told = " ".join(event.summary.split())
    head = told if len(told) <= _LONGEST else told.partition(": ")[0]
    is_said = head != event.label and 0 < len(head) <= _LONGEST
    return ShortChange("", "", head if is_said else f"{event.label} changed", "")


def _reason(event: Event) -> ShortChange:
    verb, values = _what(event, 0)
    verb = {"added": "given", "": "changed"}.get(verb, verb)
    return ShortChange("Reason for stopping", "", verb, values)


# --- values -------------------------------------------------------------------------------------


def _what(event: Event, taken: int) -> tuple[str, str]:
    """Return what happened to a value, and the values if they are short."""
    nature = event.inputs.get("nature")
    if nature == "order":
        return "in another order", ""
    if nature == "cosmetic":
        return "changed in form only", ""
    if nature == "wording":
        return "reworded", ""
    before, after = event.before, event.after
    if before is None or after is None:
        return _one_sided(before, after, event, taken)
    sides = f"{_value(before, event)} -> {_value(after, event)}"
    is_text = isinstance(before, str) and isinstance(after, str)
    if _is_short(sides, taken) or _is_given(event):
        return "", f": {sides}"
    return _edited(before, after, event) if is_text else ("changed", "")


def _one_sided(before: Any, after: Any, event: Event, taken: int) -> tuple[str, str]:
    value = _value(after if before is None else before, event)
    if _is_given(event):
        if before is None:
            return "now given", f": {value}"
        return "no longer given", f" (was {value})"
    if not _is_short(value, taken):
        text = after if before is None else before
        is_name = field_at(field_of(event.path)).shape is Shape.TEXT and isinstance(text, str)
        value = cut_name(text) if is_name else ""
    return "added" if before is None else "removed", f": {value}" if value else ""


def _is_given(event: Event) -> bool:
    return field_at(field_of(event.path)).shape in _GIVEN


def _value(value: Any, event: Event) -> str:
    field = field_of(event.path)
    is_date = field_at(field).shape is Shape.DATE
    return (said if is_date else quoted)(value, _LONGEST, field=field)


def _is_short(values: str, taken: int) -> bool:
    return taken + len(values) <= _LONGEST and "… (+" not in values and values != NOTHING


def _edited(before: str, after: str, event: Event) -> tuple[str, str]:
    """The verb of an edited text, with the edited words if they are few, else their number."""
    # another organization, even if the two names have words in common
    if event.kind is Kind.SPONSOR or ".organization." in event.path:
        return f"changed to {cut_name(after)}", ""
    if max(len(before), len(after)) <= _COMPARED and (words := _few_edits(before, after)):
        return "edited", f": {words}"
    removed, added = (event.inputs.get(key) or 0 for key in ("words_removed", "words_added"))
    kept = len(before.split()) - removed
    told = [
        f"{counted(removed, 'word')} removed" if removed else "",
        f"{counted(added, 'word')} added" if added else "",
    ]
    if min(removed, added) <= kept and removed + added:
        return "edited", f" ({listed(told)})"
    if field_at(field_of(event.path)).shape is Shape.TEXT or not removed + added:
        return f"changed to {cut_name(after)}", ""
    return "rewritten", f" ({listed(told)})"


def _few_edits(before: str, after: str) -> str:
    """The edited words, if the edit is in one place and they are few; else nothing."""
    segments = token_diff(before, after)
    at = [n for n, segment in enumerate(segments) if segment.edit is not Edit.KEPT]
    texts = [said(" ".join(segments[n].text.split())) for n in at]
    if not at or at[-1] - at[0] >= len(at) or len("".join(texts)) > _FEW_EDITS:
        return ""
    if len(at) > 1:
        return " -> ".join(f'"{text}"' for text in texts)
    return f'"{texts[0]}" {_EDITED[segments[at[0]].edit]}'


# --- list items ---------------------------------------------------------------------------------


def _of_item(event: Event) -> str:
    """Return the list item that a value belongs to; empty if it belongs to none."""
    name = item_name(event.path)
    if not name:
        return ""
    return f"{' ' if ' of the ' in event.label else ' of '}{name}"


def item_name(path: str) -> str:
    """The quoted name of the outermost list item in a path; empty if it has none."""
    for field, item in items_of(path):
        keys = listing_at(field).key
        parts = item_words(item, field).split(_BETWEEN)
        named = [n for n, key in enumerate(keys) if key in _NAMING_KEYS]
        at = named[0] if named and len(parts) == len(keys) else 0
        name = parts[at] if len(parts) == len(keys) else _BETWEEN.join(parts)
        return cut_name(name)
    return ""


def cut_name(text: str, width: int = _NAME) -> str:
    """A name in quotes, cut at a word."""
    # a quote inside the name would look like its end
    line = said(text, 4 * width).replace('"', "'")
    if len(line) > width:
        line = (line[:width].rpartition(" ")[0] or line[:width]).rstrip(" ,;:.-–(/") + "…"
    return f'"{line}"'


def _reordered(event: Event) -> ShortChange:
    return ShortChange(_plural(event.label) or event.label, "", "in another order", "")


def _plural(label: str) -> str:
    """A label in the plural; empty if it has none with "s"."""
    has_plural = label.rpartition(" ")[2].lower() in _PLURAL and " of the " not in label
    return f"{label}s" if has_plural else ""


def _is_summed(event: Event) -> bool:
    return any(key in event.inputs for key in ("added", "removed", "edited", "leaves"))


def _of_list(event: Event) -> ShortChange:
    """A list item that was added or removed, or the changes of a list that is summed."""
    inputs, before, after = event.inputs, event.before, event.after
    if inputs.get("nature") == "order":
        return _reordered(event)
    counts = [(inputs.get(key) or 0, verb) for key, verb in _COUNTS]
    if any(number for number, _ in counts):
        told = listed([f"{number:,} {verb}" for number, verb in counts if number])
        return ShortChange(event.label, "", "", f": {told}")
    if _is_summed(event) and not event.path.endswith('"]'):
        return ShortChange(event.label, _of_item(event), *_what(event, len(event.label)))
    if before is not None and after is not None:
        return ShortChange(event.label, f" {item_name(event.path)}", *_what(event, _NAME))
    verb = "added" if before is None else "removed"
    item = after if before is None else before
    field = field_of(event.path)
    name = said(item, 4 * _NAME, field=field)
    shown = quoted(item, _NAME, field=field) if len(name) <= _NAME else cut_name(name)
    if " of the " in event.label:  # the list of an arm: the arm is the item
        return ShortChange(event.label, _of_item(event), verb, f": {shown}")
    return ShortChange(event.label, "", verb, f": {shown}")


# --- outcomes -----------------------------------------------------------------------------------


def _outcome(event: Event) -> ShortChange | None:
    """An outcome that was added, dropped, replaced or moved, or changed in more than one field.

    None if one of its fields changed.
    """
    what, label = event.inputs.get("change"), event.label
    if what == "reordered":
        return _reordered(event)
    if what in {"promoted", "demoted"}:
        ranks = f"{what} from {event.inputs.get('from_rank')} to {event.inputs.get('to_rank')}"
        measure = _measure(event.after if event.before is None else event.before)
        return ShortChange("Outcome", "", ranks, f": {measure}")
    if what == "replaced":
        sides = (_measure(side, _NAME // 2) for side in (event.before, event.after))
        return ShortChange(label, "", what, f": {' -> '.join(sides)}")
    return _outcome_entry(event, what)


_ENTRIES = frozenset({"added", "dropped", "duplicate added", "duplicate removed",
                      "time frame added", "time frame dropped"})  # fmt: skip


def _outcome_entry(event: Event, what: Any) -> ShortChange | None:
    entry = event.after if event.before is None else event.before
    if what in _ENTRIES:
        return ShortChange(event.label, "", str(what), f": {_entry(entry, what)}")
    if not isinstance(entry, dict):
        return None
    if what == "unresolved" and None in (event.before, event.after):
        verb = "perhaps dropped" if event.after is None else "perhaps added"
        return ShortChange(event.label, "", verb, f": {_measure(entry)}")
    verb = _ENTRY_VERBS.get(what, "")
    return ShortChange(event.label, "", verb, f": {_measure(entry)}") if verb else None


_ENTRY_VERBS = {
    "part dropped": "partly dropped",
    "part demoted": "partly demoted",
    "part added": "extended",
    "part promoted": "extended by a secondary outcome",
    "measurement changed": "measured otherwise",
    "metric changed": "with another metric",
    "time frame changed": "with another time frame",
    "detail added": "described in more detail",
    "reworded": "reworded",
    "cosmetic": "changed in form only",
    "unresolved": "perhaps changed in substance",
    "split": "split",
    "merged": "merged",
}
_DOUBT = " (perhaps in substance)"


def _entry(outcome: Any, what: str) -> str:
    """The measure of an outcome, with its time frame if that was added or dropped."""
    frame = outcome.get("timeFrame") if isinstance(outcome, dict) else None
    if not (what.startswith("time frame") and frame):
        return _measure(outcome)
    return f"{_measure(outcome, _NAME // 2)} at {cut_name(said(frame), _NAME // 2)}"


def _measure(outcome: Any, width: int = _NAME) -> str:
    measure = outcome.get("measure") if isinstance(outcome, dict) else outcome
    return cut_name(said(measure, 4 * width), width)
