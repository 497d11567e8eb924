"""The names by which the registry's API knows the parts of a study, and what they reach.

A piece ("OrgStudyId") is short for a path ("protocolSection.….orgStudyIdInfo.id"); a search area
("IdSearch") is short for several pieces. Names are case-sensitive. No sockets; the table is read
from pieces.tsv.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ctsync.model import JsonObject

Selection = dict[str, "Selection"]
"""The keys to keep at each depth; an empty one keeps everything below."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One named part of a study: a branch ("object") or a leaf."""

    name: str
    path: tuple[str, ...]
    type: str
    is_list: bool
    values: tuple[str, ...]

    def of(self, study: JsonObject) -> list[Any]:
        """Every value of the piece in a study, in order; none where it is absent."""
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
    """Every piece by its name."""
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
    """The piece of that name or of that dotted path."""
    return pieces().get(name) or _by_path().get(name)


def is_single(piece: Piece) -> bool:
    """Whether a study has the piece at most once, lists of its own values aside."""
    parents = (".".join(piece.path[:depth]) for depth in range(1, len(piece.path)))
    return not any(_by_path()[parent].is_list for parent in parents)


def area(name: str) -> tuple[Piece, ...] | None:
    """The pieces a name searches: a search area's, or the one piece of that name."""
    if name in SEARCH_AREAS:
        return tuple(pieces()[piece] for piece in SEARCH_AREAS[name])
    piece = pieces().get(name)
    return None if piece is None else (piece,)


def selection(paths: Iterable[tuple[str, ...]]) -> Selection:
    """What to keep so that every path survives."""
    kept: Selection = {}
    for path in sorted(paths, key=len, reverse=True):
        # longest first, so that a branch empties what its own leaves put there
        node = kept
        for key in path:
            node = node.setdefault(key, {})
        node.clear()
    return kept


def select(node: Any, kept: Selection) -> Any:
    """The part of a study that is kept; a list keeps its length, so that indices still hold."""
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
"""Which pieces the search areas reach; the registry weighs them, which only matters to order."""
