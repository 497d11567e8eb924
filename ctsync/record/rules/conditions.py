"""Conditions on the fields of a version, as people type them.

A condition is one word, FIELD OPERATOR VALUE: status=SUSPENDED, enrollment>100,
primary_completion<2020-01, sponsor~novartis, phase=PHASE2, has_results=yes, condition~cancer.

    =  !=      equal to the value, or not; a date is equal to every day within it, so start=2020
               matches any day of that year
    <  <=      less than, at most; a partial date is compared as the whole month or year
    >  >=      greater than, at least
    ~  !~      has all the words in any order, or not (see `search_words`); a key field also matches
               if it contains the text as typed; letter case and accents are ignored

Most fields are key fields, which a version keeps beside its record. Record fields are read from
the record (`record_search`). They are lists: one item that meets the condition is enough, and `=`
ignores punctuation.

A condition may list several values, `status=SUSPENDED|TERMINATED`; any one of them is enough.
`none` matches a field without a value. A negated condition (!= and !~) holds exactly when the
plain one does not, so also for a field without a value.

Does no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ctsync.dates import PartialDate
from ctsync.errors import UsageError
from ctsync.model import State
from ctsync.record.rules.search_words import LONGEST_SEARCH, parse_words, words_of
from ctsync.text import nearest_words

Value = str | int | bool | PartialDate | None


class ValueType(StrEnum):
    """The type of a field's value, which decides the operators it takes."""

    WORD = "word"
    WORDS = "words"
    TEXT = "text"
    DATE = "date"
    COUNT = "count"
    FLAG = "flag"


_ORDER = ("<", "<=", ">", ">=")
_OPERATORS: dict[ValueType, tuple[str, ...]] = {
    ValueType.WORD: ("=", "!=", "~", "!~"),
    ValueType.WORDS: ("=", "!="),
    ValueType.TEXT: ("=", "!=", "~", "!~"),
    ValueType.DATE: ("=", "!=", *_ORDER),
    ValueType.COUNT: ("=", "!=", *_ORDER),
    ValueType.FLAG: ("=", "!="),
}

_STATUSES = (
    "RECRUITING", "NOT_YET_RECRUITING", "ACTIVE_NOT_RECRUITING", "ENROLLING_BY_INVITATION",
    "COMPLETED", "SUSPENDED", "TERMINATED", "WITHDRAWN", "UNKNOWN", "AVAILABLE",
    "NO_LONGER_AVAILABLE", "TEMPORARILY_NOT_AVAILABLE", "APPROVED_FOR_MARKETING", "WITHHELD",
)  # fmt: skip
_TYPES = ("ESTIMATED", "ACTUAL")
_PHASES = ("NA", "EARLY_PHASE1", "PHASE1", "PHASE2", "PHASE3", "PHASE4")
_STUDY_TYPES = ("INTERVENTIONAL", "OBSERVATIONAL", "EXPANDED_ACCESS")
_CLASSES = (
    "NIH", "FED", "OTHER_GOV", "INDIV", "INDUSTRY", "NETWORK", "AMBIG", "OTHER", "UNKNOWN",
)  # fmt: skip
_INTERVENTION_TYPES = (
    "BEHAVIORAL", "BIOLOGICAL", "COMBINATION_PRODUCT", "DEVICE", "DIAGNOSTIC_TEST",
    "DIETARY_SUPPLEMENT", "DRUG", "GENETIC", "PROCEDURE", "RADIATION", "OTHER",
)  # fmt: skip
_OLD_VALUES = {
    "ANTICIPATED": "ESTIMATED",
    "UNKNOWN_STATUS": "UNKNOWN",
    "N_A": "NA",
    "NOT_APPLICABLE": "NA",
}
"""Values as the registry's pages, old or new, write them, and as the API does."""


@dataclass(frozen=True, slots=True)
class ConditionField:
    """A field that a condition may name.

    `field` is an attribute of KeyFields, "nct_id" or "state". `words` are its known values; empty
    if it takes any value. A record field has its `paths` in the record, and a letter `code` for the
    text index. `is_long`: its texts are too long to be shown in an answer. `is_prose`: they are
    sentences, not names. `is_repeated`: it has few different texts, each in many records.
    """

    name: str
    field: str
    sort: ValueType
    words: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    code: str = ""
    is_long: bool = False
    is_prose: bool = False
    is_repeated: bool = False

    @property
    def is_of_record(self) -> bool:
        """Whether the record has its values; otherwise the version has."""
        return bool(self.paths)


def _of_record(
    code: str,
    name: str,
    *paths: str,
    words: tuple[str, ...] = (),
    is_long: bool = False,
    is_prose: bool = False,
    is_repeated: bool = False,
) -> ConditionField:
    return ConditionField(
        name,
        name,
        ValueType.WORD if words else ValueType.TEXT,
        words,
        paths=tuple(f"protocolSection.{path}" for path in paths),
        code=code,
        is_long=is_long,
        is_prose=is_prose,
        is_repeated=is_repeated or bool(words),
    )


