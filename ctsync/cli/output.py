"""Output to the two streams and to files: data on stdout, messages on stderr.

File formats are always UTF-8; only text for people uses the encoding of the stream.
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
    """Write a message for the user to stderr. On a terminal, lines end at a word."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        words = "\n".join(broken_at_words(line, width) for line in words.split("\n"))
    click.echo(words, err=True)


def broken_at_words(line: str, width: int) -> str:
    """Break a line at words for a terminal. A command stays on one line, so it can be copied."""
    if len(line) <= width:
        return line
    glued = _COMMAND.sub(lambda found: found[0].replace(" ", _GLUE), line)
    lines = textwrap.wrap(glued, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_GLUE, " ")


def show_json(value: Any) -> None:
    """Write indented JSON to stdout; rows of questions, also nested ones, are written as objects.

    JSON allows C1 control characters and bidi marks, which could control a terminal: they are
    written as JSON escapes.
    """
    text = dump(value, indent=True).decode()
    safe = "".join(c if c == "\n" or for_terminal(c) == c else json.dumps(c)[1:-1] for c in text)
    write_document(safe)


def write_document(text: str) -> None:
    """Write a text in a file format to stdout.

    It is UTF-8 in a pipe or a file. A terminal gets its own encoding: in another encoding, UTF-8
    bytes could be control codes.
    """
    if sys.stdout.isatty():
        click.echo(text.rstrip("\n"))
    else:
        _write_lines([text.rstrip("\n") + "\n"])


def _write_lines(lines: Iterable[str]) -> None:
    """Write lines to stdout as UTF-8; stop without an error if the reader closed the pipe."""
    try:
        for line in lines:
            click.echo(line.encode(errors="backslashreplace"), nl=False)
    except BrokenPipeError as error:
        drop_output(sys.stdout, error)


def cannot_write(path: Path, error: OSError) -> CtsyncError:
    """Return the error for a failed write: OutputError for a full disk, otherwise UsageError."""
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
