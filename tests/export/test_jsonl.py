"""What one database tells, another holds: nothing lost, nothing twice, whatever is in it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ctsync.errors import CorruptBody, UsageError
from ctsync.export import jsonl
from ctsync.export.jsonl import import_lines, version_lines
from ctsync.model import NctId, Source
from ctsync.store.admin.check import check
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.data.events import EventFilter
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.record.reconstructed import studies
from tests.record.studies import study
from tests.store.samples import HOSTILE, LOAD, OTHER, TRIAL, add, add_events, event, fill
from tests.sync.histories import keep_history, leave

ALL = Selection()
TOLD = NctId("NCT01352702")


def lines_of(store: Store, selection: Selection = ALL) -> list[bytes]:
    return [line.encode() for line in version_lines(store, selection)]


def logical_dump(store: Store) -> dict[str, Any]:
    """What a database says, whatever ids and packing it says it with.

    Trials with what the last load said of them, versions in their order with their bodies, events
    by the versions they lead between, watches. Runs, failures and deliveries are of one database.
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
        "watches": [
            (one.name, one.origin, one.created, one.query, one.rules, one.trials)
            for one in store.watches.all()
        ],
    }  # fmt: skip


def fill_with_all(store: Store) -> Store:
    """Histories, live versions, a trial that is gone, one that moved, and watches."""
    for trial in ("NCT02110043", TOLD, "NCT03693833"):
        keep_history(store, studies(trial))
    gone = keep_history(store, [study(), study(status="SUSPENDED")], source=Source.LIVE)
    leave(store, gone)
    *_, newest = fill(store, 4, OTHER)
    with store.unit() as unit:
        # a step from nothing to a version that is not the first
        add_events(unit, None, newest, event("from.nothing"), nct_id=OTHER)
        unit.trials.mark_moved(OTHER, TOLD)
        unit.trials.mark_absent(TOLD, LOAD)
        unit.watches.add("mine", query={"cond": "x"}, rules={"slip_days": 10})
        unit.watches.add_trials("mine", {TOLD: "ORG-1", OTHER: None}, LOAD)
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
    """A store of its own for each test, with all of that in it."""
    file = tmp_path / "full.db"
    shutil.copy(filled_file, file)
    with open_store(f"sqlite:///{file}", clock=StillClock()) as opened:
        yield opened


@pytest.fixture(scope="module")
def told(filled_file: Path) -> list[bytes]:
    """What such a store tells."""
    with open_store(f"sqlite:///{filled_file}", clock=StillClock()) as store:
        return lines_of(store)


@pytest.fixture
def empty(tmp_path: Path, migrated_file: Path) -> Iterator[Store]:
    file = tmp_path / "empty.db"
    shutil.copy(migrated_file, file)
    with open_store(f"sqlite:///{file}", clock=StillClock()) as opened:
        yield opened


def test_a_round_trip_gives_the_same_logical_dump(store: Store, empty: Store) -> None:
    full = fill_with_all(store)
    done = import_lines(empty, lines_of(full))
    assert (done.trials, done.versions, done.known, done.watches) == (5, 23, 0, 1)
    assert logical_dump(empty) == logical_dump(full)
    assert lines_of(empty) == lines_of(full)
    assert empty.counts()["deliveries"] == 0
    print(f"\nround trip: {done.versions} versions of {done.trials} trials, the same dump")


def test_a_second_import_stores_nothing(full: Store, empty: Store) -> None:
    told = lines_of(full)
    import_lines(empty, told)
    before = empty.counts()
    again = import_lines(empty, told)
    assert (again.trials, again.versions, again.known, again.refused) == (0, 0, 5, {})
    assert empty.counts() == before


def test_imported_versions_lean_on_one_another_as_those_stored_here_do(
    full: Store, empty: Store, tmp_path: Path
) -> None:
    import_lines(empty, lines_of(full))
    packed = {}
    for name in ("full", "empty"):
        with sqlite3.connect(tmp_path / f"{name}.db") as database:
            packed[name] = dict(
                database.execute("SELECT encoding, sum(length(data)) FROM bodies GROUP BY 1")
            )
    assert packed["full"]["delta"] > 0
    assert sum(packed["empty"].values()) <= 1.1 * sum(packed["full"].values())
    assert packed["empty"]["delta"] > 0


def test_hostile_text_is_the_same_on_the_other_side(store: Store, empty: Store) -> None:
    after = None
    for number, text in enumerate(HOSTILE):
        with store.unit() as unit:
            snapshot = add(unit, number, after, posted=text, submitted=text)
            told = event(f"a.b{text}", summary=text, before=text, after={"k": [text, 2**70]})
            add_events(unit, after, snapshot, told)
            after = snapshot
    import_lines(empty, lines_of(store))
    assert logical_dump(empty) == logical_dump(store)


