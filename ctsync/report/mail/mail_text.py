"""The plain text part of a mail, 76 columns wide without its links. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from ctsync.report.formats.plain_text import WIDTH, render_text, wrap
from ctsync.report.mail.condense import condensed
from ctsync.report.mail.links import trial_page, with_links
from ctsync.report.mail.welcome import ANY_CHANGE, ORDER, heading, more_line
from ctsync.report.report import Report, Welcome
from ctsync.report.sentences import LIST_COMMAND, coverage_line
from ctsync.report.words.trial_heading import cut_at_word
from ctsync.text import for_terminal


def render_mail_text(
    report: Report, *, site: str = "", notes: Sequence[str] = (), opening: str = ANY_CHANGE
) -> str:
    """Write the report for a mail, with the `notes` about the mail itself at its end.

    Links lead to the pages of `site` if it is given. A welcome says with `opening` when the next
    mail comes.
    """
    blocks = [_notes(notes)]
    if report.statuses:
        return _joined([*_welcome(with_links(report, site), site, opening), *blocks])
    linked = with_links(condensed(report), site)
    return render_text(linked, link=partial(trial_page, site=site)) + "\n" + _joined(blocks)


def _joined(blocks: Sequence[Iterator[str]]) -> str:
    texts = ("\n".join(block) for block in blocks)
    return "\n\n".join(text for text in texts if text) + "\n"


def _welcome(report: Report, site: str, opening: str) -> Iterator[Iterator[str]]:
    yield _top(report, opening)
    yield (f"{total.trials:>6,}  {total.status}" for total in report.statuses)
    yield _trials(report, site)
    yield (line for line in [coverage_line(report)] if line)


def _top(report: Report, opening: str) -> Iterator[str]:
    yield from wrap(heading(report))
    yield from wrap(opening)


def _trials(report: Report, site: str) -> Iterator[str]:
    if len(report.welcomes) > 1:
        yield from wrap(ORDER)
    width = max((len(one.status) for one in report.welcomes), default=0)
    for one in report.welcomes:
        yield _line(one, width)
    if more := more_line(report):
        yield f"{more}: {f'{site}/' if site else LIST_COMMAND}"


def _line(one: Welcome, width: int) -> str:
    """Return the line of a trial; its link comes last, because a mail program may break it."""
    start = f"{one.nct_id}  {one.status:<{width}}  "
    title = cut_at_word(for_terminal(one.title), WIDTH - len(start))
    return f"{start + title:<{WIDTH}}  {one.url}"


def _notes(notes: Sequence[str]) -> Iterator[str]:
    for note in notes:
        yield from wrap(note)
