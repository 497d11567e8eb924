"""A database on a network file system is warned of; one on a local disk is not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ctsync.store.database import filesystem
from ctsync.store.database.filesystem import free_bytes, network_file_system
from ctsync.store.store import open_store
from tests.conftest import StillClock


def mounted(tmp_path: Path, *lines: str) -> Path:
    table = tmp_path / "mounts"
    table.write_text("overlay / overlay rw 0 0\n" + "".join(f"{line} rw 0 0\n" for line in lines))
    return table


@pytest.mark.parametrize(
    ("kind", "is_told"),
    [
        ("nfs4", True),
        ("nfs", True),
        ("cifs", True),
        ("smb3", True),
        ("9p", True),
        ("fuse.sshfs", True),
        ("ext4", False),
        ("xfs", False),
        ("tmpfs", False),
        ("zfs", False),
        ("fuse.lxcfs", False),
    ],
)
def test_a_network_file_system_is_known_by_its_type(
    tmp_path: Path, kind: str, is_told: bool
) -> None:
    table = mounted(tmp_path, f"there {tmp_path} {kind}")
    found = network_file_system(tmp_path / "a" / "ctsync.db", mounts=table)
    assert found == (kind if is_told else None)


def test_the_innermost_mount_counts_and_of_two_on_one_point_the_later(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "ctsync.db"
    table = mounted(tmp_path, f"far {tmp_path} nfs4", f"/dev/x {tmp_path / 'in'} ext4")
    assert network_file_system(file, mounts=table) is None
    table = mounted(tmp_path, f"/dev/x {tmp_path} ext4", f"far {tmp_path} nfs4")
    assert network_file_system(file, mounts=table) == "nfs4"


def test_a_neighbour_whose_name_begins_alike_is_another_place(tmp_path: Path) -> None:
    table = mounted(tmp_path, f"far {tmp_path}/data nfs4")
    assert network_file_system(tmp_path / "database" / "ctsync.db", mounts=table) is None


def test_a_mount_point_with_blanks_and_one_reached_by_a_link_are_found(tmp_path: Path) -> None:
    there = tmp_path / "a share"
    there.mkdir()
    (tmp_path / "link").symlink_to(there)
    table = mounted(tmp_path, f"far {str(there).replace(' ', chr(92) + '040')} cifs")
    assert network_file_system(tmp_path / "link" / "ctsync.db", mounts=table) == "cifs"


def test_where_nothing_is_known_of_mounts_nothing_is_said(tmp_path: Path) -> None:
    assert network_file_system(tmp_path / "ctsync.db", mounts=tmp_path / "none") is None


def test_the_room_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet" / "ctsync.db") > 0


def test_opening_a_file_on_a_network_file_system_warns(
    migrated_sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        open_store(migrated_sqlite_url, clock=StillClock()).close()
        assert caplog.messages == []
        monkeypatch.setattr(filesystem, "MOUNTS", mounted(tmp_path, f"far {tmp_path} nfs4"))
        open_store(migrated_sqlite_url, clock=StillClock()).close()
    (said,) = caplog.messages
    assert "lies on a network file system (nfs4)" in said
    assert "local disk" in said
