"""What authorization needs from outside: values and capabilities, given once."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fhir_service.auth.events import AuditSink
from fhir_service.auth.keys import KeySource, NoKeySource
from fhir_service.auth.passwords import Passwords
from fhir_service.auth.rate_limit import RateLimit, per_minute, per_second
from fhir_service.storage.body import RequestSeal
from fhir_service.storage.engine import Database
from fhir_service.storage.expiry import Purge

TOKEN_CLIENT = per_second(500, burst=1000)
LOGIN_PAIR = per_minute(1, burst=5)
LOGIN_ADDRESS = per_minute(30, burst=100)
AUTHORIZE_ADDRESS = per_minute(300, burst=600)
SECOND_FACTOR = RateLimit(burst=5, interval_us=15 * 60_000_000)
BREAK_GLASS_LOOK_UP = RateLimit(burst=20, interval_us=3 * 60_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimits:
    """How often each may try.

    Attributes:
        token_client: Authenticated token requests of one client.
        login_pair: Logins for one account from one address.
        login_address: Logins from one address.
        authorize_address: Authorization requests from one address, each of which is
            kept until it is answered.
        second_factor: Codes for one account, wherever from; only after its password.
        break_glass_look_up: Patients that one person looks up for an emergency.

    """

    token_client: RateLimit = TOKEN_CLIENT
    login_pair: RateLimit = LOGIN_PAIR
    login_address: RateLimit = LOGIN_ADDRESS
    authorize_address: RateLimit = AUTHORIZE_ADDRESS
    second_factor: RateLimit = SECOND_FACTOR
    break_glass_look_up: RateLimit = BREAK_GLASS_LOOK_UP


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthServices:
    """Everything that authorization takes from outside.

    Attributes:
        database: Where accounts are.
        audit: Turns events into audit leaves.
        secrets: Seals what must be read again: second factors, signing keys.
        clock: Microseconds since 1970.
        random: Bytes from the operating system's generator.
        public_url: Where clients reach the service, without a trailing slash.
        scopes_supported: The scopes that discovery lists.
        token_lifetime_s: How long an access token holds.
        refresh_lifetime_s: How long an authorization with `offline_access` holds.
        code_lifetime_s: How long an authorization code holds.
        request_lifetime_s: How long a person has to answer an authorization request.
        session_lifetime_s: How long a login holds at most.
        session_idle_s: How long a login holds without a request.
        second_factor_roles: Whose logins open nothing before a second factor is set up.
        passwords: Hashes and checks passwords.
        limits: How often each may try.
        fetcher: Where the keys of clients are that publish them.
        purge: Removes what has expired.

    """

    database: Database
    audit: AuditSink
    secrets: RequestSeal
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    public_url: str
    scopes_supported: tuple[str, ...] = ()
    token_lifetime_s: int = 300
    refresh_lifetime_s: int = 90 * 86_400
    code_lifetime_s: int = 60
    request_lifetime_s: int = 900
    session_lifetime_s: int = 8 * 3600
    session_idle_s: int = 30 * 60
    second_factor_roles: frozenset[str] = frozenset()
    passwords: Passwords = field(default_factory=Passwords)
    limits: RateLimits = field(default_factory=RateLimits)
    fetcher: KeySource = field(default_factory=NoKeySource)
    purge: Purge = field(default_factory=Purge)

    def __post_init__(self) -> None:
        parts = urlsplit(self.public_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("public_url is an absolute http or https URL")
        if self.public_url.endswith("/") or parts.query or parts.fragment:
            raise ValueError("public_url ends before the slash")

    @property
    def token_url(self) -> str:
        """The token endpoint: the only audience of a client assertion."""
        return self.url("/auth/token")

    @property
    def fhir_url(self) -> str:
        """The FHIR base: what `aud` of an authorization request names."""
        return self.url("/fhir")

    def url(self, path: str) -> str:
        """Return the absolute URL of a path of the service."""
        return f"{self.public_url}{path}"

    @property
    def plain_cookies(self) -> bool:
        """Whether cookies go without `Secure`: only for http on this very machine."""
        parts = urlsplit(self.public_url)
        return parts.scheme == "http" and _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
