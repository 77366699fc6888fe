"""From which pages browsers may call, on every way that a request is answered."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.datastructures import Headers
from worlds import settings_of

from fhir_service.app import create_service, open_auth_services
from fhir_service.auth import clients
from fhir_service.auth.cors import Cors
from fhir_service.auth.token_hash import token_hash
from fhir_service.rest.door import Service
from fhir_service.rest.message import Request, Response
from fhir_service.storage import authorizations
from fhir_service.storage.authorizations import AccessToken

PAGE = "https://app.test"
TOKEN = "token-of-the-page"  # noqa: S105 - a test's
FOREVER_US = 9_000_000_000_000_000

EXPOSED = (
    "Location, ETag, Content-Location, Retry-After, X-Progress, Last-Modified, "
    "WWW-Authenticate"
)
FIELDS = (
    "Authorization, Content-Type, Accept, Prefer, If-Match, If-None-Match, "
    "If-None-Exist, If-Modified-Since"
)

PUBLIC = (
    "/.well-known/smart-configuration",
    "/fhir/.well-known/smart-configuration",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/auth/jwks",
    "/fhir/metadata",
    "/pages/smart-style.json",
)

STRANGERS = (
    "null",
    "https://app.test.evil.test",
    "https://evil.test",
    "https://notapp.test",
    "http://app.test",
    "https://app.test:8443",
    "https://app.test/",
    "https://APP.test",
    "https://app.test, https://evil.test",
    "*",
    "",
    "https://a" + "a" * 5000,
)


def registered(client_id: str, origin: str, scopes: str) -> clients.Registration:
    return clients.Registration(
        client_id=client_id,
        name=client_id,
        kind=clients.ClientKind.APP,
        auth_method=clients.AuthMethod.NONE,
        scopes=(scopes,),
        redirect_uris=(f"{origin}/cb",),
    )


@dataclass
class Browser:
    """Sends a page's requests to what a web process serves, hot routes first."""

    service: Service

    def ask(self, method: str, path: str, body: bytes = b"", **fields: str) -> Response:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        request = Request(
            method=method,
            path=path,
            query="",
            headers=headers,
            body=body,
            remote="127.0.0.1",
            scheme="http",
            host="localhost:8000",
            request_id="one",
        )
        hot = self.service.hot(request) if method == "GET" else None
        return hot or self.service.handle(request)

    def preflight(self, path: str, origin: str, method: str = "PUT") -> Response:
        return self.ask(
            "OPTIONS", path, origin=origin, access_control_request_method=method
        )


def fields_of(response: Response) -> Headers:
    return Headers(list(response.headers))


@pytest.fixture(scope="module")
def browser(
    tmp_path_factory: pytest.TempPathFactory, template: Path
) -> Iterator[Browser]:
    data = tmp_path_factory.mktemp("cors") / "data"
    shutil.copytree(template, data)
    settings = settings_of(data)
    with open_auth_services(settings) as services:
        scopes = "patient/*.rs user/*.rs"
        clients.register(services, registered("page", PAGE, scopes))
        clients.register(services, registered("gone", "https://gone.test", scopes))
        clients.remove(services, "gone")
        services.database.write(
            lambda transaction: authorizations.add_token(
                transaction,
                AccessToken(
                    hash=token_hash(TOKEN),
                    client_id="page",
                    scopes="system/*.rs",
                    purposes=("TREAT",),
                    issued=services.clock(),
                    expires=FOREVER_US,
                ),
            )
        )
    service = create_service(settings)
    yield Browser(service)
    service.close()


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("origin", [PAGE, "https://anybody.test", "null"])
def test_what_is_published_is_for_pages_of_anybody(
    browser: Browser, path: str, origin: str
) -> None:
    response = browser.ask("GET", path, origin=origin)

    fields = fields_of(response)
    assert response.status == 200
    assert fields.getlist("Access-Control-Allow-Origin") == ["*"]
    assert "Access-Control-Allow-Credentials" not in fields


