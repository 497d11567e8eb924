"""The site of `ctsync site`: valid pages without broken links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from ctsync.demo.story import TRIAL, studies
from tests.cli.conftest import SEED, Shell
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry
from tests.web.html_pages import broken_links, html_faults

OTHER = "NCT05935098"
URL = "https://trials.example.org/ct"


def files_of(folder: Path) -> dict[str, str]:
    """Return the files of a site by path; a workbook is not text, and counts as empty."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): (
            "" if path.suffix == ".xlsx" else path.read_text("utf-8")
        )
        for path in paths
    }


def follow(shell: Shell, registry: ReplayRegistry, loads: Sequence[str], *ids: str) -> None:
    """Follow trials and sync on each load."""
    registry.load = loads[0]
    shell.run("watch", "add", *ids)
    for day in loads:
        registry.load = day
        shell.run("sync")


def check(files: dict[str, str]) -> None:
    """Check each page and each link of a site."""
    faults = {name: html_faults(text) for name, text in files.items() if name.endswith(".html")}
    broken = list(broken_links(files))
    print(f"{len(faults)} pages, {len(broken)} broken links")
    assert {name: found for name, found in faults.items() if found} == {}
    assert broken == []


@pytest.fixture
def demo(shell: Shell, registry: ReplayRegistry) -> Shell:
    """A shell that followed the trial of the demo over its loads."""
    loads = [f"{load:%Y-%m-%d}" for load in sorted(studies())]
    registry.catalogue = Catalogue(loads[0])
    for load, study in sorted(studies().items()):
        registry.catalogue.publish(study, load=f"{load:%Y-%m-%d}")
    follow(shell, registry, loads, TRIAL)
    return shell


@pytest.mark.slow
def test_the_site_of_the_demo_has_no_broken_links(demo: Shell, tmp_path: Path) -> None:
    demo.run("site", str(tmp_path / "site"), "--since", "all")
    files = files_of(tmp_path / "site")

    assert {"index.html", "changes.html", f"trials/{TRIAL}.html"} <= files.keys()
    assert sum(name.startswith("days/20") for name in files) == len(studies())
    check(files)

    said = demo.run("site", str(tmp_path / "site"), "--since", "all").stderr
    print(said.strip())
    (written,) = re.findall(r"([\d,]+) written", said)
    assert int(written) <= 4  # the pages that show the time: the newest day, and empty feeds
    assert " 0 deleted" in said


def test_a_site_of_no_sync_and_of_no_trial_is_complete(shell: Shell, tmp_path: Path) -> None:
    shell.run("db", "upgrade")
    shell.run("site", str(tmp_path / "site"))
    files = files_of(tmp_path / "site")

    assert "No change in 0 trials" in files["index.html"]
    assert "No watch yet" in files["watches.html"]
    check(files)


@pytest.mark.slow
def test_a_report_as_a_page_links_to_web_url(demo: Shell) -> None:
    page = demo.run("report", "--since", "all", "--format", "html").stdout
    assert f"trials/{TRIAL}.html" not in page

    demo.env["CTSYNC_WEB__URL"] = URL
    page = demo.run("report", "--since", "all", "--format", "html").stdout
    assert f'href="{URL}/trials/{TRIAL}.html"' in page
    assert f'<a href="{URL}/trials.html">all trials</a>' in page
    assert "ctsync changes" not in page


@pytest.mark.slow
def test_the_feed_and_a_page_alone_link_to_web_url(demo: Shell, tmp_path: Path) -> None:
    demo.env["CTSYNC_WEB__URL"] = URL
    demo.run("site", str(tmp_path / "site"), "--since", "all")
    files = files_of(tmp_path / "site")

    assert f'href="{URL}/trials/{TRIAL}.html#v3"' in files["feed.atom"]
    assert URL not in files["index.html"]
    assert (
        f'<a href="{URL}/trials.html" aria-current="page">Trials</a>'
        in demo.run("page", TRIAL).stdout
    )


def test_each_watch_and_level_has_a_feed_that_stays_the_same_file(
    shell: Shell, registry: ReplayRegistry, tmp_path: Path
) -> None:
    shell.run("watch", "add", SEED, "--name", "one")
    shell.run("watch", "add", OTHER, "--name", "other / two")
    shell.run("sync")
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {"protocolSection.statusModule.overallStatus": "TERMINATED"})
    shell.run("sync")
    shell.run("site", str(tmp_path / "site"), "--since", "all")
    files = files_of(tmp_path / "site")

    feeds = {name: text for name, text in files.items() if name.startswith("feeds/")}
    found = {
        re.sub(r"(watch.*)-[0-9a-f]{8}", r"\1", name): (SEED in text, OTHER in text)
        for name, text in feeds.items()
    }
    kinds = {"level-critical": True, "level-notable": True, "level-routine": True}
    kinds |= {"watch-one": True, "watch-other-two": False}
    forms = ("atom", "json")
    assert found == {
        f"feeds/{kind}.{form}": (has_seed, False)
        for kind, has_seed in kinds.items()
        for form in forms
    }
    ids = {re.search(r"<id>(.*?)</id>", text)[1] for name, text in feeds.items() if "<id>" in text}  # type: ignore[index]  # each feed has an id
    assert len(ids) == len(kinds)
    for page in ("changes.html", "watches.html"):
        heads = set(
            re.findall(r'<link rel="alternate" type="\S+" title=".*" href="(\S+)">', files[page])
        )
        assert {name for name in feeds if "watch-" in name} <= heads
    assert feeds.keys() <= heads | set(re.findall(r'href="(feeds/\S+?)"', files["changes.html"]))
    check(files)

    shell.run("site", str(tmp_path / "site"), "--since", "all")
    assert {name: files_of(tmp_path / "site")[name] for name in feeds} == feeds
