"""The requests of docs/http-api.md have the answers that the page shows.

`python -m tests.web.api.test_http_page` rewrites the answers and the table of addresses.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from ctsync.store.store import open_store
from ctsync.web.api.address_parameters import FIELDS, LIMIT, Parameter, ParameterType
from ctsync.web.api.endpoints import ENDPOINTS
from tests.conftest import StillClock
from tests.web.api.served import api_of, fill, serving

PAGE = Path(__file__).parents[3] / "docs" / "http-api.md"
EXAMPLE = re.compile(
    r"```http\nGET (\S+)\n(?:Accept: (\S+)\n)?```\n\n```(\w+)\n(?:(?!```).)*```", re.DOTALL
)
TABLE = re.compile(r"(<!-- addresses -->\n).*?(<!-- end -->)", re.DOTALL)


def rewritten(page: str, client: httpx.Client) -> str:
    """Return the page with the answers of now."""
    cursor = ""

    def with_answer(found: re.Match[str]) -> str:
        nonlocal cursor
        address, accept, language = found.groups()
        headers = {"Accept": accept} if accept else {}
        answer = client.get(address.replace("NEXT", cursor), headers=headers)
        text = answer.text
        if language == "json":
            content = answer.json()
            cursor = content.get("next") or cursor
            text = json_text(content)
            text = text.replace(cursor, "NEXT") if cursor else text
        accepted = f"Accept: {accept}\n" if accept else ""
        return f"```http\nGET {address}\n{accepted}```\n\n```{language}\n{text}```"

    page = EXAMPLE.sub(with_answer, page)
    return TABLE.sub(lambda found: f"{found[1]}\n{''.join(table())}\n{found[2]}", page)


def json_text(content: dict[str, Any]) -> str:
    """Write an answer with one line per key, and per row."""
    rows = "".join(f"\n    {json.dumps(row)}," for row in content.pop("rows", ())).rstrip(",")
    lines = [f'  "rows": [{rows}\n  ]'] if rows else []
    lines += [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def table() -> Iterator[str]:
    """Yield the lines of the table of addresses."""
    yield "| address | answer | parameters |\n|---|---|---|\n"
    for endpoint in ENDPOINTS:
        names = ", ".join(map(name_of, endpoint.parameters)) or "none"
        yield f"| `/api/v1{endpoint.path}` | {endpoint.summary} | {names} |\n"


def name_of(parameter: Parameter) -> str:
    many = r"\*" if parameter.type is ParameterType.LIST else ""
    needed = " (required)" if parameter.is_required else ""
    return f"`{parameter.name}`{many}{needed}"


def test_the_page_shows_the_answers_of_the_api(api: httpx.Client) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(EXAMPLE.findall(page)) == page.count("```http") == 4
    assert rewritten(page, api) == page, "run `python -m tests.web.api.test_http_page`"


def test_every_list_takes_a_limit_and_every_row_fields() -> None:
    for endpoint in ENDPOINTS:
        assert (LIMIT in endpoint.query) is endpoint.is_list
        assert (FIELDS in endpoint.query) is not endpoint.path.endswith("/record")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ctsync.db"
        with open_store(url, clock=StillClock()) as store:
            fill(store)
            with serving(api_of(store)) as own:
                PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), own), encoding="utf-8")
    print(f"wrote {PAGE}")