@pytest.mark.parametrize("path", PUBLIC)
def test_anybody_may_ask_before_reading_what_is_published(
    browser: Browser, path: str
) -> None:
    response = browser.preflight(path, "https://anybody.test", "GET")

    fields = fields_of(response)
    assert response.status == 204
    assert fields["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in fields["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("method", "path", "authorization", "status"),
    [
        ("GET", "/fhir/Patient", f"Bearer {TOKEN}", 200),  # in front of Flask
        ("GET", "/fhir/Patient/none", f"Bearer {TOKEN}", 404),  # in front of Flask
        ("GET", "/fhir/Patient/none", None, 401),  # in front of Flask
        ("GET", "/fhir/Patient/none/_history", f"Bearer {TOKEN}", 404),
        ("GET", "/fhir/$nonsense", f"Bearer {TOKEN}", 400),
        ("GET", "/fhir/Patient/none/_history", None, 401),
        ("POST", "/fhir/Patient", None, 401),
        ("PUT", "/fhir", None, 405),
        ("POST", "/auth/token", None, 400),
        ("POST", "/auth/revoke", None, 400),
        ("POST", "/auth/introspect", None, 400),
        ("GET", "/auth/token", None, 405),
    ],
)
def test_a_page_of_a_client_reads_every_answer(
    browser: Browser, method: str, path: str, authorization: str | None, status: int
) -> None:
    more = {} if authorization is None else {"authorization": authorization}

    response = browser.ask(method, path, b"", origin=PAGE, **more)

    fields = fields_of(response)
    assert response.status == status
    assert fields.getlist("Access-Control-Allow-Origin") == [PAGE]
    assert "Origin" in fields.getlist("Vary")
    assert fields["Access-Control-Expose-Headers"] == EXPOSED
    assert "Access-Control-Allow-Credentials" not in fields


@pytest.mark.parametrize(
    "path",
    ["/fhir", "/fhir/Patient/1", "/auth/token", "/auth/revoke", "/auth/introspect"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_a_client_is_told_what_it_may_send(
    browser: Browser, path: str, method: str
) -> None:
    response = browser.preflight(path, PAGE, method)

    fields = fields_of(response)
    assert (response.status, response.body) == (204, b"")
    assert fields["Access-Control-Allow-Origin"] == PAGE
    assert fields["Access-Control-Allow-Methods"] == "GET, POST, PUT, PATCH, DELETE"
    assert fields["Access-Control-Allow-Headers"] == FIELDS
    assert fields["Access-Control-Max-Age"] == "600"
    assert fields["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in fields


@pytest.mark.parametrize("origin", [*STRANGERS, "https://gone.test"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fhir/Patient"),
        ("GET", "/fhir/Patient/none/_history"),
        ("POST", "/auth/token"),
        ("OPTIONS", "/fhir/Patient/1"),
        ("OPTIONS", "/auth/token"),
    ],
)
def test_a_page_of_nobody_reads_nothing(
    browser: Browser, method: str, path: str, origin: str
) -> None:
    response = browser.ask(
        method,
        path,
        origin=origin,
        authorization=f"Bearer {TOKEN}",
        access_control_request_method="GET",
    )

    fields = fields_of(response)
    assert not [name for name, _ in response.headers if name.startswith("access-c")]
    assert "Origin" in fields.getlist("Vary")


@pytest.mark.parametrize("path", ["/login", "/auth/authorize", "/device-data/x", "/"])
def test_other_paths_are_not_for_pages_of_others(browser: Browser, path: str) -> None:
    for method in ("GET", "OPTIONS"):
        response = browser.ask(
            method, path, origin=PAGE, access_control_request_method="GET"
        )

        assert "access-control-allow-origin" not in fields_of(response)


@pytest.mark.parametrize("path", ["/fhir/Patient", "/fhir/Patient/none/_history"])
def test_a_request_without_origin_is_answered_as_ever(
    browser: Browser, path: str
) -> None:
    response = browser.ask("GET", path, authorization=f"Bearer {TOKEN}")

    fields = fields_of(response)
    assert "Access-Control-Allow-Origin" not in fields
    assert "Origin" not in fields.getlist("Vary")


def test_options_without_a_method_is_no_preflight(browser: Browser) -> None:
    response = browser.ask("OPTIONS", "/fhir/Patient/1", origin=PAGE)

    fields = fields_of(response)
    assert fields["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert fields["Access-Control-Allow-Origin"] == PAGE


class Unasked:
    """A database that nobody may read."""

    def read(self) -> Any:
        pytest.fail("the database was read")


def test_without_origin_nothing_is_read() -> None:
    reply = Response(status=200)
    cors = Cors(Unasked())  # type: ignore[arg-type]  # it is not to be asked
    request = Request(
        method="GET",
        path="/fhir/Patient/1",
        query="",
        headers={},
        body=b"",
        remote="",
        scheme="http",
        host="",
        request_id="",
    )

    assert cors.around(lambda _request: reply)(request) is reply
    assert cors.around_hot(lambda _request: reply)(request) is reply
    assert cors.around_hot(lambda _request: None)(request) is None
