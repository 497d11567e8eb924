"""Mirrors a day on which one record in a hundred changes, over real HTTP.

Run by `make bench-registry`; CTSYNC_BENCH_RECORDS=5000 sets another size. Asserts that exactly the
changes are found. Prints requests and times for people to judge.
"""

from __future__ import annotations

import time
import zipfile
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from ctsync.dates import SystemClock
from ctsync.model import NctId
from ctsync.registry.api import RegistryApi
from ctsync.registry.archive_download import ArchiveDownload
from ctsync.registry.http.transport import Transport
from ctsync.store.store import open_store
from ctsync.sync.mirror.mirror import Mirror
from tests.bench.made_registry import DAY as FIRST_DAY
from tests.bench.made_registry import make_study, nct_id_of, write_archive
from tests.bench.test_registry import SIZES
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry
from tests.sync.one_day import DAY, let_a_day_pass, live_through

pytestmark = pytest.mark.bench_registry


@pytest.mark.parametrize("count", SIZES)
def test_a_mirror_finds_the_one_record_in_a_hundred_that_changes_in_a_day(
    count: int, tmp_path: Path
) -> None:
    archive = tmp_path / "bulk.zip"
    write_archive(archive, count)
    catalogue = Catalogue(FIRST_DAY)
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():
            catalogue.publish(orjson.loads(members.read(name)))
    known = [NctId(nct_id_of(number)) for number in range(count)]
    clock = SystemClock()
    with (
        ReplayRegistry(catalogue) as replay,
        closing(Transport(replay.url, clock=clock, requests_per_second=1000)) as transport,
        open_store(f"sqlite:///{tmp_path / 'mirror.db'}", clock=clock) as store,
    ):
        mirror = Mirror(
            store=store,
            registry=RegistryApi(transport, clock=clock),
            bulk=ArchiveDownload(transport),
            clock=clock,
            folder=tmp_path,
        )
        assert mirror.run(archive=archive).tally.new == count
        replay.load = DAY
        new = range(count, count + count // 500)
        for number in new:
            study = make_study(number)
            status = study["protocolSection"]["statusModule"]
            status["studyFirstPostDateStruct"] = {"date": DAY, "type": "ACTUAL"}
            catalogue.publish(study)
        day = let_a_day_pass(replay, known, [NctId(nct_id_of(number)) for number in new])
        began = time.perf_counter()
        summary = live_through(lambda: mirror, replay, day, of=count)
        print(f"\nmirrored day: {summary}; {time.perf_counter() - began:.0f} s, registry included")
