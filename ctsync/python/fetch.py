"""One trial fetched from the registry, without a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctsync.config.loading import load
from ctsync.config.settings import RegistrySettings
from ctsync.dates import SystemClock
from ctsync.errors import BadAnswer, CtsyncError, UnknownTrial, UnknownVersion
from ctsync.model import STUDY_PAGE, Absent, Failed, NctId, Observation, Record
from ctsync.python import arguments
from ctsync.python.arguments import PathText
from ctsync.python.connections import polite
from ctsync.python.rows import Rows
from ctsync.python.trial_record import TrialRecord
from ctsync.questions.results.registry_rows import ListedVersionRow
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.history_form.normalize import HistoryForm, readable
from ctsync.registry.connection import connected_history
from ctsync.registry.record_history import RegistryHistory


def fetch(nct: str, *, config: PathText | None = None) -> FetchedTrial:
    """Fetch a trial from ClinicalTrials.gov; stores nothing and needs no database.

    `nct` is an NCT id in any spelling, or the URL of the trial's page. Sends two requests. All
    requests of a process share the rate limit of the settings, one per second by default.

        >>> trial = ctsync.fetch("NCT03389919")
        >>> trial.record.value("overall status")
        'RECRUITING'

    Raises UnknownTrial if the registry has no such trial, and RegistryError if it cannot be
    fetched.
    """
    wanted = arguments.trial(nct)
    settings = load(Path(config) if config else None, need_secrets=False).registry
    # nothing is stored, so data dated ahead of this clock do no harm
    with polite(settings, accept_load=True) as registry:
        answer = registry.study(wanted, registry.version())
    match answer:
        case Observation():
            return FetchedTrial(answer, settings)
        case Absent():
            raise UnknownTrial(f"the registry has no trial {wanted}")
        case Failed(error=CtsyncError() as error):
            raise error
        case Failed(error=error):
            raise BadAnswer(str(error))


class FetchedTrial:
    """A trial as the registry showed it; `ctsync.fetch` returns it.

    `record` is its record. A trial that was merged into another one has the NCT id of the other.
    """

    def __init__(self, seen: Observation, settings: RegistrySettings) -> None:
        self._settings = settings
        self.nct_id: NctId = seen.nct_id
        found = canonicalize(seen.study)
        posted = key_fields(found.body).posted
        self.record = TrialRecord(
            nct_id=seen.nct_id,
            version=None,
            registry_version=None,
            posted=posted,
            fetched=seen.fetched_at,
            digest=found.digest,
            body=found.body,
        )

    def __repr__(self) -> str:
        return f"<ctsync.FetchedTrial {self.nct_id}>"

    def versions(self) -> Rows[ListedVersionRow]:
        """List the versions of the registry history, oldest first. Sends one request.

        Raises UnknownVersion if the registry keeps no history of the trial.
        """
        with self._history() as history:
            index = history.index(self.nct_id)
        if not index:
            raise UnknownVersion(f"the registry history has no versions of {self.nct_id}")
        rows = [
            ListedVersionRow(
                nct_id=self.nct_id,
                registry_version=entry.number,
                submitted=entry.date,
                status=entry.status,
                modules=tuple(sorted(entry.modules)),
                url=f"{STUDY_PAGE}{self.nct_id}?tab=history&a={entry.number + 1}",
            )
            for entry in index
        ]
        return Rows(ListedVersionRow, rows)

    def version(self, registry_version: int) -> TrialRecord:
        """Fetch the record of one version by the registry's number. Sends one request."""
        with self._history() as history:
            study = history.version(self.nct_id, registry_version)
        found: Record = readable(canonicalize(study), HistoryForm.HTML)
        return TrialRecord(
            nct_id=self.nct_id,
            version=None,
            registry_version=registry_version,
            posted=key_fields(found.body).posted,
            fetched=SystemClock().now(),
            digest=found.digest,
            body=found.body,
        )

    @contextmanager
    def _history(self) -> Iterator[RegistryHistory]:
        with (
            polite(self._settings, accept_load=True) as registry,
            connected_history(registry, self._settings) as history,
        ):
            yield history
