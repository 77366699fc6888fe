"""The kinds of measurement: one row of kinds.csv each.

The columns of kinds.csv:

* `name`: what parsers and tables call the kind.
* `codings`: `system|code|display`, separated by `;`, the most standard first. Our own
  codes take their display from `mappings.code_system`.
* `unit`, `unit_text`: UCUM code in which the kind is stored, and how people write it.
* `units_kept`: units that the kind's profiles allow beside it; not converted.
* `units_renamed`: units that mean the kind's unit, such as `{steps}` of one day.
* `siblings`: `unit>kind`: in that unit the measurement is another kind's.
* `value`: `quantity`, `code`, `boolean`, `string`, `samples` (a SampledData in `unit`)
  or `none` (a panel); `values`: the value set.
* `category`, `profiles`: what the resource claims.
* `effective`: `period` where an instant makes no sense, else `either`.
* `data_class`: what consent calls this data.
* `possible_min`, `possible_max`: outside, the value is in quarantine; both included.
* `plausible_min`, `plausible_max`: outside, it is stored and flagged.
* `absent`: `record` stores a missing value with its reason; `refuse` does not, since
  a profile wants the value (R4's bmi) or nothing is said by its absence.
* `method`: what is said where the source says nothing.
* `components`: kinds of its parts; `!` after a part that must be there.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

from mappings import code_system

SYSTEMS = MappingProxyType(
    {
        "loinc": "http://loinc.org",
        "mdc": "urn:iso:std:iso:11073:10101",
        "sct": "http://snomed.info/sct",
        "pa": "http://hl7.org/fhir/us/physical-activity/CodeSystem/pa-temporary-codes",
        "local": code_system.URL,
    }
)
"""The short names of code systems in kinds.csv."""

UCUM = "http://unitsofmeasure.org"

PROFILES = MappingProxyType(
    {
        "r4": "http://hl7.org/fhir/StructureDefinition/",
        "usc": "http://hl7.org/fhir/us/core/StructureDefinition/",
        "pa": "http://hl7.org/fhir/us/physical-activity/StructureDefinition/",
    }
)
"""The short names of profile publishers in kinds.csv."""


class Coding(NamedTuple):
    """A code with its system and the display that its system gives it."""

    system: str
    code: str
    display: str


_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"

CATEGORIES = MappingProxyType(
    {
        "activity": Coding(_CATEGORY, "activity", "Activity"),
        "exam": Coding(_CATEGORY, "exam", "Exam"),
        "laboratory": Coding(_CATEGORY, "laboratory", "Laboratory"),
        "procedure": Coding(_CATEGORY, "procedure", "Procedure"),
        "social-history": Coding(_CATEGORY, "social-history", "Social History"),
        "survey": Coding(_CATEGORY, "survey", "Survey"),
        "vital-signs": Coding(_CATEGORY, "vital-signs", "Vital Signs"),
        "PhysicalActivity": Coding(
            SYSTEMS["pa"], "PhysicalActivity", "Physical Activity"
        ),
    }
)
"""The categories that kinds.csv names."""


def _local(code: str) -> Coding:
    return Coding(code_system.URL, code, code_system.CONCEPTS[code].display)


def _sct(code: str, display: str) -> Coding:
    return Coding(SYSTEMS["sct"], code, display)


VALUE_SETS: Mapping[str, Mapping[str, tuple[Coding, ...]]] = MappingProxyType(
    {
        "sleep-stage": {
            "awake": (_sct("248218005", "Awake"), _local("sleep-stage-awake")),
            "asleep": (_sct("248220008", "Asleep"), _local("sleep-stage-asleep")),
            "nrem": (_sct("60984000", "NREM"), _local("sleep-stage-nrem")),
            "rem": (_sct("89129007", "REM"), _local("sleep-stage-rem")),
            "light": (_local("sleep-stage-light"),),
            "deep": (_local("sleep-stage-deep"),),
            "in-bed": (_local("sleep-stage-in-bed"),),
            "out-of-bed": (_local("sleep-stage-out-of-bed"),),
            "unknown": (_sct("261665006", "Unknown"), _local("sleep-stage-unknown")),
        },
        "occupancy": {
            "occupied": (_local("occupancy-occupied"),),
            "unoccupied": (_local("occupancy-unoccupied"),),
        },
        "contact": {
            "open": (_local("contact-open"),),
            "closed": (_local("contact-closed"),),
        },
        "ecg-classification": {
            name: (_local(f"ecg-{name}"),) for name in code_system.ECG_CLASSIFICATIONS
        },
        "ppg-classification": {
            name: (_local(f"ppg-{name}"),) for name in code_system.PPG_CLASSIFICATIONS
        },
        "body-posture": {
            "sitting": (_local("posture-sitting"),),
            "standing": (_local("posture-standing"),),
            "lying-down": (_local("posture-lying-down"),),
            "semi-recumbent": (_local("posture-semi-recumbent"),),
        },
        "workout-activity": {
            name: (_local(f"workout-{name}"),) for name in code_system.WORKOUTS
        },
    }
)
"""The values of coded kinds, by the name that parsers use."""


class ValueType(StrEnum):
    """What a kind's value is."""

    QUANTITY = "quantity"
    CODE = "code"
    BOOLEAN = "boolean"
    STRING = "string"
    SAMPLES = "samples"
    NONE = "none"


