"""Packs bodies with zstd, each against the version before it. Knows no database.

A keyframe is packed alone. A delta is packed with its base as prefix, so it holds little more than
the difference: under 1 % of the body for real changes.

The versions of a trial form groups: a keyframe, whose depth is 0, and up to MAX_DEPTH deltas, each
one deeper than the version before it. `base_depth` says which of them a delta is packed against.
Reading a body unpacks at most 6 frames, 3.5 on average.

A dictionary holds content that all records share (keys, phrases, names of countries and diseases).
It makes real keyframes a third smaller. The frame of a keyframe names its dictionary.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ctsync.errors import CorruptBody

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_DEPTH = 31
LEVEL = 9  # within 3 % of level 19 on real records, in a tenth of the time
BULK_LEVEL = 5  # with a dictionary: a twelfth larger than level 9, in a third of the time
_BULK_MATCH = 6  # bytes; the level's own 5 makes records 2 % larger in the same time
DICTIONARY_BYTES = 2**19  # half this size makes records 2 % larger, twice this size 1 % smaller
LEAST_SAMPLES = 500  # trained on fewer records, a dictionary would only fit those
_SMALLEST_WINDOW, _LARGEST_WINDOW = 10, 27  # zstd's minimum; the maximum of zstd's default decoder
_LARGE = 2**20  # above this size, search for matches further back than the level does


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Content that many records share, in zstd's format. `number` identifies it in frames."""

    data: bytes = field(repr=False)
    _made: zstd.ZstdDict = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Parse it. Raises CorruptBody if it is not a dictionary."""
        try:
            object.__setattr__(self, "_made", zstd.ZstdDict(self.data))
        except (zstd.ZstdError, ValueError) as error:
            raise CorruptBody(f"a stored dictionary cannot be read: {error}") from error

    @property
    def number(self) -> int:
        """The dictionary id that zstd writes into frames."""
        return self._made.dict_id

    def pack(self, raw: bytes) -> bytes:
        """Pack a keyframe."""
        return zstd.compress(raw, LEVEL, zstd_dict=self._made.as_digested_dict)

    def packer(self) -> Callable[[bytes], bytes]:
        """Return a function that packs keyframes in a third of the time, a twelfth larger."""
        options: dict[int, int] = {
            zstd.CompressionParameter.compression_level: BULK_LEVEL,
            zstd.CompressionParameter.min_match: _BULK_MATCH,
        }
        # undigested: a digested dictionary brings the options of its own level
        dictionary = self._made.as_undigested_dict
        compressor = zstd.ZstdCompressor(options=options, zstd_dict=dictionary)
        return lambda raw: compressor.compress(raw, compressor.FLUSH_FRAME)

    def unpack(self, packed: bytes) -> bytes:
        """Unpack a keyframe. Raises ZstdError."""
        return zstd.decompress(packed, self._made)


def train(samples: Sequence[bytes]) -> bytes | None:
    """Train the data of a Dictionary. Returns None for fewer than LEAST_SAMPLES records."""
    if len(samples) < LEAST_SAMPLES:
        return None
    return zstd.train_dict(list(samples), DICTIONARY_BYTES).dict_content


def dictionary_of(packed: bytes) -> int | None:
    """Return the number of the dictionary that a frame needs, or None.

    Also returns None if `packed` is not a frame.
    """
    try:
        return zstd.get_frame_info(packed).dictionary_id or None
    except zstd.ZstdError:
        return None


def pack(raw: bytes, base: bytes | None = None, *, dictionary: Dictionary | None = None) -> bytes:
    """Pack `raw` against `base`. Without a base, pack it with `dictionary`, if given."""
    if base is None and dictionary is not None:
        return dictionary.pack(raw)
    if base is None:
        return zstd.compress(raw, LEVEL)
    size = len(base) + len(raw)
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: LEVEL,
        # the level's own window would not reach back to the start of a large base
        zstd.CompressionParameter.window_log: _window_log(size),
        zstd.CompressionParameter.enable_long_distance_matching: int(size > _LARGE),
    }
    return zstd.compress(raw, options=options, zstd_dict=_prefix(base))


def decompress(packed: bytes) -> bytes:
    """Unpack what `pack` packed alone."""
    return zstd.decompress(packed)


def unpack(chain: Sequence[bytes], digest: str, dictionary: Dictionary | None = None) -> bytes:
    """Unpack a body from its chain: a keyframe, then its deltas in order.

    `dictionary` is the dictionary that the keyframe names. Raises CorruptBody if the chain is
    empty, is damaged, or does not match `digest`.
    """
    raw: bytes | None = None
    try:
        for packed in chain:
            if raw is None and dictionary is not None:
                raw = dictionary.unpack(packed)
            else:
                raw = zstd.decompress(packed, None if raw is None else _prefix(raw))
    except zstd.ZstdError as error:
        raise CorruptBody(f"the stored body {digest} cannot be unpacked: {error}") from error
    if raw is None:
        raise CorruptBody(f"the stored body {digest} is missing; run: ctsync check")
    verify(raw, digest)
    return raw


def verify(raw: bytes, digest: str) -> None:
    """Raise CorruptBody unless `digest` ("1:" and the SHA-256) is that of `raw`."""
    form, _, sha256 = digest.partition(":")
    if not form.isdigit() or hashlib.sha256(raw).hexdigest() != sha256:
        raise CorruptBody(f"the stored body {digest} does not match its digest; run: ctsync check")


def _prefix(base: bytes) -> tuple[zstd.ZstdDict, int] | None:
    # zstd refuses a shorter prefix, which would save nothing
    return zstd.ZstdDict(base, is_raw=True).as_prefix if len(base) >= 8 else None


def base_depth(depth: int) -> int:
    """Return the depth of the body that a delta at `depth` is packed against.

    What it does: clears the lowest bit that is set. Delta 13 is packed against 12, 12 against 8, 8
    against the keyframe. The base is the version before, or a body that this one is packed against.
    What it saves: with each delta packed against the version before, one in sixteen bodies must be
    a keyframe, and reading a body unpacks 8.5 frames on average.
    When it would be wrong: if a delta over several versions were not small. Half of the deltas are
    over one version, a quarter over two.
    """
    return depth & (depth - 1)


def _window_log(size: int) -> int:
    return min(max(size.bit_length(), _SMALLEST_WINDOW), _LARGEST_WINDOW)
