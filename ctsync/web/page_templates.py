"""The templates of pages, which may use those of reports. Makes each value safe."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader

from ctsync.report.html_templates import report_templates
from ctsync.web.asset_files import script_names
from ctsync.web.frame import Place


def fill_page(template: str, **values: Any) -> str:
    """Render a template. Remote text cannot add a tag or an attribute."""
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> Environment:
    own, of_reports = PackageLoader("ctsync.web"), PackageLoader("ctsync.report")
    assets = PrefixLoader({"assets": PackageLoader("ctsync.web", "assets")})
    templates = report_templates().overlay(loader=ChoiceLoader([own, of_reports, assets]))
    templates.globals.update(place=Place, script_names=script_names)
    return templates
