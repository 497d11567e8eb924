# ruff: noqa: PLC0415 - the web frameworks are an extra, and slow to import
"""`serve`: the pages of the site, served to browsers."""

from __future__ import annotations

import gc
import logging
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.cli.param_types import NumberParam
from ctsync.dates import Clock
from ctsync.errors import UsageError
from ctsync.text import for_terminal

if TYPE_CHECKING:
    from ctsync.config.settings import Settings
    from ctsync.store.store import Store

HOST, PORT, RATE = "127.0.0.1", 8337, 20
_CACHE_KIB = 4 * 1024
"""Page cache of a connection; as the server has several, the usual one would take more memory."""
_COLLECT_AFTER = 20_000
_ROOT_PATH = re.compile(r"(/[\w.~-]+)*")


@click.command()
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=NumberParam(least=0, most=65535),
    default=PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--root-path", default="", metavar="PATH", help="Path that a proxy puts before /.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with a token that every reader must give.",
)
@click.option(
    "--behind-proxy",
    is_flag=True,
    help="A proxy controls access: accept any host name and address.",
)
@click.option(
    "--rate-limit",
    type=click.FloatRange(min=0.1, max=100_000),
    default=RATE,
    show_default=True,
    metavar="N",
    help="Requests per second of a client to the JSON API; 10 N at once.",
)
@pass_app
def serve(
    app: App,
    *,
    host: str,
    port: int,
    root_path: str,
    token_file: Path | None,
    behind_proxy: bool,
    rate_limit: float,
) -> None:
    """Serve the pages of the database to browsers; reads only.

    The pages are those of `ctsync site`, always of the current database; lists are searched and
    filtered by the server. A sync may run at the same time.

    Only this machine reaches the server, unless --host names another address. That needs
    --token-file or --behind-proxy. A browser asks for the token as a password, with any user name.
    """
    require_web_extra("serve")
    from ctsync.web.server.listen import is_loopback, read_token, require_guard

    prefix = root_path.rstrip("/")
    if not _ROOT_PATH.fullmatch(prefix):
        raise UsageError(f"--root-path {root_path!r} is not a path; write it as /ctsync")
    require_guard(host, has_token=token_file is not None, is_behind_proxy=behind_proxy)
    token = None if token_file is None else read_token(token_file)
    settings = app.settings
    app.start_logging()
    serve_until_stopped(
        settings,
        clock=app.clock,
        host=host,
        port=port,
        prefix=prefix,
        token=token,
        checks_host=is_loopback(host) and not behind_proxy,
        is_behind_proxy=behind_proxy,
        rate_limit=rate_limit,
    )


def require_web_extra(command: str) -> None:
    """Raise UsageError if the web frameworks are not installed."""
    try:
        import ctsync.web.server.application
        import ctsync.web.server.listen  # noqa: F401 - only to see that both can be imported
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "ctsync":
            raise
        needed = f"{command} needs FastAPI and uvicorn: pip install 'ctsync[web]'"
        raise UsageError(needed) from error


def serve_until_stopped(
    settings: Settings,
    *,
    clock: Clock,
    host: str = HOST,
    port: int = 0,
    prefix: str = "",
    token: str | None = None,
    checks_host: bool = True,
    is_behind_proxy: bool = False,
    rate_limit: float = RATE,
) -> None:
    """Serve the pages of the settings' database, print the address, and return after a signal.

    Port 0 takes a free port. `rate_limit` is in requests per second of a client to the JSON API.
    Raises PortInUse.
    """
    from ctsync.web.api.client_rates import rate_of
    from ctsync.web.server.application import create_app
    from ctsync.web.server.gate import Access
    from ctsync.web.server.listen import (
        accepted_hosts,
        make_server,
        open_socket,
        run_until_stopped,
    )

    url = settings.database.url
    with open_socket(host, port) as bound:
        number = bound.getsockname()[1]
        hosts = accepted_hosts(host, number) if checks_host else None
        access = Access(prefix, hosts, token, is_behind_proxy)
        server = make_server(
            create_app(
                lambda: _open(url, clock),
                settings,
                clock=clock,
                access=access,
                rate=rate_of(rate_limit),
            )
        )
        shown = f"[{host}]" if ":" in host else host
        gc.set_threshold(_COLLECT_AFTER)  # the setting of commands lets a long run grow
        tell(for_terminal(f"serving http://{shown}:{number}{prefix}/; stop with Ctrl-C or SIGTERM"))
        run_until_stopped(server, bound, when_stopped=_on_signals)
    tell("stopped")


def _open(url: str, clock: Clock) -> Store:
    from ctsync.store.store import open_for_reading

    return open_for_reading(url, clock=clock, cache_kib=_CACHE_KIB)


def _on_signals(stop: Callable[[], None]) -> None:
    """Stop on SIGTERM and Ctrl-C; a second signal ends the process at once."""

    def handle(number: int, _frame: object) -> None:
        logging.getLogger(__name__).info("%s: stopping", signal.Signals(number).name)
        stop()
        signal.signal(number, signal.SIG_DFL)

    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, handle)
