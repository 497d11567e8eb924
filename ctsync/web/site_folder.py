"""The folder of a site: writes the files that differ, and deletes pages of the past."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ctsync.files import replacing

_OWN_PAGE = re.compile(
    r"(trials-\d+|trials/NCT\d{8}(-\d+-\d+|-record)?|(days|changes)/[\w-]+)\.html"
    r"|feeds/[\w-]+\.(atom|json)"
)
"""The pages and feeds whose number changes: a site may have them, and lose them again."""
_GENERATOR = re.compile(
    r'<meta name="generator" content="ctsync">|<generator>ctsync</generator>|"title": "ctsync: '
)
_GENERATOR_WITHIN = 1_000


@dataclass(frozen=True, slots=True)
class SiteResult:
    """The number of files that were written, that were already the same, and that were deleted."""

    written: int
    same: int
    deleted: int

    @property
    def total(self) -> int:
        """The number of files of the site."""
        return self.written + self.same


def write_site(folder: Path, files: Iterable[tuple[str, str | bytes]]) -> SiteResult:
    """Write the files of a site, given as pairs of relative path and content.

    A file that has the same bytes is not touched, so that a copy to a web server transfers only
    what changed. Every other file is replaced atomically. At the end, pages of an earlier site that
    this one does not have are deleted: nobody would update them again. Other files in the folder
    stay. Raises OSError.
    """
    written = same = 0
    paths = set()
    for path, given in files:
        paths.add(path)
        place = folder / path
        content = given.encode(errors="backslashreplace") if isinstance(given, str) else given
        if _has_content(place, content):
            same += 1
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as file:
            file.write(content)
        written += 1
    return SiteResult(written, same, _delete_others(folder, paths))


def _has_content(place: Path, content: bytes) -> bool:
    try:
        return place.stat().st_size == len(content) and place.read_bytes() == content
    except OSError:
        return False


def _delete_others(folder: Path, paths: set[str]) -> int:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    others = [path for path in found if path not in paths and _OWN_PAGE.fullmatch(path)]
    deleted = 0
    for path in others:
        if _is_generated(folder / path):
            (folder / path).unlink(missing_ok=True)
            deleted += 1
    return deleted


def _is_generated(place: Path) -> bool:
    """Whether ctsync wrote a page."""
    with place.open(encoding="utf-8", errors="replace") as file:
        return bool(_GENERATOR.search(file.read(_GENERATOR_WITHIN)))
