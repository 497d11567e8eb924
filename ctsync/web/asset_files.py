"""The style sheet, scripts and pictures of the pages, as they stand in the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

STYLE = "style.css"


@cache
def asset_files() -> dict[str, str]:
    """Return the text of each asset by its name.

    The style sheet begins with that of reports, because pages show parts of them.
    """
    folder = files("ctsync.web").joinpath("assets")
    found = {one.name: one.read_text(encoding="utf-8") for one in folder.iterdir()}
    of_reports = files("ctsync.report").joinpath("templates", STYLE).read_text(encoding="utf-8")
    return {**found, STYLE: of_reports + found[STYLE]}


def script_names() -> tuple[str, ...]:
    """Return the names of the scripts that every page loads."""
    return tuple(sorted(name for name in asset_files() if name.endswith(".js")))
