"""The two output streams and files: data on stdout, words on stderr.

A file format is UTF-8 wherever it goes; only text for a person is in the encoding of the stream.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ctsync.cli.streams import drop_output
from ctsync.errors import WRITE_FAILS, CtsyncError, OutputError, UsageError
from ctsync.files import replace_file, replacing
from ctsync.report.rows.row_json import dump
from ctsync.text import for_terminal

STDOUT = Path("-")
_COMMAND = re.compile(r"ctsync [a-z]+[^;,()]*")
_GLUE = "\N{NO-BREAK SPACE}"


def tell(words: str) -> None:
    """Write a message for a person to stderr. A terminal gets lines that end at a word."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        words = "\n".join(broken_at_words(line, width) for line in words.split("\n"))
    click.echo(words, err=True)


def broken_at_words(line: str, width: int) -> str:
    """A line of a message as lines of a terminal. A command stays on one line, to be copied."""
    if len(line) <= width:
        return line
    glued = _COMMAND.sub(lambda found: found[0].replace(" ", _GLUE), line)
    lines = textwrap.wrap(glued, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_GLUE, " ")


def show_json(value: Any) -> None:
    """Write indented JSON to stdout; rows of questions, alone or inside, are written as objects.

    JSON allows C1 control characters and bidi marks, which could control a terminal: they are
    written as JSON escapes.
    """
    text = dump(value, indent=True).decode()
    safe = "".join(c if c == "\n" or for_terminal(c) == c else json.dumps(c)[1:-1] for c in text)
    write_document(safe)


def write_document(text: str) -> None:
    """Write a text in a file format to stdout.

    It is UTF-8 in a pipe or a file. A terminal gets the characters that it can show: to others,
    bytes of UTF-8 could be control codes.
    """
    if sys.stdout.isatty():
        click.echo(text.rstrip("\n"))
    else:
        _write_lines([text.rstrip("\n") + "\n"])


def _write_lines(lines: Iterable[str]) -> None:
    """Write lines to stdout as UTF-8; stops without an error if the reader has gone."""
    try:
        for line in lines:
            click.echo(line.encode(errors="backslashreplace"), nl=False)
    except BrokenPipeError as error:
        drop_output(sys.stdout, error)


def cannot_write(path: Path, error: OSError) -> CtsyncError:
    """The error of a file that cannot be written: OutputError for a full disk, else UsageError."""
    kind = OutputError if error.errno in WRITE_FAILS else UsageError
    return kind(f"cannot write {path}: {error.strerror or error}")


def write_file(path: Path, text: str) -> None:
    """Replace a file atomically and create its folder; "-" means stdout.

    Raises OutputError or UsageError if the file cannot be written.
    """
    if path == STDOUT:
        write_document(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file atomically and create its folder.

    Raises OutputError or UsageError if the file cannot be written; the old file is then kept.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_lines(output: Path | None, lines: Iterable[str], what: str) -> None:
    """Stream lines as UTF-8 to stdout, or to a file that is replaced atomically.

    Raises OutputError or UsageError if the file cannot be written; the old file is then kept.
    """
    if output is None or output == STDOUT:
        _write_lines(lines)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with replacing(output) as file:
            for line in lines:
                file.write(line.encode(errors="backslashreplace"))
    except OSError as error:
        raise cannot_write(output, error) from error
    tell(for_terminal(f"wrote {output}: {what}"))