_ARMS, _SITES = "armsInterventionsModule", "contactsLocationsModule.locations"
_PARTIES, _OUTCOMES = "sponsorCollaboratorsModule", "outcomesModule"
RECORD_TERMS: tuple[ConditionField, ...] = (
    _of_record("a", "condition", "conditionsModule.conditions"),
    _of_record("b", "keyword", "conditionsModule.keywords"),
    _of_record(
        "c", "intervention", f"{_ARMS}.interventions.name", f"{_ARMS}.interventions.otherNames"
    ),
    _of_record("d", "intervention_type", f"{_ARMS}.interventions.type", words=_INTERVENTION_TYPES),
    _of_record("e", "collaborator", f"{_PARTIES}.collaborators.name"),
    _of_record("f", "sponsor_class", f"{_PARTIES}.leadSponsor.class", words=_CLASSES),
    _of_record("g", "country", f"{_SITES}.country", is_repeated=True),
    _of_record("h", "city", f"{_SITES}.city", is_repeated=True),
    _of_record("i", "facility", f"{_SITES}.facility"),
    _of_record(
        "j", "eligibility", "eligibilityModule.eligibilityCriteria", is_long=True, is_prose=True
    ),
    _of_record(
        "k",
        "outcome",
        *(f"{_OUTCOMES}.{rank}Outcomes.measure" for rank in ("primary", "secondary", "other")),
        is_prose=True,
    ),
)
"""The record fields. A code is stored in the index: never give it to another field."""


TERMS: tuple[ConditionField, ...] = (
    ConditionField("status", "status", ValueType.WORD, _STATUSES),
    ConditionField("last_known_status", "last_known_status", ValueType.WORD, _STATUSES),
    ConditionField("why_stopped", "why_stopped", ValueType.TEXT),
    ConditionField("start", "start_date", ValueType.DATE),
    ConditionField("start_type", "start_date_type", ValueType.WORD, _TYPES),
    ConditionField("primary_completion", "primary_completion_date", ValueType.DATE),
    ConditionField(
        "primary_completion_type", "primary_completion_date_type", ValueType.WORD, _TYPES
    ),
    ConditionField("completion", "completion_date", ValueType.DATE),
    ConditionField("completion_type", "completion_date_type", ValueType.WORD, _TYPES),
    ConditionField("enrollment", "enrollment", ValueType.COUNT),
    ConditionField("enrollment_type", "enrollment_type", ValueType.WORD, _TYPES),
    ConditionField("phase", "phases", ValueType.WORDS, _PHASES),
    ConditionField("study_type", "study_type", ValueType.WORD, _STUDY_TYPES),
    ConditionField("sponsor", "lead_sponsor", ValueType.TEXT),
    ConditionField("org_id", "org_study_id", ValueType.TEXT),
    ConditionField("title", "brief_title", ValueType.TEXT),
    ConditionField("verified", "verified", ValueType.DATE),
    ConditionField("first_submitted", "first_submitted", ValueType.DATE),
    ConditionField("first_posted", "first_posted", ValueType.DATE),
    ConditionField("submitted", "submitted", ValueType.DATE),
    ConditionField("posted", "posted", ValueType.DATE),
    ConditionField("results_first_posted", "results_first_posted", ValueType.DATE),
    ConditionField("has_results", "has_results", ValueType.FLAG),
    ConditionField("nct", "nct_id", ValueType.TEXT),
    ConditionField("state", "state", ValueType.WORD, tuple(state.value.upper() for state in State)),
    *RECORD_TERMS,
)
"""Every field a condition may name. The name of `field`, as in a version's JSON, works too."""

_BY_NAME = {term.field: term for term in TERMS} | {term.name: term for term in TERMS}
_OTHER_NAMES = {
    "conditions": "condition",
    "disease": "condition",
    "keywords": "keyword",
    "interventions": "intervention",
    "drug": "intervention",
    "collaborators": "collaborator",
    "lead_sponsor_class": "sponsor_class",
    "countries": "country",
    "cities": "city",
    "facilities": "facility",
    "site": "facility",
    "criteria": "eligibility",
    "eligibility_criteria": "eligibility",
    "outcomes": "outcome",
    "outcome_measure": "outcome",
    "endpoint": "outcome",
}
MOST_VALUES = 100
"""The most values of one condition: SQLite limits the depth of an expression."""
_SHAPE = re.compile(r"\s*([^=!<>~]*?)\s*(!=|!~|<=|>=|=|~|<|>)(.*)", re.DOTALL)
_FLAGS = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """One parsed condition. It holds if any of `values` matches; with `denies`, if none does.

    `operator` is one of = < <= > >= ~. None in `values` matches a field without a value.
    """

    term: ConditionField
    operator: str
    values: tuple[Value, ...]
    denies: bool = False


