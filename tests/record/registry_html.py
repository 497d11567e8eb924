"""Conversion of v2 bodies to the form of the registry's history, for tests.

Shares no code with the conversion under test. Follows measurements on real history bodies: every
string is escaped, texts that v2 writes as Markdown are HTML, a text of one paragraph has no <p>,
a list item with more than its text has <p>, and a line break follows each sentence.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_MARKDOWN = MarkdownIt("commonmark")
_SENTENCE = re.compile(r"(?<=[a-z\d)][.?!]) (?=[A-Z])")


def as_html(value: Any, markdown_fields: Collection[str], path: str = "") -> Any:
    """Return the same content with its texts as HTML. `markdown_fields` are dotted paths."""
    match value:
        case dict():
            return {
                key: as_html(child, markdown_fields, f"{path}.{key}" if path else key)
                for key, child in value.items()
            }
        case list():
            return [as_html(item, markdown_fields, path) for item in value]
        case str():
            return rendered(value) if path in markdown_fields else escaped(value)
        case _:
            return value


def escaped(text: str) -> str:
    return html.escape(text, quote=True).replace("/", "&#x2F;")


def rendered(markdown: str) -> str:
    """Return a Markdown text as HTML."""
    if not re.search(r"[\n\\*]|^\d+[.)] ", markdown):
        return _wrapped(markdown)
    blocks = list(SyntaxTreeNode(_MARKDOWN.parse(markdown)).children)
    if [node.type for node in blocks] == ["paragraph"]:
        return _inline(blocks[0])
    return "".join(map(_block, blocks))


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "paragraph":
            return f"<p>{_inline(node)}</p>"
        case "bullet_list":
            return f"<ul>{''.join(map(_item, node.children))}</ul>"
        case "ordered_list":
            return _numbered(node)
        case "html_block" if node.content.strip() == "<!-- -->":
            return ""
        case "code_block":
            return f"<pre><code>{escaped(node.content)}</code></pre>"
        case other:
            raise NotImplementedError(f"{other}: {node.content!r}")


def _numbered(node: SyntaxTreeNode) -> str:
    """Render a numbered list. A gap in the numbers, which Markdown cannot express, splits it."""
    made = ""
    expected = None
    for item in node.children:
        number = int(item.info)
        if number != expected:
            made += "</ol>" if made else ""
            made += "<ol>" if number == 1 else f'<ol start="{number}">'
        made += _item(item)
        expected = number + 1
    return f"{made}</ol>"


def _item(node: SyntaxTreeNode) -> str:
    if [child.type for child in node.children] == ["paragraph"]:
        return f"<li>{_inline(node.children[0])}</li>"
    return f"<li>{''.join(map(_block, node.children))}</li>"


def _inline(paragraph: SyntaxTreeNode) -> str:
    (inline,) = paragraph.children
    return "".join(_piece(node) for node in inline.children)


def _piece(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text":
            return _wrapped(node.content)
        case "softbreak":
            return "\n"
        case "hardbreak":
            return "<br>"
        case "html_inline":
            return node.content
        case other:
            raise NotImplementedError(f"{other}: {node.content!r}")


def _wrapped(text: str) -> str:
    return escaped(_SENTENCE.sub("\n", text))
