"""The cost of comparing and storing, each beside an alternative in the same run.

Prints figures for people to judge, and asserts none.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from functools import partial

import pytest
from deepdiff import DeepDiff

from ctsync.model import JsonObject, Record
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.record.rules.rules import Thresholds
from ctsync.store.bodies import codec

pytestmark = pytest.mark.bench
Pairs = list[tuple[Record, Record]]
ROUNDS = 5


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the shortest of a few rounds, with the garbage collector disabled."""
    work()
    best = float("inf")
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            began = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - began)
    finally:
        gc.enable()
    return best


def compare(before: Record, after: Record) -> object:
    past = [key_fields(before.body)]
    return classify(diff(before, after), before, after, past=past, thresholds=Thresholds())


def plain(before: Record, after: Record) -> object:
    return DeepDiff(before.body, after.body, ignore_order=True)


def test_the_speed_of_comparing_beside_plain_deepdiff(real_pairs: Pairs) -> None:
    ours, theirs = [], []
    for before, after in real_pairs:
        ours.append(seconds(partial(compare, before, after)))
        theirs.append(seconds(partial(plain, before, after), rounds=1))
    ratios = sorted(t / o for o, t in zip(ours, theirs, strict=True))
    print(
        f"\ncompare: {len(ours)} real pairs, median {statistics.median(ours) * 1e3:.2f} ms diffed "
        f"and classified ({1 / statistics.median(ours):,.0f} pairs/s per core), mean "
        f"{statistics.mean(ours) * 1e3:.2f} ms ({1 / statistics.mean(ours):,.0f} pairs/s); "
        f"plain DeepDiff with ignore_order {statistics.median(theirs) * 1e3:.1f} ms; "
        f"{statistics.median(ratios):.0f} times faster at the median "
        f"(least {ratios[0]:.0f}, most {ratios[-1]:.0f})"
    )


def test_the_bytes_of_a_new_version(day_pairs: Pairs) -> None:
    shares = []
    for before, after in day_pairs:
        packed = codec.pack(after.canonical, before.canonical)
        shares.append(len(packed) / len(after.canonical))
    packed_total = sum(len(codec.pack(a.canonical, b.canonical)) for b, a in day_pairs)
    raw = sum(len(a.canonical) for _, a in day_pairs)
    plain = sum(len(codec.pack(a.canonical)) for _, a in day_pairs)
    print(
        f"\nstore: {len(day_pairs)} real new versions take {packed_total / raw:.2%} of their raw "
        f"{raw / len(day_pairs):,.0f} bytes (median {statistics.median(shares):.2%}); "
        f"zstd without the predecessor {plain / raw:.1%}"
    )


def test_the_time_to_compare_1500_shuffled_sites_with_150_edits() -> None:
    chance = random.Random(1)
    sites = [
        {"facility": f"Hospital {n}", "city": f"City {n % 300}", "country": "Poland", "zip": str(n)}
        for n in range(1500)
    ]
    edited = [dict(site) for site in sites]
    for n in chance.sample(range(1500), 150):
        edited[n]["status"] = "RECRUITING"
    chance.shuffle(edited)
    before, after = (canonicalize(_with_sites(listed)) for listed in (sites, edited))
    changes = diff(before, after)
    taken = seconds(partial(compare, before, after))
    print(f"\nsites: 1,500 shuffled, 150 edited: {len(changes)} changes in {taken * 1e3:.0f} ms")


def _with_sites(sites: list[dict[str, str]]) -> JsonObject:
    return {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT00000001"},
            "contactsLocationsModule": {"locations": sites},
        }
    }
