"""Files replaced in one step: a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, text: str) -> None:
    """Write a text to a file in one step, as `replacing` does."""
    with replacing(path) as file:
        file.write(text.encode(errors="backslashreplace"))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A draft beside `path` that replaces it once the draft is complete and on the disk.

    A file that exists keeps its mode; a new one follows the umask. A link stays, and its target
    is replaced. A pipe or a device is written to directly. Raises OSError. An exception inside
    the block leaves the old file and no draft.
    """
    there = path.stat() if path.exists() else None
    if there is not None and (not stat.S_ISREG(there.st_mode) or path.parent == Path("/dev")):
        with path.open("ab") as stream:
            yield stream
        return
    place = path.resolve()
    draft = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    # O_EXCL: a link that somebody else put at this name must not be followed
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if there is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(there.st_mode))
            os.fsync(file.fileno())
        draft.replace(place)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
