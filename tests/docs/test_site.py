"""The built site: complete, and without anything from another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?([^\"' >]+)")
LINKED = re.compile(r"<link\b[^>]*>")
HREF = re.compile(r"\bhref=[\"']?([^\"' >]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documentation") / "site"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert "WARNING" not in built.stderr
    return folder


@pytest.mark.slow
def test_the_site_loads_nothing_from_another_host(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 60
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = [*LOADED.findall(text), *(HREF.findall(tag)[0] for tag in LINKED.findall(text))]
        assert loaded
        assert [url for url in loaded if re.match(r"(?:https?:)?//", url)] == [], page.name


@pytest.mark.slow
def test_the_site_can_be_searched_from_a_folder(site: Path) -> None:
    assert (site / "search" / "search_index.js").read_text().startswith("var __index = ")
    assert "assets/iframe-worker.js" in (site / "index.html").read_text()


@pytest.mark.slow
def test_the_site_has_the_files_that_pages_link_to_and_no_generators(site: Path) -> None:
    assert (site / "config" / "ctsync.service").read_bytes() == (
        ROOT / "config" / "ctsync.service"
    ).read_bytes()
    assert not (site / "generators").exists()
    assert sorted(path.name for path in (site / "pictures").iterdir()) == [
        "report.png",
        "trial.png",
    ]
