import pytest

from mappings.device_metric import (
    CALIBRATIONS,
    METRICS,
    metric_resource,
    with_calibration,
)
from mappings.kinds import kinds

META = {"id": "0abcdefghjkmn", "version": "1", "last_updated": "2026-01-06T08:00:00Z"}


def metric(kind="carbon-dioxide", calibration="calibrated"):
    return metric_resource(kind, device="Device/2", calibration=calibration, **META)


def test_a_metric_says_what_is_measured_by_what_and_how_it_is_calibrated(faults):
    found = metric()

    assert faults(found) == []
    assert {name: found[name] for name in found if name not in {"type", "meta"}} == {
        "resourceType": "DeviceMetric",
        "id": "0abcdefghjkmn",
        "unit": {
            "coding": [
                {
                    "system": "http://unitsofmeasure.org",
                    "code": "[ppm]",
                    "display": kinds()["carbon-dioxide"].unit_text,
                }
            ]
        },
        "source": {"reference": "Device/2"},
        "operationalStatus": "on",
        "category": "measurement",
        "calibration": [{"state": "calibrated"}],
    }
    assert [one["code"] for one in found["type"]["coding"]] == [
        one.code for one in kinds()["carbon-dioxide"].codings
    ]


@pytest.mark.parametrize("kind", sorted(METRICS))
@pytest.mark.parametrize("calibration", sorted(CALIBRATIONS))
def test_every_metric_in_every_state_is_valid(kind, calibration, faults):
    assert faults(metric(kind, calibration)) == []


def test_another_state_changes_a_metric():
    changed = with_calibration(metric(), "not-calibrated")

    assert changed == {**metric(), "calibration": [{"state": "not-calibrated"}]}


def test_the_same_state_changes_nothing():
    assert with_calibration(metric(), "calibrated") is None
