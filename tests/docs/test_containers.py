"""The steps of the guide for containers, as a user without a passwd entry and a read-only root."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import ctsync
from tests.docs.documents import DOCS, ROOT, Command, TitledFile, steps
from tests.registry_fixtures import make_study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry
from tests.unprivileged import USER_ID, Container, container

GUIDE = (DOCS / "guides" / "containers.md").read_text(encoding="utf-8")
FILES = {step.name: step.text for step in steps(GUIDE) if isinstance(step, TitledFile)}
IMAGE = (ROOT / "Containerfile").read_text(encoding="utf-8")
COMPOSE = (DOCS / "guides" / "compose.yaml").read_text(encoding="utf-8")
PREFIX = "/opt/ctsync"
NOT_IN_A_CONTAINER = ("build", "cp", "stop")


def stages() -> list[list[tuple[str, str]]]:
    """The stages of the image, each as its instructions with their arguments."""
    lines = [line.split(None, 1) for line in IMAGE.splitlines() if line and line[0] != "#"]
    found: list[list[tuple[str, str]]] = []
    for instruction, rest in lines:
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, rest))
    return found


@pytest.fixture(scope="module")
def image(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder in which the RUN and COPY steps of the image were followed.

    The step with the lock installs from an index; `.ci/run wheel` runs it. Here the packages of
    this environment replace it.
    """
    root = tmp_path_factory.mktemp("image")
    context = tmp_path_factory.mktemp("context")
    (context / "dist").mkdir()
    shutil.copytree(ROOT / "requirements", context / "requirements")
    for wheel in wheels.glob("*.whl"):
        shutil.copy(wheel, context / "dist")
    (root / "tmp").mkdir()
    (root / "python").symlink_to(sys.executable)
    ran = 0
    for stage in stages():
        for instruction, text in stage:
            if instruction == "COPY" and not text.startswith("--from"):
                *sources, to = text.split()
                for pattern in sources:
                    (source,) = context.glob(pattern)
                    shutil.copy(source, f"{root}{to}")
            elif instruction == "COPY":
                _, source_path, to = text.split()
                assert source_path == to == PREFIX
            elif instruction == "RUN" and "--requirement" not in text:
                follow(text, root)
                ran += 1
    print(f"image: {ran} RUN steps followed, 0 failed")
    return root


def follow(text: str, root: Path) -> None:
    """Run a RUN step with the paths of the image below a folder."""
    line = shlex.join(json.loads(text)) if text.startswith("[") else text
    line = re.sub(r"(?<![\w/])/(opt|tmp|data)\b", rf"{root}/\1", line)
    env = {**os.environ, "PATH": f"{root}:{os.environ['PATH']}", "PIP_NO_INDEX": "1"}
    done = subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


@pytest.fixture
def box(image: Path) -> Iterator[Container]:
    (packages,) = image.glob("opt/ctsync/lib/python*/site-packages")
    with container(packages) as made:
        yield made


@pytest.fixture
def env(box: Container) -> Iterator[dict[str, str]]:
    """The variables of the image and of the guide's commands, with a replay registry."""
    image = dict(re.findall(r"(?m)^ENV (\w+)=(\S+)$", IMAGE))
    (box.room / "ctsync.toml").write_text(FILES["ctsync.toml"])
    with ReplayRegistry(Catalogue(time.strftime("%Y-%m-%d"))) as registry:
        for nct_id in ("NCT03389919", "NCT05935098"):
            registry.catalogue.publish(make_study(nct_id))
        yield {
            **{name: local(value, box) for name, value in image.items()},
            "CTSYNC_CONFIG": str(box.room / "ctsync.toml"),
            "PING_URL": f"{registry.url}/v2/version",
            "CTSYNC_REGISTRY_URL": registry.url,
            "CTSYNC_REGISTRY__RETRY_SECONDS": "0",
        }


def local(text: str, box: Container) -> str:
    return text.replace("/data", str(box.data))


def container_commands() -> list[list[str]]:
    """The arguments of ctsync in each `docker run` and `docker exec` of the guide."""
    found = []
    for step in steps(GUIDE):
        if not isinstance(step, Command) or not step.line.startswith("docker "):
            continue
        words = shlex.split(step.line)
        if words[1] in NOT_IN_A_CONTAINER:
            continue
        # after the name of the image, or after the name of the container and the program
        last = len(words) - words[::-1].index("ctsync")
        found.append(words[last:])
    return found


def test_the_image_has_a_user_without_a_name_a_volume_and_a_health_check() -> None:
    build, final = stages()
    assert [text.split(":")[1].split()[0] for _, text in (build[0], final[0])] == ["3.13-slim"] * 2
    kept = dict(final)
    assert kept["USER"] == f"{USER_ID}:0"
    assert kept["VOLUME"] == kept["WORKDIR"] == "/data"
    program = f"{PREFIX}/bin/ctsync"
    options, health = kept["HEALTHCHECK"].split("CMD ")
    assert options == "--interval=1h --start-period=10m "
    assert json.loads(health) == [program, "status"]
    assert json.loads(kept["ENTRYPOINT"]) == [program]
    assert json.loads(kept["CMD"]) == ["daemon"]
    for instruction, text in final:
        assert instruction != "RUN" or json.loads(text), "no step after the build needs a shell"
    assert "--require-hashes" in IMAGE
    for name in re.findall(r"requirements/\w+\.txt", GUIDE + IMAGE):
        assert (ROOT / name).is_file()


def test_the_build_context_holds_only_what_the_image_copies() -> None:
    (copied,) = [text.split()[:-1] for name, text in stages()[0] if name == "COPY"]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored == ["*", *(f"!{name}" for name in copied)]


def test_the_compose_file_runs_the_image_as_the_guide_does() -> None:
    (service,) = yaml.safe_load(COMPOSE)["services"].values()
    final = dict(stages()[1])
    assert service["read_only"] is True
    assert service["user"] == final["USER"]
    assert service["command"] == json.loads(final["CMD"])
    assert "ctsync:/data" in service["volumes"]


@pytest.mark.slow
def test_the_steps_of_the_guide_work_as_any_user_on_a_read_only_root(
    box: Container, env: dict[str, str]
) -> None:
    ran = 0
    for words in container_commands():
        if words:
            done = box.run(*(local(word, box) for word in words), env=env)
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        else:
            run_daemon(box, env)
        ran += 1
    found = box.run("--version", env=env)
    assert f"version {ctsync.__version__}" in found.stdout
    where = subprocess.run(
        box.command(["-c", "import ctsync; print(ctsync.__file__)"], env, box.data),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(box.room / "source")  # the wheel
    written = {path.name for path in box.data.iterdir()}
    owners = {path.stat().st_uid for path in box.data.iterdir()}
    print(f"containers: {ran} steps as user {USER_ID}, 0 failed; written: {', '.join(written)}")
    assert ran >= 6
    assert owners == {USER_ID}
    assert {"ctsync.db", "backup.db"} <= written


def run_daemon(box: Container, env: dict[str, str]) -> None:
    """Run the daemon until it has stored a version, and stop it as `docker stop` does."""
    command = box.command(["-m", "ctsync", "daemon"], env, box.data)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as daemon:
        deadline = time.monotonic() + 60
        while not (box.data / "ctsync.db").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(5)
        os.kill(daemon.pid, signal.SIGTERM)
        _, said = daemon.communicate(timeout=60)
    assert daemon.returncode == 0, said
    assert "checked 1 of 1 trial" in said
