"""Client assertions: a JWT that proves which client is asking.

The compact form, its header and its claims are read here, strictly, because a lenient
JSON reader would let a second `scope` or `exp` speak; joserfc verifies the signature.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from conformance.fhir_json import loads
from conformance.issues import FHIRError
from fhir_service.auth.keys import ALGORITHMS, ClientKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

MAX_ASSERTION = 8192
"""Characters; five claims and an RSA-4096 signature need about 1100."""

MAX_LIFETIME_S = 300
"""Seconds that `exp` may lie ahead (§Authenticating to the Token endpoint)."""

LEEWAY_S = 10
"""Seconds by which a client's clock may differ from ours."""

_COMPACT = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)
_DEPTH = 4
_FOREIGN_KEYS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
"""Header members that bring a key along or change what is signed."""

_TEXT_LIMITS: Mapping[str, int] = MappingProxyType({"iss": 128, "sub": 128, "jti": 256})
"""The claims that are required text, and their longest."""


class AssertionRefused(Exception):  # noqa: N818 - named as the event it becomes
    """The assertion proves nothing.

    Args:
        reason: Our own word for the audit log; the client never sees it.

    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Assertion:
    """What an assertion says, before anything of it is believed.

    Attributes:
        text: The compact serialization.
        header: The protected header.
        claims: The payload.

    """

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def client_id(self) -> str:
        """The client that the assertion claims to come from."""
        return str(self.claims["sub"])

    @property
    def key_id(self) -> str | None:
        """The key that it claims to be signed with."""
        return self.header.get("kid")

    @property
    def digest(self) -> bytes:
        """What makes it recognisable when it comes again: client and `jti`."""
        text = f"{self.claims['sub']}\x00{self.claims['jti']}"
        return hashlib.sha256(text.encode()).digest()

    @property
    def ends_s(self) -> int:
        """The second after which it cannot be accepted any more."""
        return int(self.claims["exp"]) + LEEWAY_S + 1


def read(text: str) -> Assertion:
    """Return what `text` says; nothing of it is verified yet.

    Raises:
        AssertionRefused: where it is not one JWT with a subject and an id.

    """
    if len(text) > MAX_ASSERTION:
        raise AssertionRefused("oversized")
    match = _COMPACT.fullmatch(text)
    if match is None:
        raise AssertionRefused("malformed")
    header, claims = _object(match[1]), _object(match[2])
    _decoded(match[3])
    for name, limit in _TEXT_LIMITS.items():
        value = claims.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= limit:
            raise AssertionRefused(f"no-{name}")
        if not value.isprintable():
            raise AssertionRefused(f"bad-{name}")
    return Assertion(text=text, header=header, claims=claims)


def _decoded(segment: str) -> bytes:
    """Return the bytes of a segment that has exactly one spelling."""
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise AssertionRefused("malformed") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise AssertionRefused("malformed")
    return data


def _object(segment: str) -> Mapping[str, Any]:
    try:
        value = loads(_decoded(segment), max_depth=_DEPTH)
    except (FHIRError, ArithmeticError):  # an exponent may be beyond any Decimal
        raise AssertionRefused("malformed") from None
    if not isinstance(value, dict):
        raise AssertionRefused("malformed")
    return value


def check(
    assertion: Assertion, *, audience: str, now_us: int, jwks_uri: str | None = None
) -> None:
    """Return where header and claims are right for now; no signature is verified yet.

    Args:
        assertion: What was read.
        audience: The token endpoint: the only one that it may be meant for.
        now_us: Microseconds since 1970.
        jwks_uri: Where the client publishes its keys: the only `jku` there may be.

    Raises:
        AssertionRefused: with the first rule that it breaks.

    """
    _check_header(assertion.header, jwks_uri)
    claims = assertion.claims
    if claims["iss"] != claims["sub"]:
        raise AssertionRefused("iss-is-not-sub")
    if claims.get("aud") not in (audience, [audience]):
        raise AssertionRefused("wrong-aud")
    _check_times(claims, now_us)


def verify(assertion: Assertion, keys: tuple[ClientKey, ...]) -> None:
    """Return where the assertion is signed by one of `keys`.

    Whether it was used before is for the transaction that issues the token.

    Raises:
        AssertionRefused: where it is not.

    """
    key = _key(assertion.header, keys)
    try:
        jws.deserialize_compact(assertion.text, key.key, algorithms=[key.algorithm])
    except (JoseError, ValueError, TypeError):
        raise AssertionRefused("bad-signature") from None


def _check_header(header: Mapping[str, Any], jwks_uri: str | None) -> None:
    algorithm, kind = header.get("alg"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise AssertionRefused("wrong-alg")
    if not isinstance(kind, str) or kind.upper() != "JWT":
        raise AssertionRefused("wrong-typ")
    if not isinstance(header.get("kid", ""), str):
        raise AssertionRefused("unknown-kid")
    foreign = _FOREIGN_KEYS & header.keys()
    if jwks_uri is not None and header.get("jku") == jwks_uri:
        foreign -= {"jku"}
    if foreign:
        raise AssertionRefused("foreign-key")


def _key(header: Mapping[str, Any], keys: tuple[ClientKey, ...]) -> ClientKey:
    if "kid" in header:
        keys = tuple(key for key in keys if key.id == header["kid"])
    if len(keys) != 1:
        raise AssertionRefused("unknown-kid")
    if keys[0].algorithm != header["alg"]:
        raise AssertionRefused("wrong-alg")
    return keys[0]


_Rule = Callable[[Decimal, Decimal], bool]

_TIMES: Mapping[str, tuple[tuple[str, _Rule], ...]] = MappingProxyType(
    {
        "exp": (
            ("expired", lambda exp, now: exp > now - LEEWAY_S),
            ("exp-too-far", lambda exp, now: exp <= now + MAX_LIFETIME_S + LEEWAY_S),
        ),
        "nbf": (("not-yet-valid", lambda nbf, now: nbf <= now + LEEWAY_S),),
        "iat": (("issued-in-future", lambda iat, now: iat <= now + LEEWAY_S),),
    }
)
"""Rules of each time claim: what a breach is called, and (claim, now) → kept."""


def _check_times(claims: Mapping[str, Any], now_us: int) -> None:
    now = Decimal(now_us) / 1_000_000
    if "exp" not in claims:
        raise AssertionRefused("no-exp")
    for name, rules in _TIMES.items():
        if name in claims:
            value = _numeric_date(claims[name], name)
            for breach, keeps in rules:
                if not keeps(value, now):
                    raise AssertionRefused(breach)


def _numeric_date(value: Any, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise AssertionRefused(f"bad-{name}")
    return Decimal(value)
