"""Bodies packed with zstd, each against the version before it; knows no database.

A keyframe stands alone. A delta is packed with its base as prefix, which leaves little but the
difference: under 1 % of the body on real changes. No chain is longer than MAX_DEPTH deltas, so
that a body is read with at most MAX_DEPTH + 1 unpackings.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence

from ctsync.errors import CorruptBody

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_DEPTH = 15
LEVEL = 9  # as small as 19 within 3 % on real records, at a tenth of the time
_SMALLEST_WINDOW, _LARGEST_WINDOW = 10, 27  # zstd's least; the most any reader takes unasked
_LARGE = 2**20  # from here on matches are looked for further back than the level would


def pack(raw: bytes, base: bytes | None = None) -> bytes:
    """Pack `raw`, against `base` if there is one."""
    if base is None:
        return zstd.compress(raw, LEVEL)
    size = len(base) + len(raw)
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: LEVEL,
        # the level's own window would end before the start of a large base
        zstd.CompressionParameter.window_log: _window_log(size),
        zstd.CompressionParameter.enable_long_distance_matching: int(size > _LARGE),
    }
    return zstd.compress(raw, options=options, zstd_dict=_prefix(base))


def decompress(packed: bytes) -> bytes:
    """Give back what `pack` packed alone."""
    return zstd.decompress(packed)


def unpack(chain: Sequence[bytes], digest: str) -> bytes:
    """Read a body from its chain: a keyframe, then the deltas upon it in order.

    Raises CorruptBody unless the result is what `digest` names.
    """
    raw: bytes | None = None
    try:
        for packed in chain:
            raw = zstd.decompress(packed, None if raw is None else _prefix(raw))
    except zstd.ZstdError as error:
        raise CorruptBody(f"the stored body {digest} cannot be unpacked: {error}") from error
    if raw is None:
        raise CorruptBody(f"the stored body {digest} is missing; run: ctsync check")
    verify(raw, digest)
    return raw


def verify(raw: bytes, digest: str) -> None:
    """Raise CorruptBody unless `digest` ("1:" and the SHA-256) names `raw`."""
    form, _, sha256 = digest.partition(":")
    if not form.isdigit() or hashlib.sha256(raw).hexdigest() != sha256:
        raise CorruptBody(f"the stored body {digest} does not match its digest; run: ctsync check")


def _prefix(base: bytes) -> tuple[zstd.ZstdDict, int] | None:
    # fewer bytes than zstd takes would save nothing either
    return zstd.ZstdDict(base, is_raw=True).as_prefix if len(base) >= 8 else None


def _window_log(size: int) -> int:
    return min(max(size.bit_length(), _SMALLEST_WINDOW), _LARGEST_WINDOW)
