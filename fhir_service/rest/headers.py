"""Fields of every request and response: ids, defaults, the client's address.

https://www.rfc-editor.org/rfc/rfc9110#section-5
https://owasp.org/www-project-secure-headers/
"""

import itertools
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from fhir_service.rest.message import Header

WELL_FORMED_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
"""A request id that a client may choose: FHIR's id, so that it harms no log line."""

PROCESS_ID_BYTES = 8
"""Of randomness in the part of our ids that a process's requests share."""

NO_STORE = ("cache-control", "no-store")

DEFAULTS: tuple[Header, ...] = (
    NO_STORE,
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
)
"""Added to a response that has no such field of its own."""

HTTPS_DEFAULTS: tuple[Header, ...] = (
    *DEFAULTS,
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
)
"""The same where the public URL is https."""


class RequestIds:
    """Names requests; no two of any process alike.

    A random part for the process and a count: randomness for each request would
    give up the interpreter's lock each time.
    """

    def __init__(self) -> None:
        self._process = secrets.token_hex(PROCESS_ID_BYTES)
        self._numbers = itertools.count(1)

    def of(self, headers: Mapping[str, str]) -> str:
        """Return the client's id of its request where well-formed, or a new one."""
        asked = headers.get("x-request-id")
        if asked is not None and WELL_FORMED_ID.fullmatch(asked):
            return asked
        return f"{self._process}-{next(self._numbers):x}"


def joined(items: Iterable[Header]) -> dict[str, str]:
    """Return fields by name, repeats joined (RFC 9110 §5.3; cookies RFC 6265 §5.4)."""
    fields: dict[str, str] = {}
    for name, value in items:
        if name in fields:
            separator = "; " if name == "cookie" else ", "
            fields[name] = f"{fields[name]}{separator}{value}"
        else:
            fields[name] = value
    return fields


def completed(
    headers: Sequence[Header], defaults: Iterable[Header], id_: str
) -> list[Header]:
    """Return the fields of a response with the defaults it lacks and its id."""
    names = {name for name, _ in headers}
    fields = [*headers, *(item for item in defaults if item[0] not in names)]
    fields.append(("x-request-id", id_))
    return fields


def client_address(
    peer: str,
    forwarded_for: str | None,
    trusted: Sequence[IPv4Network | IPv6Network],
) -> str:
    """Return the address of the client: the last one that no trusted proxy has.

    Args:
        peer: The other end of the connection, `address:port` or `[address]:port`.
        forwarded_for: `X-Forwarded-For`, nearest proxy last.
        trusted: Networks whose word is taken.

    """
    address = peer.rpartition(":")[0].strip("[]")
    if not trusted or forwarded_for is None:
        return address
    for hop in reversed(forwarded_for.split(",")):
        if not _is_trusted(address, trusted):
            break
        named = hop.strip()
        if not _is_address(named):
            break
        address = named
    return address


def _is_trusted(address: str, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    return _is_address(address) and any(
        ip_address(address) in network for network in trusted
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
