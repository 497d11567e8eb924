"""The time that other processes take."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


def cpu_seconds(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
) -> float:
    """Run a command and return the CPU seconds of its process. Raises CalledProcessError."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def least_of_python(code: str, rounds: int = 5) -> float:
    """Return the least CPU time of a few processes that run a line of Python."""
    return min(cpu_seconds([sys.executable, "-c", code]) for _ in range(rounds))


class Cost(NamedTuple):
    """What one process took, in seconds, and the lines that it wrote."""

    wall: float
    processor: float
    lines: int


def cost_of(command: Sequence[str], environment: Mapping[str, str], place: Path) -> Cost:
    """Run a command in a folder. Its exit code must be 0 or 3, which says what was not checked."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, check=False)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode in (0, 3), done.stderr.decode()
    return Cost(wall, worked, done.stdout.count(b"\n"))


def least(runs: Sequence[Cost]) -> Cost:
    """The least of each figure."""
    return Cost(*map(min, zip(*runs, strict=True)))
