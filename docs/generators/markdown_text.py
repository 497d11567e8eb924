"""Markdown of program texts: tables, code and escaped text. Does no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"(`[^`]+`)")
_MARKUP = re.compile(r"([\\*_\[\]|])")


def escape(text: str) -> str:
    """Escape Markdown and HTML in one line of text, except between backquotes."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(
        part.replace("|", "\\|") if part.startswith("`") and len(part) > 1 else _plain(part)
        for part in parts
    )


def _plain(text: str) -> str:
    without_html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", without_html)


def code(text: str) -> str:
    """Return inline code."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are Markdown on one line each."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def block(text: str, language: str = "text") -> str:
    """Return a code block."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def page(title: str, description: str, *parts: str) -> str:
    """Return a page from its title, its description for search engines, and its parts."""
    # quoted, because a colon in a text would end the front matter
    front_matter = f"title: {json.dumps(title)}\ndescription: {json.dumps(description)}"
    body = "\n".join(part.rstrip() + "\n" for part in parts if part.strip())
    return f"---\n{front_matter}\n---\n\n# {title}\n\n{body}"
