"""Whether a browser may be sent to where an app asks it to be sent.

A redirect URI is compared as a string with those that were registered. Only a program
on the person's own machine cannot know its port before: where the registered one is
http at the loopback interface, and the client is a public one, the port may differ.

https://www.rfc-editor.org/rfc/rfc9700#section-2.1
https://www.rfc-editor.org/rfc/rfc8252#section-7.3
"""

import re
from urllib.parse import urlsplit

from fhir_service.storage.registrations import Client

_LOOPBACK = re.compile(
    r"(?P<before>http://(?:127\.0\.0\.1|\[::1\]|localhost))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<after>(?:[/?].*)?)"
)
_LAST_PORT = 65_535


def is_redirect_uri(client: Client, uri: str) -> bool:
    """Whether the client registered `uri`."""
    if uri in client.redirect_uris:
        return True
    if client.auth_method != "none":
        return False
    asked = _without_port(uri)
    return asked is not None and any(
        _without_port(registered) == asked for registered in client.redirect_uris
    )


def _without_port(uri: str) -> tuple[str, str] | None:
    match = _LOOPBACK.fullmatch(uri)
    if match is None or int(match["port"] or 0) > _LAST_PORT:
        return None
    return match["before"], match["after"]


def form_target(uri: str) -> str:
    """Return what a Content-Security-Policy calls the place of a redirect URI.

    Browsers hold `form-action` against the redirect that answers a form. The policy's
    grammar has no IPv6 addresses, so that the scheme has to do for `[::1]`.
    """
    parts = urlsplit(uri)
    if parts.scheme in {"https", "http"} and "[" not in parts.netloc:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def place_of(uri: str) -> str:
    """Return what a person is told of where a redirect URI leads."""
    parts = urlsplit(uri)
    return parts.hostname or parts.scheme
