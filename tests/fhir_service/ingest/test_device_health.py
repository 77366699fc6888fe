"""What is known of a device's health, and what it adds up to."""

from dataclasses import replace

import pytest
from watch import MINUTE_US, NOW, at, battery, deliver, heart, measured
from worlds import actions, actor, classes, purposes

from fhir_service.auth import local
from fhir_service.ingest.device_health import (
    DAY_US,
    Evidence,
    Fact,
    FactName,
    count,
    facts,
)
from fhir_service.storage import device_states
from fhir_service.storage.device_states import Aspect, DeviceState

HOUR_US = 60 * MINUTE_US


def state(**more):
    """Return the state of a device that was heard a minute ago."""
    defaults = {
        "patient_key": 1,
        "row": 2,
        "source": "x",
        "last_taken": NOW - MINUTE_US,
        "last_received": NOW - MINUTE_US,
    }
    return DeviceState(**{**defaults, **more})


def names(*found):
    return [fact.name for fact in found]


# Facts


def test_nothing_is_said_of_a_device_that_is_well():
    well = state(
        battery=Aspect(80, NOW, None),
        low=Aspect(0, NOW, None),
        worn=Aspect(1, NOW, None),
        clock=Aspect(0, NOW, None),
    )

    assert facts(well, NOW) == ()


@pytest.mark.parametrize(
    ("gap_us", "silence_us", "is_silent"),
    [
        (None, DAY_US, False),
        (None, DAY_US + 1, True),
        (MINUTE_US, DAY_US, False),
        (MINUTE_US, DAY_US + 1, True),
        (7 * DAY_US, 21 * DAY_US, False),
        (7 * DAY_US, 21 * DAY_US + 1, True),
    ],
)
def test_a_device_is_silent_after_three_of_its_gaps_but_never_within_a_day(
    gap_us, silence_us, is_silent
):
    one = state(usual_gap=gap_us, last_taken=NOW - silence_us, last_received=NOW)

    assert (FactName.SILENT in names(*facts(one, NOW))) is is_silent


def test_silence_says_since_when_and_what_it_rests_on():
    one = state(
        last_taken=NOW - 3 * DAY_US,
        last_received=NOW - 2 * DAY_US,
        usual_gap=HOUR_US,
    )

    assert facts(one, NOW) == (
        Fact(
            FactName.SILENT,
            NOW - 3 * DAY_US,
            (
                Evidence("last-reading", NOW - 3 * DAY_US),
                Evidence("last-delivery", NOW - 2 * DAY_US),
                Evidence("usual-gap", None, 3600, "s"),
            ),
        ),
    )


def test_a_low_battery_says_since_when_and_what_it_rests_on():
    one = state(
        battery=Aspect(12, NOW - HOUR_US, NOW - DAY_US),
        low=Aspect(1, NOW - MINUTE_US, NOW - 2 * DAY_US),
    )

    assert facts(one, NOW) == (
        Fact(
            FactName.BATTERY_LOW,
            NOW - 2 * DAY_US,
            (
                Evidence("battery", NOW - HOUR_US, 12, "%"),
                Evidence("battery-low", NOW - MINUTE_US),
            ),
        ),
    )


def test_a_battery_is_not_called_low_long_after_it_was_last_told():
    one = state(battery=Aspect(3, NOW - 9 * DAY_US, NOW - 9 * DAY_US))

    assert facts(one, NOW) == ()


def test_a_device_that_fell_silent_with_a_low_battery_tells_both():
    one = state(
        last_taken=NOW - 9 * DAY_US,
        last_received=NOW - 9 * DAY_US,
        battery=Aspect(3, NOW - 9 * DAY_US - HOUR_US, NOW - 9 * DAY_US - HOUR_US),
    )

    assert names(*facts(one, NOW)) == [FactName.SILENT, FactName.BATTERY_LOW]


