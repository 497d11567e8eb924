"""Text comparison: cosmetic edits and word-by-word differences.

The normal form is the same for both ways in which the registry writes a text, Markdown and HTML.
It drops entities, tags, escapes, bullets, numbering, blanks, quote marks, letter case and the
punctuation at the end of a line.

Does no I/O.
"""

from __future__ import annotations

import html
import re
import string
import unicodedata
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

_TAGS = re.compile(
    r"</?(?:p|ul|ol|li|br|b|i|u|em|strong|sub|sup|div|span|mark)\s*/?>", re.IGNORECASE
)
_ESCAPES = re.compile(r"\\([\\`*_{}\[\]()#+\-.!<>|~^&$=])")
_NUMBERING = re.compile(r"(?:(?:[-*+•·◦▪‣o]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s+)+")
_MARKS = str.maketrans({
    "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "´": "'", "`": "'",
    "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "\u00a0": " ", "\u200b": "", "\ufeff": "",
})  # fmt: skip
_WORD = re.compile(r"\S+\s*")
_SENTENCE_MARKS = re.compile(r"[.,;:]+(?=\s|\Z)")
# a word runs up to the next blank or mark, so that no accent is cut from its letter
_SIGNS = re.escape(string.punctuation + "‘’‚“”„–—‐‑−…•·≥≤±×→«»¿¡®™†‡（）、。，；：")
_TOKEN = re.compile(rf"(?:\d+(?:[.,]\d+)+|[^\s{_SIGNS}]+(?:['’][^\s{_SIGNS}]+)*|[{_SIGNS}])\s*")

_MOST_COMPARISONS = 10**8


def normal_form(text: str) -> str:
    """Return a text without markup and layout, the same for Markdown and HTML."""
    if "&" in text or "<" in text:
        text = _TAGS.sub("\n", html.unescape(text))
    text = without_escapes(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_MARKS)
    lines = (_plain_line(line) for line in text.casefold().splitlines())
    return " ".join(line for line in lines if line)


def without_escapes(text: str) -> str:
    """Return a Markdown text without the backslashes that keep its signs literal."""
    return _ESCAPES.sub(r"\1", text) if "\\" in text else text


def _plain_line(line: str) -> str:
    words = " ".join(line.split())
    numbering = _NUMBERING.match(words)
    if numbering:
        words = words[numbering.end() :]
    return words.rstrip(" .;,:")


def is_cosmetic(before: Any, after: Any) -> bool:
    """Return whether two different texts have the same words. False if either is no text.

    They have the same normal form, or differ in more only where lines break, or in the punctuation
    behind words.
    """
    if not (isinstance(before, str) and isinstance(after, str)):
        return False
    old, new = normal_form(before), normal_form(after)
    return (
        old == new
        or _without_sentence_marks(old) == _without_sentence_marks(new)
        or _without_sentence_marks(_unlined(before)) == _without_sentence_marks(_unlined(after))
    )


def cosmetic_difference(before: str, after: str) -> str:
    """Return what differs between two texts with the same words: "only letter case changed"."""
    if before.split() == after.split():
        return "only blanks or line breaks changed"
    if before.casefold() == after.casefold():
        return "only letter case changed"
    if _without_sentence_marks(before) == _without_sentence_marks(after):
        return "only punctuation or line breaks changed"
    return "only letter case, punctuation, blanks, numbering or markup changed"


def _without_sentence_marks(text: str) -> list[str]:
    """Return the words without the punctuation behind them; "1:1" and "0.5" stay as they are."""
    return _SENTENCE_MARKS.sub("", text).split()


def _unlined(text: str) -> str:
    """Return the normal form of a text as if it were one line."""
    return normal_form(" ".join(text.split()))


class Edit(StrEnum):
    """Whether a run of words was kept, deleted or inserted."""

    KEPT = "kept"
    DELETED = "deleted"
    INSERTED = "inserted"


