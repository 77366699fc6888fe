"""Pushes that say that there is data and hold none, and how an endpoint is proven.

A notice is known by the members that it must have; whatever else a vendor pushes is
given to the vendor's parser.

https://dev.fitbit.com/build/reference/web-api/developer-guide/using-subscriptions/
https://developers.google.com/health/webhooks
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

NOTICES: Mapping[str, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        "fitbit": (frozenset({"collectionType", "ownerId"}),),
        "google-health": (frozenset({"healthUserId", "operation", "dataType"}),),
        "oura": (frozenset({"event_type", "data_type", "object_id"}),),
        "polar": (frozenset({"event", "user_id", "entity_id"}),),
        "whoop": (frozenset({"user_id", "id", "type", "trace_id"}),),
    }
)
"""Source → the members that a notice has at least; any of the sets will do."""

_MAX_CHALLENGE = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Handshake:
    """What a vendor asks by GET before it pushes.

    Attributes:
        code: Query parameter that must equal the endpoint's code.
        challenge: Query parameter that is given back as a member of a JSON object;
            empty where 204 alone says that the code is right, and 404 that it is not.

    """

    code: str
    challenge: str = ""


HANDSHAKES: Mapping[str, Handshake] = MappingProxyType(
    {
        "fitbit": Handshake(code="verify"),
        "oura": Handshake(code="verification_token", challenge="challenge"),
    }
)
"""Sources that ask by GET."""

PROBED = frozenset({"withings"})
"""Sources that ask by HEAD whether anybody answers."""

ACCEPTED: Mapping[str, int] = MappingProxyType({"fitbit": 204, "google-health": 204})
"""Status that a vendor expects of a push that was taken; 200 where none is named."""


def is_notice(source: str, payload: Any) -> bool:
    """Whether every part of a pushed payload is a notice."""
    wanted = NOTICES.get(source, ())
    parts = payload if isinstance(payload, list) else [payload]
    return bool(parts) and all(_is_one(part, wanted) for part in parts)


def _is_one(part: Any, wanted: tuple[frozenset[str], ...]) -> bool:
    if not isinstance(part, Mapping):
        return False
    inner = part.get("data") if set(part) == {"data"} else part
    if not isinstance(inner, Mapping) or _says_deleted(inner):
        return False
    return any(names <= set(inner) for names in wanted)


def _says_deleted(notice: Mapping[str, Any]) -> bool:
    """Whether a notice itself tells what is gone: nothing has to be fetched."""
    return (
        str(notice.get("type", "")).endswith(".deleted")
        or notice.get("event_type") == "delete"
    )


def is_verification(source: str, payload: Any) -> bool:
    """Whether a genuine push only asks whether its secret is known."""
    return source == "google-health" and payload == {"type": "verification"}


def is_ping(source: str, payload: Any) -> bool:
    """Whether a push, which nobody signs, only asks whether anybody answers."""
    return (
        source == "polar"
        and isinstance(payload, Mapping)
        and payload.get("event") == "PING"
        and set(payload) <= {"event", "timestamp"}
    )


def shake(handshake: Handshake, code: bytes, asked: Mapping[str, str]) -> str | None:
    """Return the challenge to give back, "" for none; None where the code is wrong.

    Args:
        handshake: What the vendor asks.
        code: The endpoint's code; without one nothing is right.
        asked: Parameters of the query.

    """
    given = asked.get(handshake.code, "").encode("utf-8", "replace")
    challenge = asked.get(handshake.challenge, "") if handshake.challenge else ""
    is_right = bool(code) and hmac.compare_digest(code, given)
    return challenge if is_right and len(challenge) <= _MAX_CHALLENGE else None
