"""The whole registry on one machine: 605,599 generated records, and what each command costs then.

`python -m tests.bench.whole_registry FOLDER` prints a row for each step, as it ends. It takes about
two hours on two cores and 30 GB of disk. FOLDER/bulk.zip is made if it is missing.
CTSYNC_BENCH_RECORDS sets another number of records.

A pass is a process of tests.bench.mirroring, which reads the archive and asks no registry. Then one
record in a hundred changes and a third pass stores a day. 600 trials are followed, of which 30 or
more changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from ctsync.dates import SystemClock
from ctsync.model import NctId
from ctsync.store.store import open_store
from tests.bench.made_registry import make_study, nct_id_of, write_archive
from tests.bench.peak_memory import PeakMemory

ROOT = Path(__file__).parents[2]
COUNT = int(os.environ.get("CTSYNC_BENCH_RECORDS", "605599"))
CHANGED, FOLLOWED, CHANGED_FOLLOWED = COUNT // 100, 600, 30
SINCE, NEXT_DAY = "2026-09-27", "2026-10-03"
SLOT = 97
"""Every 97th record changes until one in a hundred has."""


class Measured:
    """One command in a process of its own: its time, CPU time and memory, children included."""

    def __init__(self, name: str, command: Sequence[str], *, folder: Path) -> None:
        environment = {**os.environ, "HOME": str(folder)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        began = time.perf_counter()
        with (
            (folder / "output.txt").open("wb") as output,
            (folder / "said.txt").open("wb") as said,
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=said
            ) as running,
        ):
            memory = PeakMemory(running.pid)
            memory.start()
            _, status, used = os.wait4(running.pid, 0)
            memory.stop()
            running.returncode = os.waitstatus_to_exitcode(status)
        took = time.perf_counter() - began
        # the time of its children is in the rusage, because it waits for them
        self.output = (folder / "output.txt").read_bytes()
        said_lines = (folder / "said.txt").read_text(encoding="utf-8").splitlines()
        print(
            f"{name:<44} {took:>9,.2f} s {used.ru_utime + used.ru_stime:>9,.2f} s CPU "
            f"{max(memory.mb, memory.own_mb):>7,.0f} MB  exit {running.returncode}, "
            f"{len(self.output.splitlines()):,} lines",
            *said_lines[-1:],
            sep="\n    ",
            flush=True,
        )


def let_a_day_pass(archive: Path) -> list[NctId]:
    """Replace one record in a hundred in the archive, and return the ids of the changed.

    The old members stay in the file as bytes that no directory entry names. A changed record is
    first in the directory, because the first names the load of the archive.
    """
    numbers = [number * SLOT % COUNT for number in range(CHANGED)]
    names = {f"{nct_id_of(n)[-2:]}/{nct_id_of(n)}.json": n for n in numbers}
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED, compresslevel=6) as members:
        members.filelist = [one for one in members.filelist if one.filename not in names]
        for name in names:
            del members.NameToInfo[name]
        kept = len(members.filelist)
        for name, number in names.items():
            members.writestr(name, orjson.dumps(_changed(make_study(number))))
        members.filelist = members.filelist[kept:] + members.filelist[:kept]
    return [NctId(nct_id_of(number)) for number in numbers]


def _changed(study: dict[str, Any]) -> dict[str, Any]:
    status = study["protocolSection"]["statusModule"]
    status["overallStatus"] = "SUSPENDED"
    status["whyStopped"] = "The sponsor has no drug left"
    status["lastUpdatePostDateStruct"] = {"date": NEXT_DAY, "type": "ACTUAL"}
    status["primaryCompletionDateStruct"] = {"date": "2028-12-31", "type": "ESTIMATED"}
    study["derivedSection"]["miscInfoModule"]["versionHolder"] = NEXT_DAY
    return study


def follow(database: Path, changed: Sequence[NctId]) -> None:
    """Follow 600 trials, among them some of the changed."""
    others = [NctId(nct_id_of(number * 1009 % COUNT)) for number in range(1, FOLLOWED)]
    chosen = dict.fromkeys([*changed[-CHANGED_FOLLOWED:], *others])
    with open_store(f"sqlite:///{database}", clock=SystemClock()) as store, store.unit() as unit:
        unit.watches.add_trials("mine", dict.fromkeys(list(chosen)[:FOLLOWED]), SystemClock().now())


def size_of(database: Path) -> str:
    return f"{database.stat().st_size / 1e9:.2f} GB"


def main(folder: Path) -> None:
    archive, database = folder / "bulk.zip", folder / "mirror.db"
    if not archive.exists():
        raw = write_archive(archive, COUNT)
        print(f"{COUNT:,} records of {raw / 1e9:.2f} GB")
    print(f"archive {archive.stat().st_size / 1e9:.2f} GB")

    def load(name: str) -> None:
        words = ("-m", "tests.bench.mirroring", str(database), str(archive))
        print(Measured(name, [sys.executable, *words], folder=folder).output.decode())
        print(f"  the file: {size_of(database)}", flush=True)

    def ask(*words: str, named: str | None = None) -> bytes:
        command = ["-m", "ctsync", "--database", f"sqlite:///{database}", *words]
        name = "ctsync " + (named or " ".join(words))
        return Measured(name, [sys.executable, *command], folder=folder).output

    Measured("python -c 'import sqlalchemy'", [sys.executable, "-c", "import sqlalchemy"],
             folder=folder)  # fmt: skip
    load("first pass")
    load("second pass, nothing changed")
    changed = let_a_day_pass(archive)
    load(f"third pass, {len(changed):,} changed")
    follow(database, changed)
    trial = changed[-1]
    for words in (
        ("status",),
        ("history", trial),
        ("show", trial),
        ("diff", trial),
        ("changes", "--since", SINCE),
        ("report", "--since", SINCE),
        ("changes", "--since", SINCE, "--watch", "mine"),
        ("report", "--since", SINCE, "--watch", "mine"),
        ("portfolio",),
        ("flags",),
        ("forecast",),
        ("find", "status=SUSPENDED", "--limit", "50"),
        ("find", "enrollment>890", "phase=PHASE3", "--limit", "50"),
        ("find", "status=SUSPENDED", "--as-of", "2026-10-02", "--limit", "50"),
        ("db", "stats"),
    ):
        ask(*words)
    first = re.search(rb'"conditions": \[\s*"(.+?)\.?"', ask("show", trial, "--json"))
    assert first
    condition = first[1].decode()
    searches = (f"condition~{condition}", f"eligibility~{condition}", "eligibility~disease")
    ask("find", searches[0], "--limit", "50", named="find condition~WORDS, no index")
    ask("check")
    ask("db", "index-text")
    print(f"  the file: {size_of(database)}", flush=True)
    for search in searches:
        ask("find", search, "--limit", "50")
    ask("find", searches[2], "--ever", "--limit", "50")
    ask("backup", str(folder / "backup.db"), named="backup FILE")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
