from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from tests.function_marks import MarkingFinder
from tests.module_coverage import main, modules_not_run

FILES = {
    "called.py": 'def one():\n    """Return 1."""\n    return 1\n\n\none()\n',
    "imported.py": "class A:\n    async def one(self):\n        return 1\n",
    "absent.py": "def one():\n    return 1\n",
    "constant.py": "ONE = 1\n",
    "declared.py": 'class A:\n    def one(self):\n        """Return 1."""\n        ...\n',
    "__init__.py": "",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "marked_package"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_a_module_is_listed_if_none_of_its_functions_ran(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defining a function does not run it."""
    ran: set[str] = set()
    finder = MarkingFinder("marked_package", ran)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    called = importlib.import_module("marked_package.called")
    importlib.import_module("marked_package.imported")
    assert called.one() == 1
    assert called.one.__doc__ == "Return 1."
    missing = modules_not_run(package.iterdir(), set(map(Path, ran)))
    assert [file.name for file in missing] == ["absent.py", "imported.py"]


@pytest.mark.parametrize(("ran", "exit_code"), [(["called.py"], 1), (list(FILES), 0)])
def test_the_exit_code_says_whether_a_module_is_missing(
    package: Path, ran: list[str], exit_code: int, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    marks = tmp_path / "marks"
    marks.mkdir()
    for name in ran:
        (marks / f"{name}.json").write_text(json.dumps([str(package / name)]))
    assert main(str(marks), root=package) == exit_code
    assert ("absent.py" in capsys.readouterr().out) == (exit_code == 1)
