"""What an archive's bytes are known by, and how records are packed, in this process."""

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
    """The bytes without the last day of a load that they name, and that day."""
    before, name, after = raw.rpartition(b'"versionHolder":"')
    day, quote, rest = after.partition(b'"')
    return (before + rest, day.decode()) if name and quote else (raw, "None")


@given(pieces)
def test_a_mark_is_of_the_bytes_less_the_last_day_of_a_load(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    less, _ = with_no_day(raw)
    assert mark_of(raw, DIGEST) == hashlib.sha256(less + DIGEST.encode()).digest()[:16]


@given(pieces)
def test_the_day_is_the_one_that_the_mark_leaves_out(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    _, day = with_no_day(raw)
    assert day_in(raw) == day


def test_many_are_packed_in_turn_and_each_is_read_alone() -> None:
    records = [b'{"title":"A trial of %d","status":"RECRUITING"}' % n for n in range(2000)]
    dictionary = codec.Dictionary(codec.train(records) or b"")
    pack = dictionary.packer()
    packed = [pack(one) for one in records]
    assert [dictionary.unpack(one) for one in packed] == records
    assert {codec.dictionary_of(one) for one in packed} == {dictionary.number}
    # what came before is no help to what comes after, which must be read without it
    assert [pack(one) for one in reversed(records)] == packed[::-1]
