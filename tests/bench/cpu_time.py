"""The CPU time of other processes."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Mapping, Sequence
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


def least_in_turn(*measures: Callable[[], float], rounds: int = 5) -> list[float]:
    """Return the least result of each measure over some rounds that take all of them in turn.

    Other programs slow a process down by up to half. In turn, they slow down all measures alike,
    and the least results are those of quiet moments. The first round only warms the caches.
    """
    taken = [[measure() for measure in measures] for _ in range(rounds + 1)]
    return [min(results) for results in zip(*taken[1:], strict=True)]