def test_a_device_that_lies_on_the_table_is_not_worn():
    one = state(worn=Aspect(0, NOW - MINUTE_US, NOW - 8 * HOUR_US))

    assert facts(one, NOW) == (
        Fact(
            FactName.NOT_WORN,
            NOW - 8 * HOUR_US,
            (Evidence("not-worn", NOW - MINUTE_US),),
        ),
    )


def test_a_wrong_clock_says_by_how_much():
    one = state(clock=Aspect(-2 * HOUR_US, NOW - MINUTE_US, NOW - DAY_US))

    assert facts(one, NOW) == (
        Fact(
            FactName.CLOCK_WRONG,
            NOW - DAY_US,
            (Evidence("clock-ahead", NOW - MINUTE_US, -7200, "s"),),
        ),
    )


def test_a_wrong_clock_alone_makes_no_device_silent():
    one = state(
        last_taken=NOW - 400 * DAY_US,
        last_received=NOW - MINUTE_US,
        clock=Aspect(-400 * DAY_US, NOW - MINUTE_US, NOW - DAY_US),
    )

    assert names(*facts(one, NOW)) == [FactName.CLOCK_WRONG]


def test_devices_are_counted_by_fact():
    silent = state(last_taken=NOW - 2 * DAY_US)
    flat = state(battery=Aspect(1, NOW, NOW))

    assert count([silent, flat, silent, state()], NOW) == {
        FactName.SILENT: 2,
        FactName.BATTERY_LOW: 1,
        FactName.NOT_WORN: 0,
        FactName.CLOCK_WRONG: 0,
    }


# What is kept


def known(clinic):
    """Return what is known of the only Device."""
    [found] = all_known(clinic)
    return found


def all_known(clinic):
    with clinic.world.deployment.database.read() as snapshot:
        return list(device_states.every(snapshot))


def test_a_first_delivery_says_when_its_device_was_heard(either):
    either.consented()

    deliver(either, heart(0), heart(2), battery(15, 1), minutes=30)

    found = known(either)
    assert found == DeviceState(
        patient_key=found.patient_key,
        row=found.row,
        source="test",
        last_taken=at(2),
        last_received=at(30),
        usual_gap=MINUTE_US,
        battery=Aspect(15, at(1), at(1)),
    )


def test_the_usual_gap_is_smoothed_over_deliveries(either):
    either.consented()

    deliver(either, heart(0), minutes=0)
    assert known(either).usual_gap is None
    deliver(either, heart(40), minutes=40)
    assert known(either).usual_gap == 40 * MINUTE_US
    deliver(either, heart(60), minutes=60)

    assert known(either).usual_gap == 35 * MINUTE_US


def test_what_comes_late_makes_nothing_older(either):
    either.consented()
    deliver(either, heart(100), battery(50, 100), minutes=100)

    deliver(either, heart(0), battery(10, 0), minutes=110)

    found = known(either)
    assert found.last_taken == at(100)
    assert found.last_received == at(110)
    assert found.usual_gap is None
    assert found.battery == Aspect(50, at(100), None)


def test_a_battery_is_low_since_it_first_was(either):
    either.consented()

    deliver(either, battery(15, 0), minutes=0)
    deliver(either, battery(12, 60), minutes=60)
    assert known(either).battery == Aspect(12, at(60), at(0))
    deliver(either, battery(100, 120), minutes=120)

    assert known(either).battery == Aspect(100, at(120), None)


def test_a_battery_that_was_charged_in_between_is_low_since_after_that(either):
    either.consented()
    deliver(either, battery(15, 0), minutes=0)

    deliver(
        either,
        battery(9, 90),
        battery(100, 30),
        battery(19, 60),
        battery(12, 10),
        minutes=90,
    )

    assert known(either).battery == Aspect(9, at(90), at(60))


def test_a_corrected_battery_is_the_corrected_one(either):
    either.consented()
    deliver(either, battery(15, 0), minutes=0)

    deliver(either, battery(95, 0), minutes=1)

    assert known(either).battery == Aspect(95, at(0), None)


