"""The lock: it satisfies pyproject.toml, has hashes, and names no index; the audit of it."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import audit

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {path.name: path for path in sorted((ROOT / "requirements").glob("*.txt"))}
# Python versions and systems for which the lock must have one version of each package
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
IN_CI = ("test", "lint", "docs", "ci")


def pins(name: str) -> list[Requirement]:
    """Return the requirements in a lock file."""
    lines = LOCKS[name].read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [Requirement(line.split(" --hash")[0]) for line in lines if line[:1].isalnum()]


def group(name: str) -> Iterator[str]:
    for one in PROJECT["dependency-groups"][name]:
        if isinstance(one, dict):
            yield from group(one["include-group"])
        else:
            yield one


def wanted(name: str) -> list[str]:
    """Return what pyproject.toml requires of a lock file."""
    own = list(PROJECT["project"]["dependencies"])
    extras = [
        one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra
    ]
    return {
        "run.txt": own,
        "extras.txt": own + extras,
        "ci.txt": own + extras + [one for part in IN_CI for one in group(part)],
        "analysis.txt": list(group("analysis")),
    }[name]


def environments() -> Iterator[dict[str, Any]]:
    for python in PYTHONS:
        for platform, system in SYSTEMS.items():
            # the first release of each version
            yield {
                **default_environment(),
                "python_version": python,
                "python_full_version": f"{python}.0",
                "sys_platform": platform,
                "platform_system": system,
                "os_name": "nt" if platform == "win32" else "posix",
            }


def holds(requirement: Requirement, environment: dict[str, Any]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def test_there_is_a_lock_for_the_program_its_extras_the_checks_and_the_analysis() -> None:
    assert set(LOCKS) == {"run.txt", "extras.txt", "ci.txt", "analysis.txt"}


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_satisfies_the_project_on_each_python_and_system(name: str) -> None:
    locked, missing = pins(name), []
    count = 0
    for environment in environments():
        found = {canonicalize_name(one.name): one for one in locked if holds(one, environment)}
        for text in wanted(name):
            requirement = Requirement(text)
            if not holds(requirement, environment):
                continue
            count += 1
            pin = found.get(canonicalize_name(requirement.name))
            version = str(pin.specifier).removeprefix("==") if pin else ""
            if not (version and requirement.specifier.contains(version, prereleases=True)):
                missing.append(f"{text} on {environment['python_version']}: {pin}")
    print(f"lock: {name}: {len(locked)} packages, {count} requirements, {len(missing)} missing")
    assert missing == []


@pytest.mark.parametrize("name", LOCKS)
def test_each_line_of_the_lock_is_one_version_with_hashes(name: str) -> None:
    text = LOCKS[name].read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^ *#.*\n", "", text).strip()):
        assert re.match(r"[a-z0-9-]+==[\w.!+]+( ;.*)? \\\n", block), block
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block), block


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_names_no_index_and_no_path(name: str) -> None:
    text = LOCKS[name].read_text(encoding="utf-8")
    assert re.findall(r"(?i)https?:|file:|index-url|find-links|/opt|/home|/tmp", text) == []
    assert re.findall(r"(?m)^-\S+", text) == []


@pytest.mark.parametrize("name", ["run.txt", "extras.txt"])
def test_an_installation_has_the_versions_that_the_tests_ran_with(name: str) -> None:
    tested = {str(one) for one in pins("ci.txt")}
    assert {str(one) for one in pins(name)} - tested == set()


def test_the_lock_has_what_each_locked_package_needs() -> None:
    environment = {**default_environment(), "extra": ""}
    locked = {canonicalize_name(one.name) for one in pins("ci.txt")}
    missing = []
    for pin in pins("ci.txt"):
        try:
            found = importlib.metadata.distribution(pin.name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system, or not installed by `make test`
        if f"=={found.version}" != str(pin.specifier):
            continue
        for text in found.requires or ():
            needed = Requirement(text)
            if holds(needed, environment) and canonicalize_name(needed.name) not in locked:
                missing.append(f"{pin.name} needs {text}")
    assert missing == []


def test_each_upper_bound_has_its_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bare = []
    before = ""
    for line in text.splitlines():
        bounded = re.search(r'"[\w.\[\]-]+[^"]*<\d[^"]*"', line)
        if bounded and "python_version" not in line and "#" not in line and "#" not in before:
            bare.append(line.strip())
        before = line
    assert bare == []


# --- the audit ---------------------------------------------------------------------------------


def test_the_audit_is_skipped_by_name_without_the_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "why_unreachable", lambda: "ConnectTimeout: no answer")
    assert audit.audit() == 0
    assert "audit: skipped, the advisory service cannot be reached" in capsys.readouterr().out


def test_a_service_that_does_not_answer_is_noticed_at_once() -> None:
    assert "ConnectionError" in (audit.why_unreachable("http://127.0.0.1:9/v1/query") or "")


def test_the_audit_names_each_vulnerability_and_what_was_not_checked() -> None:
    advisory = {"id": "PYSEC-2026-1", "fix_versions": ["2.1"]}
    report = {
        "dependencies": [
            {"name": "a", "version": "2.0", "vulns": [advisory]},
            {"name": "b", "version": "1.0", "vulns": []},
            {"name": "c", "skip_reason": "not found"},
        ]
    }
    found, unchecked = audit.findings(report)
    assert found == ["a 2.0: PYSEC-2026-1, fixed in 2.1"]
    assert unchecked == ["c: not found"]
