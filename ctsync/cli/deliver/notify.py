"""`notify`: test a channel, and preview pending messages."""

from __future__ import annotations

from collections.abc import Mapping

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.dates import format_minute
from ctsync.deliver.channels.channel import Channel, channels_from
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.preview import PlannedMessage, preview, trial_message
from ctsync.errors import CtsyncError, UsageError
from ctsync.questions.results.delivery_rows import PlannedMessageRow
from ctsync.record.value_text import counted
from ctsync.report.formats.plain_text import render_text
from ctsync.route import Route
from ctsync.text import for_terminal


class TestFailed(CtsyncError):
    """A test message could not be sent."""

    exit_code = 7


@click.command()
@click.option(
    "--test",
    "channel",
    metavar="CHANNEL",
    help="Send a test message to this channel or mail address.",
)
@click.option("--preview", "previewed", is_flag=True, help="Show waiting messages; send nothing.")
@click.option("--full", is_flag=True, help="With --preview: also show the text of each message.")
@click.option(
    "--json", "as_json", is_flag=True, help="With --preview: write a JSON array of messages."
)
@pass_app
def notify(app: App, *, channel: str | None, previewed: bool, full: bool, as_json: bool) -> None:
    """Send a test message, or preview waiting messages.

    Does not change the outbox. If a test message fails, the command shows why and exits with code
    7.
    """
    if (channel is None) == (not previewed):
        raise UsageError("specify --test CHANNEL or --preview")

    app.sends = True  # channel names depend on their URLs, which may be secrets
    channels = channels_from(app.settings)
    if channel is not None:
        _test(app, channel, channels)
    else:
        _preview(app, channels, full=full, as_json=as_json)


def _test(app: App, name: str, channels: Mapping[str, Channel]) -> None:
    by_channel, route = _find(name, channels)
    try:
        answer = by_channel.send(trial_message(route, now=app.clock.now()))
    except DeliveryError as error:
        raise TestFailed(f"{route.channel} to {route.recipient}: {error}") from error
    finally:
        by_channel.close()
    tell(for_terminal(f"{route.channel} to {route.recipient}: {answer or 'sent'}"))


def _find(name: str, channels: Mapping[str, Channel]) -> tuple[Channel, Route]:
    """Find the route with this name: a channel name, in either form, or a recipient."""
    ways = [
        (channel, route)
        for channel in channels.values()
        for route in channel.routes.values()
        if name in {route.channel, route.recipient}
    ]
    if len(ways) == 1:
        return ways[0]
    if ways:
        who = ", ".join(route.recipient for _, route in ways)
        raise UsageError(f"{name} has several recipients; name one of: {who}")
    known = ", ".join(channels) or "none; add [[recipients]] or [[channels]] to the settings"
    raise UsageError(f"there is no channel {name!r}; channels: {known}")


def _preview(app: App, channels: Mapping[str, Channel], *, full: bool, as_json: bool) -> None:
    now = app.clock.now()
    with app.store() as store:
        planned = preview(store, channels, now=now)
    if as_json:
        show_json([_planned_row(one) for one in planned])
        return
    show_table(
        ("DUE", "CHANNEL", "RECIPIENT", "EVENTS", "SUBJECT"),
        [
            (
                "now" if one.due <= now else format_minute(one.due),
                one.message.route.channel,
                one.message.route.recipient,
                str(len(one.message.events)),
                one.message.report().subject + (f" ({one.kept})" if one.kept else ""),
            )
            for one in planned
        ],
        drop=("EVENTS", "CHANNEL"),
        shorten=("RECIPIENT",),
    )
    if full:
        for one in planned:
            click.echo(f"\n{'-' * 76}\n{render_text(one.message.report())}", nl=False)
    due = sum(one.due <= now for one in planned)
    tell(f"{counted(due, 'message')} due now, {len(planned) - due} later; nothing was sent")


def _planned_row(one: PlannedMessage) -> PlannedMessageRow:
    message = one.message
    return PlannedMessageRow(
        due=one.due,
        channel=message.route.channel,
        recipient=message.route.recipient,
        watches=tuple(message.watches),
        welcome=message.is_welcome,
        events=len(message.events),
        subject=message.report().subject,
        message_id=message.key,
        kept=one.kept or None,
    )
