"""What a mirror's speed is measured beside: the same bytes, and nothing but the unavoidable."""

from __future__ import annotations

import gc
import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import orjson

from ctsync.registry.archive import Archive, Member, read_member

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def seconds_of_plain(file: Path, *, level: int | None, processes: int) -> float:
    """How long unzip, parse, sorted dump and SHA-256 take, and zstd at a level, if one is given."""
    began = time.perf_counter()
    archive = Archive(file)
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=gc.disable
    ) as pool:
        list(pool.map(partial(_work, file, level=level), _batches(archive)))
    return time.perf_counter() - began


def _batches(archive: Archive) -> Iterator[Sequence[Member]]:
    some: list[Member] = []
    for member in archive.members():
        some.append(member)
        if len(some) == 200:
            yield some
            some = []
    yield some


def _work(file: Path, members: Sequence[Member], *, level: int | None) -> int:
    packed = 0
    with file.open("rb") as stream:
        for member in members:
            study = orjson.loads(read_member(stream, member))
            canonical = orjson.dumps(study, option=orjson.OPT_SORT_KEYS)
            hashlib.sha256(canonical).hexdigest()
            if level is not None:
                packed += len(zstd.compress(canonical, level))
    return packed
