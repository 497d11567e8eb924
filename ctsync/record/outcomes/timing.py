"""Times in an outcome's text, wherever they stand: "6 weeks after", "Up to Day 42", "month 6".

Numbers are brought to days, so that 6 weeks and 42 days are equal, and 12 months, 52 weeks and
one year are. Does no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from ctsync.record.outcomes.vocabulary import NUMBER_WORDS, has_any

# months and years as they are counted in trials: 12 months, 52 weeks and 1 year are the same
_DAYS = {"min": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0, "m": 30.4, "y": 365.0}
_TOLERANCE = 0.04
# no real outcome has more; made-up texts must not take long
_MOST_TIMES = 100

_NUMBER = r"\d+(?:\.\d+)?"
_LIST = rf"{_NUMBER}(?:(?:\s*(?:,|;|-|to|and|or|&|/|through|until))+\s*{_NUMBER}){{0,30}}"
_UNITS = r"(?:min(?:ute)?s?|h(?:ou)?rs?|h|days?|d|weeks?|wks?|w|months?|mths?|mos?|years?|yrs?|y)"
_TIME = re.compile(
    rf"\b(?P<unit_first>min(?:ute)?s?|hours?|days?|d|weeks?|wks?|months?|years?|yrs?)\.?\s*"
    rf"(?P<after>{_LIST})\b(?!\s*(?:%|mg|ml|{_UNITS}\b))"
    rf"|(?<![\w.])(?P<before>{_LIST})\s*-?\s*(?P<unit_last>{_UNITS})\b"
)
_PERIODIC = re.compile(
    rf"\b(?:every|each|per)\s+(?:(?:{_NUMBER})\s*-?\s*)?{_UNITS}\b|\b(?:daily|weekly|monthly)\b"
)
_DATE = re.compile(
    r"\b(?:\d{1,2} )?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? (?:\d{1,2},? )?"
    r"((?:19|20)\d\d)\b"
)
# tests named for a duration are no times
_NAMED_TESTS = tuple(
    (hint, re.compile(pattern), name)
    for hint, pattern, name in (
        ("walk", (r"\b(?:6|six)[- ]?min(?:ute)?s?[- ]walk(?:ing)?"
                  r"(?:[- ](?:test|time|distance))?"), "6mwt"),
        ("6mwd", r"\b6mwd\b", "6mwt"),
        ("walk", r"\b(?:12|twelve)[- ]min(?:ute)?s?[- ]walk", "12mwt"),
        ("forced", (r"forced expiratory volume (?:in|at|during) (?:the )?(?:1|one|first)"
                    r"(?: ?s(?:ec(?:ond)?)?\b)?"), "fev1"),
        ("fev", r"\bfev ?1\b", "fev1"),
        ("24", r"\b24[- ]?h(?:ou)?r?s?[- ](?:urin\w+|ambulatory|holter)", "ambulatory"),
    )
)  # fmt: skip
_WORD_NUMBER = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b")
_ANY_CASE = re.compile(_WORD_NUMBER.pattern, re.IGNORECASE)
_ANCHORS = (
    ("baseline", ("baseline", "pretreatment", "predose", "screening", "day 0", "week 0")),
    ("randomization", ("randomi", "enrol", "initiation of")),
    ("progression", ("progress", "relapse", "recurrence")),
    ("death", ("death", "dead", "died")),
    ("discharge", ("discharge", "hospital")),
    ("end of study", ("end of stud", "end of the stud", "end of trial", "end of the trial", "eos",
                      "study completion", "study end", "study period", "study duration",
                      "study clos",
                      "duration of the", "duration of stud", "throughout", "entire study")),
    ("end of treatment", ("end of treat", "end of the treat", "end of therapy", "eot",
                          "during treat",
                          "treatment completion", "discontinuation", "treatment period")),
    ("surgery", ("surg", "operati", "procedure", "implant", "transplant")),
    ("cycle", ("cycle", "visit", "vaccinat", "dose", "injection")),
    ("follow-up", ("follow-up", "follow up", "followed", "followup")),
    ("cut-off", ("cut-off", "cutoff", "cut off", "censor")),
    ("event driven", ("event",)),
    ("up to", ("up to", "maximum", "upto")),
)  # fmt: skip
_SPLIT = re.compile(rf"{_NUMBER}")


@dataclass(frozen=True)
class Times:
    """The times of one text: points in days, calendar dates, recurring intervals; the other words.

    Without slots, because the anchors are searched for when first asked for.
    """

    text: str
    points: frozenset[float]
    dates: frozenset[str]
    periods: frozenset[str]
    rest: str

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The events that the text names as times: baseline, progression, discharge."""
        return frozenset(name for name, words in _ANCHORS if has_any(self.text, words))

    @property
    def horizon(self) -> float:
        """The latest point in days, 0 if there is none."""
        return max(self.points, default=0.0)


def normal_numbers(text: str) -> str:
    """Return a plain text with number words as digits, decimal points, and named tests joined."""
    text = _WORD_NUMBER.sub(_as_digits, text)
    if "," in text:
        text = _DECIMAL_COMMA.sub(".", text)
    for hint, pattern, name in _NAMED_TESTS:
        if hint in text:
            text = pattern.sub(name, text)
    return text


def with_digits(text: str) -> str:
    """Return a text with number words as digits, in any letter case."""
    return _ANY_CASE.sub(_as_digits, text)


def _as_digits(found: re.Match[str]) -> str:
    return NUMBER_WORDS[found.group().lower()]


def times_of(text: str) -> Times:
    """Read the times of a text in normal form with `normal_numbers`."""
    if not text:
        return _NONE
    periods, dates, points, rest = _NOTHING, _NOTHING, set[float](), text
    if has_any(text, _PERIOD_HINTS):
        periods = frozenset(" ".join(found.group().split()) for found in _PERIODIC.finditer(text))
        rest = _PERIODIC.sub(" ", text)
    if _DIGIT.search(rest):
        if _YEAR.search(rest):
            dates = frozenset(" ".join(found.groups()) for found in _DATE.finditer(rest))
            rest = _DATE.sub(" ", rest)
        rest = _TIME.sub(lambda found: _taken(found, points), rest)
    return Times(text, frozenset(points), dates, periods, rest)


_NOTHING: frozenset[str] = frozenset()
_NONE = Times("", frozenset(), _NOTHING, _NOTHING, "")
_DIGIT = re.compile(r"\d")
_YEAR = re.compile(r"(?:19|20)\d\d")
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d{1,2}(?!\d))")
_PERIOD_HINTS = ("every", "each", "per ", "ly")


def _taken(found: re.Match[str], points: set[float]) -> str:
    """Add the points of a time, and return what stands for it in the rest of the text."""
    if len(points) < _MOST_TIMES:
        points.update(_points(found))
    return " "


def _points(found: re.Match[str]) -> list[float]:
    unit = found["unit_first"] or found["unit_last"]
    days = _DAYS["min"] if unit.startswith("min") else _DAYS[unit[0]]
    numbers = _SPLIT.findall(found["after"] or found["before"])
    return [round(float(number) * days, 3) for number in numbers[:_MOST_TIMES] if len(number) < 7]


def missing_points(points: frozenset[float], others: frozenset[float]) -> list[float]:
    """Return the points, day 0 aside, that are not among the others within 4 %."""
    if not points or points <= others:
        return []
    return [
        point
        for point in sorted(points)
        if point > 0 and not any(abs(point - other) <= _TOLERANCE * point for other in others)
    ]
