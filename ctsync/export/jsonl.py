"""Versions as lossless JSON Lines, to copy them from one database to another.

Each line is one JSON object; its `record` gives its type:

    {"record":"ctsync","format":1,"what":"versions"}          first
    {"record":"trial","nct_id":"NCT…", …}                     a trial, then its versions, if any
    {"record":"version","nct_id":"NCT…","version":1, …, "events":[…],"body":{…}}
    {"record":"watch","name":"…", …, "trials":[…]}            last, if all trials are exported

The line of a version has its database row by column names, the events that lead to it, and in
`body` its record in canonical form, or null if there was none. The line of a trial has `listed`,
the registry's index of its versions, if some of them are not fetched. The digest is computed from
the body with sorted keys and no blanks, and is verified on import. An import creates no deliveries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from ctsync.errors import BadNctId, CorruptBody, UsageError
from ctsync.model import Category, Kind, Level, ListedVersion, NctId, Source, State
from ctsync.nct_id import parse_nct_id
from ctsync.store.admin.row_export import ExportedVersion, JsonRow
from ctsync.store.bodies.codec import verify
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.database.types import dump_json
from ctsync.store.store import Store
from ctsync.store.unit import Unit

FORMAT = 1
MOST_VERSIONS = 500
"""A transaction ends after the first complete trial past this number of versions."""


def version_lines(store: Store, selection: Selection) -> Iterator[str]:
    """Yield the lines of all selected versions; raises CorruptBody."""
    yield _line({"record": "ctsync", "format": FORMAT, "what": "versions"})
    for nct_id in store.rows.trial_ids(selection):
        trial = {"record": "trial", "nct_id": nct_id, **store.rows.trial(nct_id)}
        yield _line(trial | _listed_values(store.listed.index(nct_id)))
        for number, told in enumerate(store.rows.versions(nct_id), start=1):
            row = {"record": "version", "nct_id": nct_id, "version": number, **told.row}
            head = dump_json(row | {"events": told.events})
            body = "null" if told.digest is None else store.bodies.read(told.digest).decode()
            yield f'{head[:-1]},"body":{body}}}\n'
    for watch, trials in store.rows.watches(selection):
        yield _line({"record": "watch", **watch, "trials": trials})


def _listed_values(index: Sequence[ListedVersion]) -> JsonRow:
    """Return the registry's index of a trial, which is stored until all its versions are."""
    values = [
        {
            "number": one.number,
            "submitted": one.submitted,
            "status": one.status,
            "modules": sorted(one.modules),
        }
        for one in index
    ]
    return {"listed": values} if values else {}


def _read_listed(nct_id: NctId, values: Sequence[JsonRow]) -> list[ListedVersion]:
    return [
        ListedVersion(
            nct_id,
            int(one["number"]),
            str(one["submitted"]),
            str(one["status"]),
            frozenset(map(str, one["modules"])),
        )
        for one in values
    ]


def _line(value: Mapping[str, Any]) -> str:
    return f"{dump_json(value)}\n"


@dataclass(slots=True)
class ImportResult:
    """The result of an import; `refused` has trials with other stored versions, and the reason."""

    versions: int = 0
    trials: int = 0
    known: int = 0
    watches: int = 0
    refused: dict[NctId, str] = field(default_factory=dict)


def import_lines(store: Store, lines: Iterable[bytes]) -> ImportResult:
    """Store the versions that are not stored; each trial is imported completely or not at all.

    A trial that is not stored gets all its versions. If the stored versions are the first versions
    in the file, the trial gets the rest. If they differ, the trial is refused. For an invalid line,
    raises UsageError with its number; earlier transactions stay, and the import can be repeated.
    """
    reader, done = _Reader(lines), ImportResult()
    try:
        line = reader.begin()
        while line is not None:
            enough = done.versions + MOST_VERSIONS
            with store.unit() as unit:
                while line is not None and done.versions < enough:
                    line = _import_one(unit, reader, line, done)
    except (BadNctId, ValueError, TypeError, KeyError, AttributeError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            f"line {reader.number}: {said}; the file is not an export of this version of ctsync"
        ) from error
    return done


