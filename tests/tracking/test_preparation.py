"""What an archive's bytes are known by, and how records are packed, in this process."""

from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from ctsync.store import codec
from ctsync.tracking.preparation import _day_in, mark_of

DIGEST = "1:" + "0" * 64
pieces = st.lists(
    st.sampled_from([b'"versionHolder":"', b'"', b"2026-10-02", b'\\"', b"{}", b'"versionHolder"'])
)


@given(pieces)
def test_a_mark_is_of_the_bytes_less_every_day_of_a_load(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    less = re.sub(rb'"versionHolder":"[^"]*"', b"", raw)
    assert mark_of(raw, DIGEST) == hashlib.sha256(less + DIGEST.encode()).digest()[:16]


@given(pieces)
def test_the_day_is_the_first_that_is_whole(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    found = re.search(rb'"versionHolder":"([^"]*)"', raw)
    assert _day_in(raw) == (found[1].decode() if found else "None")


def test_many_are_packed_in_turn_as_each_is_alone() -> None:
    records = [b'{"title":"A trial of %d","status":"RECRUITING"}' % n for n in range(2000)]
    dictionary = codec.Dictionary(codec.train(records) or b"")
    pack = dictionary.packer(codec.BULK_LEVEL)
    assert [pack(one) for one in records] == [
        dictionary.pack(one, codec.BULK_LEVEL) for one in records
    ]
