"""The records of the replay registry, by trial and load. Reads folders; uses no sockets.

A load is one refresh of the registry's data, named by its dataTimestamp. On each load a trial
shows its newest body up to that load, with the load's day as versionHolder.
"""

from __future__ import annotations

import copy
import threading
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson

from ctsync.model import JsonObject, NctId
from ctsync.nct_id import parse_nct_id

LOAD_TIME = time(9, 0, 5, tzinfo=UTC)
"""The time of day in a load's dataTimestamp, similar to the real registry's."""

_DAYS_FILE = "_days.txt"
_SATURDAY = 5


def load_of(day: date | str) -> datetime:
    """The load of a day; `day` is a date or text such as 2026-02-03."""
    return datetime.combine(date.fromisoformat(day) if isinstance(day, str) else day, LOAD_TIME)


def nct_id_of(study: Mapping[str, Any]) -> NctId:
    """The NCT id in a study. Raises KeyError if it is missing, BadNctId if it is malformed."""
    return parse_nct_id(study["protocolSection"]["identificationModule"]["nctId"])


@dataclass(slots=True)
class _Bodies:
    """One trial's bodies as JSON, oldest load first; None marks a load that withdrew the trial."""

    loads: list[datetime] = field(default_factory=list)
    bodies: list[bytes | None] = field(default_factory=list)

    def put(self, load: datetime, body: bytes | None) -> None:
        """Set the body that the trial shows from `load` until the load of the next body."""
        at = bisect_right(self.loads, load)
        if at and self.loads[at - 1] == load:
            self.bodies[at - 1] = body
        else:
            self.loads.insert(at, load)
            self.bodies.insert(at, body)

    def at(self, load: datetime) -> bytes | None:
        """The body that the trial shows on `load`."""
        at = bisect_right(self.loads, load)
        return self.bodies[at - 1] if at else None


class View:
    """The registry on one load. Later edits of the catalogue do not change a view.

    `listings` caches search results, `archive` the bulk download. `reload` counts the data
    reloads so far: a listing that was started in one view cannot continue in another.
    """

    def __init__(self, load: datetime, reload: int, bodies: Mapping[NctId, bytes]) -> None:
        self.load = load
        self.reload = reload
        self.listings: dict[Hashable, list[NctId]] = {}
        self.archive: bytes | None = None
        self._bodies = bodies
        self._aliases: dict[NctId, NctId] | None = None

    @property
    def ids(self) -> Iterable[NctId]:
        """The canonical ids of the studies on this load."""
        return self._bodies.keys()

    def study(self, nct_id: NctId) -> JsonObject | None:
        """The study with that canonical id, with this load's day as its versionHolder."""
        body = self._bodies.get(nct_id)
        return None if body is None else _stamped(body, self.load)

    def canonical(self, nct_id: NctId) -> NctId | None:
        """The id under which a study is found: its own, or that of the study it was merged into."""
        return nct_id if nct_id in self._bodies else self._alias_table().get(nct_id)

    def _alias_table(self) -> dict[NctId, NctId]:
        if self._aliases is None:
            self._aliases = {
                parse_nct_id(alias): nct_id
                for nct_id, body in self._bodies.items()
                if b'"nctIdAliases"' in body
                for alias in orjson.loads(body)["protocolSection"]["identificationModule"].get(
                    "nctIdAliases", ()
                )
            }
        return self._aliases


def _stamped(body: bytes, load: datetime) -> JsonObject:
    """The study with versionHolder set to the load's day."""
    study: JsonObject = orjson.loads(body)
    misc = study.setdefault("derivedSection", {}).setdefault("miscInfoModule", {})
    misc["versionHolder"] = load.date().isoformat()
    return study


@dataclass(frozen=True, slots=True)
class HistoryVersion:
    """One version of a trial in the record history, with its index entry if the test gave one."""

    study: JsonObject
    entry: JsonObject | None


