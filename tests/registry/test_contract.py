"""The contract checks, against the unchanged replay registry and with differing answers.

All of them must hold on the replay registry, so that it follows the same contract.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus

import pytest

from ctsync.registry.contract.assumptions import (
    ABSENT,
    ALIAS,
    CANONICAL,
    ORG_ID,
    TRIAL,
    ContractFinding,
    ContractState,
    check_contract,
)
from ctsync.registry.contract.evidence import evidence
from ctsync.registry.contract.inquiry import LARGEST_INQUIRY, Exchange, Inquiry
from ctsync.registry.http.curl import find_curl
from ctsync.registry.http.transport import Transport
from tests.fakes import FakeClock
from tests.registry_fixtures import an_id, make_study
from tests.replay import faults
from tests.replay.catalogue import Catalogue
from tests.replay.faults import EVERY_TIME, Fault
from tests.replay.http_messages import Reply, plain_text
from tests.replay.registry_server import ReplayRegistry

LOAD = "2026-02-02"
CONTACT = {"name": "Maria Muster", "phone": "+49 151 2345678", "email": "maria@clinic.example.org"}
needs_curl = pytest.mark.skipif(find_curl() is None, reason="curl is not installed")


def study_of_organisation() -> dict[str, object]:
    study = make_study(TRIAL, contactsLocationsModule={"centralContacts": [CONTACT]})
    study["protocolSection"]["identificationModule"]["orgStudyIdInfo"]["id"] = ORG_ID
    return study


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """More than one page of trials, including the trials that the checks request."""
    made = Catalogue(LOAD)
    for number in range(1001):
        made.publish(make_study(an_id(2000 + number)))
    merged = make_study(CANONICAL, lastUpdatePostDateStruct={"date": "2026-01-30"})
    merged["protocolSection"]["identificationModule"]["nctIdAliases"] = [ALIAS]
    made.publish(merged)
    made.publish(study_of_organisation())
    made.set_history(TRIAL, [study_of_organisation()])
    return made


@pytest.fixture
def registry(catalogue: Catalogue) -> Iterator[ReplayRegistry]:
    catalogue.set_load(LOAD)
    with ReplayRegistry(catalogue) as replay:
        yield replay


def asked(url: str) -> tuple[dict[str, ContractFinding], list[Exchange]]:
    """Check the contract of a registry. Return the findings by assumption, and the exchanges."""
    transport = Transport(url, clock=FakeClock(), requests_per_second=1e6, burst=1000)
    inquiry = Inquiry(transport)
    try:
        findings = {one.assumption: one for one in check_contract(inquiry)}
    finally:
        inquiry.close()
        transport.close()
    return findings, inquiry.exchanges


def with_state(findings: dict[str, ContractFinding], state: ContractState) -> set[str]:
    return {name for name, one in findings.items() if one.state is state}


@needs_curl
def test_every_assumption_holds_on_the_replay_registry(registry: ReplayRegistry) -> None:
    # the registry reloads before the last request for its version, so that a token can be stale
    registry.faults.add(faults.reload("2026-02-03"), path="/v2/version", skip=1)
    findings, exchanges = asked(registry.url)
    assert {name: one.found for name, one in findings.items() if one.state != "holds"} == {}
    assert len(exchanges) == len(registry.requests) <= LARGEST_INQUIRY
    print(f"contract: {len(findings)} assumptions hold, in {len(exchanges)} requests")


def test_without_a_reload_a_stale_token_could_not_be_checked(registry: ReplayRegistry) -> None:
    findings, _ = asked(registry.url)
    assert with_state(findings, ContractState.UNCHECKED) <= {
        "page token after a reload",
        "history by curl",
    }


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        f"/api/v2/studies/{CANONICAL}",
        f"{CANONICAL}",
        f"http://clinicaltrials.gov/api/v2/studies/{CANONICAL}",
        f"https://www.clinicaltrials.gov/api/v2/studies/{CANONICAL}?format=json",
    ],
)
def test_any_form_of_an_alias_redirect_holds_and_is_shown(
    registry: ReplayRegistry, status: int, location: str
) -> None:
    moved = Fault(instead=Reply(status, b"", {"Location": location}))
    registry.faults.add(moved, path=f"/v2/studies/{ALIAS}")
    findings, _ = asked(registry.url)
    assert findings["alias redirect"].state is ContractState.HOLDS
    assert findings["alias redirect"].found == f"{status} to {location}"


def rewritten(pattern: str, text: str) -> Fault:
    """Return a fault that replaces the matches of a pattern in the body."""

    def rewrite(reply: Reply) -> Reply:
        return replace(reply, body=re.sub(pattern.encode(), text.encode(), reply.body))

    return Fault(rewrite=rewrite)


BAD_FIELDS = plain_text("`fields` is unknown parameter", HTTPStatus.BAD_REQUEST)
LISTING = "/v2/studies"
# the listings in the order of the checks: first page, second page, batch of ids, alias in a
# batch, filter.ids with fields, postFilter.ids with fields, delta, study id, the two refusals
DIFFERENCES = {
    "version": [(rewritten("T09:00:05", "T09:00:05Z"), "/v2/version", 0)],
    "study": [(rewritten("2026-02-02", "2026-01-30"), f"/v2/studies/{TRIAL}", 0)],
    "page of fields": [(rewritten('"identificationModule"', '"otherModule"'), LISTING, 0)],
    "paging": [(faults.shifted(-3), LISTING, 1)],
    "batch of ids": [(faults.status(414), LISTING, 2), (faults.html_page(), LISTING, 2)],
    "alias in a batch": [(rewritten('"nctIdAliases"', '"aliases"'), LISTING, 3)],
    "alias redirect": [(faults.status(404, "moved"), f"/v2/studies/{ALIAS}", 0)],
    "filter.ids with fields": [(Fault(instead=BAD_FIELDS), LISTING, 4)],
    "postFilter.ids with fields": [(Fault(instead=BAD_FIELDS), LISTING, 5)],
    "delta and sort": [(rewritten("2026-01-30", "2025-01-30"), LISTING, 6)],
    "study id of an organisation": [(rewritten(TRIAL, "NCT00009999"), LISTING, 7)],
    "no such trial": [(faults.status(404, "Not found"), f"/v2/studies/{ABSENT}", 0)],
    "malformed id": [(faults.status(400, "Bad Request"), LISTING, 8)],
    "unknown parameter": [(faults.body(b'{"studies": []}'), LISTING, 9)],
    "history by requests": [(faults.edge_refusal(), "/int/.*", 0)],
    "number of trials": [(faults.body(b'{"total": 5}'), "/v2/stats/size", 0)],
    "bulk download": [(faults.html_page(), "/v2/studies/download", 0)],
}


@pytest.mark.slow
@pytest.mark.parametrize("assumption", DIFFERENCES)
def test_a_differing_answer_is_reported_and_stops_no_other_check(
    registry: ReplayRegistry, assumption: str
) -> None:
    for fault, path, skip in DIFFERENCES[assumption]:
        registry.faults.add(fault, path=path, skip=skip)
    findings, _ = asked(registry.url)
    differing = with_state(findings, ContractState.DIFFERS)
    assert assumption in differing
    # ids without aliases, and ids in another module, are seen by more than one check
    shared = {"page of fields": {"paging", "batch of ids"}}.get(assumption, set())
    assert differing - {assumption} <= shared
    print(f"contract: {assumption}: {findings[assumption].found}")


def test_batches_of_ids_differ_if_they_are_refused_in_every_size(registry: ReplayRegistry) -> None:
    registry.faults.add(faults.status(414), path=LISTING, skip=2, times=3)
    finding = asked(registry.url)[0]["batch of ids"]
    assert (finding.state, finding.found[:7]) == (ContractState.DIFFERS, "500 ids")


def test_batches_of_ids_are_unchecked_if_the_registry_has_too_few_trials() -> None:
    few = Catalogue(LOAD)
    few.publish(study_of_organisation())
    with ReplayRegistry(few) as registry:
        finding = asked(registry.url)[0]["batch of ids"]
    assert finding.state is ContractState.UNCHECKED
    assert "lists only" in finding.found


def test_a_refused_client_sends_at_most_three_requests(registry: ReplayRegistry) -> None:
    registry.faults.add(faults.edge_refusal(), client="python-requests", times=EVERY_TIME)
    findings, exchanges = asked(registry.url)
    by_requests = [one for one in exchanges if not one.by_curl]
    assert len(by_requests) == 3
    assert findings["user agent"].state is ContractState.DIFFERS
    if find_curl():
        assert findings["history by curl"].state is ContractState.HOLDS
    assert findings["bulk download"].found.startswith("not requested: ")


def test_a_registry_that_is_down_leaves_everything_unchecked(registry: ReplayRegistry) -> None:
    registry.faults.add(faults.reset(), times=EVERY_TIME)
    findings, exchanges = asked(registry.url)
    assert with_state(findings, ContractState.UNCHECKED) == set(findings)
    assert len(exchanges) <= 6


def test_the_evidence_has_no_personal_data(registry: ReplayRegistry) -> None:
    edge = "<html>Access denied for 203.0.113.77 (2001:db8::7) and 2001:db8:0:1:1:1:1:1</html>"
    refused = Reply(403, edge.encode(), {"Content-Type": "text/html", "Set-Cookie": "id=k4n4r1e"})
    registry.faults.add(Fault(instead=refused), path="/v2/stats/size")
    _, exchanges = asked(registry.url)
    text = json.dumps(evidence(exchanges))
    secrets = [*CONTACT.values(), "203.0.113.77", "2001:db8:0:1:1:1:1:1", "k4n4r1e"]
    assert [one for one in secrets if one in text] == []
    assert "Access denied for (address)" in text
    # a bug report needs these
    for needed in (TRIAL, CANONICAL, "versionHolder", "2026-02-02", "nextPageToken", "etag"):
        assert needed in text or needed.title() in text or needed.upper() in text
    assert len(text) < 200_000
