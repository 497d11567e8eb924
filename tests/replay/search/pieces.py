"""Piece names and search areas: the registry's names for parts of a study. Uses no sockets.

A piece name ("OrgStudyId") stands for a path ("protocolSection.….orgStudyIdInfo.id"), a search
area ("IdSearch") for several pieces. Names are case-sensitive. pieces.tsv lists the pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ctsync.model import JsonObject

Selection = dict[str, "Selection"]
"""The keys to keep at each level; an empty selection keeps everything below."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One named part of a study: a branch ("object") or a leaf."""

    name: str
    path: tuple[str, ...]
    type: str
    is_list: bool
    values: tuple[str, ...]

    def of(self, study: JsonObject) -> list[Any]:
        """All values of the piece in a study, in order; empty if the study does not have it."""
        return list(_reach(study, self.path))


def _reach(node: Any, path: tuple[str, ...]) -> Iterable[Any]:
    if isinstance(node, list):
        for item in node:
            yield from _reach(item, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from _reach(node[path[0]], path[1:])


@cache
def pieces() -> Mapping[str, Piece]:
    """All pieces by name."""
    table = Path(__file__).with_name("pieces.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return {row[0]: _piece(*row) for row in rows}


def _piece(name: str, path: str, kind: str, values: str = "") -> Piece:
    return Piece(
        name,
        tuple(path.split(".")),
        kind.removesuffix("[]"),
        kind.endswith("[]"),
        tuple(values.split("|")) if values else (),
    )


@cache
def _by_path() -> Mapping[str, Piece]:
    return {".".join(piece.path): piece for piece in pieces().values()}


def find(name: str) -> Piece | None:
    """The piece with that name or that dotted path."""
    return pieces().get(name) or _by_path().get(name)


def is_single(piece: Piece) -> bool:
    """Whether no parent of the piece is a list. The piece itself may be a list of values."""
    parents = (".".join(piece.path[:depth]) for depth in range(1, len(piece.path)))
    return not any(_by_path()[parent].is_list for parent in parents)


def area(name: str) -> tuple[Piece, ...] | None:
    """The pieces that a search area or a piece name covers; None if the name is unknown."""
    if name in SEARCH_AREAS:
        return tuple(pieces()[piece] for piece in SEARCH_AREAS[name])
    piece = pieces().get(name)
    return None if piece is None else (piece,)


def selection(paths: Iterable[tuple[str, ...]]) -> Selection:
    """The selection that keeps every given path."""
    kept: Selection = {}
    for path in sorted(paths, key=len, reverse=True):
        # longest path first: a branch must remove the selection that its own leaves added
        node = kept
        for key in path:
            node = node.setdefault(key, {})
        node.clear()
    return kept


def select(node: Any, kept: Selection) -> Any:
    """The selected part of a study. Lists keep their length, so that indices stay valid."""
    if not kept:
        return node
    if isinstance(node, list):
        return [select(item, kept) for item in node]
    chosen = {key: select(value, kept[key]) for key, value in node.items() if key in kept}
    return {key: value for key, value in chosen.items() if value != {}}


SEARCH_AREAS: Mapping[str, tuple[str, ...]] = {
    "ConditionSearch": (
        *("Condition", "BriefTitle", "OfficialTitle", "ConditionMeshTerm"),
        *("ConditionAncestorTerm", "Keyword", "NCTId"),
    ),
    "InterventionSearch": (
        *("InterventionName", "InterventionType", "ArmGroupType", "InterventionOtherName"),
        *("BriefTitle", "OfficialTitle", "ArmGroupLabel", "InterventionMeshTerm", "Keyword"),
        *("InterventionAncestorTerm", "InterventionDescription", "ArmGroupDescription"),
    ),
    "OutcomeSearch": (
        *("PrimaryOutcomeMeasure", "SecondaryOutcomeMeasure", "PrimaryOutcomeDescription"),
        *("SecondaryOutcomeDescription", "OtherOutcomeMeasure", "OtherOutcomeDescription"),
        *("OutcomeMeasureTitle", "OutcomeMeasureDescription"),
    ),
    "TitleSearch": ("Acronym", "BriefTitle", "OfficialTitle"),
    "LocationSearch": (
        *("LocationCity", "LocationState", "LocationCountry", "LocationFacility", "LocationZip"),
    ),
    "SponsorSearch": ("LeadSponsorName", "CollaboratorName", "OrgFullName"),
    "IdSearch": ("NCTId", "NCTIdAlias", "Acronym", "OrgStudyId", "SecondaryId"),
    "NCTIdSearch": ("NCTId", "NCTIdAlias"),
    "BasicSearch": (
        *("NCTId", "NCTIdAlias", "Acronym", "OrgStudyId", "SecondaryId", "BriefTitle"),
        *("OfficialTitle", "Condition", "Keyword", "BriefSummary", "InterventionName"),
        *("InterventionOtherName", "InterventionDescription", "ArmGroupLabel"),
        *("ArmGroupDescription", "PrimaryOutcomeMeasure", "PrimaryOutcomeDescription"),
        *("SecondaryOutcomeMeasure", "SecondaryOutcomeDescription", "OtherOutcomeMeasure"),
        *("OtherOutcomeDescription", "LeadSponsorName", "CollaboratorName"),
        *("LocationFacility", "LocationCity", "LocationState", "LocationCountry"),
        *("ConditionMeshTerm", "ConditionAncestorTerm", "InterventionMeshTerm"),
        *("InterventionAncestorTerm", "OverallOfficialName", "OverallOfficialAffiliation"),
    ),
}
"""The pieces of each search area, without the registry's weights, which affect only the order."""
