"""What the example EHR does: prove who it is, get a token, ask for Observations.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import urlencode

import requests
from joserfc import jwt
from joserfc.jwk import import_key

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.backend_services import ASSERTION_TYPE

TIMEOUT_S = 30
ASSERTION_S = 60
"""Seconds for which the proof of identity is good."""

HEART_RATE = "http://loinc.org|8867-4"


def direct() -> requests.Session:
    """Return a session that goes to this machine and not to a proxy."""
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """A client at work.

    Attributes:
        client_id: Its id.
        key: The file of its private key.
        token_url: The token endpoint, which is the assertion's audience.

    """

    client_id: str
    key: Path
    token_url: str


def heart_rates(patient_id: str, last_day: date, days: int, count: int) -> str:
    """Return the query for a patient's newest heart rates."""
    first = last_day - timedelta(days=days - 1)
    return "Observation?" + urlencode(
        [
            ("patient", patient_id),
            ("code", HEART_RATE),
            ("date", f"ge{first}"),
            ("date", f"lt{last_day + timedelta(days=2)}"),
            ("_sort", "-date"),
            ("_count", str(count)),
        ],
        safe=":/",
    )


def assertion(client: Client) -> str:
    """Return a JWT that proves which client is asking."""
    private = fhir_json.loads_object(client.key.read_bytes())
    now = int(time.time())
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": client.token_url,
        "exp": now + ASSERTION_S,
        "iat": now,
        "jti": token_urlsafe(16),
    }
    algorithm = private["alg"]
    header = {"alg": algorithm, "kid": private["kid"], "typ": "JWT"}
    return jwt.encode(header, claims, import_key(private), algorithms=[algorithm])


def token(client: Client, scope: str) -> str:
    """Return an access token from the token endpoint.

    Raises:
        FHIRError: `security` where there is none.

    """
    response = direct().post(
        client.token_url,
        data={
            "grant_type": "client_credentials",
            "scope": scope,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(client),
        },
        timeout=TIMEOUT_S,
    )
    if response.status_code != requests.codes.ok:
        raise FHIRError(
            IssueType.SECURITY, f"The token endpoint answered {response.status_code}."
        )
    access_token: str = fhir_json.loads_object(response.content)["access_token"]
    return access_token


def ask(url: str, access_token: str) -> bytes:
    """Return the answer to one query, as it came.

    Raises:
        FHIRError: `processing` where it is a refusal.

    """
    response = direct().get(
        url, headers={"Authorization": f"Bearer {access_token}"}, timeout=TIMEOUT_S
    )
    if response.status_code != requests.codes.ok:
        raise FHIRError(
            IssueType.PROCESSING, f"The query was answered {response.status_code}."
        )
    return response.content
