"""The wheel and the sdist hold everything that is needed, and the wheel works when installed."""

import email.parser
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import ctsync

ROOT = Path(__file__).parents[1]

# each test needs the built wheel
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel built from it."""
    directory = tmp_path_factory.mktemp("dist")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(directory), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return directory


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Iterator[zipfile.ZipFile]:
    (path,) = dist.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only the wheel's content, as an installer lays it out."""
    directory = tmp_path_factory.mktemp("site")
    wheel.extractall(directory)
    return directory


def files_under(directory: str, *, name: str = "*") -> set[str]:
    found = (path for path in (ROOT / directory).rglob(name) if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts}


def run(installed: Path, *words: str, cwd: str = "/") -> subprocess.CompletedProcess[str]:
    """Run ctsync from the installed files, without access to the checkout."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("CTSYNC_")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**env, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_the_complete_package(wheel):
    assert files_under("ctsync") <= set(wheel.namelist())


def test_the_wheel_carries_migrations_and_settings_inside_the_package(wheel):
    names = set(wheel.namelist())
    for directory, packaged in (("alembic", "_migrations"), ("config", "_config")):
        here = {name.removeprefix(directory) for name in files_under(directory)}
        there = f"ctsync/{packaged}"
        assert here
        assert here == {n.removeprefix(there) for n in names if n.startswith(f"{there}/")}


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"ctsync", f"ctsync-{ctsync.__version__}.dist-info"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name or name.endswith(".pyc")]


def test_the_wheel_has_the_right_metadata(wheel):
    prefix = f"ctsync-{ctsync.__version__}.dist-info"
    metadata = email.parser.Parser().parsestr(wheel.read(f"{prefix}/METADATA").decode())
    assert metadata["Version"] == ctsync.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"{prefix}/licenses/LICENSE" in wheel.namelist()
    entry_points = wheel.read(f"{prefix}/entry_points.txt").decode()
    assert "ctsync = ctsync.cli:main" in entry_points


def test_the_sdist_holds_everything_for_development(dist):
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = files_under("ctsync") | files_under("alembic") | files_under("config")
    wanted |= files_under("tests", name="*.py")
    wanted |= {"alembic.ini", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile"}
    assert wanted <= names


def test_the_installed_settings_file_is_the_one_of_the_checkout(installed):
    where = run(installed, "-c", "import ctsync; print(ctsync.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installed)
    code = "from ctsync.config.paths import default_config_text as text; print(text(), end='')"
    shown = run(installed, "-c", code)
    assert shown.stdout == (ROOT / "config" / "ctsync.toml").read_text(encoding="utf-8")


def test_the_installed_package_creates_a_database_from_any_folder(installed, tmp_path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    made = run(installed, "-m", "ctsync", "--database", url, "db", "upgrade")
    assert made.returncode == 0, made.stderr
    current = run(installed, "-m", "ctsync", "--database", url, "db", "current")
    assert current.returncode == 0, current.stderr
    assert (tmp_path / "new.db").stat().st_size > 0


def test_the_installed_package_reports_its_version(installed):
    assert run(installed, "-m", "ctsync", "--version").stdout.split() == [
        "ctsync,",
        "version",
        ctsync.__version__,
    ]
