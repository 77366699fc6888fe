"""Keyed hashes of what is only ever compared: identifiers, names, devices, patients.

An index that holds these tells nobody who is in it without the key. Each purpose has
hashes of its own, so that a value is not recognised across indexes. Few different
values, such as birth dates, would still show in their frequencies; those are not
indexed this way.

https://www.rfc-editor.org/rfc/rfc7693 (keyed BLAKE2b, personalisation)
"""

import unicodedata
from enum import StrEnum
from hashlib import blake2b

from fhir_service.search.collation import normalised

LENGTH = 16
"""Bytes of a hash: by chance, two of 10**9 values are equal in 1 of 10**20 cases."""

_PHONE_SYSTEMS = frozenset({"phone", "fax", "sms", "pager"})


class Purpose(StrEnum):
    """What a hash is for; at most 16 bytes, the personalisation of BLAKE2b."""

    IDENTIFIER = "identifier"
    NAME = "name"
    EXACT_NAME = "name:exact"
    TELECOM = "telecom"
    UNIT = "unit"
    SOURCE = "source"
    PSEUDONYM = "pseudonym"
    SEARCH = "search"
    SEAL = "seal"


class BlindIndex:
    """Hashes values with the deployment's index key.

    Args:
        key: 32 bytes; whoever has them can test guesses.

    """

    __slots__ = ("_states",)

    def __init__(self, key: bytes) -> None:
        self._states = {
            purpose: blake2b(key=key, digest_size=LENGTH, person=purpose.encode())
            for purpose in Purpose
        }

    def hash(self, purpose: Purpose, *parts: str) -> bytes:
        """Return the hash of `parts`; other parts never run into the same text."""
        state = self._states[purpose].copy()
        for part in parts:
            value = part.encode("utf-8", "surrogatepass")
            state.update(len(value).to_bytes(4))
            state.update(value)
        return state.digest()

    def identifier(self, *parts: str) -> bytes:
        """Return the hash of an identifier, such as system and value, as written."""
        return self.hash(Purpose.IDENTIFIER, *parts)

    def name(self, name: str) -> bytes:
        """Return the hash of a name, without regard to case, accents and width."""
        return self.hash(Purpose.NAME, normalised(name))

    def exact_name(self, name: str) -> bytes:
        """Return the hash of a name as it is written, for `:exact`."""
        return self.hash(Purpose.EXACT_NAME, unicodedata.normalize("NFC", name))

    def telecom(self, system: str, value: str) -> bytes:
        """Return the hash of a contact point, spelled one way."""
        return self.hash(Purpose.TELECOM, system, normalised_telecom(system, value))

    def unit(self, *parts: str) -> bytes:
        """Return the hash by which a physical unit is recognised."""
        return self.hash(Purpose.UNIT, *parts)

    def source(self, *parts: str) -> bytes:
        """Return the hash that keys what one source has sent."""
        return self.hash(Purpose.SOURCE, *parts)

    def posting(self, posting: tuple[str, ...]) -> int:
        """Return 63 bits and a sign by which search knows a parameter and its value."""
        return int.from_bytes(self.hash(Purpose.SEARCH, *posting)[:8], signed=True)

    def pseudonym(self, patient: str) -> bytes:
        """Return the name of a patient in the audit log."""
        return self.hash(Purpose.PSEUDONYM, patient)

    def seal(self, data: bytes) -> bytes:
        """Return the digest that nobody makes without the key."""
        state = self._states[Purpose.SEAL].copy()
        state.update(data)
        return state.digest()


def normalised_telecom(system: str, value: str) -> str:
    """Return a number without its punctuation, an address without its case."""
    plain = unicodedata.normalize("NFKC", value).casefold().strip()
    if system not in _PHONE_SYSTEMS:
        return plain
    return "".join(letter for letter in plain if letter.isdecimal() or letter == "+")
