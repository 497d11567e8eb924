"""Requests and replies as values, and the registry's error texts. Uses no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson

TEXT = "text/plain; charset=UTF-8"
JSON = "application/json"
HTML = "text/html"

_FRIENDLY_PAGE_PADDING = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n" * 6


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    `path` is relative to the API's base ("/v2/studies"). `shift` moves the requested page by that
    many rows, as happens if the data change during a listing.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. The server adds the headers for length and date."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The request is refused with a status and a text, which is never JSON."""

    def __init__(self, text: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(text)
        self.reply = plain_text(text, status)


def plain_text(text: str, status: int) -> Reply:
    """An error text of the registry."""
    return Reply(status, text.encode(), {"Content-Type": TEXT})


def json_reply(value: Any) -> Reply:
    """A value as compact JSON."""
    return Reply(HTTPStatus.OK, orjson.dumps(value), {"Content-Type": JSON})


def front_page(status: int) -> Reply:
    """An HTML error page of the nginx in front of the registry, as for an unknown path."""
    title = f"{int(status)} {HTTPStatus(status).phrase}"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        f"</body>\r\n</html>\r\n{_FRIENDLY_PAGE_PADDING}"
    )
    return Reply(status, page.encode(), {"Content-Type": HTML})


def unknown_parameter(name: str) -> Refusal:
    """The endpoint has no parameter of that name."""
    return Refusal(f"`{name}` is unknown parameter")


def bad_format(name: str) -> Refusal:
    """The text of a parameter is malformed."""
    return Refusal(f"Parameter `{name}` has incorrect format")


def bad_item(number: int, name: str) -> Refusal:
    """One item of a list is malformed, so the request is refused."""
    return Refusal(f"Item {number} in parameter `{name}` has incorrect format")


def bad_value(name: str, value: str) -> Refusal:
    """The value of a parameter is not one of those allowed."""
    return Refusal(f"Invalid value in parameter `{name}`: `{value}`")


def unsupported(what: str) -> Refusal:
    """The real registry supports the request, and the replay registry does not."""
    return Refusal(f"The replay registry does not support {what}")
