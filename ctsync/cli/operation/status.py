"""`status`: show the last run, the stored data and the state of health, or the state of trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import TrialParam
from ctsync.dates import LOAD_TOLERANCE, format_minute, mark_future
from ctsync.deliver.routes import routes_from
from ctsync.model import NctId, State
from ctsync.questions.operation.status import SHOWN_COUNTS, Status, current_status
from ctsync.record.enum_words import enum_words
from ctsync.record.value_text import counted
from ctsync.store.data.failures import LONGEST_RETRY, Failure
from ctsync.text import for_terminal

if TYPE_CHECKING:
    from ctsync.questions.trial.trial_status import TrialStatusRow


@click.command()
@click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Write the same as JSON.")
@pass_app
def status(app: App, *, trials: Sequence[NctId], as_json: bool) -> None:
    """Show whether all is well, or the state of trials.

    Without a trial it shows the last run and the stored data. For trials it shows the newest
    version, the flags, and what will happen if nobody updates the record.

    Without a trial, the exit code is for monitors: 0 if all is well, 3 if the last sync was
    incomplete or too long ago or a stored time lies in the future, 4 if it failed, 7 if a delivery
    is overdue.
    """
    settings, now = app.settings, app.clock.now()
    if trials:
        _show_trials(app, trials, as_json=as_json)
        return
    # one transaction: on a server, each of 30 others would take three round trips more
    with app.store() as store, store.one_view() as view:
        tables = () if as_json else SHOWN_COUNTS
        found = current_status(view, settings, routes=routes_from(settings), now=now, tables=tables)
    if as_json:
        show_json(found.row)
    else:
        for line in _lines(found):
            click.echo(for_terminal(line))
    for problem in found.unknown_watches:
        tell(for_terminal(problem))
    click.get_current_context().exit(found.health.exit_code)


def _show_trials(app: App, trials: Sequence[NctId], *, as_json: bool) -> None:
    # the questions to trials would take a tenth of the time of `status` without a trial
    from ctsync.questions.trial.trial_status import trial_status  # noqa: PLC0415 - see above

    today = app.clock.now().date()
    with app.store() as store:
        rows = [trial_status(store, nct_id, today=today) for nct_id in dict.fromkeys(trials)]
    if as_json:
        show_json(rows)
        return
    for number, row in enumerate(rows):
        if number:
            click.echo()
        for label, value in _trial_lines(row):
            click.echo(f"{label + ':':<22} {for_terminal(value)}")


def _trial_lines(row: TrialStatusRow) -> Iterator[tuple[str, str]]:
    yield "NCT id", row.nct_id
    yield "Title", row.title or "-"
    shown = row.status and enum_words(row.status)
    yield "Overall status", shown or "-" if row.state is State.PRESENT else row.state.capitalize()
    seen = f", seen {row.observed:%Y-%m-%d}" if row.observed else ""
    yield "Version", f"{row.version}, posted {row.posted or '-'}{seen}"
    if row.unfetched:
        versions = counted(row.unfetched, "version")
        yield "Not fetched", f"{versions} listed by the registry; see: ctsync history {row.nct_id}"
    yield "Watches", ", ".join(row.watches) or "not followed"
    for flag in row.flags:
        yield "Flag", f"{flag.flag}{f' since {flag.since}' if flag.since else ''}: {flag.words}"
    if not row.flags:
        yield "Flag", f"none on {row.flags_as_of}"
    for one in row.expected:
        yield "Expected", f"{one.on} {one.what}: {one.why}"
    yield "Page", row.url


def _lines(found: Status) -> Iterator[str]:
    facts, stored = found.facts, found.stored
    yield f"{found.health.condition}"
    yield from (f"  {reason}" for reason in found.health.reasons)
    for failure in found.failures:
        yield f"  {failure.nct_id}: {failure.error} ({_tries(failure, found.now)})"
    yield from (f"  {notice.line}" for notice in found.notices)
    load, complete = facts.newest_load, facts.last_complete
    shown = mark_future(load, found.now, tolerance=LOAD_TOLERANCE) if load else "none seen"
    yield f"registry data      {shown}"
    yield f"last complete run  {format_minute(complete) if complete else 'none'}"
    yield (
        f"stored             trials {stored['trials']:,}, versions {stored['snapshots']:,}, "
        f"events {stored['events']:,}; watched {facts.watched:,}"
    )
    if found.histories:
        yield f"histories          {_histories(found)}"
    yield f"database           {found.database}"


def _histories(found: Status) -> str:
    # as in _show_trials; needed only if the registry history of a trial was requested
    from ctsync.questions.trial.versions import history_words  # noqa: PLC0415 - see above

    counts = Counter({history_words(state): n for state, n in found.histories.items()})
    counts["not requested"] = found.facts.watched - counts.total()
    line = ", ".join(f"{state} {count:,}" for state, count in counts.items() if count)
    following = found.next_history
    return (
        f"{line}; next try {mark_future(following, found.now + LONGEST_RETRY)}"
        if following
        else line
    )


def _tries(failure: Failure, now: datetime) -> str:
    until = failure.held_until(now)
    following = f"after {format_minute(until)}" if until else "with the next sync"
    since = mark_future(failure.first_at, now)
    return f"{counted(failure.attempts, 'attempt')} since {since}, next {following}"
