"""Settings: the shipped file, their sources, all problems at once, database URLs and secrets."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import fields

from ctsync.config.loading import load, read_settings
from ctsync.config.paths import default_config_text, default_database_url
from ctsync.config.secrets import HIDDEN_KEYS, SECRET_KEYS
from ctsync.config.settings import Settings, SmtpSettings
from ctsync.config.value_reader import SettingsSection
from ctsync.config.values import Secret
from ctsync.errors import ConfigError
from ctsync.record.rules.rules import Thresholds

CANARY = "canary-4f1d2c"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the config file and environment of the user who runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_config(text: str, name: str = "ctsync.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_config


def problems(path: Path | None = None, **kwargs) -> list[str]:
    kwargs.setdefault("env", {})
    with pytest.raises(ConfigError) as caught:
        load(path, **kwargs)
    found: list[str] = caught.value.problems
    assert all(problem.isprintable() for problem in found)
    return found


def the_problem(path: Path | None = None, **kwargs) -> str:
    (only,) = problems(path, **kwargs)
    return only


def warnings(path: Path, env: dict[str, str]) -> list[str]:
    settings, source = read_settings(path, env=env)
    return [*source.warnings(), *settings.warnings]


# --- the shipped file -------------------------------------------------------------------------


def _sections() -> dict[str, type[SettingsSection] | None]:
    """Return the class of each section; None for [rules], whose keys are threshold names."""
    found: dict[str, type[SettingsSection] | None] = {}
    for field in fields(Settings):
        inner = [field.type, *get_args(field.type)]
        classes = [
            one for one in inner if isinstance(one, type) and issubclass(one, SettingsSection)
        ]
        found[field.name] = classes[0] if classes else None
    return found


def _settings_in_the_file() -> dict[tuple[str, str], list[str]]:
    """Return the comment lines above each (section, key) of the shipped file."""
    section, comment = "", list[str]()
    found: dict[tuple[str, str], list[str]] = {}
    for line in default_config_text().splitlines():
        if header := re.match(r"#?\[+(\w+)\]+$", line):
            section, comment = header[1], []
        elif key := re.match(r"#?(\w+) = ", line):
            found[section, key[1]] = comment
            comment = []
        elif line.startswith("# "):
            comment.append(line)
        else:
            assert line in {"", "#"}, line
            comment = []
    return found


def test_every_setting_is_in_the_shipped_file_with_a_comment():
    documented = _settings_in_the_file()
    for section, model in _sections().items():
        for key in model.__struct_fields__ if model else ():
            assert documented.get((section, key)), f"[{section}] {key}"


def test_every_threshold_is_in_the_shipped_file_with_a_comment_and_its_default():
    documented = _settings_in_the_file()
    assert all(documented["rules", name] for name in asdict(Thresholds()))
    text = re.sub(r"(?m)^#(?=\[|\w+ = )", "", default_config_text())
    assert tomllib.loads(text)["rules"] == asdict(Thresholds())


def test_the_shipped_file_has_no_unknown_setting():
    sections = _sections()
    for section, key in _settings_in_the_file():
        model = sections[section]
        assert key in (model.__struct_fields__ if model else asdict(Thresholds()))


def test_the_shipped_file_sets_exactly_the_defaults(write):
    settings = load(write(default_config_text()), env={})
    assert settings == Settings()


def test_the_examples_in_the_shipped_file_are_valid(write):
    text = re.sub(r"(?m)^#(?=\[|\w+ = )", "", default_config_text())
    text = text.replace("file:/etc/ctsync/webhook-secret", "env:HOOK")
    env = {"SMTP_PASSWORD": "x", "CHAT_URL": "https://chat.example.org/x", "HOOK": "y"}
    settings = load(write(text), env=env)
    assert settings.smtp is not None
    assert settings.smtp.password.reveal() == "x"
    assert settings.watches[0].trials == ("NCT03389919",)
    assert settings.channels[0].url.reveal() == "https://chat.example.org/x"


def test_the_shipped_file_shows_the_defaults_of_optional_sections_too():
    """A commented-out value of these keys must be the default: readers take it for that."""
    shown = tomllib.loads(re.sub(r"(?m)^#(?=\[|\w+ = )", "", default_config_text()))
    for section in ("smtp", "recipients"):
        model = _sections()[section]
        assert model is not None
        held = shown[section][0] if isinstance(shown[section], list) else shown[section]
        defaults = {field.name: field.default for field in fields(model)}
        defaults["port"] = SmtpSettings(host="h", sender="a@b.c").port
        for key in ("security", "port", "cadence", "at", "timezone", "minimum_level", "layout"):
            if key in model.__struct_fields__:
                assert held[key] == defaults[key]


# --- sources of settings ----------------------------------------------------------------------


def test_without_a_file_the_defaults_apply():
    settings = load(env={})
    assert settings == Settings()
    assert settings.database.url == default_database_url()
    assert settings.registry.url == "https://clinicaltrials.gov/api"


def test_the_file_is_searched_for_in_four_places(write, tmp_path):
    user = tmp_path / "xdg" / "ctsync" / "ctsync.toml"
    user.parent.mkdir(parents=True)
    user.write_text("[registry]\nburst = 4\n")
    assert load(env={}).registry.burst == 4
    here = write("[registry]\nburst = 5\n")
    assert read_settings(None, env={})[1].path == Path(here.name)
    named = write("[registry]\nburst = 6\n", "named.toml")
    env = {"CTSYNC_CONFIG": str(named)}
    assert load(env=env).registry.burst == 6
    given = write("[registry]\nburst = 7\n", "given.toml")
    assert load(given, env=env).registry.burst == 7


def test_a_file_that_is_named_must_exist(tmp_path):
    missing = tmp_path / "none.toml"
    assert the_problem(missing).startswith(f"--config: {missing} does not exist")
    assert "CTSYNC_CONFIG" in the_problem(env={"CTSYNC_CONFIG": str(missing)})


def test_the_option_overrides_the_environment_which_overrides_the_file(write):
    path = write('[database]\nurl = "sqlite:////a/file.db"\n')
    assert load(path, env={}).database.url == "sqlite:////a/file.db"
    env = {"CTSYNC_DATABASE_URL": "sqlite:////an/env.db"}
    assert load(path, env=env).database.url == "sqlite:////an/env.db"
    option = "sqlite:////an/option.db"
    assert load(path, env=env, database_url=option).database.url == option


def test_every_key_is_an_environment_variable():
    env = {
        "CTSYNC_REGISTRY_URL": "http://127.0.0.1:8080/api/",
        "CTSYNC_REGISTRY__BURST": "2",
        "CTSYNC_LOG__FORMAT": "json",
        "CTSYNC_SMTP__HOST": "mail.example.org",
        "CTSYNC_SMTP__SENDER": "ctsync@example.org",
        "CTSYNC_SMTP__SECURITY": "tls",
        "CTSYNC_WATCHES": '[{"name": "mine", "trials": ["nct 03389919"]}]',
        "CTSYNC_MONITOR__PING_URL": "",
        "CTSYNC_CORPUS": "/somewhere",
    }
    settings = load(env=env)
    assert settings.registry.url == "http://127.0.0.1:8080/api"
    assert settings.registry.burst == 2
    assert settings.log.format == "json"
    assert settings.smtp is not None
    assert settings.smtp.port == 465
    assert settings.watches[0].trials == ("NCT03389919",)


def test_a_section_in_the_environment_is_json_and_a_key_overrides_its_part():
    env = {
        "CTSYNC_LOG__KEEP": "7",
        "CTSYNC_LOG": '{"keep": 3, "format": "json"}',
        "ctsync_log__events": "off",
        "Ctsync_Database_Url": "sqlite:////an/env.db",
    }
    settings = load(env=env)
    assert (settings.log.keep, settings.log.format, settings.log.events) == (7, "json", "off")
    assert settings.database.url == "sqlite:////an/env.db"


def test_a_problem_in_a_section_written_as_json_names_the_variable_and_the_key():
    env = {"CTSYNC_LOG": '{"keep": -1, "folder": "x"}', "CTSYNC_WATCHES": '[{"name": ""}]'}
    assert problems(env=env) == [
        "CTSYNC_LOG, log.folder: there is no such setting; did you mean file?",
        "CTSYNC_LOG, log.keep: must be a whole number of at least 0 and at most 1000, not -1",
        "CTSYNC_WATCHES, watches#1.name: must not be empty",
        "CTSYNC_WATCHES, watches#1: follows nothing; give it trials, org_ids or a query",
    ]


def test_a_key_beside_a_list_in_the_environment_is_a_problem():
    env = {"CTSYNC_WATCHES": "[]", "CTSYNC_WATCHES__NAME": "mine"}
    said = "CTSYNC_WATCHES__NAME: cannot be set beside CTSYNC_WATCHES, which is not a table"
    assert the_problem(env=env) == said


def test_an_environment_variable_changes_one_key_of_a_section(write):
    path = write("[registry]\nburst = 2\nretry_seconds = 5\n")
    registry = load(path, env={"CTSYNC_REGISTRY__BURST": "3"}).registry
    assert (registry.burst, registry.retry_seconds) == (3, 5)


@pytest.mark.parametrize("name", ["CTSYNC_DATABASE_URL", "CTSYNC_DATABASE__URL"])
def test_an_empty_environment_variable_is_ignored(write, name):
    path = write('[database]\nurl = "sqlite:////data/ct.db"\n')
    assert load(path, env={name: ""}).database.url == "sqlite:////data/ct.db"


def test_relative_paths_in_a_file_are_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "ctsync.toml"
    path.write_text('[database]\nurl = "sqlite:///ct.db"\n[log]\nfile = "ct.log"\n')
    settings = load(path, env={})
    assert settings.database.url == f"sqlite:///{tmp_path / 'etc' / 'ct.db'}"
    assert settings.log.file == tmp_path / "etc" / "ct.log"


@pytest.mark.parametrize(
    ("database", "log"),
    [
        ("sqlite:////data/ct.db", "/data/events.log"),
        ("sqlite:////data/ct.db?timeout=5", "/data/events.log"),
        ("postgresql://ctsync@db/ctsync", "/home/me/data/ctsync/events.log"),
    ],
)
def test_the_event_log_is_beside_the_database_or_in_the_data_directory(monkeypatch, database, log):
    monkeypatch.setenv("XDG_DATA_HOME", "/home/me/data")
    settings = load(env={"CTSYNC_DATABASE_URL": database})
    assert (settings.log.events, str(settings.event_log)) == ("file", log)


def test_a_linked_database_has_one_event_log(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/ct.db").touch()
    (tmp_path / "linked.db").symlink_to(tmp_path / "real/ct.db")
    settings = load(env={"CTSYNC_DATABASE_URL": f"sqlite:///{tmp_path}/linked.db"})
    assert settings.event_log == tmp_path / "real/events.log"


def test_the_file_setting_replaces_the_default_event_log(write):
    assert str(load(write("[log]\nfile = '/var/log/ct.log'"), env={}).event_log) == (
        "/var/log/ct.log"
    )


def test_settings_are_frozen():
    settings = load(env={})
    with pytest.raises(AttributeError):
        settings.registry.burst = 9  # type: ignore[misc]  # a program may try


# --- every problem at once --------------------------------------------------------------------


def test_all_problems_are_reported_at_once_with_line_and_key(write):
    path = write(
        """\
