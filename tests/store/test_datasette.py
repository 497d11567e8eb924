"""Datasette on the database file, as docs/sql.md shows it: pages and facets of the views."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from ctsync.model import NctId
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.store.test_sql_views import PAGE, VIEWS, fill, history
from tests.sync.histories import keep_history

pytestmark = pytest.mark.slow

START_SECONDS = 120


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("datasette") / "ctsync.db"
    fill(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="module")
def datasette(file: Path) -> Iterator[httpx.Client]:
    """The command of the page, on a free port."""
    (command,) = re.findall(r"(?m)^datasette (ctsync\.db)$", PAGE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "datasette", command, "--port", f"{port}"],
        cwd=file.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            _wait(client, process)
            yield client
    finally:
        process.kill()
        process.communicate()


def _wait(client: httpx.Client, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"datasette ended: {process.communicate()[1][-2000:]}")
        with suppress(httpx.TransportError):
            client.get("/-/versions.json").raise_for_status()
            return
        time.sleep(0.2)
    pytest.fail("datasette did not start")


def test_every_address_of_the_page_shows_the_counts_of_its_facets(
    datasette: httpx.Client,
) -> None:
    addresses = re.findall(r"`(?:http://127\.0\.0\.1:8001)?(/ctsync/v_\w+\?[^`]+)`", PAGE)
    assert len(addresses) == 2
    counted = 0
    for address in addresses:
        path, asked = address.split("?")
        shown = datasette.get(address)
        assert shown.status_code == 200, address
        found = datasette.get(f"{path}.json?{asked}&_shape=objects&_size=max").json()
        for facet in re.findall(r"_facet=(\w+)", asked):
            counts = {
                one["value"]: one["count"] for one in found["facet_results"][facet]["results"]
            }
            assert counts == Counter(row[facet] for row in found["rows"]), (address, facet)
            assert all(f">{value}</a>" in shown.text for value in counts), (address, facet)
            counted += len(counts)
    assert counted >= 6
    print(f"datasette: {len(addresses)} pages, {counted} values of facets counted")


def test_every_view_has_a_page_and_can_be_filtered(datasette: httpx.Client) -> None:
    for view in VIEWS:
        found = datasette.get(f"/ctsync/{view}.json?_shape=array").json()
        trial = found[0]["nct_id"]
        chosen = datasette.get(f"/ctsync/{view}.json?_shape=array&nct_id={trial}").json()
        assert chosen == [row for row in found if row["nct_id"] == trial]
        assert 0 < len(chosen) < len(found)


def test_a_version_stored_meanwhile_is_shown(datasette: httpx.Client, file: Path) -> None:
    before = datasette.get("/ctsync/v_trials.json?_shape=array").json()
    with open_store(f"sqlite:///{file}", clock=StillClock()) as store:
        added = keep_history(store, history(NctId("NCT00000002")))
    after = datasette.get("/ctsync/v_trials.json?_shape=array").json()
    assert {row["nct_id"] for row in after} - {row["nct_id"] for row in before} == {added}
