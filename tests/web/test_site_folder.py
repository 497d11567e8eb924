"""The folder of a site: only what changed is written, and pages of the past are deleted."""

from __future__ import annotations

import os
from pathlib import Path

from ctsync.web.site_folder import write_site

PAGE = '<meta name="generator" content="ctsync">'


def test_a_file_with_the_same_bytes_is_not_touched(tmp_path: Path) -> None:
    first = write_site(tmp_path, [("index.html", "a"), ("trials/NCT00000001.html", "b\ud800")])
    os.utime(tmp_path / "trials/NCT00000001.html", (1, 1))
    second = write_site(tmp_path, [("index.html", "A"), ("trials/NCT00000001.html", "b\ud800")])

    assert (first.written, first.same) == (2, 0)
    assert (second.written, second.same, second.total) == (1, 1, 2)
    assert (tmp_path / "index.html").read_text() == "A"
    assert (tmp_path / "trials/NCT00000001.html").stat().st_mtime == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "trials"]


def test_pages_that_the_site_no_longer_has_are_deleted_and_other_files_stay(tmp_path: Path) -> None:
    old = ["trials/NCT00000001.html", "days/2026-02-09.html", "changes/2026-02-09.html"]
    feed = ("feeds/watch-a-12345678.atom", "<generator>ctsync</generator>")
    write_site(tmp_path, [feed, *((path, PAGE) for path in old)])
    for name in ("about.html", "trials/notes.html", "trials/NCT00000002.html", "robots.txt"):
        (tmp_path / name).write_text("written by somebody")
    (tmp_path / "feeds/other.json").write_text('{"title": "of somebody"}')
    done = write_site(tmp_path, [("index.html", PAGE)])

    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert done.deleted == 4
    assert left == [
        "about.html", "feeds/other.json", "index.html", "robots.txt", "trials/NCT00000002.html",
        "trials/notes.html",
    ]  # fmt: skip