def test_later_versions_are_added_to_those_an_earlier_import_brought(
    full: Store, empty: Store
) -> None:
    import_lines(empty, lines_of(full))
    with full.unit() as unit:
        head = full.trials.heads([OTHER])[OTHER]
        add_events(unit, head.snapshot_id, add(unit, 9, head.snapshot_id, OTHER), nct_id=OTHER)
    done = import_lines(empty, lines_of(full))
    assert (done.trials, done.versions, done.known) == (1, 1, 4)
    assert logical_dump(empty) == logical_dump(full)


def test_a_trial_of_which_other_versions_are_stored_is_left_alone_and_named(
    full: Store, empty: Store
) -> None:
    keep_history(empty, studies(TOLD)[1:])
    before = empty.versions.of(TOLD)
    done = import_lines(empty, lines_of(full))
    assert done.refused == {TOLD: "version 1 is stored and is another"}
    assert done.trials == 4
    assert empty.versions.of(TOLD) == before


def test_a_selection_tells_its_trials_only(full: Store, empty: Store) -> None:
    import_lines(empty, lines_of(full, Selection((TOLD,))))
    assert empty.trials.stored_ids() == (TOLD,)
    assert empty.watches.all() == []
    import_lines(empty, lines_of(full, Selection(watch="mine")))
    assert (empty.trials.stored_ids(), len(empty.watches.all())) == ((OTHER, TOLD), 1)


def test_cut_off_at_any_line_the_same_import_finishes_it(
    full: Store, empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "MOST_VERSIONS", 1)
    told, whole = lines_of(full), logical_dump(full)
    cuts = 0
    for end in range(2, len(told)):
        cut = iter(told[:end])

        def dying(cut: Iterator[bytes] = cut) -> Iterator[bytes]:
            yield from cut
            raise OSError("injected")

        with pytest.raises(OSError, match="injected"):
            import_lines(empty, dying())
        cuts += 1
        for nct_id in empty.trials.stored_ids():
            assert len(empty.versions.of(nct_id)) == len(whole["versions"][nct_id])
    import_lines(empty, told)
    assert logical_dump(empty) == whole
    print(f"\nimport: cut off {cuts} times, 0 trials in part, the same dump at the end")


def edited(lines: list[bytes], record: str, change: dict[str, Any]) -> list[bytes]:
    """The lines with something changed in the first of a kind."""
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
        ("ctsync", {"record": "trial"}, "line 1: the first line does not say"),
        ("trial", {"nct_id": "NCT1x"}, "is not an NCT id"),
        ("trial", {"colour": "red"}, "trials has no column 'colour'"),
        ("trial", {"head_snapshot_id": 7}, "trials has no column 'head_snapshot_id'"),
        ("trial", {"record": "trail"}, "line 2: a 'trail' cannot stand here"),
        ("version", {"body": {"a": 1}}, "line 3: the body does not match its digest"),
        ("version", {"body": ...}, "line 3: 'body' is missing"),
        ("version", {"body": None}, "a digest and no body"),
        ("version", {"nct_id": "NCT00000009"}, "stands among those of"),
        ("version", {"state": "asleep"}, "'asleep' is not a valid State"),
        ("version", {"fetched": "yesterday"}, "yesterday"),
        ("version", {"position": "first"}, "'first' cannot stand in position"),
        ("version", {"posted": 7}, "7 cannot stand in posted"),
        ("version", {"digest": "1:00"}, "does not match its digest"),
        ("version", {"events": [{"kind": "status"}]}, "'category' is missing"),
        ("version", {"id": 1}, "snapshots has no column 'id'"),
        ("watch", {"trials": ...}, "'trials' is missing"),
    ],
)
def test_what_is_no_export_is_told_with_its_line_and_stores_nothing_of_the_trial(
    told: list[bytes], empty: Store, record: str, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        import_lines(empty, edited(told, record, change))
    assert says in str(refused.value)
    assert str(refused.value).startswith("line ")
    assert empty.counts()["snapshots"] == 0


@pytest.mark.parametrize("line", [b"no json", b"[1]", b'{"record":', b"\xff\xfe"])
def test_lines_that_are_no_json_objects_are_told(empty: Store, line: bytes) -> None:
    first = b'{"record":"ctsync","format":1,"what":"versions"}'
    with pytest.raises(UsageError, match=r"^line 2: "):
        import_lines(empty, [first, line])


def test_an_imported_database_proves_itself(full: Store, empty: Store) -> None:
    selection = Selection((TOLD, NctId("NCT02110043")))
    import_lines(empty, lines_of(full, selection))
    assert check(f"sqlite:///{empty.name}") == []


def test_a_body_that_is_damaged_is_not_told(empty: Store) -> None:
    fill(empty, 1)
    with sqlite3.connect(empty.name) as connection:
        connection.execute("UPDATE bodies SET data = x'00'")
    connection.close()
    with pytest.raises(CorruptBody):
        lines_of(empty)
    assert TRIAL in empty.trials.stored_ids()
