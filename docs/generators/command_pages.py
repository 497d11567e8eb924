"""The pages of the commands, from the click command tree."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import click

from ctsync.cli import main
from docs.generators.markdown_text import block, code, escape, page, table

FOLDER = "reference/commands"


def command_pages() -> Mapping[str, str]:
    """Every page about commands by its path: the index, and one page per top-level command."""
    # with its settings, because click keeps the names of the help option from the first context
    context = click.Context(main, info_name="ctsync", **main.context_settings)
    pages = {f"{FOLDER}/index.md": _index(context)}
    for name, command in _subcommands(context):
        pages[f"{FOLDER}/{name}.md"] = _command_page(name, command, context)
    return pages


def _index(context: click.Context) -> str:
    rows = [
        (f"[{name}]({name}.md)", escape(_summary(command)))
        for name, command in _subcommands(context)
    ]
    return page(
        "Commands",
        "Every command of ctsync.",
        "Data go to stdout, messages to stderr. `ctsync COMMAND --help` shows the same help as "
        "these pages. All commands share one list of [exit codes](../exit-codes.md).",
        table(("Command", "Summary"), rows),
        "## Options of every command",
        "These options stand before the name of the command: `ctsync --database URL sync`.",
        _options(main, context),
    )


def _command_page(name: str, command: click.Command, parent: click.Context) -> str:
    context = click.Context(command, info_name=name, parent=parent)
    if not isinstance(command, click.Group):
        return page(f"ctsync {name}", _summary(command), _body(command, context))
    parts = [_paragraphs(command.help)]
    for sub_name, sub_command in _subcommands(context):
        sub_context = click.Context(sub_command, info_name=sub_name, parent=context)
        parts += [f"## ctsync {name} {sub_name}", _body(sub_command, sub_context)]
    return page(f"ctsync {name}", _summary(command), *parts)


def _body(command: click.Command, context: click.Context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    return "\n".join(
        (
            block(usage),
            _paragraphs(command.help),
            _options(command, context),
            _paragraphs(command.epilog),
        )
    )


def _subcommands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield name, command


def _summary(command: click.Command) -> str:
    return command.get_short_help_str(limit=500)


def _paragraphs(text: str | None) -> str:
    """Return a help text as Markdown; a paragraph after a backspace line is kept as it is."""
    parts = []
    for paragraph in inspect.cleandoc(text or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            parts.append(block(paragraph.removeprefix("\b\n")))
        else:
            parts.append(escape(paragraph) + "\n")
    return "\n".join(parts)


def _options(command: click.Command, context: click.Context) -> str:
    rows = [
        (_names(option, context), _text(option))
        for option in command.get_params(context)
        if isinstance(option, click.Option) and not option.hidden
    ]
    return table(("Option", "Effect"), rows)


def _names(option: click.Option, context: click.Context) -> str:
    value = "" if option.is_flag or option.count else f" {option.make_metavar(context)}"
    return ", ".join(code(f"{name}{value}") for name in (*option.opts, *option.secondary_opts))


def _text(option: click.Option) -> str:
    notes = []
    if option.multiple and "may be repeated" not in (option.help or ""):
        notes.append("May be repeated.")
    if option.required:
        notes.append("Required.")
    if _has_default(option):
        notes.append(f"Default: {code(_shown(option.default))}.")
    return " ".join([escape(option.help or ""), *notes])


def _has_default(option: click.Option) -> bool:
    """Whether there is a default to show that the help text does not name."""
    default = option.to_info_dict()["default"]
    is_plain = isinstance(default, str | int | float) and not isinstance(default, bool)
    unset = option.is_flag or option.count or default in {"", None} or not is_plain
    return not unset and "default" not in (option.help or "")


def _shown(value: Any) -> str:
    return str(getattr(value, "value", value))
