"""Values and durations in words."""

import pytest

from ctsync.record.value_text import (
    duration,
    plain,
    quoted,
    said,
    short_duration,
    short_signed_days,
    signed_days,
)

STATUS = "protocolSection.statusModule.overallStatus"
PHASES = "protocolSection.designModule.phases"
LOCATIONS = "protocolSection.contactsLocationsModule.locations"
CONTACTS = "protocolSection.contactsLocationsModule.centralContacts"


@pytest.mark.parametrize(
    ("days", "long", "short"),
    [
        (0, "0 days", "0 days"),
        (1, "+1 day", "+1 day"),
        (45, "+45 days", "+45 days"),
        (60, "+60 days", "+60 days"),
        (61, "+2 months (61 days)", "+2 months"),
        (122, "+4 months (122 days)", "+4 months"),
        (363, "+12 months (363 days)", "+12 months"),
        (365, "+1.0 years (365 days)", "+1.0 years"),
        (747, "+2.0 years (747 days)", "+2.0 years"),
        (-1309, "-3.6 years (1,309 days)", "-3.6 years"),
        (-30, "-30 days", "-30 days"),
    ],
)
def test_a_move_is_given_in_days_and_if_it_is_long_in_months_or_years(
    days: int, long: str, short: str
) -> None:
    assert signed_days(days) == long
    assert short_signed_days(days) == short


@pytest.mark.parametrize(
    ("days", "margin", "long", "short"),
    [
        (30, 30, "+1 month (30 days ±30)", "+1 month"),
        (-31, 30, "-1 month (31 days ±30)", "-1 month"),
        (120, 30, "+4 months (120 days ±30)", "+4 months"),
        (820, 30, "+2.2 years (820 days ±30)", "+2.2 years"),
        (366, 365, "+1.0 years (366 days ±365)", "+1.0 years"),
        (0, 30, "0 days", "0 days"),
    ],
)
def test_a_move_between_months_is_never_finer_than_a_month(
    days: int, margin: int, long: str, short: str
) -> None:
    assert signed_days(days, margin) == long
    assert short_signed_days(days, margin) == short


@pytest.mark.parametrize(
    ("days", "long", "short"),
    [
        (1, "1 day", "1 day"),
        (44, "44 days", "44 days"),
        (91, "3 months (91 days)", "3 months"),
        (436, "1.2 years (436 days)", "1.2 years"),
    ],
)
def test_a_length_of_time_has_no_sign(days: int, long: str, short: str) -> None:
    assert (duration(days), short_duration(days)) == (long, short)


def test_an_enum_value_is_in_words_if_its_field_is_known() -> None:
    assert said("NOT_YET_RECRUITING", field=STATUS) == "Not yet recruiting"
    assert plain("NOT_YET_RECRUITING", field=STATUS) == "Not yet recruiting"
    assert plain(["PHASE2", "NA"], field=PHASES) == "Phase 2; Not applicable"
    assert said(["PHASE2", "PHASE3"], field=PHASES) == "Phase 2, Phase 3"
    assert quoted("PHASE2", field=PHASES) == "Phase 2"


def test_a_text_that_looks_like_an_enum_value_stays_as_it_is() -> None:
    assert plain("RECRUITING") == "RECRUITING"
    assert plain("OTHER", field="protocolSection.identificationModule.acronym") == "OTHER"
    assert quoted("PHASE2") == '"PHASE2"'


def test_enum_values_within_an_object_are_in_words() -> None:
    contact = {"name": "Jane Doe", "role": "STUDY_DIRECTOR"}
    assert plain(contact, field=CONTACTS) == "Jane Doe (role: Study director)"
    site = {"facility": "OTHER", "city": "Rome", "country": "Italy", "status": "NOT_YET_RECRUITING"}
    assert plain([site], field=LOCATIONS) == "OTHER, Rome, Italy, Not yet recruiting"
    assert quoted(site, field=LOCATIONS) == '"OTHER"'
