"""A report as Markdown; remote text is shown literally. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ctsync.report.alike_lines import alike, same_of
from ctsync.report.report import Report, ReportLine, ReportTrial, TextMark, TextPiece
from ctsync.report.sentences import (
    WELCOME,
    about_line,
    aside_sentence,
    coverage_line,
    flags_of_trial,
    fold_lines,
    left_out_sentence,
    moves_of,
    since_cell,
    since_heading,
    step_title,
    trial_left_out_sentence,
    welcomes_left_out_sentence,
    window_line,
)
from ctsync.report.words.trial_heading import short_title, trial_heading
from ctsync.text import for_markup

# Characters with a meaning in Markdown (CommonMark or GitHub), and only where they have one. Dots,
# dashes and digits have a meaning only at the start of a line.
_SPECIAL = re.compile(
    r"""
    [\\`\[\]|~\#@]                   # anywhere
    | (?<!\s)\* | \*(?!\s|$)          # emphasis: not between blanks
    | (?<![^\W_])_ | _(?![^\W_])       # emphasis: not inside a word
    | \$(?=.*\$) | (?<=\$)\$          # formulas, of which a single sign begins none
    | :(?=//|(?:[a-z][\w+-]*|[+-]1|100|1234):)   # bare addresses and :emoji:
    | (?<=www)\.                      # bare addresses
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_MARKS = {
    TextMark.KEPT: "{}",
    TextMark.REMOVED: "~~{}~~",
    TextMark.ADDED: "**{}**",
    TextMark.CUT: "*[{}]*",
}


def render_markdown(report: Report) -> str:
    """Write the report: a table first, then one heading per trial."""
    blocks = [
        _top(report),
        _table(report),
        _folds(report),
        *(_trial(trial, report) for trial in report.listed),
        _welcomes(report),
        _bottom(report),
    ]
    return "\n\n".join("\n".join(block) for block in map(list, blocks) if block) + "\n"


def escaped(text: str) -> str:
    """Escape the characters that Markdown would read as markup, and no others.

    Remote text cannot make a tag, link, emphasis or table cell. The result must not be at the
    start of a line.
    """
    line = " ".join(for_markup(text).split())
    markup = _TAG.sub("&lt;", _ENTITY.sub("&amp;", line))
    return _SPECIAL.sub(r"\\\g<0>", markup)


def _code(command: str) -> str:
    return f"`{command}`"


def _top(report: Report) -> Iterator[str]:
    yield f"# {escaped(about_line(report))}"
    yield ""
    yield f"**{escaped(report.headline)}**"
    yield ""
    lines = (window_line(report), report.filters, coverage_line(report))
    yield "  \n".join(escaped(line) for line in lines if line)


def _table(report: Report) -> Iterator[str]:
    if not report.listed:
        return
    since = since_heading(report)
    heads = "Level", "Trial", "Title", "Sponsor, condition, phase", "What changed", since
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for trial in report.listed:
        cells = (
            trial.level.value,
            f"[{trial.nct_id}]({trial.url})",
            escaped(short_title(trial.heading)),
            escaped(trial_heading(trial.heading)),
            escaped(trial.what),
            escaped(since_cell(trial, since)) or "-",
        )
        yield f"| {' | '.join(cells)} |"
    if sentence := left_out_sentence(report):
        yield ""
        yield escaped(sentence)


def _folds(report: Report) -> Iterator[str]:
    for line in fold_lines(report):
        yield f"- {escaped(line)}"


def _trial(trial: ReportTrial, report: Report) -> Iterator[str]:
    yield f"## {trial.number}. [{trial.nct_id}]({trial.url}) {escaped(trial.title)}".rstrip()
    if words := trial_heading(trial.heading):
        yield ""
        yield f"*{escaped(words)}*"
    if flags := flags_of_trial(trial, report):
        yield ""
        yield escaped(flags)
    for step in trial.steps:
        if not step.lines:
            continue
        compare = f" · [compare]({step.compare_url})" if step.compare_url else ""
        yield ""
        yield f"### {escaped(step_title(step))}{compare}"
        yield ""
        for line in alike(step.lines):
            yield f"- {_line(line)}"
            for note in line.context:
                yield f"  - *context: {escaped(note.text)}*"
        if step.is_cut:
            yield f"- in full: {_code(step.command)}"
    for sentence in (
        trial_left_out_sentence(trial) if trial.left_out else "",
        aside_sentence(trial) if trial.administrative else "",
    ):
        if sentence:
            yield ""
            yield escaped(sentence)


def _line(line: ReportLine) -> str:
    event = line.stored.event
    values = escaped(line.detail)
    if line.pieces:
        values += f"{': ' if values else ''}{_pieces(line.pieces)}"
    elif not values:
        values = f"{escaped(line.before)} → {escaped(line.after)}"
    tail = "".join(f"; {escaped(part)}" for part in (moves_of(line), same_of(line)) if part)
    return f"**{escaped(event.label)}**: {values}{tail} `[{line.rules}]`"


def _pieces(pieces: tuple[TextPiece, ...]) -> str:
    marked = (_MARKS[piece.mark].format(escaped(piece.text)) + piece.blank for piece in pieces)
    return "".join(marked).rstrip()


def _welcomes(report: Report) -> Iterator[str]:
    if not report.welcomes:
        return
    yield f"## {WELCOME}"
    yield ""
    for one in report.welcomes:
        yield f"- [{one.nct_id}]({one.url}) {escaped(one.title)}: {escaped(one.state)}"
    if sentence := welcomes_left_out_sentence(report):
        yield f"- {escaped(sentence)}"


def _bottom(report: Report) -> Iterator[str]:
    yield "---"
    yield ""
    for sentence in report.sentences:
        yield escaped(sentence.text) + "  "
    for one in report.coverage.failed if report.coverage else ():
        yield f"{one.nct_id}: {escaped(one.reason)}  "
    for line in report.footer:
        yield escaped(line) + "  "
