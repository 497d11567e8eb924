"""docs/mcp.md: its tables of tools and keys, its limits, and the settings of the clients."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import click

from ctsync.cli import main
from ctsync.web.mcp.bounded_answer import MOST_CHARACTERS, ToolAnswer
from ctsync.web.mcp.mcp_server import TOOLS
from ctsync.web.mcp.tool_arguments import MOST_ROWS

PAGE = (Path(__file__).parents[3] / "docs" / "mcp.md").read_text(encoding="utf-8")


def rows_below(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its first two lines."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_tools_is_that_of_the_code() -> None:
    listed = rows_below("Tools")
    assert [
        [f"`{tool.name}`", ", ".join(f"`{one.name}`" for one in tool.own_parameters)]
        for tool in TOOLS.values()
    ] == [[row[0], row[2]] for row in listed]
    assert [row[3] for row in listed] == [str(tool.limit) for tool in TOOLS.values()]


def test_parameters_are_named_as_the_options_of_the_command() -> None:
    context = click.Context(main)
    same = 0
    for name, command_name, parameters, _ in rows_below("Tools"):
        command = main.get_command(context, command_name.strip("`"))
        assert command is not None, name
        known = {
            option.removeprefix("--").replace("-", "_")
            for one in command.params
            for option in (*one.opts, one.name or "")
        }
        # the arguments of the command, which have no option, and the trials
        arguments = {"nct", "older", "newer", "conditions"}
        given = set(re.findall(r"`(\w+)`", parameters))
        assert given - arguments <= known, name
        same += len(given - arguments)
    print(f"parameters: {same} of {len(TOOLS)} tools named as options")


def test_the_table_of_keys_and_the_limits_are_those_of_the_code() -> None:
    keys = [row[0].strip("`") for row in rows_below("What an answer has")]
    assert sorted(keys) == sorted(one.name for one in fields(ToolAnswer))
    assert f"{MOST_CHARACTERS:,} characters" in PAGE
    assert f"up to {MOST_ROWS}" in PAGE


def test_the_settings_of_the_clients_are_json_that_starts_the_command() -> None:
    blocks = re.findall(r"```json title=[^\n]+\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        ((_, servers),) = json.loads(block).items()
        assert servers["ctsync"]["command"] == "ctsync"
        assert servers["ctsync"]["args"][-1] == "mcp"
