"""Conditions on the fields of a record, and on text that a version keeps beside it. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctsync.errors import UsageError
from ctsync.model import MISSING, JsonObject
from ctsync.record.fields.lookup import value_at
from ctsync.record.rules.conditions import ConditionField, FieldCondition
from ctsync.record.rules.search_words import WordSearch, fold, parse_words, words_of


def record_items(body: JsonObject, term: ConditionField) -> list[str]:
    """Return the texts of a record field, each once, in the order of the record.

    A value that is not a text, or blank, is left out.
    """
    found: dict[str, None] = {}
    for path in term.paths:
        value = value_at(body, path)
        for item in _items(value):
            found.setdefault(item)
    return list(found)


def _items(value: object) -> Iterator[str]:
    if value is MISSING:
        return
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item.strip():
            yield item


@dataclass(frozen=True, slots=True)
class RecordCondition:
    """A condition on a record field, prepared for many records.

    `equals` are the words of the values that an item must have, `searches` those it must contain.
    `takes_none`: a record without an item meets it.
    """

    condition: FieldCondition
    equals: frozenset[tuple[str, ...]]
    searches: tuple[WordSearch, ...]
    takes_none: bool

    @classmethod
    def of(cls, condition: FieldCondition) -> RecordCondition:
        """Prepare a condition."""
        texts = [str(value) for value in condition.values if value is not None]
        has_words = condition.operator == "~"
        return cls(
            condition,
            equals=frozenset() if has_words else frozenset(map(words_of, texts)),
            searches=tuple(map(parse_words, texts)) if has_words else (),
            takes_none=None in condition.values,
        )

    def matching(self, items: Sequence[str]) -> list[str]:
        """Return the items that have a value of the condition, whether or not it is negated."""
        return [item for item in items if self._has(words_of(item))]

    def holds(self, items: Sequence[str]) -> bool:
        """Whether a record with these items meets the condition."""
        found = (self.takes_none and not items) or any(self._has(words_of(one)) for one in items)
        return found is not self.condition.denies

    def _has(self, words: tuple[str, ...]) -> bool:
        return words in self.equals or any(search.matches(words) for search in self.searches)


@dataclass(frozen=True, slots=True)
class KeyTextCondition:
    """A condition `~` on a key field: the text as typed, or all its words."""

    denies: bool
    texts: tuple[str, ...]
    searches: tuple[WordSearch, ...]

    @classmethod
    def of(cls, condition: FieldCondition) -> KeyTextCondition:
        """Prepare a condition with the operator ~."""
        texts = [str(value) for value in condition.values]
        searches = (_search(text) for text in texts)
        return cls(
            condition.denies,
            tuple(map(fold, texts)),
            tuple(search for search in searches if search is not None),
        )

    def holds(self, value: str | None) -> bool:
        """Whether a version with this value meets the condition."""
        return self._has(value) is not self.denies

    def _has(self, value: str | None) -> bool:
        if value is None:
            return False
        folded = fold(value)
        if any(text in folded for text in self.texts):
            return True
        words = words_of(value)
        return any(search.matches(words) for search in self.searches)


def _search(text: str) -> WordSearch | None:
    try:
        return parse_words(text)
    except UsageError:
        return None  # not words: only the text as typed counts
