"""Runs ctsync as a user without a passwd entry, on a root file system that is read-only.

It needs root, `unshare` and `setpriv`: the mounts exist only in a namespace of the command.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USER_ID = 12345
_SCRIPT = """
set -eu
room=$1 base=$2 packages=$3 source=$4 folder=$5; shift 5
mount --make-rprivate /
for pair in "base:$base" "packages:$packages" "source:$source"; do
  mount --bind "${pair#*:}" "$room/${pair%%:*}"
  mount -o remount,bind,ro "$room/${pair%%:*}"
done
mount --bind "$room/data" "$room/data"
mount -o remount,bind,ro /
cd "$folder"
exec setpriv --reuid USER --regid 0 --clear-groups "$@"
""".replace("USER", str(USER_ID))


@dataclass(frozen=True, slots=True)
class Container:
    """A folder `data` that the user may write, `closed` that it may not look into, and ctsync.

    `source` is the folder from which ctsync is imported: the checkout, or an installation.
    """

    room: Path
    source: Path = ROOT

    @property
    def data(self) -> Path:
        """The volume: the only folder that can be written."""
        return self.room / "data"

    @property
    def closed(self) -> Path:
        """A folder of root."""
        return self.room / "closed"

    def command(self, words: Sequence[str], env: Mapping[str, str], folder: Path) -> list[str]:
        """Return the command that runs `python WORDS` as the user, with no other variables."""
        python = Path(os.path.realpath(sys.executable))
        base = Path(os.path.realpath(sys.base_prefix))
        given = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": f"{self.room / 'source'}:{self.room / 'packages'}",
            "LD_LIBRARY_PATH": str(self.room / "base" / "lib"),
            **env,
        }
        packages = sysconfig.get_path("purelib")
        return [
            *("unshare", "--mount", "bash", "-c", _SCRIPT, "bash"),
            *map(str, (self.room, base, packages, self.source, folder)),
            *("env", "-i", *(f"{name}={value}" for name, value in given.items())),
            str(self.room / "base" / python.relative_to(base)),
            *words,
        ]

    def run(
        self, *words: str, env: Mapping[str, str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `ctsync WORDS` in a folder, by default the volume."""
        command = self.command(["-m", "ctsync", *words], env, folder or self.data)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@contextmanager
def container(source: Path = ROOT) -> Iterator[Container]:
    """Make a container; skips the test if this machine lets no test be another user."""
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")):
        pytest.skip("needs root, unshare and setpriv to run as another user")
    # not in pytest's own folder, which only root may look into
    room = Path(tempfile.mkdtemp(prefix="ctsync-container-", dir="/tmp"))
    room.chmod(0o755)
    for name in ("base", "packages", "source", "data", "closed"):
        (room / name).mkdir()
    os.chown(room / "data", 0, 0)
    (room / "data").chmod(0o770)  # as the guide's Containerfile does: for group 0
    (room / "closed").chmod(0o700)
    made = Container(room, source)
    try:
        probe = subprocess.run(
            made.command(["-c", "import ctsync.cli"], {}, made.data),
            capture_output=True,
            text=True,
            check=False,
        )
        if probe.returncode != 0:
            pytest.skip(f"this machine lets no test be another user: {probe.stderr[-200:]}")
        yield made
    finally:
        shutil.rmtree(room, ignore_errors=True)
