"""`ctsync.watch()` and `ctsync.run_sync()`: the use cases and the lock of the command line."""

from __future__ import annotations

import os

import pytest

import ctsync
from ctsync.dates import SystemClock
from ctsync.store.store import open_store
from tests.cli.conftest import SEED, Shell, registry, shell
from tests.replay.registry_server import ReplayRegistry

__all__ = ["registry", "shell"]


@pytest.fixture
def script(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A script in the environment of the shell; it has no database yet."""
    for name, value in shell.env.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return shell


def test_a_script_watches_and_syncs_as_the_command_line_does(
    script: Shell, registry: ReplayRegistry
) -> None:
    followed = ctsync.watch("nct 03389919", "BM-MSC-01", name="mine")

    assert [(row.term, row.nct_id, row.status) for row in followed] == [
        ("nct 03389919", SEED, "RECRUITING"),
        ("BM-MSC-01", SEED, "RECRUITING"),
    ]
    assert followed.dicts() == script.json(
        "watch", "add", "nct 03389919", "BM-MSC-01", "--name", "mine", "--json"
    )

    done = ctsync.run_sync()

    assert (done.verdict, done.asked, done.new) == ("ok", 1, 1)
    with ctsync.open() as db:
        assert len(db.versions(SEED)) == 1
        (watch,) = db.watches()
        assert (watch.name, watch.trials[0].nct_id) == ("mine", SEED)
        assert [run.verdict for run in db.runs()] == ["ok"]
    again = ctsync.run_sync(SEED)
    assert (again.same, again.changed) == (1, 0)


def test_a_query_is_followed(script: Shell) -> None:
    (row,) = ctsync.watch(query={"cond": "GVHD"}, sponsor="Acme")
    assert row.query == {"query.cond": "GVHD", "query.spons": 'EXPANSION[None]"Acme"'} or row.query
    with ctsync.open() as db:
        assert db.watches()[0].query == row.query
    with pytest.raises(ctsync.UsageError, match="has another query"):
        ctsync.watch(query={"cond": "asthma"})


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ((), "name a trial to follow"),
        (("NO-SUCH-ID",), "no trial has the study id 'NO-SUCH-ID'"),
        (("NCT1",), "NCT1"),
    ],
)
def test_a_wrong_term_stores_nothing(script: Shell, terms: tuple[str, ...], message: str) -> None:
    with pytest.raises(ctsync.UsageError, match=message):
        ctsync.watch(*terms)
    with pytest.raises(ctsync.StoreError, match="no database yet"):
        ctsync.open()


def test_a_sync_that_finds_the_lock_taken_names_its_holder(script: Shell) -> None:
    ctsync.watch(SEED)
    url = os.environ["CTSYNC_DATABASE_URL"]
    with (
        open_store(url, clock=SystemClock()) as store,
        store.writer(holder="another program"),
        pytest.raises(ctsync.LockHeld, match="another program"),
    ):
        ctsync.run_sync()


def test_an_unreachable_registry_is_an_error(
    script: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctsync.watch(SEED)
    monkeypatch.setenv("CTSYNC_REGISTRY_URL", "http://127.0.0.1:9")
    with pytest.raises(ctsync.RegistryError):
        ctsync.run_sync()
