"""A search for words gives one answer with and without the index, on both databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ctsync.errors import UsageError
from ctsync.model import JsonObject
from ctsync.questions.portfolio.find import FoundTrial, find
from ctsync.record.rules.conditions import RECORD_TERMS, FieldCondition, read_condition
from ctsync.store.derived.text_index import TextDetail, TextIndexReads
from ctsync.store.derived.text_index_build import build_text_index
from ctsync.store.store import Store
from tests.record.studies import study
from tests.registry_fixtures import an_id
from tests.sync.histories import keep_history

pytestmark = pytest.mark.slow

TODAY = date(2026, 3, 13)
WORDS = (
    "lung", "Lung", "LUNGS", "cancer", "Cáncer", "cance", "EGFR", "PD-1", "PD-L1", "anti", "5",
    "50", "Straße", "strasse", "Łódź", "lodz", "Ångström", "A\u030angstro\u0308m", "naïve",
    "Тест", "тест", "μg", "µg", "東京", "東京都", "कैंसर", "إصابة", "ไทย", "x²", "ﬁne", "İstanbul",
    "istanbul", "e\u0301", "\U0001f600", "\U0001e900", "&amp;", "<p>", "</li>", "<", "*", "(",
    "AND", "near", "or", "_", "%",
)  # fmt: skip
texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=6).map(" ".join)
PATHS = {term.name: term.paths[0] for term in RECORD_TERMS}
values = st.dictionaries(
    st.sampled_from([name for name in PATHS if name != "eligibility"]),
    st.lists(texts, max_size=3),
    max_size=4,
)
records = st.builds(lambda fields, criteria: (fields, criteria), values, st.none() | texts)
asked = st.lists(
    st.tuples(
        st.sampled_from(sorted(PATHS)),
        st.sampled_from(("~", "!~", "=", "!=")),
        texts | texts.map(lambda text: f'"{text}"') | st.sampled_from(WORDS).map("{}*".format)
        | st.just("none"),
    ).map("".join),
    min_size=1,
    max_size=2,
)  # fmt: skip


def made(number: int, fields: Mapping[str, list[str]], criteria: str | None) -> JsonObject:
    body = study(protocolSection__identificationModule__nctId=an_id(number))
    protocol = body["protocolSection"]
    for name, items in fields.items():
        _, module, *rest = PATHS[name].split(".")
        place: dict[str, Any] = protocol.setdefault(module, {})
        if len(rest) == 1:
            place[rest[0]] = items
        elif name == "sponsor_class":
            place["leadSponsor"] = {"class": (items or ["NIH"])[0]}
        else:
            objects = place.setdefault(rest[0], [])
            objects += [{rest[1]: item} for item in items]
    if criteria is not None:
        protocol["eligibilityModule"] = {"eligibilityCriteria": criteria}
    return body


def conditions_of(typed: list[str]) -> list[FieldCondition]:
    found = []
    for one in typed:
        try:
            found.append(read_condition(one))
        except UsageError:
            continue
    return found


def answer(store: Store, wanted: list[FieldCondition], *, by_index: bool) -> list[FoundTrial]:
    with patch.object(TextIndexReads, "is_in_use", lambda _: by_index):
        return [
            *find(store, wanted, today=TODAY, ever=True),
            *find(store, wanted, today=TODAY),
            *find(store, wanted, today=TODAY, as_of=date(2020, 2, 1)),
        ]


@pytest.fixture
def counter() -> Iterator[dict[str, int]]:
    counted = {"searches": 0, "found": 0}
    yield counted
    print("searches for words with and without the index:", counted)
    assert counted["searches"] > 50


@pytest.mark.usefixtures("records_in_memory")
@pytest.mark.parametrize(
    "detail",
    [
        TextDetail.FULL,
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (TextDetail.WORDS, TextDetail.NAMES)
        ),
    ],
)
def test_a_search_gives_one_answer_with_and_without_the_index(
    store: Store, counter: dict[str, int], detail: TextDetail
) -> None:
    numbers = count(1)
    build_text_index(store, detail)

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @example(
        versions=[({"condition": ["lung cancer"]}, None), ({"condition": ["cancer"]}, "lung")],
        typed=["condition~lung", "eligibility!~lung"],
    )
    @given(versions=st.lists(records, min_size=1, max_size=2), typed=asked)
    def same(versions: list[tuple[Mapping[str, list[str]], str | None]], typed: list[str]) -> None:
        number = next(numbers)
        keep_history(store, [made(number, *one) for one in versions], with_events=False)
        for wanted in (conditions_of(typed), conditions_of(typed[:1])):
            if wanted:
                scanned = answer(store, wanted, by_index=False)
                assert answer(store, wanted, by_index=True) == scanned
                counter["searches"] += 3
                counter["found"] += len(scanned)

    same()
