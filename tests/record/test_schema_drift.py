"""Schema drift: undeclared fields, and fields that vanish from many records at once."""

from hypothesis import given
from hypothesis import strategies as st

from ctsync.record.fields.table import field_at
from ctsync.record.registry.schema_drift import DriftCount, field_paths, unknown_paths
from tests.record.studies import LOCATIONS, site, study


def test_a_record_that_follows_the_schema_has_no_undeclared_path():
    assert unknown_paths(study(sites=[site("A")])) == set()


def test_undeclared_paths_are_found_at_every_depth():
    body = study(
        newSection={"inner": {"leaf": 1}},
        sites=[site("A"), site("B", mood="good", plan=[{"x": 1}])],
        protocolSection__statusModule__newDateStruct={"date": "2020"},
    )
    assert unknown_paths(body) == {
        "newSection",
        f"{LOCATIONS}.mood",
        f"{LOCATIONS}.plan",
        "protocolSection.statusModule.newDateStruct",
    }


NAMES = st.sampled_from(["protocolSection", "statusModule", "designModule", "phases", "other", "x"])
BODIES = st.recursive(
    st.none() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(NAMES, BODIES, max_size=4))
def test_unknown_paths_are_the_outermost_undeclared_paths(body):
    outermost = {
        path
        for path in field_paths(body)
        if not field_at(path).known
        and all(
            field_at(".".join(path.split(".")[:n])).known for n in range(1, path.count(".") + 1)
        )
    }
    assert unknown_paths(body) == outermost


def test_field_paths_include_lists_their_fields_and_leaves():
    paths = field_paths(study(sites=[site("A"), site("B")]))
    assert {LOCATIONS, f"{LOCATIONS}.facility", "hasResults"} <= paths


def counted(lost, kept, added=0):
    count = DriftCount()
    full, bare = study(sites=[site("A", status="RECRUITING")]), study(sites=[site("A")])
    for _ in range(lost):
        count.add(full, bare)
    for _ in range(kept):
        count.add(full, full)
    for _ in range(added):
        count.add(None, full)
    return count


def test_a_field_that_most_records_lost_is_schema_drift():
    (vanished,) = counted(lost=30, kept=20, added=100).vanished()
    assert (vanished.path, vanished.had, vanished.lost) == (f"{LOCATIONS}.status", 50, 30)
    assert vanished.summary == (
        f"Schema drift: Site status ({LOCATIONS}.status) is gone from 30 of the 50 records "
        "that had it"
    )


def test_a_field_that_some_records_lost_is_not_schema_drift():
    assert counted(lost=20, kept=30).vanished() == []
    assert counted(lost=4, kept=0).vanished() == []


def test_only_the_outermost_vanished_field_is_reported():
    count = DriftCount()
    for _ in range(20):
        count.add(study(), study(start=None))
    assert [v.path for v in count.vanished()] == ["protocolSection.statusModule.startDateStruct"]


def test_undeclared_fields_are_counted_per_record():
    count = DriftCount()
    for n in range(5):
        count.add(None, study(newSection=n) if n % 2 else study())
    assert count.unknown == {"newSection": 2}


def test_malformed_records_are_counted_without_an_error():
    count = DriftCount()
    for odd in ({}, {"protocolSection": None}, {"protocolSection": [[{"a": 1}]]}, {"": ""}):
        count.add(odd, study())
        count.add(study(), odd)
    assert count.unknown[""] == 1
