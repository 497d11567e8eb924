"""Events of all other kinds, and events about the complete record."""

from datetime import UTC, datetime

import pytest

from ctsync.model import Category, KeyFields, Kind, Level, NctId
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import (
    classify,
    entered,
    first_seen,
    gone,
    left,
    moved,
    registered,
)
from ctsync.record.events.classify import returned as returned_event
from tests.record.studies import dated, events_between, record, study, the_event

MODULES = "protocolSection__"
LOAD = datetime(2026, 3, 13, 9, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "before", "after", "kind", "rule", "level"),
    [
        ("sponsorCollaboratorsModule__leadSponsor__name", "Acme", "Umbrella",
         Kind.SPONSOR, "R-SPO-01", Level.NOTABLE),
        ("sponsorCollaboratorsModule__leadSponsor__name", "Acme", "ACME",
         Kind.SPONSOR, "R-ADM-07", Level.ADMINISTRATIVE),
        ("sponsorCollaboratorsModule__leadSponsor__class", "INDUSTRY", "NIH",
         Kind.SPONSOR, "R-SPO-02", Level.ROUTINE),
        ("sponsorCollaboratorsModule__collaborators", [{"name": "A"}],
         [{"name": "B"}, {"name": "A"}], Kind.SPONSOR, "R-SPO-02", Level.ROUTINE),
        ("eligibilityModule__eligibilityCriteria", "* Age 18", "* Age 21",
         Kind.ELIGIBILITY, "R-ELI-01", Level.ROUTINE),
        ("eligibilityModule__eligibilityCriteria", "* Age \\> 18", "- age > 18",
         Kind.ELIGIBILITY, "R-ADM-07", Level.ADMINISTRATIVE),
        ("eligibilityModule__minimumAge", "18 Years", "21 Years",
         Kind.ELIGIBILITY, "R-ELI-01", Level.ROUTINE),
        ("eligibilityModule__healthyVolunteers", True, False,
         Kind.ELIGIBILITY, "R-ELI-01", Level.ROUTINE),
        ("designModule__phases", ["PHASE2"], ["PHASE2", "PHASE3"],
         Kind.DESIGN, "R-DES-01", Level.ROUTINE),
        ("designModule__designInfo__allocation", "NA", "RANDOMIZED",
         Kind.DESIGN, "R-DES-01", Level.ROUTINE),
        ("armsInterventionsModule__armGroups", [{"label": "A"}, {"label": "B"}],
         [{"label": "B"}, {"label": "A"}], Kind.ARM, "R-ADM-06", Level.ADMINISTRATIVE),
        ("armsInterventionsModule__interventions", [{"type": "DRUG", "name": "X"}],
         [{"type": "DRUG", "name": "X", "description": "10 mg"}],
         Kind.ARM, "R-ARM-01", Level.ROUTINE),
        ("descriptionModule__briefSummary", "One thing", "Another thing",
         Kind.TEXT, "R-TXT-01", Level.ROUTINE),
        ("descriptionModule__briefSummary", "One\n\nthing", "One thing",
         Kind.TEXT, "R-ADM-07", Level.ADMINISTRATIVE),
        ("conditionsModule__conditions", ["A"], ["B", "A"], Kind.TEXT, "R-TXT-01", Level.ROUTINE),
        ("identificationModule__officialTitle", "A", "B", Kind.TEXT, "R-TXT-01", Level.ROUTINE),
        ("identificationModule__orgStudyIdInfo__id", "A-1", "A-2",
         Kind.OTHER, "R-OTH-01", Level.ROUTINE),
        ("oversightModule__oversightHasDmc", True, False, Kind.OTHER, "R-OTH-01", Level.ROUTINE),
        ("oversightModule__fdaaa801Violation", False, True, Kind.OTHER, "R-OVR-01", Level.NOTABLE),
        ("ipdSharingStatementModule__ipdSharing", "YES", "NO",
         Kind.OTHER, "R-OTH-01", Level.ROUTINE),
        ("contactsLocationsModule__centralContacts", [{"name": "A", "phone": "1"}],
         [{"name": "A", "phone": "2"}], Kind.CONTACT, "R-ADM-01", Level.ADMINISTRATIVE),
        ("contactsLocationsModule__overallOfficials", [{"name": "A"}],
         [{"name": "B"}, {"name": "A"}], Kind.CONTACT, "R-ADM-01", Level.ADMINISTRATIVE),
        ("referencesModule__seeAlsoLinks", [{"url": "a"}], [{"url": "a"}, {"url": "b"}],
         Kind.REFERENCE, "R-ADM-03", Level.ADMINISTRATIVE),
        ("referencesModule__references", [{"pmid": "1"}],
         [{"pmid": "1", "retractions": [{"pmid": "2", "source": "J"}]}],
         Kind.REFERENCE, "R-ADM-03", Level.ADMINISTRATIVE),
    ],
)  # fmt: skip
def test_a_change_of_each_field_gets_its_rule(path, before, after, kind, rule, level):
    old, new = study(**{MODULES + path: before}), study(**{MODULES + path: after})
    (event,) = events_between(old, new)
    assert (event.kind, event.rule, event.level) == (kind, rule, level)


@pytest.mark.parametrize("hollow", [None, {}, []])
def test_a_module_that_was_null_or_empty_is_reported_leaf_by_leaf(hollow):
    bare, full = study(), study()
    bare["protocolSection"]["statusModule"] = hollow
    for before, after in ((bare, full), (full, bare)):
        events = events_between(before, after)
        kinds = {e.kind for e in events}
        assert {Kind.STATUS, Kind.START_DATE, Kind.BOOKKEEPING} <= kinds
        (module,) = [e for e in events if e.path == "protocolSection.statusModule"]
        assert (module.rule, module.level) == ("R-ADM-09", Level.ADMINISTRATIVE)


