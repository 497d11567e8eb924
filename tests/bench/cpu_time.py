"""The time that other processes take."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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


def least_in_turn(*measures: Callable[[], float], rounds: int = 5) -> list[float]:
    """Return the least result of each measure over some rounds that take all of them in turn.

    Other programs slow a process down by up to half. In turn, they slow down all measures alike,
    and the least results are those of quiet moments. The first round only warms the caches.
    """
    taken = [[measure() for measure in measures] for _ in range(rounds + 1)]
    return [min(results) for results in zip(*taken[1:], strict=True)]


@dataclass(slots=True)
class Spent:
    """The seconds that a block took: by the clock, and on the processors by all its processes."""

    wall: float = 0.0
    processor: float = 0.0

    def times(self, other: Spent) -> str:
        """Return both figures as multiples of another's."""
        return (
            f"{self.processor / other.processor:.2f} times on the processor and "
            f"{self.wall / other.wall:.2f} by the clock"
        )

    def __str__(self) -> str:
        return f"{self.processor:.1f} s on the processors, {self.wall:.1f} s by the clock"


@contextmanager
def spending() -> Iterator[Spent]:
    """Measure a block, with the processes that it starts and waits for."""
    spent, began, before = Spent(), time.perf_counter(), _processor_seconds()
    yield spent
    spent.wall, spent.processor = time.perf_counter() - began, _processor_seconds() - before


def _processor_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


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
