"""No test imports, reads or replaces a private name of ctsync."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Sources = Mapping[str, str]


def sources(folder: str) -> Sources:
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def is_private(name: str) -> bool:
    # a name with an underscore at each end, as _repr_html_, belongs to the protocol of notebooks
    return name.startswith("_") and not name.endswith("_") and name.strip("_") != ""


def defined(tree: ast.AST) -> set[str]:
    """Return the private names that a module defines: functions, classes, values, attributes."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                names.add(name)
    return {name for name in names if is_private(name)}


def private_uses(test: str, known: set[str]) -> Iterator[tuple[int, str]]:
    """Yield each use of a private name of ctsync in the source of a test, with its line.

    `known` holds the private names that ctsync defines. The types of objects are not known here,
    so an attribute counts if ctsync defines its name and the test does not.
    """
    tree = ast.parse(test)
    foreign = known - defined(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from ((node.lineno, part) for part in _private_parts(alias.name))
            case ast.ImportFrom(module=str(module), names=names):
                for alias in names:
                    path = f"{module}.{alias.name}"
                    yield from ((node.lineno, part) for part in _private_parts(path))
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if name in foreign:
                yield node.lineno, name
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called),
                args=[_, ast.Constant(value=str(name)), *_],
            ) if called in {"getattr", "setattr", "delattr", "object"} and name in foreign:
                yield node.lineno, name
            case ast.Constant(value=str(path)) if "\n" not in path and " " not in path:
                yield from ((node.lineno, part) for part in _private_parts(path))


def _private_parts(path: str) -> list[str]:
    """Return the private parts of a dotted path in ctsync, such as "ctsync.text._escaped"."""
    package, *parts = path.split(".")
    return [part for part in parts if is_private(part)] if package == "ctsync" else []


def names_of(files: Sources) -> set[str]:
    return {name for source in files.values() for name in defined(ast.parse(source))}


@pytest.mark.slow  # it parses every file of ctsync and of the tests
def test_no_test_uses_a_private_name_of_ctsync() -> None:
    known = names_of(sources("ctsync"))
    found = [
        f"{file}:{line}: {name}"
        for file, source in sources("tests").items()
        if file != "tests/test_private_names.py"  # its examples break the rule
        for line, name in private_uses(source, known)
    ]
    assert found == []


MODULE = """
_LIMIT = 5

class Store:
    def __init__(self):
        self._engine = 1
        self.name = ""

    def _heads(self): ...

def _wrap(text): ...
"""


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("from ctsync.text import _wrap", "_wrap"),
        ("def late():\n    from ctsync.text import name, _wrap as wrap", "_wrap"),
        ("import ctsync._text", "_text"),
        ("from ctsync._text import wrap", "_text"),
        ("from ctsync import text\ntext._LIMIT = 1", "_LIMIT"),
        ("from ctsync import text\nassert text._wrap('')", "_wrap"),
        ("def test(store):\n    assert store._engine", "_engine"),
        ("def test(self):\n    self.store._engine.dispose()", "_engine"),
        ("from ctsync.text import Store\nlook = Store._heads", "_heads"),
        ("monkeypatch.setattr(text, '_LIMIT', 1)", "_LIMIT"),
        ("mock.patch.object(text, '_wrap')", "_wrap"),
        ("getattr(text, '_wrap')", "_wrap"),
        ("monkeypatch.setattr('ctsync.text._wrap', None)", "_wrap"),
    ],
)
def test_a_use_of_a_private_name_is_found(test: str, name: str) -> None:
    assert [found for _, found in private_uses(test, names_of({"text.py": MODULE}))] == [name]


@pytest.mark.parametrize(
    "test",
    [
        "from ctsync.text import wrap",
        "from ctsync import __version__",
        "import ctsync\nctsync.__file__",
        "from tests.helpers import _wrap",
        "os._exit(9)",
        "usage._replace(free=1)",
        "class Fake:\n    def _heads(self):\n        return self._engine",
        "class Fake:\n    _engine = 1\nassert Fake._engine",
        "'_wrap is a name in a text'",
    ],
)
def test_a_use_of_another_name_is_not_found(test: str) -> None:
    assert list(private_uses(test, names_of({"text.py": MODULE}))) == []
