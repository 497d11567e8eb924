from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.module_coverage import main, modules_not_run


def measured(**lines: tuple[list[int], int]) -> dict[str, Any]:
    """A file of the report: each function's executed lines and its number of statements."""
    functions = {
        name: {"executed_lines": executed, "summary": {"num_statements": statements}}
        for name, (executed, statements) in lines.items()
    }
    return {
        "functions": {"": {"executed_lines": [1], "summary": {"num_statements": 1}}} | functions
    }


RUN = measured(one=([], 2), two=([9], 2))
NOT_RUN = measured(one=([], 2), two=([], 1))
NO_FUNCTION = measured()
ONLY_DECLARED = measured(declared=([], 0))


def test_a_module_is_listed_if_none_of_its_functions_ran() -> None:
    files = {"a.py": NOT_RUN, "b.py": RUN, "c.py": NO_FUNCTION, "d.py": ONLY_DECLARED}
    assert modules_not_run({"files": files}) == ["a.py"]


@pytest.mark.parametrize(("files", "exit_code"), [({"a.py": NOT_RUN}, 1), ({"b.py": RUN}, 0)])
def test_the_exit_code_says_whether_a_module_is_missing(
    files: dict[str, Any], exit_code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps({"files": files}))
    assert main(str(report)) == exit_code
    assert ("a.py" in capsys.readouterr().out) == (exit_code == 1)


@pytest.mark.slow
def test_a_report_of_coverage_py_is_read(tmp_path: Path) -> None:
    """Defining a function runs no line of its body."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "called.py").write_text("def one():\n    return 1\n\n\none()\n")
    (package / "imported.py").write_text("class A:\n    def one(self):\n        return 1\n")
    (package / "absent.py").write_text("def one():\n    return 1\n")
    (tmp_path / "both.py").write_text("import package.called, package.imported\n")
    # a file of its own, else these modules get into the report of the tests' own coverage
    env = os.environ | {"COVERAGE_FILE": str(tmp_path / ".coverage")}
    for words in (["run", "--source=package", "both.py"], ["json", "-q"]):
        subprocess.run(
            [sys.executable, "-m", "coverage", *words], cwd=tmp_path, env=env, check=True
        )
    report = json.loads((tmp_path / "coverage.json").read_text())
    assert modules_not_run(report) == ["package/absent.py", "package/imported.py"]
