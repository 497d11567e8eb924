"""Three ways to follow trials over the days of a registry, each as one process.

`python -m tests.bench.daily_clients WAY REGISTRY FOLDER` reads NCT ids from ids.txt in the folder.
It checks them once per line on stdin, answers each line with one, and at the end writes the CPU
seconds of its days, its children's included and its imports left out.

- ctsync: the cycle of `ctsync daemon`, which stores versions, events and lines of the log.
- git: writes each record to a file, less the date of the data refresh, and commits what changed.
- hash: keeps a record in SQLite if its SHA-256 is new, with the paths that differ.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from ctsync.config.settings import DatabaseSettings, RegistrySettings, Settings, WatchSettings
from ctsync.dates import SystemClock
from ctsync.model import NctId
from ctsync.registry.connection import connected
from ctsync.store.store import open_store
from ctsync.sync.cycle import SyncCycle

BATCH = 100
MINE = ("-c", "user.name=scraper", "-c", "user.email=scraper@localhost", "-c", "gc.auto=0")

Day = Callable[[], None]


def fetched(registry: str, ids: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each trial's record, less the date of the data refresh, which changes every day."""
    with requests.Session() as session:
        for start in range(0, len(ids), BATCH):
            batch = "|".join(ids[start : start + BATCH])
            asked = {"filter.ids": batch, "pageSize": "1000"}
            answer = session.get(f"{registry}/v2/studies", params=asked, timeout=60)
            for study in answer.json()["studies"]:
                study["derivedSection"]["miscInfoModule"].pop("versionHolder", None)
                yield study["protocolSection"]["identificationModule"]["nctId"], study


def by_ctsync(registry: str, folder: Path, ids: list[str]) -> Iterator[Day]:
    """Yield the day of ctsync: one cycle."""
    clock, url = SystemClock(), f"sqlite:///{folder / 'trials.db'}"
    settings = Settings(
        database=DatabaseSettings(url=url),
        registry=RegistrySettings(url=registry, requests_per_second=10, burst=20),
        watches=(WatchSettings(name="all", trials=tuple(map(NctId, ids))),),
    )
    store = open_store(url, clock=clock)
    with connected(settings.registry, clock=clock, accept_load=True) as api:
        cycle = SyncCycle(settings=settings, store=store, registry=api, clock=clock)
        yield lambda: print(cycle.run(holder="bench").sentence(), file=sys.stderr)
    store.close()


def by_git(registry: str, folder: Path, ids: list[str]) -> Iterator[Day]:
    """Yield the day of a git scraper: one commit."""

    def git(*words: str) -> None:
        subprocess.run(["git", *MINE, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    def day() -> None:
        for nct_id, study in fetched(registry, ids):
            text = json.dumps(study, indent=2, sort_keys=True)
            (folder / f"{nct_id}.json").write_text(text, encoding="utf-8")
        git("add", "--all")
        git("commit", "--quiet", "--allow-empty", "--message", "records of today")

    git("init", "--quiet")
    yield day


def by_hash(registry: str, folder: Path, ids: list[str]) -> Iterator[Day]:
    """Yield the day of a feed: new records, each with the paths that changed."""
    database = sqlite3.connect(folder / "trials.db")
    database.execute("CREATE TABLE versions (nct_id TEXT, sha256 TEXT, body TEXT, changed TEXT)")
    newest: dict[str, tuple[str, dict[str, Any]]] = {}

    def day() -> None:
        for nct_id, study in fetched(registry, ids):
            text = json.dumps(study, sort_keys=True)
            sha256 = hashlib.sha256(text.encode()).hexdigest()
            known, before = newest.get(nct_id, ("", {}))
            if sha256 == known:
                continue
            changed = json.dumps(sorted(_differing(before, study, "")))
            row = (nct_id, sha256, text, changed)
            database.execute("INSERT INTO versions VALUES (?, ?, ?, ?)", row)
            newest[nct_id] = (sha256, study)
        database.commit()

    yield day
    database.close()


def _differing(before: object, after: object, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            yield from _differing(before.get(key), after.get(key), f"{path}.{key}")
    elif before != after:
        yield path


WAYS = {"ctsync": by_ctsync, "git": by_git, "hash": by_hash}


def _cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def main(way: str, registry: str, folder: str) -> None:
    """Check the trials once per line on stdin."""
    ids = (Path(folder) / "ids.txt").read_text(encoding="utf-8").split()
    before = _cpu_seconds()
    for day in WAYS[way](registry, Path(folder), ids):
        for _ in sys.stdin:
            day()
            print("done", flush=True)
    print(_cpu_seconds() - before, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
