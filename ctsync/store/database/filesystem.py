"""Where a database file lies: how much room there is, and whether the disk is a local one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
NETWORK_FILE_SYSTEMS = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "lustre"),
        *("gpfs", "beegfs", "gfs2", "ocfs2", "glusterfs", "orangefs", "davfs", "vboxsf", "prl_fs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.davfs2"),
        *("fuse.smbnetfs", "fuse.curlftpfs", "fuse.gcsfuse", "fuse.vmhgfs-fuse"),
    }
)
"""Types as Linux names them; on none of them may several programs share memory by a file."""


def free_bytes(file: Path) -> int:
    """The room left where a file lies or would be put; raises OSError where that is nowhere."""
    return shutil.disk_usage(_nearest_folder(file)).free


def network_file_system(file: Path, *, mounts: Path | None = None) -> str | None:
    """The type of the network file system a file lies on; None on a local disk.

    WAL keeps its index in memory that all programs share, which no network file system can
    give (https://www.sqlite.org/wal.html). `mounts` is the table of what is mounted, by default
    that of Linux; without one, as on other systems, nothing is known and None is said.
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
        # of two mounts on one point the later hides the earlier
        if inside and len(point) >= longest:
            longest, found = len(point), fields[2]
    return found if found in NETWORK_FILE_SYSTEMS else None


def _nearest_folder(file: Path) -> Path:
    """The folder of a file, or of those above it the first that is there."""
    folder = file.absolute().parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _unescape(point: str) -> str:
    """A mount point as it is: blanks, tabs, line ends and backslashes are written in octal."""
    for code in ("040", "011", "012", "134"):
        point = point.replace(f"\\{code}", chr(int(code, 8)))
    return point
