"""The table of commands: name, module and one line of help. A command is imported when called.

A new command needs one row here and one file. A test compares each line with the command's own
help. Command files import at the top as usual, because only `LazyGroup.get_command` imports
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """One command: its module below `ctsync.cli`, its name in it, and its line of help."""

    module: str
    name: str
    help: str


COMMANDS: Mapping[str, Entry] = {
    "backfill": Entry(
        "sync.backfill",
        "backfill",
        "Fetch every version that the registry keeps of trials, from before they were followed.",
    ),
    "backup": Entry(
        "store.backup",
        "backup_command",
        "Copy the database into a new FILE, whole and consistent while others go on writing.",
    ),
    "changes": Entry(
        "questions.changes",
        "changes",
        "List what changed, oldest first: all that is stored, or as the options narrow it.",
    ),
    "check": Entry(
        "store.check",
        "check_command",
        "Check the database for damage and inconsistencies. Exits with code 6 if it finds any.",
    ),
    "config": Entry("groups", "config", "Show and check the settings."),
    "daemon": Entry(
        "sync.daemon",
        "daemon",
        "Sync on the schedule of the settings until told to stop (SIGTERM, Ctrl-C).",
    ),
    "db": Entry("groups", "db", "Look after the database."),
    "demo": Entry(
        "sync.demo", "demo", "Show all of it in a minute: watch, change, report, history."
    ),
    "diff": Entry(
        "questions.diff",
        "diff_command",
        "Compare two versions field by field: numbers, days, or by default the last two.",
    ),
    "doctor": Entry(
        "sync.doctor",
        "doctor_command",
        "Look at settings, database, disk, registry, history, clock and mail; say what to do.",
    ),
    "export": Entry(
        "groups", "export", "Write what is stored for other programs: csv, jsonl, parquet, cohort."
    ),
    "find": Entry(
        "questions.find",
        "find",
        "Find the stored trials that meet every CONDITION, since when and for how long.",
    ),
    "forecast": Entry(
        "questions.forecast",
        "forecast_command",
        "List the watched trials that the registry will turn UNKNOWN, and when.",
    ),
    "history": Entry(
        "questions.history",
        "history",
        "List the stored versions of a trial, oldest first, and what each changed.",
    ),
    "import": Entry(
        "export.import_jsonl",
        "import_command",
        "Read versions that `ctsync export jsonl` wrote; - is standard input.",
    ),
    "init": Entry("sync.init", "init", "Write a commented ctsync.toml and create the database."),
    "mirror": Entry(
        "sync.mirror",
        "mirror_command",
        "Keep the whole registry: load it once, then fetch daily what changed.",
    ),
    "notify": Entry(
        "deliver.notify",
        "notify",
        "Try a channel (--test), or see what would be sent now, to whom and when (--preview).",
    ),
    "outbox": Entry("groups", "outbox", "List, retry or drop deliveries."),
    "page": Entry(
        "export.page",
        "page",
        "Write the history of a trial as one HTML page: its timeline and all its versions.",
    ),
    "relevel": Entry(
        "questions.relevel",
        "relevel_command",
        "List the stored events whose level other thresholds would change.",
    ),
    "report": Entry(
        "questions.report",
        "report_command",
        "Report what changed: one row per trial, worst first, then the details.",
    ),
    "rules": Entry(
        "questions.rules",
        "rules",
        "Print the table that levels come from, with the thresholds in force.",
    ),
    "runs": Entry(
        "questions.runs",
        "runs_command",
        "List the runs, newest first, or show one: times, data of the registry, counts, verdict.",
    ),
    "schema": Entry(
        "questions.schema",
        "schema_command",
        "List the JSON Schemas of ctsync's answers, or print the one of that NAME.",
    ),
    "show": Entry(
        "questions.show", "show", "Show a record as it stood: now, on a day, or in a version."
    ),
    "site": Entry(
        "export.site",
        "site",
        "Write a site of plain files: an index, a page per trial, the reports, an Atom feed.",
    ),
    "status": Entry(
        "questions.status",
        "status",
        "Tell the last run, what is stored and whether all is well; the exit code is for monitors.",
    ),
    "sync": Entry(
        "sync.sync",
        "sync_command",
        "Fetch what is watched (or the trials given), store, compare, report, deliver.",
    ),
    "timeline": Entry(
        "questions.timeline",
        "timeline",
        "Draw a trial's life: status spells, planned and actual dates, enrollment.",
    ),
    "watch": Entry("groups", "watch", "Manage watches: the trials and queries you follow."),
}

WATCH: Mapping[str, Entry] = {
    "add": Entry(
        "watches.watch_add",
        "add",
        "Follow trials by NCT id, URL or study id, or all trials that match a query.",
    ),
    "list": Entry(
        "watches.watch_list",
        "list_watches",
        "List the watches, where each comes from, and the trials they follow.",
    ),
    "remove": Entry(
        "watches.watch_remove",
        "remove",
        "End a watch, or stop following some of its trials; what is stored stays stored.",
    ),
    "show": Entry(
        "watches.watch_show",
        "show_watch",
        "Show one watch: its query, and every trial it follows, with those that left.",
    ),
}

EXPORT: Mapping[str, Entry] = {
    "cohort": Entry(
        "export.export_cohort",
        "cohort_command",
        "Write a row a trial: slips, first and last target, stop and restart, days and percent.",
    ),
    "csv": Entry(
        "export.export_csv",
        "csv_command",
        "Write a row a version, in the columns of the R package cthist.",
    ),
    "jsonl": Entry(
        "export.export_jsonl",
        "jsonl_command",
        "Write versions or events as JSON, an object a line.",
    ),
    "parquet": Entry(
        "export.export_parquet",
        "parquet_command",
        "Write events and versions as a Parquet dataset, a file a month, for DuckDB or Spark.",
    ),
}

OUTBOX: Mapping[str, Entry] = {
    "drop": Entry("deliver.outbox_drop", "drop", "Give up deliveries; the events stay stored."),
    "list": Entry(
        "deliver.outbox_list",
        "list_deliveries",
        "List deliveries that wait or are parked, oldest first.",
    ),
    "retry": Entry(
        "deliver.outbox_retry",
        "retry",
        "Send what is due now, and what is parked or backing off as well (or only those named).",
    ),
}

DB: Mapping[str, Entry] = {
    "compact": Entry(
        "store.db_compact",
        "compact_command",
        "Give back room that nothing needs; no version, change or delivery is deleted.",
    ),
    "copy": Entry(
        "store.db_copy",
        "copy",
        "Copy all of one database into another that is new or empty, and compare the two.",
    ),
    "current": Entry(
        "store.db_schema",
        "current",
        "Say which schema the database has, and which this ctsync knows; changes nothing.",
    ),
    "stats": Entry(
        "store.db_stats",
        "stats",
        "Say what the database holds and what takes how much room; changes nothing.",
    ),
    "upgrade": Entry(
        "store.db_schema",
        "upgrade",
        "Bring the database to this ctsync's schema, in one transaction, or create it.",
    ),
}

CONFIG: Mapping[str, Entry] = {
    "check": Entry(
        "config.config_check",
        "check",
        "Read the settings, secrets and all; tell every problem, or that there is none.",
    ),
    "show": Entry(
        "config.config_show",
        "show_settings",
        "Show every setting in force and where it was read from; a secret is shown as ***.",
    ),
}


class LazyGroup(click.Group):
    """A group that imports a command only when it is called, and none for its own help.

    This makes `ctsync --help` six times as fast as importing every command.
    """

    def __init__(self, *args: Any, table: Mapping[str, Entry], **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the command names in alphabetical order."""
        return sorted(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command of that name; return None if it does not exist."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(f"ctsync.cli.{entry.module}"), entry.name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names and help lines of the table."""
        limit = formatter.width - 6 - max(map(len, self.table))
        rows = [
            (name, click.Command(name, help=self.table[name].help).get_short_help_str(limit))
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names from the table; click completes the options."""
        names = [
            CompletionItem(name, help=self.table[name].help)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]
