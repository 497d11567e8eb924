"""Archives with false numbers, made from a sound zip file by changing its directory."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

ENTRY = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
LOCATOR = struct.Struct("<4sIQI")
END64 = struct.Struct("<4sQ2H2I4Q")
_PLACES = {"size": 9, "packed": 8, "offset": 16}
_ESCAPE = 2**32 - 1


def lie_of_a_member(content: bytes, number: int, **lies: int) -> bytes:
    """Return an archive whose member `number` has another `size`, `packed` size or `offset`.

    The values are in a zip64 field, so each may have 64 bits.
    """
    begin, end = content.index(b"PK\1\2"), content.rindex(b"PK\5\6")
    directory, at = b"", begin
    while at < end:
        head = list(ENTRY.unpack_from(content, at))
        stop = at + ENTRY.size + head[10] + head[11] + head[12]
        if number == 0:
            name = content[at + ENTRY.size : at + ENTRY.size + head[10]]
            wide = [lies[key] for key in _PLACES if key in lies]
            for key in lies:
                head[_PLACES[key]] = _ESCAPE
            extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide)
            head[11], head[12] = len(extra), 0
            directory += ENTRY.pack(*head) + name + extra
        else:
            directory += content[at:stop]
        number, at = number - 1, stop
    last = list(END.unpack_from(content, end))
    last[5] = len(directory)
    return content[:begin] + directory + END.pack(*last)


def lie_of_the_end(content: bytes, **lies: int) -> bytes:
    """Return an archive with a zip64 end record, in which some numbers are false.

    `locator` is the position of the record; `count`, `size` and `start` describe the directory.
    """
    begin, end = content.index(b"PK\1\2"), content.rindex(b"PK\5\6")
    count = END.unpack_from(content, end)[4]
    true = {"count": count, "size": end - begin, "start": begin, "locator": end} | lies
    record = END64.pack(
        b"PK\6\6", 44, 45, 45, 0, 0, count, true["count"], true["size"], true["start"]
    )
    return content[:end] + record + LOCATOR.pack(b"PK\6\7", 0, true["locator"], 1) + content[end:]


HUGE = (2**64 - 1, 2**63, 2**62, 100 * 2**30, 2**31)

MEMBER_LIES: tuple[Mapping[str, int], ...] = (
    *({"packed": value} for value in HUGE),
    *({"offset": value} for value in HUGE),
    *({"size": value} for value in HUGE),
    {"size": 2**40, "packed": 2**40, "offset": 2**40},
)

END_LIES: tuple[Mapping[str, int], ...] = (
    *({"locator": value} for value in HUGE),
    *({"count": value} for value in HUGE),
    *({"size": value} for value in HUGE),
    *({"start": value} for value in HUGE),
    {"size": 2**63, "start": 2**63},
)


def rewrite(file: Path, content: bytes) -> Path:
    """Replace the content of a file."""
    file.write_bytes(content)
    return file
