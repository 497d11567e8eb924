"""Baselines for a mirror's speed: only the unavoidable work, on the same bytes."""

from __future__ import annotations

import gc
import hashlib
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson

from ctsync.registry.archive import Archive, Member, read_member
from tests.bench.cpu_time import Spent, spending

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DEFAULT_LEVEL = 3
"""The level at which zstd compresses by default."""

Reading = Callable[[Sequence[Any]], Iterator[bytes]]


def cost_of_plain(file: Path, *, level: int | None, processes: int) -> Spent:
    """Measure unzip, parse, sorted dump, SHA-256 and, if a level is given, zstd.

    Reads the archive as a mirror reads it.
    """
    with spending() as spent:
        _work_through(Archive(file).members(), partial(_members, file), level, processes)
    return spent


def cost_of_python(file: Path, *, processes: int) -> Spent:
    """Measure the same work in plain Python: with zipfile, and zstd at its default level."""
    with spending() as spent:
        _work_through(_opened(file).namelist(), partial(_entries, file), DEFAULT_LEVEL, processes)
    return spent


def _work_through(
    listed: Iterable[Any], reading: Reading, level: int | None, processes: int
) -> None:
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=gc.disable
    ) as pool:
        list(pool.map(partial(_work, reading, level), _batches(listed)))


def _batches(listed: Iterable[Any]) -> Iterator[Sequence[Any]]:
    rest = iter(listed)
    while some := list(islice(rest, 200)):
        yield some


def _work(reading: Reading, level: int | None, some: Sequence[Any]) -> int:
    packed = 0
    for raw in reading(some):
        canonical = orjson.dumps(orjson.loads(raw), option=orjson.OPT_SORT_KEYS)
        hashlib.sha256(canonical).hexdigest()
        if level is not None:
            packed += len(zstd.compress(canonical, level))
    return packed


def _members(file: Path, members: Sequence[Member]) -> Iterator[bytes]:
    with file.open("rb") as stream:
        for member in members:
            yield read_member(stream, member)


def _entries(file: Path, names: Sequence[str]) -> Iterator[bytes]:
    yield from map(_opened(file).read, names)


@lru_cache(maxsize=1)
def _opened(file: Path) -> zipfile.ZipFile:
    """Open the archive once per process, because reading its directory takes a second."""
    return zipfile.ZipFile(file)
