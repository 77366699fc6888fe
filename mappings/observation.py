"""A normalised measurement as an Observation, with the keys that recognise it again.

https://hl7.org/fhir/R4/observation.html
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from json.encoder import encode_basestring

from conformance.fhir_json import Number
from mappings.kinds import Coding, Effective
from mappings.measurement import Component, Measurement
from mappings.normalise import Normalised
from mappings.template import (
    compile_template,
    part_text,
    references,
    written_value,
)

DERIVED_COMPONENTS = {"sleep-session": ("sleep-duration",)}
"""Components that are also written as Observations of their own, because they are
what others search for."""


@lru_cache(maxsize=16)
def _empty_digest(key: bytes) -> blake2b:
    """Return a digest to copy, which is quicker than a new one."""
    return blake2b(digest_size=8, key=key)


def _quoted(value: str | None) -> str:
    return encode_basestring(value) if value is not None else ""


def _value(normalised: Normalised) -> str:
    value = normalised.value
    return "" if value is None else written_value(normalised.kind, value)


def render(  # noqa: PLR0913 - one argument an element of the resource
    normalised: Normalised,
    *,
    id: str,  # noqa: A002 - FHIR's name
    version: str,
    last_updated: str,
    subject: str,
    identifier_system: str,
    identifier_value: str,
    device: str | None = None,
    focus: str | None = None,
    performer: str | None = None,
    status: str = "final",
    derived_from: Sequence[str] = (),
    security: tuple[Coding, ...] = (),
) -> bytes:
    """Return the Observation as canonical JSON.

    Args:
        normalised: What was measured.
        id: Logical id of the resource.
        version: Version id.
        last_updated: Instant at which the service stores it; also `issued`.
        subject: Reference to the Patient.
        identifier_system: URI of the identifier's system.
        identifier_value: The source's own identifier, or the content key.
        device: Reference to the Device.
        focus: Reference to the Location of a room's sensor.
        performer: Reference to who entered the value; the subject where the
            measurement is self-reported and nobody is named.
        status: Code of observation-status.
        derived_from: References to the Observations it was taken from.
        security: Labels; the same tuple for a whole batch.

    """
    measurement = normalised.measurement
    if performer is None and measurement.self_reported:
        performer = subject
    kind = normalised.kind
    method = measurement.method or kind.method
    fill = compile_template(
        kind,
        normalised.unit,
        _is_interval(normalised),
        measurement.zone is not None,
        performer is not None,
        device is not None,
        focus is not None,
        method is not None,
        bool(normalised.parts),
        bool(derived_from),
        normalised.implausible,
        measurement.absent,
        measurement.flags,
        status,
        identifier_system,
        security,
    )
    return fill(
        id,
        version,
        last_updated,
        encode_basestring(identifier_value),
        subject,
        measurement.start,
        measurement.end,
        _quoted(measurement.zone),
        performer,
        _value(normalised),
        _quoted(method),
        device,
        focus,
        references(derived_from) if derived_from else "",
        ",".join([part_text(part) for part in normalised.parts]),
    ).encode()


def _is_interval(normalised: Normalised) -> bool:
    """Whether there is an end that differs, or a kind that always has one."""
    measurement = normalised.measurement
    return measurement.end is not None and (
        measurement.end_us != measurement.start_us
        or normalised.kind.effective is Effective.PERIOD
    )


def derived(measurement: Measurement) -> tuple[Measurement, ...]:
    """Return the measurements that are also written on their own.

    They account for no received record; their Observations name that of
    `measurement` in `derivedFrom`.
    """
    names = DERIVED_COMPONENTS.get(measurement.kind)
    if names is None:
        return ()
    return tuple(
        _alone(measurement, component)
        for component in measurement.components
        if component.kind in names
    )


def _alone(measurement: Measurement, component: Component) -> Measurement:
    source_id = measurement.source_id
    return measurement._replace(
        kind=component.kind,
        value=component.value,
        unit=component.unit,
        absent=component.absent,
        source_id=source_id and f"{source_id}#{component.kind}",
        components=(),
        records=0,
    )


def content_key(measurement: Measurement, device_key: bytes) -> bytes:
    """Return the 16 bytes by which a repeat of a measurement is recognised.

    The value is not part of it: a corrected value that is sent again is an update.

    Args:
        measurement: As its source gave it.
        device_key: The service's key of device or source, at most 64 bytes.

    """
    source_id = measurement.source_id
    content = (
        f"{measurement.kind}\x1eid\x1e{source_id}"
        if source_id is not None
        else f"{measurement.kind}\x1etime\x1e{measurement.start_us}"
        f"\x1f{measurement.end_us}"
    )
    return blake2b(content.encode(), digest_size=16, key=device_key).digest()


def record_key(kind: str, record_id: str, device_key: bytes) -> bytes:
    """Return the 16 bytes by which all that a record gives of a kind is found.

    A source id with a `#` is one of several readings of the record named before it.
    """
    content = f"{kind}\x1erecord\x1e{record_id}"
    return blake2b(content.encode(), digest_size=16, key=device_key).digest()


def _part_content(component: Component) -> str:
    kind, value, unit, offset_ms, absent = component
    return f"\x1e{kind}\x1f{value}\x1f{unit}\x1f{offset_ms}\x1f{absent}"


def content_digest(measurement: Measurement, key: bytes) -> bytes:
    """Return 8 bytes that differ when a source corrects a measurement.

    Args:
        measurement: As its source gave it.
        key: A secret of the service, at most 64 bytes: a value has so few guesses that
            an open hash of it would tell it.

    """
    (
        _kind,
        value,
        unit,
        _start,
        start_us,
        end,
        end_us,
        _position,
        _source_id,
        _device,
        components,
        method,
        absent,
        self_reported,
        zone,
        _records,
        _patient,
        _flags,
        _calibration,
        _source_version,
    ) = measurement
    number = value.text if type(value) is Number else value
    # The instant and not its text: an export made elsewhere writes other offsets.
    until = None if end is None else end_us
    content = (
        f"{number}\x1f{unit}\x1f{start_us}\x1f{until}\x1f{method}\x1f{absent}"
        f"\x1f{self_reported}\x1f{zone}"
    )
    if components:
        content += "".join([_part_content(part) for part in components])
    digest = _empty_digest(key).copy()
    digest.update(content.encode())
    return digest.digest()