[registry]
url = "ftp://example.org"
request_per_second = 2
deadline_seconds = -1

[schedule]
cron = "every day"
timezone = "Europe/Berlln"

[[watches]]
name = "a"
trials = ["NCT03389919"]
[[watches]]
name = "a"
trials = [
    "NCT03389919",
    "NCT3X",
]

[[recipients]]
email = "not an address"
cadence = "hourly"
watches = []

[regstry]
url = "x"
"""
    )
    env = {"CTSYNC_LOG__EVENTS": "loud", "CTSYNC_REGISTY__URL": "x", "CTSYNC_DATABSE_URL": "x"}
    found = problems(path, env=env)
    expected = """\
line 2, registry.url: must be a web address that begins with https:// or http://
line 3, registry.request_per_second: there is no such setting; did you mean requests_per_second?
line 4, registry.deadline_seconds: must be a number greater than 0, not -1
line 7, schedule.cron: a cron expression has 5 fields (minute hour day month weekday), not 2
line 8, schedule.timezone: 'Europe/Berlln' is not a time zone; did you mean Europe/Berlin?
line 15, watches#2.trials#2: 'NCT3X' is not an NCT id: write NCT and eight digits, as in NCT03389919
line 14, watches#2.name: 'a' is used twice; names must be unique
line 21, recipients#1.email: 'not an address' is not a mail address; write name@example.org
line 22, recipients#1.cadence: must be 'immediate', 'daily' or 'weekly', not 'hourly'
line 20, recipients: mail needs a server; add [smtp] with host and sender
line 25, regstry: there is no such setting; did you mean registry?
"""
    in_the_file = {problem.removeprefix(f"{path}, ") for problem in found if str(path) in problem}
    assert in_the_file == set(expected.splitlines())
    assert {problem for problem in found if str(path) not in problem} == {
        "CTSYNC_LOG__EVENTS: must be 'file', 'stderr' or 'off', not 'loud'",
        "CTSYNC_REGISTY__URL: there is no such setting; did you mean CTSYNC_REGISTRY__URL?",
        "CTSYNC_DATABSE_URL: there is no such setting; did you mean CTSYNC_DATABASE_URL?",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[registry\n", "line 1"),
        ("[log]\nformat = json\n", "line 2"),
        ("[log]\nformat = 'text'\nformat = 'json'\n", "line 3"),
    ],
)
def test_a_syntax_error_names_its_line(write, text, expected):
    problem = the_problem(write(text))
    assert "is not TOML" in problem
    assert expected in problem


def test_problems_are_reported_in_the_order_of_the_file(write):
    path = write(MAIL.format(CANARY) + "[registry]\nburst = 0\n[log]\nkeep = -1\n")
    assert [problem.split(", ")[1] for problem in problems(path)] == ["line 5", "line 7", "line 9"]


def test_a_byte_order_mark_is_accepted(tmp_path):
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbf[log]\nkeep = 2\n")
    assert load(tmp_path / "bom.toml", env={}).log.keep == 2


def test_a_file_that_cannot_be_read_is_one_problem(tmp_path):
    assert "cannot be read" in the_problem(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"[log]\nformat = '\xe9'\n")
    assert "is not UTF-8" in the_problem(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('registry = "x"', "registry: must be a section of settings"),
        ("[watches]\nname = 'x'", "watches: must be a list, in [ ]"),
        ("[[watches]]\nname = ''\ntrials = ['NCT1']", "watches#1.name: must not be empty"),
        ("[[watches]]\nname = 'a\\nb'\ntrials = ['NCT1']", "watches#1.name: contains a line break"),
        ("[[watches]]\nname = 'x'", "watches#1: follows nothing"),
        ("[[watches]]\ntrials = ['NCT1']", "watches#1.name: is missing"),
        ("[log]\nevents = 'syslog'", "log.events: "),
        ("[smtp]\nhost = 'x'", "smtp.sender: is missing"),
        (
            "[smtp]\nhost='x'\nsender='a@b.c'\nusername='u'",
            "smtp: username and password go together",
        ),
        ("[registry]\nurl = 'https://clinicaltrials.gov/api/v2'", "must end before /v2"),
        ("[registry]\nurl = 'https://me:pw@host/api'", "must not contain a user name"),
        ("[registry]\nurl = 'https://h\\x5c@evil'", "registry.url: "),
        ("[registry]\ncontact = 'a\\r\\nX: y'", "registry.contact: contains a line break"),
        ("[registry]\ncontact = 'é'", "registry.contact: must be plain ASCII"),
        ("[registry]\nburst = nan", "registry.burst: "),
        ("[database]\nurl = 'mysql://x'", "database.url: must begin with sqlite:///"),
        ("[database]\nurl = 'sqlite://'", "database.url: must name a file"),
        ("[database]\nurl = 'sqlite:///:memory:'", "database.url: must name a file"),
        ("[[channels]]\nname = 'x'\nurl = 'nothing'", "channels#1.url: must be a URL"),
        ("[[channels]]\nname = 'x'", "channels#1.url: is missing"),
        ("[schedule]\ncron = '0 8 * * $(id)'", "schedule.cron: '$(id)' is not a field"),
        ("[schedule]\ncron = '0 9 * * 1-9'", "schedule.cron: '9' is not a weekday: 0 to 7"),
        (
            "[schedule]\ncron = '0 9 1 * 1'",
            "schedule.cron: specify a day of the month or a weekday",
        ),
        ("[schedule]\ncron = '61 9 * * *'", "schedule.cron: '61' is not a minute: 0 to 59"),
        ("[schedule]\ncron = '0 9-8 * * *'", "schedule.cron: '9-8': the hour range ends before"),
        ("[schedule]\ncron = '*/0 9 * * *'", "schedule.cron: '*/0' is not a field"),
        ("[[recipients]]\nemail='a@b.c'\nat='8 am'", "recipients#1.at: '8 am' is not a time"),
        ("[[recipients]]\nemail='a@b.c, d@e.f'", "recipients#1.email: "),
        ("[[recipients]]\nemail='a@b.c\\nBcc: x@y.z'", "recipients#1.email: contains a line break"),
        ("_env_file = 'x'", "_env_file: there is no such setting"),
    ],
)
def test_each_wrong_value_has_a_clear_message(write, text, expected):
    text = text.replace("\\x5c", "\\").replace("'a\\n", '"a\\n').replace("b'\ntrials", 'b"\ntrials')
    text = re.sub(r"'([^'\n]*\\[rn][^'\n]*)'", r'"\1"', text)
    assert any(expected in problem for problem in problems(write(text)))


def test_a_list_in_the_environment_is_json():
    assert the_problem(env={"CTSYNC_WATCHES": "mine"}).startswith("CTSYNC_WATCHES: must be JSON")


def test_an_unknown_variable_that_resembles_no_setting_is_ignored():
    load(env={"CTSYNC_CORPUS": "x", "CTSYNC_": "y", "CTSYNCX": "z"})


def test_an_unknown_key_in_the_environment_is_a_problem():
    problem = the_problem(env={"CTSYNC_REGISTRY__URLL": "x"})
    assert problem == "CTSYNC_REGISTRY__URLL: there is no such setting; did you mean url?"


def test_thresholds_have_the_names_of_the_rule_table(write):
    assert load(write("[rules]\nslip_notable_days = 12\n"), env={}).rules == {
        "slip_notable_days": 12
    }
    problem = the_problem(write("[rules]\nslip_notable_day = 12\n"))
    assert problem.endswith(
        "rules: no threshold 'slip_notable_day'; did you mean slip_notable_days?"
    )
    problem = the_problem(write("[rules]\nslip_notable_days = -1\n"))
    assert problem.endswith("rules.slip_notable_days: must be a number of at least 0, not -1")
    env = {"CTSYNC_RULES__SLIP_NOTABLE_DAYS": "30"}
    assert load(env=env).rules == {"slip_notable_days": 30}


def test_watch_names_are_checked_against_the_file_and_the_database(write):
    path = write(
        """\
