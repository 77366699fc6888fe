"""GET and POST where somebody else chose: where it may lead, how much it may take.

The name is resolved once, every address that it has is judged, and the connection goes
to one of those, so that a name cannot mean another machine a moment later. There are no
redirects, no proxies, no decompression, and there is one deadline for everything after
the name was resolved. `http.client` and not requests, because neither a pinned address
nor a deadline can be had there.

https://owasp.org/www-community/attacks/Server_Side_Request_Forgery
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from fhir_service.auth.client_uris import is_loopback
from fhir_service.settings import Network

T = TypeVar("T")

DEADLINE_S = 3.0
"""Seconds from the first connection to the last byte."""

MAX_BYTES = 65_536
"""Of a body."""

MAX_ADDRESSES = 8
"""Addresses of a name that are judged; a name with more is refused."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Iterable[str]]
"""Host and port → its addresses, as text."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out as global unicast (RFC 4291 §2.4)."""
_PROVIDERS: tuple[Network, ...] = (
    ipaddress.IPv4Network("168.63.129.16/32"),
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv4Network("192.88.99.0/24"),
    ipaddress.IPv6Network("3fff::/20"),
)
"""What Python's tables call global and nobody publishes at: the inside of two clouds,
protocol assignments (RFC 6890), anycast relays (RFC 7526), documentation (RFC 9637)."""
_THIS_MACHINE: tuple[Network, ...] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
)
_IPV4_BITS = 0xFFFFFFFF
_PORTS = {"https": 443, "http": 80}


class Unreachable(Exception):  # noqa: N818 - named as the event it becomes
    """Nothing was got.

    Args:
        reason: Our own word for why.

    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What was got.

    Attributes:
        headers: Fields of the response.
        body: All of it.

    """

    headers: Message
    body: bytes


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses that the system's resolver gives for a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, whatever it is wrapped in."""
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    if any(address in one for one in _PROVIDERS):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _IPV4_BITS)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """Fetches what is at an address.

    Attributes:
        networks: Networks that are not public and may be asked all the same.
        schemes: `https`, and `http` where the service itself is tried out.
        resolve: Finds addresses.
        context: What TLS accepts; the system's authorities where None.
        deadline_s: Seconds for one fetch.

    """

    networks: tuple[Network, ...] = ()
    schemes: frozenset[str] = frozenset({"https"})
    resolve: Resolve = resolved
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    deadline_s: float = DEADLINE_S

    def get(self, url: str) -> Fetched:
        """Return what is at `url`.

        Raises:
            Unreachable: for a scheme or an address that may not be asked, a status
                other than 200, a body that is too long or comes too late.

        """
        return self._exchanged(url, _asked)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send JSON to `url`; return the status of the answer, whatever it is.

        What the answer says besides is not read; a redirect is not followed.

        Raises:
            Unreachable: for a scheme or an address that may not be asked, and where
                no answer comes in time.

        """
        return self._exchanged(url, lambda at, parts: _told(at, parts, body, headers))

    def _exchanged(self, url: str, ask: Callable[[socket.socket, SplitResult], T]) -> T:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme, 0)
        if parts.scheme not in self.schemes or not host:
            raise Unreachable("scheme")
        addresses = self._judged(host, port)
        try:
            with _deadline(self.deadline_s) as guard:
                connected = guard.take(_connected(addresses, port, self.deadline_s))
                if parts.scheme == "https":
                    connected = self._secured(guard, connected, host)
                answer = ask(connected, parts)
                guard.refuse_late()
                return answer
        except (OSError, http.client.HTTPException, ValueError):
            raise Unreachable("no-answer") from None

    def _secured(
        self, guard: "_Guard", connected: socket.socket, host: str
    ) -> ssl.SSLSocket:
        """Return the connection under TLS, with whom the name says and nobody else."""
        secured = self.context.wrap_socket(
            connected, server_hostname=host, do_handshake_on_connect=False
        )
        guard.take(secured)
        secured.do_handshake()
        return secured

    def _judged(self, host: str, port: int) -> list[str]:
        try:
            found = list(self.resolve(host, port))
        except (OSError, UnicodeError):
            raise Unreachable("no-address") from None
        if not 1 <= len(found) <= MAX_ADDRESSES:
            raise Unreachable("no-address")
        if not all(map(self._may_ask, found)):
            raise Unreachable("address-refused")
        return found

    def _may_ask(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return is_public(address) or any(address in one for one in self.networks)


def outgoing(public_url: str, networks: tuple[Network, ...]) -> Outgoing:
    """Return what fetches for a deployment.

    One that is tried out on a single machine may ask that machine, in the clear.

    Args:
        public_url: Where clients reach the service.
        networks: Networks that are not public and may be asked all the same.

    """
    parts = urlsplit(public_url)
    if parts.scheme == "http" and is_loopback(parts.hostname):
        schemes = frozenset({"https", "http"})
        return Outgoing(networks=(*networks, *_THIS_MACHINE), schemes=schemes)
    return Outgoing(networks=networks)


class _Guard:
    """Holds the one socket of a fetch, and ends it when the time is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_over = False

    def take(self, connected: socket.socket) -> socket.socket:
        """Hold this socket, in place of that which it wraps."""
        with self._lock:
            self._socket = connected
        self.refuse_late()
        return connected

    def refuse_late(self) -> None:
        """Raise where the time is over: what was read until then may lack its end."""
        if self._is_over:
            raise TimeoutError

    def end(self) -> None:
        """Wake whoever waits for the socket; called by another thread."""
        with self._lock:
            self._is_over = True
            if self._socket is not None:
                with suppress(OSError):  # It may be closed already.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()


@contextmanager
def _deadline(seconds: float) -> Iterator[_Guard]:
    """Yield what holds a socket; when the time is over nothing more is read."""
    guard = _Guard()
    timer = threading.Timer(seconds, guard.end)
    timer.daemon = True
    timer.start()
    try:
        yield guard
    finally:
        timer.cancel()
        guard.close()


def _connected(addresses: list[str], port: int, timeout_s: float) -> socket.socket:
    share = timeout_s / len(addresses)
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), timeout=share)
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), timeout=share)


def _asked(connected: socket.socket, parts: SplitResult) -> Fetched:
    with _sent(connected, parts, "GET", {}, None) as response:
        return _whole(response)


def _told(
    connected: socket.socket,
    parts: SplitResult,
    body: bytes,
    headers: Mapping[str, str],
) -> int:
    length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    with _sent(connected, parts, "POST", {**headers, **length}, body) as response:
        return response.status


def _sent(
    connected: socket.socket,
    parts: SplitResult,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("unused")
    connection.sock = connected
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in (
        ("Host", parts.netloc),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
        *headers.items(),
    ):
        connection.putheader(name, value)
    connection.endheaders(body)
    return connection.getresponse()


def _whole(response: http.client.HTTPResponse) -> Fetched:
    if response.status != http.HTTPStatus.OK:
        raise Unreachable("status")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Unreachable("encoding")
    body = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise Unreachable("too-long")
    if response.length:  # http.client gives a short body without complaint.
        raise Unreachable("no-answer")
    return Fetched(headers=response.headers, body=body)
