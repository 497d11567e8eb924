"""Headline, closing sentences and footer of a report. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ctsync.dates import format_minute
from ctsync.model import Level
from ctsync.record.rules.rules import RULES_VERSION
from ctsync.record.value_text import counted
from ctsync.report.report import Coverage, NoChangeReason, ReportSentence


def headline(
    counts: Mapping[Level, int],
    *,
    watched: int,
    welcomed: int,
    coverage: Coverage | None,
    unselected: int = 0,
) -> str:
    """Return a line that shows whether to open the report; each number has its denominator.

    `unselected` counts the trials that changed and that the filters leave out.
    """
    parts = list(_incomplete(coverage, watched))
    told = [f"{n} {level}" for level, n in counts.items() if n and level != Level.ADMINISTRATIVE]
    changed = sum(n for level, n in counts.items() if level != Level.ADMINISTRATIVE)
    followed = counted(watched, "trial")
    if changed:
        parts += [", ".join(told), f"{changed:,} of {followed}"]
    elif counts[Level.ADMINISTRATIVE]:
        parts.append(f"administrative only: {counts[Level.ADMINISTRATIVE]:,} of {followed}")
    elif unselected and not welcomed:
        parts.append(f"no change matches the filters: 0 of {followed}")
    elif not welcomed and not parts:
        parts += _quiet(coverage, watched)
    if welcomed:
        parts.append(f"welcome: {counted(welcomed, 'trial')} newly followed")
    return " · ".join(parts)


def _incomplete(coverage: Coverage | None, watched: int) -> Iterator[str]:
    if coverage is not None and coverage.failed:
        yield f"INCOMPLETE: {coverage.checked:,} of {watched:,} checked"
        yield f"{len(coverage.failed):,} unknown"
        yield "see reasons"


def _quiet(coverage: Coverage | None, watched: int) -> Iterator[str]:
    yield f"quiet: 0 of {counted(watched, 'trial')} changed"
    if coverage is not None:
        yield f"checked {coverage.checked:,}/{watched:,}"
        if coverage.load and coverage.refreshed:
            yield f"data of {coverage.load:%Y-%m-%d}"
        elif coverage.load:
            yield f"registry not refreshed since {coverage.load:%Y-%m-%d}"


def sentences(
    *,
    watched: int,
    still: int,
    administrative: int,
    coverage: Coverage | None,
    untold: tuple[int, str] = (0, ""),
    unselected: tuple[int, str] = (0, ""),
) -> Iterator[ReportSentence]:
    """Yield sentences about the trials without a change in the report; each trial counts once.

    `still` counts trials that were checked and have no change. If the registry has no new load,
    the sentence about them says only that. `untold` is the number of trials that changed but are
    not in this report, and the command that shows their changes. `unselected` is the same for
    trials that the filters leave out.
    """
    of = f"of {counted(watched, 'trial')}"
    if coverage is not None and not coverage.refreshed and coverage.load and still:
        since = format_minute(coverage.load)
        yield ReportSentence(
            NoChangeReason.NOT_REFRESHED,
            still,
            f"Registry data not refreshed since {since}: "
            f"nothing new could be seen for {still:,} {of}.",
        )
    elif still:
        yield ReportSentence(NoChangeReason.NO_UPDATE, still, f"No update posted: {still:,} {of}.")
    if administrative:
        yield ReportSentence(
            NoChangeReason.ADMINISTRATIVE_ONLY,
            administrative,
            f"Updated, only administrative fields: {administrative:,} {of}.",
        )
    trials, command = untold
    if trials:
        yield ReportSentence(
            NoChangeReason.NOT_REPORTED,
            trials,
            f"Changed, but below the requested level or sent in another message: {trials:,} {of}: "
            f"{command}",
        )
    trials, command = unselected
    if trials:
        yield ReportSentence(
            NoChangeReason.NOT_SELECTED,
            trials,
            f"Changed or newly followed, but not selected by the filters: {trials:,} {of}: "
            f"{command}",
        )
    if coverage is not None and coverage.failed:
        failed = len(coverage.failed)
        yield ReportSentence(
            NoChangeReason.NOT_CHECKED,
            failed,
            f"Could not check: {failed:,} {of}; this run has no data on them.",
        )


def phase_rank(phases: str | None) -> float:
    """A number for sorting by phase: 0 if there is none, larger for later phases."""
    text = phases or ""
    numbers = [int(digit) for digit in re.findall(r"\d", text)]
    return (max(numbers) if numbers else 0) - (0.5 if "EARLY" in text.upper() else 0)


def footer(coverage: Coverage | None, *, watched: int, report_id: str) -> Iterator[str]:
    """The runs, the version of the rules, and the id of the report."""
    if coverage is not None:
        runs = ", ".join(map(str, coverage.run_ids))
        parts = [f"{coverage.checked:,} of {watched:,} checked"]
        if coverage.requests is not None:
            parts.append(counted(coverage.requests, "request"))
        if coverage.retries is not None:
            parts.append(counted(coverage.retries, "retry", "retries"))
        name = f"Run {runs}: " if len(coverage.run_ids) == 1 else f"Runs {runs}: " if runs else ""
        yield name + ", ".join(parts)
    yield f"Rules {RULES_VERSION} · report id {report_id}"
