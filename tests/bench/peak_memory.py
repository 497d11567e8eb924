"""The most memory that a process and its children take at once."""

from __future__ import annotations

import threading
from pathlib import Path

EVERY_SECONDS = 0.25
"""The time between two samples: the kernel needs milliseconds for each."""


class PeakMemory(threading.Thread):
    """Samples the memory of a process and its children until `stop`.

    - `mb`: the highest sum of a sample. Misses a peak shorter than the time between two samples.
    - `own_mb`: the most that the process alone took before the last sample, as the kernel counts.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.mb = self.own_mb = 0.0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self.mb = max(self.mb, sum(map(_resident_mb, _family(self._pid))))
            # not ru_maxrss, which begins with the memory of the process that started this one
            self.own_mb = max(self.own_mb, _mb_of("VmHWM", f"/proc/{self._pid}/status"))
            self._ended.wait(EVERY_SECONDS)

    def stop(self) -> None:
        """End the samples."""
        self._ended.set()
        self.join()


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in children:
            found += _family(int(child))
    return found


def _resident_mb(pid: int) -> float:
    """Return the proportional set size of a process: shared memory counts in part."""
    return _mb_of("Pss", f"/proc/{pid}/smaps_rollup")


def _mb_of(name: str, file: str) -> float:
    try:
        lines = Path(file).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # the process has ended
        return 0.0
    found = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(next(found, "0")) / 1024
