"""Fixtures: a small database, and the tools on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.python.conftest import filled_file
from tests.web.mcp.asking import Tools

__all__ = ["filled_file"]


@pytest.fixture
def tools(filled_file: Path, tmp_path: Path) -> Tools:
    """The tools on a copy of the database with published histories."""
    shutil.copy(filled_file, tmp_path / "ctsync.db")
    return Tools(f"sqlite:///{tmp_path / 'ctsync.db'}")
