"""List the modules of ctsync in which the tests ran no function.

`python -m tests.module_coverage FILE` reads coverage.py's JSON report and exits with code 1 if
there are any.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def modules_not_run(report: dict[str, Any]) -> list[str]:
    """Return the files whose functions never ran.

    A file without functions is never listed: importing it runs all of it.
    """
    return sorted(file for file, measured in report["files"].items() if not _is_run(measured))


def _is_run(measured: dict[str, Any]) -> bool:
    # coverage.py names the lines outside every function ""
    functions = [counts for name, counts in measured["functions"].items() if name]
    bodies = [counts for counts in functions if counts["summary"]["num_statements"]]
    return not bodies or any(counts["executed_lines"] for counts in bodies)


def main(path: str) -> int:
    """Print the modules that did not run, and return the exit code."""
    report = json.loads(Path(path).read_text(encoding="utf-8"))
    missing = modules_not_run(report)
    for file in missing:
        print(f"{file}: the fast tests run none of its functions")
    if not missing:
        print(f"the fast tests run a function of each of {len(report['files'])} modules")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
