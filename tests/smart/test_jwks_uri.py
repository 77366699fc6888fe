"""Keys that a client publishes itself: fetched with care, kept no longer than it says.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from smart_assertion import Signer, new_key, public

from fhir_service.cli import main


@dataclass
class Published:
    """A site that publishes keys.

    Attributes:
        url: Of the keys.
        keys: Public JWKs.
        headers: Sent with them.
        asked: Paths that were asked for.

    """

    url: str = ""
    keys: list[dict] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def publishing() -> Iterator[Published]:
    site = Published()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            body = json.dumps({"keys": site.keys}).encode()
            self.send_response(site.status)
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site():
    with publishing() as served:
        yield served


@pytest.fixture
def client(site, service, clinic, request):
    """Return a client that is registered by the address of its keys."""
    key = new_key("ES384", "published")
    site.keys = [public(key)]
    client_id = f"by-url-{abs(hash(request.node.name)) % 10**8}"
    service.add_client(
        client_id,
        "system/Patient.rs",
        *("--jwks-uri", site.url, "--organization", clinic.organization),
        *("--purpose", "TREAT"),
    )
    return Signer(service=service, client_id=client_id, key=key)


def is_refused(answer):
    return (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_keys_are_fetched_from_where_the_client_registered(client, site):
    assert client.ask().status_code == 200
    assert site.asked == ["/jwks.json"]


def test_a_jku_that_is_the_registered_address_is_taken(client, site):
    assertion = client.signed(header=client.header(jku=site.url))

    assert client.ask(assertion).status_code == 200


def test_another_jku_is_refused_and_never_asked(client, site):
    for jku in (f"{site.url}?more", site.url.replace("jwks.json", "evil.json")):
        assert is_refused(client.ask(client.signed(header=client.header(jku=jku))))

    assert set(site.asked) <= {"/jwks.json"}


def test_keys_are_kept_as_long_as_the_client_allows(client, site):
    site.headers["Cache-Control"] = "max-age=60"

    for _ in range(3):
        assert client.ask().status_code == 200

    assert len(site.asked) == 1


def test_keys_that_must_not_be_kept_are_not(client, site):
    site.headers["Cache-Control"] = "no-store"
    assert client.ask().status_code == 200
    other = new_key("ES384", "second")
    site.keys = [public(other)]

    renewed = Signer(service=client.service, client_id=client.client_id, key=other)
    assert renewed.ask().status_code == 200
    assert is_refused(client.ask())


def test_a_redirect_is_not_followed(client, site):
    site.status = 302
    site.headers["Location"] = site.url.replace("jwks.json", "elsewhere.json")

    assert is_refused(client.ask())

    assert "/elsewhere.json" not in site.asked


def test_keys_that_cannot_be_had_prove_nothing(client, site):
    site.status = 500

    assert is_refused(client.ask())


def test_two_keys_of_one_name_prove_nothing(client, site):
    site.keys = [*site.keys, public(new_key("ES384", "published"))]

    assert is_refused(client.ask())


def test_a_failure_is_not_asked_about_again_and_again(client, site):
    site.status = 500

    for _ in range(5):
        client.ask()

    assert len(site.asked) <= 2


@pytest.mark.parametrize(
    "uri",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/jwks.json",
        "http://jwks.example/keys",
        "file:///etc/passwd",
        "gopher://127.0.0.1/1",
        "//jwks.example/keys",
        "https://user:word@jwks.example/keys",
    ],
)
def test_an_address_that_leads_inside_is_not_registered(uri, service):
    done = CliRunner(env=service.deployed.variables).invoke(
        main,
        ["client", "add", "insider", "--scope", "system/*.rs", "--jwks-uri", uri],
    )

    assert done.exit_code != 0


@pytest.mark.parametrize(
    ("number", "uri"),
    [
        (1, "https://169.254.169.254/jwks.json"),
        (2, "https://10.0.0.1/jwks.json"),
        (3, "https://[fd00::1]/jwks.json"),
        (4, "https://[::ffff:10.0.0.1]/jwks.json"),
        (5, "https://2130706433/jwks.json"),
        (6, "https://0x7f.1/jwks.json"),
    ],
)
def test_an_address_that_leads_inside_is_not_asked(number, uri, service):
    client_id = f"inside-{number}"
    done = CliRunner(env=service.deployed.variables).invoke(
        main,
        ["client", "add", client_id, "--scope", "system/*.rs", "--jwks-uri", uri],
    )
    assert done.exit_code == 0, done.output
    key = new_key("ES384", "k")

    answer = Signer(service=service, client_id=client_id, key=key).ask()

    assert is_refused(answer)
    assert answer.elapsed.total_seconds() < 3
