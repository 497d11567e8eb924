"""The documentation pages as stories: files to write, commands to run, outputs to compare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(path for path in DOCS.rglob("*.md") if "decisions" not in path.parts),
]

SHELLS = {"sh", "bash", "console"}
OUTPUT = "Output"
"""The title of a block that shows what the last command before it prints."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\s*$")
_NEXT_DAY = re.compile(r"^ *<!-- registry: the next day -->$")


@dataclass(frozen=True, slots=True)
class Command:
    """One line of a shell block."""

    line: str


@dataclass(frozen=True, slots=True)
class TitledFile:
    """A block with a file name as its title; a second one of that name is added to the first."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownOutput:
    """What the last command before it prints."""

    text: str


@dataclass(frozen=True, slots=True)
class NextDay:
    """The registry refreshes its data."""


@dataclass(frozen=True, slots=True)
class CronLine:
    """One line of a crontab."""

    line: str


Step = Command | CronLine | TitledFile | ShownOutput | NextDay


def steps(page: str) -> Iterator[Step]:
    """Yield the steps of a page, in its order."""
    block: list[str] | None = None
    opened: re.Match[str] | None = None
    for line in page.splitlines():
        fence = _FENCE.match(line)
        if block is None:
            if fence:
                block, opened = [], fence
            elif _NEXT_DAY.match(line):
                yield NextDay()
        elif line.strip() == "```" and opened is not None:
            yield from _block_steps(opened["language"], opened["title"], block)
            block = opened = None
        elif opened is not None:
            block.append(line.removeprefix(opened["indent"]))


def _block_steps(language: str, title: str | None, lines: list[str]) -> Iterator[Step]:
    if title == OUTPUT:
        yield ShownOutput("\n".join(lines))
    elif title is not None:
        yield TitledFile(title, "\n".join(lines) + "\n")
    elif language == "cron":
        yield from map(CronLine, lines)
    elif language in SHELLS:
        joined = "\n".join(lines).replace("\\\n", " ")
        for line in joined.splitlines():
            command = line.removeprefix("$ ").strip()
            if command and not command.startswith("#"):
                yield Command(command)
