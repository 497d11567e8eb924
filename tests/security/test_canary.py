"""A canary value is used as every secret, and must then appear in no output, log or database.

Everything fails on purpose, because errors are the likeliest place for a leak.
"""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.hostile_installation import Caller
from tests.deliver.mailserver import running
from tests.deliver.webserver import web
from tests.registry_fixtures import publish
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

CANARY = "k4n4r1e"
TRIAL = "NCT03389919"
DATABASE = f"postgresql+psycopg://ctsync:{CANARY}@127.0.0.1:1/ctsync?password={CANARY}"
SETTINGS = """
[log]
events = "file"
file = "ctsync.log"
[smtp]
host = "127.0.0.1"
port = {smtp}
security = "{security}"
username = "ctsync"
password = "file:secret"
sender = "ctsync@example.org"
[[recipients]]
email = "anna@example.org"
[[channels]]
name = "hook"
url = "env:HOOK"
secret = "env:SIGNING"
[[channels]]
name = "chat"
url = "env:CHAT"
[[channels]]
name = "slack"
url = "env:SLACK"
format = "slack"
[monitor]
ping_url = "env:PING"
"""


@pytest.fixture
def registry() -> Iterator[ReplayRegistry]:
    with ReplayRegistry(Catalogue("2026-02-02")) as replay:
        publish(replay, TRIAL)
        yield replay


def free_port() -> int:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def dump(database: Path) -> str:
    """Return every row of every table as SQL text."""
    with closing(sqlite3.connect(database)) as connection:
        return "\n".join(connection.iterdump())


def test_a_secret_appears_nowhere(registry: ReplayRegistry, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CANARY)
    (tmp_path / "secret").chmod(0o600)
    database = tmp_path / "ctsync.db"
    environment = {
        "HOME": str(tmp_path),
        "CTSYNC_REGISTRY_URL": registry.url,
        "CTSYNC_REGISTRY__REQUESTS_PER_SECOND": "10",
        "CTSYNC_REGISTRY__RETRY_SECONDS": "0",
        "SIGNING": CANARY,
        "CHAT": f"json://user:{CANARY}@127.0.0.1:{free_port()}/{CANARY}",
    }
    places: dict[str, str] = {}

    def run(*args: str, **more: str) -> None:
        given = environment | {"CTSYNC_DATABASE_URL": f"sqlite:///{database}"} | more
        ended = Caller(tmp_path, given, "utf-8")(args)
        name = " ".join(args)
        places[f"{name} ({len(places)}): stdout"] = ended.stdout.decode()
        places[f"{name} ({len(places)}): stderr"] = ended.stderr.decode()

    def round_of_commands() -> None:
        run("-vv", "sync")
        run("-vv", "sync", "--json")
        for channel in ("anna@example.org", "hook", "chat", "slack"):
            run("-vv", "notify", "--test", channel)
        run("-vv", "notify", "--preview", "--full")

    with web(500) as server, running() as mail:
        environment["HOOK"] = f"{server.url}/hook/{CANARY}?token={CANARY}"
        environment["SLACK"] = f"{server.url}/services/{CANARY}"
        environment["PING"] = f"{server.url}/{CANARY}"
        toml = tmp_path / "ctsync.toml"
        # the server offers no TLS: the login must not be sent, and the failure must be reported
        toml.write_text(SETTINGS.format(smtp=mail.port, security="starttls"))
        run("watch", "add", TRIAL)
        round_of_commands()
        registry.catalogue.advance()
        registry.catalogue.edit(TRIAL, {"protocolSection.statusModule.overallStatus": "TERMINATED"})
        round_of_commands()
        run("-vv", "doctor")
        places["bytes received by the mail server"] = mail.received.decode("latin-1")
        # a web server necessarily knows the URL of the request, but must get no other secret
        places["bodies of web requests"] = "".join(
            got.body.decode("latin-1") + str(got.headers) for got in server.received
        )
    toml.write_text(SETTINGS.format(smtp=mail.port, security="tls"))
    round_of_commands()  # now every server is down
    run("-vv", "doctor", "--json")
    for form in ("text", "markdown", "html", "json", "csv", "atom"):
        run("report", "--since", "all", "--format", form)
    run("page", TRIAL)
    run("site", "site")
    run("-vv", "status", "--json")
    run("-vv", "outbox", "list", "--json", "--all")
    run("-vv", "outbox", "retry")
    run("-vv", "runs", "--json")
    run("config", "show")
    run("config", "show", "--json")
    run("-vv", "config", "check")
    # the password in a database URL, with every error of a connection
    commands = (("sync",), ("status", "--json"), ("config", "show"), ("config", "check"))
    for command in (*commands, ("doctor",)):
        run("-vv", *command, CTSYNC_DATABASE_URL=DATABASE)
        run("-vv", "--database", DATABASE, *command)
    # secrets in places where they are not allowed
    toml.write_text(
        f'[smtp]\nhost = "h"\npassword = "{CANARY}"\nsender = 3\n[[channels]]\nname = "x"\n'
        f'url = "{CANARY}"\nsecret = "{CANARY}"\n[monitor]\nping_url = "{CANARY}"\n'
        f'[database]\nurl = "mysql://a:{CANARY}@b/c"\n'
    )
    run("-vv", "config", "check")
    run("-vv", "config", "show")
    run("-vv", "doctor")

    places["database"] = dump(database)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in {"secret", "ctsync.toml"}:
            places[str(path.relative_to(tmp_path))] = path.read_bytes().decode("latin-1")
    assert "channel down" in places["database"]  # failures are recorded in the outbox
    assert "Traceback" in "".join(places.values())
    assert "Terminated" in places["ctsync.log"]

    found = [name for name, text in places.items() if CANARY in text]
    print(f"canary: {len(places)} places searched, {len(found)} found")
    assert found == []
