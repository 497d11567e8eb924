"""How many lines `ctsync sync` prints for 600 real trials, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ctsync.cli import main
from ctsync.model import Level
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

FIRST, BUSY, QUIET = "2026-02-09", "2026-03-11", "2026-03-12"


@pytest.fixture(scope="module")
def registry(corpus: Path) -> Iterator[ReplayRegistry]:
    with ReplayRegistry(Catalogue.from_folder(corpus / "days")) as replay:
        yield replay


def test_a_first_sync_a_busy_day_and_a_quiet_day_fit_a_screen(
    registry: ReplayRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {
        "CTSYNC_REGISTRY_URL": registry.url,
        "CTSYNC_REGISTRY__REQUESTS_PER_SECOND": "10",
        "CTSYNC_REGISTRY__BURST": "20",
        "CTSYNC_DATABASE_URL": f"sqlite:///{tmp_path}/ctsync.db",
        "XDG_CONFIG_HOME": str(tmp_path),
    }

    def ctsync(*words: str) -> Result:
        result = CliRunner().invoke(main, list(words), env=env)
        assert result.exit_code == 0, result.output
        return result

    registry.load = FIRST
    ids = list(registry.catalogue.view().ids)
    (tmp_path / "list.txt").write_text("\n".join(ids))
    ctsync("watch", "add", "--file", "list.txt")
    ctsync("watch", "add", "--name", "open", "--query", "overallStatus=RECRUITING")
    lines = {}
    first = ctsync("sync")
    lines["first sync"] = count(first)
    assert f"{len(ids)} trials stored as baseline\n" in first.stderr
    lines["second sync"] = count(ctsync("sync"))

    registry.load = BUSY
    busy = ctsync("sync")
    lines["busy day"] = count(busy)
    levels = [Level(row.split("\t")[0]).rank for row in busy.stdout.splitlines()[1:21]]
    assert levels == sorted(levels)
    assert len(levels) == 20
    (rest,) = busy.stdout.splitlines()[21:]
    assert rest.startswith("and ")
    assert rest.endswith(f": ctsync changes --since {BUSY}")

    registry.load = QUIET
    lines["quiet day"] = count(ctsync("sync"))
    print(f"sync of {len(ids)} real trials: lines printed {lines}")
    assert lines["first sync"] < 15
    assert max(lines["quiet day"], lines["second sync"]) < 5
    assert lines["busy day"] <= 25


def count(result: Result) -> int:
    return len(result.stdout.splitlines()) + len(result.stderr.splitlines())
