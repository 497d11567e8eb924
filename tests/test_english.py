"""Docstrings, comments, texts shown to people and commit subjects keep the rules of plain English.

Only the mechanical rules: a word list, the length of help texts, the form of a commit subject.
"""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ctsync.cli import main
from ctsync.cli.commands import LazyGroup

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
# phrases that a docstring may use and a text shown to people may not
SHOWN_WORDS = WORDS | {
    r"\bno more\b": "no longer",
    r"(?<!there )\bis none\b": "is not a",
    r"\btold\b": "reported, sent",
    r"\bnews\b": "changes",
    r"\bcut off\b": "interrupted",
    r"\bgoes on\b": "continues",
    r"\bstood\b": "was, was current",
    r"\bstill stands?\b": "is still current",
    r"\b(?:is|are|was|were) to be\b": "must be",
    r"\b(?:ends|ended) with (?:code )?\d": "exits with code",
    r"\bwhat is not\b": "name the thing",
    r"\bone that\b": "name the thing",
    r"\b(?:what|whatever) (?:stands|stood|moved)\b": "name the thing",
    r"\bwhole (?!registry|number|history)\w+": "complete, all",
    r"\bsweeps?\b": "full scan",
    r"\bsnapshots?\b": "version",
}
SHOWN_FOLDERS = ("cli", "config", "questions", "deliver", "report")
# the phrases that a shown text may use: the file, a part of the text, and the reason
SHOWN_EXCEPTIONS: dict[tuple[str, str], str] = {
    ("ctsync/report/report.py", "'told' in 'told elsewhere'"): "a value in JSON: programs read it",
    ("CHANGELOG.md", ""): "it records what earlier versions said",
}
LONGEST_SUMMARY = 65  # `ctsync --help` cuts a longer one at 80 columns
LONGEST_OPTION_HELP = 100
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


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Yield each string literal that is not a docstring; a value in an f-string becomes {}.

    The text below a field is one of them: the reference pages show it.
    """
    tree = ast.parse(source)
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            skipped.update(ast.walk(node.body[0]))
        elif isinstance(node, ast.JoinedStr):
            skipped.update(part for part in node.values if isinstance(part, ast.Constant))
            yield (
                node.lineno,
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                ),
            )
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.lineno, node.value


def prose(markdown: str) -> str:
    """Return the prose of a Markdown page: without code, comments and the targets of links."""
    text = re.sub(r"(?ms)^ *```.*?^ *```$|<!--.*?-->", "", markdown)
    return re.sub(r"`[^`\n]+`|\]\([^)]*\)", "…", text)


def comments(settings: str) -> str:
    """Return the comments of a settings file as running text."""
    return "\n".join(
        line.removeprefix("#").strip() for line in settings.splitlines() if line.startswith("#")
    )


def shown_phrases(text: str) -> Iterator[str]:
    """Yield each phrase that a text shown to people must not use, with a replacement."""
    running = " ".join(text.split())
    for pattern, instead in SHOWN_WORDS.items():
        for found in re.finditer(pattern, running, re.IGNORECASE):
            near = running[max(0, found.start() - 30) : found.end() + 30]
            yield f"{found[0]!r} in {near!r}: write {instead}"


def shown_texts() -> Iterator[tuple[str, str]]:
    """Yield each text shown to people with its place."""
    for folder in SHOWN_FOLDERS:
        for path in sorted((ROOT / "ctsync" / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for line, text in literals(path.read_text(encoding="utf-8")):
                if " " in text:  # one word is a key, a name or a column
                    yield f"{name}:{line}", text
    for path in sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))):
        yield path.relative_to(ROOT).as_posix(), prose(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "config").iterdir()):
        yield path.relative_to(ROOT).as_posix(), comments(path.read_text(encoding="utf-8"))
    for place, command in help_texts():
        yield place, f"{command.help} {command.epilog or ''}"
        for option in command.params:
            if isinstance(option, click.Option):
                yield f"{place} {option.opts[0]}", option.help or ""


def help_texts(
    group: LazyGroup = main, parents: str = "ctsync"
) -> Iterator[tuple[str, click.Command]]:
    """Yield each command with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{parents} {name}", command
        if isinstance(command, LazyGroup):
            yield from help_texts(command, f"{parents} {name}")


def excepted(place: str, phrase: str) -> bool:
    return any(
        place.partition(":")[0] == file and part in phrase for file, part in SHOWN_EXCEPTIONS
    )


def test_no_text_shown_to_people_uses_a_phrase_of_the_list() -> None:
    found = [
        f"{place}: {phrase}"
        for place, text in shown_texts()
        for phrase in shown_phrases(text)
        if not excepted(place, phrase)
    ]
    assert found == []


def test_each_exception_is_needed() -> None:
    used = [
        (place.partition(":")[0], phrase)
        for place, text in shown_texts()
        for phrase in shown_phrases(text)
    ]
    for file, part in SHOWN_EXCEPTIONS:
        assert any(file == name and part in phrase for name, phrase in used), (file, part)


@pytest.mark.parametrize(
    "text",
    [
        "Write a row a trial",
        "no more mails",
        "the last whole run",
        "changes are told\nfrom here on",
        "what stood before the first sync",
        "A message that fails is tried again, ever more seldom",
        "It is to be confirmed",
        "The run ends with 3",
    ],
)
def test_each_phrase_is_found_in_a_text_shown_to_people(text: str) -> None:
    assert list(shown_phrases(text))


def test_plain_texts_pass() -> None:
    for text in ("Copy the whole registry", "Write one row per trial", "exits with code 3"):
        assert list(shown_phrases(text)) == []


def test_literals_are_read_without_docstrings_and_with_f_strings() -> None:
    source = '"""Be told."""\nsay(f"cut {off} at", help="goes " "on")\n'
    assert sorted(literals(source)) == [(2, "cut {} at"), (2, "goes on")]


def test_code_in_a_page_is_not_prose() -> None:
    page = "Run `news` now:\n\n```sh\nctsync mirror --sweep\n```\nThen [read](anew.md).\n"
    assert list(shown_phrases(prose(page))) == []
    assert list(shown_phrases(prose("Read the news.\n")))


def test_only_whole_comment_lines_of_a_settings_file_are_read() -> None:
    assert comments('# The sweep.\nsweep_days = 7 # sweep\n#x = "y"\n') == 'The sweep.\nx = "y"'


def too_long(command: click.Command) -> Iterator[str]:
    """Yield the help texts of a command that are too long."""
    summary = command.get_short_help_str(limit=1000)
    if len(summary) > LONGEST_SUMMARY:
        yield summary
    for option in command.params:
        if isinstance(option, click.Option) and len(option.help or "") > LONGEST_OPTION_HELP:
            yield f"{option.opts[0]}: {option.help}"


def test_help_texts_are_short() -> None:
    found = [f"{name}: {text}" for name, command in help_texts() for text in too_long(command)]
    assert found == []


def test_a_long_help_text_is_found() -> None:
    option = click.Option(["--all"], help="x" * (LONGEST_OPTION_HELP + 1))
    command = click.Command("list", params=[option], help="x " * LONGEST_SUMMARY)
    assert len(list(too_long(command))) == 2


def test_the_list_of_commands_cuts_no_line_at_80_columns() -> None:
    context = click.Context(main, terminal_width=80, max_content_width=80)
    assert "..." not in main.get_help(context).replace("ARGS]...", "")


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
