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
from ctsync.questions.trial.versions import TrialVersions, trial_versions
from ctsync.record.enum_words import enum_words
from ctsync.record.fields.table import field_at, field_of
from ctsync.record.value_text import counted, typed, typed_date
from ctsync.report.trial.field_history import ValueSpell, words_of
from ctsync.report.trial.version_words import what_changed
from ctsync.store.data.history_versions import HistoryState
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
@click.option("--substantive", is_flag=True, help="Hide versions with only administrative changes.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array, oldest first.")
@pass_app
def history(app: App, *, trial: NctId, name: str | None, substantive: bool, as_json: bool) -> None:
    """List the stored versions of a trial, and what each changed.

    DATE is the day on which the registry posted the version, SEEN the data refresh in which ctsync
    saw it. WHAT CHANGED has the worst change first. `ctsync diff` compares two versions.

    With --field: list every value of one field, since when and for how long.
    """
    if substantive and name is not None:
        raise UsageError("--substantive lists versions: use it without --field")
    with app.store() as store:
        if name is not None:
            _show_field(app, store, stored_versions(store, trial), name, as_json=as_json)
            return
        found = trial_versions(store, trial, substantive=substantive)
    if as_json:
        show_json(found.rows)
        _tell_hidden(found)
        return
    tell(for_terminal(f"{trial}  {found.versions[-1].key.brief_title or ''}".rstrip()))
    show_table(
        HEADINGS,
        [_history_row(version, found.steps.get(version.version, ())) for version in found.versions],
        drop=("SEEN", "PRIMARY COMPLETION", "ENROLLMENT"),
        least=LEAST_WHAT,
    )
    if any(version.registry_version is not None for version in found.versions):
        tell("VERSION: ctsync's number, and the registry's own (from v0)")
    _tell_hidden(found)
    tell(for_terminal(_past_sentence(found.history, trial, app.clock.now())))


def _tell_hidden(found: TrialVersions) -> None:
    if found.hidden:
        verb = "is" if found.hidden == 1 else "are"
        versions = counted(found.hidden, "version")
        tell(f"{versions} with only administrative changes {verb} hidden")


def _past_sentence(past: HistoryState | None, trial: NctId, now: datetime) -> str:
    """Return how much of the registry history is stored, and how to fetch the rest."""
    if past is None:
        return f"versions before the first sync are not stored; fetch them: ctsync backfill {trial}"
    asked = f"as of {mark_future(past.asked, now, f'{past.asked:%Y-%m-%d}')}"
    if past.state == "none":
        return f"the registry's own history has no versions of it, {asked}"
    if past.state == "complete":
        return f"all {past.listed} versions of the registry's own history, {asked}"
    following = past.next_try(now)
    again = f"; next try {format_minute(following)}" if following else ""
    return f"history {past.state}: versions may be missing, {asked}{again}"


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


def _spell_row(spell: ValueSpell, words: str) -> tuple[str, ...]:
    one = spell.from_version == spell.to_version
    return (
        str(spell.from_version) if one else f"{spell.from_version}-{spell.to_version}",
        str(spell.since),
        "-" if spell.is_open else str(spell.until),
        f"{spell.days:,}",
        shorten(words, MOST_CHARACTERS),
    )
