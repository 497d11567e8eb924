"""`schema`: the JSON Schema of an answer."""

from __future__ import annotations

import click

from ctsync.cli.output import show_json
from ctsync.questions.schemas import names, schema


@click.command("schema")
@click.argument("name", metavar="[NAME]", required=False)
def schema_command(name: str | None) -> None:
    """List the JSON Schemas of the output, or print one.

    They describe the output of --json, webhooks and exported events.
    """
    if name is None:
        for known in names():
            click.echo(known)
        return
    show_json(schema(name))
