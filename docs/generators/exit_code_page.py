"""The page of the exit codes, from the table beside the errors."""

from __future__ import annotations

from ctsync.errors import EXIT_CODES
from docs.generators.markdown_text import code, escape, page, table

PATH = "reference/exit-codes.md"


def exit_code_page() -> str:
    """Return the page: one row per exit code."""
    rows = [
        (code(str(number)), escape(entry.meaning), escape(entry.action))
        for number, entry in EXIT_CODES.items()
    ]
    return page(
        "Exit codes",
        "Every exit code of ctsync.",
        "Scripts and monitors can rely on these codes. They are the same for every command.",
        table(("Code", "Meaning", "What to do"), rows),
        "An error is one line on stderr that begins with `ctsync:`. It says what is wrong, where, "
        "and which command or setting corrects it.",
    )
