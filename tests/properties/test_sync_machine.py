"""State machine test: after any sequence of events, a clean run makes store and registry equal.

The machine publishes, edits, merges, withdraws and returns trials, and reloads the registry. It
spoils answers, syncs and delivers. It kills the process at any statement, fails a statement, or
loses the answer to a commit. It upgrades the database from the schema of an earlier release. In
between and at the end it compares the store with the registry, the recipients' inboxes with the
store, and checks the store itself.
"""

from __future__ import annotations

import gc
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.exc import OperationalError

from ctsync.deliver.outbox import LEASE
from ctsync.errors import RegistryError, StoreError
from ctsync.model import JsonObject, Kind, Level, NctId, State, Verdict
from ctsync.query import read_query
from ctsync.record.compare.canonical import canonicalize
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.database import migrate
from ctsync.store.database.engine import connect_file, make_engine, parse_url, writing
from ctsync.sync.cycle_result import CycleResult
from tests.conftest import PostgresServer
from tests.installation import BERT, Installation, Killed
from tests.registry_fixtures import make_study
from tests.replay import faults
from tests.replay.catalogue import View

pytestmark = pytest.mark.slow

POOL = tuple(NctId(f"NCT0000010{number}") for number in range(4))
STATUS = "protocolSection.statusModule."
EDITS: tuple[dict[str, Any], ...] = (
    {STATUS + "overallStatus": "TERMINATED"},
    {STATUS + "overallStatus": "RECRUITING"},
    {STATUS + "overallStatus": "SUSPENDED"},
    {STATUS + "overallStatus": "RECRUITING"},
    {STATUS + "overallStatus": "UNKNOWN", STATUS + "lastKnownStatus": "RECRUITING"},
    {STATUS + "primaryCompletionDateStruct.date": "2029-01"},
    {STATUS + "primaryCompletionDateStruct.date": "2027-06-30"},
    {STATUS + "statusVerifiedDate": "2026-02"},
    {STATUS + "lastUpdatePostDateStruct.date": "2026-02-01"},
    {"protocolSection.designModule.enrollmentInfo.count": 12},
    {"protocolSection.designModule.newField": {"never": "seen"}},
    {"hasResults": True},
)  # fmt: skip
LISTED, ONE, ANY = "/v2/studies", "/v2/studies/NCT.*", ".*"
SPOILT: tuple[tuple[str, faults.Fault], ...] = (
    (ANY, faults.html_page()),
    (ANY, faults.body(b"null")),
    (ANY, faults.body(b"")),
    (ANY, faults.status(503)),
    (ANY, faults.status(429, "slow down", retry_after="7")),
    (ANY, faults.edge_refusal()),
    (ANY, faults.reset()),
    (ANY, faults.truncated(40)),
    (ANY, faults.truncated(40, declare_length=False)),
    (LISTED, faults.body(b'{"studies": []}')),
    (LISTED, faults.body(b"[]")),
    (LISTED, faults.emptied()),
    (LISTED, faults.shifted(1)),
    (LISTED, faults.shifted(-1)),
    (ONE, faults.status(404)),
    (ONE, faults.status(404, "NCT number not found")),
    (ONE, faults.body(b"{}")),
    (ONE, faults.Fault(rewrite=lambda reply: replace(reply, body=b"{" + reply.body))),
)  # fmt: skip
MOVES = ("publish or return", "edit", "edit", "edit", "merge", "withdraw", "reload")
some_trial = st.sampled_from(POOL)
an_edit = st.sampled_from(EDITS)
moment = st.integers(1, 90)
OLDEST = "0001"
BEGINNING = datetime.min.replace(tzinfo=UTC)
OPEN = "all that recruit"


