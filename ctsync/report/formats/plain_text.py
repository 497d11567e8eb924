"""A report as plain text, 76 columns wide by default, readable without colour. Does no I/O."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence

from ctsync.model import Level, NctId
from ctsync.report.alike_lines import alike, same_of
from ctsync.report.report import (
    Fold,
    Report,
    ReportLine,
    ReportStep,
    ReportTrial,
    TextMark,
    TextPiece,
)
from ctsync.report.sentences import (
    WELCOME,
    about_line,
    aside_sentence,
    coverage_line,
    flags_of_trial,
    fold_command,
    fold_lines,
    fold_title,
    folded_what,
    left_out_sentence,
    moves_of,
    named_in_fold,
    step_title,
    trial_left_out_sentence,
    watches_line,
    welcomes_left_out_sentence,
    window_line,
)
from ctsync.report.words.trial_heading import cut_at_word, short_title, trial_heading
from ctsync.text import for_terminal

WIDTH = 76
WIDEST = 120
SCREEN = 44
"""Lines of a table that fit on one screen below the lines at the top."""
_INDENT = " " * 23
"""The indent of a row's words, beside its level and NCT id."""
_DEEPER = f"{_INDENT}  "
_SHORTEST_TITLE = 24
_LABEL = 19
# a number and its unit stay on one line
_FIGURE = re.compile(r"\d (?:days?|months?|years|%)(?!\w)")
_MORE = re.compile(r"\+(\d+) more(?: \(.*\))?")
_GLUE = "\N{NO-BREAK SPACE}"
_MARKS = {
    TextMark.KEPT: "{}",
    TextMark.REMOVED: "[-{}-]",
    TextMark.ADDED: "{{+{}+}}",
    TextMark.CUT: "[{}]",
}


LinkTo = Callable[[NctId], str]
"""Returns the address of a trial's page."""


def render_text(report: Report, *, width: int = WIDTH, link: LinkTo | None = None) -> str:
    """Write the report: first one row per trial, worst first, then the details.

    If the rows of the critical and notable trials do not fit on one screen, a list with one line
    for each comes first. With `link`, trials without details are named by their address.
    """
    listed = report.listed
    rows = [_row(trial, width) for trial in listed]
    blocks = [
        _top(report, width),
        _glance(listed, rows, width),
        _table(report, rows, width),
        _folds(report, width, link),
        *(_trial(trial, report, width) for trial in listed),
        _welcomes(report, width, link),
        _standing(report, width, link),
        _bottom(report, width),
    ]
    return "\n\n".join("\n".join(block) for block in map(list, blocks) if block) + "\n"


def wdiff(pieces: tuple[TextPiece, ...]) -> str:
    """Write word-level changes without colour: [-gone-] {+new+}."""
    marked = (_MARKS[piece.mark].format(piece.text) + piece.blank for piece in pieces)
    return "".join(marked).rstrip()


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


def _top(report: Report, width: int) -> Iterator[str]:
    yield from wrap(about_line(report), width=width)
    yield from wrap(report.headline, width=width)
    yield from wrap(window_line(report), width=width)
    if report.filters:
        yield from wrap(report.filters, width=width)
    if line := coverage_line(report):
        yield from wrap(line, width=width)


