"""Rules for the source of ctsync, checked on its syntax trees."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "ctsync").rglob("*.py")) + sorted((ROOT / "alembic").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LONGEST_MODULE = 450
MEANINGLESS = re.compile(r"(?i)(utils?|helpers?|manager|handler|misc|common|stuff)$")
BANNED_IMPORTS = {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "telnetlib"}
BANNED_CALLS = {
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "datetime.utcnow",
    "datetime.utcfromtimestamp",
    "datetime.today",
    "date.today",
    "ssl._create_unverified_context",
    "tempfile.mktemp",
}
# the only module that may read the machine's time or wait: all others get a Clock
CLOCK = "ctsync/dates.py"
CLOCK_CALLS = {"datetime.now", "time.time", "time.monotonic", "time.sleep", "time.perf_counter"}

Finding = tuple[int, str]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def dotted(node: ast.expr) -> str:
    """Return the last two names of a call: datetime.now for both ways to import it."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return ".".join([*dotted(node.value).split(".")[-1:], node.attr])
    return ""


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def dangerous_calls(tree: ast.Module) -> Iterator[Finding]:
    """Yield calls that run data as code, use a shell, make naive times or skip security checks."""
    for node, name in calls(tree):
        given = {word.arg: word.value for word in node.keywords}
        if name in BANNED_CALLS or name.endswith((".extractall", ".to_json_pickle")):
            yield node.lineno, name
        for argument, wrong in (("shell", True), ("verify", False), ("check_hostname", False)):
            if isinstance(value := given.get(argument), ast.Constant) and value.value is wrong:
                yield node.lineno, f"{name}({argument}={wrong})"
        if name.endswith("datetime.now") and not node.args and "tz" not in given:
            yield node.lineno, "datetime.now() without a zone"
        if name.endswith("fromtimestamp") and len(node.args) < 2 and "tz" not in given:
            yield node.lineno, f"{name}() without a zone"
        if name.endswith("Environment") and "autoescape" not in given:
            yield node.lineno, "a template environment that does not escape"


def dangerous_imports(tree: ast.Module) -> Iterator[Finding]:
    for line, name in imported(tree):
        if name.split(".")[0] in BANNED_IMPORTS:
            yield line, name


def global_state(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield node.lineno, f"global {', '.join(node.names)}"


def meaningless_names(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and MEANINGLESS.search(node.name):
            yield node.lineno, f"class {node.name}"


def unimplemented(tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and "NotImplemented" in ast.dump(node):
            yield node.lineno, "raise NotImplementedError"


Check = Callable[[ast.Module], Iterator[Finding]]
CHECKS: list[Check] = [
    dangerous_calls,
    dangerous_imports,
    global_state,
    meaningless_names,
    unimplemented,
]
BAD_EXAMPLES: dict[Check, list[str]] = {
    dangerous_calls: [
        "eval('1')",
        "import os; os.system('ls')",
        "from datetime import datetime; datetime.utcnow()",
        "import datetime; datetime.datetime.now()",
        "from datetime import datetime; datetime.fromtimestamp(0)",
        "from datetime import date; date.today()",
        "import subprocess; subprocess.run('ls', shell=True)",
        "import requests; requests.get('x', verify=False)",
        "import jinja2; jinja2.Environment()",
        "archive.extractall()",
        "ssl._create_unverified_context()",
    ],
    dangerous_imports: ["import pickle", "from yaml import load", "import shelve"],
    global_state: ["def f():\n    global x\n    x = 1"],
    meaningless_names: ["class StoreManager: pass", "class TextHelper: pass"],
    unimplemented: ["raise NotImplementedError", "raise NotImplementedError('later')"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_no_module_has_a_forbidden_call_import_or_name(check: Check):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in MODULES
        for line, what in check(tree_of(path))
    ]
    assert found == []


@pytest.mark.parametrize("check", CHECKS)
def test_each_check_finds_its_bad_examples(check: Check):
    for example in BAD_EXAMPLES[check]:
        assert list(check(ast.parse(example))), example


def test_only_the_command_line_prints():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        if "cli" not in path.relative_to(ROOT).parts
        for node, name in calls(tree_of(path))
        if name in {"print", "sys.stdout.write", "stdout.write", "stderr.write"}
    ]
    assert found == []


def test_only_the_clock_module_reads_the_time_or_waits():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        for path in MODULES
        if path.relative_to(ROOT).as_posix() != CLOCK
        for node, name in calls(tree_of(path))
        if name in CLOCK_CALLS
    ]
    assert found == []


def test_no_module_is_too_long():
    # migrations are exempt: the first one creates the complete schema
    modules = [path for path in MODULES if path.parts[-2] != "versions"]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert [f"{p.relative_to(ROOT)}: {n}" for p, n in lengths.items() if n > LONGEST_MODULE] == []


def test_no_module_has_a_name_without_meaning():
    assert [path.name for path in MODULES if MEANINGLESS.search(path.stem)] == []


def test_every_module_has_a_docstring():
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if path.parts[-2] != "versions" and not ast.get_docstring(tree_of(path))
    ]
    assert silent == []


MARK = re.compile(
    r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no cover)"
    r"(?::\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*|\[[\w, -]+\])?"
)


def unexplained(source: str) -> Iterator[int]:
    """Yield the lines that suppress a check without a reason.

    The reason may follow on the same line, or be a comment or an explained mark just above.
    """
    explained = False
    for number, line in enumerate(source.splitlines(), 1):
        found = MARK.search(line)
        if found and re.search(r"[a-z]{2}", line[found.end() :]):
            explained = True
        elif found and not explained:
            yield number
        elif not found:
            explained = line.lstrip().startswith("#")


def test_every_suppressed_check_has_a_reason():
    """A "noqa" without a reason hides a problem; one with a reason documents a decision."""
    assert list(unexplained("x = 1  # noqa: E501\n")) == [1]
    assert list(unexplained("# type: ignore\nx = y  # type: ignore[misc]  # no stubs\n")) == [1]
    assert list(unexplained("# as the library has it\nx = 1  # noqa: N802\n")) == []
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (*MODULES, *TESTS)
        if path != Path(__file__)
        for number in unexplained(path.read_text(encoding="utf-8"))
    ]
    assert bare == []


def test_no_module_has_a_todo_mark():
    mark = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if mark.search(line)
    ]
    assert found == []


def test_the_alembic_folder_does_not_shadow_the_package():
    assert list((ROOT / "alembic").rglob("__init__.py")) == []
    assert list((ROOT / "config").rglob("__init__.py")) == []
    code = "import alembic; print(alembic.__file__)"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert Path(shown.stdout.strip()).parent.parent.name == "site-packages"