class Effective(StrEnum):
    """What time a kind has."""

    PERIOD = "period"
    EITHER = "either"


class Range(NamedTuple):
    """Bounds in the kind's unit, both included."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Kind:
    """A row of kinds.csv; there is one object a row.

    Attributes:
        name: What parsers and tables call it.
        codings: Standard codes first, then ours.
        unit: UCUM code in which it is stored; empty without a quantity.
        unit_text: How people write the unit.
        units_kept: UCUM codes stored as they come.
        units_renamed: UCUM codes that mean `unit`.
        siblings: UCUM code to the name of the kind that it makes of this one.
        value: What the value is.
        values: Value codes by name, for a coded kind.
        categories: Categories of the Observation.
        profiles: URLs of the profiles that are claimed.
        effective: Whether an instant makes sense.
        data_class: What consent calls this data.
        possible: Outside, a value is refused.
        plausible: Outside, a value is flagged.
        records_absence: Whether a missing value is stored with its reason.
        method: What is said where the source says nothing.
        components: Names of the kinds of its parts.
        required_components: Those that must be there.

    """

    name: str
    codings: tuple[Coding, ...]
    unit: str
    unit_text: str
    units_kept: tuple[str, ...]
    units_renamed: tuple[str, ...]
    siblings: Mapping[str, str]
    value: ValueType
    values: Mapping[str, tuple[Coding, ...]]
    categories: tuple[Coding, ...]
    profiles: tuple[str, ...]
    effective: Effective
    data_class: str
    possible: Range | None
    plausible: Range | None
    records_absence: bool
    method: str | None
    components: tuple[str, ...]
    required_components: tuple[str, ...]


def _coding(cell: str) -> Coding:
    system, code, *display = cell.split("|")
    if system == "local":
        return _local(code)
    return Coding(SYSTEMS[system], code, display[0])


def _profile(cell: str) -> str:
    publisher, tail = cell.split(":")
    return PROFILES[publisher] + tail


def _range(low: str, high: str) -> Range | None:
    return Range(Decimal(low), Decimal(high)) if low else None


def _kind(row: Mapping[str, str]) -> Kind:
    parts = row["components"].split()
    return Kind(
        name=row["name"],
        codings=tuple(_coding(cell) for cell in row["codings"].split(";")),
        unit=row["unit"],
        unit_text=row["unit_text"],
        units_kept=tuple(row["units_kept"].split()),
        units_renamed=tuple(row["units_renamed"].split()),
        siblings=MappingProxyType(
            dict(cell.split(">") for cell in row["siblings"].split())
        ),
        value=ValueType(row["value"]),
        values=VALUE_SETS[row["values"]] if row["values"] else MappingProxyType({}),
        categories=tuple(CATEGORIES[name] for name in row["category"].split()),
        profiles=tuple(_profile(cell) for cell in row["profiles"].split()),
        effective=Effective(row["effective"]),
        data_class=row["data_class"],
        possible=_range(row["possible_min"], row["possible_max"]),
        plausible=_range(row["plausible_min"], row["plausible_max"]),
        records_absence={"record": True, "refuse": False}[row["absent"]],
        method=row["method"] or None,
        components=tuple(name.rstrip("!") for name in parts),
        required_components=tuple(
            name.rstrip("!") for name in parts if name.endswith("!")
        ),
    )


def _rows() -> Iterator[Mapping[str, str]]:
    text = (resources.files("mappings") / "kinds.csv").read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines(), strict=True)


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind by its name, in the order of kinds.csv."""
    return MappingProxyType({row["name"]: _kind(row) for row in _rows()})
