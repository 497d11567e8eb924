"""A request and a reply as values, and the texts the registry refuses with. No sockets."""

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
    """What was asked for.

    `path` is below the API's base ("/v2/studies"). `shift` moves the page asked for by that
    many rows, as a data set that changes under a listing does.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; the length and the date are the server's to add."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request is answered with an error: the status and the text, which is never JSON."""

    def __init__(self, text: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(text)
        self.reply = plain_text(text, status)


def plain_text(text: str, status: int) -> Reply:
    """An error in the registry's own words."""
    return Reply(status, text.encode(), {"Content-Type": TEXT})


def json_reply(value: Any) -> Reply:
    """A value as compact JSON."""
    return Reply(HTTPStatus.OK, orjson.dumps(value), {"Content-Type": JSON})


def front_page(status: int) -> Reply:
    """An error page of the nginx in front, which is what an unknown path meets."""
    title = f"{int(status)} {HTTPStatus(status).phrase}"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        f"</body>\r\n</html>\r\n{_FRIENDLY_PAGE_PADDING}"
    )
    return Reply(status, page.encode(), {"Content-Type": HTML})


def unknown_parameter(name: str) -> Refusal:
    """No endpoint knows a parameter of that name, or this one does not."""
    return Refusal(f"`{name}` is unknown parameter")


def bad_format(name: str) -> Refusal:
    """A parameter's text is not of the form it must have."""
    return Refusal(f"Parameter `{name}` has incorrect format")


def bad_item(number: int, name: str) -> Refusal:
    """One item of a list is not of the form it must have, which refuses the whole request."""
    return Refusal(f"Item {number} in parameter `{name}` has incorrect format")


def bad_value(name: str, value: str) -> Refusal:
    """A parameter's value is none of those allowed."""
    return Refusal(f"Invalid value in parameter `{name}`: `{value}`")


def unsupported(what: str) -> Refusal:
    """The real registry could answer this; the replay registry says that it cannot."""
    return Refusal(f"The replay registry does not support {what}")
