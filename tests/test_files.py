"""A file is replaced in one step or not at all."""

from __future__ import annotations

import os
import secrets
import stat
import threading
from pathlib import Path

import pytest

from ctsync.files import replace_file, replacing


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_holds_the_new_text_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    replace_file(path, "old and longer")
    replace_file(path, "new \N{MIDDLE DOT} \ud800")
    assert path.read_text("utf-8") == "new \N{MIDDLE DOT} \\ud800"
    assert list(tmp_path.iterdir()) == [path]


def test_until_the_end_a_reader_sees_the_old_text(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_text_and_no_draft(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_its_target_keeps_its_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to("real.txt")
    replace_file(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert mode_of(real) == 0o640


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "new.txt", "new")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "new.txt") == 0o640


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    replace_file(pipe, "new")
    reader.join(timeout=10)
    assert read == ["new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_at_the_name_of_the_draft_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda length: "0" * length)
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    planted = tmp_path / f".report.txt.{'0' * 8}"
    planted.symlink_to(victim)
    with pytest.raises(FileExistsError):
        replace_file(tmp_path / "report.txt", "new")
    assert victim.read_text() == "mine"
    assert planted.is_symlink()


def test_the_draft_is_on_the_disk_before_it_replaces_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")
    seen_at_fsync = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        seen_at_fsync.append((path.read_text(), os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", watched)
    replace_file(path, "new text")
    assert seen_at_fsync == [("old", len("new text"))]
