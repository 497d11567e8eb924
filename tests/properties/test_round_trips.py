"""However a database came to be, `export jsonl` and `import` give every exported row again.

Databases are made by sync, mirror of an archive, backfill, import and copy, in any mix. Then each
is exported and imported, and the two are compared row by row. The registry changes in between.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import orjson
import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, select

from ctsync.export.jsonl import import_lines, version_lines
from ctsync.model import JsonObject, NctId
from ctsync.query import read_query
from ctsync.registry.archive_download import ArchiveDownload
from ctsync.registry.http.session import new_session
from ctsync.registry.record_history import HistoryTransport, RegistryHistory
from ctsync.store.admin.check import check
from ctsync.store.admin.copy import contents, copy_database
from ctsync.store.admin.row_export import OWN_COLUMNS
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.database.tables import (
    BODIES,
    CURSOR_PAGES,
    CURSORS,
    DELIVERIES,
    DICTIONARIES,
    EVENTS,
    FAILURES,
    LISTED_VERSIONS,
    MARKS,
    METADATA,
    RUNS,
    SNAPSHOTS,
    TEXT_BODIES,
    TEXT_PLACES,
    TEXT_VALUES,
    TRIAL_FACTS,
    TRIALS,
    WATCHED_TRIALS,
    WATCHES,
)
from ctsync.store.store import Store, open_store
from ctsync.sync.history.backfill import Backfill
from ctsync.sync.mirror.mirror import Mirror
from tests.conftest import StillClock
from tests.installation import Installation
from tests.offline import HOST
from tests.registry_fixtures import make_study

POOL = tuple(NctId(f"NCT0000020{number}") for number in range(5))
STATUS = "protocolSection.statusModule."
EDITS: tuple[Mapping[str, Any], ...] = (
    {STATUS + "overallStatus": "TERMINATED", STATUS + "whyStopped": "a\0b 🥼 'x'"},
    {"protocolSection.designModule.enrollmentInfo.count": 12},
    {"protocolSection.designModule.enrollmentInfo.count": 2.0**70},
    {"protocolSection.identificationModule.briefTitle": "line\nline \u2028 100 % \\u0000"},
    {STATUS + "lastUpdatePostDateStruct.date": "2026-02-01"},
)
STEPS = ("sync", "mirror", "backfill", "import", "copy")
MOVES = ("publish", "edit", "edit", "withdraw", "merge")

NOT_EXPORTED = {
    RUNS, FAILURES, CURSORS, CURSOR_PAGES, DELIVERIES, DICTIONARIES, MARKS, TRIAL_FACTS,
    TEXT_BODIES, TEXT_VALUES, TEXT_PLACES, LISTED_VERSIONS,
}  # fmt: skip
"""What belongs to one installation, such as its runs and its outbox, or follows from records.

