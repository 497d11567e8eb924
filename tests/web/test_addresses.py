"""The addresses of pages, as files and as routes."""

from __future__ import annotations

import re
from datetime import date

import pytest

from ctsync.model import Level, NctId
from ctsync.report.addresses import Addresses

TRIAL, OTHER = NctId("NCT00000001"), NctId("NCT00000002")
DAY = date(2026, 2, 10)


def all_of(links: Addresses) -> list[str]:
    return [
        links.today, links.trials, links.changes, links.watches, links.runs, links.deliveries,
        links.rules, links.feed, links.json_feed, links.asset("style.css"), links.day(DAY),
        links.last_days(7), links.week(DAY), links.rule("R-ENR-02"), links.trial(TRIAL),
        links.version(TRIAL, 3), links.compare(TRIAL, 1, 2),
        links.record(TRIAL),
        *(address for feed in (links.watch_feed("My watch"), links.level_feed(Level.NOTABLE))
          for address in (feed.atom, feed.json)),
    ]  # fmt: skip


FILES = [
    "index.html", "trials.html", "changes.html", "watches.html", "runs.html", "deliveries.html",
    "rules.html", "feed.atom", "feed.json", "assets/style.css", "days/2026-02-10.html",
    "days/last-7.html", "changes/2026-02-10.html", "rules.html#R-ENR-02",
    "trials/NCT00000001.html", "trials/NCT00000001.html#v3", "trials/NCT00000001-1-2.html",
    "trials/NCT00000001-record.html", "feeds/watch-my-watch-6ecac41f.atom",
    "feeds/watch-my-watch-6ecac41f.json", "feeds/level-notable.atom", "feeds/level-notable.json",
]  # fmt: skip
ROUTES = [
    "trials", "changes", "watches", "runs", "deliveries", "rules", "feed.atom", "feed.json",
    "assets/style.css", "?day=2026-02-10", "?days=7", "changes?week=2026-02-10",
    "rules#R-ENR-02", "trials/NCT00000001", "trials/NCT00000001#v3",
    "trials/NCT00000001/compare?from=1&to=2", "trials/NCT00000001/record",
    "feed.atom?watch=My+watch", "feed.json?watch=My+watch", "feed.atom?level=notable",
    "feed.json?level=notable",
]  # fmt: skip


@pytest.mark.parametrize("root", ["", "../", "https://ct.example.org/"])
def test_addresses_are_files_of_a_site_or_routes_of_a_server(root: str) -> None:
    assert all_of(Addresses(root, {TRIAL})) == [root + path for path in FILES]
    assert all_of(Addresses(root, {TRIAL}, is_served=True)) == [root + p for p in ["", *ROUTES]]


def test_watches_with_the_same_letters_have_feeds_of_their_own() -> None:
    names = ("a b", "A B", "a-b", "../a b", "a b" * 30, "試験", "\ud800", "")
    links = [Addresses("").watch_feed(name) for name in names]
    assert len({feed.atom for feed in links}) == len(names)
    for feed in links:
        assert re.fullmatch(r"feeds/watch-[a-z0-9-]{8,60}\.atom", feed.atom)


def test_a_trial_without_a_page_has_no_address() -> None:
    assert not Addresses("", {TRIAL}).trial(OTHER)
    assert not Addresses("", {TRIAL}).version(OTHER, 1)


def test_only_a_server_has_the_record_of_any_version_and_takes_two_versions_from_a_form() -> None:
    files, served = Addresses(""), Addresses("/", is_served=True)
    assert (files.record(TRIAL, 2), files.compare_form(TRIAL)) == ("", "")
    assert served.record(TRIAL, 2) == f"/trials/{TRIAL}/record?version=2"
    assert served.compare_form(TRIAL) == f"/trials/{TRIAL}/compare"
