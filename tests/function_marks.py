"""A pytest plugin that notes in which modules of ctsync a function ran.

`pytest -p tests.function_marks` writes the list into the folder CTSYNC_FUNCTION_MARKS, one file per
process. It puts one call at the start of each function. A trace of every line, as coverage.py makes
it in Python 3.11, doubles the time of the tests.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

Function = ast.FunctionDef | ast.AsyncFunctionDef

PACKAGE = "ctsync"
FOLDER = "CTSYNC_FUNCTION_MARKS"
MARK = "__mark_as_run__"


def functions_of(tree: ast.Module) -> Iterator[tuple[Function, int]]:
    """Yield each function that has statements, and the position of the first one in its body."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            start = 1 if ast.get_docstring(node, clean=False) is not None else 0
            if not all(_is_empty(statement) for statement in node.body[start:]):
                yield node, start


def _is_empty(statement: ast.stmt) -> bool:
    """Return whether a statement is `pass` or `...`, as in a protocol."""
    is_dots = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_dots or isinstance(statement, ast.Pass)


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, ran: set[str]) -> None:
        super().__init__(name, path)
        self.ran = ran

    def get_code(self, fullname: str) -> CodeType:
        tree = ast.parse(self.get_data(self.path))
        for function, start in list(functions_of(tree)):
            call = ast.Expr(ast.Call(ast.Name(MARK, ast.Load()), [], []))
            function.body.insert(start, ast.copy_location(call, function.body[start]))
        # compiled here, so that Python writes no bytecode cache of it
        return compile(ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__[MARK] = partial(self.ran.add, self.path)
        super().exec_module(module)


class MarkingFinder:
    """Finds the modules of a package, and adds the file of each to `ran` when a function runs."""

    def __init__(self, package: str, ran: set[str]) -> None:
        self.package, self.ran = package, ran

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != self.package:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin, self.ran)
        return spec


_RAN: set[str] = set()
if FOLDER in os.environ:
    # before a conftest imports the package
    sys.meta_path.insert(0, MarkingFinder(PACKAGE, _RAN))


def pytest_unconfigure() -> None:
    """Write the files of which a function ran."""
    if folder := os.environ.get(FOLDER):
        Path(folder).mkdir(parents=True, exist_ok=True)
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        (Path(folder) / f"{worker}.json").write_text(json.dumps(sorted(_RAN)), encoding="utf-8")
