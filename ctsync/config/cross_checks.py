"""Contradictions between settings: a repeated name, mail without a server. Does no I/O.

Checks the raw table, not Settings, so that they are reported together with wrong values.
"""

from __future__ import annotations

from collections.abc import Iterator

from ctsync.config.secrets import Location, Table

Contradictions = Iterator[tuple[Location, str]]


def cross_check(table: Table) -> Contradictions:
    """Every contradiction in a config table, with the place to correct."""
    yield from _names_that_stand_twice(table)
    yield from _repeated_recipients(table)
    yield from _watches_of_nothing(table)
    yield from _mail_that_cannot_go(table)


def _names_that_stand_twice(table: Table) -> Contradictions:
    for section in ("watches", "channels"):
        seen: set[str] = set()
        for number, item in _items(table, section):
            name = item.get("name")
            if not isinstance(name, str):
                continue
            if name.strip() in seen:
                yield (section, number, "name"), f"{name!r} is used twice; names must be unique"
            seen.add(name.strip())


def _repeated_recipients(table: Table) -> Contradictions:
    """Two sections with one address: their messages could not be combined into one."""
    if not table.get("recipients"):
        return
    from ctsync.config.mail_address import (  # noqa: PLC0415 - few settings have recipients
        BadAddress,
        read_address,
    )

    seen: set[str] = set()
    for number, item in _items(table, "recipients"):
        try:
            address = read_address(str(item.get("email"))).bare.casefold()
        except BadAddress:
            continue  # reported as a wrong value
        if address in seen:
            yield (
                ("recipients", number, "email"),
                f"{address} has a section already; list all its watches in one section",
            )
        seen.add(address)


def _watches_of_nothing(table: Table) -> Contradictions:
    for number, watch in _items(table, "watches"):
        if not any(watch.get(key) for key in ("trials", "org_ids", "query")):
            yield ("watches", number), "follows nothing; give it trials, org_ids or a query"


def _mail_that_cannot_go(table: Table) -> Contradictions:
    if table.get("recipients") and "smtp" not in table:
        yield ("recipients",), "mail needs a server; add [smtp] with host and sender"
    smtp = _section(table, "smtp")
    if ("username" in smtp) != ("password" in smtp):
        yield ("smtp",), "username and password go together; set both or neither"
    if smtp.get("security") == "none" and "password" in smtp:
        yield (
            ("smtp", "security"),
            'a password must not be sent unencrypted; use "starttls" or "tls"',
        )


def _section(table: Table, name: str) -> Table:
    held = table.get(name)
    return held if isinstance(held, dict) else {}


def _items(table: Table, section: str) -> list[tuple[int, Table]]:
    held = table.get(section)
    items = list(enumerate(held)) if isinstance(held, list) else []
    return [(number, item) for number, item in items if isinstance(item, dict)]
