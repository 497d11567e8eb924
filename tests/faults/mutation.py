"""A pytest plugin that runs tests on ctsync with one piece of code replaced. Changes no file.

CTSYNC_MUTANT is a JSON list: the module, the old text and the new text.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

import pytest


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, old: str, new: str) -> None:
        super().__init__(name, path)
        self.old, self.new = old, new

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        if source.count(self.old) != 1:
            raise LookupError(f"{fullname} does not contain exactly once: {self.old}")
        # compiled here, so that Python writes no bytecode cache of it
        return compile(source.replace(self.old, self.new), self.path, "exec", dont_inherit=True)


class _Finder:
    def __init__(self, module: str, old: str, new: str) -> None:
        self.module, self.old, self.new = module, old, new

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == self.module else None
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin, self.old, self.new)
        return spec


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    # first, before a conftest imports the module to change
    if mutant := os.environ.get("CTSYNC_MUTANT"):
        sys.meta_path.insert(0, _Finder(*json.loads(mutant)))
