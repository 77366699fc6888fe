"""An app as SMART's guide describes it: authorize, exchange, refresh, read.

Nothing of it comes from the service's own code.
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import requests
from joserfc import jwt
from joserfc.jwk import import_key
from smart_service import TIMEOUT_S, SmartService

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return HTTP Basic as SMART writes it: the parts are not form-encoded."""
    packed = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {packed}"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An authorization request that an app has made.

    Attributes:
        parameters: As they are sent.
        verifier: Kept back for the token request.

    """

    parameters: dict[str, str]
    verifier: str

    @property
    def state(self) -> str:
        return self.parameters["state"]


@dataclass(frozen=True, kw_only=True)
class App:
    """A registered app.

    Attributes:
        service: Where.
        client_id: Its id.
        redirect_uri: Where it waits.
        secret: Of a confidential symmetric client.
        key: The private JWK of a confidential asymmetric one.

    """

    service: SmartService
    client_id: str
    redirect_uri: str
    secret: str | None = field(default=None, repr=False)
    key: dict[str, Any] | None = field(default=None, repr=False)

    def asks(self, scope: str, **more: str | None) -> Asked:
        """Return a request; a parameter that is None is left out."""
        verifier = secrets.token_urlsafe(48)
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "state": secrets.token_urlsafe(16),
            "aud": self.service.base,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            **more,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return Asked(parameters=given, verifier=verifier)

    def proof(self, **claims: Any) -> tuple[dict[str, str], dict[str, str]]:
        """Return the headers and the parameters by which it proves itself."""
        if self.key is not None:
            return {}, {
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": self.assertion(**claims),
            }
        if self.secret is not None:
            return basic(self.client_id, self.secret), {}
        return {}, {"client_id": self.client_id}

    def assertion(self, **claims: Any) -> str:
        assert self.key is not None
        stated = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{self.service.url}/auth/token",
            "exp": int(time.time()) + 300,
            "jti": secrets.token_urlsafe(16),
            **claims,
        }
        header = {"alg": self.key["alg"], "kid": self.key["kid"], "typ": "JWT"}
        return jwt.encode(
            header, stated, import_key(self.key), algorithms=[self.key["alg"]]
        )

    def post(self, path: str, form: dict[str, str], **more: Any) -> requests.Response:
        """Send a form with the app's proof to `/auth/{path}`."""
        headers, proof = self.proof()
        return requests.post(
            f"{self.service.url}/auth/{path}",
            data={**form, **proof},
            headers={**headers, **more.pop("headers", {})},
            timeout=TIMEOUT_S,
            **more,
        )

    def exchange(
        self, code: str, verifier: str | None, **more: str
    ) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            **more,
        }
        if verifier is not None:
            form["code_verifier"] = verifier
        return self.post("token", form)

    def refresh(self, token: str, **more: str) -> requests.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, **more}
        return self.post("token", form)

    def revoke(self, token: str, **more: str) -> requests.Response:
        return self.post("revoke", {"token": token, **more})


def private_key(told: dict[str, Any]) -> dict[str, Any]:
    """Return the key that the command line wrote for a new client."""
    with open(told["private_key"], encoding="utf-8") as file:  # noqa: PTH123
        found: dict[str, Any] = json.load(file)
    return found
