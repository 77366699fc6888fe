"""A sensor whose source tells its calibration has one DeviceMetric, kept up to date."""

from watch import deliver, heart, measured
from worlds import actions, actor, classes, purposes


def air(minutes, state, **more):
    return measured("carbon-dioxide", 800, "[ppm]", minutes, calibration=state, **more)


def metrics(clinic, headers=None):
    return clinic.found("DeviceMetric", headers)


def states(clinic, metric):
    """Return the state in each stored version, the newest first."""
    path = f"/fhir/DeviceMetric/{metric['id']}/_history"
    answer = clinic.world.get(path, clinic.ehr)
    return [one["resource"]["calibration"][0]["state"] for one in answer.json["entry"]]


def without(clinic, type_):
    """Deny collecting resources of a type, within what is permitted."""
    return clinic.consented(
        actor=actor(clinic.organization),
        purpose=purposes("TREAT"),
        provision=[
            {
                "type": "deny",
                "action": actions("collect"),
                "class": classes(type_),
            }
        ],
    )


def test_a_calibration_makes_a_metric_of_its_device(either):
    either.consented()

    deliver(either, air(0, "not-calibrated"), heart(0), minutes=0)

    [device] = either.found(f"Device?patient={either.patient}")
    [metric] = either.found(f"DeviceMetric?source=Device/{device['id']}")
    assert metric["source"] == {"reference": f"Device/{device['id']}"}
    assert metric["calibration"] == [{"state": "not-calibrated"}]
    assert metric["unit"]["coding"][0]["code"] == "[ppm]"


def test_a_metric_changes_with_its_calibration_alone(either):
    either.consented()
    for minutes, state in enumerate(
        ("not-calibrated", "not-calibrated", "calibrated", None, "calibrated")
    ):
        deliver(either, air(minutes, state), minutes=minutes)

    [metric] = metrics(either)
    assert states(either, metric) == ["calibrated", "not-calibrated"]


def test_a_calibration_of_before_does_not_come_back(either):
    either.consented()
    deliver(either, air(10, "calibrated"), minutes=10)

    deliver(either, air(0, "not-calibrated"), minutes=11)

    [metric] = metrics(either)
    assert states(either, metric) == ["calibrated"]


def test_of_one_delivery_the_newest_calibration_counts(clinic):
    clinic.consented()

    deliver(clinic, air(5, "calibrated"), air(0, "not-calibrated"), minutes=5)

    [metric] = metrics(clinic)
    assert states(clinic, metric) == ["calibrated"]


def test_a_kind_of_which_calibration_tells_nothing_makes_no_metric(clinic):
    clinic.consented()

    deliver(
        clinic,
        heart(0, calibration="calibrated"),
        air(0, "guessed"),
        air(1, "calibrated", device=None),
        minutes=1,
    )

    assert metrics(clinic) == []


def test_a_metric_that_may_not_be_collected_is_not_stored(clinic):
    without(clinic, "DeviceMetric")

    receipt = deliver(clinic, air(0, "calibrated"), minutes=0)

    assert receipt.to_json()["stored"] == 1
    assert len(clinic.found(f"Device?patient={clinic.patient}")) == 1
    assert metrics(clinic) == []


def test_no_metric_is_stored_of_a_device_that_may_not_be_collected(clinic):
    without(clinic, "Device")

    deliver(clinic, air(0, "calibrated"), minutes=0)

    assert metrics(clinic) == []


def test_a_metric_is_seen_by_those_alone_who_see_its_device(clinic):
    made = clinic.consented()
    deliver(clinic, air(0, "calibrated"), minutes=0)
    before = metrics(clinic)

    clinic.world.update({**made, "status": "inactive"}, clinic.admin)

    assert len(before) == 1
    assert metrics(clinic) == []


def test_a_deleted_metric_stays_deleted(clinic):
    clinic.consented()
    deliver(clinic, air(0, "calibrated"), minutes=0)
    [metric] = metrics(clinic)
    path = f"/fhir/DeviceMetric/{metric['id']}"
    assert clinic.world.http.delete(path, headers=clinic.admin).status_code == 204

    deliver(clinic, air(1, "not-calibrated"), minutes=1)

    assert metrics(clinic) == []
