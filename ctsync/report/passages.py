"""What a value was and became, short enough to be read; longer texts word by word; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ctsync.report.values import Piece
from ctsync.text import shorten

LONGEST = 400


@dataclass(frozen=True, slots=True)
class Passage:
    """A change as it is shown; `is_cut` where not all of it is."""

    before: str
    after: str
    pieces: tuple[Piece, ...]
    is_cut: bool


def compare(before: str, after: str) -> Passage:
    """Set two texts against each other; what is too long is cut, and says by how much."""
    is_cut = max(len(before), len(after)) > LONGEST
    return Passage(shorten(before, LONGEST), shorten(after, LONGEST), (), is_cut)
