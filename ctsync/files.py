"""Atomic file replacement: a reader sees the old content or the new content, never a part of it.

Also paths on machines where the user has no home directory, or no access to a folder.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ctsync.errors import ConfigError, UsageError

NO_HOME = "there is no home directory; write the path in full, or set HOME"


def is_visible(path: Path) -> bool:
    """Whether a path exists and is accessible. Raises no error."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def is_link(path: Path) -> bool:
    """Whether a path is a symbolic link, even to nothing. Raises no error."""
    try:
        return path.is_symlink()
    except OSError:  # Python 3.11 to 3.13 raise this in a folder that may not be searched
        return False


def temporary_folder() -> Path:
    """Return the folder for temporary files; raises UsageError if none is writable."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise UsageError("no folder for temporary files can be written; set TMPDIR") from None


def expanded(path: Path) -> Path:
    """Return the path with ~ replaced; raises ConfigError if there is no home directory."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError([f"{path}: {NO_HOME}"]) from None


def absolute(path: Path) -> Path:
    """Return the absolute path; raises UsageError if the working directory has been deleted."""
    try:
        return path.absolute()
    except OSError as error:
        raise UsageError(f"{path}: the working directory is gone ({error.strerror})") from error


def replace_file(path: Path, text: str) -> None:
    """Replace a file atomically with a text, as `replacing` does."""
    with replacing(path) as file:
        file.write(text.encode(errors="backslashreplace"))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a draft next to `path` that replaces it once the draft is complete and on the disk.

    An existing file keeps its mode; a new file follows the umask. The target of a link is replaced,
    not the link. A pipe or a device is written to directly. Raises OSError. After an exception
    inside the block, the old file is unchanged and there is no draft.
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
