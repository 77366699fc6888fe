"""Public keys of clients: read, judged and generated.

Only what the token endpoint can use is registered: RSA of 2048 to 4096 bits for RS384
and P-384 for ES384.

https://www.rfc-editor.org/rfc/rfc7517
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeyParameters, RSAKey, import_key

from conformance.fhir_json import dumps, loads
from conformance.issues import FHIRError, IssueType

ALGORITHMS: Mapping[str, str] = {"RS384": "RSA", "ES384": "EC"}
"""The signature algorithms that are accepted, and the key type of each."""

MAX_KEYS = 16

_MEMBERS = ("kty", "n", "e", "crv", "x", "y", "kid", "alg", "use")
"""What is kept of a key: its public numbers and what describes them."""

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BITS = range(2048, 4097)
_EXPONENT = 65537
_KEY_ID = re.compile(r"[!-~]{1,128}")

PublicKey = RSAKey | ECKey


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientKey:
    """One registered key.

    Attributes:
        id: `kid`, or None where the client names none.
        algorithm: The one algorithm it verifies.
        key: The public key.

    """

    id: str | None
    algorithm: str
    key: PublicKey


class KeysUnavailable(Exception):  # noqa: N818 - named as the event it becomes
    """The keys that a client publishes cannot be had now.

    Args:
        reason: Our own word for the audit log; the client never sees it.

    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeySource(Protocol):
    """Where the keys of clients are that publish them at an address."""

    def keys(self, uri: str, kid: str | None) -> tuple[ClientKey, ...]:
        """Return the keys at `uri`; `kid` is the one that is sought.

        Raises:
            KeysUnavailable: where they cannot be had.

        """


class NoKeySource:
    """Fetches nothing: clients that publish their keys cannot prove themselves."""

    def keys(self, uri: str, kid: str | None) -> tuple[ClientKey, ...]:  # noqa: ARG002 - whatever is asked
        """Refuse.

        Raises:
            KeysUnavailable: always.

        """
        raise KeysUnavailable("keys-are-not-fetched")


def canonical_jwks(data: bytes) -> str:
    """Return the public keys of a JWKS, or of a single JWK, as text to store.

    Raises:
        FHIRError: `value` for a private key, a key that cannot be used, or a `kid`
            that is missing or repeated among several keys.

    """
    document = loads(data)
    keys = document.get("keys") if isinstance(document, dict) else None
    if keys is None and isinstance(document, dict) and "kty" in document:
        keys = [document]
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS:
        raise FHIRError(IssueType.VALUE, f"A JWKS holds 1 to {MAX_KEYS} keys.", "keys")
    public = [_public(key, f"keys[{index}]") for index, key in enumerate(keys)]
    ids = [key.get("kid") for key in public]
    if len(public) > 1 and (None in ids or len(set(ids)) < len(ids)):
        raise FHIRError(
            IssueType.VALUE, "Each of several keys has a kid of its own.", "keys"
        )
    return dumps({"keys": public}).decode()


def _public(key: Any, path: str) -> dict[str, str]:
    if not isinstance(key, dict) or _PRIVATE & key.keys():
        raise FHIRError(IssueType.VALUE, "Register public keys only.", path)
    public = {name: key[name] for name in _MEMBERS if name in key}
    if not all(isinstance(value, str) for value in public.values()):
        raise FHIRError(IssueType.VALUE, "Every member of a key is text.", path)
    _client_key(public, path)
    return public


def _client_key(key: Mapping[str, str], path: str) -> ClientKey:
    try:
        imported = import_key(dict(key))
    except (JoseError, ValueError, KeyError, TypeError):
        raise FHIRError(IssueType.VALUE, "The key cannot be read.", path) from None
    algorithm = _algorithm(imported)
    id_ = key.get("kid")
    usable = key.get("alg", algorithm) == algorithm and key.get("use", "sig") == "sig"
    if algorithm is None or not usable:
        raise FHIRError(
            IssueType.VALUE,
            "A key is RSA of 2048 to 4096 bits for RS384, or P-384 for ES384.",
            path,
        )
    if id_ is not None and not _KEY_ID.fullmatch(id_):
        raise FHIRError(IssueType.VALUE, "A kid is 1 to 128 visible characters.", path)
    assert isinstance(imported, RSAKey | ECKey)  # noqa: S101 - narrows for mypy
    return ClientKey(id=id_, algorithm=algorithm, key=imported)


def _algorithm(key: object) -> str | None:
    if isinstance(key, RSAKey):
        numbers = key.public_key.public_numbers()
        strong = numbers.n.bit_length() in _RSA_BITS and numbers.e == _EXPONENT
        return "RS384" if strong else None
    if isinstance(key, ECKey):
        return "ES384" if key.curve_name == "P-384" else None
    return None


@lru_cache(maxsize=1024)
def client_keys(jwks: str) -> tuple[ClientKey, ...]:
    """Return the keys of a stored JWKS; the cache spares the parsing only."""
    return tuple(_client_key(key, "keys") for key in loads(jwks.encode())["keys"])


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPair:
    """A freshly generated pair.

    Attributes:
        key_id: `kid` of both.
        private: The private key as a JWK, to be kept by the client.
        public: The JWKS to register.

    """

    key_id: str
    private: bytes
    public: bytes


def generate(algorithm: str, key_id: str) -> KeyPair:
    """Return a new pair for `algorithm`.

    Raises:
        FHIRError: `value` for an algorithm that is not accepted.

    """
    parameters: KeyParameters = {"kid": key_id, "alg": algorithm, "use": "sig"}
    key: PublicKey
    if algorithm == "RS384":
        key = RSAKey.generate_key(3072, parameters=parameters)
    elif algorithm == "ES384":
        key = ECKey.generate_key("P-384", parameters=parameters)
    else:
        raise FHIRError(IssueType.VALUE, "Keys are generated for RS384 or ES384.")
    public = {"keys": [key.as_dict(private=False)]}
    private = dumps(key.as_dict(private=True))
    return KeyPair(key_id=key_id, private=private, public=dumps(public))
