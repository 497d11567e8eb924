"""The layout of ctsync: small folders, one subject per name, no import cycles."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from importlib.util import resolve_name
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
FILES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "ctsync").rglob("*.py"))
}
MOST_FILES = 15

# file names that several folders use, each with the one subject it has in all of them;
# a command and the file that it shows need no line
SHARED_NAMES = {
    "base_rates": "how often trials did the same before",
    "changes": "what changed",
    "diff": "how two versions differ",
    "field_history": "the values a field had",
    "mirror": "the copy of the whole registry",
    "outbox": "deliveries waiting to be sent",
    "relevel": "levels under other thresholds",
    "repair": "repairing what a check found",
    "result": "what a run found",
    "results": "the results section of a record",
    "rules": "the rule table",
    "runs": "recorded runs",
    "timeline": "a trial over time",
    "versions": "the stored versions of a trial",
    "watches": "the watches",
}

Sources = Mapping[str, str]


def crowded_folders(files: Sources) -> list[str]:
    """Return the folders with too many modules."""
    held = Counter(str(PurePosixPath(path).parent) for path in files if _stem(path) != "__init__")
    return [f"{folder}: {count} files" for folder, count in held.items() if count > MOST_FILES]


def repeated_classes(files: Sources) -> list[str]:
    """Return the public class names that are defined more than once."""
    found = defaultdict(list)
    for path, source in files.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path)
    return [f"{name}: {', '.join(paths)}" for name, paths in found.items() if len(paths) > 1]


def unlisted_names(files: Sources, listed: Mapping[str, str]) -> list[str]:
    """Return shared file names that `listed` lacks, and listed names that are not shared.

    A command that imports the only other file of its name shows what that file finds, and needs
    no line.
    """
    modules = {_module(path) for path in files}
    found = defaultdict(list)
    for path, source in files.items():
        name = _stem(path)
        shown = (module.rpartition(".")[2] for module in _imports(path, source, modules))
        if not name.startswith("__") and not (path.startswith("ctsync/cli/") and name in shown):
            found[name].append(path)
    shared = {name: paths for name, paths in found.items() if len(paths) > 1}
    missing = [f"{name}: {', '.join(shared[name])}" for name in shared.keys() - listed.keys()]
    stale = [f"{name}: not shared" for name in listed.keys() - shared.keys()]
    return sorted(missing + stale)


def import_cycle(files: Sources) -> list[str]:
    """Return the modules of one import cycle, ending with the first; empty if there is none."""
    modules = {_module(path) for path in files}
    imports = {
        _module(path): sorted(set(_imports(path, source, modules)) - {_module(path)})
        for path, source in files.items()
    }
    finished: set[str] = set()
    for start in imports:
        if cycle := _cycle_from(start, imports, [], finished):
            return cycle
    return []


def _cycle_from(
    module: str, imports: Mapping[str, list[str]], trail: list[str], finished: set[str]
) -> list[str]:
    if module in trail:
        return [*trail[trail.index(module) :], module]
    if module in finished:
        return []
    trail.append(module)
    for imported in imports[module]:
        if cycle := _cycle_from(imported, imports, trail, finished):
            return cycle
    trail.pop()
    finished.add(module)
    return []


def _imports(path: str, source: str, modules: set[str]) -> Iterator[str]:
    """Yield the modules that a module imports, also in functions; not under `if TYPE_CHECKING`."""
    package = _module(path if _stem(path) == "__init__" else str(PurePosixPath(path).parent))
    for node in _run_code(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from modules & {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                # `from a import b` imports the module a.b if there is one; else b is a name in a
                inner = f"{origin}.{alias.name}"
                yield from modules & {inner if inner in modules else origin}


def _run_code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree without those that only a type checker reads."""
    yield node
    is_for_types = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    inner = node.orelse if isinstance(node, ast.If) and is_for_types else ast.iter_child_nodes(node)
    for child in inner:
        yield from _run_code(child)


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _module(path: str) -> str:
    return ".".join(PurePosixPath(path).with_suffix("").parts).removesuffix(".__init__")


def test_no_folder_holds_too_many_files() -> None:
    assert crowded_folders(FILES) == []


def test_the_check_of_folders_can_fail() -> None:
    names = ["__init__", *(f"m{n}" for n in range(MOST_FILES))]
    files = {f"ctsync/room/{name}.py": "" for name in names}
    assert crowded_folders(files) == []
    assert crowded_folders(files | {"ctsync/room/one_more.py": ""}) == ["ctsync/room: 16 files"]


def test_no_public_class_name_exists_twice() -> None:
    assert repeated_classes(FILES) == []


def test_the_check_of_class_names_can_fail() -> None:
    files = {"ctsync/a.py": "class Run: ...\nclass _Row: ...", "ctsync/b.py": "class _Row: ..."}
    assert repeated_classes(files) == []
    hidden = {"ctsync/c.py": "def make():\n    class Run: ..."}
    assert repeated_classes(files | hidden) == ["Run: ctsync/a.py, ctsync/c.py"]


def test_the_same_file_name_means_the_same_subject() -> None:
    assert unlisted_names(FILES, SHARED_NAMES) == []


def test_the_check_of_file_names_can_fail() -> None:
    paths = ("find", "cli/find", "check", "__init__", "cli/__init__")
    files = {f"ctsync/{path}.py": "" for path in paths}
    assert unlisted_names(files, {"find": "trials"}) == []
    assert unlisted_names(files, {}) == ["find: ctsync/find.py, ctsync/cli/find.py"]
    assert unlisted_names(files, {"find": "trials", "check": "stale"}) == ["check: not shared"]
    files["ctsync/cli/find.py"] = "from ctsync.find import find"
    assert unlisted_names(files, {}) == []


def test_no_import_cycle() -> None:
    cycle = import_cycle(FILES)
    assert not cycle, " -> ".join(cycle)


def test_the_check_of_imports_can_fail() -> None:
    files = {"ctsync/__init__.py": "", "ctsync/a.py": "import ctsync.b", "ctsync/b.py": ""}
    assert import_cycle(files) == []
    for back in (
        "import ctsync.a",
        "from ctsync import a",
        "from ctsync.a import name",
        "from .a import name",
        "from . import a",
        "def late():\n    from ctsync.c import name",
        "try:\n    import ctsync.a\nexcept ImportError: ...",
        "if TYPE_CHECKING: ...\nelse:\n    import ctsync.a",
    ):
        cycle = import_cycle(files | {"ctsync/b.py": back, "ctsync/c.py": "import ctsync.a"})
        assert cycle[:2] == ["ctsync.a", "ctsync.b"], back
        assert cycle[-1] == "ctsync.a", back
    for harmless in ("from ctsync import name", "if typing.TYPE_CHECKING:\n    import ctsync.a"):
        assert import_cycle(files | {"ctsync/b.py": harmless}) == [], harmless
