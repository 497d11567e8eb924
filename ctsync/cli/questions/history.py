"""`history`: list the versions of a trial, or every value that one of its fields had."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import TrialParam
from ctsync.cli.terminal_table import show_table
from ctsync.dates import format_minute, mark_future
from ctsync.errors import UsageError
from ctsync.model import NctId, State, StoredEvent, Version
from ctsync.questions.trial.field_history import field_history
from ctsync.questions.trial.stored_records import stored_versions
from ctsync.questions.trial.unfetched_versions import (
    how_to_fetch,
    listed_sentence,
    listed_version_row,
    numbers_of,
    unfetched_note,
)
from ctsync.questions.trial.versions import TrialVersions, trial_versions
from ctsync.record.enum_words import enum_words
from ctsync.record.fields.table import field_at, field_of
from ctsync.record.value_text import counted, typed, typed_date
from ctsync.report.trial.course_points import CoursePoint
from ctsync.report.trial.field_history import ValueSpell, words_of
from ctsync.report.trial.version_words import what_changed
from ctsync.store.data.history_versions import LISTED
from ctsync.store.store import Store
from ctsync.text import for_terminal, shorten

MOST_CHARACTERS = 400
BLANK = "-"
HEADINGS = (
    "VERSION",
    "DATE",
    "SEEN",
    "STATUS",
    "ENROLLMENT",
    "PRIMARY COMPLETION",
    "WHAT CHANGED",
)
LEAST_WHAT = 28
"""Least width of the last column; narrower terminals omit the figures, which that column repeats
when they change."""


@click.command()
@click.argument("trial", metavar="NCT", type=TrialParam())
@click.option(
    "--field",
    "name",
    metavar="PATH",
    help="List the values of one field, by its label (primary completion) or its path.",
)
@click.option(
    "--listed",
    "only_listed",
    is_flag=True,
    help="Only versions that the registry lists and that are not fetched.",
)
@click.option("--substantive", is_flag=True, help="Hide versions with only administrative changes.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array, oldest first.")
@pass_app
def history(
    app: App,
    *,
    trial: NctId,
    name: str | None,
    only_listed: bool,
    substantive: bool,
    as_json: bool,
) -> None:
    """List the stored versions of a trial, and what each changed.

    DATE is the day on which the registry posted the version, SEEN the data refresh in which ctsync
    saw it. WHAT CHANGED has the worst change first. `ctsync diff` compares two versions.

    The table also has the versions that the registry lists and that are not fetched (see `ctsync
    backfill --index-only`). Their DATE is the day of submission. --json leaves them out: --listed
    writes them.

    With --field: list every value of one field, since when and for how long.
    """
    if substantive and name is not None:
        raise UsageError("--substantive lists versions: use it without --field")
    if only_listed and (substantive or name is not None):
        raise UsageError("--listed lists versions without records: use it alone or with --json")
    with app.store() as store:
        if name is not None:
            _show_field(app, store, stored_versions(store, trial), name, as_json=as_json)
            return
        found = trial_versions(store, trial, substantive=substantive)
    if only_listed:
        _show_listed(found, as_json=as_json)
        return
    if as_json:
        show_json(found.rows)
        _tell_hidden(found)
        if found.listed:
            tell(unfetched_note(trial, found.listed))
        return
    title = found.versions[-1].key.brief_title if found.versions else ""
    tell(for_terminal(f"{trial}  {title or ''}".rstrip()))
    show_table(
        HEADINGS,
        [_point_row(found, point) for point in found.points],
        drop=("SEEN", "PRIMARY COMPLETION", "ENROLLMENT"),
        least=LEAST_WHAT,
    )
    if any(version.registry_version is not None for version in found.versions):
        tell("VERSION: ctsync's number, and the registry's own (from v0)")
    _tell_hidden(found)
    tell(for_terminal(_past_sentence(found, app.clock.now())))


def _tell_hidden(found: TrialVersions) -> None:
    if found.hidden:
        verb = "is" if found.hidden == 1 else "are"
        versions = counted(found.hidden, "version")
        tell(f"{versions} with only administrative changes {verb} hidden")


def _show_listed(found: TrialVersions, *, as_json: bool) -> None:
    rows = [listed_version_row(one) for one in found.listed]
    if as_json:
        show_json(rows)
        return
    show_table(
        ("VERSION", "SUBMITTED", "STATUS", "MODULES"),
        [
            (
                f"v{row.registry_version}",
                row.submitted,
                enum_words(row.status),
                ", ".join(row.modules) or BLANK,
            )
            for row in rows
        ],
    )
    if rows:
        tell(how_to_fetch(found.nct_id))


def _past_sentence(found: TrialVersions, now: datetime) -> str:
    """Return how much of the registry history is stored, and how to fetch the rest."""
    past, trial = found.history, found.nct_id
    if past is None:
        return f"versions before the first sync are not stored; fetch them: ctsync backfill {trial}"
    asked = f"as of {mark_future(past.asked, now, f'{past.asked:%Y-%m-%d}')}"
    if past.state == "none":
        return f"the registry's own history has no versions of it, {asked}"
    if past.state == "complete":
        return f"all {past.listed} versions of the registry's own history, {asked}"
    missing = f"; {listed_sentence(found.listed)}" if found.listed else ""
    if past.state == LISTED:
        listed = f"the registry lists {counted(past.listed or 0, 'version')}, {asked}"
        return f"{listed}{missing}; {how_to_fetch(trial)}"
    following = past.next_try(now)
    again = f"; next try {format_minute(following)}" if following else ""
    return f"history {past.state}: versions may be missing, {asked}{again}{missing}"


def _point_row(found: TrialVersions, point: CoursePoint) -> tuple[str, ...]:
    if isinstance(point.what, Version):
        return _history_row(point.what, found.steps.get(point.what.version, ()))
    modules = ", ".join(sorted(point.what.modules))
    return (
        f"(v{point.what.number})",
        point.what.submitted,
        BLANK,
        enum_words(point.what.status),
        BLANK,
        BLANK,
        f"listed, not fetched: {modules}" if modules else "listed, not fetched",
    )


def _history_row(version: Version, step: Sequence[StoredEvent]) -> tuple[str, ...]:
    key = version.key
    known = "" if version.registry_version is None else f" (v{version.registry_version})"
    seen = f"{version.observed:%Y-%m-%d}" if version.observed else BLANK
    enrollment = "" if key.enrollment is None else f"{key.enrollment:,}"
    completion = key.primary_completion_date
    figures = (
        typed(enrollment, key.enrollment_type) or BLANK,
        typed_date(completion, key.primary_completion_date_type) if completion else BLANK,
    )
    is_present = version.state is State.PRESENT
    return (
        f"{version.version}{known}",
        version.posted or version.submitted or seen,
        seen,
        enum_words(key.status or BLANK) if is_present else version.state.capitalize(),
        *figures,
        _what(version, step, figures),
    )


def _what(version: Version, step: Sequence[StoredEvent], figures: Sequence[str]) -> str:
    """Return what changed; for the first version, with the figures that later versions change.

    A terminal of 80 columns has no columns for these figures.
    """
    change = what_changed(version, step)
    if version.version > 1:
        return change
    named = zip(("enrollment", "primary completion"), figures, strict=True)
    known = [f"{name} {figure}" for name, figure in named if figure != BLANK]
    return f"{change}: {', '.join(known)}" if known else change


def _show_field(
    app: App, store: Store, versions: Sequence[Version], name: str, *, as_json: bool
) -> None:
    found = field_history(store, versions, name, until=app.clock.now())
    if as_json:
        show_json(found.rows)
        if found.note:
            tell(found.note)
        return
    path, spells = found.path, found.spells
    field = field_at(path)
    texts = list(words_of(spells, field=field_of(path)))
    tell(
        for_terminal(
            f"{versions[-1].nct_id}  {field.label}" + (f" ({path})" if field.known else "")
        )
    )
    show_table(
        ("VERSIONS", "SINCE", "UNTIL", "DAYS", "VALUE"),
        [_spell_row(spell, words) for spell, words in zip(spells, texts, strict=True)],
    )
    if any(len(words) > MOST_CHARACTERS for words in texts):
        tell("long values are cut; in full: --json")
    if found.note:
        tell(found.note)


def _versions_of(spell: ValueSpell) -> str:
    """Return the numbers of a spell: "1-3", or "(v2, v3)" of versions that are only listed."""
    one = spell.from_version == spell.to_version
    stored = f"{spell.from_version}" if one else f"{spell.from_version}-{spell.to_version}"
    listed = f"({numbers_of(spell.listed)})" if spell.listed else ""
    return " ".join(filter(None, (stored if spell.from_version else "", listed)))


def _spell_row(spell: ValueSpell, words: str) -> tuple[str, ...]:
    return (
        _versions_of(spell),
        str(spell.since),
        "-" if spell.is_open else str(spell.until),
        f"{spell.days:,}",
        shorten(words, MOST_CHARACTERS),
    )
