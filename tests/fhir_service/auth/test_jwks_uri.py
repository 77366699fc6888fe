"""Keys that clients publish: fetched rarely, from where they may be, and no longer."""

import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from certificates import certificate_for
from joserfc.jwk import ECKey, OctKey, RSAKey

from fhir_service.auth import jwks_uri
from fhir_service.auth.jwks_uri import KeyFetcher
from fhir_service.auth.keys import KeysUnavailable
from fhir_service.auth.outgoing import (
    Outgoing,
    Unreachable,
    _Guard,
    is_public,
    outgoing,
)

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def public(kid: str) -> dict[str, Any]:
    key = ECKey.generate_key("P-384", parameters={"kid": kid})
    return dict(key.as_dict(private=False))


ONE, TWO = public("one"), public("two")


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


@dataclass
class Site:
    """A server of keys and what it was asked."""

    body: bytes = field(default_factory=lambda: jwks(ONE))
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0
    drip_s: float = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/jwks"


class Handler(BaseHTTPRequestHandler):
    """Answers for the `Site` of its server."""

    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]  # see `serving`
        site.asked.append((self.path, dict(self.headers)))
        time.sleep(site.wait_s)
        self.send_response(site.status)
        for name, value in site.headers.items():
            self.send_header(name, value)
        self.end_headers()
        step = 1 if site.drip_s else max(len(site.body), 1)
        try:
            for start in range(0, len(site.body), step):
                self.wfile.write(site.body[start : start + step])
                time.sleep(site.drip_s)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that goes away is part of the test."""


@contextmanager
def serving(site: Site, context: ssl.SSLContext | None = None) -> Iterator[Site]:
    server = Server(("127.0.0.1", 0), Handler)
    server.site = site  # type: ignore[attr-defined]  # for the handlers
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        site.scheme = "https"
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site()) as running:
        yield running


@dataclass
class Seconds:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def resolving(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda _host, _port: list(addresses)


def local(**changes: Any) -> Outgoing:
    values: dict[str, Any] = {
        "networks": LOOPBACK,
        "schemes": frozenset({"https", "http"}),
        "resolve": resolving("127.0.0.1"),
    }
    return Outgoing(**(values | changes))


@pytest.fixture
def fetcher(seconds: Seconds) -> KeyFetcher:
    return KeyFetcher(local(), seconds)


def ids(fetcher: KeyFetcher, site: Site, kid: str | None = "one") -> list[str | None]:
    return [key.id for key in fetcher.keys(site.url, kid)]


def test_keys_are_fetched_from_where_they_are_published(
    fetcher: KeyFetcher, site: Site
) -> None:
    found = ids(fetcher, site)

    [(path, headers)] = site.asked
    assert found == ["one"]
    assert path == "/jwks"
    assert headers == {
        "Host": f"localhost:{site.port}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


@pytest.mark.parametrize(
    ("control", "lasts_s"),
    [
        (None, 300),
        ("max-age=120", 120),
        ('public, max-age="120"', 120),
        ("max-age=1", 1),
        ("max-age=59", 59),
        ("max-age=901", 900),
        ("max-age=999999999", 900),
        ("max-age=9999999999", 300),
        ("x-max-age=800", 300),
        ("max-age=-5", 300),
    ],
)
def test_a_set_is_kept_as_long_as_it_says(
    fetcher: KeyFetcher,
    site: Site,
    seconds: Seconds,
    control: str | None,
    lasts_s: int,
) -> None:
    site.headers = {} if control is None else {"Cache-Control": control}
    ids(fetcher, site)

    seconds.now += lasts_s - 1
    ids(fetcher, site)
    before = len(site.asked)
    seconds.now += 1
    ids(fetcher, site)

    assert (before, len(site.asked)) == (1, 2)


@pytest.mark.parametrize(
    "control", ["no-store", "no-cache", "max-age=0", "max-age=600, no-cache"]
)
def test_a_set_that_must_not_be_kept_is_fetched_each_time(
    fetcher: KeyFetcher, site: Site, seconds: Seconds, control: str
) -> None:
    site.headers = {"Cache-Control": control}
    first = ids(fetcher, site)
    site.body = jwks(TWO)
    seconds.now += 0.001

    assert (first, ids(fetcher, site)) == (["one"], ["two"])


def test_a_new_key_is_found_and_asked_for_once_a_minute(
    fetcher: KeyFetcher, site: Site, seconds: Seconds
) -> None:
    ids(fetcher, site)
    site.body = jwks(TWO)

    early = [ids(fetcher, site, "two") for _ in range(3)]
    seconds.now += 60
    late = [ids(fetcher, site, "two") for _ in range(3)]
    for _ in range(5):
        ids(fetcher, site, "three")

    assert early == [["one"]] * 3
    assert late == [["two"]] * 3
    assert len(site.asked) == 2


def test_a_key_that_was_withdrawn_is_gone_when_the_set_has_expired(
    fetcher: KeyFetcher, site: Site, seconds: Seconds
) -> None:
    ids(fetcher, site)
    site.body = jwks(TWO)

    seconds.now += 300

    assert ids(fetcher, site) == ["two"]


def test_twenty_threads_make_one_fetch(fetcher: KeyFetcher, site: Site) -> None:
    site.wait_s = 0.3
    found: list[list[str | None]] = []
    threads = [
        threading.Thread(target=lambda: found.append(ids(fetcher, site)))
        for _ in range(20)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [["one"]] * 20
    assert len(site.asked) == 1


def test_whoever_has_his_key_does_not_wait_for_a_fetch(
    fetcher: KeyFetcher, site: Site, seconds: Seconds
) -> None:
    ids(fetcher, site)
    seconds.now += 61
    site.wait_s = 1.5
    stranger = threading.Thread(target=lambda: ids(fetcher, site, "unknown"))
    stranger.start()
    while len(site.asked) < 2:
        time.sleep(0.01)
    before = time.monotonic()

    found = ids(fetcher, site)

    took = time.monotonic() - before
    stranger.join()
    assert found == ["one"]
    assert took < 1


def test_a_site_that_is_down_is_asked_less_and_less_often(
    fetcher: KeyFetcher, site: Site, seconds: Seconds
) -> None:
    site.status = 500
    start, asked_at = seconds.now, []

    for _ in range(400):
        before = len(site.asked)
        with pytest.raises(KeysUnavailable):
            ids(fetcher, site)
        if len(site.asked) > before:
            asked_at.append(seconds.now - start)
        seconds.now += 2

    assert asked_at == [0, 2, 6, 14, 30, 62, 126, 254, 510]


def test_the_last_set_is_used_until_it_expires_while_the_site_is_down(
    fetcher: KeyFetcher, site: Site, seconds: Seconds
) -> None:
    ids(fetcher, site)
    site.status = 503
    seconds.now += 61

    kept = [ids(fetcher, site, "two") for _ in range(3)]
    seconds.now += 238
    last = ids(fetcher, site)
    asked = len(site.asked)
    seconds.now += 1

    assert (kept, last, asked) == ([["one"]] * 3, ["one"], 2)
    with pytest.raises(KeysUnavailable) as caught:
        ids(fetcher, site)
    assert caught.value.reason == "jwks-unavailable"


def test_a_site_that_comes_back_is_forgiven(
    fetcher: KeyFetcher, site: Site, seconds: Seconds
) -> None:
    site.status = 500
    with pytest.raises(KeysUnavailable):
        ids(fetcher, site)
    site.status = 200

    seconds.now += 2

    assert ids(fetcher, site) == ["one"]


def test_no_more_addresses_are_remembered_than_that(
    site: Site, fetcher: KeyFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks_uri, "MAX_URIS", 2)

    for number in (1, 2, 3, 3, 1):
        fetcher.keys(f"{site.url}/{number}", None)

    assert [path for path, _ in site.asked] == [
        "/jwks/1",
        "/jwks/2",
        "/jwks/3",
        "/jwks/1",
    ]


def test_keys_that_cannot_be_used_are_left_out() -> None:
    private = ECKey.generate_key("P-384", parameters={"kid": "private"})
    body = jwks(
        ONE,
        public("enc") | {"use": "enc"},
        dict(ECKey.generate_key("P-256").as_dict(private=False)),
        dict(OctKey.generate_key(256).as_dict()),
        dict(private.as_dict(private=True)),
        {"kty": "RSA"},
        TWO | {"x5c": ["AAAA"], "key_ops": ["verify"]},
        dict(RSAKey.generate_key(2048, {"kid": "rsa"}).as_dict(private=False)),
    )

    found = [key.id for key in jwks_uri.usable_keys(body)]

    assert found == ["one", "two", "rsa"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b"<html></html>",
        b'{"keys": [], "keys": []}',
        b'{"keys": [[[[[[]]]]]]}',
        b'{"keys": []} {}',
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_jwks_is_as_bad_as_no_answer(
    fetcher: KeyFetcher, site: Site, body: bytes
) -> None:
    site.body = body

    with pytest.raises(KeysUnavailable):
        ids(fetcher, site)


def test_a_redirect_is_not_followed(site: Site) -> None:
    with serving(Site()) as inner:
        site.status, site.headers = 302, {"Location": inner.url}

        with pytest.raises(Unreachable) as caught:
            local().get(site.url)

    assert caught.value.reason == "status"
    assert inner.asked == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body": b"x" * 65_537}, "too-long"),
        ({"body": b"x" * 10_000_000}, "too-long"),
        ({"headers": {"Content-Encoding": "gzip"}}, "encoding"),
        ({"headers": {"Content-Length": "9999"}}, "no-answer"),
        ({"wait_s": 1.0}, "no-answer"),
        ({"drip_s": 0.05}, "no-answer"),
        ({"headers": {f"X-{n}": "x" for n in range(200)}}, "no-answer"),
    ],
)
def test_no_answer_takes_more_than_its_share(
    site: Site, changes: dict[str, Any], reason: str
) -> None:
    for name, value in changes.items():
        setattr(site, name, value)
    before = time.monotonic()

    with pytest.raises(Unreachable) as caught:
        local(deadline_s=0.5).get(site.url)

    assert caught.value.reason == reason
    assert time.monotonic() - before < 2


def test_a_head_that_never_ends_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
                while not stop.wait(0.1):
                    try:
                        client.sendall(b"a")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        before = time.monotonic()

        with pytest.raises(Unreachable):
            local(deadline_s=0.5).get(f"http://localhost:{server.getsockname()[1]}/")

        took = time.monotonic() - before
        stop.set()
        thread.join()
    assert took < 2


def test_a_site_that_is_not_there_has_no_keys() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(Unreachable):
        local().get(f"http://localhost:{port}/")


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]"]
)
def test_no_spelling_of_this_machine_is_asked(host: str) -> None:
    with serving(Site()) as inner, pytest.raises(Unreachable) as caught:
        Outgoing(schemes=frozenset({"http"})).get(f"http://{host}:{inner.port}/")

    assert caught.value.reason in {"address-refused", "no-address"}
    assert inner.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 - refused
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "192.88.99.1",
        "::ffff:192.0.0.192",
        "3fff::1",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "233.252.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001:0:53aa:64c:0:fbff:80ff:fffe",
    ],
)
def test_no_name_leads_into_a_private_network(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(Unreachable) as caught:
        Outgoing(resolve=resolving("9.9.9.9", address)).get("https://keys.test/")

    assert caught.value.reason == "address-refused"


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::fe", "64:ff9b::909:909"])
def test_a_public_address_may_be_asked(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_a_name_is_resolved_once_for_a_fetch(site: Site) -> None:
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    local(resolve=resolve).get(site.url)

    assert asked == [("localhost", site.port)]


@pytest.mark.parametrize("found", [[], ["9.9.9.9"] * 9, ["keys.test"]])
def test_a_name_with_no_address_to_judge_is_refused(found: list[str]) -> None:
    with pytest.raises(Unreachable):
        Outgoing(resolve=resolving(*found)).get("https://keys.test/")


def test_a_name_that_cannot_be_resolved_is_refused() -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    with pytest.raises(Unreachable) as caught:
        Outgoing(resolve=resolve).get("https://keys.test/")

    assert caught.value.reason == "no-address"


@pytest.mark.parametrize(
    "url",
    ["http://keys.test/", "file:///etc/hosts", "gopher://keys.test/", "https:///"],
)
def test_only_https_is_asked(url: str) -> None:
    with pytest.raises(Unreachable) as caught:
        Outgoing(resolve=resolving("9.9.9.9")).get(url)

    assert caught.value.reason == "scheme"


def test_the_next_address_is_tried_where_one_does_not_answer(site: Site) -> None:
    both = resolving("127.0.0.2", "127.0.0.1")

    assert local(resolve=both).get(site.url).body == jwks(ONE)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate_for("keys.test", tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Site]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with serving(Site(), context) as running:
        yield running


def test_tls_is_with_whom_the_name_says(
    secure: Site, certificate: tuple[Path, Path]
) -> None:
    trusting = ssl.create_default_context(cafile=certificate[0])
    url = f"https://keys.test:{secure.port}/jwks"

    found = local(context=trusting).get(url)

    assert found.body == jwks(ONE)
    assert secure.asked[0][1]["Host"] == f"keys.test:{secure.port}"


def test_a_certificate_of_another_name_or_authority_is_refused(
    secure: Site, certificate: tuple[Path, Path]
) -> None:
    trusting = ssl.create_default_context(cafile=certificate[0])

    for context, host in (
        (trusting, "other.test"),
        (ssl.create_default_context(), "keys.test"),
    ):
        with pytest.raises(Unreachable):
            local(context=context).get(f"https://{host}:{secure.port}/jwks")

    assert secure.asked == []


def test_a_handshake_that_never_ends_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = time.monotonic()

        with pytest.raises(Unreachable):
            local(deadline_s=0.5).get(f"https://keys.test:{server.getsockname()[1]}/")

    assert time.monotonic() - before < 2


def test_proxies_of_the_environment_are_not_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Site()) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        local().get(site.url)

    assert proxy.asked == []


@pytest.mark.parametrize(
    ("public_url", "clear", "here"),
    [
        ("http://localhost:8000", True, True),
        ("http://[::1]:8000", True, True),
        ("https://localhost:8000", False, False),
        ("http://fhir.test", False, False),
        ("https://fhir.test", False, False),
    ],
)
def test_only_who_tries_the_service_out_is_fetched_for_from_this_machine(
    public_url: str,
    clear: bool,  # noqa: FBT001 - a case of the test
    here: bool,  # noqa: FBT001 - a case of the test
) -> None:
    office = ipaddress.ip_network("10.1.0.0/16")

    made = outgoing(public_url, (office,))

    assert ("http" in made.schemes) is clear
    assert any(LOOPBACK[0] == network for network in made.networks) is here
    assert office in made.networks


def test_a_network_that_is_listed_may_be_asked() -> None:
    office = outgoing("https://fhir.test", (ipaddress.ip_network("127.0.0.0/8"),))

    with pytest.raises(Unreachable) as inside:
        replace(office, resolve=resolving("127.0.0.1")).get("https://keys.test:1/")
    with pytest.raises(Unreachable) as outside:
        replace(office, resolve=resolving("10.0.0.1")).get("https://keys.test:1/")

    assert inside.value.reason == "no-answer"
    assert outside.value.reason == "address-refused"


def test_a_connection_that_comes_after_the_deadline_is_not_used() -> None:
    guard = _Guard()
    guard.end()

    with socket.socket() as late, pytest.raises(TimeoutError):
        guard.take(late)


def test_several_fields_count_together() -> None:
    headers = Message()
    headers["Cache-Control"] = "public"
    headers["Cache-Control"] = "max-age=100"

    assert jwks_uri.lifetime_s(headers) == 100