class Machine(RuleBasedStateMachine):
    """One installation, and a registry that changes independently."""

    performed: ClassVar[Counter[str]] = Counter()
    new_url: Callable[[], str]

    @initialize(shown=st.integers(0, len(POOL)), is_settled=st.booleans())
    def begin(self, shown: int, is_settled: bool) -> None:
        self.here = Installation(self.new_url(), anna_follows=["some"])
        for nct_id, status in zip(POOL[:shown], cycle(("RECRUITING", "SUSPENDED")), strict=False):
            self.here.catalogue.publish(make_study(nct_id, overallStatus=status))
        with self.here.store.unit() as unit:
            for name, ids in (("some", POOL[:2]), ("all", POOL)):
                unit.watches.add(name)
                unit.watches.add_trials(name, dict.fromkeys(ids), self.here.clock.now())
            unit.watches.add(OPEN, query=read_query({"overallStatus": "RECRUITING"}).params)
        self.seen: datetime | None = None
        self.reload_to: datetime | None = None
        self.reloaded_in_between = False
        self.may_wait = False
        self.upgraded = False
        if is_settled:
            self.round()
        self.count("example")

    def count(self, what: str) -> None:
        self.performed[what] += 1

    # --- the registry -------------------------------------------------------------------------

    def shown(self) -> View:
        return self.here.catalogue.view()

    def change(self) -> None:
        """Advance to a load that no run has seen: a load already seen must not change."""
        while self.seen is not None and self.here.catalogue.load <= self.seen:
            self.here.catalogue.advance()

    @rule(moves=st.lists(st.tuples(st.sampled_from(MOVES), some_trial, some_trial, an_edit),
                         min_size=1, max_size=5))  # fmt: skip
    def the_registry_moves(self, moves: list[tuple[str, NctId, NctId, dict[str, Any]]]) -> None:
        """Change one or more trials in the next load."""
        catalogue = self.here.catalogue
        if self.awaits_reload():  # the pending reload would come after these changes
            self.here.registry.faults.clear()
            self.reload_to = None
        for what, nct_id, other, edit in moves:
            if what == "reload":
                catalogue.advance()
                self.count(what)
                continue
            self.change()
            shown = set(self.shown().ids)
            if what == "publish or return" and nct_id not in shown:
                status = edit.get(STATUS + "overallStatus", "RECRUITING")
                if (heir := self.shown().canonical(nct_id)) is not None:
                    catalogue.edit(heir, partial(disown, nct_id))
                catalogue.publish(make_study(nct_id, overallStatus=status))
            elif what == "edit" and nct_id in shown:
                catalogue.edit(nct_id, edit)
            elif what == "merge" and nct_id != other and {nct_id, other} <= shown:
                catalogue.merge(nct_id, into=other)
            elif what == "withdraw" and nct_id in shown:
                catalogue.withdraw(nct_id)
            else:
                continue
            self.count(what)

    @rule(
        spoilt=st.sampled_from(SPOILT),
        skip=st.integers(0, 3),
        times=st.sampled_from([1, 2, 7, faults.EVERY_TIME]),
    )
    def spoil(self, spoilt: tuple[str, faults.Fault], skip: int, times: int) -> None:
        path, fault = spoilt
        self.here.registry.faults.add(fault, path=path, skip=skip, times=times)
        self.count("fault")

    def awaits_reload(self) -> bool:
        return self.reload_to is not None and self.here.catalogue.load < self.reload_to

    @precondition(lambda self: not self.awaits_reload())
    @rule(nct_id=some_trial, skip=st.integers(0, 2))
    def reload_in_between(self, nct_id: NctId, skip: int) -> None:
        """Let the next load, in which one trial differs, arrive in the middle of a run."""
        study = self.shown().study(nct_id)
        if study is not None:
            later = max(self.here.catalogue.load, self.seen or BEGINNING) + timedelta(days=1)
            study["protocolSection"]["identificationModule"]["briefTitle"] += "!"
            self.here.catalogue.publish(study, load=later)
            self.reload_to = self.seen = later  # counts as seen: its content must no longer change
            self.here.registry.faults.add(faults.reload(later), skip=skip)
            self.reloaded_in_between = True
            self.count("reload in between")

    # --- the program --------------------------------------------------------------------------

    @rule()
    def sync(self) -> None:
        self.round()
        self.count("sync")

    @precondition(lambda self: self.may_wait)
    @rule()
    def drain(self) -> None:
        self.here.drain()
        self.may_wait = False
        self.count("drain")

    @rule(at=moment, how=st.sampled_from(["killed", "a statement failed", "an answer was lost"]))
    def break_a_sync(self, at: int, how: str) -> None:
        self.may_wait = True
        with self.breaking(how, at):
            self.round()

    @precondition(lambda self: self.may_wait)
    @rule(at=st.integers(1, 20), how=st.sampled_from(["killed", "a statement failed"]))
    def break_a_drain(self, at: int, how: str) -> None:
        with self.breaking(how, at):
            self.here.drain()

    @rule(when=st.sampled_from(["before it is sent", "after it was sent"]))
    def kill_while_sending(self, when: str) -> None:
        def die(moment: str) -> None:
            if moment == when:
                raise Killed

        self.here.dies = die
        self.may_wait = True
        try:
            self.round()
        except Killed:
            self.here.reopen()
            self.count(f"killed {when}")
        finally:
            self.here.dies = lambda _moment: None

    @precondition(lambda self: self.may_wait)
    @rule(hours=st.sampled_from([0.02, 1, 30]))
    def wait(self, hours: float) -> None:
        self.here.clock.sleep(hours * 3600)

    @precondition(lambda self: self.here.url.startswith("sqlite") and not self.upgraded)
    @rule()
    def upgrade(self) -> None:
        """Put the stored data into a database of the first release, and open it with this one."""
        self.here.store.close()
        make_older(Path(self.here.url.removeprefix("sqlite:///")))
        self.here.open()
        self.upgraded = True
        self.count("upgrade")

    @contextmanager
    def breaking(self, how: str, at: int) -> Iterator[None]:
        here = self.here
        by = {
            "killed": here.killed_at,
            "a statement failed": here.failing_at,
            "an answer was lost": here.answer_lost_at,
        }
        try:
            with by[how](at):
                yield
        except Killed:
            here.reopen()
            self.count("killed at a statement")
        except (OperationalError, StoreError):
            self.count(how)

    def round(self) -> CycleResult | None:
        """Run one round. Afterwards every trial that it could check equals the registry's.

        Exception: if a spoilt listing omits a trial that was absent, or not yet there, ctsync
        believes the listing until the next run.
        """
        store, registry = self.here.store, self.here.registry
        followed, spoilt = store.watched.ids(), registry.spoilt
        heads = store.trials.heads(followed)
        away = {i for i in followed if i in heads and heads[i].state is not State.PRESENT}
        away |= store.trials.never_found(followed).keys()
        try:
            result = self.here.round()
        except RegistryError:
            return None
        finally:
            self.seen = max(self.here.catalogue.load, self.seen or BEGINNING)
        if not result.sync.failed and result.sync.verdict in {Verdict.OK, Verdict.PARTIAL}:
            self.assert_equal_except_absences(away if registry.spoilt > spoilt else set())
        return result

    # --- invariants ---------------------------------------------------------------------------

    def assert_equal_except_absences(self, away: AbstractSet[NctId]) -> None:
        """Assert that every followed trial in the registry is stored as the registry shows it."""
        shown, store = self.shown(), self.here.store
        followed = store.watched.ids()
        heads = store.trials.heads(followed)
        for nct_id in followed:
            study, head = shown.study(nct_id), heads.get(nct_id)
            if study is not None and nct_id not in away:
                assert head is not None, f"{nct_id} is shown and not stored"
                assert (head.state, head.digest) == (State.PRESENT, canonicalize(study).digest)
        for nct_id in POOL:
            now = shown.canonical(nct_id)
            if now not in {None, nct_id} and nct_id not in away:
                assert now in followed, f"{nct_id} moved to {now}, which is not followed"

    def teardown(self) -> None:
        """Assert that after two clean runs over two loads all is equal and all is delivered."""
        if not hasattr(self, "here"):
            return
        here = self.here
        with ExitStack() as closing:
            closing.callback(here.store.close)
            here.registry.faults.clear()
            here.clock.sleep(LEASE.total_seconds() + 3600 * 7)
            newest = here.store.runs.newest_load()
            while newest is not None and here.catalogue.load < newest:
                here.catalogue.advance()  # a reload during a run had set it back
            for _ in range(2):
                here.catalogue.advance()
                result = self.round()
                assert result is not None
                assert result.sync.failed == ()
            self.assert_equal()
            self.assert_delivered()
            self.assert_members_match()
            self.assert_no_false_absence()
            self.assert_no_false_move()
            assert here.problems() == []

    def assert_equal(self) -> None:
        shown, heads = self.shown(), self.here.store.trials.heads(POOL)
        for nct_id, head in heads.items():
            now = shown.canonical(nct_id)
            if now == nct_id:
                continue  # the round has already compared it, if it is followed
            if nct_id in self.here.store.watched.ids():
                assert now is None, f"{nct_id} moved to {now} but is followed under its old id"
                assert head.state is not State.PRESENT
            elif now is not None:
                assert (head.state, head.moved_to) == (State.MOVED, now)

    def assert_delivered(self) -> None:
        """Assert that every planned delivery was made, and that repeats had the same message id."""
        here = self.here
        counts, rows = here.event_counts(), here.store.outbox.deliveries()
        unsent = [row for row in rows if row.state is not DeliveryState.SENT]
        assert unsent == []
        welcomed = {row.message_id for row in rows if row.dedup_key.startswith("w")}
        for row in rows:
            assert counts[row.recipient, row.event_id] or row.message_id in welcomed
        keys = defaultdict(set)
        for recipient, key, events in here.received:
            for event_id in events:
                keys[recipient, event_id].add(key)
        assert all(len(of) == 1 for of in keys.values())
        planned = {(row.recipient, row.event_id) for row in rows}
        for stored in here.events():
            assert ("log", stored.event_id) in planned
            if stored.event.kind is not Kind.FIRST_SEEN and stored.event.level.reaches(
                Level.ROUTINE
            ):
                assert (BERT, stored.event_id) in planned

    def recruits(self, nct_id: NctId) -> bool:
        """Return whether a trial matches the query in the current load."""
        study = self.shown().study(nct_id) or {"protocolSection": {"statusModule": {}}}
        status: str | None = study["protocolSection"]["statusModule"].get("overallStatus")
        return status == "RECRUITING"

    def assert_members_match(self) -> None:
        """Assert that the query's members are the matching trials. A gone trial is not checked."""
        (watch,) = [watch for watch in self.here.store.watches.all() if watch.name == OPEN]
        followed = {trial.nct_id for trial in watch.trials}
        for trial in watch.trials:
            is_known = trial.by_query and self.shown().study(trial.nct_id) is not None
            is_in = trial.left_at is None
            assert not is_known or is_in == self.recruits(trial.nct_id), trial
        assert {nct_id for nct_id in POOL if self.recruits(nct_id)} <= followed

    def assert_no_false_move(self) -> None:
        """Assert that a trial matched in each load it entered, and not in each load it left."""
        for stored in self.here.events():
            if stored.event.kind in {Kind.ENTERED, Kind.LEFT}:
                assert stored.observed is not None
                self.here.catalogue.set_load(stored.observed)
                assert self.recruits(stored.nct_id) == (stored.event.kind is Kind.ENTERED)
                self.count(f"{stored.event.kind} the query")

    def assert_no_false_absence(self) -> None:
        """Assert that every version (present, gone or moved) agrees with its load."""
        catalogue = self.here.catalogue
        for nct_id in POOL:
            versions = self.here.store.versions.of(nct_id)
            stored = [(version.digest, version.state) for version in versions]
            assert all(one != two for one, two in pairwise(stored)), "a version stored twice"
            before: datetime | None = None
            for version in versions:
                assert version.observed is not None
                catalogue.set_load(version.observed)
                study = self.shown().study(nct_id)
                if version.state is State.PRESENT and not self.reloaded_in_between:
                    assert study is not None
                    assert canonicalize(study).digest == version.digest
                if version.state is State.GONE:
                    assert before is not None
                    is_twice = self.lacked_between(nct_id, before, version.observed)
                    assert is_twice, "gone after one load"
                before = version.observed
                if version.state is not State.PRESENT:
                    catalogue.set_load(version.observed)
                    assert study is None
                    moved = self.shown().canonical(nct_id) is not None
                    assert (version.state is State.MOVED) == moved

    def lacked_between(self, nct_id: NctId, seen: datetime, load: datetime) -> bool:
        """Return whether a run saw a load between `seen` and `load` that lacked the trial."""
        for run in self.here.store.runs.latest():
            for day in (run.load_before, run.load_after):
                if day is not None and seen < day < load:
                    self.here.catalogue.set_load(day)
                    if self.shown().canonical(nct_id) is None:
                        return True
        return False


