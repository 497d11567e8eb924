"""The page of the settings, from the classes of the settings and the texts under its fields."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from msgspec import NODEFAULT
from msgspec.json import schema
from msgspec.structs import FieldInfo, fields

from ctsync.config.environment import PREFIX, SHORT_NAMES
from ctsync.config.error_text import choices_of
from ctsync.config.settings import Settings
from ctsync.config.value_reader import SettingsSection
from ctsync.config.values import Secret
from ctsync.record.rules.rules import Thresholds
from docs.generators.markdown_text import code, escape, page
from docs.generators.schema_text import Schema, type_text

PATH = "reference/settings.md"

_SHORT = {long: short for short, long in SHORT_NAMES.items()}
_INTRODUCTION = """\
ctsync works without a settings file. `ctsync init` writes one that holds every setting with its
default and a comment. ctsync reads the first file that exists of:

1. the file given with `--config`
2. the file named in the environment variable `CTSYNC_CONFIG`
3. `ctsync.toml` in the current folder
4. `ctsync.toml` in your configuration folder

An option overrides an environment variable, a variable overrides the file, and the file overrides
the defaults. `ctsync config show` prints each setting and where it was read from.
`ctsync config check` reports every error at once, with its line. Commands that only read the
database, such as `ctsync history`, check `[database]`, `[reports]` and the names of the sections.

Secrets do not belong in the file. Write `env:NAME` for an environment variable, `file:/path` for a
file that only its owner may read, or `credential:NAME` for a systemd credential.
"""


def settings_page() -> str:
    """Return the page: one part per section, one entry per setting."""
    texts = texts_below_fields(Settings)
    parts = [_section(name, texts[name]) for name in Settings.__struct_fields__]
    return page("Settings", "Every setting of ctsync.", _INTRODUCTION, *parts)


def texts_below_fields(model: type) -> Mapping[str, str]:
    """Return the text under each field of a class. Raises ValueError for a field without one."""
    (defined,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    found = {}
    for field, below in pairwise(defined.body if isinstance(defined, ast.ClassDef) else []):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    of_class = getattr(model, "__struct_fields__", None)
    for name in of_class or getattr(model, "__dataclass_fields__", {}):
        if name not in found:
            raise ValueError(
                f"{model.__name__}.{name} has no description: write it below the field"
            )
    return found


def section_models() -> Mapping[str, type[SettingsSection]]:
    """Return the class of each section, or of each of its entries; [rules] has none."""
    return {
        field.name: next(one for one in (field.type, *get_args(field.type)) if _is_section(one))
        for field in fields(Settings)
        if field.name != "rules"
    }


def _fields(model: type[SettingsSection]) -> Mapping[str, FieldInfo]:
    return {field.name: field for field in fields(model)}


def _is_section(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, SettingsSection)


def _schema(kind: Any) -> Schema:
    """Return the JSON Schema of a value. Choices keep their order, which msgspec does not."""
    (present, *_) = get_args(kind) if NoneType in get_args(kind) else (kind,)
    choices = choices_of(present)
    return {"enum": choices} if choices else schema(kind, schema_hook=_own_schema)


def _own_schema(kind: type) -> dict[str, Any]:
    """Return the schema of a type that msgspec does not know."""
    return {"type": "string", "format": {Path: "path", Secret: "password"}[kind]}


def _section(name: str, text: str) -> str:
    is_list = _fields(Settings)[name].default == ()
    heading = f"[[{name}]]" if is_list else f"[{name}]"
    parts = [f"## {code(heading)} {{#{name}}}", escape(text)]
    if is_list:
        parts.append(
            f"One section per entry. In the environment: `{PREFIX}{name.upper()}`, as a JSON list."
        )
    if name == "rules":
        parts += [_threshold(*entry) for entry in texts_below_fields(Thresholds).items()]
    else:
        model = section_models()[name]
        parts += [_setting(model, key, in_list=is_list, section=name) for key in _fields(model)]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _setting(model: type[SettingsSection], key: str, *, in_list: bool, section: str) -> str:
    facts = [f"Type: {type_text(_schema(_fields(model)[key].type), link='', null=False)}"]
    facts += [f"Default: {found}" for found in [_default(model, key)] if found]
    if not in_list:
        facts.append(f"Environment: {variables(section, key)}")
    return _entry(section, key, texts_below_fields(model)[key], facts)


def _threshold(key: str, text: str) -> str:
    default = Thresholds.__dataclass_fields__[key].default
    facts = ["Type: number, at least 0", f"Default: `{default}`"]
    return _entry("rules", key, text, [*facts, f"Environment: {variables('rules', key)}"])


def variables(section: str, key: str) -> str:
    """Return the environment variables of a setting, as Markdown."""
    long = f"{PREFIX}{section}__{key}".upper()
    return " or ".join(code(name) for name in (_SHORT.get(long), long) if name)


def _entry(section: str, key: str, text: str, facts: list[str]) -> str:
    listed = "\n".join(f"- {fact}" for fact in facts)
    return f"### {code(key)} {{#{section}-{key}}}\n\n{escape(text)}\n\n{listed}"


def _default(model: type[SettingsSection], key: str) -> str:
    """Return the default as TOML; empty if it is a rule, which the text explains."""
    field = _fields(model)[key]
    if field.required:
        return "none: the setting is required"
    if inspect.isfunction(field.default_factory):
        return ""
    value = field.default if field.default_factory is NODEFAULT else field.default_factory()
    value = value.reveal() if isinstance(value, Secret) else getattr(value, "value", value)
    if value is None or value in ((), "", {}):
        return "none"
    return code(json.dumps(value))
