"""What single steps cost, in processor time of one thread, and how long `--help` takes.

Each step is measured several times over a list; the figure is the median.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

from conformance import fhir_json
from conformance.fhir_json import Number
from conformance.issues import Severity
from conformance.validation import validate
from fhir_service.bench.figures import Measured
from fhir_service.bench.payloads import Json, apple_export, point, user_of
from fhir_service.bench.resources import HEART_RATE, patient
from fhir_service.bench.stage import BenchError, Stage, request
from fhir_service.ingest.candidates import CONTENT_KEY
from fhir_service.rest.instant import fhir_instant
from fhir_service.routes import respond
from fhir_service.storage import patients, types
from fhir_service.storage.rows import public_id
from mappings.measurement import Measurement
from mappings.normalise import Normalised, normalise
from mappings.observation import content_digest, content_key, render
from mappings.vendors.apple_health.elements import elements
from mappings.vendors.table import VENDORS

_READINGS = 2_000
_RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)


def cpu_us(work: Callable[[], object], repeats: int, items: int) -> float:
    """Return the median processor time of `work`, for each of its items."""
    times = []
    work()
    for _ in range(repeats):
        began = time.thread_time_ns()
        work()
        times.append((time.thread_time_ns() - began) / 1000 / items)
    return median(times)


def parsing(repeats: int) -> Iterator[Measured]:
    """Yield the cost of a Measurement from each vendor's payload."""
    for source, payload in (
        ("open-mhealth", [point(1, number) for number in range(_READINGS)]),
        ("zigbee2mqtt", [_message(number) for number in range(_READINGS // 4)]),
    ):
        parse = VENDORS[source].parse
        count = len(_measurements(source, payload))
        cost = cpu_us(
            lambda parse=parse, payload=payload: list(  # type: ignore[misc]  # bound now
                parse(payload, received_at=_RECEIVED)
            ),
            repeats,
            count,
        )
        yield Measured(key=f"code.parse-{source}", value=cost, note="CPU time")
    yield _apple_health(repeats)


def _measurements(source: str, payload: Any) -> list[Measurement]:
    readings = list(VENDORS[source].parse(payload, received_at=_RECEIVED))
    found = [reading for reading in readings if isinstance(reading, Measurement)]
    if not found or len(found) != len(readings):
        raise BenchError(f"{source}: not every reading of the bench was understood.")
    return found


def _message(number: int) -> Json:
    """Return a message of a room's sensor, as `fhir_json.loads` gives it."""
    return {
        "topic": "zigbee2mqtt/Bench sensor",
        "payload": {
            "last_seen": 1_740_783_600_000 + number * 300_000,
            "ieee_address": "0x00124b0000000001",
            "temperature": Number(f"{18 + number % 5}.{number % 10}"),
            "humidity": Number(f"{40 + number % 9}.{number % 10}"),
            "illuminance": number % 400,
            "battery": 100 - number % 40,
        },
    }


def _apple_health(repeats: int) -> Measured:
    """Return the cost of what parsing an export does beside reading the XML."""
    export = b"".join(apple_export(max(2, _READINGS // 300)))
    parse = VENDORS["apple-health"].parse
    readings = list(parse(export, received_at=_RECEIVED))
    differences = []
    for _ in range(repeats):
        began = time.thread_time_ns()
        for _reading in parse(export, received_at=_RECEIVED):
            pass
        parsed = time.thread_time_ns()
        for _element in elements(BytesIO(export).read):
            pass
        differences.append(2 * parsed - began - time.thread_time_ns())
    return Measured(
        key="code.parse-apple-health",
        value=median(differences) / 1000 / len(readings),
        note="CPU time, without the reading of XML",
    )


def storing(stage: Stage, repeats: int) -> Measured:
    """Return the cost from a Measurement to what is stored of it."""
    services = stage.deployment.services
    patient_id = stage.create(patient(user_of(0), stage.clinic))
    with services.database.read() as snapshot:
        state = patients.by_id(snapshot, types.number_of("Patient"), patient_id)
        if state is None:
            raise BenchError("The bench's patient is not there.")
        readings = _measurements(
            "open-mhealth", [point(0, number) for number in range(_READINGS)]
        )
        row, now_us = services.clock() << 10, services.clock()
        ids = [public_id(row + number) for number in range(_READINGS)]
        instant, unit = fhir_instant(now_us), b"bench"

        def work() -> list[bytes]:
            return services.repository.codec.encode_many(
                snapshot,
                [
                    (
                        state.key,
                        row,
                        1,
                        _rendered(reading, id_, instant, patient_id, unit, now_us),
                    )
                    for reading, id_ in zip(readings, ids, strict=True)
                ],
            )

        cost = cpu_us(work, repeats, _READINGS)
    return Measured(key="code.store", value=cost, note="CPU time")


def _rendered(  # noqa: PLR0913, PLR0917 - what is the same for all of them
    reading: Measurement,
    id_: str,
    instant: str,
    patient_id: str,
    unit: bytes,
    now_us: int,
) -> bytes:
    """Return the resource as text, both of its keys taken, as the pipeline does."""
    normalised = normalise(reading, now_us=now_us)
    if not isinstance(normalised, Normalised):
        raise BenchError("A reading of the bench was refused.")
    content_digest(reading, b"bench")
    return render(
        normalised,
        id=id_,
        version="1",
        last_updated=instant,
        subject=f"Patient/{patient_id}",
        identifier_system=CONTENT_KEY,
        identifier_value=content_key(reading, unit).hex(),
    )


def validation(repeats: int) -> Measured:
    """Return the cost of validating what an external client sends.

    Raises:
        BenchError: where the resource is not valid; then it is not what is measured.

    """
    resource = fhir_json.loads(fhir_json.dumps(HEART_RATE))
    if any(issue.severity is Severity.ERROR for issue in validate(resource)):
        raise BenchError("The Observation of the bench is not valid.")

    def work() -> None:
        for _ in range(_VALIDATIONS):
            validate(resource)

    cost = cpu_us(work, repeats, _VALIDATIONS)
    return Measured(key="code.validate", value=cost, note="CPU time")


_VALIDATIONS = 300


def validate_operation(stage: Stage, repeats: int) -> Measured:
    """Return how long `$validate` against a profile of US Core takes.

    Raises:
        BenchError: where the resource does not meet the profile, or was not held to it.

    """
    body = fhir_json.dumps({**HEART_RATE, "meta": {"profile": [_US_CORE]}})
    times: list[float] = []
    for _ in range(repeats * _OPERATIONS):
        asked = request("POST", _VALIDATE, stage.administrator, body=body)
        began = time.perf_counter()
        response = respond(stage.deployment.services, asked)
        times.append((time.perf_counter() - began) * 1000)
        for ticket in response.tickets:
            ticket.result()
        if response.status != _OK or b"No error was found" not in response.body:
            raise BenchError("$validate does not find the Observation valid.")
    return Measured(key="code.validate-operation", value=median(times))


_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-heart-rate"
_VALIDATE, _OK = "/fhir/Observation/$validate", 200
_OPERATIONS = 30


def help_time(repeats: int) -> Measured:
    """Return how long `fhir-service --help` takes, from start to end."""
    program = Path(sys.executable).with_name("fhir-service")
    command = (
        [str(program)] if program.exists() else [sys.executable, "-c", _COMMAND_LINE]
    )
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        subprocess.run(  # noqa: S603 - our own program
            [*command, "--help"], check=True, stdout=subprocess.DEVNULL
        )
        times.append((time.perf_counter() - began) * 1000)
    return Measured(key="code.help", value=median(times[1:]), note="process start")


_COMMAND_LINE = "from fhir_service.cli import main; main()"
