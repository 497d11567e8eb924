"""Runs the shell steps of a workflow file as GitHub Actions does, in a clone of a bare remote."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Before = Callable[[str, Path], bool]
"""Called before each step with its name and the workspace; False kills the job there."""
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class JobResult:
    """The workspace of a job, the outcome of each step by its name, and all output."""

    workspace: Path
    outcomes: Mapping[str, str]
    output: str

    @property
    def is_success(self) -> bool:
        """Whether no step failed."""
        return "failure" not in self.outcomes.values()


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow file, the remote of its repository, its secrets, and variables of the runner."""

    text: str
    remote: Path
    secrets: dict[str, str]
    env: Mapping[str, str]
    runs: list[Path] = field(default_factory=list)

    def job(self, name: str) -> dict[str, Any]:
        """Return a job as parsed YAML."""
        found: dict[str, Any] = yaml.safe_load(self.text)["jobs"][name]
        return found

    def run(self, folder: Path, *, before: Before | None = None) -> JobResult:
        """Run the job `sync` in a new clone.

        Steps that use an action count as successful.
        """
        room = folder / f"run-{len(self.runs) + 1}"
        self.runs.append(room)
        workspace = room / "workspace"
        subprocess.run(
            ["git", "clone", "--quiet", "--depth", "1", self.remote.as_uri(), workspace], check=True
        )
        (room / "variables").touch()
        job, outcomes, output = self.job("sync"), dict[str, str](), list[str]()
        ids: dict[str, str] = {}
        for step in job["steps"]:
            name = step.get("name", step.get("uses"))
            if before is not None and not before(name, workspace):
                break
            if not self._is_wanted(step.get("if"), outcomes, ids):
                result = "skipped"
            elif "uses" in step:
                result = "success"
            else:
                result = self._run_step(job, step, workspace, output)
            outcomes[name] = result
            if "id" in step:
                ids[step["id"]] = result
        return JobResult(workspace, outcomes, "".join(output))

    def _is_wanted(
        self, condition: str | None, outcomes: Mapping[str, str], ids: Mapping[str, str]
    ) -> bool:
        if condition is None:
            return "failure" not in outcomes.values()
        (text,) = _EXPRESSION.findall(condition)
        text = re.sub(r"steps\.(\w+)\.outcome", lambda name: repr(ids[name[1]]), text)
        text = text.replace("!cancelled()", "True").replace("always()", "True")
        return bool(eval(text.replace("&&", "and"), {"__builtins__": {}}))

    def _run_step(
        self, job: Mapping[str, Any], step: Mapping[str, Any], workspace: Path, output: list[str]
    ) -> str:
        variables = workspace.parent / "variables"
        given = {
            name: self._filled(str(value))
            for name, value in {**job.get("env", {}), **step.get("env", {})}.items()
        }
        kept = dict(line.split("=", 1) for line in variables.read_text().splitlines())
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self._filled(step["run"])],
            cwd=workspace,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(workspace.parent),
                "RUNNER_TEMP": str(workspace.parent),
                "GITHUB_ENV": str(variables),
                "GITHUB_STEP_SUMMARY": str(workspace.parent / "summary.md"),
                "GITHUB_RUN_ID": str(len(self.runs)),
                **given,
                **kept,
                **self.env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        output.append(f"--- {step['name']}\n{done.stdout}")
        return "success" if done.returncode == 0 else "failure"

    def _filled(self, text: str) -> str:
        """Replace `${{ secrets.NAME }}`; a secret that is not set is an empty text."""
        return _EXPRESSION.sub(
            lambda found: self.secrets.get(found[1].removeprefix("secrets."), ""), text
        )
