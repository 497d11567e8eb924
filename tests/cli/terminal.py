"""Runs a command in a real terminal, and reads its output."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

from tests.cli.conftest import Shell

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def at_a_terminal(shell: Shell, *words: str, columns: int = 80) -> list[str]:
    """Return the lines that a command shows on a terminal of the given width, without styles."""
    return _STYLE.sub("", styled(shell, *words, columns=columns)).splitlines()


def styled(shell: Shell, *words: str, columns: int = 80) -> str:
    """Return the stdout of a command on a terminal of the given width, with its escape codes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**os.environ, **{key: value for key, value in shell.env.items() if value is not None}}
    env = {key: value for key, value in env.items() if key not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-m", "ctsync", *words], stdout=theirs, stderr=subprocess.DEVNULL, env=env
    ) as running:
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 65536):
                seen += piece
        except OSError:  # the command has closed the other end
            pass
        assert running.wait() == 0
    os.close(ours)
    return seen.decode()
