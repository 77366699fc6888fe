"""Addresses of clients: where a browser may be sent, and from where it may call.

A redirect URI is compared as a whole, so that there is nothing to match loosely: no
wildcard, no fragment. An app on a device has a scheme that is a domain name of its
vendor turned round, or listens at the loopback interface.

https://www.rfc-editor.org/rfc/rfc8252#section-7
https://www.rfc-editor.org/rfc/rfc9700#section-2.1
https://www.rfc-editor.org/rfc/rfc6454#section-6.2
"""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from conformance.issues import FHIRError, IssueType

MAX_LENGTH = 2048
"""Characters of an address."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that are this very machine, in the spellings that are registered."""

_PORTS = {"https": 443, "http": 80}

_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=%]+")
"""Those of RFC 3986 §2, without the fragment's sign and the wildcard."""

_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
"""A private-use scheme has a dot (RFC 8252 §7.1), so that `javascript` is none."""

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE)


def redirect_uri(text: str) -> str:
    """Return `text` where an authorization response may be sent there.

    Raises:
        FHIRError: `value` for anything but an absolute URI without fragment and
            wildcard: https, http at a loopback host, or a private-use scheme.

    """
    parts = _split(text)
    if parts is not None and _PRIVATE_SCHEME.fullmatch(parts.scheme):
        if text.startswith(f"{parts.scheme}:/"):
            return text
    elif _is_web(parts):
        return text
    raise _refused(
        text,
        "a redirect URI: https, http at a loopback host, or a scheme such as "
        "com.example.app:/callback, without fragment and wildcard",
        "redirect_uri",
    )


def web_address(text: str, member: str) -> str:
    """Return `text` where it is https, or http at a loopback host.

    Raises:
        FHIRError: `value` for anything else, naming `member`.

    """
    if not _is_web(_split(text)):
        raise _refused(text, "an https address", member)
    return text


def origin(text: str) -> str:
    """Return `text` where it is an origin as browsers write it.

    Raises:
        FHIRError: `value` for anything else, such as `null` or an address with a path.

    """
    parts = _split(text)
    if parts is None or not _is_web(parts) or _origin(parts) != text:
        raise _refused(text, "an origin such as https://app.example", "origin")
    return text


def origins_of(uris: Iterable[str]) -> tuple[str, ...]:
    """Return the origins of those addresses that a browser can load a page from."""
    parts = [urlsplit(uri) for uri in uris]
    return tuple(dict.fromkeys(_origin(part) for part in parts if _is_web(part)))


def is_loopback(host: str | None) -> bool:
    """Whether a host of a URL is this very machine."""
    return host in LOOPBACK


def _split(text: str) -> SplitResult | None:
    if not 1 <= len(text) <= MAX_LENGTH or not _CHARACTERS.fullmatch(text):
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_web(parts: SplitResult | None) -> bool:
    if parts is None or not _is_host(parts.hostname) or "@" in parts.netloc:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and is_loopback(parts.hostname)


def _is_host(host: str | None) -> bool:
    if not host:
        return False
    if ":" in host:
        try:
            return bool(ipaddress.IPv6Address(host))
        except ValueError:
            return False
    return _NAME.fullmatch(host) is not None


def _origin(parts: SplitResult) -> str:
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    if parts.port is None or parts.port == _PORTS[parts.scheme]:
        return f"{parts.scheme}://{shown}"
    return f"{parts.scheme}://{shown}:{parts.port}"


def _refused(text: str, what: str, member: str) -> FHIRError:
    return FHIRError(IssueType.VALUE, f"{text[:128]!r} is not {what}.", member)