class _Reader:
    """Reads lines as JSON objects, one after the other, and counts them."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.number = 0

    def begin(self) -> JsonRow | None:
        first = self.next()
        if first is None or first["record"] != "ctsync":
            raise ValueError("the first line is not the header of an export of versions")
        if (first["format"], first["what"]) != (FORMAT, "versions"):
            raise ValueError(f"format {first['format']} of {first['what']} cannot be read")
        return self.next()

    def next(self) -> JsonRow | None:
        for line in self._lines:
            self.number += 1
            if line.strip():
                # not orjson, which turns a large integer into a float
                read = json.loads(line)
                if not isinstance(read, dict):
                    raise ValueError("it is not a JSON object")
                return read
        return None


def _import_one(unit: Unit, reader: _Reader, line: JsonRow, done: ImportResult) -> JsonRow | None:
    """Import a trial with its versions, or a watch; returns the next line."""
    match line.pop("record"):
        case "trial":
            return _import_trial(unit, reader, line, done)
        case "watch":
            trials = line.pop("trials")
            for one in trials:
                parse_nct_id(one["nct_id"])
            unit.rows.add_watch(line, trials)
            done.watches += 1
            return reader.next()
        case other:
            raise ValueError(f"unexpected {other!r}")


def _import_trial(
    unit: Unit, reader: _Reader, trial: JsonRow, done: ImportResult
) -> JsonRow | None:
    nct_id = parse_nct_id(trial.pop("nct_id"))
    listed = _read_listed(nct_id, trial.pop("listed", ()))
    stored = unit.rows.stored_versions(nct_id)
    head, index, added, differs = None, 0, 0, False
    line = reader.next()
    while line is not None and line["record"] == "version":
        told, canonical = _read_version(line, nct_id)
        if index >= len(stored):
            if not differs:
                head = unit.rows.add_version(nct_id, told, after=head, canonical=canonical)
                added += 1
        else:
            head, digest, state = stored[index]
            if (digest, state) != (told.digest, told.row["state"]) and not differs:
                done.refused[nct_id] = f"version {index + 1} is stored with other content"
                differs = True
        index += 1
        line = reader.next()
    if not index:
        unit.rows.add_unseen(nct_id, trial)
    elif added and head is not None:
        unit.rows.set_trial(nct_id, trial, head=head)
        done.trials += 1
        done.versions += added
    elif not differs:
        done.known += 1
    if listed and (added or not (index or stored)):
        unit.listed.replace(nct_id, listed)
    return line


def _read_version(line: JsonRow, nct_id: NctId) -> tuple[ExportedVersion, bytes | None]:
    """Return a version from its line, and the bytes of its body for the digest."""
    row = {name: line[name] for name in line if name not in _NOT_ITS_ROW}
    if line["nct_id"] != nct_id:
        raise ValueError(f"a version of {line['nct_id']} follows one of {nct_id}")
    told = ExportedVersion(row, row["digest"], tuple(line["events"]))
    _check_words(told)
    if (line["body"] is None) != (told.digest is None):
        raise ValueError("body or digest is missing")
    if told.digest is None:
        return told, None
    canonical = orjson.dumps(line["body"], option=orjson.OPT_SORT_KEYS)
    try:
        verify(canonical, told.digest)
    except CorruptBody:
        raise ValueError(f"the body does not match its digest {told.digest}") from None
    return told, canonical


def _check_words(told: ExportedVersion) -> None:
    """Raise ValueError for a value that is not in an enumeration."""
    for words, word in (
        (State, told.row["state"]),
        (Source, told.row["source"]),
        *((Kind, event["kind"]) for event in told.events),
        *((Category, event["category"]) for event in told.events),
        *((Level, event["level"]) for event in told.events),
    ):
        words(word)


_NOT_ITS_ROW = ("record", "nct_id", "version", "events", "body")