[smtp]
host = "mail.example.org"
sender = "ctsync@example.org"
[[watches]]
name = "graft failure"
trials = ["NCT03389919"]
[[recipients]]
email = "a@example.org"
watches = ["graft failure", "graft failur", "stored"]
"""
    )
    settings = load(path, env={})
    assert list(settings.unknown_watches(stored=["stored"])) == [
        "recipients#1.watches: there is no watch 'graft failur'; did you mean graft failure?"
    ]


# --- database URLs ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url", "shown"),
    [
        ("sqlite:////a/b.db", "sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("postgres://h/n", "postgresql+psycopg://h/n", "postgresql+psycopg://h/n"),
        (
            "postgresql://me:pw@h:5/n?password=pw",
            "postgresql+psycopg://me:pw@h:5/n?password=pw",
            "postgresql+psycopg://me:***@h:5/n",
        ),
        (
            "postgresql+psycopg:///n?host=/run/postgresql",
            "postgresql+psycopg:///n?host=/run/postgresql",
            "postgresql+psycopg:///n",
        ),
    ],
)
def test_database_urls_are_normalized_and_shown_without_password(given, url, shown):
    database = load(env={}, database_url=given).database
    assert database.url == url
    assert database.shown_url == shown
    assert "pw" not in repr(database)


def test_a_wrong_option_is_named_in_the_error():
    assert the_problem(database_url="mysql://x").startswith("--database: must begin with")


# --- secrets ----------------------------------------------------------------------------------

MAIL = '[smtp]\nhost = "h"\nsender = "a@b.c"\nusername = "u"\npassword = "{}"\n'


def test_every_secret_field_is_in_the_tables_of_secret_keys():
    """For a Secret missing from the tables, "env:NAME" would be the secret itself."""
    for section, model in _sections().items():
        for field in fields(model) if model else ():
            if Secret in (field.type, *get_args(field.type)):
                assert (section, field.name) in SECRET_KEYS + HIDDEN_KEYS


def test_secrets_are_read_from_environment_files_and_credentials(write, tmp_path):
    held = tmp_path / "secret"
    held.write_text(f"{CANARY}\n")
    held.chmod(0o600)
    for reference, env in (
        ("env:MAIL", {"MAIL": CANARY}),
        (f"file:{held}", {}),
        (f"file://{held}", {}),
        ("file:secret", {}),
        ("credential:secret", {"CREDENTIALS_DIRECTORY": str(tmp_path)}),
    ):
        settings = load(write(MAIL.format(reference)), env=env)
        assert settings.smtp is not None
        assert settings.smtp.password.reveal() == CANARY
        assert CANARY not in repr(settings) + str(settings)


def test_a_secret_may_be_set_by_its_own_environment_variable(write):
    path = write(MAIL.format("env:NOT_NEEDED_NOW"))
    settings = load(path, env={"CTSYNC_SMTP__PASSWORD": CANARY})
    assert settings.smtp is not None
    assert settings.smtp.password.reveal() == CANARY


def test_an_address_has_one_section_so_that_its_mails_can_be_combined(write):
    text = """
