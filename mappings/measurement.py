"""One reading, in the words of its source, with nothing guessed.

A vendor's parser yields `Measurement`, `Refusal`, `OutOfScope` and `Deletion` values,
in the order of the payload; together they account for every measurement received.
A `Whole` accounts for none.
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
    NO_NOTICE = "no-notice"
    NO_OFFSET = "no-offset"
    NO_TIME = "no-time"
    NO_UNIT = "no-unit"
    NOTICE = "notice"
    TRUNCATED = "truncated"
    UNKNOWN_DEVICE = "unknown-device"
    UNKNOWN_KIND = "unknown-kind"
    UNKNOWN_PATIENT = "unknown-patient"
    UNKNOWN_SOURCE_ID = "unknown-source-id"
    UNKNOWN_UNIT = "unknown-unit"
    UNVERIFIED = "unverified"


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
        software: Software revision.
        firmware: Firmware revision.
        serial: Serial number that the maker gave the unit.
        udi: Unique device identifier as its label carries it (human readable form).
        specialization: Name in `mappings.device.SPECIALIZATIONS`.
        source: Digest of what distinguishes sources without a device, which may be a
            person's name: hashed with a key, never rendered. It describes no device.

    """

    identifier: str | None = None
    system: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    name: str | None = None
    hardware: str | None = None
    software: str | None = None
    firmware: str | None = None
    serial: str | None = None
    udi: str | None = None
    specialization: str | None = None
    source: str | None = None


class Samples(NamedTuple):
    """A dense signal: values at a constant distance in time.

    Attributes:
        period_ms: Milliseconds between two values.
        data: The values, in order, as their source wrote them; `E` for a gap, `L` and
            `U` for below and above what the device detects.
        factor: What a value is multiplied with; None for 1.
        origin: What is added to it then.

    https://hl7.org/fhir/R4/datatypes.html#SampledData
    """

    period_ms: Decimal | int
    data: tuple[Decimal | int | str, ...]
    factor: Decimal | int | None = None
    origin: Decimal | int = 0


class Component(NamedTuple):
    """One part of a panel or of a session.

    Attributes:
        kind: Row of kinds.csv.
        value: Number as the source wrote it, a code of the kind's value codes, a
            text, samples, or None where `absent` says why.
        unit: UCUM code of the value or of the samples; empty for a code or text.
        offset_ms: Start of a stage after the session's start, in milliseconds.
        absent: Code of data-absent-reason.

    """

    kind: str
    value: Decimal | int | str | Samples | None
    unit: str = ""
    offset_ms: int | None = None
    absent: str | None = None


class Measurement(NamedTuple):
    """A reading of one kind at one time.

    Attributes:
        kind: Row of kinds.csv, such as `heart-rate`.
        value: Number as the source wrote it (a `Number` keeps its digits), a code
            of the kind's value codes, a text, samples, or None (panel, session, or
            `absent`).
        unit: UCUM code of `value`, in which the source gave it; empty for a code or
            a text.
        start: FHIR dateTime with offset, in the precision given by the source.
        start_us: The same instant, microseconds since 1970-01-01T00:00:00Z.
        end: End of the interval, as `start`; None for an instant.
        end_us: As `start_us`; equal to `start_us` for an instant.
        position: Where in the payload, such as `$[3].body` or `Record[17]`.
        source_id: The source's own identifier of this reading; the same for readings
            of several kinds that come from one record.
        device: What the payload says of the device.
        components: Parts, in order.
        method: Algorithm or weighting, such as `A-weighted`.
        absent: Code of data-absent-reason where there is no value.
        self_reported: The person entered the value.
        zone: IANA name of the zone where the source knows it.
        records: How many received measurements this one accounts for.
        patient: The source's own name for the patient, to be resolved; or None.
        flags: Names in `mappings.code_system.FLAGS`: what the data says against
            itself.
        calibration: State of the sensor's calibration where the source tells it, in
            `mappings.device_metric.CALIBRATIONS`; it is no part of the reading.
        source_version: Which version of its record it is of, where the source says
            so: as `mappings.source_version` compares them.

    """

    kind: str
    value: Decimal | int | str | Samples | None
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
    flags: tuple[str, ...] = ()
    calibration: str | None = None
    source_version: int | None = None


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


class Deletion(NamedTuple):
    """The source has deleted what it once sent.

    Attributes:
        position: Where in the payload.
        source_id: The source's own identifier of what is gone.
        kind: Row of kinds.csv where only that kind is gone; None for all of the record.
        patient: The source's own name for the patient, to be resolved; or None.
        records: How many received measurements this one accounts for.

    """

    position: str
    source_id: str
    kind: str | None = None
    patient: str | None = None
    records: int = 1


class Whole(NamedTuple):
    """What a record was said to hold is all that it holds, in this version.

    It follows the record's measurements and accounts for none. What an older version
    of the same record held and this one does not, its source has taken back.

    Attributes:
        position: Where in the payload.
        kind: Row of kinds.csv that all of the record's measurements have.
        record: The record's identifier: what stands before the `#` of each.
        version: Of the record, as `Measurement.source_version`.
        holds: The identifiers of the measurements.
        patient: The source's own name for the patient, to be resolved; or None.

    """

    position: str
    kind: str
    record: str
    version: int
    holds: tuple[str, ...] = ()
    patient: str | None = None


Reading = Measurement | Refusal | OutOfScope | Deletion | Whole
