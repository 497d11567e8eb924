"""Packed bodies: small, read back unchanged, and refused if they are damaged."""

from __future__ import annotations

import hashlib
import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.errors import CorruptBody
from ctsync.store.bodies import codec


def digest(raw: bytes) -> str:
    return f"1:{hashlib.sha256(raw).hexdigest()}"


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=16))
def test_the_last_body_of_any_chain_is_unpacked_unchanged(bodies: list[bytes]) -> None:
    bases = [None, *bodies]
    chain = [codec.pack(raw, base) for raw, base in zip(bodies, bases, strict=False)]
    assert codec.unpack(chain, digest(bodies[-1])) == bodies[-1]


@given(st.binary(min_size=1, max_size=500), st.data())
def test_a_damaged_body_is_refused_or_unpacked_unchanged(raw: bytes, data: st.DataObject) -> None:
    packed = bytearray(codec.pack(raw))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(CorruptBody):
        assert codec.unpack([bytes(packed)], digest(raw)) == raw


def test_a_delta_against_the_wrong_base_is_refused() -> None:
    rng = random.Random(1)
    base, other = rng.randbytes(5000), rng.randbytes(5000)
    changed = base + b"!"
    chain = [codec.pack(other), codec.pack(changed, base)]
    with pytest.raises(CorruptBody, match="ctsync check"):
        codec.unpack(chain, digest(changed))


def test_a_missing_body_is_reported_as_corrupt() -> None:
    with pytest.raises(CorruptBody, match="missing"):
        codec.unpack([], digest(b""))


@pytest.mark.parametrize("wrong", ["", "1:", "1:00", "sha256", "x:" + "0" * 64])
def test_a_malformed_digest_matches_no_body(wrong: str) -> None:
    with pytest.raises(CorruptBody):
        codec.verify(b"{}", wrong)


@pytest.mark.parametrize("megabytes", [1, 5, 12])
def test_a_large_body_is_packed_against_its_complete_base(megabytes: int) -> None:
    base = random.Random(megabytes).randbytes(megabytes * 2**20)
    # the change is at the end, so matches are as far back as the base is long
    changed = base + b"one more word"
    packed = codec.pack(changed, base)
    assert len(packed) < len(base) / 500
    assert codec.unpack([codec.pack(base), packed], digest(changed)) == changed
