"""A chart as values: shapes for each width, a table of its values, and its texts. Does no I/O.

Each shape has a class for the style sheet and a title, which browsers show as a tooltip. Remote
text is not changed: the template makes it safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A straight line."""

    start: Point
    end: Point
    style: str
    title: str = ""
    tag: ClassVar[str] = "line"


@dataclass(frozen=True, slots=True)
class ChartCurve:
    """A line through several points."""

    points: tuple[Point, ...]
    style: str
    title: str = ""
    tag: ClassVar[str] = "path"

    @property
    def path(self) -> str:
        """The points as the path of an SVG element."""
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in self.points)


@dataclass(frozen=True, slots=True)
class ChartBox:
    """A rectangle, by its upper left corner."""

    corner: Point
    width: float
    height: float
    style: str
    title: str = ""
    tag: ClassVar[str] = "rect"


@dataclass(frozen=True, slots=True)
class ChartMark:
    """A circle around a point."""

    centre: Point
    style: str
    title: str = ""
    radius: float = 4
    tag: ClassVar[str] = "circle"


@dataclass(frozen=True, slots=True)
class ChartText:
    """A text with its baseline at a point; `anchor` is "start", "middle" or "end"."""

    place: Point
    text: str
    style: str = ""
    anchor: str = "start"
    tag: ClassVar[str] = "text"


Shape = ChartLine | ChartCurve | ChartBox | ChartMark | ChartText


@dataclass(frozen=True, slots=True)
class Drawing:
    """The shapes of a chart at one width."""

    width: int
    height: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class ChartTable:
    """The values of a chart as a table; the first cell of each row is its heading."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its drawings for a wide and a narrow screen, and the same in words.

    `name` is unique within a page. `description` says in a sentence or two what the chart shows.
    `key` explains the marks.
    """

    name: str
    title: str
    description: str
    wide: Drawing
    narrow: Drawing
    table: ChartTable
    key: str = ""
