"""One reading, in the words of its source, with nothing guessed.

A vendor's parser yields `Measurement`, `Refusal` and `OutOfScope` values, in the
order of the payload; together they account for every measurement received.
"""

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a measurement is in quarantine; the receipt and the metrics use these."""

    AMBIGUOUS_WEARER = "ambiguous-wearer"
    FUTURE = "future"
    IMPOSSIBLE = "impossible"
    INVALID_VALUE = "invalid-value"
    MALFORMED = "malformed"
    NEGATIVE_INTERVAL = "negative-interval"
    NO_OFFSET = "no-offset"
    NO_TIME = "no-time"
    NO_UNIT = "no-unit"
    TRUNCATED = "truncated"
    UNKNOWN_DEVICE = "unknown-device"
    UNKNOWN_KIND = "unknown-kind"
    UNKNOWN_PATIENT = "unknown-patient"
    UNKNOWN_UNIT = "unknown-unit"


class DeviceClue(NamedTuple):
    """What a payload says of the device; never a person's name or an account.

    Attributes:
        identifier: Stable identity of the physical unit, such as an IEEE address
            or a serial; None where the source gives none (then model stands in).
        system: URI of the identifier's system.
        manufacturer: Maker, as the source writes it.
        model: Model name or number.
        name: What the maker calls the product, such as `Apple Watch`.
        hardware: Hardware revision.
        software: Software or firmware revision.

    """

    identifier: str | None = None
    system: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    name: str | None = None
    hardware: str | None = None
    software: str | None = None


class Component(NamedTuple):
    """One part of a panel or of a session.

    Attributes:
        kind: Row of kinds.csv.
        value: Number as the source wrote it, a code of the kind's value codes, or
            None where `absent` says why.
        unit: UCUM code of the value; empty for a coded value.
        offset_ms: Start of a stage after the session's start, in milliseconds.
        absent: Code of data-absent-reason.

    """

    kind: str
    value: Decimal | int | str | None
    unit: str = ""
    offset_ms: int | None = None
    absent: str | None = None


class Measurement(NamedTuple):
    """A reading of one kind at one time.

    Attributes:
        kind: Row of kinds.csv, such as `heart-rate`.
        value: Number as the source wrote it (a `Number` keeps its digits), a code
            of the kind's value codes, or None (panel, session, or `absent`).
        unit: UCUM code of `value`, in which the source gave it; empty for a code.
        start: FHIR dateTime with offset, in the precision given by the source.
        start_us: The same instant, microseconds since 1970-01-01T00:00:00Z.
        end: End of the interval, as `start`; None for an instant.
        end_us: As `start_us`; equal to `start_us` for an instant.
        position: Where in the payload, such as `$[3].body` or `Record[17]`.
        source_id: The source's own identifier of this reading.
        device: What the payload says of the device.
        components: Parts, in order.
        method: Algorithm or weighting, such as `A-weighted`.
        absent: Code of data-absent-reason where there is no value.
        self_reported: The person entered the value.
        zone: IANA name of the zone where the source knows it.
        records: How many received measurements this one accounts for.
        patient: The source's own name for the patient, to be resolved; or None.

    """

    kind: str
    value: Decimal | int | str | None
    unit: str
    start: str
    start_us: int
    end: str | None
    end_us: int
    position: str
    source_id: str | None = None
    device: DeviceClue | None = None
    components: tuple[Component, ...] = ()
    method: str | None = None
    absent: str | None = None
    self_reported: bool = False
    zone: str | None = None
    records: int = 1
    patient: str | None = None


class Refusal(NamedTuple):
    """A measurement that was not understood; it goes to quarantine.

    Attributes:
        position: Where in the payload.
        reason: Why.
        kind: Row of kinds.csv, where it is known what was meant.
        detail: A sentence that names elements and units, never a value.
        payload: The part that was not understood, to be kept for a retry.
        records: How many received measurements this one accounts for.

    """

    position: str
    reason: Reason
    kind: str | None
    detail: str
    payload: object = None
    records: int = 1


class OutOfScope(NamedTuple):
    """Recognised and never stored: goals, positions, lights, app settings.

    Attributes:
        position: Where in the payload.
        what: What it is, such as `geoposition`.
        records: How many received measurements this one accounts for.

    """

    position: str
    what: str
    records: int = 1


Reading = Measurement | Refusal | OutOfScope