def read_condition(text: str) -> FieldCondition:
    """Parse one condition. Raises UsageError, with the correct form in its message."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text!r} is not a condition: write FIELD, an operator and a value without blanks, as "
            "in status=SUSPENDED or 'enrollment>100'"
        )
    name, operator, wanted = found.groups()
    term = _term(name)
    if operator not in _OPERATORS[term.sort]:
        takes = " ".join(_OPERATORS[term.sort])
        raise UsageError(f"{term.name} takes {takes}, not {operator}")
    given = _alternatives(wanted) if term.is_of_record else wanted.split("|")
    if len(given) > MOST_VALUES:
        raise UsageError(f"{term.name}: {len(given):,} values; a condition takes {MOST_VALUES}")
    values = tuple(_value(term, one.strip(), operator) for one in given)
    if None in values and operator not in ("=", "!="):
        raise UsageError(f"{term.name}: none takes = and !=, not {operator}")
    return FieldCondition(term, operator.removeprefix("!"), values, denies=operator[0] == "!")


def _term(name: str) -> ConditionField:
    word = re.sub(r"[\s-]+", "_", name.strip().lower())
    word = _OTHER_NAMES.get(word, word)
    if word in _BY_NAME:
        return _BY_NAME[word]
    close = nearest_words(word, _BY_NAME, likeness=0.5)
    close = close or [_OTHER_NAMES[one] for one in nearest_words(word, _OTHER_NAMES, likeness=0.7)]
    said = f"did you mean {_BY_NAME[close[0]].name}?" if close else f"fields: {field_names()}"
    raise UsageError(f"there is no field {name.strip()!r}; {said}")


def field_named(name: str) -> str:
    """Return the attribute of KeyFields that a condition calls `name`."""
    return _BY_NAME[name].field


def field_names() -> str:
    """Return the names of all fields, joined by commas."""
    return ", ".join(term.name for term in TERMS)


def _alternatives(wanted: str) -> list[str]:
    """Split at | outside quotes. A quote that is not closed ends with the text."""
    found: list[list[str]] = [[]]
    is_quoted = False
    for character in wanted:
        is_quoted ^= character == '"'
        if character == "|" and not is_quoted:
            found.append([])
        else:
            found[-1].append(character)
    return ["".join(one) for one in found]


def _value(term: ConditionField, text: str, operator: str) -> Value:
    _require_length(term, text)
    if text.lower() == "none" and operator in ("=", "!="):
        return None
    match term.sort:
        case ValueType.DATE:
            return _date(term, text)
        case ValueType.COUNT:
            if not re.fullmatch(r"\d{1,3}(?:,\d{3})+|\d{1,18}", text, re.ASCII):
                raise UsageError(f"{term.name}: {text!r} is not a whole number")
            return int(text.replace(",", ""))
        case ValueType.FLAG:
            if text.lower() not in _FLAGS:
                raise UsageError(f"{term.name}: {text!r} is not yes or no")
            return _FLAGS[text.lower()]
        case ValueType.WORD | ValueType.WORDS if operator in ("=", "!="):
            return _word(term, text)
        case _:
            if term.is_of_record:
                _require_words(term, text, operator)
            return text


def _require_length(term: ConditionField, text: str) -> None:
    if not text:
        raise UsageError(
            f"{term.name}: the value is missing; {term.name}=none finds trials without one"
        )
    if len(text) > LONGEST_SEARCH:
        raise UsageError(
            f"{term.name}: the value is too long: it may have {LONGEST_SEARCH:,} characters"
        )


def _require_words(term: ConditionField, text: str, operator: str) -> None:
    if operator in ("~", "!~"):
        try:
            parse_words(text)
        except UsageError as error:
            raise UsageError(f"{term.name}: {error}") from None
    elif not words_of(text):
        raise UsageError(f"{term.name}: {text!r} has no words: write letters or digits")


def _date(term: ConditionField, text: str) -> PartialDate:
    date = PartialDate.parse(text)
    if date is None:
        raise UsageError(f"{term.name}: {text!r} is not a date; write 2020, 2020-01 or 2020-01-31")
    return date


def _word(term: ConditionField, text: str) -> str:
    """Return the registry's word: ACTIVE_NOT_RECRUITING for "Active, not recruiting"."""
    word = re.sub(r"[^0-9A-Z]+", "_", text.upper()).strip("_")
    word = _OLD_VALUES.get(word, word)
    if term.sort is ValueType.WORDS:
        word = re.sub(r"^(EARLY_)?(?:PHASE)?_?(\d)$", r"\1PHASE\2", word)
    if term.words and word not in term.words:
        close = nearest_words(word, term.words, likeness=0.5)
        said = f"did you mean {close[0]}?" if close else f"values: {', '.join(term.words)}"
        raise UsageError(f"{term.name}: {text!r} is not one of its values; {said}")
    return word.lower() if term.field == "state" else word
