"""The sites of a trial by country over time. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise

from ctsync.record.value_text import counted, signed
from ctsync.report.trial.charts.axes import (
    LINE,
    NARROW,
    WIDE,
    CountScale,
    DayScale,
    apart,
    count_lines,
    fitting,
    year_lines,
)
from ctsync.report.trial.charts.chart import (
    Chart,
    ChartCurve,
    ChartTable,
    ChartText,
    Drawing,
    Shape,
)
from ctsync.report.trial.charts.site_counts import SiteCount, steps_of
from ctsync.report.trial.charts.slip_chart import LEFT, RIGHT

MOST_COUNTRIES = 5
"""Most countries with their own line in a drawing; the others share one line."""
_TOP = 12
_OTHERS = "others"


def site_chart(
    counts: Sequence[SiteCount], span: tuple[date, date], *, until: date
) -> Chart | None:
    """Return the chart of the days of `span`; None if no version has a site."""
    steps = steps_of(counts)
    if not any(step.total for step in steps):
        return None
    ranked = _ranked(steps)
    first, last = steps[0], steps[-1]
    now = counted(sum(bool(n) for n in last.by_country.values()), "country", "countries")
    before = f"First {counted(first.total, 'site')}, now " if len(steps) > 1 else ""
    return Chart(
        name="sites",
        title="Sites by country",
        description=f"{before}{counted(last.total, 'site')} in {now}: {_said(last)}.",
        wide=_drawing(steps, ranked, span, until=until, width=WIDE),
        narrow=_drawing(steps, ranked, span, until=until, width=NARROW),
        table=_table(steps),
        key="Each line is a country; the highest line is the sum.",
    )


def _ranked(steps: Sequence[SiteCount]) -> list[str]:
    """Return the countries, those with most sites at any time first."""
    most: Counter[str] = Counter()
    for step in steps:
        for country, number in step.by_country.items():
            most[country] = max(most[country], number)
    newest = steps[-1].by_country
    return sorted(most, key=lambda one: (-newest.get(one, 0), -most[one], one))


def _said(step: SiteCount) -> str:
    ranked = sorted(step.by_country.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{country} {number:,}" for country, number in ranked[:MOST_COUNTRIES]]
    rest = ranked[MOST_COUNTRIES:]
    if rest:
        number = sum(number for _, number in rest)
        shown.append(f"{number:,} in {counted(len(rest), 'other country', 'other countries')}")
    return ", ".join(shown) or "none"


def _lines(steps: Sequence[SiteCount], ranked: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Yield each line of the drawing: its name and its number at each step."""
    if len(ranked) > 1:
        yield "all", [step.total for step in steps]
    own = ranked if len(ranked) <= MOST_COUNTRIES + 1 else ranked[:MOST_COUNTRIES]
    for country in own:
        yield country, [step.by_country.get(country, 0) for step in steps]
    if rest := ranked[len(own) :]:
        sums = [sum(step.by_country.get(one, 0) for one in rest) for step in steps]
        yield f"{len(rest)} {_OTHERS}", sums


def _drawing(
    steps: Sequence[SiteCount],
    ranked: Sequence[str],
    span: tuple[date, date],
    *,
    until: date,
    width: int,
) -> Drawing:
    lines = list(_lines(steps, ranked))
    height = max(150, LINE * (len(lines) + 2) + 24)
    bottom = height - LINE - 8
    x = DayScale(*span, LEFT, width - RIGHT)
    y = CountScale(max(step.total for step in steps), bottom, _TOP)
    shapes: list[Shape] = [*year_lines(x, _TOP, bottom), *count_lines(y, x.start, x.end)]
    ends = [*(step.stood_from for step in steps[1:]), until]
    for n, (name, numbers) in enumerate(lines):
        points = tuple(
            (x.at(day), y.at(number))
            for step, end, number in zip(steps, ends, numbers, strict=True)
            for day in (step.stood_from, end)
        )
        title = f"{name}: {numbers[0]:,} first, {numbers[-1]:,} now"
        shapes.append(ChartCurve(points, f"chart-step chart-line-{n}", title))
    shapes += _labels(lines, x.end + 8, y, bottom)
    return Drawing(width, height, tuple(shapes))


def _labels(
    lines: Sequence[tuple[str, list[int]]], left: float, y: CountScale, bottom: float
) -> Iterator[Shape]:
    ends = sorted((y.at(numbers[-1]) + 4, n) for n, (_, numbers) in enumerate(lines))
    places = apart((place for place, _ in ends), LINE, _TOP, bottom + 4)
    for place, (_, n) in zip(places, ends, strict=True):
        name, numbers = lines[n]
        text = fitting(name, RIGHT - 8 - 7 * (len(f"{numbers[-1]:,}") + 1))
        style = f"chart-name chart-line-{n}"
        yield ChartText((left, place), f"{text} {numbers[-1]:,}", style)


def _table(steps: Sequence[SiteCount]) -> ChartTable:
    """Return a row per step: the numbers at first, then those that changed."""
    rows = [(str(steps[0].stood_from), f"{steps[0].total:,}", _all(steps[0]))]
    for before, step in pairwise(steps):
        rows.append((str(step.stood_from), f"{step.total:,}", ", ".join(_changes(before, step))))
    return ChartTable(
        "Sites per country; after the first row, only countries whose number changed",
        ("Since", "Sites", "By country"),
        tuple(rows),
    )


def _all(step: SiteCount) -> str:
    ranked = sorted(step.by_country.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{country} {number:,}" for country, number in ranked) or "none"


def _changes(before: SiteCount, after: SiteCount) -> Iterator[str]:
    countries = {**before.by_country, **after.by_country}
    moves = {one: after.by_country.get(one, 0) - before.by_country.get(one, 0) for one in countries}
    for country, move in sorted(moves.items(), key=lambda pair: (-abs(pair[1]), pair[0])):
        if move:
            now = after.by_country.get(country, 0)
            yield f"{country} {now:,} ({signed(move)})"
