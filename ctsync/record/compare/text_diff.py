"""When two texts say the same in other letters, and what differs word by word; pure, no I/O.

The normal form is common to the registry's two ways of writing a text, Markdown and HTML:
entities, tags, escapes, bullets, numbering, blanks, quote marks, letter case and the full stop
at the end of a line are taken away. What is left is what the text says.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from rapidfuzz.distance import Indel

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

_MOST_COMPARISONS = 10**8


def normal_form(text: str) -> str:
    """What a text says, whichever way the registry wrote it down."""
    if "&" in text or "<" in text:
        text = _TAGS.sub("\n", html.unescape(text))
    if "\\" in text:
        text = _ESCAPES.sub(r"\1", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_MARKS)
    lines = (_plain_line(line) for line in text.casefold().splitlines())
    return " ".join(line for line in lines if line)


def _plain_line(line: str) -> str:
    words = " ".join(line.split())
    numbering = _NUMBERING.match(words)
    if numbering:
        words = words[numbering.end() :]
    return words.rstrip(" .;,:")


def is_cosmetic(before: Any, after: Any) -> bool:
    """Whether two different texts say the same."""
    if not (isinstance(before, str) and isinstance(after, str)):
        return False
    return normal_form(before) == normal_form(after)


class Edit(StrEnum):
    """What became of a run of words."""

    KEPT = "kept"
    DELETED = "deleted"
    INSERTED = "inserted"


class Segment(NamedTuple):
    """A run of words with what became of it; blanks between words belong to the word before."""

    edit: Edit
    text: str

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.text.split())


def word_diff(before: str, after: str) -> list[Segment]:
    """How one text becomes the other: words kept, deleted, inserted, in order of reading.

    Kept and deleted words make the text before, kept and inserted ones the text after, blanks
    aside. Two texts that are too long to be compared word by word (from about 10,000 words each
    that differ) have everything between their common beginning and end deleted and inserted.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
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
