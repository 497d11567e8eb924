"""Compare the lock with the published advisories: `make audit`.

Exits with 1 if a version in the lock has a known vulnerability. Without the advisory service it
says that it was skipped, and exits with 0: a machine without it must not fail, or wait.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[1]
LOCKS = ("ci.txt", "extras.txt", "analysis.txt")
SERVICE = "https://api.osv.dev/v1/query"
QUESTION = {"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "20.0"}
ANSWER_SECONDS = 5
LONGEST_SECONDS = 300
ACCEPTED: Mapping[str, str] = {}
"""Advisories that do not concern ctsync, each with the reason."""


def why_unreachable(url: str = SERVICE) -> str | None:
    """Return why the advisory service cannot be used, or None if it answers."""
    try:
        answer = requests.post(url, json=QUESTION, timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        answer.json()["vulns"]
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def findings(report: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the vulnerabilities in a report of pip-audit, and what it did not check."""
    found, unchecked = [], []
    for one in report["dependencies"]:
        if "skip_reason" in one:
            unchecked.append(f"{one['name']}: {one['skip_reason']}")
        for advisory in one.get("vulns", []):
            if advisory["id"] not in ACCEPTED:
                fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
                found.append(f"{one['name']} {one['version']}: {advisory['id']}, fixed in {fixed}")
    return found, unchecked


def audit(locks: Sequence[str] = LOCKS) -> int:
    """Audit the lock files; return the exit code."""
    if reason := why_unreachable():
        print(f"audit: skipped, the advisory service cannot be reached ({reason})")
        return 0
    files = [
        word for name in locks for word in ("--requirement", str(ROOT / "requirements" / name))
    ]
    command = [sys.executable, "-m", "pip_audit", *files, "--require-hashes", "--disable-pip"]
    options = ["--vulnerability-service", "osv", "--format", "json"]
    options += ["--progress-spinner", "off", "--timeout", str(ANSWER_SECONDS)]
    try:
        done = subprocess.run(
            [*command, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        print(f"audit: skipped, the advisory service took more than {LONGEST_SECONDS} s")
        return 0
    try:
        report = json.loads(done.stdout)
    except ValueError:
        print(f"audit: pip-audit failed\n{done.stderr}")
        return 1
    found, unchecked = findings(report)
    checked = len(report["dependencies"]) - len(unchecked)
    if not checked:
        print("audit: skipped, the advisory service knows none of the packages")
        return 0
    for line in (*found, *(f"not checked: {one}" for one in unchecked)):
        print(line)
    print(
        f"audit: {checked} packages checked, {len(unchecked)} not checked, "
        f"{len(found)} known vulnerabilities"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(audit())
