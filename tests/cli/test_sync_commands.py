"""Mirror as a user runs it; the daemon and the demo up to where they start other processes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import orjson

from ctsync.model import NctId
from tests.cli.conftest import SEED, Shell
from tests.registry.lying_archives import lie_of_a_member, lie_of_the_end
from tests.registry_fixtures import make_study
from tests.replay.registry_server import ReplayRegistry


def test_mirror_loads_the_registry_once_and_then_fetches_what_changed(
    shell: Shell, registry: ReplayRegistry
) -> None:
    first = shell.json("mirror", "--json")
    assert (first["verdict"], first["new"], first["watched"]) == ("ok", 2, None)
    registry.catalogue.advance()
    posted = {"date": "2026-02-03", "type": "ACTUAL"}
    registry.catalogue.publish(make_study("NCT00000011", lastUpdatePostDateStruct=posted))
    result = shell.run("mirror")
    assert "1 new, 0 changed, 0 gone" in result.stderr
    assert result.stdout == ""
    assert shell.json("status", "--json")["stored"]["trials"] == 3


def test_mirror_syncs_the_watched_trials_too(shell: Shell) -> None:
    shell.run("watch", "add", SEED)
    mirrored = shell.json("mirror", "--json")
    assert mirrored["watched"]["verdict"] == "ok"
    assert shell.json("history", SEED, "--json")[0]["version"] == 1


def test_mirror_refuses_an_archive_that_is_not_a_zip_file(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "studies.zip").write_text("<html>not found</html>")
    line = shell.refuse("mirror", "--bulk", "studies.zip", exit_code=4)
    assert "zip" in line


def test_mirror_names_a_member_and_an_archive_with_wrong_sizes(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "bulk.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for nct_id in (NctId(SEED), NctId("NCT05935098")):
            archive.writestr(
                f"{nct_id}.json", orjson.dumps(registry.catalogue.view().study(nct_id))
            )
    sound = file.read_bytes()
    file.write_bytes(lie_of_the_end(sound, locator=2**63))
    assert "bulk.zip" in shell.refuse("mirror", "--bulk", "bulk.zip", exit_code=4)
    file.write_bytes(lie_of_a_member(sound, 1, packed=2**63))
    shell.env["CTSYNC_REGISTRY_URL"] = "http://127.0.0.1:1/api"
    result = shell.run("mirror", "--bulk", "bulk.zip", exit_code=3)
    assert "NCT05935098" in result.stderr
    assert shell.json("history", SEED, "--json")[0]["version"] == 1


def test_the_daemon_ends_at_once_if_its_database_cannot_be_opened(
    shell: Shell, tmp_path: Path
) -> None:
    shell.env["CTSYNC_DATABASE_URL"] = f"sqlite:///{tmp_path}"
    line = shell.refuse("daemon", exit_code=6)
    assert str(tmp_path) in line


def test_the_demo_refuses_a_folder_that_holds_an_earlier_one(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "demo.db").touch()
    line = shell.refuse("demo", "--folder", "demo", exit_code=1)
    assert "specify an empty folder with --folder" in line
    assert (folder / "demo.db").stat().st_size == 0
