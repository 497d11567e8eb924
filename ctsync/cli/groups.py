"""Groups of commands."""

from __future__ import annotations

from ctsync.cli.commands import COMMANDS, CONFIG, DB, EXPORT, OUTBOX, WATCH, LazyGroup

config = LazyGroup("config", table=CONFIG, help=COMMANDS["config"].help)
db = LazyGroup("db", table=DB, help=COMMANDS["db"].help)
export = LazyGroup("export", table=EXPORT, help=COMMANDS["export"].help)
outbox = LazyGroup("outbox", table=OUTBOX, help=COMMANDS["outbox"].help)
watch = LazyGroup("watch", table=WATCH, help=COMMANDS["watch"].help)