def test_an_added_null_or_empty_list_is_administrative():
    before, after = study(), study()
    after["protocolSection"]["statusModule"]["whyStopped"] = None
    after["protocolSection"]["contactsLocationsModule"] = {"locations": []}
    assert {e.rule for e in events_between(before, after)} == {"R-ADM-09"}


def test_an_added_document_is_reported_by_its_label():
    path = "documentSection__largeDocumentModule__largeDocs"
    one = {"filename": "Prot_SAP_000.pdf", "label": "Study Protocol and SAP", "size": 7}
    (event,) = events_between(study(), study(**{path: [one]}))
    assert (event.kind, event.rule, event.after) == (Kind.DOCUMENT, "R-DOC-01", one)
    assert event.summary == 'Document added: "Study Protocol and SAP"'


def test_an_edited_long_text_is_reported_with_its_word_counts():
    before = "Inclusion: " + " ".join(f"criterion{n}" for n in range(40))
    after = before.replace("criterion3 ", "").replace("criterion20", "two others")
    (event,) = events_between(study(eligibility=before), study(eligibility=after))
    assert event.summary == (
        "Eligibility Criteria edited: 2 words removed, 2 words added, 39 words kept"
    )
    assert (event.before, event.after) == (before, after)
    assert (event.inputs["words_removed"], event.inputs["words_added"]) == (2, 2)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("\n", " ", "only blanks or line breaks changed"),
        ("; ", ", ", "only punctuation or line breaks changed"),
    ],
)
def test_an_edit_without_another_word_counts_no_words_and_is_administrative(old, new, says):
    """NCT00373425 was shown as "edited: , 171 words kept"."""
    lines = [f"criterion {n}; with a reason{'' if n % 2 else ';'}" for n in range(40)]
    before = "Inclusion:\n" + "\n".join(lines)
    (event,) = events_between(
        study(eligibility=before), study(eligibility=before.replace(old, new))
    )
    assert event.summary == f"Eligibility Criteria: {says}"
    assert (event.rule, event.level) == ("R-ADM-07", Level.ADMINISTRATIVE)


def test_an_fdaaa_violation_is_notable():
    path = "annotationSection__annotationModule__violationAnnotation__violationEvents"
    one = {"type": "VIOLATION_IDENTIFIED", "creationDate": "2026-01-01"}
    (event,) = events_between(study(), study(**{path: [one]}))
    assert (event.rule, event.category) == ("R-OVR-01", Category.OVERSIGHT)


def test_an_unchanged_record_has_no_events():
    assert classify([], record(), record()) == []


def test_events_about_the_whole_record_have_their_kinds_and_levels():
    key = KeyFields(status="RECRUITING")
    events = {
        "first_seen": first_seen(record()),
        "registered": registered(record()),
        "gone": gone(key),
        "returned": returned_event(record()),
        "moved": moved(NctId("NCT01203436")),
        "entered": entered("graft failure", LOAD),
        "left": left("graft failure", LOAD, events_between(study(), study(status="COMPLETED"))),
    }
    assert {name: event.kind.value for name, event in events.items()} == {n: n for n in events}
    assert {name: event.level for name, event in events.items()} == {
        "first_seen": Level.ADMINISTRATIVE,
        "registered": Level.NOTABLE,
        "gone": Level.CRITICAL,
        "returned": Level.NOTABLE,
        "moved": Level.NOTABLE,
        "entered": Level.ROUTINE,
        "left": Level.NOTABLE,
    }
    assert events["gone"].summary == "No longer in the registry; last seen as Recruiting"
    assert events["moved"].after == "NCT01203436"
    assert events["left"].summary.startswith(
        'No longer matches the query of watch "graft failure": Status Recruiting -> Completed'
    )
    assert left("x", LOAD).summary.endswith(": nothing that it asks for changed")
    paths = {event.path for event in (events["left"], events["entered"], left("y", LOAD))}
    assert len(paths) == 3  # one version may enter and leave in several loads


def test_the_one_line_state_omits_missing_values():
    bare = record(status=None, start=None, primary=None, completion=None, enrollment=None)
    assert first_seen(bare).summary == "last update posted 2020-01-14"
    assert gone(KeyFields()).summary.endswith("a record without a status")
    both = record(protocolSection__designModule__phases=["PHASE2", "PHASE3"])
    assert "· Phase 2/3 ·" in first_seen(both).summary


def test_hostile_text_is_escaped_in_the_one_line_summary():
    nasty = "a\nb\x1b[31m\u202egnol\x00" + "x" * 5000
    events = events_between(study(), study(why=nasty, status="TERMINATED", eligibility=nasty))
    for event in events:
        assert not set("\n\x1b\u202e\x00") & set(event.summary)
        assert len(event.summary) < 600
    stop = the_event(events, Kind.STATUS)
    assert "characters)" in stop.summary


@pytest.mark.slow
def test_an_edit_of_a_text_of_10_megabytes_is_summarized():
    long = "One criterion after another. " * 350_000
    (event,) = events_between(study(eligibility=long), study(eligibility=long + "And one more."))
    assert event.summary.startswith("Eligibility Criteria edited: 3 words added")


def test_without_earlier_versions_moves_are_measured_from_the_previous_version():
    before, after = record(), record(primary=dated("2021-08"))
    (event,) = classify(diff(before, after), before, after)
    assert (event.days, event.days_since_first) == (61, 61)
