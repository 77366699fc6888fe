"""Signed statements of a client, good and bad, made without the service's own code."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey, import_key
from smart_app import ASSERTION_TYPE
from smart_service import TIMEOUT_S, SmartService

Json = dict[str, Any]

ALGORITHMS = ["RS256", "RS384", "PS384", "ES384"]


class _Lax(jws.JWSRegistry):
    """Signs under whatever header it is given."""

    def check_header(self, header: Any) -> None:
        """Find nothing wrong."""


def packed(value: bytes | Mapping[str, Any]) -> str:
    """Return base64url without padding."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key(algorithm: str, kid: str) -> Json:
    """Return a private JWK."""
    made = (
        ECKey.generate_key("P-384", parameters={"kid": kid})
        if algorithm == "ES384"
        else RSAKey.generate_key(2048, parameters={"kid": kid})
    )
    return {**made.as_dict(private=True), "alg": algorithm}


def public(key: Json) -> Json:
    """Return the public part of a JWK."""
    hidden = {"d", "p", "q", "dp", "dq", "qi"}
    return {name: value for name, value in key.items() if name not in hidden}


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A backend client that says what a test wants it to say.

    Attributes:
        service: Where.
        client_id: As it was registered.
        key: Its private JWK.

    """

    service: SmartService
    client_id: str
    key: Json = field(repr=False)

    def claims(self, **changes: Any) -> Json:
        """Return what SMART's kits state: no `iat`, no `jku`; None leaves out."""
        stated = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{self.service.url}/auth/token",
            "exp": int(time.time()) + 300,
            "jti": secrets.token_urlsafe(16),
            **changes,
        }
        return {name: value for name, value in stated.items() if value is not None}

    def header(self, **changes: Any) -> Json:
        stated = {
            "alg": self.key["alg"],
            "kid": self.key["kid"],
            "typ": "JWT",
            **changes,
        }
        return {name: value for name, value in stated.items() if value is not None}

    def signed(
        self, claims: Json | bytes | None = None, header: Json | None = None
    ) -> str:
        """Return claims with a signature that is right by the client's key."""
        payload = self.claims() if claims is None else claims
        text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        protected = self.header() if header is None else header
        return jws.serialize_compact(
            protected, text, import_key(self.key), registry=_Lax(algorithms=ALGORITHMS)
        )

    def unsigned(self, algorithm: str = "none") -> str:
        return f"{packed(self.header(alg=algorithm))}.{packed(self.claims())}."

    def by_mac(self, secret: bytes) -> str:
        """Return HS256 under bytes that everybody knows."""
        text = f"{packed(self.header(alg='HS256'))}.{packed(self.claims())}"
        return f"{text}.{packed(hmac.digest(secret, text.encode(), hashlib.sha256))}"

    def ask(self, assertion: str | None = None, **more: str) -> requests.Response:
        form = {
            "grant_type": "client_credentials",
            "scope": "system/*.rs",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.signed() if assertion is None else assertion,
            **more,
        }
        return requests.post(
            f"{self.service.url}/auth/token",
            data=form,
            headers={"Accept": "application/json"},
            timeout=TIMEOUT_S,
        )
