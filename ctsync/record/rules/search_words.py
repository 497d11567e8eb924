"""The words of a text as a search compares them, and the searches for words.

A word is a run of letters and digits. Letter case and accents are ignored, so Ångström and angstrom
are the same word; so are ß and ss, and ø and o. HTML tags of old records are not words. Only the
first MOST_WORDS words of a text count, and of a word the first LONGEST_WORD bytes: PostgreSQL
limits what its index takes, and a search must give the same answer with and without the index.

    lung cancer        both words, in any order
    "lung cancer"      the words side by side
    immuno*            a word that begins so
    anti-PD-1          one word with punctuation is a phrase: anti, pd and 1 side by side

Does no I/O.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ctsync.errors import UsageError

MOST_WORDS = 10_000
LONGEST_WORD = 64
LONGEST_SEARCH = 1_000
"""The most characters of a value in a condition. SQLite limits the length of a pattern."""
MOST_SEARCHED = 50

_PLAIN_WORD = re.compile("[0-9a-z]+")
_TAG = re.compile(
    r"</?(?:p|br|li|ul|ol|dl|d[dt]|b|i|u|em|strong|su[bp]|div|span|pre|h\d|table|t[rdh])\b[^<>]*>",
    re.IGNORECASE,
)
_PIECE = re.compile(r'"([^"]*)"|([^\s"]+)')
_SIMPLE_LETTERS = str.maketrans(
    {
        "\u00e6": "ae", "\u00f0": "d", "\u00f8": "o", "\u00fe": "th", "\u0111": "d",
        "\u0127": "h", "\u0131": "i", "\u0142": "l", "\u0153": "oe",
    }
)  # fmt: skip
"""Letters that Unicode does not take apart."""
_SHORT = LONGEST_WORD // 4
"""The most characters that surely fit into LONGEST_WORD bytes."""


def fold(text: str) -> str:
    """Return a text in lower case without accents."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text).casefold()
    apart = unicodedata.normalize("NFKD", apart)
    return "".join(one for one in apart if not unicodedata.combining(one)).translate(
        _SIMPLE_LETTERS
    )


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text, in order."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    folded = fold(text)
    if folded.isascii():
        words = _PLAIN_WORD.findall(folded)
    else:
        words = "".join(one if _is_of_word(one) else " " for one in folded).split()
    return tuple(one if len(one) <= _SHORT else _cut(one) for one in words[:MOST_WORDS])


def _is_of_word(character: str) -> bool:
    # the vowel signs of Indic scripts are marks, and belong to their word
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _cut(word: str) -> str:
    return word.encode()[:LONGEST_WORD].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """Words that must stand side by side; with `is_prefix`, the last may be longer."""

    words: tuple[str, ...]
    is_prefix: bool = False

    @property
    def pattern(self) -> str:
        """The words as they occur in a text of words with a blank before and after each."""
        return f" {' '.join(self.words)}" + ("" if self.is_prefix else " ")


@dataclass(frozen=True, slots=True)
class WordSearch:
    """A search for words. A text matches if it has every term, in any order."""

    terms: tuple[SearchTerm, ...]

    def matches(self, words: Sequence[str]) -> bool:
        """Whether a text with these words matches."""
        spaced = f" {' '.join(words)} "
        return all(term.pattern in spaced for term in self.terms)


def parse_words(text: str) -> WordSearch:
    """Parse a search for words. Raises UsageError if it has none, too many, or an open quote."""
    if text.count('"') % 2:
        raise UsageError(f'{text!r} has a quote that is not closed; write "two words" or no quote')
    terms = [
        SearchTerm(words, is_prefix=plain.endswith("*"))
        for quoted, plain in _PIECE.findall(text)
        if (words := words_of(quoted or plain))
    ]
    if not terms:
        raise UsageError(f"{text!r} has no words: write letters or digits")
    if sum(len(term.words) for term in terms) > MOST_SEARCHED:
        raise UsageError(f"the text has too many words: a search takes at most {MOST_SEARCHED}")
    return WordSearch(tuple(terms))
