"""From a wrong word to the right one, for error messages; pure, no I/O."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Words that lead from a wrong name to the right one: the nearest, else all there are.

    Case does not count in what is near.
    """
    by_lower = {name.lower(): name for name in known}
    if close := difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6):
        return f"did you mean {by_lower[close[0]]}?"
    return f"known are: {', '.join(sorted(by_lower.values()))}"
