"""`history`: list the versions of a trial, or every value that one of its fields had."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import TrialParam
from ctsync.cli.terminal_table import show_table
from ctsync.dates import format_minute
from ctsync.errors import UsageError
from ctsync.model import Event, Kind, NctId, StoredEvent, Version
from ctsync.questions.trial.field_history import field_history
from ctsync.questions.trial.stored_records import stored_versions
from ctsync.questions.trial.versions import TrialVersions, trial_versions
from ctsync.record.enum_words import enum_words
from ctsync.record.fields.table import field_at, field_of
from ctsync.record.value_text import counted
from ctsync.report.trial.field_history import ValueSpell, words_of
from ctsync.report.words.event_text import is_overall_status
from ctsync.store.data.history_versions import HistoryState
from ctsync.store.store import Store
from ctsync.text import for_terminal, shorten

MOST_CHARACTERS = 400


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
        ("V", "POSTED", "SEEN", "STATUS", "N", "PRIMARY C.", "CHANGED"),
        [_history_row(version, found.steps.get(version.version, ())) for version in found.versions],
    )
    tell("V: ctsync's version, and the registry's (from v0); N: enrollment, E estimated, A actual")
    _tell_hidden(found)
    tell(for_terminal(_past_sentence(found.history, trial)))


def _tell_hidden(found: TrialVersions) -> None:
    if found.hidden:
        verb = "is" if found.hidden == 1 else "are"
        versions = counted(found.hidden, "version")
        tell(f"{versions} with only administrative changes {verb} hidden")


def _past_sentence(past: HistoryState | None, trial: NctId) -> str:
    """Say how much of the registry history is stored, and how to fetch the rest."""
    if past is None:
        return f"versions before the first sync are not stored; fetch them: ctsync backfill {trial}"
    if past.state == "none":
        return "the registry has no history of it"
    asked = f"as of {past.asked:%Y-%m-%d}"
    if past.state == "complete":
        return f"all {past.listed} versions of the registry's own history, {asked}"
    again = f"; next try {format_minute(past.retry)}" if past.retry else ""
    return f"history {past.state}: versions may be missing, {asked}{again}"


def _history_row(version: Version, step: Sequence[StoredEvent]) -> tuple[str, ...]:
    key = version.key
    named = "" if version.registry_version is None else f" v{version.registry_version}"
    return (
        f"{version.version}{named}",
        version.posted or version.submitted or "-",
        f"{version.observed:%Y-%m-%d}" if version.observed else "-",
        enum_words(key.status or "-") if version.state == "present" else version.state.capitalize(),
        _typed(None if key.enrollment is None else f"{key.enrollment:,}", key.enrollment_type),
        _typed(key.primary_completion_date, key.primary_completion_date_type),
        ", ".join(dict.fromkeys(_changed(stored.event) for stored in step)) or "-",
    )


def _changed(event: Event) -> str:
    """Name what changed in words; the overall status alone is the status."""
    is_other_status = event.kind is Kind.STATUS and not is_overall_status(event)
    if is_other_status or event.kind is Kind.REGISTERED:  # which may be newly seen only
        return for_terminal(event.label.lower())
    return "first version" if event.kind is Kind.FIRST_SEEN else event.kind.replace("_", " ")


def _typed(value: str | None, kind: str | None) -> str:
    """Add the first letter of its type to a date or count: 2026-10 E."""
    if value is None:
        return "-"
    return f"{value} {kind[:1]}" if kind else value


def _show_field(
    app: App, store: Store, versions: Sequence[Version], name: str, *, as_json: bool
) -> None:
    found = field_history(store, versions, name, until=app.clock.now())
    if as_json:
        show_json(found.rows)
        return
    path, spells = found.path, found.spells
    field = field_at(path)
    told = list(words_of(spells, field=field_of(path)))
    tell(
        for_terminal(
            f"{versions[-1].nct_id}  {field.label}" + (f" ({path})" if field.known else "")
        )
    )
    show_table(
        ("V", "SINCE", "UNTIL", "DAYS", "VALUE"),
        [_spell_row(spell, words) for spell, words in zip(spells, told, strict=True)],
    )
    if any(len(words) > MOST_CHARACTERS for words in told):
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
