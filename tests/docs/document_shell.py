"""A shell for the commands of a page: `ctsync` runs in this process, all else in bash."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner

from ctsync.cli import main

_ASSIGNMENT = "="


@dataclass
class DocumentShell:
    """Runs lines in a folder; `stand_ins` replaces places and servers that only a reader has.

    Understands `&&`, `export`, assignments before a command, `>` and `|` after a command. `output`
    is the stdout of the last command.
    """

    folder: Path
    env: dict[str, str | None]
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    output: str = ""

    def local(self, text: str) -> str:
        """Return a text with the stand-ins in place."""
        for shown, real in self.stand_ins.items():
            text = text.replace(shown, real)
        return text

    def run(self, line: str) -> None:
        """Run a line; fails with all output if a command does not exit with 0."""
        for words in _commands(self.local(line)):
            self._run_words(words)

    def _run_words(self, words: list[str]) -> None:
        if words[0] == "export":
            self.env |= dict(_assignment(word) for word in words[1:])
            return
        given = {}
        while _ASSIGNMENT in words[0] and words[0].partition(_ASSIGNMENT)[0].isidentifier():
            name, value = _assignment(words.pop(0))
            given[name] = value
        if words[0] == "ctsync":
            self._run_ctsync(words[1:], self.env | given)
        else:
            self.output = self._bash(" ".join(map(_quoted, words)), self.env | given)

    def _run_ctsync(self, words: list[str], env: Mapping[str, str | None]) -> None:
        args, operator, rest = _split_output(words)
        done = CliRunner().invoke(main, args, env=dict(env), prog_name="ctsync")
        told = f"ctsync {shlex.join(args)}: exit code {done.exit_code}\n{done.output}"
        assert done.exit_code == 0, told
        self.output = done.stdout
        if operator == ">":
            (self.folder / rest[0]).write_text(self.output, encoding="utf-8")
        elif operator == "|":
            self.output = self._bash(" ".join(map(_quoted, rest)), env, stdin=self.output)

    def _bash(self, line: str, env: Mapping[str, str | None], stdin: str = "") -> str:
        merged = {name: value for name, value in (os.environ | env).items() if value is not None}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.folder,
            env=merged,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}: exit code {done.returncode}\n{done.stderr}"
        return done.stdout


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each command of a line; operators are words of their own."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for word in lexer:
        if word == "&&":
            yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def _assignment(word: str) -> tuple[str, str]:
    name, _, value = word.partition(_ASSIGNMENT)
    return name, value


def _split_output(words: list[str]) -> tuple[list[str], str, list[str]]:
    """Return the arguments, the operator after them (`>`, `|` or none), and what follows it."""
    for at, word in enumerate(words):
        if word in {">", "|"}:
            return words[:at], word, words[at + 1 :]
    return words, "", []


def _quoted(word: str) -> str:
    # a path with a wildcard, as in `mv ctsync.db*`, is for bash to expand
    return word if word in {">", "|"} or "*" in word else shlex.quote(word)
