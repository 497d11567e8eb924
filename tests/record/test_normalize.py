"""Comparison of history bodies with v2 bodies: only differences in content remain."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsync.model import Category, Kind, Level, Source
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.record.history_form.normalize import (
    HistoryForm,
    align_forms,
    form_of,
    is_same_content,
    may_lack,
    readable,
    text_content,
)
from tests.record.studies import OUTCOMES, STATUS, study

PROTOCOL = "protocolSection"
SITES = f"{PROTOCOL}.contactsLocationsModule.locations"
LINKS = f"{PROTOCOL}.referencesModule.seeAlsoLinks"
CRITERIA = f"{PROTOCOL}.eligibilityModule.eligibilityCriteria"

MARKDOWN = study(
    protocolSection__identificationModule__briefTitle="A trial of A & B < C/D",
    protocolSection__descriptionModule__briefSummary="One sentence. Another.\n\nA paragraph.",
    protocolSection__conditionsModule__conditions=["B/C", "A & B", "Cancer"],
    protocolSection__eligibilityModule__eligibilityCriteria=(
        "In:\n\n* age \\>18\n* Marrow:\n\n  * ANC \\>1.5x10\\^9/L\n\n1\\. not a list"
    ),
    protocolSection__outcomesModule__primaryOutcomes=[
        {"measure": "Pain/24 h", "timeFrame": "1 'day'", "description": "0\\~10 \\[VAS\\]"},
        {"measure": "Survival", "timeFrame": "2 years"},
    ],
    protocolSection__contactsLocationsModule__locations=[
        {"facility": "R&D Clinic", "city": "Rome", "geoPoint": {"lat": 1.5, "lon": 2.0}},
        {"facility": "A/B Hospital", "city": "Rome"},
    ],
)
HTML = study(
    protocolSection__identificationModule__briefTitle="A trial of A &amp; B &lt; C&#x2F;D",
    protocolSection__descriptionModule__briefSummary=(
        "<p>One sentence.\nAnother.</p><p>A paragraph.</p>"
    ),
    protocolSection__conditionsModule__conditions=["B&#x2F;C", "A &amp; B", "<mark>Cancer</mark>"],
    protocolSection__eligibilityModule__eligibilityCriteria=(
        "<p>In:</p><ul><li>age &gt;18</li><li><p>Marrow:</p><ul><li>ANC &gt;1.5x10^9&#x2F;L</li>"
        "</ul></li></ul><p>1. not a list</p>"
    ),
    protocolSection__outcomesModule__primaryOutcomes=[
        {
            "measure": "Pain&#x2F;24 h",
            "timeFrame": "1 &#x27;day&#x27;",
            "description": "0~10 [VAS]",
        },
        {"measure": "Survival", "timeFrame": "2 years"},
    ],
    protocolSection__contactsLocationsModule__locations=[
        {"facility": "R&amp;D Clinic", "city": "Rome", "geoPoint": {"lat": 1.5, "lon": 2.0}},
        {"facility": "A&#x2F;B Hospital", "city": "Rome"},
    ],
)


def put(body, path, value):
    made = copy.deepcopy(body)
    here = made
    *above, last = path.split(".")
    for step in above:
        here = here[int(step)] if step.isdigit() else here.setdefault(step, {})
    here[int(last) if last.isdigit() else last] = value
    return made


def found(html, markdown):
    """Return the changes from the history body to the v2 body, as (before, after) by path."""
    before, after = align_forms(
        canonicalize(html), HistoryForm.HTML, canonicalize(markdown), HistoryForm.MARKDOWN
    )
    return {change.path: (change.before, change.after) for change in diff(before, after)}


def test_a_version_known_from_both_sources_has_the_v2_body():
    assert form_of(Source.HISTORY) is HistoryForm.HTML
    assert form_of(Source.LIVE) is HistoryForm.MARKDOWN
    assert form_of(Source.BOTH) is HistoryForm.MARKDOWN


def test_the_same_content_in_both_forms_has_no_differences():
    html, markdown = canonicalize(HTML), canonicalize(MARKDOWN)
    assert found(HTML, MARKDOWN) == {}
    assert is_same_content(html, HistoryForm.HTML, markdown, HistoryForm.MARKDOWN)
    assert is_same_content(markdown, HistoryForm.MARKDOWN, html, HistoryForm.HTML)
    assert readable(html, HistoryForm.HTML).canonical == markdown.canonical


def test_a_markdown_record_is_returned_unchanged():
    record = canonicalize(MARKDOWN)
    assert readable(record, HistoryForm.MARKDOWN) is record


def test_a_readable_history_record_equals_the_v2_record():
    html = canonicalize(HTML)
    read = readable(html, HistoryForm.HTML)
    assert is_same_content(html, HistoryForm.HTML, read, HistoryForm.MARKDOWN)
    assert canonicalize(read.body).canonical == read.canonical


@pytest.mark.parametrize(
    ("path", "html", "markdown"),
    [
        (f"{PROTOCOL}.statusModule.overallStatus", "RECRUITING", "SUSPENDED"),
        (f"{PROTOCOL}.statusModule.whyStopped", "p &lt;0.05", "p \\<0.06"),
        (f"{PROTOCOL}.designModule.enrollmentInfo.count", 100, 99),
        (f"{PROTOCOL}.descriptionModule.briefSummary", "<p>a</p><p>b</p>", "ab"),
        (CRITERIA, "<ul><li>a</li><li>b</li></ul>", "* a\n* c"),
        (CRITERIA, "<ol><li>a</li></ol>", "2. a"),
        (CRITERIA, "10<sup>9</sup>", "109"),
        (CRITERIA, "&amp;lt;5", "\\<5"),
        (CRITERIA, "age &gt;18", "age \\<18"),
        (CRITERIA, "ANC 1.5", "ANC 15"),
        (CRITERIA, "Pain", "PAIN"),
    ],
)
def test_a_difference_is_found_and_both_values_are_written_as_in_v2(path, html, markdown):
    changes = found(put(HTML, path, html), put(MARKDOWN, path, markdown))
    assert set(changes) == {path}
    assert changes[path][1] == markdown
    assert "&lt;" not in str(changes[path][0]).replace("\\&lt;", "")


def test_an_edited_outcome_is_a_single_change():
    changes = found(
        put(HTML, f"{OUTCOMES}.primaryOutcomes.0.measure", "Pain at rest&#x2F;48 h"),
        put(MARKDOWN, f"{OUTCOMES}.primaryOutcomes.0.measure", "Pain at rest/24 h"),
    )
    assert list(changes.values()) == [("Pain at rest/48 h", "Pain at rest/24 h")]


def test_an_added_site_is_one_change_in_any_order_of_the_other_sites():
    more = MARKDOWN[PROTOCOL]["contactsLocationsModule"]["locations"][::-1]
    new = {"facility": "New & old", "city": "Oslo"}
    (change,) = found(HTML, put(MARKDOWN, SITES, [*more, new])).values()
    assert change[1] == new


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("derivedSection", {"conditionBrowseModule": {"meshes": [{"id": "D1", "term": "x"}]}}),
        ("documentSection", {"largeDocumentModule": {"largeDocs": [{"label": "SAP"}]}}),
        ("annotationSection", {"annotationModule": {"unpostedAnnotation": {"a": 1}}}),
        (LINKS, [{"label": "a", "url": "https://example.org"}]),
        (f"{SITES}.0.countryCode", "IT"),
        (f"{PROTOCOL}.statusModule.neverSeen", {"a": 1}),
        ("neverSeenSection", ["a"]),
    ],
)
def test_fields_that_the_history_omits_are_not_compared(path, value):
    assert found(HTML, put(MARKDOWN, path, value)) == {}


def test_documents_of_a_later_submission_are_reported():
    later = put(MARKDOWN, f"{STATUS}.lastUpdateSubmitDate", "2020-02-10")
    documents = {"largeDocumentModule": {"largeDocs": [{"label": "SAP", "filename": "a.pdf"}]}}
    changes = found(HTML, put(later, "documentSection", documents))
    assert any(path.startswith("documentSection") for path in changes)


def test_fields_that_only_the_history_has_are_not_compared():
    reasons = {"resetReasons": ["The Time Frame does not appear specific."]}
    html = put(HTML, f"{OUTCOMES}.primaryOutcomes.0.reviewUnit", reasons)
    assert found(html, MARKDOWN) == {}
    assert found(put(HTML, "derivedSection", {"miscInfoModule": {"x": 1}}), MARKDOWN) == {}


MEASURES = "resultsSection.outcomeMeasuresModule.outcomeMeasures"


@pytest.mark.parametrize(
    ("path", "item", "category"),
    [
        # a reviewer's comment is not a change of the outcome
        (
            f"{OUTCOMES}.primaryOutcomes",
            {"measure": "Pain", "timeFrame": "a day"},
            Category.RESULTS_QC,
        ),
        (MEASURES, {"title": "Pain"}, Category.RESULTS),
    ],
)
def test_reviewer_requests_are_reported_only_between_two_history_versions(path, item, category):
    asked = {"resetReasons": ["The Time Frame does not appear specific."]}
    reviewed = put(HTML, path, [{**item, "reviewUnit": asked}])
    settled = put(HTML, path, [item])
    assert found(reviewed, put(MARKDOWN, path, [item])) == {}
    aligned = align_forms(
        canonicalize(reviewed), HistoryForm.HTML, canonicalize(settled), HistoryForm.HTML
    )
    (event,) = classify(list(diff(*aligned)), *aligned)
    assert (event.category, event.kind, event.level) == (category, Kind.RESULTS, Level.ROUTINE)


def test_a_time_frame_that_v2_writes_as_plain_text_is_compared_as_plain_text():
    path = "resultsSection.adverseEventsModule.timeFrame"
    plain = put(MARKDOWN, path, "4 weeks > 1 * 2")
    assert found(put(HTML, path, "4 weeks &gt; 1 * 2"), plain) == {}
    assert set(found(put(HTML, path, "4 weeks &gt; 1 * 3"), plain)) == {path}


@pytest.mark.parametrize(
    ("form", "path", "lacked"),
    [
        (HistoryForm.HTML, LINKS, True),
        (HistoryForm.HTML, f"{LINKS}.url", True),
        (HistoryForm.HTML, f"{SITES}.countryCode", True),
        (HistoryForm.HTML, "derivedSection.miscInfoModule", True),
        (HistoryForm.HTML, f"{SITES}.city", False),
        (HistoryForm.HTML, f"{OUTCOMES}.primaryOutcomes.reviewUnit", False),
        (HistoryForm.MARKDOWN, f"{OUTCOMES}.primaryOutcomes.reviewUnit.resetReasons", True),
        (HistoryForm.MARKDOWN, LINKS, False),
        (HistoryForm.MARKDOWN, f"{OUTCOMES}.primaryOutcomes", False),
    ],
)
def test_a_form_may_lack_exactly_the_fields_that_its_source_omits(form, path, lacked):
    assert may_lack(form, path) is lacked


def test_fields_that_both_bodies_have_are_compared():
    link = {"label": "a", "url": "https:&#x2F;&#x2F;example.org"}
    same = put(MARKDOWN, LINKS, [{"label": "a", "url": "https://example.org"}])
    other = put(MARKDOWN, LINKS, [{"label": "a", "url": "https://example.org/b"}])
    assert found(put(HTML, LINKS, [link]), same) == {}
    assert found(put(HTML, LINKS, [link]), other)
    assert found(put(HTML, LINKS, [link]), MARKDOWN)


def test_posted_results_are_reported_and_results_omitted_by_the_history_are_not():
    section = {"moreInfoModule": {"pointOfContact": {"title": "A"}}}
    posted = put(put(MARKDOWN, "hasResults", True), "resultsSection", section)
    assert set(found(HTML, posted)) == {"hasResults", "resultsSection"}
    assert found(put(HTML, "hasResults", True), posted) == {}


def test_two_history_versions_are_compared_without_their_layout():
    one = canonicalize(put(HTML, CRITERIA, "a.\nb &gt; 1"))
    wrapped = canonicalize(put(HTML, CRITERIA, "a. b\n&gt; 1"))
    other = canonicalize(put(HTML, CRITERIA, "a.\nb &gt; 2"))
    assert is_same_content(one, HistoryForm.HTML, wrapped, HistoryForm.HTML)
    (change,) = diff(*align_forms(one, HistoryForm.HTML, other, HistoryForm.HTML))
    assert (change.before, change.after) == ("a. b \\> 1", "a. b \\> 2")


def test_two_v2_records_are_compared_unchanged():
    one, other = canonicalize(MARKDOWN), canonicalize(put(MARKDOWN, CRITERIA, "a  b"))
    assert align_forms(one, HistoryForm.MARKDOWN, other, HistoryForm.MARKDOWN) == (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1) a\n2) b", "1. a\n\n2. b"),
        ("* a\n  * b", "- a\n\n- b"),
        ("a\xa0b\r\nc", "a b c"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\\\nb", "a b"),
        ("\\[a\\] \\> b", "[a] > b"),
        ("a\n\n<!-- -->\n\nb", "a b"),
    ],
)
def test_texts_that_differ_only_in_layout_have_the_same_content(one, other):
    assert text_content(one) == text_content(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-5 mg", "5 mg"),
        ("1. a", "2. a"),
        ("a*b", "ab"),
        ("a b", "ab"),
        ("a\\b", "ab"),
        ("10^9", "109"),
        ("\\<5", "5"),
        ("&lt;", "<"),
        ("• a", "a"),
        ("a.", "a"),
        ("A", "a"),
        ("x | y", "x y"),
        ("1) a", "2) a"),
        ("1 a", "1. a"),
    ],
)
def test_texts_with_different_words_numbers_or_signs_have_different_content(one, other):
    assert text_content(one) != text_content(other)


@settings(deadline=None)
@given(st.text(alphabet=" \n*-+\\.1a<>^\xa0\u2028", max_size=30))
def test_text_content_keeps_every_letter_and_digit_in_order(text):
    assert [c for c in text_content(text) if c.isalnum()] == [c for c in text if c.isalnum()]
    assert text_content(text_content(text)) == text_content(text)


@pytest.mark.slow
@settings(deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(alphabet="<p>&;a \n", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
))  # fmt: skip
def test_records_with_values_of_any_shape_can_be_compared(value):
    for path in (SITES, CRITERIA, f"{PROTOCOL}.designModule", "new", "derivedSection"):
        html, markdown = canonicalize(put(HTML, path, value)), canonicalize(MARKDOWN)
        there = align_forms(html, HistoryForm.HTML, markdown, HistoryForm.MARKDOWN)
        back = align_forms(markdown, HistoryForm.MARKDOWN, html, HistoryForm.HTML)
        assert there == back[::-1]
        assert is_same_content(
            html, HistoryForm.HTML, readable(html, HistoryForm.HTML), HistoryForm.MARKDOWN
        )
