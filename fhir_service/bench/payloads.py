"""What the bench feeds in: synthetic, the same in every run, nobody's.

Each delivery holds readings of one patient, as an app sends them: five kinds, a
reading of each every hour.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from conformance.fhir_json import Number
from fhir_service.bench.plan import DAY_OF_READINGS, Plan
from fhir_service.ingest.cohort_days import Habits, day
from fhir_service.ingest.cohort_formats import AppleExport, dated
from mappings.payload import HOUR_US, MINUTE_US, at_offset

FIRST_DAY = date(2025, 3, 1)
"""The first day of readings, at UTC+1."""

_FIRST_US = 1_740_783_600_000_000
_OFFSET = 60

Json = dict[str, object]


class _Schema(NamedTuple):
    name: str
    member: str
    unit: str
    low: int
    span: int
    has_tenths: bool = False
    is_interval: bool = False


SCHEMAS = (
    _Schema("heart-rate", "heart_rate", "beats/min", 55, 60),
    _Schema("respiratory-rate", "respiratory_rate", "breaths/min", 11, 9),
    _Schema("oxygen-saturation", "oxygen_saturation", "%", 93, 7),
    _Schema("body-temperature", "body_temperature", "C", 36, 2, has_tenths=True),
    _Schema("step-count", "step_count", "steps", 0, 900, is_interval=True),
)
"""The kinds of a delivery; LOINC 8867-4 is what the bench searches for."""


def user_of(patient: int) -> str:
    """Return the source's name for a patient."""
    return f"bench-user-{patient:05}"


def point(patient: int, number: int) -> Json:
    """Return one data point of a patient, as `fhir_json.loads` gives it."""
    hour, which = divmod(number, len(SCHEMAS))
    schema = SCHEMAS[which]
    # A reading is rarely on the hour, and its second is not its neighbour's.
    start_us = _FIRST_US + hour * HOUR_US + number * 37 % 3000 * 1_000_000
    start = at_offset(start_us, _OFFSET).text
    body: Json = {
        schema.member: {"value": _value(schema, patient, number), "unit": schema.unit},
        "effective_time_frame": _frame(schema, start, start_us),
    }
    return {
        "header": {
            "id": f"{user_of(patient)}-{number:08}",
            "creation_date_time": start,
            "schema_id": {"namespace": "omh", "name": schema.name, "version": "2.0"},
            "acquisition_provenance": {"source_name": "Bench", "modality": "sensed"},
            "user_id": user_of(patient),
        },
        "body": body,
    }


def _value(schema: _Schema, patient: int, number: int) -> object:
    value = schema.low + (number * 7 + patient * 13) % schema.span
    return Number(f"{value}.{number % 10}") if schema.has_tenths else value


def _frame(schema: _Schema, start: str, start_us: int) -> Json:
    if not schema.is_interval:
        return {"date_time": start}
    end = at_offset(start_us + 10 * MINUTE_US, _OFFSET).text
    return {"time_interval": {"start_date_time": start, "end_date_time": end}}


def deliveries(plan: Plan, rows: int) -> Iterator[list[Json]]:
    """Yield `rows` data points in deliveries, the patients in turn."""
    patients = patients_of(plan, rows)
    for first in range(0, plan.patient_rows, plan.delivery):
        last = min(first + plan.delivery, plan.patient_rows)
        for patient in range(patients):
            yield [point(patient, number) for number in range(first, last)]


def patients_of(plan: Plan, rows: int) -> int:
    """Return how many patients `rows` Observations belong to."""
    return max(1, rows // plan.patient_rows)


WINDOW_DAYS = 4
"""Days that a search asks for: more readings of a kind than a page takes."""


def searches(plan: Plan, patient_ids: list[str], seed: int = 1) -> list[str]:
    """Return the queries of random searches: patient, code, dates, newest first."""
    random = Random(seed)  # noqa: S311 - no secret
    found = []
    for _ in range(plan.queries):
        dates = window(plan, random)
        found.append(f"patient={random.choice(patient_ids)}&code=8867-4&{dates}")
    return found


def window(plan: Plan, random: Random) -> str:
    """Return what asks for the newest 50 of four days, at random."""
    days = plan.patient_rows // (len(SCHEMAS) * DAY_OF_READINGS)
    low = FIRST_DAY + timedelta(days=random.randint(0, max(0, days - WINDOW_DAYS)))
    high = low + timedelta(days=WINDOW_DAYS)
    return f"date=ge{low}&date=lt{high}&_sort=-date&_count=50"


_HABITS = Habits(
    resting_rate=61,
    variability=45,
    bedtime=23 * 60,
    sleep_minutes=430,
    steps=7000,
    room_tenths=195,
)


def apple_export(days: int) -> Iterator[bytes]:
    """Yield an export of Apple Health in pieces."""
    random, zone = Random("bench export"), ZoneInfo("Europe/Berlin")  # noqa: S311 - no secret
    return AppleExport(_OFFSET, zone.key).chunks(
        dated(FIRST_DAY - timedelta(days=before), zone, day(_HABITS, before, random))
        for before in range(days, 0, -1)
    )
