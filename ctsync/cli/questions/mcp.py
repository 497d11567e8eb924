"""`mcp`: answer questions of language models as a server of the Model Context Protocol."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.errors import UsageError


@click.command("mcp")
@pass_app
def mcp_command(app: App) -> None:
    """Answer questions of a language model, over stdin and stdout.

    The client starts this command and speaks the Model Context Protocol (MCP) with it. All tools
    only read the database. stdout carries nothing but the protocol; messages go to stderr.
    """
    try:
        from ctsync.web.mcp.mcp_server import serve_stdio  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"anyio", "mcp", "mcp_types"}:
            raise
        raise UsageError("ctsync mcp needs the package mcp: pip install 'ctsync[mcp]'") from None
    # the log of the SDK in the same form, on stderr
    logging.getLogger("mcp").handlers[:] = logging.getLogger("ctsync").handlers
    settings = app.settings
    if sys.stdin.isatty():
        tell("waiting for an MCP client on stdin; Ctrl-C stops")
    # stdin is read in a thread, which Ctrl-C would wait for; there is nothing to clean up
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        asyncio.run(serve_stdio(settings, clock=app.clock))
    finally:
        signal.signal(signal.SIGINT, before)
