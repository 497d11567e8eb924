"""Fixtures: the world in which the commands of a page run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import time_machine

from ctsync.demo.story import records
from ctsync.model import JsonObject
from tests.deliver.mailserver import make_certificate, running
from tests.docs.document_shell import DocumentShell
from tests.docs.documents import ROOT
from tests.record.registry_html import as_html
from tests.registry_fixtures import make_study
from tests.replay.bulk_download import download
from tests.replay.catalogue import Catalogue
from tests.replay.http_messages import Request
from tests.replay.registry_server import ReplayRegistry

TRIAL = "NCT03389919"
FIRST_DAY, NEXT_DAY = "2026-02-02", "2026-02-03"
MARKDOWN = {
    "protocolSection.descriptionModule.briefSummary",
    "protocolSection.descriptionModule.detailedDescription",
    "protocolSection.eligibilityModule.eligibilityCriteria",
}
"""The fields of the trial that are Markdown in the API, and HTML in the registry history."""
SEARCHES = {
    "GVHD": ["RECRUITING", "COMPLETED"],
    "Graft Failure": ["RECRUITING"],
    "Aplastic Anemia": ["RECRUITING"],
}
"""The conditions that pages search for, with the statuses of the trials about each."""


def made_catalogue() -> Catalogue:
    """Return the trials that the pages name, on two days; on the second some have changed."""
    catalogue = Catalogue(FIRST_DAY)
    real = {path.stem: orjson.loads(path.read_bytes()) for path in (records() / TRIAL).iterdir()}
    oldest, *_, newest = (real[day] for day in sorted(real))
    catalogue.publish(newest)
    catalogue.set_history(TRIAL, [in_history(study) for study in (oldest, newest)])
    catalogue.publish(make_study("NCT05935098"))
    number = 0
    for condition, statuses in SEARCHES.items():
        for status in statuses:
            number += 1
            catalogue.publish(made_study(number, condition, status))
    catalogue.publish(_updated(newest, NEXT_DAY), load=NEXT_DAY)
    catalogue.publish(made_study(1, "GVHD", "COMPLETED", posted=NEXT_DAY), load=NEXT_DAY)
    return catalogue


def in_history(study: JsonObject) -> JsonObject:
    """Return a version in the form of the registry history."""
    shown: JsonObject = as_html(study, MARKDOWN)
    return {key: value for key, value in shown.items() if key != "derivedSection"}


def made_study(number: int, condition: str, status: str, posted: str = "2026-01-13") -> JsonObject:
    """Return a trial about a condition that the sponsor of the pages leads."""
    return make_study(
        f"NCT9{number:07d}",
        overallStatus=status,
        lastUpdatePostDateStruct={"date": posted, "type": "ACTUAL"},
        conditionsModule={"conditions": [condition]},
        sponsorCollaboratorsModule={"leadSponsor": {"name": "Acme Pharma", "class": "INDUSTRY"}},
        designModule={
            "studyType": "INTERVENTIONAL",
            "phases": ["PHASE3"],
            "enrollmentInfo": {"count": 200, "type": "ESTIMATED"},
        },
    )


def _updated(study: JsonObject, day: str) -> JsonObject:
    """Return a trial after an update that moved its completion."""
    protocol = study["protocolSection"]
    status = {
        **protocol["statusModule"],
        "completionDateStruct": {"date": "2024-12-31", "type": "ACTUAL"},
        "lastUpdateSubmitDate": day,
        "lastUpdatePostDateStruct": {"date": day, "type": "ACTUAL"},
    }
    return {**study, "protocolSection": {**protocol, "statusModule": status}}


class World:
    """The registry, the clock and the servers of one page.

    `mail_server` holds the variables that put a mail server on this machine in the place of that
    of a settings file.
    """

    def __init__(self, shell: DocumentShell, registry: ReplayRegistry) -> None:
        self.shell = shell
        self.registry = registry
        self.mail_server: dict[str, str] = {}
        self.clock: Any = time_machine.travel(_afternoon(registry.load), tick=True)

    def write(self, name: str, text: str, *, add: bool) -> None:
        """Write a file that a page shows, or add to it."""
        if "[smtp]" in text:
            self.shell.env |= self.mail_server
        file_path = self.shell.folder / name
        file_path.parent.mkdir(parents=True, exist_ok=True)
        with file_path.open("a" if add else "w", encoding="utf-8") as file:
            file.write(self.shell.local(text))

    def next_day(self) -> None:
        """Move the registry and the clock to the next day."""
        self.registry.load = NEXT_DAY
        self.clock.stop()
        self.clock = time_machine.travel(_afternoon(self.registry.load), tick=True)
        self.clock.start()

    def stop(self) -> None:
        """Give the clock back."""
        self.clock.stop()


def _afternoon(load: datetime) -> datetime:
    return load.astimezone(UTC) + timedelta(hours=6)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of ctsync, as an index that needs no network."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], World]]:
    """Return a function that makes the world of a page from its text."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    with ExitStack() as servers:
        registry = servers.enter_context(ReplayRegistry(made_catalogue()))
        archive = download(registry.catalogue.view(), Request("GET", "", {"format": "json.zip"}))
        (home / "ctg-studies.json.zip").write_bytes(archive.body)

        def made(page: str) -> World:
            shell = DocumentShell(home, environment(tmp_path, registry))
            shell.stand_ins = stand_ins(tmp_path, registry)
            found = World(shell, registry)
            if "[smtp]" in page:
                certificate = make_certificate(tmp_path, "127.0.0.1")
                mail = servers.enter_context(
                    running(tls_context=certificate.context(), auth_required=True)
                )
                found.mail_server = {
                    "CTSYNC_SMTP__HOST": "127.0.0.1",
                    "CTSYNC_SMTP__PORT": str(mail.port),
                    "CTSYNC_SMTP__CA_FILE": str(certificate.file),
                }
            if "postgresql+psycopg" in page:
                server = request.getfixturevalue("postgres")
                shell.stand_ins = {
                    f"{TEAM}/ctsync_team": server.new_database(),
                    f"{TEAM}/ctsync": server.new_database(),
                    **shell.stand_ins,
                }
            found.clock.start()
            servers.callback(found.stop)
            return found

        yield made


TEAM = "postgresql+psycopg://ctsync@db.example.org"


def environment(folder: Path, registry: ReplayRegistry) -> dict[str, str | None]:
    """Return the environment of a reader who has just installed ctsync."""
    return {
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "CTSYNC_CONFIG": None,
        "CTSYNC_DATABASE_URL": None,
        "CTSYNC_REGISTRY_URL": registry.url,
        "CTSYNC_REGISTRY__REQUESTS_PER_SECOND": "10",
        "CTSYNC_REGISTRY__BURST": "20",
        "CTSYNC_REGISTRY__RETRY_SECONDS": "0",
        "CTSYNC_MIRROR__PROCESSES": "0",
    }


def stand_ins(folder: Path, registry: ReplayRegistry) -> dict[str, str]:
    """Return what stands for the folders and servers of a reader; makes the folders."""
    folders = ["/var/lib/ctsync", "/srv/backup", "/srv/www", "/srv/trials"]
    for name in folders:
        (folder / name.strip("/")).mkdir(parents=True)
    return {
        **{name: str(folder / name.strip("/")) for name in folders},
        "https://hc-ping.com/your-id": f"{registry.url}/v2/version",
    }
