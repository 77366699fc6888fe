"""Tokens behind the server: a backend service proves itself, again and again.

Every assertion is signed before its round and is used once, as the service refuses
one that it has seen.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from conformance import fhir_json
from fhir_service.auth import keys
from fhir_service.auth.backend_services import ASSERTION_TYPE
from fhir_service.bench.figures import Measured
from fhir_service.bench.load import load
from fhir_service.bench.plan import Plan
from fhir_service.bench.processes import serving
from fhir_service.bench.rounds import Aim, Seen, Variant
from fhir_service.bench.stage import Stage, stage
from fhir_service.bench.target import STATIC_FILE
from fhir_service.storage import registrations
from fhir_service.storage.engine import Transaction

PATH = "/auth/token"

_KEYS: Mapping[str, type[ECKey] | type[RSAKey]] = {"RS384": RSAKey, "ES384": ECKey}
"""Algorithm → its kind of key."""

_MOST = 1_000
"""Assertions for each second of a round: more than it can use up."""

_LIFETIME_S = 240


def tokens(folder: Path, plan: Plan) -> Iterator[Measured]:
    """Yield the figures of the token endpoint.

    Args:
        folder: Of a deployment of its own.
        plan: How long.

    """
    pairs = {one: keys.generate(one, one) for one in _KEYS}
    with stage(folder) as closed:
        for one, pair in pairs.items():
            _register(closed, one, pair)
        audience = closed.deployment.auth.token_url
    (folder / STATIC_FILE).write_bytes(b"{}")
    with serving(closed.environment, folder / "server.log") as server:
        generator = load(server.url, plan.writers, folder, uses_wrk=plan.uses_wrk)
        aim = Aim(server=server, load=generator, folder=folder)
        for one, pair in pairs.items():
            seen = _loaded(aim, one, pair, audience, plan)
            rounds = f"{plan.write_rounds} rounds, {generator.name}"
            note = f"{plan.writers} connections, {rounds}"
            yield from _figures(one.lower(), seen, note)


def _loaded(
    aim: Aim, algorithm: str, pair: keys.KeyPair, audience: str, plan: Plan
) -> Seen:
    key = _KEYS[algorithm].import_key(fhir_json.loads_object(pair.private))
    count, seen = int(_MOST * plan.round_s), Seen()
    variant = Variant(
        name=algorithm,
        lines="tokens",
        headers=("Content-Type: application/x-www-form-urlencoded",),
        stride=0,
    )
    for _ in range(plan.write_rounds):
        aim.write("tokens", (_request(key, algorithm, audience) for _ in range(count)))
        aim.measure(seen, variant, 0, plan.round_s)
    return seen


def _figures(name: str, seen: Seen, note: str) -> Iterator[Measured]:
    for what, value in (("rate", seen.rate), ("p99", seen.p99_ms), ("cpu", seen.cpu)):
        yield Measured(key=f"tokens.{name}-{what}", value=value, note=note)


def _register(opened: Stage, client_id: str, pair: keys.KeyPair) -> None:
    services = opened.deployment.auth
    client = registrations.Client(
        client_id=client_id,
        name=client_id,
        kind="backend",
        jwks=keys.canonical_jwks(pair.public),
        scopes="system/*.rs",
        purposes=("TREAT",),
        organization=opened.clinic,
        sources=(),
        created=services.clock(),
    )

    def work(transaction: Transaction) -> None:
        registrations.add_client(transaction, client)

    services.database.write(work)


def _request(key: ECKey | RSAKey, algorithm: str, audience: str) -> str:
    claims = {
        "iss": algorithm,
        "sub": algorithm,
        "aud": audience,
        "exp": int(time.time()) + _LIFETIME_S,
        "jti": secrets.token_urlsafe(12),
    }
    form = {
        "grant_type": "client_credentials",
        "scope": "system/*.rs",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": jwt.encode(
            {"alg": algorithm, "kid": algorithm, "typ": "JWT"},
            claims,
            key,
            algorithms=[algorithm],
        ),
    }
    return f"{PATH} {urlencode(form)}"
