"""The field table: every field of the registry's schema is declared, with a category."""

from pathlib import Path

import pytest

from ctsync.model import Category, Kind
from ctsync.record.fields.field_types import Shape
from ctsync.record.fields.table import FIELDS, VOLATILE, field_at, listing_at, reporting_field

LEAVES = [
    line
    for line in (Path(__file__).parents[1] / "data" / "schema_leaves.txt").read_text().splitlines()
    if not line.startswith("#")
]


def test_every_leaf_of_the_schema_is_declared():
    assert len(LEAVES) == 344
    assert [path for path in LEAVES if path not in FIELDS] == []


def test_every_declared_field_has_a_label_and_declared_parents():
    for path, field in FIELDS.items():
        assert field.label, path
        parent = path.rpartition(".")[0]
        assert not parent or parent in FIELDS, path


def test_a_field_with_children_is_an_object_or_a_list_with_a_key():
    parents = {path.rpartition(".")[0] for path in FIELDS} - {""}
    for path in parents:
        field = FIELDS[path]
        assert field.shape in {Shape.OBJECT, Shape.LIST}, path
        assert (field.items is not None) == (field.shape is Shape.LIST), path
        for key in field.items.key if field.items else ():
            assert all(f"{path}.{name}" in FIELDS for name in key.split("/")), path


def test_no_declared_field_is_in_the_unknown_category():
    assert [path for path, field in FIELDS.items() if field.category is Category.UNKNOWN] == []
    assert {field.category for field in FIELDS.values()} == set(Category) - {
        Category.UNKNOWN,
        Category.FLAGS,  # of facts about the record, not of a field
    }


def test_only_version_holder_is_volatile():
    assert VOLATILE == ("derivedSection.miscInfoModule.versionHolder",)


@pytest.mark.parametrize(
    ("path", "category", "kind"),
    [
        ("protocolSection.statusModule.overallStatus", Category.STATUS, Kind.STATUS),
        ("protocolSection.statusModule.whyStopped", Category.STATUS, Kind.WHY_STOPPED),
        ("protocolSection.statusModule.startDateStruct.type", Category.DATES, Kind.START_DATE),
        ("protocolSection.statusModule.statusVerifiedDate", Category.BOOKKEEPING, Kind.BOOKKEEPING),
        ("protocolSection.designModule.enrollmentInfo.count", Category.ENROLLMENT, Kind.ENROLLMENT),
        ("protocolSection.designModule.phases", Category.DESIGN, Kind.DESIGN),
        ("protocolSection.contactsLocationsModule.locations.status", Category.SITES, Kind.SITE),
        ("protocolSection.contactsLocationsModule.locations.contacts.phone", Category.CONTACTS,
         Kind.CONTACT),
        ("protocolSection.contactsLocationsModule.locations.geoPoint.lat", Category.GEO,
         Kind.DERIVED),
        ("derivedSection.conditionBrowseModule.meshes.term", Category.DERIVED, Kind.DERIVED),
        ("derivedSection.miscInfoModule.submissionTracking.submissionInfos.resetDate",
         Category.RESULTS_QC, Kind.RESULTS),
        ("annotationSection.annotationModule.unpostedAnnotation.unpostedEvents.type",
         Category.RESULTS_QC, Kind.RESULTS),
        ("resultsSection.moreInfoModule.pointOfContact.email", Category.CONTACTS, Kind.CONTACT),
        ("hasResults", Category.RESULTS, Kind.RESULTS),
        ("documentSection.largeDocumentModule.largeDocs.label", Category.DOCUMENTS, Kind.DOCUMENT),
    ],
)  # fmt: skip
def test_each_field_has_the_expected_category_and_kind(path, category, kind):
    field = field_at(path)
    assert (field.category, field.kind) == (category, kind)


@pytest.mark.parametrize(
    "path", ["newSection", "protocolSection.statusModule.mood", "protocolSection.x.y.z", ""]
)
def test_an_undeclared_path_has_the_category_unknown(path):
    field = field_at(path)
    assert (field.known, field.category, field.kind) == (False, Category.UNKNOWN, Kind.OTHER)
    assert listing_at(path).ordered


@pytest.mark.parametrize(
    ("path", "reported"),
    [
        ("protocolSection.contactsLocationsModule.locations.status",
         "protocolSection.contactsLocationsModule.locations"),
        ("protocolSection.contactsLocationsModule.locations.contacts.phone",
         "protocolSection.contactsLocationsModule.locations.contacts"),
        ("protocolSection.contactsLocationsModule.locations.geoPoint.lat",
         "protocolSection.contactsLocationsModule.locations.geoPoint"),
        ("resultsSection.outcomeMeasuresModule.outcomeMeasures.classes.title",
         "resultsSection.outcomeMeasuresModule.outcomeMeasures"),
        ("protocolSection.newModule.some.leaf", "protocolSection.newModule"),
        ("protocolSection.outcomesModule.primaryOutcomes.measure",
         "protocolSection.outcomesModule.primaryOutcomes.measure"),
    ],
)  # fmt: skip
def test_a_change_is_reported_at_the_summed_list_above_it(path, reported):
    assert reporting_field(path).path == reported
