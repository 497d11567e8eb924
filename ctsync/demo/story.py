"""The story of `ctsync demo`: its steps, its records, and where they come from. Prints nothing.

The command serves `studies()` from a DemoRegistry, runs the commands of each step as a user
would, with `settings()` in the environment, and prints title, provenance and output.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

import orjson

from ctsync.model import JsonObject, NctId
from ctsync.nct_id import parse_nct_id

TRIAL = parse_nct_id("NCT03389919")
ORG_STUDY_ID = "BM-MSC-01"
REQUESTS_PER_SECOND = 10
"""The rate limit in the demo; for the real registry it is one request per second."""
LOAD_TIME = time(9, 0, 5, tzinfo=UTC)
"""The time of day of every load, close to the real registry's."""

INTRODUCTION = (
    f"{TRIAL} ({ORG_STUDY_ID}) studies stromal cells for patients whose transplant failed. "
    "A registry on this machine replays its record, one data refresh after the other. The "
    "client, the database and the commands are the real ones. Nothing leaves this machine. "
    f"The demo sends up to {REQUESTS_PER_SECOND} requests per second; to ClinicalTrials.gov "
    "ctsync sends one."
)


class Truth(StrEnum):
    """How true a demo record is."""

    REAL = "real"
    RECONSTRUCTED = "reconstructed"
    ILLUSTRATION = "illustration"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one record of the demo comes from."""

    nct_id: NctId
    load: datetime
    truth: Truth
    source: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its title, the load of the registry from this step on, and the commands to run.

    `load` is None if the registry does not change, `provenance` if no new record appears.
    `commands` are arguments of `ctsync`.
    """

    title: str
    commands: tuple[tuple[str, ...], ...]
    load: datetime | None = None
    provenance: Provenance | None = None


def records() -> Path:
    """The folder of the demo's records."""
    return Path(str(files("ctsync.demo"))) / "records"


def load_of(day: date) -> datetime:
    """The load of a day."""
    return datetime.combine(day, LOAD_TIME)


def studies() -> dict[datetime, JsonObject]:
    """The records of the trial, each with the load on which it first appears."""
    return {
        load_of(date.fromisoformat(file.stem)): orjson.loads(file.read_bytes())
        for file in (records() / TRIAL).glob("*.json")
    }


def settings(registry_url: str) -> dict[str, str]:
    """The environment variables that select the demo's registry and raise the rate limit."""
    return {
        "CTSYNC_REGISTRY_URL": registry_url,
        "CTSYNC_REGISTRY__REQUESTS_PER_SECOND": str(REQUESTS_PER_SECOND),
    }


def provenances() -> list[Provenance]:
    """The provenance of each record, oldest load first."""
    with (records() / "provenance.toml").open("rb") as file:
        entries = tomllib.load(file)["records"]
    return [
        Provenance(
            parse_nct_id(entry["nct_id"]),
            load_of(entry["load"]),
            Truth(entry["kind"]),
            entry["source"],
        )
        for entry in entries
    ]


def steps(site: Path) -> Iterator[Step]:
    """The story, in order. The last step writes pages into the folder `site`."""
    yield _step(
        "4 January 2018: the trial is posted. Watch it by its sponsor's study id",
        (("watch", "add", ORG_STUDY_ID), ("sync",)),
        day=date(2018, 1, 4),
    )
    yield _step(
        "The next day the registry refreshes its data. No record has changed",
        (("sync",),),
        day=date(2018, 1, 5),
    )
    yield _step(
        "The last refresh of 2022: nobody has updated the record for five years",
        (("sync",),),
        day=date(2022, 12, 30),
    )
    yield _step(
        "3 January 2023: the registry sets the status to Unknown. The update date stays in 2018, "
        "so a search for recent updates does not find it",
        (("sync",), ("changes", TRIAL)),
        day=date(2023, 1, 3),
    )
    yield _step(
        "Illustration of an update by the sponsor: completed, with 17 of 20 patients",
        (("sync",), ("report", "--since", "2023-01-01")),
        day=date(2024, 3, 14),
    )
    yield _step(
        "ctsync keeps every version. Ask what changed in each, and what the record said on a day",
        (
            ("history", TRIAL),
            ("timeline", TRIAL),
            ("diff", TRIAL, "1", "2"),
            ("show", TRIAL, "--as-of", "2020-01-01", "--field", "overallStatus"),
            ("show", TRIAL, "--field", "overallStatus"),
        ),
    )
    yield _step(
        "The same as pages: today, all trials, the life of each trial, any two versions",
        (("site", str(site), "--since", "all"),),
    )


def _step(title: str, commands: tuple[tuple[str, ...], ...], *, day: date | None = None) -> Step:
    load = None if day is None else load_of(day)
    provenance = next((p for p in provenances() if p.load == load), None)
    return Step(title, commands, load, provenance)
