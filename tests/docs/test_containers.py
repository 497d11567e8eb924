"""The steps of the guide for containers, as a user without a passwd entry and a read-only root."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.docs.documents import DOCS, ROOT, Command, TitledFile, steps
from tests.registry_fixtures import make_study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry
from tests.unprivileged import USER_ID, Container, container

GUIDE = (DOCS / "guides" / "containers.md").read_text(encoding="utf-8")
FILES = {step.name: step.text for step in steps(GUIDE) if isinstance(step, TitledFile)}
IMAGE = FILES["Containerfile"]
NOT_IN_A_CONTAINER = ("build", "cp", "stop")


@pytest.fixture
def box() -> Iterator[Container]:
    with container() as made:
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
    assert f"USER {USER_ID}:0" in IMAGE
    assert 'HEALTHCHECK --interval=1h --start-period=10m CMD ["ctsync", "status"]' in IMAGE
    assert "--require-hashes" in IMAGE
    for name in re.findall(r"requirements/\w+\.txt", GUIDE):
        assert (ROOT / name).is_file()


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
