"""Reader of the registry's bulk archive on disk: a zip file of studies, read member by member.

Reads the zip format itself, one directory entry at a time: Python's zipfile keeps an object per
member, 400 MB for the registry. Only the NCT id in a member's name is used, so an archive cannot
choose the paths of files.
Every number in the file is compared with the size of the file before it is used to seek or read.
Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from ctsync.errors import BadArchive, BadRecord
from ctsync.model import NctId

LARGEST_MEMBER = 64 * 2**20
LARGEST_RATIO = 200  # the registry's own members shrink to a quarter; a zip bomb exceeds this
_SMALL = 2**20  # members up to this size may shrink by any ratio
_LARGEST_PACKED = LARGEST_MEMBER + 2**20  # deflate adds five bytes to a block it cannot shrink

_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_LONGEST_COMMENT = 2**16
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1
_ZIP64 = 1
_TOO_LARGE = 0xFFFFFFFF
_NAME = re.compile(rb"(?:[^/]+/)*(NCT(?!0{8})\d{8})\.json")


class Member(NamedTuple):
    """One study of an archive. Sizes are in bytes; `offset` is the position of the local header.

    A named tuple because there are 600,000 of them and each is sent to another process.
    """

    number: int
    nct_id: NctId
    offset: int
    packed_size: int
    size: int
    crc: int
    method: int


class Archive:
    """An archive with a complete directory.

    `count` is the number of studies it lists. `identity` is the SHA-256 of its directory. Raises
    BadArchive if the file is not a zip file or is truncated: the directory is at its end.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            with file.open("rb") as stream:
                self._start, self._size, self._listed = _find_directory(stream, file)
                self.identity, self.count = self._survey(stream)
        except OSError as error:
            raise BadArchive(f"{file} cannot be read: {error.strerror}") from error

    def members(self, start: int = 0) -> Iterator[Member]:
        """Yield the studies in directory order, from the one with number `start` on."""
        with self.file.open("rb") as stream:
            for member in _studies(self._entries(stream)):
                if member.number >= start:
                    yield member

    def _survey(self, stream: IO[bytes]) -> tuple[str, int]:
        """Read the directory once. Return its SHA-256 and its number of studies."""
        seen, entries, studies = hashlib.sha256(), 0, 0
        for head, name, extra in self._entries(stream):
            seen.update(head + name + extra)
            entries += 1
            studies += _NAME.fullmatch(name) is not None
        if entries != self._listed:
            raise BadArchive(
                f"{self.file} lists {entries} entries instead of {self._listed}; download it again"
            )
        return seen.hexdigest(), studies

    def _entries(self, stream: IO[bytes]) -> Iterator[tuple[bytes, bytes, bytes]]:
        stream.seek(self._start)
        left = self._size
        while left > 0:
            head = stream.read(_ENTRY.size)
            if len(head) < _ENTRY.size or head[:4] != b"PK\1\2":
                raise self._damaged()
            lengths = _ENTRY.unpack(head)[10:13]
            left -= _ENTRY.size + sum(lengths)
            if left < 0:
                raise self._damaged()
            rest = stream.read(sum(lengths))
            yield head, rest[: lengths[0]], rest[lengths[0] : lengths[0] + lengths[1]]

    def _damaged(self) -> BadArchive:
        return BadArchive(f"{self.file} has a damaged directory; download it again")


def read_member(stream: IO[bytes], member: Member) -> bytes:
    """Return the bytes of one study, checked against its size and checksum.

    Raises BadRecord if the member is damaged, empty, encrypted, too large, not within the file, or
    compressed by a method other than deflate.
    """
    if (
        member.size > LARGEST_MEMBER
        or member.packed_size > _LARGEST_PACKED
        or (member.size > _SMALL and member.size > LARGEST_RATIO * member.packed_size)
    ):
        raise BadRecord(f"a member is too large: {member.size} bytes, {member.packed_size} packed")
    file_size = stream.seek(0, 2)
    start = member.offset + _LOCAL.size
    if start > file_size:
        raise BadRecord(
            f"a member at byte {member.offset} is beyond the end of the file ({file_size})"
        )
    stream.seek(member.offset)
    head = stream.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
        raise BadRecord("a member is not where the directory says")
    local = _LOCAL.unpack(head)
    if local[2] & _ENCRYPTED:
        raise BadRecord("a member is encrypted")
    start += local[9] + local[10]
    if start + member.packed_size > file_size:
        raise BadRecord(
            f"a member has {member.packed_size} packed bytes from byte {start} on, "
            f"but the file ends at {file_size}"
        )
    stream.seek(start)
    data = stream.read(member.packed_size)
    if member.method == _DEFLATED:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = unpacker.decompress(data, member.size + 1)
        except zlib.error as error:
            raise BadRecord(f"a member cannot be unpacked: {error}") from error
    elif member.method != _STORED:
        raise BadRecord(f"a member is compressed with the unsupported method {member.method}")
    # damage that sets size and checksum to 0 leaves an empty member that fits them
    if not data or len(data) != member.size or zlib.crc32(data) != member.crc:
        raise BadRecord("a member does not match its checksum")
    return data


def _studies(entries: Iterator[tuple[bytes, bytes, bytes]]) -> Iterator[Member]:
    number = 0
    for head, name, extra in entries:
        found = _NAME.fullmatch(name)
        if found is None:
            continue  # a folder, or not a study
        values = _ENTRY.unpack(head)
        method, crc, packed_size, size, offset = values[4], *values[7:10], values[16]
        if _TOO_LARGE in (size, packed_size, offset):
            # the zip64 field holds only the values that do not fit, in this order
            wide = iter(_wide(extra))
            size = next(wide, size) if size == _TOO_LARGE else size
            packed_size = next(wide, packed_size) if packed_size == _TOO_LARGE else packed_size
            offset = next(wide, offset) if offset == _TOO_LARGE else offset
        # _NAME matches only canonical ids, so parse_nct_id is not needed
        yield Member(number, NctId(found[1].decode()), offset, packed_size, size, crc, method)
        number += 1


def _wide(extra: bytes) -> tuple[int, ...]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == _ZIP64:
            count = min(length, len(extra) - at - 4, 24) // 8
            return struct.unpack_from(f"<{count}Q", extra, at + 4)
        at += 4 + length
    return ()


def _find_directory(stream: IO[bytes], file: Path) -> tuple[int, int, int]:
    """Return the directory's start, its size in bytes, and its number of entries."""
    cut = BadArchive(f"{file} is truncated or is not a zip archive; download it again")
    file_size = stream.seek(0, 2)
    tail_at = max(0, file_size - _END.size - _LONGEST_COMMENT)
    stream.seek(tail_at)
    tail = stream.read()
    # The end record precedes a comment of unknown length, so it is searched from the end. If its
    # signature also occurs in the comment, the length check below rejects the file.
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise cut
    end = tail_at + at
    _, _, _, _, count, size, start, comment = _END.unpack_from(tail, at)
    if end + _END.size + comment != file_size:
        raise cut
    # values too large for this record are in a zip64 record before it
    stream.seek(max(0, end - _LOCATOR.size))
    locator = stream.read(_LOCATOR.size)
    if locator[:4] == b"PK\6\7":
        end = _LOCATOR.unpack(locator)[2]
        if end + _END64.size > file_size:
            raise cut
        stream.seek(end)
        record = stream.read(_END64.size)
        if len(record) < _END64.size or record[:4] != b"PK\6\6":
            raise cut
        count, size, start = _END64.unpack(record)[7:10]
    # the directory ends where its end record begins; otherwise part of the file is missing
    if start + size != end:
        raise cut
    return start, size, count
