"""One-line summary of an edited text. Does no I/O."""

from __future__ import annotations

from typing import Any

from ctsync.record.compare.text_diff import Edit, cosmetic_difference, is_cosmetic, word_diff
from ctsync.record.value_text import counted, listed, quoted

_SHORT = 80


def edit_summary(before: Any, after: Any) -> tuple[str, dict[str, Any]]:
    """Summarize the edit of a text in one line, with the counts of words removed and added.

    The summary follows the name of the text: " edited: 2 words added, 9 words kept". Texts of at
    most 80 characters are quoted. For longer ones the words are counted. The counts are empty for a
    cosmetic edit, and if the text was added or removed.
    """
    if not (isinstance(before, str) and isinstance(after, str)):
        return _added_or_removed(before, after), {}
    if is_cosmetic(before, after):
        text = f"{quoted(before, _SHORT)} -> {quoted(after, _SHORT)}"
        only = cosmetic_difference(before, after)
        return f": {only}: {text}" if is_quoted_in_full(before, after) else f": {only}", {}
    segments = word_diff(before, after)
    removed = sum(s.words for s in segments if s.edit is Edit.DELETED)
    added = sum(s.words for s in segments if s.edit is Edit.INSERTED)
    counts = {"words_removed": removed, "words_added": added}
    if is_quoted_in_full(before, after):
        return f": {quoted(before, _SHORT)} -> {quoted(after, _SHORT)}", counts
    kept = sum(s.words for s in segments if s.edit is Edit.KEPT)
    verb = "rewritten" if removed > kept and added > kept else "edited"
    edits = listed(
        [
            f"{counted(removed, 'word')} removed" if removed else "",
            f"{counted(added, 'word')} added" if added else "",
        ]
    )
    return f" {verb}: {edits}, {counted(kept, 'word')} kept", counts


def is_quoted_in_full(before: str, after: str) -> bool:
    """Return whether the summary of an edit quotes both texts."""
    return max(len(before), len(after)) <= _SHORT


def _added_or_removed(before: Any, after: Any) -> str:
    if before is None:
        return f" added: {quoted(after)}"
    if after is None:
        return f" removed: {quoted(before)}"
    return f": {quoted(before)} -> {quoted(after)}"
