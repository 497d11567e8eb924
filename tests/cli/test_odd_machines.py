"""No home, folders that may not be read, a user without a passwd entry, a read-only root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ctsync.config.paths import default_database_url, find_config
from ctsync.errors import ConfigError
from ctsync.files import expanded, is_link, is_visible
from tests.unprivileged import Container, container

# environment, folder, arguments; exit code, and what the line on stderr says
CALLS = {
    "no home and no settings": ({}, "data", "status", 2, "database.url: there is no home"),
    "no home, but a database": ({"CTSYNC_DATABASE_URL": "{db}"}, "data", "db upgrade", 0, ""),
    "a closed home": ({"HOME": "{closed}", "CTSYNC_DATABASE_URL": "{db}"}, "data",
                      "db upgrade", 0, ""),
    "closed XDG folders": ({"HOME": "{data}", "XDG_CONFIG_HOME": "{closed}",
                            "CTSYNC_DATABASE_URL": "{db}"}, "data", "db upgrade", 0, ""),
    "a closed working folder": ({"HOME": "{data}"}, "closed", "db upgrade", 0, ""),
    "a closed data folder": ({"HOME": "{closed}"}, "data", "status", 6,
                             "{closed}/.local/share/ctsync/ctsync.db cannot be read"),
    "a closed settings file": ({"CTSYNC_CONFIG": "{closed}/x.toml"}, "data", "status", 2,
                               "CTSYNC_CONFIG: {closed}/x.toml cannot be read"),
    "a closed named file": ({}, "data", "--config {closed}/x.toml status", 2,
                            "--config: {closed}/x.toml cannot be read"),
    "a ~ without a home": ({}, "data", "--config ~/x.toml status", 2, "there is no home"),
    "a ~ in the database": ({}, "data", "--database sqlite:///~/x.db status", 2,
                            "there is no home"),
    "a closed database": ({}, "data", "--database sqlite:///{closed}/x.db sync", 6,
                          "{closed}/x.db cannot be read"),
    "a closed import": ({"CTSYNC_DATABASE_URL": "{db}"}, "data", "import {closed}/x.jsonl", 2,
                        "cannot read {closed}/x.jsonl"),
    "a closed list": ({"CTSYNC_DATABASE_URL": "{db}"}, "data", "watch add --file {closed}/x", 2,
                      "cannot read {closed}/x"),
    "a closed archive": ({"CTSYNC_DATABASE_URL": "{db}"}, "data", "mirror --bulk {closed}/x", 2,
                         "{closed}/x"),
    "a closed backup": ({"HOME": "{data}"}, "data", "backup {closed}/x.db", 6,
                        "{closed}/x.db cannot be written"),
    "a closed report": ({"HOME": "{data}"}, "data", "report --output {closed}/x", 2,
                        "cannot write {closed}/x"),
    "init in a closed folder": ({"HOME": "{data}"}, "closed", "init", 2,
                                "cannot write ctsync.toml"),
    "no folder for temporary files": ({"CTSYNC_DATABASE_URL": "{db}"}, "closed", "demo", 2,
                                      "set TMPDIR"),
}  # fmt: skip


@pytest.fixture(scope="module")
def box() -> Iterator[Container]:
    with container() as made:
        created = made.run("db", "upgrade", env={"HOME": str(made.data)})
        assert created.returncode == 0, created.stderr
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_another_user_gets_a_result_or_one_line(box: Container, name: str) -> None:
    env, folder, words, code, said = CALLS[name]
    places = {
        "closed": str(box.closed),
        "data": str(box.data),
        "db": f"sqlite:///{box.data}/ctsync.db",
    }
    done = box.run(
        *(word.format(**places) for word in words.split()),
        env={key: value.format(**places) for key, value in env.items()}
        | {"CTSYNC_REGISTRY_URL": "http://127.0.0.1:9", "CTSYNC_REGISTRY__RETRY_SECONDS": "0"},
        folder=box.room / folder,
    )
    assert done.returncode == code, done.stderr
    assert said.format(**places) in done.stderr
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr


# --- the same in one process, as any user --------------------------------------------------------


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> str:
        return path

    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", fail)


def test_without_a_home_there_is_no_default_database(no_home: None) -> None:
    with pytest.raises(ConfigError, match="there is no home directory"):
        default_database_url()


def test_without_a_home_only_the_working_folder_is_searched(
    no_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(None, {}) is None
    (tmp_path / "ctsync.toml").touch()
    assert find_config(None, {}) == Path("ctsync.toml")


def test_a_path_with_a_tilde_needs_a_home(no_home: None) -> None:
    with pytest.raises(ConfigError, match=r"~/x\.db: there is no home directory"):
        expanded(Path("~/x.db"))


def test_a_path_without_access_is_not_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "is_symlink", refuse)
    assert not is_visible(Path("/closed/file"))
    assert not is_link(Path("/closed/file"))
    with pytest.raises(ConfigError, match="--config: /closed/file cannot be read"):
        find_config(Path("/closed/file"), {})
    assert find_config(None, {"HOME": "/closed"}) is None