Listed versions are no versions, so no export of versions has them.
"""

moves = st.lists(
    st.tuples(st.sampled_from(MOVES), st.sampled_from(POOL), st.sampled_from(EDITS)), max_size=4
)
plans = st.lists(st.tuples(moves, st.sampled_from(STEPS)), min_size=1, max_size=5)
Plan = Sequence[tuple[Sequence[tuple[str, NctId, Mapping[str, Any]]], str]]


class Builder:
    """One database, the registry behind it, and the folder that both use."""

    performed: ClassVar[Counter[str]] = Counter()

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder, self.template = folder, template
        self.files = 0
        self.here = Installation(self.new_url())
        self.here.catalogue.publish(make_study(POOL[0]))
        with self.here.store.unit() as unit:
            unit.watches.add("named", rules={"slip_days": 10})
            unit.watches.add_trials("named", dict.fromkeys(POOL[:3]), self.here.clock.now())
            unit.watches.add("found", query=read_query({"overallStatus": "RECRUITING"}).params)

    def new_url(self) -> str:
        self.files += 1
        file = self.folder / f"{self.files}.db"
        shutil.copy(self.template, file)
        return f"sqlite:///{file}"

    def close(self) -> None:
        self.here.store.close()

    def move(self, what: str, nct_id: NctId, edit: Mapping[str, Any]) -> None:
        """Change the registry, in a load of its own."""
        catalogue = self.here.catalogue
        catalogue.advance()
        shown = set(catalogue.view().ids)
        if what == "publish" and nct_id not in shown:
            catalogue.publish(make_study(nct_id))
        elif what == "edit" and nct_id in shown:
            catalogue.edit(nct_id, edit)
        elif what == "withdraw" and nct_id in shown:
            catalogue.withdraw(nct_id)
        elif what == "merge" and len(shown) > 1 and nct_id in shown:
            catalogue.merge(nct_id, into=min(shown - {nct_id}))
        else:
            return
        self.performed[what] += 1

    def step(self, what: str) -> None:
        """Take one step by which a database can change."""
        self.here.clock.sleep(3600)
        getattr(self, what)()
        self.performed[what] += 1

    def sync(self) -> None:
        self.here.round()

    def mirror(self) -> None:
        """Load an archive. One of its members cannot be read."""
        view, file = self.here.catalogue.view(), self.folder / "bulk.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for nct_id in sorted(view.ids):
                archive.writestr(f"{nct_id}.json", orjson.dumps(view.study(nct_id)))
            archive.writestr("NCT00000299.json", b"{}")
        if not list(view.ids):
            return
        client = self.here.registry.client(self.here.clock)
        Mirror(
            store=self.here.store,
            registry=client,
            bulk=ArchiveDownload(client.transport),
            clock=self.here.clock,
            folder=self.folder,
            processes=0,
        ).run(archive=file)

    def backfill(self) -> None:
        """Fetch the histories of all trials, also of one that the registry does not know."""
        for nct_id in self.here.catalogue.view().ids:
            study = self.here.catalogue.view().study(nct_id)
            assert study is not None
            self.here.catalogue.set_history(nct_id, [past_of(study), without_derived(study)])
        with self.offline():
            client = self.here.registry.client(self.here.clock)
            history = RegistryHistory(client.transport, way=HistoryTransport.REQUESTS)
        known = self.here.store.trials.stored_ids()
        Backfill(store=self.here.store, history=history, clock=self.here.clock).run(
            [*known, NctId("NCT00000298")]
        )

    @contextmanager
    def offline(self) -> Iterator[None]:
        def new_offline_session(*given: Any) -> requests.Session:
            session = new_session(*given)
            session.mount(HOST, self.here.registry)
            return session

        with patch("ctsync.registry.http.transport.new_session", new_offline_session):
            yield

    def copy(self) -> None:
        """Continue with a copy of the database."""
        before, url = contents(self.here.store), self.new_url()
        copy_database(self.here.url, url, clock=self.here.clock)
        self.move_to(url)
        assert contents(self.here.store) == before

    def move_to(self, url: str) -> None:
        self.here.store.close()
        self.here.url = url
        self.here.open()

    def import_(self) -> str:
        """Import an export of the database into a new one, and return its URL."""
        url = self.new_url()
        with open_store(url, clock=StillClock()) as target:
            import_lines(target, (line.encode() for line in version_lines(self.here.store, ALL)))
        return url


ALL = Selection()
setattr(Builder, "import", lambda self: self.move_to(self.import_()))


def without_derived(study: JsonObject) -> JsonObject:
    return {key: value for key, value in study.items() if key != "derivedSection"}


def past_of(study: JsonObject) -> JsonObject:
    """An earlier version of a study, as the registry's history shows it."""
    past: JsonObject = orjson.loads(orjson.dumps(without_derived(study)))
    status = past["protocolSection"]["statusModule"]
    status["overallStatus"] = "NOT_YET_RECRUITING"
    status["lastUpdatePostDateStruct"] = {"date": "2025-06-03", "type": "ACTUAL"}
    status["lastUpdateSubmitDate"] = "2025-06-01"
    return past


