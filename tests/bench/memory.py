"""The memory of a process and all its children."""

from __future__ import annotations

from pathlib import Path


def resident_mb(pid: int) -> float:
    """Return the memory of a process and its children in MB; what they share counts once."""
    return sum(map(_own_mb, _family(pid)))


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _text(task).split():
            found += _family(int(child))
    return found


def _own_mb(pid: int) -> float:
    """Return the proportional set size of a process: shared memory counts in part."""
    lines = _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def _text(file: Path) -> str:
    """Return the text of a file of /proc; nothing if its process has ended."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
