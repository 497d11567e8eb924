"""The state of one trial: its newest version, its flags, and what will happen. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ctsync.model import STUDY_PAGE, NctId, State
from ctsync.questions.portfolio.forecast import ExpectedChangeRow, expected_of_trial
from ctsync.questions.trial.record_facts import read_facts
from ctsync.questions.trial.stored_records import stored_versions
from ctsync.report.rows.flag_row import FlagRow, trial_flag_rows
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class TrialStatusRow:
    """The state of one trial."""

    nct_id: NctId
    """The NCT id of the trial."""
    title: str | None
    """The brief title."""
    status: str | None
    """The overall status in the newest version."""
    state: State
    """Whether the registry shows the trial: present, gone or moved."""
    version: int
    """The number of the newest version in ctsync, from 1."""
    unfetched: int
    """Number of versions that the registry lists and ctsync has not fetched."""
    posted: str | None
    """The date on which the registry posted it."""
    observed: datetime | None
    """The data refresh in which ctsync saw it; null if it came from registry history."""
    watches: tuple[str, ...]
    """The watches that follow the trial."""
    flags: tuple[FlagRow, ...]
    """The flags that are true on the day `flags_as_of`; results due only if none are posted."""
    flags_as_of: date | None
    """The day for which flags were computed: that of the newest registry data."""
    expected: tuple[ExpectedChangeRow, ...]
    """What will happen to the trial if nobody updates its record, soonest first."""
    url: str
    """The page of the trial at the registry."""


def trial_status(store: Store, nct_id: NctId, *, today: date) -> TrialStatusRow:
    """Return the state of a trial; raises UnknownTrial if no version is stored."""
    newest = stored_versions(store, nct_id)[-1]
    facts = read_facts(store, [nct_id], today=today)
    return TrialStatusRow(
        nct_id=nct_id,
        title=newest.key.brief_title,
        status=newest.key.status,
        state=newest.state,
        version=newest.version,
        unfetched=store.listed.unfetched_counts([nct_id]).get(nct_id, 0),
        posted=newest.posted,
        observed=newest.observed,
        watches=store.watches.names_of(nct_id),
        flags=trial_flag_rows(facts.flags.get(nct_id, ())),
        flags_as_of=facts.flagged_on,
        expected=tuple(expected_of_trial(store, nct_id, today)),
        url=STUDY_PAGE + nct_id,
    )


SCHEMAS = {"trial_status": TrialStatusRow}