def exported_rows(store: Store) -> dict[str, set[str]]:
    """Return every row of the exported tables, ids replaced by what they stand for."""
    with store.view() as connection:
        rows = {
            table: [dict(row._mapping) for row in connection.execute(select(table))]
            for table in METADATA.sorted_tables
            if table not in NOT_EXPORTED
        }
    place = {row["id"]: (row["nct_id"], row["position"]) for row in rows[SNAPSHOTS]}
    watch = {row["id"]: row["name"] for row in rows[WATCHES]}

    def shown(table: Table[Any], row: Mapping[str, Any]) -> str:
        values = {k: v for k, v in row.items() if k not in OWN_COLUMNS[table]}
        for key in ("head_snapshot_id", "from_snapshot_id", "to_snapshot_id"):
            if key in row:
                values[key] = row[key] and place[row[key]]
        if "watch_id" in row:
            values["watch_id"] = watch[row["watch_id"]]
        for key in {"nct_id", "path_key"} & set(row):
            values[key] = row[key]
        return repr(sorted(values.items()))

    found = {t.name: {shown(t, row) for row in of} for t, of in rows.items() if t is not BODIES}
    bodies = {
        f"{row['digest']} {row['raw_size']} {store.bodies.read(row['digest'])!r}"
        for row in rows[BODIES]
    }
    return found | {BODIES.name: bodies}


def check_round_trip(plan: Plan, folder: Path, template: Path) -> None:
    with ExitStack() as closing:
        builder = Builder(folder, template)
        closing.callback(builder.close)
        for changes, step in plan:
            for what, nct_id, edit in changes:
                builder.move(what, nct_id, edit)
            builder.step(step)
        source = builder.here.store
        url = builder.import_()
        with open_store(url, clock=StillClock()) as target:
            assert exported_rows(target) == exported_rows(source)
            assert list(version_lines(target, ALL)) == list(version_lines(source, ALL))
            again = import_lines(target, (line.encode() for line in version_lines(source, ALL)))
            assert (again.versions, again.refused) == (0, {})
        assert check(url) == []


def test_each_table_is_exported_or_belongs_to_one_installation() -> None:
    exported = {TRIALS, SNAPSHOTS, BODIES, EVENTS, WATCHES, WATCHED_TRIALS}
    assert exported | NOT_EXPORTED == set(METADATA.sorted_tables)
    assert set(OWN_COLUMNS) == exported - {BODIES}


EVERY_WAY: Plan = [
    ([("publish", POOL[1], {})], "sync"),
    ([("edit", POOL[0], EDITS[0]), ("publish", POOL[3], {})], "mirror"),
    ([("withdraw", POOL[1], {}), ("edit", POOL[3], EDITS[2])], "mirror"),
    ([("merge", POOL[3], {})], "sync"),
    ([], "backfill"),
    ([], "copy"),
    ([("edit", POOL[0], EDITS[3])], "import"),
    ([], "sync"),
]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_database_made_in_one_way_is_the_same_after_export_and_import(
    step: str, tmp_path: Path, migrated_file: Path
) -> None:
    publishes: list[tuple[str, NctId, Mapping[str, Any]]] = [
        ("publish", nct_id, {}) for nct_id in POOL[:2]
    ]
    check_round_trip([(publishes, "sync"), ([], step)], tmp_path, migrated_file)


@pytest.mark.slow
@given(plan=plans)
@example(plan=EVERY_WAY)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_database_made_in_any_mix_of_ways_is_the_same_after_export_and_import(
    plan: Plan, migrated_file: Path
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_round_trip(plan, Path(folder), migrated_file)


@pytest.mark.slow
def test_a_database_made_in_every_way_is_the_same_after_export_and_import(
    tmp_path: Path, migrated_file: Path
) -> None:
    check_round_trip(EVERY_WAY, tmp_path, migrated_file)
    print(f"\nround trip: {dict(Builder.performed)}, every exported row the same")