def disown(nct_id: NctId, study: JsonObject) -> None:
    """Remove an alias from a trial."""
    study["protocolSection"]["identificationModule"]["nctIdAliases"].remove(nct_id)


# --- the schema of an earlier release ---------------------------------------------------------


@cache
def oldest_database() -> Path:
    """Return an empty database as the first release creates it."""
    file = Path(tempfile.mkdtemp(prefix="ctsync-oldest-")) / "ctsync.db"
    migrate.mark_file(file)
    engine = make_engine(parse_url(f"sqlite:///{file}"))
    config = Config()
    config.set_main_option("script_location", str(migrate.migrations_folder()))
    with writing(engine, str(file)) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLDEST)
    engine.dispose()
    return file


def make_older(file: Path) -> None:
    """Move the stored data into a database of the first release, limited to its columns."""
    newer = file.with_name("newer.db")
    for end in ("", "-wal", "-shm"):
        beside = Path(f"{file}{end}")
        if beside.exists():
            beside.rename(f"{newer}{end}")
    shutil.copy(oldest_database(), file)
    connection = connect_file(file)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("ATTACH ? AS newer", (str(newer),))
    connection.execute("BEGIN")
    for (table,) in _rows(connection, "SELECT name FROM main.sqlite_master WHERE type = 'table'"):
        if table != "alembic_version" and not table.startswith("sqlite_"):
            columns = ", ".join(
                name for _, name, *_ in _rows(connection, f"PRAGMA main.table_info({table})")
            )
            connection.execute(f"DELETE FROM main.{table}")
            connection.execute(
                f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"
            )
    connection.execute("COMMIT")
    connection.close()
    for end in ("", "-wal", "-shm"):
        Path(f"{newer}{end}").unlink(missing_ok=True)


