"""The CPU time of other processes."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


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
