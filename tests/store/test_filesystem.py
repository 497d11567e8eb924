"""A warning appears for a database on a network file system, and none for a local disk."""

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
    ("kind", "is_network"),
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
def test_a_network_file_system_is_recognized_by_its_type(
    tmp_path: Path, kind: str, is_network: bool
) -> None:
    table = mounted(tmp_path, f"there {tmp_path} {kind}")
    found = network_file_system(tmp_path / "a" / "ctsync.db", mounts=table)
    assert found == (kind if is_network else None)


def test_the_innermost_and_then_the_latest_mount_decides(
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "ctsync.db"
    table = mounted(tmp_path, f"far {tmp_path} nfs4", f"/dev/x {tmp_path / 'in'} ext4")
    assert network_file_system(file, mounts=table) is None
    table = mounted(tmp_path, f"/dev/x {tmp_path} ext4", f"far {tmp_path} nfs4")
    assert network_file_system(file, mounts=table) == "nfs4"


def test_a_mount_point_does_not_match_a_folder_with_a_longer_name(tmp_path: Path) -> None:
    table = mounted(tmp_path, f"far {tmp_path}/data nfs4")
    assert network_file_system(tmp_path / "database" / "ctsync.db", mounts=table) is None


def test_a_mount_point_with_spaces_is_found_through_a_link(tmp_path: Path) -> None:
    share = tmp_path / "a share"
    share.mkdir()
    (tmp_path / "link").symlink_to(share)
    table = mounted(tmp_path, f"far {str(share).replace(' ', chr(92) + '040')} cifs")
    assert network_file_system(tmp_path / "link" / "ctsync.db", mounts=table) == "cifs"


def test_no_network_file_system_is_reported_if_the_mount_table_is_missing(tmp_path: Path) -> None:
    assert network_file_system(tmp_path / "ctsync.db", mounts=tmp_path / "none") is None


def test_free_space_is_that_of_the_nearest_existing_folder(tmp_path: Path) -> None:
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
    (message,) = caplog.messages
    assert "is on a network file system (nfs4)" in message
    assert "local disk" in message
