"""A report as plain text, 76 columns wide, readable without colour. Does no I/O."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from ctsync.model import Level
from ctsync.report.report import Report, ReportLine, ReportStep, ReportTrial, TextMark, TextPiece
from ctsync.report.sentences import (
    WELCOME,
    about_line,
    aside_sentence,
    coverage_line,
    left_out_sentence,
    moves_of,
    step_title,
    trial_left_out_sentence,
    watches_line,
    welcomes_left_out_sentence,
    window_line,
)
from ctsync.text import for_terminal

WIDTH = 76
_LEVEL, _TRIAL, _WHAT, _SINCE = 9, 12, 37, 15
_LABEL = 19
# a number and its unit stay on one line
_FIGURE = re.compile(r"\d (?:days?|months?|years|%)(?!\w)")
_GLUE = "\N{NO-BREAK SPACE}"
_MARKS = {
    TextMark.KEPT: "{}",
    TextMark.REMOVED: "[-{}-]",
    TextMark.ADDED: "{{+{}+}}",
    TextMark.CUT: "[{}]",
}


def render_text(report: Report) -> str:
    """Write the report: first one row per trial, worst first, then the details."""
    blocks = [
        _top(report),
        _table(report),
        *(_trial(trial) for trial in report.trials if trial.lines or trial.administrative),
        _welcomes(report),
        _standing(report),
        _bottom(report),
    ]
    return "\n\n".join("\n".join(block) for block in map(list, blocks) if block) + "\n"


def wdiff(pieces: tuple[TextPiece, ...]) -> str:
    """Write word-level changes without colour: [-gone-] {+new+}."""
    return " ".join(_MARKS[piece.mark].format(piece.text) for piece in pieces)


def wrap(text: str, first: str = "", rest: str | None = None, width: int = WIDTH) -> list[str]:
    """Break text into lines with the indents `first` and `rest`, safe for a terminal.

    A number stays on one line with its unit. `rest` defaults to `first`.
    """
    rest = first if rest is None else rest
    safe = for_terminal(" ".join(text.split()))
    if safe and len(first) + len(safe) <= width:
        return [first + safe]  # most texts: textwrap would double the time
    glued = _FIGURE.sub(lambda found: found[0].replace(" ", _GLUE), safe)
    # most others fit on two
    cut = glued.rfind(" ", 0, max(0, width - len(first) + 1))
    if cut > 0 and len(rest) + len(glued) - cut - 1 <= width:
        lines = [first + glued[:cut], rest + glued[cut + 1 :]]
    else:
        lines = textwrap.wrap(
            glued, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
        )
    return [line.replace(_GLUE, " ") for line in lines] or [first.rstrip()]


def _top(report: Report) -> Iterator[str]:
    yield from wrap(about_line(report))
    yield from wrap(report.headline)
    yield from wrap(window_line(report))
    if line := coverage_line(report):
        yield from wrap(line)


def _table(report: Report) -> Iterator[str]:
    if not report.trials:
        return
    yield _row("LEVEL", "TRIAL", "WHAT", "SINCE REG.").rstrip()
    for trial in report.trials:
        level = "admin" if trial.level is Level.ADMINISTRATIVE else trial.level.value
        what = wrap(trial.what, width=_WHAT)
        since = wrap(trial.since_first or "-", width=_SINCE)
        for i in range(max(len(what), len(since))):
            yield _row(
                level if i == 0 else "",
                trial.nct_id if i == 0 else "",
                what[i] if i < len(what) else "",
                since[i] if i < len(since) else "",
            ).rstrip()
    if sentence := left_out_sentence(report):
        yield from wrap(sentence)


def _row(level: str, trial: str, what: str, since: str) -> str:
    return f"{level:<{_LEVEL}} {trial:<{_TRIAL}} {what:<{_WHAT}} {since:<{_SINCE}}"


def _trial(trial: ReportTrial) -> Iterator[str]:
    head = f"{trial.number}. {trial.nct_id}  "
    yield from wrap(trial.title, head, " " * len(head))
    yield f"   {trial.url}"
    if watches := watches_line(trial):
        yield from wrap(watches, "   ", "   ")
    for step in trial.steps:
        if step.lines:
            yield from _step(step)
    if trial.left_out:
        yield from wrap(trial_left_out_sentence(trial), "   ", "   ")
    if trial.administrative:
        yield from wrap(aside_sentence(trial), "   ", "   ")


def _step(step: ReportStep) -> Iterator[str]:
    yield from wrap(step_title(step), "   ", "   ")
    for line in step.lines:
        yield from _line(line)
    if step.compare_url:
        yield f"     compare: {step.compare_url}"
    if step.is_cut:
        yield from wrap(f"in full: {step.command}", "     ", "     ")


def _line(line: ReportLine) -> Iterator[str]:
    """One event: label, values, moves, and the rule at the right edge."""
    label = for_terminal(line.stored.event.label)
    first, rest = f"     {label:<{_LABEL}} ", " " * (_LABEL + 6)
    if len(label) > _LABEL:
        yield from wrap(label, "     ", "     ")
        first = rest
    lines = wrap(said(line), first, rest)
    rule = f"[{line.rules}]"
    if len(lines[-1]) + 2 + len(rule) > WIDTH:
        lines.append("")
    lines[-1] = f"{lines[-1]:<{WIDTH - len(rule)}}{rule}"
    yield from lines


def said(line: ReportLine) -> str:
    """The values and moves of a line as text."""
    values = line.detail or f"{line.before} -> {line.after}"
    if line.pieces:
        values += f": {wdiff(line.pieces)}"
    moves = moves_of(line)
    return f"{values}; {moves}" if moves else values


def _welcomes(report: Report) -> Iterator[str]:
    if not report.welcomes:
        return
    yield WELCOME
    for welcome in report.welcomes:
        yield from wrap(welcome.title, f"   {welcome.nct_id}  ", " " * 16)
        yield from wrap(welcome.state, " " * 16, " " * 16)
    if sentence := welcomes_left_out_sentence(report):
        yield from wrap(sentence, "   ", "   ")


def _standing(report: Report) -> Iterator[str]:
    for sentence in report.sentences:
        yield from wrap(sentence.text)
    for one in report.coverage.failed if report.coverage else ():
        yield from wrap(one.reason, f"   {one.nct_id}  ", " " * 16)


def _bottom(report: Report) -> Iterator[str]:
    for line in report.footer:
        yield from wrap(line)
