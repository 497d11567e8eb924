"""Marks and load days of an archive's raw records, and packing in this process."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from ctsync.store.bodies import codec
from ctsync.sync.mirror.workers import day_in, mark_of

DIGEST = "1:" + "0" * 64
pieces = st.lists(
    st.sampled_from([b'"versionHolder":"', b'"', b"2026-10-02", b'\\"', b"{}", b'"versionHolder"'])
)


def with_no_day(raw: bytes) -> tuple[bytes, str]:
    """The bytes without the last load day in them, and that day."""
    before, name, after = raw.rpartition(b'"versionHolder":"')
    day, quote, rest = after.partition(b'"')
    return (before + rest, day.decode()) if name and quote else (raw, "None")


@given(pieces)
def test_a_mark_covers_the_bytes_except_the_last_load_day(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    less, _ = with_no_day(raw)
    assert mark_of(raw, DIGEST) == hashlib.sha256(less + DIGEST.encode()).digest()[:16]


@given(pieces)
def test_the_load_day_is_the_day_that_the_mark_leaves_out(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    _, day = with_no_day(raw)
    assert day_in(raw) == day


def test_records_packed_one_after_another_are_read_independently() -> None:
    records = [b'{"title":"A trial of %d","status":"RECRUITING"}' % n for n in range(2000)]
    dictionary = codec.Dictionary(codec.train(records) or b"")
    pack = dictionary.packer()
    packed = [pack(one) for one in records]
    assert [dictionary.unpack(one) for one in packed] == records
    assert {codec.dictionary_of(one) for one in packed} == {dictionary.number}
    # a record must be readable without the records packed before it
    assert [pack(one) for one in reversed(records)] == packed[::-1]
