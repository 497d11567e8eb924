"""Mail addresses as people write them, and in the form that mail servers accept. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from email.errors import NonASCIILocalPartDefect
from email.headerregistry import Address, HeaderRegistry
from typing import Any


class BadAddress(ValueError):
    """The text is not one mail address; the message says why."""


@dataclass(frozen=True, slots=True)
class MailAddress:
    """One address: display name, local part, and domain in ASCII (`xn--` if international)."""

    name: str
    local: str
    domain: str

    @property
    def bare(self) -> str:
        """The address without the display name."""
        return Address(username=self.local, domain=self.domain).addr_spec

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a mail server that offers SMTPUTF8 can accept the address."""
        return not self.local.isascii()


def read_address(text: str) -> MailAddress:
    """Read "name@example.org" or "Name <name@example.org>". Raises BadAddress."""
    header: Any = HeaderRegistry()("to", text)  # its class is made at run time
    found = header.addresses
    # a local part beyond ASCII is a defect of RFC 5322, and allowed by RFC 6532
    defects = [one for one in header.defects if not isinstance(one, NonASCIILocalPartDefect)]
    if defects or len(found) != 1 or not found[0].username or not found[0].domain:
        raise BadAddress(f"{text!r} is not a mail address; write name@example.org")
    (address,) = found
    return MailAddress(address.display_name, address.username, _ascii_domain(address.domain))


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    import idna  # noqa: PLC0415 - few addresses need its tables

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise BadAddress(f"{domain!r} cannot be the domain of a mail address: {error}") from None
