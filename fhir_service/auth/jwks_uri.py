"""The keys of clients that publish them at an address.

A set is kept as long as its `Cache-Control` says, and never longer. A key that is not
in it makes the set be fetched again, at most once a minute; an address that does
not answer is asked less and less often. Whoever asks meanwhile gets the last set until
that has expired. One fetch at a time for one address, however many ask.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from conformance.fhir_json import dumps, loads_object
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.keys import (
    ClientKey,
    KeysUnavailable,
    canonical_jwks,
    client_keys,
)
from fhir_service.auth.outgoing import Outgoing, Unreachable

MOST_S = 900
"""Seconds for which a set is kept at most."""

DEFAULT_S = 300
"""Seconds for which a set is kept that says nothing about it."""

RELOAD_S = 60
"""Seconds between two fetches for the sake of a key that is not in the set."""

BACK_OFF_S, MOST_BACK_OFF_S = 2, 300
"""Seconds after the first failure, doubled with each, and the most they become."""

MAX_URIS = 1024
"""Addresses of which sets are kept; that which was asked longest ago is dropped."""

MAX_PUBLISHED = 64
"""Keys in a published set; only those that can be used count for anything."""

_DEPTH = 4
_MAX_AGE = re.compile(r'(?:^|[\s,])max-age="?(\d{1,9})"?(?=$|[\s,])', re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)(?=$|[\s,=])", re.IGNORECASE)


@dataclass(kw_only=True)
class _Set:
    """What is known of one address; changed by whoever holds `lock`."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: tuple[ClientKey, ...] = ()
    expires: float = float("-inf")
    began: float = float("-inf")
    tried: float = float("-inf")
    failures: int = 0

    def serves(self, kid: str | None, now: float) -> bool:
        """Whether the set answers without another fetch."""
        is_fresh = now < self.expires
        if now < self._next_try:
            return True
        is_known = kid is None or any(key.id == kid for key in self.keys)
        return is_fresh and (is_known or now < self.tried + RELOAD_S)

    def holds(self, asked: float, now: float) -> bool:
        """Whether the set may be used: it is fresh, or was fetched since `asked`."""
        return now < self.expires or (asked <= self.began and not self.failures)

    @property
    def _next_try(self) -> float:
        if not self.failures:
            return float("-inf")
        wait_s = BACK_OFF_S << min(self.failures - 1, 16)
        return self.tried + min(wait_s, MOST_BACK_OFF_S)


class KeyFetcher:
    """Fetches and keeps the keys that clients publish; for every thread.

    Args:
        outgoing: Fetches what is at an address.
        clock: Seconds that only ever grow.

    """

    def __init__(
        self, outgoing: Outgoing, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._guard = threading.Lock()
        self._sets: OrderedDict[str, _Set] = OrderedDict()

    def keys(self, uri: str, kid: str | None) -> tuple[ClientKey, ...]:
        """Return the usable keys at `uri`.

        Args:
            uri: As registered.
            kid: The key that is sought; one that is not there makes the set be
                fetched again.

        Raises:
            KeysUnavailable: where there is no set that has not expired.

        """
        known = self._set(uri)
        asked = self._clock()
        if asked < known.expires and known.serves(kid, asked):
            return known.keys  # Nobody waits for a fetch that he does not need.
        with known.lock:
            if known.began < asked and not known.serves(kid, self._clock()):
                self._load(uri, known)
            if not known.holds(asked, self._clock()):
                raise KeysUnavailable("jwks-unavailable")
            return known.keys

    def _set(self, uri: str) -> _Set:
        with self._guard:
            known = self._sets.setdefault(uri, _Set())
            self._sets.move_to_end(uri)
            if len(self._sets) > MAX_URIS:
                self._sets.popitem(last=False)
            return known

    def _load(self, uri: str, known: _Set) -> None:
        known.began = self._clock()
        try:
            fetched = self._outgoing.get(uri)
            keys = usable_keys(fetched.body)
        except (Unreachable, FHIRError):
            known.failures += 1
            known.tried = self._clock()
            return
        known.failures = 0
        known.tried = self._clock()
        known.keys = keys
        known.expires = known.tried + lifetime_s(fetched.headers)


def usable_keys(data: bytes) -> tuple[ClientKey, ...]:
    """Return the keys of a published JWKS that can be used, leaving out the others.

    Raises:
        FHIRError: `structure`, `too-long` or `value` for what is no JWKS.

    """
    published = loads_object(data, max_depth=_DEPTH).get("keys")
    if not isinstance(published, list):
        raise FHIRError(IssueType.VALUE, "A JWKS has an array of keys.", "keys")
    return tuple(key for one in published[:MAX_PUBLISHED] for key in _usable(one))


def _usable(key: Any) -> tuple[ClientKey, ...]:
    try:
        return client_keys(canonical_jwks(dumps({"keys": [key]})))
    except FHIRError:
        return ()


def lifetime_s(headers: Message) -> int:
    """Return for how long a set may be kept (RFC 9111 §5.2.2)."""
    said = ",".join(headers.get_all("Cache-Control", []))
    if _NOT_KEPT.search(said):
        return 0
    found = _MAX_AGE.search(said)
    return min(int(found[1]) if found else DEFAULT_S, MOST_S)
