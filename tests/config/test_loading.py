"""The settings of commands that only read are those of all commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ctsync.config.loading import ReaderSettings, load, load_for_reading
from ctsync.errors import ConfigError

FILES = {
    "nothing": "",
    "a path beside the file": '[database]\nurl = "sqlite:///data/trials.db"\n',
    "blanks around the URL": '[database]\nurl = " sqlite:////tmp/trials.db "\n',
    "a server": '[database]\nurl = "postgres://me@host/trials"\n',
    "a secret URL": '[database]\nurl = "env:TRIALS"\n',
    "no context": "[reports]\ncontext = false\n",
    "a word for no": '[reports]\ncontext = "no"\n',
    "other sections": '[registry]\nburst = 2\n[[watches]]\nname = "a"\ntrials = ["NCT00000102"]\n',
}
VARIABLES: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "short": {"CTSYNC_DATABASE_URL": "sqlite:////srv/short.db"},
    "long": {"CTSYNC_DATABASE__URL": "sqlite:////srv/long.db"},
    "both": {
        "CTSYNC_DATABASE_URL": "sqlite:////srv/short.db",
        "CTSYNC_DATABASE__URL": "sqlite:////srv/long.db",
    },
    "small letters": {"ctsync_database__url": "sqlite:////srv/small.db"},
    "another section": {"CTSYNC_REGISTRY__BURST": "2", "CTSYNC_CORPUS": "elsewhere"},
    "context": {"CTSYNC_REPORTS__CONTEXT": "false"},
    "a section as JSON": {"CTSYNC_REPORTS": '{"context": false}'},
}
WRONG = {
    "no TOML": "[database\n",
    "an unknown section": '[databse]\nurl = "sqlite:///a.db"\n',
    "an unknown key": '[database]\nadress = "sqlite:///a.db"\n',
    "no URL": '[database]\nurl = "trials.db"\n',
    "a number for a URL": "[database]\nurl = 5\n",
    "a section that is a word": 'reports = "no"\n',
    "a password in the file": '[database]\nurl = "postgresql://me:secret@host/trials"\n',
    "a variable that is not set": '[database]\nurl = "env:NO_SUCH_VARIABLE"\n',
}


def _file(folder: Path, text: str) -> Path:
    path = folder / "ctsync.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
@pytest.mark.parametrize("option", [None, "sqlite:////srv/option.db"])
def test_a_reader_has_the_settings_of_every_command(
    text: str, variables: Mapping[str, str], option: str | None, tmp_path: Path
) -> None:
    path, env = _file(tmp_path, text), {"TRIALS": "sqlite:////srv/secret.db", **variables}
    settings = load(path, env=env, database_url=option, need_secrets=False)
    assert load_for_reading(path, env=env, database_url=option) == ReaderSettings(
        settings.database.url, settings.reports.context
    )


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_reader_reports_what_is_wrong_as_every_command_does(text: str, tmp_path: Path) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError) as wanted:
        load(path, env={}, need_secrets=False)
    with pytest.raises(ConfigError) as found:
        load_for_reading(path, env={})
    assert found.value.problems == wanted.value.problems


def test_a_misspelt_variable_is_reported(tmp_path: Path) -> None:
    path, env = _file(tmp_path, ""), {"CTSYNC_DATABSE__URL": "sqlite:///a.db"}
    with pytest.raises(ConfigError, match="CTSYNC_DATABSE__URL"):
        load_for_reading(path, env=env)


def test_a_wrong_mail_server_stops_no_reader(tmp_path: Path) -> None:
    path = _file(tmp_path, '[database]\nurl = "sqlite:////srv/a.db"\n[smtp]\nport = 0\n')
    assert load_for_reading(path, env={}).database_url == "sqlite:////srv/a.db"
    with pytest.raises(ConfigError, match=r"smtp\.port"):
        load(path, env={}, need_secrets=False)
