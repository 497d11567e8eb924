"""The site of real trials: valid pages whose links all lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Shell, registry, shell
from tests.cli.test_site import check, files_of, follow
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

__all__ = ["registry", "shell"]  # fixtures

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("since", ["2026-02-20", "all"])
def test_each_link_of_the_site_of_real_trials_leads_somewhere(
    shell: Shell,
    registry: ReplayRegistry,
    corpus: Path,
    tmp_path: Path,
    since: str,
) -> None:
    registry.catalogue = Catalogue.from_folder(corpus / "days")
    loads = (corpus / "days/_days.txt").read_text().split()
    folders = sorted((corpus / "days").glob("NCT*"))
    known = [path for path in folders if (path / f"{loads[0]}.json").exists()]
    changed = [path.name for path in known if len(list(path.iterdir())) > 1]
    followed = {*changed[:18], *(path.name for path in known[:12])}
    follow(shell, registry, loads[::6], *sorted(followed))
    shell.run("site", str(tmp_path / "site"), "--since", since)

    files = files_of(tmp_path / "site")
    assert {name for name in files if re.fullmatch(r"trials/NCT\d{8}\.html", name)} == {
        f"trials/{nct_id}.html" for nct_id in followed
    }
    check(files)
