"""The DeviceMetric of a sensor whose source tells how it is calibrated.

Nothing is made for other sensors: of them it would say no more than their Device does.
Neither how nor when a sensor was calibrated is known, so that neither is said.

https://hl7.org/fhir/R4/devicemetric.html
"""

from collections.abc import Mapping
from typing import Any

from mappings.kinds import UCUM, kinds
from mappings.template import concept

CALIBRATIONS = frozenset({"not-calibrated", "calibration-required", "calibrated"})
"""Codes of http://hl7.org/fhir/metric-calibration-state that a source can tell."""

METRICS = frozenset(
    {
        "blood-pressure",
        "carbon-dioxide",
        "glucose-interstitial",
        "illuminance",
        "noise-level",
        "particulate-matter-10",
        "particulate-matter-2-5",
        "volatile-organic-compounds",
        "volatile-organic-compounds-mass",
    }
)
"""Kinds whose sensors drift, or correct themselves, so that calibration matters."""


def metric_resource(  # noqa: PLR0913 - one argument an element of the resource
    kind: str,
    *,
    id: str,  # noqa: A002 - FHIR's name
    version: str,
    last_updated: str,
    device: str,
    calibration: str,
) -> dict[str, Any]:
    """Return the DeviceMetric of one kind and one Device.

    Args:
        kind: Name in `METRICS`.
        id: Logical id of the resource.
        version: Version id.
        last_updated: Instant at which the service stores it.
        device: Reference to the Device.
        calibration: Code in `CALIBRATIONS`.

    """
    row = kinds()[kind]
    unit = {"system": UCUM, "code": row.unit, "display": row.unit_text}
    elements: dict[str, Any] = {
        "resourceType": "DeviceMetric",
        "id": id,
        "meta": {"versionId": version, "lastUpdated": last_updated},
        "type": concept(row.codings),
        "unit": row.unit and {"coding": [unit]},
        "source": {"reference": device},
        "operationalStatus": "on",
        "category": "measurement",
        "calibration": [{"state": calibration}],
    }
    return {element: value for element, value in elements.items() if value}


def with_calibration(
    metric: Mapping[str, Any], calibration: str
) -> dict[str, Any] | None:
    """Return a DeviceMetric in another state; None where it is in that one."""
    before = metric.get("calibration") or [{}]
    if before[0].get("state") == calibration:
        return None
    return {**metric, "calibration": [{"state": calibration}]}
