"""The workflow of the guide keeps its database between runs, and repeats and loses nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import ctsync
from tests.deliver.mailserver import Server, running
from tests.docs.documents import DOCS
from tests.docs.workflow_runner import Before, JobResult, Workflow
from tests.registry_fixtures import make_study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

FILE = DOCS / "guides" / "no-server.yml"
TEXT = FILE.read_text(encoding="utf-8")
BRANCH = "refs/heads/ctsync-database"
TRIAL, OTHER = "NCT03389919", "NCT05935098"
STATUS = "protocolSection.statusModule.overallStatus"
SETTINGS = f"""
[[watches]]
name = "ours"
trials = ["{TRIAL}", "{OTHER}"]
"""
PRIVATE = """
[smtp]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "ctsync@example.org"

[[recipients]]
email = "anna@example.org"
"""


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@dataclass
class Repository:
    """A repository with the workflow, a registry and a mail server."""

    workflow: Workflow
    registry: ReplayRegistry
    server: Server
    folder: Path

    def run(self, *, before: Before | None = None) -> JobResult:
        return self.workflow.run(self.folder, before=before)

    def until(self, name: str) -> JobResult:
        """Run the job, and kill it before a step."""
        return self.run(before=lambda step, _: step != name)

    def change(self, status: str, trial: str = TRIAL) -> None:
        self.registry.catalogue.advance()
        self.registry.catalogue.edit(trial, {STATUS: status})

    def kept(self) -> str:
        return git(self.workflow.remote, "rev-parse", BRANCH)

    def kept_changes(self) -> Counter[str]:
        """Check the kept database, and count its status changes by their summary."""
        file = self.folder / "kept.db"
        file.unlink(missing_ok=True)
        with file.open("wb") as stream:
            subprocess.run(
                ["git", "cat-file", "blob", f"{BRANCH}:ctsync.db"],
                cwd=self.workflow.remote, stdout=stream, check=True,
            )  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "ctsync", "--database", f"sqlite:///{file}", "check"], check=True
        )
        with ctsync.open(f"sqlite:///{file}") as db:
            return Counter(row.summary for row in db.changes(kind="status"))


@pytest.fixture
def repository(tmp_path: Path, wheels: Path) -> Iterator[Repository]:
    if shutil.which("git") is None:
        pytest.skip("needs git")
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    (clone / "ctsync.toml").write_text(SETTINGS)
    (clone / ".github" / "workflows").mkdir(parents=True)
    shutil.copy(FILE, clone / ".github" / "workflows" / "ctsync.yml")
    git(clone, "checkout", "--quiet", "-b", "main")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "Follow our trials")
    git(clone, "push", "--quiet", "origin", "main")
    installed = tmp_path / "installed"
    with ReplayRegistry(Catalogue("2026-02-02")) as registry, running() as server:
        for nct_id in (TRIAL, OTHER):
            registry.catalogue.publish(make_study(nct_id))
        env = {
            "PATH": f"{installed / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": str(installed),
            # the step of the workflow installs from this folder, and to that one
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_DEPS": "1",
            "PIP_TARGET": str(installed),
            "PIP_UPGRADE": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "CTSYNC_REGISTRY_URL": registry.url,
            "CTSYNC_REGISTRY__RETRY_SECONDS": "0",
            "CTSYNC_REGISTRY__REQUESTS_PER_SECOND": "10",
        }
        secrets = {"PRIVATE_SETTINGS": PRIVATE.format(port=server.port)}
        yield Repository(Workflow(TEXT, remote, secrets, env), registry, server, tmp_path)


def test_no_two_runs_overlap_and_no_job_may_do_more_than_it_needs() -> None:
    workflow = yaml.safe_load(TEXT)
    assert workflow["concurrency"] == {"group": "ctsync", "cancel-in-progress": False}
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"]
    assert jobs["sync"]["permissions"] == {"contents": "write"}
    assert jobs["publish"]["permissions"] == {"pages": "write", "id-token": "write"}


def test_the_database_is_kept_by_the_same_steps_before_and_after_messages_are_sent() -> None:
    listed = yaml.safe_load(TEXT)["jobs"]["sync"]["steps"]
    steps = {one["name"]: one for one in listed if "name" in one}
    names = list(steps)
    assert steps["Keep the database"]["run"] == steps["Keep what was sent"]["run"]
    assert names.index("Sync") < names.index("Keep the database")
    assert names.index("Keep the database") < names.index("Send mail and messages")
    written = steps["Write the site"]["run"].split()[-1]
    assert steps["Hand the site over"]["with"]["path"] == written


@pytest.mark.slow
def test_runs_in_a_row_report_each_change_once(repository: Repository) -> None:
    first = repository.run()
    assert first.is_success, first.output
    assert (repository.folder / "installed" / "bin" / "ctsync").is_file()
    welcomes = len(repository.server.mails)

    again = repository.run()
    assert again.is_success, again.output
    assert "already up to date" in again.output
    assert len(repository.server.mails) == welcomes == 1

    repository.change("TERMINATED")
    changed = repository.run()
    assert changed.is_success, changed.output
    summary = (changed.workspace.parent / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("# ctsync report: all watches")
    quiet = repository.run()
    _, digest = repository.server.mails
    assert TRIAL in digest["Subject"]
    kept = repository.kept_changes()
    assert set(kept.values()) == {1}
    page = (quiet.workspace / "site" / "trials" / f"{TRIAL}.html").read_text(encoding="utf-8")
    assert "Terminated" in page
    assert git(repository.workflow.remote, "rev-list", "--count", BRANCH) == "1"
    print(
        f"no server: {len(repository.workflow.runs)} runs, 1 change, "
        f"{len(repository.server.mails) - welcomes} mail about it, 0 repeated, "
        f"{sum(1 for _ in (quiet.workspace / 'site').rglob('*.html'))} pages"
    )


@pytest.mark.slow
def test_a_killed_run_loses_nothing_and_repeats_only_the_same_message(
    repository: Repository,
) -> None:
    assert repository.run().is_success
    repository.server.mails.clear()

    repository.change("TERMINATED")
    before = repository.kept()
    repository.until("Keep the database")
    assert repository.kept() == before
    assert repository.server.mails == []
    repository.until("Send mail and messages")
    assert repository.kept() != before
    assert repository.server.mails == []
    repository.until("Keep what was sent")
    assert len(repository.server.mails) == 1
    assert repository.run().is_success
    assert repository.run().is_success
    ids = [mail["Message-ID"] for mail in repository.server.mails]
    assert set(repository.kept_changes().values()) == {1}
    print(f"no server: killed at 3 steps, {len(ids)} mails with {len(set(ids))} Message-ID, 0 lost")
    assert 1 <= len(ids) <= 2
    assert len(set(ids)) == 1


@pytest.mark.slow
def test_of_two_runs_at_once_one_keeps_its_database_and_the_other_sends_nothing(
    repository: Repository,
) -> None:
    assert repository.run().is_success
    repository.server.mails.clear()
    repository.change("TERMINATED")

    def overtake(step: str, _: Path) -> bool:
        if step == "Keep the database":
            assert repository.run().is_success
        return True

    late = repository.run(before=overtake)
    assert late.outcomes["Keep the database"] == "failure"
    assert late.outcomes["Send mail and messages"] == "skipped"
    assert late.outcomes["Write the site"] == "skipped"
    assert len(repository.server.mails) == 1
    assert repository.run().is_success
    assert set(repository.kept_changes().values()) == {1}
    print(f"no server: 2 runs at once, {len(repository.server.mails)} mail, 1 push refused")


@pytest.mark.slow
def test_a_remote_that_does_not_answer_never_replaces_the_database(repository: Repository) -> None:
    assert repository.run().is_success
    before = repository.kept()

    def break_remote(step: str, workspace: Path) -> bool:
        is_broken = step == "Restore the database"
        address = "file:///nowhere" if is_broken else repository.workflow.remote.as_uri()
        git(workspace, "remote", "set-url", "origin", address)
        return True

    broken = repository.run(before=break_remote)
    assert broken.outcomes["Restore the database"] == "failure"
    assert broken.outcomes["Sync"] == "skipped"
    assert broken.outcomes["Keep the database"] == "skipped"
    assert repository.kept() == before


@pytest.mark.slow
def test_an_incomplete_sync_is_kept_and_published_and_fails_the_run(repository: Repository) -> None:
    assert repository.run().is_success
    repository.change("TERMINATED")
    repository.workflow.secrets["PRIVATE_SETTINGS"] += (
        '\n[[watches]]\nname = "unknown"\norg_ids = ["NO-SUCH-STUDY"]\n'
    )
    partial = repository.run()
    assert partial.outcomes["Sync"] == "failure"
    for step in ("Keep the database", "Send mail and messages", "Hand the site over"):
        assert partial.outcomes[step] == "success"
    assert len(repository.server.mails) == 2
    assert set(repository.kept_changes().values()) == {1}
