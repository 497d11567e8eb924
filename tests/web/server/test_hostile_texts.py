"""Texts of attackers, in records and in addresses, on the pages of the server."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from ctsync.model import JsonObject
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.store.store import open_store
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.registry_fixtures import an_id, make_study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry
from tests.report.test_formats import tags_of
from tests.security.attacks import ATTACKS
from tests.web.html_pages import html_faults
from tests.web.server.conftest import DAYS, client_of

PAGES = ("/", "/?days=30", "/trials", "/changes", "/watches", "/runs", "/deliveries")
QUESTIONS = ("/trials?q={}", "/trials?sort={}", "/trials?sponsor={}", "/trials?all={}",
             "/changes?text={}", "/changes?sponsor={}", "/changes?kind={}", "/changes?from={}",
             "/?day={}", "/trials/{}", "/trials/NCT00000001/compare?from={}", "/{}")  # fmt: skip
HARMLESS = ("A trial", "long " * 50, "x@example.org")
# addresses of this server and of the registry; texts in them are percent-encoded
OWN_LINK = re.compile(
    r"(https://clinicaltrials\.gov/(study|api)/|/(?!/)|portfolio\.(csv|xlsx|json|ics)|\?|#)"
    r"[\w/?&=%+.~*:#-]*"
)


def study(number: int, texts: tuple[str, ...], status: str) -> JsonObject:
    # a record has no lone surrogates, because they are not UTF-8; an address may have their bytes
    title, sponsor, reason = (
        texts[(number + shift) % len(texts)].encode(errors="replace").decode() for shift in range(3)
    )
    body = make_study(an_id(number + 1), overallStatus=status, whyStopped=reason)
    protocol = body["protocolSection"]
    protocol["identificationModule"]["briefTitle"] = title
    protocol["sponsorCollaboratorsModule"]["leadSponsor"]["name"] = sponsor
    protocol["conditionsModule"] = {"conditions": [reason, title]}
    return body


def server_of(file: Path, texts: tuple[str, ...]) -> TestClient:
    """A server of trials whose texts are `texts`; each of them stops on the second day."""
    url, clock, catalogue = f"sqlite:///{file}", StillClock(), Catalogue(DAYS[0])
    for day, status in zip(DAYS, ("RECRUITING", "SUSPENDED"), strict=False):
        for number in range(len(texts)):
            catalogue.publish(study(number, texts, status), load=day)
    ids = [an_id(number + 1) for number in range(len(texts))]
    with open_store(url, clock=clock) as store, ReplayRegistry(catalogue) as registry:
        with store.unit() as unit:
            unit.watches.add_trials("a watch", dict.fromkeys(ids), clock.now())
        for day in DAYS[:2]:
            registry.load = day
            transport = Transport(registry.url, clock=clock, requests_per_second=1000)
            api = RegistryApi(transport, clock=clock, accept_load=True)
            TrialPass(store=store, registry=api, clock=clock).run(ids)
            transport.close()
    return client_of(url)


@pytest.mark.slow  # it stores two versions of 245 trials
@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.soak)])
def test_no_text_of_a_record_or_an_address_becomes_markup(
    tmp_path: Path, migrated_file: Path, step: int
) -> None:
    """Each text is on the pages of its trial, and in every `step`th question."""
    seen: set[object] = set()
    # as many trials with harmless texts: a long list has elements that a short one has not
    harmless = (HARMLESS * len(ATTACKS))[: len(ATTACKS)]
    for name, texts in (("benign", harmless), ("", ATTACKS)):
        file = tmp_path / f"{name or 'attacked'}.db"
        shutil.copy(migrated_file, file)
        foreign, strange, faults, errors, pages = set(), set(), [], [], 0
        with server_of(file, texts) as client:
            paths = [*PAGES, *(question.format(quote(text, safe="", errors="surrogatepass"))
                               for shift, question in enumerate(QUESTIONS)
                               for text in (HARMLESS if name else texts[shift % step :: step]))
                     ]  # fmt: skip
            for trial in map(an_id, range(1, 1 + len(HARMLESS if name else texts))):
                paths += [f"/trials/{trial}", f"/trials/{trial}/compare?from=1&to=2",
                          f"/trials/{trial}/record"]  # fmt: skip
            for path in paths:
                answer = client.get(path)
                if answer.status_code >= 500:
                    errors.append(path)
                if not answer.headers.get("content-type", "").startswith("text/html"):
                    continue
                pages += 1
                tags = tags_of(answer.text)
                if name:
                    seen |= tags.seen
                    continue
                foreign |= tags.seen - seen
                strange |= {link for link in tags.links if not OWN_LINK.fullmatch(link)}
                faults += [(path, fault) for fault in html_faults(answer.text)[:1]]
        assert errors == []
    print(f"server: {pages} pages, {len(ATTACKS)} attacks: {len(foreign)} tags or attributes from "
          f"data, {len(strange)} links from data")  # fmt: skip
    assert (foreign, strange, faults[:3]) == (set(), set(), [])
