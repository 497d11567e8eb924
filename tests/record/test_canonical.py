"""Canonical form: equal content gives equal bytes, for any values of a study."""

import json

import pytest

from ctsync.errors import BadRecord
from ctsync.record.compare.canonical import canonicalize, key_fields, restore
from tests.record.studies import dated, outcome, record, site, study


def test_the_order_of_keys_does_not_change_the_digest():
    given = study()
    assert canonicalize(json.loads(json.dumps(given, sort_keys=True))) == canonicalize(given)


def test_the_order_of_sites_and_keywords_does_not_change_the_record():
    sites = [site("A"), site("B"), site("B", zip="1"), site("C", city="Łódź")]
    one = record(sites=sites, keywords=["x", "y", "X"])
    assert record(sites=sites[::-1], keywords=["X", "y", "x"]) == one


def test_the_order_of_outcomes_and_arms_is_content():
    outcomes = [outcome("A"), outcome("B")]
    one, other = record(primary_outcomes=outcomes), record(primary_outcomes=outcomes[::-1])
    assert one.digest != other.digest


def test_version_holder_is_not_part_of_the_canonical_form():
    stamped = study(derivedSection__miscInfoModule__versionHolder="2026-03-13")
    later = study(derivedSection__miscInfoModule__versionHolder="2026-03-14")
    assert canonicalize(stamped) == canonicalize(later)
    assert "versionHolder" not in canonicalize(stamped).canonical.decode()


def test_the_digest_starts_with_the_version_of_the_canonical_form():
    assert record().digest.startswith("1:")
    assert len(record().digest) == 2 + 64


@pytest.mark.parametrize(
    "given",
    [None, [], "text", 3, {}, {"protocolSection": None}, {"protocolSection": {}},
     {"protocolSection": {"identificationModule": {"nctId": 7}}},
     {"protocolSection": {"identificationModule": {"nctId": "NCT"}}},
     {"protocolSection": {"identificationModule": []}}],
)  # fmt: skip
def test_a_value_that_is_not_a_study_with_an_nct_id_is_refused(given):
    with pytest.raises(BadRecord):
        canonicalize(given)


def test_a_study_nested_too_deep_is_refused():
    deep: dict[str, object] = study()
    for _ in range(600):
        deep = {"protocolSection": study()["protocolSection"], "more": deep}
    with pytest.raises(BadRecord, match="nested"):
        canonicalize(deep)


@pytest.mark.parametrize("one", [1, 1.0, True, "1", None, "", [], {}, [1], {"a": None}])
@pytest.mark.parametrize("other", [1, 1.0, True, "1", None, "", [], {}, [1], {"a": None}])
def test_values_of_different_types_are_different_content(one, other):
    same = type(one) is type(other) and one == other
    first, second = (
        {**study(), "odd": value} if value is not None else {**study(), "odd": None}
        for value in (one, other)
    )
    assert (canonicalize(first) == canonicalize(second)) == same


def test_a_null_differs_from_a_missing_key():
    assert canonicalize({**study(), "odd": None}) != canonicalize(study())


def test_half_a_surrogate_pair_is_kept_as_its_escape():
    odd = record(why="half \ud83d of it", keywords=["\udc00"])
    assert b"half \\\\ud83d of it" in odd.canonical
    assert restore(odd.canonical, odd.digest) == odd


def test_a_number_beyond_64_bits_is_kept_as_a_float():
    big = record(enrollment={"count": 10**30, "type": "ACTUAL"})
    assert big.body["protocolSection"]["designModule"]["enrollmentInfo"]["count"] == 1e30
    assert record(enrollment={"count": 10**400}).canonical


def test_stored_bytes_that_are_not_a_record_are_refused():
    for stored in (b"", b"{", b"[]", b"null", b"{}"):
        with pytest.raises(BadRecord):
            restore(stored, "1:0")


def test_key_fields_are_read_from_the_record():
    key = key_fields(record(last_known="RECRUITING", why="money").body)
    assert (key.status, key.last_known_status, key.why_stopped) == (
        "RECRUITING", "RECRUITING", "money",
    )  # fmt: skip
    assert (key.start_date, key.start_date_type) == ("2019-06-01", "ACTUAL")
    assert (key.primary_completion_date, key.completion_date) == ("2021-06", "2022-06-30")
    assert (key.enrollment, key.enrollment_type) == (100, "ESTIMATED")
    assert (key.first_submitted, key.first_posted) == ("2019-05-01", "2019-05-08")
    assert (key.submitted, key.posted) == ("2020-01-10", "2020-01-14")
    assert (key.brief_title, key.has_results) == ("A trial", False)


def test_phases_are_joined_as_in_the_registrys_csv():
    phases = record(protocolSection__designModule__phases=["PHASE3", "PHASE2", 7])
    assert key_fields(phases.body).phases == "PHASE2|PHASE3"


@pytest.mark.parametrize("odd", [[], "text", 7, True, None, {"date": 7}, {"date": ["2020"]}])
def test_key_fields_of_a_wrong_type_are_none(odd):
    body = record(start=odd, enrollment=odd, protocolSection__designModule__phases=odd).body
    key = key_fields(body)
    assert (key.start_date, key.enrollment, key.phases) == (None, None, None)


def test_only_a_whole_number_within_64_bits_is_an_enrollment_count():
    counts = [key_fields(record(enrollment={"count": c}).body).enrollment
              for c in (7, 0, -1, True, "7", 7.0, 2**70)]  # fmt: skip
    assert counts == [7, 0, -1, None, None, None, None]


def test_key_field_texts_are_shortened_and_free_of_nul_characters():
    key = key_fields(record(why="a\x00b", start=dated("x" * 5000)).body)
    assert key.why_stopped == r"a\x00b"
    assert len(key.start_date or "") == 2000
    assert (key.start_date or "").endswith("characters)")
