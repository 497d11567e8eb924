"""Faults of HTML pages and of the links between the pages of a site."""

from __future__ import annotations

import json
import posixpath
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
_SVG_EMPTY = frozenset({"line", "rect", "circle", "path"})
_BLOCKS = frozenset(
    {"table", "section", "ul", "ol", "dl", "details", "header", "footer", "nav", "main", "p", "svg"}
    | {f"h{n}" for n in range(1, 7)}
)
_CHILDREN = {
    "table": {"caption", "thead", "tbody"},
    "thead": {"tr"},
    "tbody": {"tr"},
    "tr": {"th", "td"},
    "ul": {"li"},
    "ol": {"li"},
    "dl": {"div"},
}
_ATOM = "{http://www.w3.org/2005/Atom}"
REGISTRY = re.compile(
    r"https://clinicaltrials\.gov/(study/NCT\d{8}(\?tab=history\S*)?|api/v2/studies/NCT\d{8})"
)


class HtmlFaults(HTMLParser):
    """Collects the faults of a page, its ids and its links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self._tables: list[set[str]] = []
        self._labels: list[str] = []
        self.feed(page)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self._open]
        self.faults += [f"id {one} stands twice" for one in _repeated(self.ids)]
        self.faults += [f"no element has id {one}" for one in self._labels if one not in self.ids]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        names = [name for name, _ in attrs]
        self.faults += [f"<{tag}> has {one} twice" for one in _repeated(names)]
        self._nesting(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if "href" in given:
            self.links.append(given["href"])
        self._labels += given.get("aria-labelledby", "").split()
        if tag == "svg" and not (given.get("role") == "img" and given.get("aria-labelledby")):
            self.faults.append("<svg> has no label")
        if tag == "th" and given.get("scope") not in {"row", "col", "rowgroup"}:
            self.faults.append("<th> has no scope")
        if tag == "table":
            self._tables.append(set())
        elif self._tables:
            self._tables[-1].add(tag)
        if tag not in _VOID:
            self._open.append(tag)

    def _nesting(self, tag: str) -> None:
        parent = self._open[-1] if self._open else ""
        if tag not in _CHILDREN.get(parent, {tag}):
            self.faults.append(f"<{tag}> stands in <{parent}>")
        if tag in _BLOCKS and "p" in self._open:
            self.faults.append(f"<{tag}> stands in <p>")
        if tag == "a" and "a" in self._open:
            self.faults.append("a link stands in a link")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SVG_EMPTY:
            self.faults.append(f"<{tag}/> closes itself")
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes another element")
        if tag == "table" and not {"caption", "thead", "th"} <= self._tables.pop():
            self.faults.append("<table> has no caption or no header")

    def handle_data(self, data: str) -> None:
        if data.strip() and self._open and self._open[-1] in _CHILDREN:
            self.faults.append(f"text stands in <{self._open[-1]}>: {data.strip()[:40]}")


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def html_faults(page: str) -> list[str]:
    """Return what is wrong with a page; empty if nothing."""
    return HtmlFaults(page).faults


def broken_links(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each link of a site that leads nowhere, with the file that holds it.

    A link may lead to a file, to a place in a page, or to ClinicalTrials.gov.
    """
    ids = {name: HtmlFaults(text).ids for name, text in files.items() if name.endswith(".html")}
    for name, text in files.items():
        for link in _links(name, text):
            path, _, place = link.partition("#")
            beside = posixpath.join(posixpath.dirname(name), path)
            target = posixpath.normpath(beside) if path else name
            is_known = target in files and (not place or place in ids.get(target, []))
            if not is_known and not REGISTRY.fullmatch(link):
                yield name, link


def _links(name: str, text: str) -> list[str]:
    if name.endswith(".html"):
        return HtmlFaults(text).links
    if name.endswith(".json") and not name.endswith(".rows.json"):
        found = json.loads(text)  # a feed, or the rows of the portfolio
        return [item["url"] for item in (found["items"] if isinstance(found, dict) else found)]
    if name.endswith(".atom"):
        return [link.get("href", "") for link in ET.fromstring(text).iter(f"{_ATOM}link")]
    return []
