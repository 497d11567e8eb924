"""Docstrings, comments and commit subjects keep the mechanical rules of plain English."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path for folder in ("ctsync", "alembic", "tests") for path in (ROOT / folder).rglob("*.py")
)
# each phrase with its replacement
WORDS = {
    r"\banew\b": "again",
    r"\blest\b": "so that ... not",
    r"\bever more seldom\b": "at growing intervals",
    r"\b(?:a|one) (row|line|file|page|entry|record) an? \w+": "one X per Y",
    r"\bproved whole\b": "complete",
    r"\bset aside\b": "quarantined",
    r"\bgoes on from\b": "resumes",
    r"\b(?:is|are|was|were|be|been) told (?:of|apart)\b": "reported, distinguished",
    r"\bwhatever became of\b": "say what happened",
    r"\bbut for\b": "except",
    r"\bsaid to be\b": "name who says it",
    r"\bsnapshot for people\b": "version",
    r"\blanes?\b": "category",
}
# the files that may use a phrase, and why
EXCEPTIONS: dict[str, str] = {
    "tests/test_english.py": "it holds the word list",
}
SUBJECT = re.compile(r"[\w./-]+(?:, [\w./-]+)*: \S.*")
FIRST_COMMIT_HELD = "01253fb"
"""The last commit from before the rule on subjects."""


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield each comment and docstring with its line."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


ANY_WORD = re.compile("|".join(WORDS), re.IGNORECASE)


def phrases(source: str) -> Iterator[str]:
    """Yield each listed phrase that a source uses, with its line and a replacement."""
    # most files hold no phrase at all, and to read their tokens takes ten times as long
    if not ANY_WORD.search(" ".join(source.replace("#", " ").split())):
        return
    for line, text in texts(source):
        for pattern, instead in WORDS.items():
            for found in re.finditer(pattern, text, re.IGNORECASE):
                yield f"{line}: {found[0]!r}: write {instead}"


def test_no_docstring_or_comment_uses_a_phrase_of_the_list() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{phrase}"
        for path in FILES
        if path.relative_to(ROOT).as_posix() not in EXCEPTIONS
        for phrase in phrases(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_each_listed_phrase_is_found() -> None:
    assert list(phrases('"""Write a row a trial."""\n')) == [
        "1: 'a row a trial': write one X per Y"
    ]
    assert list(phrases("x = 1  # begun anew\n")) == ["1: 'anew': write again"]
    assert list(phrases('"""Write one row per trial."""\n')) == []


def commit_subjects() -> list[str]:
    """Return the commit subjects that must keep the rule. Skips the test without a history."""
    listed = subprocess.run(
        ["git", "log", "--no-merges", "--format=%s", f"{FIRST_COMMIT_HELD}..HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is not a git checkout with its history")
    return listed.stdout.splitlines()


def test_commit_subjects_have_a_scope_and_at_most_72_characters() -> None:
    wrong = [
        subject
        for subject in commit_subjects()
        if len(subject) > 72 or not SUBJECT.fullmatch(subject)
    ]
    assert wrong == []
