"""What an operator says about a new client, and whether that can be registered.

A backend service proves itself by a key and acts by itself; an app acts for the person
who launched it. What a kind or a way of proving itself needs, and what makes no sense
for it, are rows of two tables.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#register-app-with-ehr
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from conformance.issues import FHIRError, IssueType
from consent.codes import PURPOSES
from fhir_service.auth import client_uris, grantable
from fhir_service.auth.keys import canonical_jwks
from fhir_service.auth.scopes import parse_scope
from fhir_service.auth.token_hash import token_hash
from fhir_service.storage.registrations import Client


class ClientKind(StrEnum):
    """How a client gets its tokens."""

    BACKEND = "backend"
    APP = "app"


class AuthMethod(StrEnum):
    """How a client proves who it is, by its registered name (RFC 7591 §2)."""

    KEY = "private_key_jwt"
    SECRET = "client_secret_basic"  # noqa: S105 - the name of a method
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """What an operator says about a new client.

    Attributes:
        client_id: Its name in every protocol.
        name: Its name for people.
        scopes: Scopes that it may be granted.
        jwks: Its public keys as a JWKS or a JWK; empty where it has none here.
        purposes: v3-ActReason codes; without one, consent permits it nothing.
        organization: `Organization/id` behind it.
        sources: Device sources it may speak for.
        kind: How it gets its tokens.
        auth_method: How it proves who it is.
        jwks_uri: Where its public keys are published.
        secret: Made by `clients.new_secret`; it is kept as a hash.
        redirect_uris: Where an authorization response may go.
        launch_uri: Where an EHR launch begins.
        origins: From where browsers may call for it; None for those of
            `redirect_uris`.
        needs_pkce: Whether its authorization requests need a code challenge; False
            only for an app that knows no more than SMART 1.0.
        token_lifetime_s: Of its access tokens; None for the deployment's.
        refresh_lifetime_s: Of its refresh tokens; None for the deployment's.

    """

    client_id: str
    name: str
    scopes: tuple[str, ...]
    jwks: bytes = b""
    purposes: tuple[str, ...] = ()
    organization: str | None = None
    sources: tuple[str, ...] = ()
    kind: ClientKind = ClientKind.BACKEND
    auth_method: AuthMethod = AuthMethod.KEY
    jwks_uri: str | None = None
    secret: str | None = field(default=None, repr=False)
    redirect_uris: tuple[str, ...] = ()
    launch_uri: str | None = None
    origins: tuple[str, ...] | None = None
    needs_pkce: bool = True
    token_lifetime_s: int | None = None
    refresh_lifetime_s: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rules:
    """What a kind, or a way to prove itself, needs and has no use for."""

    needs: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()


_OF_KIND: Mapping[ClientKind, _Rules] = MappingProxyType(
    {
        ClientKind.BACKEND: _Rules(
            lacks=frozenset(
                {"redirect_uris", "launch_uri", "origins", "refresh_lifetime_s"}
            )
        ),
        ClientKind.APP: _Rules(needs=frozenset({"redirect_uris"})),
    }
)

_OF_METHOD: Mapping[AuthMethod, _Rules] = MappingProxyType(
    {
        AuthMethod.KEY: _Rules(lacks=frozenset({"secret"})),
        AuthMethod.SECRET: _Rules(
            needs=frozenset({"secret"}), lacks=frozenset({"jwks", "jwks_uri"})
        ),
        AuthMethod.NONE: _Rules(lacks=frozenset({"secret", "jwks", "jwks_uri"})),
    }
)

LEVELS: Mapping[ClientKind, frozenset[str]] = MappingProxyType(
    {
        ClientKind.BACKEND: frozenset({"system"}),
        ClientKind.APP: frozenset({"patient", "user"}),
    }
)
"""The levels of the resource scopes that a kind may have."""

WORDS: Mapping[ClientKind, frozenset[str]] = MappingProxyType(
    {
        ClientKind.BACKEND: frozenset({grantable.INTROSPECT}),
        ClientKind.APP: frozenset(grantable.WORDS),
    }
)
"""The other scopes that a kind may have."""

_SCOPE_EXAMPLES = {
    ClientKind.BACKEND: "a scope such as system/Observation.rs",
    ClientKind.APP: "a scope of an app, such as patient/Observation.rs or openid",
}

_Check = Callable[[str], bool]


def _matches(pattern: str) -> _Check:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


_CHECKS: Mapping[str, tuple[_Check, str]] = MappingProxyType(
    {
        "client_id": (
            _matches(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}"),
            "letters, digits and ._~-, at most 64",
        ),
        "purpose": (
            lambda text: text.isupper() and text in PURPOSES,
            "a v3-ActReason code such as TREAT",
        ),
        "organization": (
            _matches(r"Organization/[A-Za-z0-9.-]{1,64}"),
            "a reference such as Organization/clinic",
        ),
        "source": (
            _matches(r"[a-z0-9][a-z0-9-]{0,63}"),
            "a device source such as open-mhealth",
        ),
    }
)
"""Member → what it must be, and what that is called."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43,128}")
"""256 random bits in base64url, or more."""

_NAME_LENGTH = 128

MAX_URIS = 16
"""Redirect URIs of a client, and origins of one."""