[smtp]
host = "smtp.example.org"
sender = "ctsync@example.org"
[[recipients]]
email = "Anna <anna@example.org>"
[[recipients]]
email = "ANNA@example.org"
cadence = "weekly"
"""
    assert the_problem(write(text)).endswith(
        "recipients#2.email: anna@example.org has a section already; "
        "list all its watches in one section"
    )


def test_web_url_is_the_address_of_the_pages_without_a_slash_at_its_end(write):
    assert load(env={}).web.url == ""
    assert load(write('[web]\nurl = "https://h.example/ct/"\n'), env={}).web.url == (
        "https://h.example/ct"
    )
    for url in ("trials.example.org", "https://me@h", "https://h/?q=1", "https://h/#top"):
        assert "web.url: must" in the_problem(write(f'[web]\nurl = "{url}"\n'))


@pytest.mark.parametrize(
    "text",
    [
        MAIL.format(CANARY),
        f'[[channels]]\nname = "x"\nurl = "https://h"\nsecret = "{CANARY}"\n',
        f'[[channels]]\nname = "x"\nurl = "mailtos://me:{CANARY}@h"\n',
        f'[database]\nurl = "postgresql://me:{CANARY}@h/n"\n',
        f'[database]\nurl = "postgresql://h/n?password={CANARY}"\n',
        f'[monitor]\nping_url = "https://me:{CANARY}@h"\n',
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(write, text):
    for need_secrets in (True, False):
        problem = the_problem(write(text), need_secrets=need_secrets)
        assert "secrets are not allowed in this file; write" in problem
        assert '"env:NAME"' in problem
        assert CANARY not in problem


SECRET_URLS = [
    "tgram://123456789:{}/42",
    "slack://{}/b/c",
    "https://hooks.slack.com/services/T0/B0/{}",
    "https://hc-ping.com/{}",
    "https://discord.com/api/webhooks/1/{}",
    "https://me@hooks.example.org/{}",
    "https://hooks.example.org/x?token={}",
    "https://hooks.example.org/0b4c1f7e-1a2b-3c4d-5e6f-{}",
    "https://hooks.example.org/5f3a9c1b2d4e6f708192a3b4/{}",
]
PLAIN_URLS = [
    "https://intranet.example.org/hooks/clinical-trials-team-2026",
    "http://127.0.0.1:8080/ping/ctsync?create=1",
    "https://hooks.example.org/x",
]
CHANNEL = '[[channels]]\nname = "x"\nurl = "{}"\n'
MONITOR = '[monitor]\nping_url = "{}"\n'


@pytest.mark.parametrize("url", SECRET_URLS)
def test_a_url_that_contains_a_token_is_refused_in_the_file(write, url):
    url = url.format(CANARY)
    problem = the_problem(write(CHANNEL.format(url)))
    assert "secrets are not allowed in this file; write url" in problem
    assert CANARY not in problem
    if url.startswith("https"):
        assert "write ping_url" in the_problem(write(MONITOR.format(url)))
    path = write(CHANNEL.format("env:HOOK"))
    assert load(path, env={"HOOK": url}).channels[0].url.reveal() == url


@pytest.mark.parametrize("url", PLAIN_URLS)
def test_a_url_without_a_token_may_be_in_the_file(write, url):
    text = CHANNEL.format(url) + MONITOR.format(url)
    assert load(write(text), env={}).monitor.ping_url.reveal() == url
    assert load(write(CHANNEL.format("file:///srv/feed?format=html")), env={}).channels


def test_a_url_in_a_file_that_others_may_read_is_warned_of(write):
    path = write(CHANNEL.format(PLAIN_URLS[0]) + MONITOR.format("env:PING"))
    path.chmod(0o640)
    env = {"PING": "https://hc-ping.com/x"}
    assert warnings(path, env) == []
    path.chmod(0o644)
    (said,) = warnings(path, env)
    assert said.startswith(f"{path}, line 3, channels#1.url: other users can read this file")
    assert f"chmod o-r {path}" in said
    assert PLAIN_URLS[0] not in said


def test_an_address_that_needs_smtputf8_is_accepted_with_a_warning(write):
    text = MAIL.format("env:MAIL") + '[[recipients]]\nemail = "Jörg <jörg@bücher.example>"\n'
    (said,) = warnings(write(text), {"MAIL": "x"})
    assert said.startswith("recipients#1.email: has characters beyond ASCII before the @")
    plain = text.replace("jörg@", "joerg@")
    assert warnings(write(plain), {"MAIL": "x"}) == []


@pytest.mark.parametrize("domain", ["-ü.de", "ü..de", "a@b"])
def test_a_domain_that_cannot_exist_is_refused(write, domain):
    text = MAIL.format("env:MAIL") + f'[[recipients]]\nemail = "a@{domain}"\n'
    assert "recipients#1.email: " in " ".join(problems(write(text), env={"MAIL": "x"}))


def test_the_two_forms_of_a_domain_are_one_address(write):
    text = MAIL.format("env:MAIL") + "".join(
        f'[[recipients]]\nemail = "a@{domain}.example"\n' for domain in ("bücher", "xn--bcher-kva")
    )
    assert "has a section already" in the_problem(write(text), env={"MAIL": "x"})


def test_a_secret_file_that_others_may_read_is_refused(write, tmp_path):
    held = tmp_path / "secret"
    held.write_text(CANARY)
    held.chmod(0o640)
    problem = the_problem(write(MAIL.format(f"file:{held}")))
    assert f"other users can read {held}; run `chmod 600 {held}`" in problem
    assert CANARY not in problem


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("env:MAIL", "the environment variable MAIL is not set"),
        ("file:/nowhere/secret", "cannot read /nowhere/secret: No such file"),
        ("file:/no\\u0000where", "is not a path"),
        ("credential:secret", "no systemd credentials here"),
    ],
)
def test_an_unreadable_secret_is_a_problem_only_if_secrets_are_needed(write, reference, expected):
    path = write(MAIL.format(reference))
    assert expected in the_problem(path)
    settings = load(path, env={}, need_secrets=False)
    assert settings.smtp is not None
    assert not settings.smtp.password


def test_a_channel_without_its_url_can_still_be_listed(write):
    path = write('[[channels]]\nname = "chat"\nurl = "env:CHAT"\n')
    assert "the environment variable CHAT is not set" in the_problem(path)
    assert load(path, env={}, need_secrets=False).channels[0].name == "chat"


def test_the_database_url_is_always_needed(write):
    path = write('[database]\nurl = "env:DB"\n')
    assert "the environment variable DB is not set" in the_problem(path, need_secrets=False)
    url = "postgresql+psycopg://u:p@h/n"
    assert load(path, env={"DB": url}).database.url == url


def test_the_name_of_a_credential_cannot_point_outside_its_directory(write, tmp_path):
    (tmp_path / "credentials").mkdir()
    (tmp_path / "secret").write_text(CANARY)
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    assert "must not contain a slash" in the_problem(
        write(MAIL.format("credential:../secret")), env=env
    )


@pytest.mark.parametrize(
    "text",
    [
        f'smtp = "{CANARY}"\n',
        f'channels = ["{CANARY}"]\n',
        f'channels = "{CANARY}"\n',
        f'[smtp]\npasswort = "{CANARY}"\n',
        f'[smtp]\npassword = ["{CANARY}"]\n',
        f'[[channels]]\nname = "x"\nurl = ["{CANARY}"]\n',
        f'[monitor]\nping_url = {{ url = "{CANARY}" }}\n',
        f'[monitor]\nping_url = "{CANARY}"\n',
        f'[registry]\nurl = "https://me:{CANARY}@h"\n',
        f'password = "{CANARY}\n',
    ],
)
def test_no_error_repeats_a_value_that_may_be_a_secret(write, text):
    assert CANARY not in " ".join(problems(write(text)))
    in_environment = {
        "CTSYNC_MONITOR__PING_URL": CANARY,
        "CTSYNC_DATABASE_URL": f"x://u:{CANARY}@h",
    }
    assert CANARY not in " ".join(problems(env=in_environment))
