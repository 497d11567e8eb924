"""The parts of a record: each of a bounded size, together the whole record."""

from __future__ import annotations

from ctsync.report.rows.row_json import dump
from ctsync.web.mcp.record_pieces import LARGEST_PIECE, RecordPiece, pieces_of


def test_a_small_module_is_one_part() -> None:
    body = {"protocolSection": {"designModule": {"phases": ["PHASE2"]}}, "hasResults": False}
    assert list(pieces_of(body)) == [
        RecordPiece("protocolSection.designModule", {"phases": ["PHASE2"]}),
        RecordPiece("hasResults", False),
    ]


def test_a_large_module_is_divided_into_its_fields_and_items() -> None:
    sites = [{"facility": f"hospital {number}", "notes": "n" * 1000} for number in range(20)]
    module = {"locations": sites, "centralContacts": []}
    pieces = list(pieces_of({"protocolSection": {"contactsLocationsModule": module}}))
    assert [one.path.rpartition(".")[2] for one in pieces] == [
        *(f"locations[{number}]" for number in range(20)),
        "centralContacts",
    ]
    assert [one.value for one in pieces[:20]] == sites
    assert all(len(dump(one.value)) <= LARGEST_PIECE for one in pieces)