def _glance(
    listed: Sequence[ReportTrial], rows: Sequence[Sequence[str]], width: int
) -> Iterator[str]:
    both = zip(listed, rows, strict=True)
    worst = [(trial, row) for trial, row in both if trial.level.reaches(Level.NOTABLE)]
    if sum(len(row) for _, row in worst) <= SCREEN:
        return
    yield "AT A GLANCE"
    room = width - len(_INDENT)
    for trial, _ in worst:
        what = cut_between_phrases(trial.what, room * 7 // 10)
        title = short_title(trial.heading, room - len(what) - 2)
        yield for_terminal(f"{_first_cells(trial)}{what}  {title}")


def cut_between_phrases(what: str, width: int) -> str:
    """Return the first phrases of a row that fit in `width`, and the number of the others."""
    phrases = " ".join(what.split()).split("; ")
    # the row may already end with a count
    counted = _MORE.fullmatch(phrases[-1])
    hidden = int(counted[1]) - 1 if counted else 0
    for kept in range(len(phrases), 0, -1):
        more = f"; +{len(phrases) - kept + hidden} more" if kept < len(phrases) else ""
        if len(text := "; ".join(phrases[:kept]) + more) <= width:
            return text
    return cut_at_word(what, width)


def _table(report: Report, rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    if not rows:
        return
    yield f"{'LEVEL':<9} {'TRIAL':<12} WHAT CHANGED"
    for row in rows:
        yield from row
    if sentence := left_out_sentence(report):
        yield from wrap(sentence, width=width)


def _row(trial: ReportTrial, width: int) -> list[str]:
    """Return the row of a trial: its heading, its changes, and the moves since registration."""
    words = trial_heading(trial.heading)
    # the title fills the rest of the line, or a second one if that is too short
    room = width - len(_INDENT) - len(words) - len(" · ")
    room = room if room > _SHORTEST_TITLE else width - len(_INDENT)
    about = " · ".join(part for part in (words, short_title(trial.heading, room)) if part)
    lines = wrap(about, _first_cells(trial), _INDENT, width)
    lines += wrap(trial.what, _DEEPER, width=width)
    if trial.since_first:
        lines += wrap(f"{trial.since_what}: {trial.since_first}", _DEEPER, width=width)
    return lines


def _first_cells(trial: ReportTrial) -> str:
    level = "admin" if trial.level is Level.ADMINISTRATIVE else trial.level.value
    return f"{level:<9} {trial.nct_id:<12} "


def _folds(report: Report, width: int, link: LinkTo | None) -> Iterator[str]:
    if link is None:
        for line in fold_lines(report):
            yield from wrap(line, width=width)
        return
    for fold in Fold:
        trials = report.folded(fold)
        shown = named_in_fold(trials)
        if trials:
            yield f"{fold_title(report, fold)}:"
        for trial in shown:
            words = f"{short_title(trial.heading)}: {folded_what(trial)}"
            yield f"   {link(trial.nct_id)}"
            yield from wrap(words, " " * 5, width=width)
        if more := len(trials) - len(shown):
            yield from wrap(f"and {more:,} more: {fold_command(report, fold)}", "   ", width=width)


def _trial(trial: ReportTrial, report: Report, width: int) -> Iterator[str]:
    head = f"{trial.number}. {trial.nct_id}  "
    yield from wrap(trial.title, head, " " * len(head), width)
    if words := trial_heading(trial.heading):
        yield from wrap(words, "   ", width=width)
    yield f"   {trial.url}"
    if watches := watches_line(trial):
        yield from wrap(watches, "   ", "   ")
    if flags := flags_of_trial(trial, report):
        yield from wrap(flags, "   ", "     ", width)
    for step in trial.steps:
        if step.lines:
            yield from _step(step, width)
    if trial.left_out:
        yield from wrap(trial_left_out_sentence(trial), "   ", width=width)
    if trial.administrative:
        yield from wrap(aside_sentence(trial), "   ", width=width)


def _step(step: ReportStep, width: int) -> Iterator[str]:
    yield from wrap(step_title(step), "   ", width=width)
    for line in alike(step.lines):
        yield from _line(line, width)
    if step.compare_url:
        yield f"     compare: {step.compare_url}"
    if step.is_cut:
        yield from wrap(f"in full: {step.command}", "     ", width=width)


def _line(line: ReportLine, width: int) -> Iterator[str]:
    """One event: label, values, moves, and the rule at the right edge."""
    label = for_terminal(line.stored.event.label)
    first, rest = f"     {label:<{_LABEL}} ", " " * (_LABEL + 6)
    if len(label) > _LABEL:
        yield from wrap(label, "     ", width=width)
        first = rest
    lines = wrap(said(line), first, rest, width)
    rule = f"[{line.rules}]"
    if len(lines[-1]) + 2 + len(rule) > width:
        lines.append("")
    lines[-1] = f"{lines[-1]:<{width - len(rule)}}{rule}"
    yield from lines
    for note in line.context:
        yield from wrap(note.text, f"{rest}context: ", f"{rest}  ", width)


def said(line: ReportLine) -> str:
    """The values and moves of a line as text, and the other items that it is about."""
    values = line.detail or ("" if line.pieces else f"{line.before} -> {line.after}")
    if line.pieces:
        values += f"{': ' if values else ''}{wdiff(line.pieces)}"
    return "; ".join(filter(None, [values, moves_of(line), same_of(line)]))


def _welcomes(report: Report, width: int, link: LinkTo | None) -> Iterator[str]:
    if not report.welcomes:
        return
    yield WELCOME
    for welcome in report.welcomes:
        yield from wrap(welcome.title, f"   {welcome.nct_id}  ", " " * 16, width)
        yield from wrap(welcome.state, " " * 16, width=width)
        if link is not None:
            yield f"{' ' * 16}{link(welcome.nct_id)}"
    if sentence := welcomes_left_out_sentence(report):
        yield from wrap(sentence, "   ", width=width)


def _standing(report: Report, width: int, link: LinkTo | None) -> Iterator[str]:
    for sentence in report.sentences:
        yield from wrap(sentence.text, width=width)
    for one in report.coverage.failed if report.coverage else ():
        name = one.nct_id if link is None else link(one.nct_id)
        yield from wrap(one.reason, f"   {name}  ", " " * 16, width)


def _bottom(report: Report, width: int) -> Iterator[str]:
    for line in report.footer:
        yield from wrap(line, width=width)