TOKEN_LIFETIMES_S = range(60, 3601)
REFRESH_LIFETIMES_S = range(300, 366 * 86_400 + 1)


def checked(registration: Registration, now: int) -> Client:
    """Return the client that `registration` describes.

    Raises:
        FHIRError: `value` for what cannot be registered, naming the member.

    """
    _check_words(registration)
    _check_members(registration)
    _check_lifetime("token_lifetime_s", registration, TOKEN_LIFETIMES_S)
    _check_lifetime("refresh_lifetime_s", registration, REFRESH_LIFETIMES_S)
    redirects = _addresses(registration.redirect_uris, client_uris.redirect_uri)
    return Client(
        client_id=registration.client_id,
        name=_name(registration.name),
        kind=registration.kind.value,
        auth_method=registration.auth_method.value,
        jwks=_keys(registration),
        jwks_uri=optional_address(registration.jwks_uri, "jwks_uri"),
        secret_hash=None
        if (secret := registration.secret) is None
        else secret_hash(secret),
        scopes=_scopes(registration),
        purposes=tuple(dict.fromkeys(registration.purposes)),
        organization=registration.organization,
        sources=tuple(dict.fromkeys(registration.sources)),
        redirect_uris=redirects,
        launch_uri=optional_address(registration.launch_uri, "launch_uri"),
        origins=_origins(registration, redirects),
        needs_pkce=registration.needs_pkce,
        token_lifetime_s=registration.token_lifetime_s,
        refresh_lifetime_s=registration.refresh_lifetime_s,
        created=now,
    )


def secret_hash(secret: str) -> bytes:
    """Return what is stored in place of a client's secret.

    Raises:
        FHIRError: `value` for one that was not made here, and so may be guessed.

    """
    if not _SECRET.fullmatch(secret):
        raise _refused("A secret is generated here, never chosen.", "secret")
    return token_hash(secret)


def optional_address(uri: str | None, member: str) -> str | None:
    """Return an https address, or None where there is none.

    Raises:
        FHIRError: `value`, as `client_uris.web_address`.

    """
    return None if uri is None else client_uris.web_address(uri, member)


def _refused(sentence: str, member: str) -> FHIRError:
    return FHIRError(IssueType.VALUE, sentence, member)


def _check_words(registration: Registration) -> None:
    words = [("client_id", registration.client_id)]
    words += [("purpose", purpose) for purpose in registration.purposes]
    words += [("source", source) for source in registration.sources]
    if registration.organization is not None:
        words.append(("organization", registration.organization))
    for member, value in words:
        is_good, example = _CHECKS[member]
        if not is_good(value):
            raise _refused(f"{value[:64]!r} is not {example}.", member)


def _check_members(registration: Registration) -> None:
    kind, method = registration.kind, registration.auth_method
    if kind is ClientKind.BACKEND and method is not AuthMethod.KEY:
        raise _refused("A backend client proves itself by a key.", "auth_method")
    if kind is ClientKind.BACKEND and not registration.needs_pkce:
        raise _refused("A backend client has no code to protect.", "needs_pkce")
    for called, rules in (
        (f"of kind {kind.value}", _OF_KIND[kind]),
        (f"with {method.value}", _OF_METHOD[method]),
    ):
        for member in sorted(rules.needs):
            if not getattr(registration, member):
                raise _refused(f"A client {called} needs {member}.", member)
        for member in sorted(rules.lacks):
            if getattr(registration, member):
                raise _refused(f"A client {called} has no {member}.", member)


def _check_lifetime(member: str, registration: Registration, allowed: range) -> None:
    value = getattr(registration, member)
    if value is not None and value not in allowed:
        raise _refused(f"{member} is {allowed[0]} to {allowed[-1]} seconds.", member)


def _name(text: str) -> str:
    name = text.strip()
    if not 1 <= len(name) <= _NAME_LENGTH or not name.isprintable():
        raise FHIRError(IssueType.VALUE, "A name is one line of 1 to 128 characters.")
    return name


def _keys(registration: Registration) -> str:
    if registration.auth_method is not AuthMethod.KEY:
        return ""
    if bool(registration.jwks) == (registration.jwks_uri is not None):
        raise _refused("A client has either keys here or their address.", "jwks")
    return canonical_jwks(registration.jwks) if registration.jwks else ""


def _addresses(values: tuple[str, ...], check: Callable[[str], str]) -> tuple[str, ...]:
    if len(values) > MAX_URIS:
        raise _refused(f"A client has at most {MAX_URIS} addresses.", "redirect_uri")
    return tuple(dict.fromkeys(map(check, values)))


def _origins(registration: Registration, redirects: tuple[str, ...]) -> tuple[str, ...]:
    if registration.origins is None:
        return client_uris.origins_of(redirects)
    return _addresses(registration.origins, client_uris.origin)


def _scopes(registration: Registration) -> str:
    kind = registration.kind
    words = [word for value in registration.scopes for word in value.split()]
    for word in words:
        scope = parse_scope(word)
        known = word in WORDS[kind] if scope is None else scope.level in LEVELS[kind]
        if not known:
            raise _refused(f"{word[:128]!r} is not {_SCOPE_EXAMPLES[kind]}.", "scope")
    if not words:
        raise _refused("A client has at least one scope.", "scope")
    return " ".join(dict.fromkeys(words))