def test_what_a_device_says_of_its_wearer_is_kept(either):
    either.consented()

    deliver(
        either,
        measured("device-worn", "false", "", 10),
        measured("device-worn", "false", "", 5),
        measured("battery-low", "true", "", 5),
        minutes=10,
    )

    found = known(either)
    assert found.worn == Aspect(0, at(10), at(5))
    assert found.low == Aspect(1, at(5), at(5))


def test_a_replay_changes_nothing(either):
    either.consented()
    deliver(either, heart(0), battery(15, 0), minutes=0)
    before = known(either)

    deliver(either, heart(0), battery(15, 0), minutes=60)

    assert known(either) == before


def test_readings_of_a_time_to_come_say_that_a_clock_is_wrong(either):
    either.consented()
    deliver(either, heart(0), minutes=0)

    receipt = deliver(either, heart(180), minutes=60)

    assert receipt.to_json()["quarantined"] == 1
    found = known(either)
    assert found.clock == Aspect(120 * MINUTE_US, at(60), at(60))
    assert (found.last_taken, found.last_received) == (at(0), at(60))
    assert names(*facts(found, at(61))) == [FactName.CLOCK_WRONG]


def test_the_total_of_a_day_that_is_not_over_says_nothing_of_a_clock(either):
    either.consented()
    deliver(either, heart(-60), minutes=0)
    today = measured(
        "steps", 10, "{steps}", 0, end="2026-11-21T00:00:00+00:00", end_us=at(720)
    )

    receipt = deliver(either, today, minutes=1)

    assert receipt.to_json()["quarantined"] == 1
    assert known(either).clock is None


def test_a_clock_is_right_again_once_readings_come_as_they_are_taken(either):
    either.consented()
    deliver(either, heart(0), minutes=0)
    deliver(either, heart(180), minutes=60)

    deliver(either, heart(90), minutes=91)

    assert known(either).clock == Aspect(0, at(91), None)


def test_the_offset_that_a_device_tells_itself_counts(either):
    either.consented()

    deliver(either, heart(0), measured("device-clock-offset", -900, "s", 0), minutes=0)

    assert known(either).clock == Aspect(-15 * MINUTE_US, at(0), at(0))


def test_one_device_of_two_patients_is_known_of_each_alone(either):
    either.consented()
    other = either.another_patient()
    either.consented(patient_id=other)
    deliver(either, battery(15, 0), minutes=0)

    deliver(either, battery(90, 5), minutes=5, patient_id=other)

    assert [one.battery.value for one in all_known(either)] == [15, 90]


def test_of_a_device_that_may_not_be_collected_nothing_is_kept(either):
    either.consented(
        actor=actor(either.organization),
        purpose=purposes("TREAT"),
        provision=[
            {
                "type": "deny",
                "action": actions("collect"),
                "class": classes("Device"),
            }
        ],
    )

    receipt = deliver(either, battery(15, 0), heart(180), minutes=0)

    assert receipt.to_json()["stored"] == 1
    assert all_known(either) == []


def test_a_stranger_tells_nothing_of_a_device_that_it_may_not_collect(either):
    either.consented()
    deliver(either, heart(0), minutes=0)
    before = known(either)

    other = replace(local.operator("Organization/b"), client_id="strange")
    deliver(either, heart(180), minutes=60, grant=other)

    assert known(either) == before


def test_the_metrics_say_of_how_many_devices_a_fact_holds(clinic):
    clinic.consented()
    deliver(clinic, battery(15, 0), minutes=0)

    page = clinic.world.http.get("/metrics").get_data(as_text=True)

    assert 'fhir_service_devices{fact="battery-low"} 1.0' in page
    assert 'fhir_service_devices{fact="silent"} 0.0' in page
    assert clinic.patient not in page