class Segment(NamedTuple):
    """A run of words and its edit. Blanks belong to the word before them."""

    edit: Edit
    text: str

    @property
    def words(self) -> int:
        """The number of words."""
        return len(self.text.split())


def word_diff(before: str, after: str) -> list[Segment]:
    """Return the words kept, deleted and inserted between two texts, in reading order.

    Apart from blanks, the kept and deleted words make up the text before; the kept and inserted
    words make up the text after. If the differing middle is too long to compare word by word
    (about 10,000 words on each side), all of it is deleted and inserted.
    """
    return _compared(_WORD.findall(before), _WORD.findall(after))


def token_diff(before: str, after: str) -> list[Segment]:
    """Return the same as `word_diff`, with words, numbers and punctuation compared apart.

    "survival (PFS)," and "PFS" have the token PFS in common. If the texts differ only in blanks
    around punctuation, words are compared as `word_diff` does.
    """
    segments = _compared(_TOKEN.findall(before), _TOKEN.findall(after))
    is_equal = all(segment.edit is Edit.KEPT for segment in segments)
    if is_equal and before.split() != after.split():
        return word_diff(before, after)
    return _without_islands(segments)


def _compared(old: list[str], new: list[str]) -> list[Segment]:
    old_keys, new_keys = [w.rstrip() for w in old], [w.rstrip() for w in new]
    start = _common(old_keys, new_keys)
    end = _common(old_keys[start:][::-1], new_keys[start:][::-1])
    middle = (slice(start, len(old) - end), slice(start, len(new) - end))
    pieces = [
        (Edit.KEPT, new[:start]),
        *_middle(old[middle[0]], new[middle[1]], old_keys[middle[0]], new_keys[middle[1]]),
        (Edit.KEPT, new[len(new) - end :]),
    ]
    return [Segment(edit, "".join(words)) for edit, words in pieces if words]


def _without_islands(segments: Sequence[Segment]) -> list[Segment]:
    """Join two replacements that only punctuation separates: it is part of both texts."""
    found: list[Segment] = []
    for n, segment in enumerate(segments):
        if (
            len(found) > 1
            and _is_replacement(found[-2:])
            and segment.edit is Edit.KEPT
            and not any(map(str.isalnum, segment.text))
            and _is_replacement(segments[n + 1 : n + 3])
        ):
            found[-2:] = [Segment(edit, text + segment.text) for edit, text in found[-2:]]
        elif len(found) > 1 and _is_replacement(found[-2:]) and segment.edit is not Edit.KEPT:
            place = -2 if segment.edit is Edit.DELETED else -1
            found[place] = Segment(segment.edit, found[place].text + segment.text)
        else:
            found.append(segment)
    return found


def _is_replacement(pair: Sequence[Segment]) -> bool:
    return [segment.edit for segment in pair] == [Edit.DELETED, Edit.INSERTED]


def _common(old: list[str], new: list[str]) -> int:
    pairs = zip(old, new, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))


def _middle(
    old: list[str], new: list[str], old_keys: list[str], new_keys: list[str]
) -> Iterator[tuple[Edit, list[str]]]:
    if not old or not new or len(old) * len(new) > _MOST_COMPARISONS:
        yield Edit.DELETED, old
        yield Edit.INSERTED, new
        return
    from rapidfuzz.distance import Indel  # noqa: PLC0415 - as in align: slow to import

    deleted: list[str] = []
    inserted: list[str] = []
    for code in Indel.opcodes(old_keys, new_keys):
        if code.tag == "equal":
            yield from ((Edit.DELETED, deleted), (Edit.INSERTED, inserted))
            deleted, inserted = [], []
            yield Edit.KEPT, new[code.dest_start : code.dest_end]
        else:
            deleted += old[code.src_start : code.src_end]
            inserted += new[code.dest_start : code.dest_end]
    yield from ((Edit.DELETED, deleted), (Edit.INSERTED, inserted))
