"""Parsing of search conditions, and the messages for invalid ones."""

from __future__ import annotations

import pytest

from ctsync.dates import PartialDate
from ctsync.errors import UsageError
from ctsync.model import KeyFields
from ctsync.record.rules.conditions import TERMS, read_condition

READ = {
    "status=SUSPENDED": ("status", "=", ("SUSPENDED",), False),
    "status=Active, not recruiting": ("status", "=", ("ACTIVE_NOT_RECRUITING",), False),
    "Status = unknown status": ("status", "=", ("UNKNOWN",), False),
    "status!=completed|terminated": ("status", "=", ("COMPLETED", "TERMINATED"), True),
    "overall": None,
    "enrollment>100": ("enrollment", ">", (100,), False),
    "enrollment>=1,000": ("enrollment", ">=", (1000,), False),
    "primary_completion<2020-01": ("primary_completion", "<", (PartialDate("2020-01"),), False),
    "primary completion date<2020": ("primary_completion", "<", (PartialDate("2020"),), False),
    "sponsor~novartis": ("sponsor", "~", ("novartis",), False),
    "lead_sponsor!~a=b": ("sponsor", "~", ("a=b",), True),
    "phase=2": ("phase", "=", ("PHASE2",), False),
    "phase=Early Phase 1": ("phase", "=", ("EARLY_PHASE1",), False),
    "phase=phase2|PHASE3": ("phase", "=", ("PHASE2", "PHASE3"), False),
    "has_results=Yes": ("has_results", "=", (True,), False),
    "why_stopped=none": ("why_stopped", "=", (None,), False),
    "why_stopped!=none": ("why_stopped", "=", (None,), True),
    "enrollment_type=anticipated": ("enrollment_type", "=", ("ESTIMATED",), False),
    "state=GONE": ("state", "=", ("gone",), False),
}


@pytest.mark.parametrize("text", [text for text, read in READ.items() if read])
def test_a_condition_is_parsed_into_field_operator_and_values(text: str) -> None:
    found = read_condition(text)
    assert (found.term.name, found.operator, found.values, found.denies) == READ[text]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("overall", "is not a condition"),
        ("", "is not a condition"),
        ("=x", "there is no field ''"),
        ("statsu=X", "did you mean status?"),
        ("shoe_size=44", "fields: status, last_known_status"),
        ("status=SUSPENED", "did you mean SUSPENDED?"),
        ("status>RECRUITING", "status takes = != ~ !~, not >"),
        ("enrollment~4", "enrollment takes = != < <= > >=, not ~"),
        ("enrollment=many", "'many' is not a whole number"),
        ("enrollment=1,00", "is not a whole number"),
        ("start=2020-13", "'2020-13' is not a date; write 2020, 2020-01 or 2020-01-31"),
        ("start<none", "'none' is not a date"),
        ("has_results=perhaps", "is not yes or no"),
        ("sponsor=", "sponsor=none finds trials without one"),
        ("status=SUSPENDED|", "the value is missing"),
        ("phase=7", "is not one of its values"),
    ],
)
def test_an_invalid_condition_is_refused_with_the_correct_form(text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_condition(text)
    assert says in str(refused.value)


def test_every_key_field_can_be_used_by_its_own_name() -> None:
    fields = set(KeyFields.__dataclass_fields__)
    assert fields <= {term.field for term in TERMS}
    for field in fields:
        assert read_condition(f"{field}=none").term.field == field
