"""Lists of trials: one term per line, or the CSV download of a search."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.sync.watches.trial_list import read_list

IDS = ["NCT03389919", "NCT05935098"]
HEADER = (
    "NCT Number,Study Title,Study URL,Acronym,Study Status,Brief Summary,Study Results,Conditions,"
    "Interventions,Sponsor,Locations"
)
# without \r, which the csv module writes without quotes
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=30)


def test_a_list_has_one_term_per_line_and_comments() -> None:
    text = "# mine\r\nNCT03389919\r\n\r\n  BM-MSC-01  # the seed\n"
    assert read_list(text) == ["NCT03389919", "BM-MSC-01"]
    assert read_list("\ufeffNCT03389919\n") == ["NCT03389919"]
    assert read_list("") == read_list("\ufeff\n# none\n") == []


@given(st.lists(st.tuples(st.sampled_from(IDS), CELLS, CELLS)), st.sampled_from(["\n", "\r\n"]))
def test_the_download_yields_its_ids_for_any_other_cells(
    rows: list[tuple[str, str, str]], line_end: str
) -> None:
    for delimiter in ",;\t":
        file = StringIO(newline="")
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end)
        writer.writerows([HEADER.split(","), *rows])
        assert read_list("\ufeff" + file.getvalue()) == [row[0] for row in rows]


def test_the_column_of_ids_may_be_anywhere() -> None:
    text = 'Rank,"NCT Number",Title\n1,NCT03389919,"a, b\nc"\n\n2,NCT05935098,d\n3,,no id\n4\n'
    assert read_list(text) == IDS
    assert read_list("nct_id\nNCT03389919\n") == ["NCT03389919"]


@pytest.mark.parametrize("size", [200_000, 2_000_000])
def test_a_cell_of_a_trial_with_many_sites_is_read(size: int) -> None:
    limit = csv.field_size_limit()
    text = f'{HEADER}\nNCT03389919,"{"site, " * (size // 6)}"\nNCT05935098,b\n'
    assert read_list(text) == IDS
    assert csv.field_size_limit() == limit
