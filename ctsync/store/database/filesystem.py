"""The disk that a database file is on: its free space, and whether it is local."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ctsync.files import absolute, is_visible

MOUNTS = Path("/proc/self/mounts")
NETWORK_FILE_SYSTEMS = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "lustre"),
        *("gpfs", "beegfs", "gfs2", "ocfs2", "glusterfs", "orangefs", "davfs", "vboxsf", "prl_fs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.davfs2"),
        *("fuse.smbnetfs", "fuse.curlftpfs", "fuse.gcsfuse", "fuse.vmhgfs-fuse"),
    }
)
"""Linux names of the file systems on which programs cannot share memory through a file."""


def free_bytes(file: Path) -> int:
    """Return the free space on the disk of a file, or of its folder. Raises OSError."""
    return shutil.disk_usage(_nearest_folder(file)).free


def network_file_system(file: Path, *, mounts: Path | None = None) -> str | None:
    """Return the type of the network file system that a file is on, or None on a local disk.

    SQLite's WAL keeps its index in memory that all programs share. No network file system supports
    that (https://www.sqlite.org/wal.html). `mounts` is the mount table, by default that of Linux.
    Returns None if there is no such table, as on other systems.
    """
    try:
        table = (mounts or MOUNTS).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    where = os.path.realpath(_nearest_folder(file))
    longest, found = -1, ""
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _unescape(fields[1])
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        # if two mounts have the same mount point, the later hides the earlier
        if inside and len(point) >= longest:
            longest, found = len(point), fields[2]
    return found if found in NETWORK_FILE_SYSTEMS else None


def _nearest_folder(file: Path) -> Path:
    """Return the folder of a file, or the nearest folder above it that exists."""
    folder = absolute(file).parent
    while not is_visible(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _unescape(point: str) -> str:
    """Decode a mount point, in which spaces, tabs, line feeds and backslashes are octal codes."""
    for code in ("040", "011", "012", "134"):
        point = point.replace(f"\\{code}", chr(int(code, 8)))
    return point
