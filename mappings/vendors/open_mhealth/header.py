"""What the header of a data point says of the reading in its body.

https://w3id.org/ieee/ieee-1752-schema/header.json
"""

from typing import NamedTuple, TypeGuard

from mappings.measurement import Measurement

MAX_ID_LENGTH = 200
"""Characters of a source's identifier; a longer one is not an identifier."""


class Header(NamedTuple):
    """The part of a header that a reading needs.

    Attributes:
        schema: Name of the body's schema; empty where the header names none.
        source_id: The source's own identifier of the reading.
        patient: The source's own name for the patient.
        is_self_reported: The person entered the value.

    """

    schema: str
    source_id: str | None
    patient: str | None
    is_self_reported: bool

    def part(self, index: int) -> "Header":
        """Return the header of one body of a series; its identifier is its own."""
        if self.source_id is None:
            return self
        return self._replace(source_id=f"{self.source_id}#{index}")

    def complete(self, reading: Measurement, position: str) -> Measurement:
        """Return the reading with what the header says, and its place.

        Raises:
            Unreadable: `impossible` for a reading of the future.

        """
        return reading._replace(
            position=position,
            source_id=self.source_id,
            self_reported=self.is_self_reported,
            patient=self.patient,
        )


def numbered(header: object, part: Header) -> object:
    """Return the header as it is kept with one body of a series, for a retry."""
    if part.source_id is None or not isinstance(header, dict):
        return header
    provenance = header.get("acquisition_provenance")
    kept = provenance if isinstance(provenance, dict) else _EMPTY
    return {
        **header,
        "acquisition_provenance": {**kept, "source_data_point_id": part.source_id},
    }


def header_of(header: object) -> Header:
    """Return what a header says; nothing where it is absent or not an object."""
    if not isinstance(header, dict):
        return Header("", None, None, is_self_reported=False)
    provenance = header.get("acquisition_provenance")
    if not isinstance(provenance, dict):
        provenance = _EMPTY
    source_id = (
        provenance.get("source_data_point_id") or header.get("id") or header.get("uuid")
    )
    user_id = header.get("user_id")
    return Header(
        _schema_name(header.get("schema_id")),
        source_id if _is_name(source_id) else None,
        user_id if _is_name(user_id) else None,
        # Open mHealth keeps the modality in the provenance, IEEE 1752.1 beside it.
        provenance.get("modality") == _SELF or header.get("modality") == _SELF,
    )


_SELF = "self-reported"
_EMPTY: dict[str, object] = {}


def _schema_name(schema: object) -> str:
    """Return the name of a schema id, an object or a text `namespace:name:version`."""
    if isinstance(schema, dict):
        name = schema.get("name")
        return name if isinstance(name, str) else ""
    parts = schema.split(":") if isinstance(schema, str) else ()
    return parts[1] if len(parts) > 1 else ""


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH
