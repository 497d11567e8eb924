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
        "Fetch the earlier versions of trials from the registry history.",
    ),
    "backup": Entry(
        "store.backup",
        "backup_command",
        "Copy the database to FILE while it is in use.",
    ),
    "base-rates": Entry(
        "questions.base_rates",
        "base_rates_command",
        "Count the base rates of reports in the stored versions.",
    ),
    "changes": Entry(
        "questions.changes",
        "changes",
        "List stored changes, oldest day first.",
    ),
    "check": Entry(
        "store.check",
        "check_command",
        "Check the database for damage and inconsistencies.",
    ),
    "config": Entry("groups", "config", "Show and check the settings."),
    "daemon": Entry(
        "sync.daemon",
        "daemon",
        "Sync on the schedule of the settings, until SIGTERM or Ctrl-C.",
    ),
    "db": Entry("groups", "db", "Manage the database."),
    "demo": Entry("sync.demo", "demo", "Run the main commands in a minute, without network."),
    "diff": Entry(
        "questions.diff",
        "diff_command",
        "Compare two versions of a trial, worst changes first.",
    ),
    "doctor": Entry(
        "sync.doctor",
        "doctor_command",
        "Check settings, database, disk, registry, clock and mail server.",
    ),
    "export": Entry("groups", "export", "Export versions and events for other programs."),
    "find": Entry(
        "questions.find",
        "find",
        "Find trials by the values of their versions.",
    ),
    "flags": Entry(
        "questions.flags",
        "flags",
        "List facts about followed trials, such as results that are due.",
    ),
    "forecast": Entry(
        "questions.forecast",
        "forecast_command",
        "List trials that will become Unknown or get a flag.",
    ),
    "history": Entry(
        "questions.history",
        "history",
        "List the stored versions of a trial, and what each changed.",
    ),
    "import": Entry(
        "export.import_jsonl",
        "import_command",
        "Import versions from a file of `ctsync export jsonl`.",
    ),
    "init": Entry("sync.init", "init", "Write a commented ctsync.toml and create the database."),
    "mcp": Entry(
        "questions.mcp",
        "mcp_command",
        "Answer questions of a language model, over stdin and stdout.",
    ),
    "mirror": Entry(
        "sync.mirror",
        "mirror_command",
        "Load the whole registry once, then fetch its changes.",
    ),
    "notify": Entry(
        "deliver.notify",
        "notify",
        "Send a test message, or preview waiting messages.",
    ),
    "outbox": Entry("groups", "outbox", "List, retry or drop deliveries."),
    "page": Entry(
        "export.page",
        "page",
        "Write the whole history of a trial as one HTML page.",
    ),
    "portfolio": Entry(
        "watches.portfolio",
        "portfolio",
        "List followed trials: milestones, slips, flags.",
    ),
    "relevel": Entry(
        "questions.relevel",
        "relevel_command",
        "List stored events that would get another level.",
    ),
    "report": Entry(
        "questions.report",
        "report_command",
        "Report changes per trial, worst first.",
    ),
    "restore": Entry(
        "store.restore",
        "restore_command",
        "Replace the database with a copy of the backup FILE.",
    ),
    "rules": Entry(
        "questions.rules",
        "rules",
        "Show the rules that set the level of a change.",
    ),
    "runs": Entry(
        "operation.runs",
        "runs_command",
        "List runs, newest first, or show one run.",
    ),
    "schema": Entry(
        "questions.schema",
        "schema_command",
        "List the JSON Schemas of the output, or print one.",
    ),
    "serve": Entry(
        "export.serve",
        "serve",
        "Serve the pages of the database to browsers; reads only.",
    ),
    "show": Entry(
        "questions.show", "show", "Show a record: the newest version, or an earlier one."
    ),
    "site": Entry(
        "export.site",
        "site",
        "Write a static site with today's changes, all trials and feeds.",
    ),
    "status": Entry(
        "operation.status",
        "status",
        "Show whether all is well, or the state of trials.",
    ),
    "sync": Entry(
        "sync.sync",
        "sync_command",
        "Fetch watched trials, store new versions, report and notify.",
    ),
    "timeline": Entry(
        "questions.timeline",
        "timeline",
        "Draw the status, dates and enrollment of a trial over time.",
    ),
    "watch": Entry("groups", "watch", "Manage watches: the trials and queries you follow."),
}

WATCH: Mapping[str, Entry] = {
    "add": Entry(
        "watches.watch_add",
        "add",
        "Follow trials, or all trials that match a query.",
    ),
    "list": Entry(
        "watches.watch_list",
        "list_watches",
        "List the watches, one row each.",
    ),
    "remove": Entry(
        "watches.watch_remove",
        "remove",
        "Remove a watch, or stop following some of its trials.",
    ),
    "show": Entry(
        "watches.watch_show",
        "show_watch",
        "Show the query of a watch and the trials it follows.",
    ),
}

EXPORT: Mapping[str, Entry] = {
    "cohort": Entry(
        "export.export_cohort",
        "cohort_command",
        "Write one row per trial, for analysis, as CSV.",
    ),
    "csv": Entry(
        "export.export_csv",
        "csv_command",
        "Write one row per version, as the R package cthist does.",
    ),
    "ics": Entry(
        "export.export_ics",
        "ics_command",
        "Write the dates of followed trials as a calendar.",
    ),
    "jsonl": Entry(
        "export.export_jsonl",
        "jsonl_command",
        "Write versions, events or flags as JSON, one object per line.",
    ),
    "parquet": Entry(
        "export.export_parquet",
        "parquet_command",
        "Write events, versions and flags as Parquet, one file per month.",
    ),
    "xlsx": Entry(
        "export.export_xlsx",
        "xlsx_command",
        "Write a workbook of the portfolio, changes and versions.",
    ),
}

OUTBOX: Mapping[str, Entry] = {
    "drop": Entry("deliver.outbox_drop", "drop", "Drop deliveries. The changes stay stored."),
    "list": Entry(
        "deliver.outbox_list",
        "list_deliveries",
        "List waiting and parked deliveries, oldest first.",
    ),
    "retry": Entry(
        "deliver.outbox_retry",
        "retry",
        "Send due and parked deliveries now, or only the named ones.",
    ),
}

DB: Mapping[str, Entry] = {
    "compact": Entry(
        "store.db_compact",
        "compact_command",
        "Reclaim unused space. Deletes no version or change.",
    ),
    "copy": Entry(
        "store.db_copy",
        "copy",
        "Copy a database to a new one, and compare the two.",
    ),
    "current": Entry(
        "store.db_schema",
        "current",
        "Show the schema versions of the database and of ctsync.",
    ),
    "forget-load": Entry(
        "store.db_forget_load",
        "forget_load_command",
        "Undo registry data whose date is in the future.",
    ),
    "index-text": Entry(
        "store.db_index_text",
        "index_text",
        "Build the index of words that `ctsync find` searches.",
    ),
    "stats": Entry(
        "store.db_stats",
        "stats",
        "Show what the database holds and how much space it takes.",
    ),
    "upgrade": Entry(
        "store.db_schema",
        "upgrade",
        "Create the database, or upgrade its schema.",
    ),
}

CONFIG: Mapping[str, Entry] = {
    "check": Entry(
        "config.config_check",
        "check",
        "Check the settings and list every problem.",
    ),
    "show": Entry(
        "config.config_show",
        "show_settings",
        "Show every setting and where it was read from.",
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
