"""Settings in the environment: CTSYNC_SECTION__KEY and a few short names.

Reads the environment it is given, never that of the process. The names of variables may be
written in letters of any case.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import orjson

from ctsync.config.secrets import Location, Report, Table
from ctsync.config.settings import Settings
from ctsync.text import nearest_words

PREFIX = "CTSYNC_"
SHORT_NAMES = {
    "CTSYNC_DATABASE_URL": "CTSYNC_DATABASE__URL",
    "CTSYNC_REGISTRY_URL": "CTSYNC_REGISTRY__URL",
}
_CONFIG = "CTSYNC_CONFIG"
SECTIONS = frozenset(Settings.__struct_fields__)
"""The names of the sections."""
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""The files of certificates that requests, curl and Python's ssl use instead of their own."""


def read_environment(env: Mapping[str, str], report: Report) -> Table:
    """The settings in `env`, as a table; skips empty variables and those of other programs.

    A variable of a section is JSON; one of a key is text, and overrides the key in the section.
    """
    held = {name.upper(): text for name, text in env.items() if text}
    short = {long: held[name] for name, long in SHORT_NAMES.items() if name in held}
    table: Table = {}
    for name, text in sorted((short | held).items()):  # a section comes before its keys
        section, nested, key = name.removeprefix(PREFIX).lower().partition("__")
        if not name.startswith(PREFIX) or section not in SECTIONS:
            continue
        if nested:
            keys = table.setdefault(section, {})
            if isinstance(keys, dict):
                keys[key] = text
            else:
                whole = f"{PREFIX}{section.upper()}"
                report((section, key), f"cannot be set beside {whole}, which is not a table")
            continue
        try:
            table[section] = orjson.loads(text)
        except orjson.JSONDecodeError:
            report((section,), "must be JSON here; or set one key as CTSYNC_SECTION__KEY")
    return table


def variable_of(where: Location, env: Mapping[str, str]) -> str | None:
    """The environment variable that set a place or one above it; None if none did."""
    if where and where[0] in env:
        return str(where[0])
    names = {SHORT_NAMES.get(name.upper(), name.upper()): name for name in env if env[name]}
    for length in range(len(where), 0, -1):
        name = PREFIX + "__".join(map(str, where[:length])).upper()
        if name in names:
            return names[name]
    return None


def missing_ca_bundles(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that name a file of certificates which does not exist, each with what to do."""
    for name in CA_VARIABLES:
        path = env.get(name)
        if path and not os.path.exists(path):  # noqa: PTH110 - Path.exists raises in a closed folder
            yield name, f"there is no file {path}; correct the path, or unset the variable"


def unknown_variables(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that look like a misspelt setting, each with a hint; ignores other names."""
    sections = {name.upper() for name in SECTIONS}
    short = {name.removeprefix(PREFIX) for name in (*SHORT_NAMES, _CONFIG)}
    for name in env:
        rest = name.upper().removeprefix(PREFIX)
        if rest == name.upper() or rest in short | sections:
            continue
        section, nested, key = rest.partition("__")
        if nested and section not in sections:
            close = nearest_words(section, sections)
            hint = f"did you mean {PREFIX}{close[0]}__{key}?" if close else "see config/ctsync.toml"
            yield name, f"there is no such setting; {hint}"
        elif not nested and (close := nearest_words(rest, short, likeness=0.8)):
            yield name, f"there is no such setting; did you mean {PREFIX}{close[0]}?"
