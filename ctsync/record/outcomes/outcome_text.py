"""An outcome read into parts: what is measured, with what, as which metric, and when.

Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from ctsync.record.compare.text_diff import normal_form
from ctsync.record.outcomes.taxonomy import OutcomePlace
from ctsync.record.outcomes.timing import Times, normal_numbers, times_of
from ctsync.record.outcomes.vocabulary import FILLERS, INSTRUMENTS, METRICS, has_any, stem

_TOKEN = re.compile(r"[^\W\d_]+\d*[^\W_]*|\d+(?:\.\d+)?")
# a capital near the start of a word, and another or a digit after it
_SHORT_NAME = re.compile(r"\b(?=[A-Za-z0-9]{2,12}\b)[a-z0-9]{0,2}[A-Z][a-z]*[A-Z0-9][A-Za-z0-9]*")
_METRIC_PATTERNS = tuple((name, hints, re.compile(pattern)) for name, hints, pattern in METRICS)
_JOINED = re.compile(r"(?<=[a-z])-(?=[a-z0-9])|(?<=\d)-(?=[a-z])")
_DEFINITION = re.compile(
    r"\bdefin(?:ed|ition)|\bis the (?:time|proportion|number|percent)|\bwas the "
)
_METHOD = re.compile(
    r"(?:assess|measur|determin|evaluat|adjudicat|confirm|record|classif|grad|collect)\w* "
    r"(?:by|with|using|through|via|according|as|on|in|from)"
    r"|\busing\b|based on|according to|by means of"
)
_UNITS = re.compile(
    r"\b(?:mg|ml|mmol|mmhg|mm hg|kg|cm|mm|g|dl|l|iu|copies|points?|letters|meters?|%)\b"
)
_BOUND = re.compile(r"([<>]=|=[<>]|[<>≤≥])\s*(\d+(?:\.\d+)?)")
_SIGNS = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_COMPARES = ("<", ">", "≤", "≥")
_SMALL = frozenset(word for word in FILLERS if len(word) < 4) | {"with", "from"}
# only the start of a very long description is read; the registry allows 999 characters
_LONGEST = 4000


@dataclass(frozen=True)
class OutcomeText:
    """One outcome, read. Words are stems, times left out: `bag` has those of all fields, `words`
    those that are no fillers. Two entries with the same texts are equal, wherever they stand.

    Without slots, because what only some comparisons need is read when first asked for.
    """

    raw: tuple[str, str, str]
    measure: frozenset[str]
    description: frozenset[str]
    words: frozenset[str]
    bag: frozenset[str]
    numbers: frozenset[str]
    measure_times: Times
    frame_times: Times
    description_times: Times
    plain: tuple[str, str, str]
    sequence: tuple[str, ...]
    measure_length: int
    place: OutcomePlace | None = field(default=None, compare=False)

    @cached_property
    def metrics(self) -> frozenset[str]:
        """The kinds of metric and aggregation that any field names."""
        return _metrics(" ; ".join(self.plain))

    @cached_property
    def measure_metrics(self) -> frozenset[str]:
        """The kinds of metric and aggregation that the measure names."""
        return _metrics(self.plain[0])

    @cached_property
    def capitals(self) -> frozenset[str]:
        """The words that may be abbreviations, in lower case."""
        return frozenset(map(str.lower, _SHORT_NAME.findall(" ".join(self.raw))))

    @cached_property
    def says(self) -> str:
        """The measure and the description."""
        return f"{self.plain[0]} {self.plain[2]}"

    @cached_property
    def is_defined(self) -> bool:
        """Whether the outcome is defined in words."""
        return bool(_DEFINITION.search(self.says))

    @cached_property
    def names_method(self) -> bool:
        """Whether the outcome says how it is measured."""
        return bool(_METHOD.search(self.says))

    @cached_property
    def units(self) -> frozenset[str]:
        """The units of measure, times left out."""
        return frozenset(_UNITS.findall(self.says))

    @cached_property
    def initials(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """The words and their initials, with and without small words."""
        large = tuple(word for word in self.sequence if word not in _SMALL)
        return tuple(
            (words, "".join([word[0] for word in words])) for words in (self.sequence, large)
        )

    @cached_property
    def points(self) -> frozenset[float]:
        """Every time in days, from all fields."""
        return self.measure_times.points | self.frame_times.points | self.description_times.points

    @property
    def dates_and_periods(self) -> frozenset[str]:
        """The calendar dates and the recurring intervals ("every 8 weeks"), from all fields."""
        parts = (self.measure_times, self.frame_times, self.description_times)
        return frozenset().union(*(part.dates | part.periods for part in parts))

    @cached_property
    def bounds(self) -> frozenset[tuple[str, str]]:
        """The numbers after a comparison sign, each with the sign: ("50", ">=")."""
        text = " ; ".join(self.plain)
        if not has_any(text, _COMPARES):
            return frozenset()
        return frozenset((number, _SIGNS.get(sign, sign)) for sign, number in _BOUND.findall(text))

    @property
    def measure_sequence(self) -> tuple[str, ...]:
        """The words of the measure in reading order, fillers included."""
        return self.sequence[: self.measure_length]

    @property
    def instruments(self) -> frozenset[str]:
        """The words that name what the outcome is measured with."""
        return self.words & INSTRUMENTS


@dataclass(frozen=True, slots=True)
class _FieldText:
    """One field of an outcome, read: its words in reading order, and their stems, times left out.

    `content` has the stems that are no fillers.
    """

    plain: str
    times: Times
    sequence: tuple[str, ...]
    stems: tuple[str, ...]
    content: frozenset[str]


# the two versions of an outcome mostly differ in one field: the others are read once, not twice
@lru_cache(maxsize=64)
def _read_field(text: str) -> _FieldText:
    plain = normal_numbers(_JOINED.sub(" ", normal_form(text))) if text else ""
    times = times_of(plain)
    sequence = tuple(_TOKEN.findall(times.rest))
    stems = tuple([stem(word) for word in sequence])
    return _FieldText(plain, times, sequence, stems, _content(stems))


def read_outcome(outcome: Mapping[str, Any], place: OutcomePlace | None = None) -> OutcomeText:
    """Read an entry of an outcome list: measure, timeFrame, description. Any may be absent."""
    raw = (_text(outcome, "measure"), _text(outcome, "timeFrame"), _text(outcome, "description"))
    measure, frame, description = parts = [_read_field(text) for text in raw]
    every = (*measure.stems, *frame.stems, *description.stems)
    return OutcomeText(
        raw=raw,
        measure=measure.content,
        description=description.content,
        words=frozenset().union(*(part.content for part in parts)),
        bag=frozenset(every),
        numbers=frozenset([word for word in every if word[0].isdigit()]),
        measure_times=measure.times,
        frame_times=frame.times,
        description_times=description.times,
        plain=(measure.plain, frame.plain, description.plain),
        sequence=(*measure.sequence, *frame.sequence, *description.sequence),
        measure_length=len(measure.sequence),
        place=place,
    )


def measure_words(outcome: Mapping[str, Any]) -> frozenset[str]:
    """Return the stems of an entry's measure, times included: quicker than `read_outcome`."""
    words = _TOKEN.findall(_text(outcome, "measure").casefold())
    return _content([stem(word) for word in words])


def _text(outcome: Mapping[str, Any], key: str) -> str:
    value = outcome.get(key)
    return value[:_LONGEST] if isinstance(value, str) else ""


def _content(words: Iterable[str]) -> frozenset[str]:
    return frozenset([word for word in words if word not in FILLERS])


def _metrics(text: str) -> frozenset[str]:
    return frozenset(
        name
        for name, hints, pattern in _METRIC_PATTERNS
        if has_any(text, hints) and pattern.search(text)
    )
