"""Bodies packed with zstd, each against the version before it; knows no database.

A keyframe stands alone. A delta is packed with its base as prefix, which leaves little but the
difference: under 1 % of the body on real changes. No chain is longer than MAX_DEPTH deltas, so
that a body is read with at most MAX_DEPTH + 1 unpackings.

What all records have in common (keys, phrases, the names of countries and diseases) a keyframe
can leave to a dictionary, which takes a third off real ones. Its frame names the dictionary.
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

MAX_DEPTH = 15
LEVEL = 9  # as small as 19 within 3 % on real records, at a tenth of the time
BULK_LEVEL = 5  # with a dictionary: a twelfth larger than 9, in a third of the time
_BULK_MATCH = 6  # bytes: the level's own 5 makes records 2 % larger in the same time
DICTIONARY_BYTES = 2**19  # half of it makes records 2 % larger, twice of it saves no more than 1
LEAST_SAMPLES = 500  # of fewer records a dictionary would know those and no others
_SMALLEST_WINDOW, _LARGEST_WINDOW = 10, 27  # zstd's least; the most any reader takes unasked
_LARGE = 2**20  # from here on matches are looked for further back than the level would


@dataclass(frozen=True, slots=True)
class Dictionary:
    """What many records have in common, as zstd wants it; `number` names it in frames."""

    data: bytes = field(repr=False)
    _made: zstd.ZstdDict = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read it; raises CorruptBody where it is none."""
        try:
            object.__setattr__(self, "_made", zstd.ZstdDict(self.data))
        except (zstd.ZstdError, ValueError) as error:
            raise CorruptBody(f"a stored dictionary cannot be read: {error}") from error

    @property
    def number(self) -> int:
        """What zstd calls it."""
        return self._made.dict_id

    def pack(self, raw: bytes) -> bytes:
        """Pack what stands alone."""
        return zstd.compress(raw, LEVEL, zstd_dict=self._made.as_digested_dict)

    def packer(self) -> Callable[[bytes], bytes]:
        """What packs many, one after the other, in a third of the time and a twelfth larger."""
        options: dict[int, int] = {
            zstd.CompressionParameter.compression_level: BULK_LEVEL,
            zstd.CompressionParameter.min_match: _BULK_MATCH,
        }
        # as it is: a digested one has the options of its level
        dictionary = self._made.as_undigested_dict
        compressor = zstd.ZstdCompressor(options=options, zstd_dict=dictionary)
        return lambda raw: compressor.compress(raw, compressor.FLUSH_FRAME)

    def unpack(self, packed: bytes) -> bytes:
        """Give back what `pack` packed; raises ZstdError."""
        return zstd.decompress(packed, self._made)


def train(samples: Sequence[bytes]) -> bytes | None:
    """Make the data of a Dictionary from some records; None where they are too few for one."""
    if len(samples) < LEAST_SAMPLES:
        return None
    return zstd.train_dict(list(samples), DICTIONARY_BYTES).dict_content


def dictionary_of(packed: bytes) -> int | None:
    """The number of the dictionary that a frame needs, None where it needs none or is none."""
    try:
        return zstd.get_frame_info(packed).dictionary_id or None
    except zstd.ZstdError:
        return None


def pack(raw: bytes, base: bytes | None = None, *, dictionary: Dictionary | None = None) -> bytes:
    """Pack `raw`, against `base` if there is one, else with `dictionary` if there is one."""
    if base is None and dictionary is not None:
        return dictionary.pack(raw)
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


def unpack(chain: Sequence[bytes], digest: str, dictionary: Dictionary | None = None) -> bytes:
    """Read a body from its chain: a keyframe, then the deltas upon it in order.

    `dictionary` is the one the keyframe names. Raises CorruptBody unless the result is what
    `digest` names.
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
    """Raise CorruptBody unless `digest` ("1:" and the SHA-256) names `raw`."""
    form, _, sha256 = digest.partition(":")
    if not form.isdigit() or hashlib.sha256(raw).hexdigest() != sha256:
        raise CorruptBody(f"the stored body {digest} does not match its digest; run: ctsync check")


def _prefix(base: bytes) -> tuple[zstd.ZstdDict, int] | None:
    # fewer bytes than zstd takes would save nothing either
    return zstd.ZstdDict(base, is_raw=True).as_prefix if len(base) >= 8 else None


def _window_log(size: int) -> int:
    return min(max(size.bit_length(), _SMALLEST_WINDOW), _LARGEST_WINDOW)
