"""The endpoints: version, one study, sizes, bulk download, and errors of the front end."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
import requests

from tests.replay.catalogue import Catalogue
from tests.replay.conftest import Client, a_study, assert_refused, nct_id
from tests.replay.registry_server import ReplayRegistry


def test_the_version_gives_the_load_in_utc_without_a_zone(client: Client) -> None:
    assert client.get("/version").json() == {
        "apiVersion": "2.0.5",
        "dataTimestamp": "2026-02-03T09:00:05",
    }


def test_all_successful_replies_of_a_load_carry_the_same_etag(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.load = "2026-08-14"
    tags = {
        client.get(path).headers["ETag"]
        for path in ("/version", "/studies", "/studies/NCT00000001", "/stats/size")
    }
    assert tags == {f'"{registry.build}/msspuzuw"'}  # the real registry's tag for this timestamp


def test_a_known_etag_gets_an_empty_304_until_a_reload_or_a_deploy(
    client: Client, registry: ReplayRegistry
) -> None:
    def ask(tag: str) -> requests.Response:
        return client.session.get(
            f"{client.base}/version", headers={"If-None-Match": tag}, timeout=10
        )

    tag = client.get("/version").headers["ETag"]
    again = ask(tag)
    assert (again.status_code, again.content) == (304, b"")
    assert ask(f'"other", W/{tag}').status_code == 304
    registry.build = "fffffff/0.35.0"
    deployed = ask(tag)
    assert deployed.status_code == 200
    registry.catalogue.advance()
    assert ask(deployed.headers["ETag"]).status_code == 200


def test_errors_carry_no_etag(client: Client) -> None:
    assert "ETag" not in client.get("/studies/NCT99999999").headers


def test_a_study_has_the_day_of_the_load_as_its_version_holder(
    client: Client, registry: ReplayRegistry
) -> None:
    for day in ("2026-02-03", "2026-02-04"):
        registry.load = day
        study = client.get("/studies/NCT00000001").json()
        assert study["derivedSection"]["miscInfoModule"]["versionHolder"] == day


@pytest.mark.parametrize("asked", ["NCT00000001", "nct1", "NcT0000000000001"])
def test_an_id_is_accepted_in_any_case_and_padding(client: Client, asked: str) -> None:
    answer = client.get(f"/studies/{asked}")
    assert answer.status_code == 200
    assert nct_id(answer.json()) == "NCT00000001"


@pytest.mark.parametrize("asked", ["NCT", "NCT00000000", "NCT123456789", "1", "ORG-1", "NCT1x"])
def test_a_malformed_id_is_refused(client: Client, asked: str) -> None:
    assert_refused(client.get(f"/studies/{asked}"), "Parameter `nctId` has incorrect format")


def test_an_absent_study_is_a_404_that_gives_the_full_id(client: Client) -> None:
    assert_refused(
        client.get("/studies/nct99999999"), "NCT number NCT99999999 not found", status=404
    )


def test_an_alias_redirects_and_drops_the_query_string(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.merge("NCT00000002", into="NCT00000001")
    answer = client.get("/studies/NCT00000002", fields="NCTId")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "/api/v2/studies/NCT00000001"
    followed = client.session.get(
        f"{client.base}/studies/NCT00000002", params={"fields": "NCTId"}, timeout=10
    ).json()
    assert "statusModule" in followed["protocolSection"]
    assert followed["protocolSection"]["identificationModule"]["nctIdAliases"] == ["NCT00000002"]


def test_a_second_merge_keeps_the_aliases_of_the_first(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.merge("NCT00000003", into="NCT00000002")
    catalogue.merge("NCT00000002", into="NCT00000001")
    for old in ("NCT00000002", "NCT00000003"):
        assert client.get(f"/studies/{old}").headers["Location"].endswith("/NCT00000001")


def test_a_withdrawn_study_is_absent_until_it_is_published_again(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.withdraw("NCT00000001")
    assert client.get("/studies/NCT00000001").status_code == 404
    assert client.ids(filter__ids="NCT00000001") == []
    catalogue.advance()
    catalogue.publish(a_study(1))
    assert client.get("/studies/NCT00000001").status_code == 200
    catalogue.set_load("2026-02-02")
    assert client.get("/studies/NCT00000001").status_code == 404


def test_an_edit_changes_only_the_given_paths(client: Client, catalogue: Catalogue) -> None:
    before = client.get("/studies/NCT00000001").json()
    catalogue.edit(
        "NCT00000001",
        {
            "protocolSection.statusModule.overallStatus": "TERMINATED",
            "protocolSection.statusModule.whyStopped": "No funding",
            "protocolSection.designModule.phases": None,
        },
    )
    after = client.get("/studies/NCT00000001").json()
    before["protocolSection"]["statusModule"]["overallStatus"] = "TERMINATED"
    before["protocolSection"]["statusModule"]["whyStopped"] = "No funding"
    del before["protocolSection"]["designModule"]["phases"]
    assert after == before


def test_sizes_count_the_studies_of_the_load(client: Client, catalogue: Catalogue) -> None:
    sizes = client.get("/stats/size").json()
    own = len(client.get("/studies/NCT00000001").content)
    assert sizes["totalStudies"] == 5
    assert sizes["averageSizeBytes"] == own
    assert sum(item["studiesCount"] for item in sizes["ranges"]) == 5
    assert set(sizes) == {
        *("averageSizeBytes", "largestStudies", "percentiles", "ranges", "totalStudies"),
    }
    for number in range(1, 6):
        catalogue.withdraw(f"NCT{number:08d}")
    assert client.get("/stats/size").json()["totalStudies"] == 0


@pytest.mark.parametrize("path", ["/studies/metadata", "/studies/enums", "/stats/field/values"])
def test_an_unsupported_endpoint_is_refused_with_a_clear_text(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert answer.text == f"The replay registry does not support {path}"


@pytest.mark.parametrize(
    "path", ["/bogus", "/studies/", "/studies/NCT00000001/history", "/openapi.yaml", ""]
)
def test_an_unknown_path_gets_the_nginx_error_page(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<html>\r\n<head><title>404 Not Found</title>")


def test_a_path_outside_the_api_gets_the_nginx_error_page(
    client: Client, registry: ReplayRegistry
) -> None:
    answer = client.session.get(f"http://127.0.0.1:{registry.port}/study/NCT1", timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_only_get_is_allowed(client: Client, method: str) -> None:
    answer = client.session.request(method, f"{client.base}/version", data=b"{}", timeout=10)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_gzip_is_used_if_the_client_accepts_it(client: Client) -> None:
    zipped = client.studies()
    plain = client.session.get(
        f"{client.base}/studies", headers={"Accept-Encoding": "identity"}, timeout=10
    )
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert zipped.content == plain.content


def test_headers_that_the_real_registry_does_not_send_are_absent(client: Client) -> None:
    sent = {name.lower() for name in client.studies().headers}
    assert not sent & {"cache-control", "last-modified", "retry-after", "x-ratelimit-limit"}


def test_the_download_holds_every_study_in_folders_named_by_its_last_digits(client: Client) -> None:
    answer = client.get("/studies/download", format="json.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == "attachment; filename=ctg-studies.json.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert json.loads(archive.read("01/NCT00000001.json")) == (
            client.get("/studies/NCT00000001").json()
        )
    assert len(names) == client.get("/stats/size").json()["totalStudies"]


def test_the_download_accepts_one_format_and_no_filter(client: Client) -> None:
    assert_refused(
        client.get("/studies/download", format="csv"), "Invalid value in parameter `format`: `csv`"
    )
    filtered = client.get("/studies/download", format="json.zip", filter__ids="NCT00000001")
    assert_refused(filtered, "Invalid prefix in parameter name: filter.ids")
