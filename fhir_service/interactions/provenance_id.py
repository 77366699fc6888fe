"""Ids of rendered Provenances: what they are about, encrypted and authenticated.

An id leads back to a batch, a signature and an activity without a table; it tells a
reader nothing, two of the same batch look unrelated, and one that was made up opens
nothing. The same part always has the same id (AES-SIV is deterministic).

https://www.rfc-editor.org/rfc/rfc5297
"""

import base64
import binascii
import struct
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from fhir_service.storage.batches import Activity, Part
from fhir_service.storage.blind_index import BlindIndex

PREFIX = "pb-"
"""The ids of what is stored by the service have no hyphen."""

_PART = struct.Struct(">QQB")
_ACTIVITIES = tuple(Activity)
_BOUND_TO = [b"Provenance"]
_PADDING = 8
"""Characters in a group of base 32."""


@lru_cache(maxsize=4)
def _cipher(blind: BlindIndex) -> AESSIV:
    return AESSIV(blind.source("provenance", "1") + blind.source("provenance", "2"))


def id_of(blind: BlindIndex, part: Part) -> str:
    """Return the id of the Provenance of a part: 56 characters."""
    plain = _PART.pack(
        part.batch_id, part.signature_id, _ACTIVITIES.index(part.activity)
    )
    sealed = _cipher(blind).encrypt(plain, _BOUND_TO)
    return PREFIX + base64.b32encode(sealed).decode("ascii").rstrip("=").lower()


def part_of(blind: BlindIndex, id_: str) -> Part | None:
    """Return the part that an id leads to; None where it is not one of ours."""
    text = id_.removeprefix(PREFIX)
    if text == id_ or text != text.lower():
        return None
    try:
        sealed = base64.b32decode(text.upper() + "=" * (-len(text) % _PADDING))
        plain = _cipher(blind).decrypt(sealed, _BOUND_TO)
    except (binascii.Error, ValueError, InvalidTag):
        return None
    batch_id, signature_id, activity = _PART.unpack(plain)
    part = Part(batch_id, signature_id, _ACTIVITIES[activity])
    return part if id_of(blind, part) == id_ else None
