"""`export` and `import`, as a person or a program meets them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ctsync.model import Source
from ctsync.store.store import open_store
from tests.cli.conftest import Shell
from tests.conftest import StillClock
from tests.record.reconstructed import studies
from tests.tracking.histories import keep_history


def test_the_parquet_command_says_what_it_wrote(shell: Shell, tmp_path: Path) -> None:
    url = str(shell.env["CTSYNC_DATABASE_URL"])
    with open_store(url, clock=StillClock()) as store:
        keep_history(store, studies("NCT03693833"), source=Source.LIVE)
    out = tmp_path / "out"
    said = shell.run("export", "parquet", "--output", str(out)).stderr
    assert "3 rows in 3 months, 0 unchanged" in said
    told = shell.json("export", "parquet", "--output", str(out), "--json")
    assert [(one["table"], one["rows"], one["unchanged"]) for one in told] == [
        ("events", 0, 3), ("versions", 0, 3),
    ]  # fmt: skip
    assert "nothing is stored of NCT00000009" in shell.refuse(
        "export", "parquet", "NCT00000009", "--output", str(out), exit_code=2
    )
    (tmp_path / "file").write_text("")
    assert "cannot write" in shell.refuse(
        "export", "parquet", "--output", str(tmp_path / "file" / "x"), exit_code=2
    )


def test_without_pyarrow_the_extra_is_named(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("db", "upgrade")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    line = shell.refuse("export", "parquet", "--output", str(tmp_path / "out"), exit_code=2)
    assert "pip install 'ctsync[parquet]'" in line
