"""The table of commands agrees with the commands."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ctsync.cli import main
from ctsync.cli.commands import Entry, LazyGroup

ROOT = Path(__file__).parents[2]


def entries(group: LazyGroup = main) -> Iterator[tuple[Entry, click.Command]]:
    context = click.Context(group)
    for name, entry in group.table.items():
        command = group.get_command(context, name)
        assert command is not None
        yield entry, command
        if isinstance(command, LazyGroup):
            yield from entries(command)


ENTRIES = list(entries())


@pytest.mark.parametrize(("entry", "command"), ENTRIES, ids=lambda one: getattr(one, "name", ""))
def test_the_help_line_in_the_table_is_the_first_line_of_the_commands_help(
    entry: Entry, command: click.Command
) -> None:
    own = command.get_short_help_str(limit=1000)
    assert entry.help.rstrip(".").startswith(own.rstrip("."))


def test_each_command_has_its_own_file_except_the_schema_commands() -> None:
    modules = [entry.module for entry, command in ENTRIES if not isinstance(command, click.Group)]
    shared = {module for module in modules if modules.count(module) > 1}
    assert shared == {"store.db_schema"}


def test_an_option_is_written_in_the_same_ways_by_every_command() -> None:
    spelled: dict[str, set[tuple[str, ...]]] = {}
    for _, command in ENTRIES:
        for option in command.params:
            if isinstance(option, click.Option):
                (long,) = [name for name in option.opts if name.startswith("--")]
                spelled.setdefault(long, set()).add(tuple(option.opts))
    assert {long: ways for long, ways in spelled.items() if len(ways) > 1} == {}
    assert spelled["--output"] == {("-o", "--output")}


def test_an_unknown_command_is_not_found() -> None:
    assert main.get_command(click.Context(main), "nothing") is None


def test_completion_offers_the_commands_with_the_typed_prefix() -> None:
    offered = [item.value for item in main.shell_complete(click.Context(main), "re")]
    assert offered == ["relevel", "report", "restore"]


def test_the_help_imports_no_command() -> None:
    code = (
        "import sys\n"
        "from ctsync.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "folders = ('questions', 'sync', 'store', 'watches', 'export', 'deliver', 'config')\n"
        "commands = tuple(f'ctsync.cli.{folder}' for folder in folders)\n"
        "print(*[module for module in sys.modules if module.startswith(commands)],"
        " file=sys.stderr)\n"
    )
    helped = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert helped.stderr.split() == []
