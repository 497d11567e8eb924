"""The mkdocs hook: makes the generated pages, and corrects links that leave the site.

A page in docs/ may link to a file at the top of the checkout, as it must on a code host. The
site has such a file as a page (`SHARED_PAGES`) or as a download (`config/`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.generators import exit_code_page, json_page, settings_page
from docs.generators.command_pages import command_pages
from docs.generators.markdown_text import code, escape, page, table
from docs.generators.rule_tables import rule_table, threshold_table

ROOT = Path(__file__).parents[2]
DECISIONS = "decisions/index.md"
SHARED_PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files at the top of the checkout that are pages of the site, with their place there."""

_TABLES: Mapping[str, Callable[[], str]] = {"rules": rule_table, "thresholds": threshold_table}
_PLACE = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_EXTERNAL = re.compile(r"[a-z]+:|#|/")


def generated_pages() -> Mapping[str, str]:
    """Every generated page by its path below docs/."""
    shared = {
        path: with_site_links((ROOT / name).read_text(encoding="utf-8"), "../" + name, path)
        for name, path in SHARED_PAGES.items()
    }
    return {
        **command_pages(),
        settings_page.PATH: settings_page.settings_page(),
        json_page.PATH: json_page.json_page(),
        exit_code_page.PATH: exit_code_page.exit_code_page(),
        DECISIONS: _decisions_page(),
        **shared,
    }


def downloads() -> Iterator[Path]:
    """Yield the files that pages link to: those of config/, and the Containerfile."""
    yield from sorted(path for path in (ROOT / "config").iterdir() if path.is_file())
    yield ROOT / "Containerfile"


def with_tables(markdown: str) -> str:
    """Replace each `<!-- generated: NAME -->` line by its table."""
    return _PLACE.sub(lambda place: _TABLES[place[1]](), markdown)


def with_site_links(markdown: str, source: str, shown_at: str) -> str:
    """Rewrite the relative links of a text for its place in the site.

    `source` is the path of the file the text comes from, and `shown_at` that of its page, both
    relative to docs/.
    """

    def rewritten(link: re.Match[str]) -> str:
        target, _, anchor = link[2].partition("#")
        if _EXTERNAL.match(link[2]):
            return link[0]
        place = normpath(str(PurePosixPath(source).parent / target))
        found = _place_in_site(place)
        there = relpath(found, str(PurePosixPath(shown_at).parent))
        return f"{link[1]}{there}{'#' + anchor if anchor else ''}{link[3]}"

    return _LINK.sub(rewritten, markdown)


def _place_in_site(place: str) -> str:
    """Return where the site has a file, given by its path relative to docs/."""
    if place == "../README.md":
        return "index.md"
    if place.startswith("../docs/"):
        return _place_in_site(place.removeprefix("../docs/"))
    if place == "decisions":
        return DECISIONS
    if place.startswith("../"):
        name = place.removeprefix("../")
        return SHARED_PAGES.get(name, name)
    return place


def _decisions_page() -> str:
    rows = []
    for path in _decisions():
        text = path.read_text(encoding="utf-8")
        title, answer = text.split("\n\n")[:2]
        shown = " ".join(answer.removeprefix("**tl;dr** ").split())
        rows.append((code(path.stem[:3]), f"[{escape(title[2:])}]({path.name})", shown))
    return page(
        "Decisions",
        "Why ctsync is built as it is.",
        "Each decision is one short page: the answer, the reasons, and what would change it.",
        table(("Number", "Decision", "Answer"), rows),
    )


# --- events of mkdocs -------------------------------------------------------------------------


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the generated pages to the navigation, below the index pages that it names."""
    paths = [*command_pages(), *(f"decisions/{path.name}" for path in _decisions())]
    config.nav = _with_siblings(config.nav or [], paths)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and the downloads."""
    for path, content in generated_pages().items():
        files.append(File.generated(config, path, content=content))
    for download in downloads():
        shown = download.relative_to(ROOT).as_posix()
        files.append(File.generated(config, shown, abs_src_path=str(download)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - the signature of mkdocs
    """Fill in the tables, and correct the links of pages that are files in docs/."""
    path = page.file.src_uri
    if page.file.generated_by:
        return markdown
    return with_tables(with_site_links(markdown, path, path))


def _decisions() -> list[Path]:
    return sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def _with_siblings(nav: list[Any], paths: list[str]) -> list[Any]:
    """Return a navigation in which each list that begins with an index.md has its siblings."""
    found: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, below),) = entry.items()
            nested = _with_siblings(below, paths) if isinstance(below, list) else below
            found.append({title: nested})
            continue
        found.append(entry)
        if entry.endswith("/index.md"):
            folder = entry.removesuffix("index.md")
            found += [path for path in paths if path != entry and path.startswith(folder)]
    return found
