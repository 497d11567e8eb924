"""List the modules of ctsync in which the tests ran no function.

`python -m tests.module_coverage FOLDER` reads what tests.function_marks wrote there, and exits
with code 1 if there are any.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.function_marks import PACKAGE, functions_of

ROOT = Path(__file__).parents[1] / PACKAGE


def modules_not_run(files: Iterable[Path], ran: set[Path]) -> list[Path]:
    """Return the files whose functions never ran.

    A file without functions is never listed: importing it runs all of it.
    """
    return sorted(file for file in files if file not in ran and _has_functions(file))


def _has_functions(file: Path) -> bool:
    return any(True for _ in functions_of(ast.parse(file.read_bytes())))


def main(folder: str, root: Path = ROOT) -> int:
    """Print the modules that did not run, and return the exit code."""
    lists = [json.loads(one.read_text(encoding="utf-8")) for one in Path(folder).glob("*.json")]
    ran = {Path(file) for one in lists for file in one}
    files = list(root.rglob("*.py"))
    missing = modules_not_run(files, ran)
    for file in missing:
        print(f"{file.relative_to(root.parent)}: the fast tests run none of its functions")
    if not missing:
        print(f"the fast tests run a function of each of {len(files)} modules")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