class Catalogue:
    """Dated records, and the current load.

    A record that is added without a load appears on the current load. Thread-safe: tests edit
    the catalogue while a server reads it.
    """

    def __init__(self, load: datetime | date | str) -> None:
        self._lock = threading.RLock()
        self._trials: dict[NctId, _Bodies] = {}
        self._histories: dict[NctId, tuple[HistoryVersion, ...]] = {}
        self._load = _as_load(load)
        self._reloads = 0
        self._view: View | None = None
        self._days: set[datetime] = {self._load}

    @classmethod
    def from_folder(cls, path: Path) -> Catalogue:
        """Read `NCT…/<load day>.json` below `path`, and start at the first load.

        `_days.txt` lists the load days, one per line; without it, the loads are the days of the
        files. A file that contains `null` withdraws the trial from that load on.
        """
        files = sorted(path.glob("NCT*/????-??-??.json"))
        listed = path / _DAYS_FILE
        if listed.exists():
            days = listed.read_text(encoding="utf-8").split()
        else:
            days = sorted({file.stem for file in files})
        if not days:
            raise ValueError(f"{path} holds no dated records: NCT…/2018-01-04.json is expected")
        catalogue = cls(min(days))
        catalogue._days = {load_of(day) for day in days}
        for file in files:
            body = file.read_bytes()
            shown = None if body.strip() == b"null" else body
            catalogue._put(parse_nct_id(file.parent.name), shown, load_of(file.stem))
        return catalogue

    @property
    def load(self) -> datetime:
        """The dataTimestamp of the current load."""
        return self._load

    @property
    def loads(self) -> tuple[datetime, ...]:
        """All loads of the catalogue, oldest first."""
        with self._lock:
            return tuple(sorted(self._days))

    def set_load(self, load: datetime | date | str) -> None:
        """Change the current load, forward or back. Setting the same load again is not a reload."""
        with self._lock:
            if _as_load(load) != self._load:
                self._load = _as_load(load)
                self._days.add(self._load)
                self._reloads += 1
                self._view = None

    def advance(self, days: int | None = None) -> datetime:
        """Move to the load `days` later, by default to that of the next weekday, and return it."""
        with self._lock:
            later = self._load + timedelta(days=1 if days is None else days)
            while days is None and later.weekday() >= _SATURDAY:
                later += timedelta(days=1)
            self.set_load(later)
            return later

    def view(self) -> View:
        """The registry on the current load."""
        with self._lock:
            if self._view is None:
                shown = {nct_id: trial.at(self._load) for nct_id, trial in self._trials.items()}
                present = {nct_id: body for nct_id, body in shown.items() if body is not None}
                self._view = View(self._load, self._reloads, present)
            return self._view

    def history(self, nct_id: NctId) -> tuple[HistoryVersion, ...]:
        """The versions of a trial posted up to the current load, oldest first."""
        day = self._load.date().isoformat()
        return tuple(v for v in self._histories.get(nct_id, ()) if _posted(v.study) <= day)

    def publish(self, study: JsonObject, *, load: datetime | date | str | None = None) -> NctId:
        """Add a study, or replace its record, from `load` on; return its id."""
        nct_id = nct_id_of(study)
        self._put(nct_id, orjson.dumps(study), load)
        return nct_id

    def edit(self, nct_id: str, change: Callable[[JsonObject], None] | Mapping[str, Any]) -> None:
        """Change a trial's record by a function of the study, or by {dotted path: value}.

        A value of None removes the key. Raises KeyError if the current load has no such trial.
        """
        with self._lock:
            known = parse_nct_id(nct_id)
            body = self._trials[known].at(self._load) if known in self._trials else None
            if body is None:
                raise KeyError(f"{known} is not shown on {self._load.date()}")
            study: JsonObject = orjson.loads(body)
            if callable(change):
                change(study)
            else:
                for path, value in change.items():
                    _assign(study, path.split("."), value)
            self._put(known, orjson.dumps(study), None)

    def withdraw(self, nct_id: str, *, load: datetime | date | str | None = None) -> None:
        """Remove a trial from `load` on (default: the current one), until it is published again."""
        self._put(parse_nct_id(nct_id), None, load)

    def merge(self, old: str, into: str) -> None:
        """Withdraw `old`, and add its id and its aliases to the aliases of `into`."""
        with self._lock:
            gone = self.view().study(parse_nct_id(old))
            earlier = () if gone is None else _identification(gone).get("nctIdAliases", ())

            def add_aliases(study: JsonObject) -> None:
                aliases = _identification(study).setdefault("nctIdAliases", [])
                aliases += [a for a in (parse_nct_id(old), *earlier) if a not in aliases]

            self.edit(into, add_aliases)
            self.withdraw(old)

    def set_history(
        self,
        nct_id: str,
        studies: Sequence[JsonObject],
        *,
        entries: Sequence[JsonObject | None] | None = None,
    ) -> None:
        """Set a trial's record history: all versions, oldest first, with their texts in HTML.

        `entries` are the index entries of the versions; an entry of None is derived from the
        versions. A version appears from its lastUpdatePostDate on.
        """
        versions = zip(studies, entries or [None] * len(studies), strict=True)
        self._histories[parse_nct_id(nct_id)] = tuple(
            HistoryVersion(study, entry) for study, entry in copy.deepcopy(list(versions))
        )

    def _put(self, nct_id: NctId, body: bytes | None, load: datetime | date | str | None) -> None:
        with self._lock:
            when = self._load if load is None else _as_load(load)
            self._days.add(when)
            self._trials.setdefault(nct_id, _Bodies()).put(when, body)
            self._view = None


def _as_load(load: datetime | date | str) -> datetime:
    return load.astimezone(UTC) if isinstance(load, datetime) else load_of(load)


def _identification(study: JsonObject) -> JsonObject:
    module: JsonObject = study["protocolSection"]["identificationModule"]
    return module


def _posted(study: JsonObject) -> str:
    posted: str = study["protocolSection"]["statusModule"]["lastUpdatePostDateStruct"]["date"]
    return posted


def _assign(study: JsonObject, path: list[str], value: object) -> None:
    *parents, leaf = path
    place = study
    for key in parents:
        place = place.setdefault(key, {})
    if value is None:
        place.pop(leaf, None)
    else:
        place[leaf] = value
