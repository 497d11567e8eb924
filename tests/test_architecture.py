"""Every module and folder named in the documents and in the pipeline exists."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import ctsync.sync.trial_pass

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# a path of two parts or more, or a file of the package's root, between backquotes or in a block
PATH = re.compile(r"(?<![\w./-])((?:[a-z_]+/)+(?:[a-z_]+\.py)?|[a-z_]+\.py)(?![\w/])")
STAGE = re.compile(r"^(?:\| )?([a-z_]+(?:\.\w+)+)  +\S", re.MULTILINE)


def missing(text: str) -> list[str]:
    """Return the paths in a text that are neither in the checkout nor in the package."""
    named = [path for path in PATH.findall(text) if path.count("/") or path.endswith(".py")]
    return [
        path
        for path in dict.fromkeys(named)
        if path.split("/")[0] in ROOMS or path.endswith(".py")
        if not any((base / path).exists() for base in (ROOT, ROOT / "ctsync", ROOT / "tests"))
    ]


ROOMS = {path.name for path in (ROOT / "ctsync").iterdir()} | {"ctsync", "tests", "docs", "alembic"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_path_in_a_document_exists(document: Path) -> None:
    assert missing(document.read_text(encoding="utf-8")) == []


def test_a_path_that_does_not_exist_is_found() -> None:
    assert missing("see `sync/trial_pass.py` and `record/events/`") == []
    assert missing("see `sync/round.py`") == ["sync/round.py"]
    assert missing("in `record/lanes/`") == ["record/lanes/"]


def exists(name: str) -> bool:
    """Return whether a dotted name in the package is a module or defined in a module."""
    module, _, rest = name.partition(".")
    here = import_module(f"ctsync.{module}")
    for part in rest.split("."):
        if hasattr(here, part):
            here = getattr(here, part)
            continue
        try:
            here = import_module(f"{here.__name__}.{part}")
        except ImportError:
            return False
    return True


def test_every_stage_of_the_pipeline_exists() -> None:
    stages = STAGE.findall(ctsync.sync.trial_pass.__doc__ or "")
    assert len(stages) >= 8
    assert [stage for stage in stages if not exists(stage)] == []


def test_a_stage_that_does_not_exist_is_found() -> None:
    assert not exists("sync.watches.targets")