def _rows(connection: sqlite3.Connection, statement: str) -> list[tuple[Any, ...]]:
    return connection.execute(statement).fetchall()


# --- the machines -------------------------------------------------------------------------------

quiet = settings(
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def run_machine(new_url: Callable[[], str], *, examples: int, steps: int) -> None:
    """Run the machine on databases that `new_url` creates, and print what it did."""

    class Once(Machine):
        performed: ClassVar[Counter[str]] = Counter()

    Once.new_url = staticmethod(new_url)
    run_state_machine_as_test(
        Once, settings=settings(quiet, max_examples=examples, stateful_step_count=steps)
    )
    done = Once.performed
    ran = done.pop("example")
    counts = ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
    print(f"sync machine: {ran} examples, all equal to the registry after a clean run; {counts}")
    assert ran >= examples


@pytest.fixture
def sqlite_urls(migrated_file: Path, tmp_path: Path) -> Callable[[], str]:
    file = tmp_path / "ctsync.db"

    def new_url() -> str:
        for old in tmp_path.glob("ctsync.db*"):
            old.unlink()
        shutil.copy(migrated_file, file)
        return f"sqlite:///{file}"

    return new_url


def test_the_store_equals_the_registry_after_a_clean_run(sqlite_urls: Callable[[], str]) -> None:
    run_machine(sqlite_urls, examples=60, steps=12)


@pytest.mark.soak
def test_the_store_equals_the_registry_after_a_clean_run_in_many_long_examples(
    sqlite_urls: Callable[[], str],
) -> None:
    run_machine(sqlite_urls, examples=1000, steps=50)


# a killed process does not close its cursor
@pytest.mark.filterwarnings("ignore:.*ServerCursor.* was deleted while still open:ResourceWarning")
def test_the_store_equals_the_registry_after_a_clean_run_on_postgresql(
    postgres: PostgresServer,
) -> None:
    made: list[str] = []

    def new_url() -> str:
        for url in made:
            postgres.drop(url)
        made[:] = [postgres.new_migrated_database()]
        return made[0]

    run_machine(new_url, examples=10, steps=12)
    gc.collect()
