"""The keys that sign ID tokens: made on first use, announced, replaced, forgotten.

One key signs at a time. Its successor is published a day before it signs, so that who
keeps our keys for a while has it by then; the predecessor stays published until the
last token that it signed has ended, and a day more. Whoever needs a key and finds none,
or an old one, makes the next in the transaction that it is in: the database lets one
process write at a time, so that all of them agree.

https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from joserfc.jwk import KeyParameters, RSAKey

from conformance.fhir_json import dumps, loads_object
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.auth.services import AuthServices
from fhir_service.storage import signing_keys
from fhir_service.storage.engine import Transaction
from fhir_service.storage.signing_keys import SigningKey
from fhir_service.storage.tables import SHARED

ALGORITHM = "RS256"
"""Of ID tokens: the one that every relying party has (OpenID Connect Core §15.1)."""

ID_TOKEN_LIFETIME_S = 3600

DAY_US = 86_400 * 1_000_000

SIGNS_US = 90 * DAY_US
"""How long a key signs before the next takes over by itself."""

ANNOUNCED_US = DAY_US
"""How long before it signs the next key is published."""

KEPT_US = ID_TOKEN_LIFETIME_S * 1_000_000 + DAY_US
"""How long a key stays published when it signs no more."""

_BITS = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """The key that signs now.

    Attributes:
        kid: Its name.
        key: The private key.

    """

    kid: str
    key: RSAKey


def signer(services: AuthServices, transaction: Transaction, now: int) -> Signer:
    """Return the key that signs; the first, or the next, is made where it is time."""
    key = _kept_going(services, transaction, now)
    unsealed = services.secrets.unsealer(transaction)(key.private)
    if unsealed is None:
        raise LookupError("The key of the deployment's secrets was destroyed.")
    return Signer(kid=key.kid, key=_imported(unsealed))


def public_jwks(services: AuthServices) -> dict[str, Any]:
    """Return the keys to publish: the one that signs, its successor, recent ones."""
    now = services.clock()
    with services.database.read() as snapshot:
        keys = signing_keys.all_keys(snapshot)
    if _due(keys, now) is not None:
        keys = services.database.write(
            lambda transaction: _published(services, transaction, now)
        )
    return {
        "keys": [
            loads_object(key.public.encode()) for key in keys if _is_shown(key, now)
        ]
    }


def rotate(services: AuthServices) -> str:
    """Let a new key sign from now on, and return its name.

    The old one stays published for as long as ID tokens live, and a day more.
    """
    now = services.clock()

    def work(transaction: Transaction) -> str:
        return _succeed(services, transaction, begins=now, now=now).kid

    return services.database.write(work)


def _is_shown(key: SigningKey, now: int) -> bool:
    return key.retired is None or now < key.retired + KEPT_US


def _published(
    services: AuthServices, transaction: Transaction, now: int
) -> list[SigningKey]:
    _kept_going(services, transaction, now)
    return signing_keys.all_keys(transaction)


def _kept_going(
    services: AuthServices, transaction: Transaction, now: int
) -> SigningKey:
    """Return the key that signs, after making the one that is due."""
    keys = signing_keys.all_keys(transaction)
    begins = _due(keys, now)
    if begins is None:
        return next(key for key in keys if key.signs(now))
    new = _succeed(services, transaction, begins=begins, now=now)
    return next((key for key in keys if key.signs(now)), new)


def _due(keys: Sequence[SigningKey], now: int) -> int | None:
    """Return when a key that is to be made now shall begin; None where none is."""
    current = next((key for key in keys if key.signs(now)), None)
    if current is None:
        return now
    if current.retired is None and now >= current.begins + SIGNS_US - ANNOUNCED_US:
        return now + ANNOUNCED_US
    return None


def _succeed(
    services: AuthServices, transaction: Transaction, *, begins: int, now: int
) -> SigningKey:
    name = uuid.UUID(bytes=services.random(16), version=4)
    kid = str(name)
    parameters: KeyParameters = {"kid": kid, "alg": ALGORITHM, "use": "sig"}
    pair = RSAKey.generate_key(_BITS, parameters=parameters)
    seal = services.secrets.sealer(transaction, SHARED)
    new = SigningKey(
        kid=kid,
        public=dumps(pair.as_dict(private=False)).decode(),
        private=seal(dumps(pair.as_dict(private=True))),
        created=now,
        begins=begins,
    )
    signing_keys.succeed(transaction, new)
    signing_keys.forget(transaction, before=now - KEPT_US)
    event = AuthEvent(
        kind=AuthEventKind.SIGNING_KEY_ROTATED, at=now, token_id=name.bytes
    )
    transaction.audit(services.audit.leaf(event))
    return new


@lru_cache(maxsize=4)
def _imported(private: bytes) -> RSAKey:
    """Return the key of a JWK; the cache spares the arithmetic only."""
    return RSAKey.import_key(loads_object(private))
