"""Export as JSON lines and import: the other database gets each row once, with any content."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ctsync.errors import CorruptBody, UsageError
from ctsync.export import jsonl
from ctsync.export.jsonl import import_lines, version_lines
from ctsync.model import NctId, Source
from ctsync.store.admin.check import check
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.python.conftest import LISTED, fill_listed
from tests.record.reconstructed import studies
from tests.record.studies import study
from tests.store.samples import HOSTILE, LOAD, OTHER, TRIAL, add, add_events, event, fill
from tests.sync.histories import keep_history, leave

ALL = Selection()
TERMINATED = NctId("NCT01352702")


def lines_of(store: Store, selection: Selection = ALL) -> list[bytes]:
    return [line.encode() for line in version_lines(store, selection)]


def logical_dump(store: Store) -> dict[str, Any]:
    """Return the content of a database without its ids and the packing of bodies.

    It has the trials with their last sightings, the versions in order with their bodies, the
    events by their versions, and the watches. An export omits runs, failures and deliveries.
    """
    ids = store.trials.stored_ids()
    versions = {nct_id: store.versions.of(nct_id) for nct_id in ids}
    return {
        "heads": {
            nct_id: (head.version, head.digest, head.state, head.absent_since, head.moved_to)
            for nct_id, head in store.trials.heads(ids).items()
        },
        "sightings": store.trials.sightings(ids),
        "versions": {
            nct_id: [
                (
                    one.version, one.registry_version, one.source, one.state, one.digest,
                    one.posted, one.submitted, one.observed, one.fetched, one.key,
                )
                for one in of_trial
            ]
            for nct_id, of_trial in versions.items()
        },
        "bodies": {
            one.digest: store.bodies.read(one.digest)
            for of_trial in versions.values()
            for one in of_trial
            if one.digest is not None
        },
        "events": {
            nct_id: [
                (
                    one.event, one.from_version, one.to_version, one.posted, one.observed,
                    one.fetched, one.happened,
                )
                for one in store.events.find(EventFilter(nct_ids=(nct_id,)))
            ]
            for nct_id in ids
        },
        "listed": {nct_id: store.listed.index(nct_id) for nct_id in ids},
        "watches": [
            (one.name, one.origin, one.created, one.query, one.rules, one.trials)
            for one in store.watches.all()
        ],
    }  # fmt: skip


def fill_with_all(store: Store) -> Store:
    """Store histories, live versions, a gone trial, a moved trial, and watches."""
    for trial in ("NCT02110043", TERMINATED, "NCT03693833"):
        keep_history(store, studies(trial))
    gone = keep_history(store, [study(), study(status="SUSPENDED")], source=Source.LIVE)
    leave(store, gone)
    *_, newest = fill(store, 4, OTHER)
    with store.unit() as unit:
        # a step from nothing to a version that is not the first
        add_events(unit, None, newest, event("from.nothing"), nct_id=OTHER)
        unit.trials.mark_moved(OTHER, TERMINATED)
        unit.trials.mark_absent(TERMINATED, LOAD)
        unit.watches.add("mine", query={"cond": "x"}, rules={"slip_days": 10})
        unit.watches.add_trials("mine", {TERMINATED: "ORG-1", OTHER: None}, LOAD)
        unit.watches.mark_left("mine", [OTHER], at=LOAD)
    return store


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Path:
    file = tmp_path_factory.mktemp("filled") / "ctsync.db"
    shutil.copy(migrated_file, file)
    with open_store(f"sqlite:///{file}", clock=StillClock()) as store:
        fill_with_all(store)
    return file


@pytest.fixture
def full(tmp_path: Path, filled_file: Path) -> Iterator[Store]:
    """A copy of the filled store for each test."""
    file = tmp_path / "full.db"
    shutil.copy(filled_file, file)
    with open_store(f"sqlite:///{file}", clock=StillClock()) as opened:
        yield opened


@pytest.fixture(scope="module")
def exported(filled_file: Path) -> list[bytes]:
    """The lines that the filled store exports."""
    with open_store(f"sqlite:///{filled_file}", clock=StillClock()) as store:
        return lines_of(store)


@pytest.fixture
def empty(tmp_path: Path, migrated_file: Path) -> Iterator[Store]:
    file = tmp_path / "empty.db"
    shutil.copy(migrated_file, file)
    with open_store(f"sqlite:///{file}", clock=StillClock()) as opened:
        yield opened


@pytest.mark.slow
def test_a_round_trip_gives_the_same_logical_dump(store: Store, empty: Store) -> None:
    full = fill_with_all(store)
    done = import_lines(empty, lines_of(full))
    assert (done.trials, done.versions, done.known, done.watches) == (5, 23, 0, 1)
    assert logical_dump(empty) == logical_dump(full)
    assert lines_of(empty) == lines_of(full)
    assert empty.counts()["deliveries"] == 0
    print(f"\nround trip: {done.versions} versions of {done.trials} trials, the same dump")


def test_versions_that_are_not_fetched_are_named_in_the_other_database_too(
    full: Store, empty: Store
) -> None:
    fill_listed(full)
    import_lines(empty, lines_of(full))
    found = empty.listed.unfetched(NctId(LISTED))
    assert [one.number for one in found] == [1, 2, 4]
    assert logical_dump(empty) == logical_dump(full)
    lines = map(json.loads, lines_of(full))
    assert [line["nct_id"] for line in lines if "listed" in line and "nct_id" in line] == [LISTED]


def test_a_repeated_import_stores_nothing(full: Store, empty: Store) -> None:
    exported = lines_of(full)
    import_lines(empty, exported)
    before = empty.counts()
    again = import_lines(empty, exported)
    assert (again.trials, again.versions, again.known, again.refused) == (0, 0, 5, {})
    assert empty.counts() == before


def test_imported_versions_are_stored_as_deltas_like_the_originals(
    full: Store, empty: Store, tmp_path: Path
) -> None:
    import_lines(empty, lines_of(full))
    packed = {}
    for name in ("full", "empty"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as database:
            packed[name] = dict(
                database.execute("SELECT encoding, sum(length(data)) FROM bodies GROUP BY 1")
            )
    assert packed["full"]["delta"] > 0
    assert sum(packed["empty"].values()) <= 1.1 * sum(packed["full"].values())
    assert packed["empty"]["delta"] > 0


def test_hostile_text_is_the_same_after_the_import(store: Store, empty: Store) -> None:
    after = None
    for number, text in enumerate(HOSTILE):
        with store.unit() as unit:
            snapshot = add(unit, number, after, posted=text, submitted=text)
            changed = event(f"a.b{text}", summary=text, before=text, after={"k": [text, 2**70]})
            add_events(unit, after, snapshot, changed)
            after = snapshot
    import_lines(empty, lines_of(store))
    assert logical_dump(empty) == logical_dump(store)


def test_a_second_import_adds_later_versions(full: Store, empty: Store) -> None:
    import_lines(empty, lines_of(full))
    with full.unit() as unit:
        head = full.trials.heads([OTHER])[OTHER]
        add_events(unit, head.snapshot_id, add(unit, 9, head.snapshot_id, OTHER), nct_id=OTHER)
    done = import_lines(empty, lines_of(full))
    assert (done.trials, done.versions, done.known) == (1, 1, 4)
    assert logical_dump(empty) == logical_dump(full)


def test_a_trial_with_other_stored_versions_is_left_unchanged_and_reported(
    full: Store, empty: Store
) -> None:
    keep_history(empty, studies(TERMINATED)[1:])
    before = empty.versions.of(TERMINATED)
    done = import_lines(empty, lines_of(full))
    assert done.refused == {TERMINATED: "version 1 is stored with other content"}
    assert done.trials == 4
    assert empty.versions.of(TERMINATED) == before


def test_a_selection_exports_only_its_trials(full: Store, empty: Store) -> None:
    import_lines(empty, lines_of(full, Selection((TERMINATED,))))
    assert empty.trials.stored_ids() == (TERMINATED,)
    assert empty.watches.all() == []
    import_lines(empty, lines_of(full, Selection(watch="mine")))
    assert (empty.trials.stored_ids(), len(empty.watches.all())) == ((OTHER, TERMINATED), 1)


def test_an_import_interrupted_at_any_line_can_be_repeated_to_complete_it(
    full: Store, empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "MOST_VERSIONS", 1)
    exported, complete = lines_of(full), logical_dump(full)
    cuts = 0
    for end in range(2, len(exported)):
        cut = iter(exported[:end])

        def dying(cut: Iterator[bytes] = cut) -> Iterator[bytes]:
            yield from cut
            raise OSError("injected")

        with pytest.raises(OSError, match="injected"):
            import_lines(empty, dying())
        cuts += 1
        for nct_id in empty.trials.stored_ids():
            assert len(empty.versions.of(nct_id)) == len(complete["versions"][nct_id])
    import_lines(empty, exported)
    assert logical_dump(empty) == complete
    print(f"\nimport: interrupted {cuts} times, 0 trials in part, the same dump at the end")


def edited(lines: list[bytes], record: str, change: dict[str, Any]) -> list[bytes]:
    """Return the lines with values changed in the first record of a type."""
    at = next(n for n, line in enumerate(lines) if json.loads(line)["record"] == record)
    row = json.loads(lines[at])
    for name, value in change.items():
        if value is ...:
            row.pop(name)
        else:
            row[name] = value
    return [*lines[:at], json.dumps(row).encode(), *lines[at + 1 :]]


@pytest.mark.parametrize(
    ("record", "change", "says"),
    [
        ("ctsync", {"format": 2}, "line 1: format 2 of versions cannot be read"),
        ("ctsync", {"what": "events"}, "line 1: format 1 of events"),
        ("ctsync", {"record": "trial"}, "line 1: the first line is not the header"),
        ("trial", {"nct_id": "NCT1x"}, "is not an NCT id"),
        ("trial", {"colour": "red"}, "trials has no column 'colour'"),
        ("trial", {"head_snapshot_id": 7}, "trials has no column 'head_snapshot_id'"),
        ("trial", {"record": "trail"}, "line 2: unexpected 'trail'"),
        ("version", {"body": {"a": 1}}, "line 3: the body does not match its digest"),
        ("version", {"body": ...}, "line 3: 'body' is missing"),
        ("version", {"body": None}, "body or digest is missing"),
        ("version", {"nct_id": "NCT00000009"}, "follows one of"),
        ("version", {"state": "asleep"}, "'asleep' is not a valid State"),
        ("version", {"fetched": "yesterday"}, "yesterday"),
        ("version", {"position": "first"}, "'first' is not a valid position"),
        ("version", {"posted": 7}, "7 is not a valid posted"),
        ("version", {"digest": "1:00"}, "does not match its digest"),
        ("version", {"events": [{"kind": "status"}]}, "'category' is missing"),
        ("version", {"id": 1}, "snapshots has no column 'id'"),
        ("watch", {"trials": ...}, "'trials' is missing"),
    ],
)
def test_an_invalid_export_is_refused_with_its_line_and_stores_no_version(
    exported: list[bytes], empty: Store, record: str, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        import_lines(empty, edited(exported, record, change))
    assert says in str(refused.value)
    assert str(refused.value).startswith("line ")
    assert empty.counts()["snapshots"] == 0


@pytest.mark.parametrize("line", [b"no json", b"[1]", b'{"record":', b"\xff\xfe"])
def test_lines_that_are_not_json_objects_are_refused(empty: Store, line: bytes) -> None:
    first = b'{"record":"ctsync","format":1,"what":"versions"}'
    with pytest.raises(UsageError, match=r"^line 2: "):
        import_lines(empty, [first, line])


def test_an_imported_database_passes_the_check(full: Store, empty: Store) -> None:
    selection = Selection((TERMINATED, NctId("NCT02110043")))
    import_lines(empty, lines_of(full, selection))
    assert check(f"sqlite:///{empty.name}") == []


def test_a_damaged_body_is_not_exported(empty: Store) -> None:
    fill(empty, 1)
    with sqlite3.connect(empty.name) as connection:
        connection.execute("UPDATE bodies SET data = x'00'")
    connection.close()
    with pytest.raises(CorruptBody):
        lines_of(empty)
    assert TRIAL in empty.trials.stored_ids()
