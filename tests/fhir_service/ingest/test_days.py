"""Which days of a patient hold data, in which zone, and for whom."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from watch import EPOCH, WATCH, deliver, heart, measured
from worlds import (
    LOINC,
    START,
    actions,
    actor,
    codes,
    consent,
    observation,
    permit,
    purposes,
)

from consent.audit.entry import Interaction
from consent.part_2 import ATTESTED
from mappings.measurement import Component

SPAN = "start=2026-11-19&end=2026-11-21"
VIENNA = "zone=Europe/Vienna"


def asked(clinic, query=f"{SPAN}&{VIENNA}", headers=None, **more):
    answer = clinic.world.get(
        f"/device-data/days?patient={clinic.patient}&{query}",
        headers or clinic.ehr,
        **more,
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer


def days(clinic, query=f"{SPAN}&{VIENNA}", headers=None):
    """Return the days of a report by their date."""
    windows = asked(clinic, query, headers).json["windows"]
    return {day["date"]: day for window in windows for day in window["days"]}


def table(answer):
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def lasting(kind, value, unit, start, length, **more):
    """Return a reading of an interval, in minutes after noon on 2026-11-20."""
    end = START + timedelta(minutes=start + length)
    us = (end - EPOCH) // timedelta(microseconds=1)
    return measured(kind, value, unit, start, end=end.isoformat(), end_us=us, **more)


def written(clinic, coding):
    """Store an Observation of an EHR, on the 20th."""
    resource = observation(clinic.patient, effectiveDateTime="2026-11-20T10:00:00Z")
    clinic.world.create({**resource, "code": {"coding": [coding]}}, clinic.admin)


def with_zone(clinic, zone="Europe/Vienna"):
    """Let the Patient say the own zone."""
    [resource] = clinic.found(f"Patient?_id={clinic.patient}")
    resource["extension"] = [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/timezone",
            "valueCode": zone,
        }
    ]
    clinic.world.update(resource, clinic.admin)


def test_a_day_says_what_it_holds_by_kind_and_device(either):
    either.consented()
    deliver(either, heart(0), heart(30), heart(31, device=None), minutes=31)
    [device] = either.found(f"Device?patient={either.patient}")

    found = days(either)

    assert found["2026-11-20"] == {
        "date": "2026-11-20",
        "start": "2026-11-20T00:00:00+01:00",
        "end": "2026-11-21T00:00:00+01:00",
        "valid": False,
        "heartRateMinutes": 3,
        "stepHours": 0,
        "measurements": 3,
        "data": [
            {
                "kind": "heart-rate",
                "dataClass": "heart",
                "measurements": 1,
                "first": "2026-11-20T13:31:00+01:00",
                "last": "2026-11-20T13:31:00+01:00",
            },
            {
                "kind": "heart-rate",
                "dataClass": "heart",
                "device": f"Device/{device['id']}",
                "measurements": 2,
                "first": "2026-11-20T13:00:00+01:00",
                "last": "2026-11-20T13:30:00+01:00",
            },
        ],
    }
    assert [found[on]["data"] for on in ("2026-11-19", "2026-11-21")] == [[], []]


def test_a_report_says_its_zone_its_rule_and_its_windows(either):
    either.consented()
    deliver(either, heart(0), minutes=0)

    told = asked(either, f"start=2026-11-01&end=2026-12-05&{VIENNA}").json

    assert {name: value for name, value in told.items() if name != "windows"} == {
        "patient": f"Patient/{either.patient}",
        "zone": "Europe/Vienna",
        "start": "2026-11-01",
        "end": "2026-12-05",
        "validDay": {
            "heartRateMinutes": 600,
            "stepHours": 10,
            "basis": "The project's choice: minutes with a heart rate, or hours with "
            "steps, after ActiWearCheck (doi:10.2196/46149).",
        },
    }
    assert [
        {name: value for name, value in window.items() if name != "days"}
        for window in told["windows"]
    ] == [
        {
            "start": "2026-11-01",
            "end": "2026-11-30",
            "length": 30,
            "daysWithData": 1,
            "validDays": 0,
        },
        {
            "start": "2026-12-01",
            "end": "2026-12-05",
            "length": 5,
            "daysWithData": 0,
            "validDays": 0,
        },
    ]


def test_a_report_is_of_one_window_where_no_end_is_given(clinic):
    clinic.consented()

    told = asked(clinic, f"start=2026-11-01&{VIENNA}").json

    assert told["end"] == "2026-11-30"


@pytest.mark.parametrize(
    ("zone", "on"),
    [
        ("Europe/Vienna", "2026-11-20"),
        ("Pacific/Auckland", "2026-11-21"),
        ("America/Los_Angeles", "2026-11-19"),
    ],
)
def test_the_zone_decides_on_which_day_a_reading_is(either, zone, on):
    either.consented()
    at_7 = -5 * 60  # 07:00 UTC: 20:00 in Auckland, 23:00 the day before in Los Angeles
    shift = {"2026-11-21": 8 * 60}.get(on, 0)
    deliver(either, heart(at_7 + shift), minutes=10 * 60)

    found = days(either, f"{SPAN}&zone={zone}")

    assert [date for date, day in found.items() if day["measurements"]] == [on]


@pytest.mark.parametrize(
    ("on", "hours", "start", "end"),
    [
        ("2026-03-29", "23", "+01:00", "+02:00"),
        ("2026-10-25", "25", "+02:00", "+01:00"),
        ("2026-10-26", "24", "+01:00", "+01:00"),
    ],
)
def test_a_day_has_as_many_hours_as_its_zone_gives_it(clinic, on, hours, start, end):
    clinic.consented()
    query = f"start={on}&end={on}&{VIENNA}"

    [row] = table(asked(clinic, query, Accept="text/csv"))
    day = days(clinic, query)[on]

    assert row["hours"] == hours
    assert (day["start"][-6:], day["end"][-6:]) == (start, end)


def test_the_last_hour_of_a_long_day_is_of_that_day(clinic):
    clinic.consented()
    midnight = datetime(2026, 10, 25, 23, 0, tzinfo=UTC)  # in Vienna
    minutes = (midnight - START) // timedelta(minutes=1)
    deliver(clinic, heart(minutes - 1), heart(minutes), minutes=0)

    found = days(clinic, f"start=2026-10-24&end=2026-10-26&{VIENNA}")

    assert {on: day["measurements"] for on, day in found.items()} == {
        "2026-10-24": 0,
        "2026-10-25": 1,
        "2026-10-26": 1,
    }


def test_a_night_is_of_the_day_of_waking(either):
    either.consented()
    night = lasting(
        "sleep-session",
        None,
        "",
        -14 * 60,  # 22:00 UTC on the 19th
        8 * 60,
        components=(Component("sleep-duration", 420, "min"),),
    )
    deliver(either, night, minutes=0)

    found = days(either)

    assert [one["kind"] for one in found["2026-11-20"]["data"]] == [
        "sleep-duration",
        "sleep-session",
    ]
    assert found["2026-11-19"]["data"] == []


@pytest.mark.parametrize(("minutes", "is_valid"), [(599, False), (600, True)])
def test_ten_hours_of_heart_rate_make_a_day_valid(clinic, minutes, is_valid):
    clinic.consented()
    deliver(clinic, *(heart(n - 600) for n in range(minutes)), minutes=0)

    day = days(clinic)["2026-11-20"]

    assert (day["heartRateMinutes"], day["valid"]) == (minutes, is_valid)


def test_readings_within_one_minute_are_one_minute(clinic):
    clinic.consented()
    twice = [
        heart(n, source_id=f"{n}-{name}", device=device)
        for n in (0, 1)
        for name, device in (("watch", WATCH), ("none", None))
    ]
    deliver(clinic, *twice, minutes=1)

    assert days(clinic)["2026-11-20"]["heartRateMinutes"] == 2


def test_intervals_of_two_devices_are_not_added_up(either):
    either.consented()
    ring = WATCH._replace(identifier="r-1")
    deliver(
        either,
        lasting("heart-rate-mean", 60, "/min", -600, 300),
        lasting("heart-rate-mean", 61, "/min", -300, 200),
        lasting("heart-rate-mean", 62, "/min", -500, 400, device=ring),
        minutes=0,
    )

    assert days(either)["2026-11-20"]["heartRateMinutes"] == 500


def test_hours_with_steps_make_a_day_valid_and_zero_steps_do_not(either):
    either.consented()
    walked = [
        lasting("steps", 20, "{steps}", 60 * n - 600, 15, source_id=f"walked {n}")
        for n in range(9)
    ]
    still = [
        lasting("steps", 0, "{steps}", 60 * n - 30, 15, source_id=f"still {n}")
        for n in range(3)
    ]
    deliver(either, *walked, *still, minutes=180)
    before = days(either)["2026-11-20"]

    deliver(either, lasting("steps", 1, "{steps}", 120, 15), minutes=181)

    after = days(either)["2026-11-20"]
    assert (before["stepHours"], before["valid"]) == (9, False)
    assert (after["stepHours"], after["valid"]) == (10, True)


def test_a_withheld_class_does_not_show(either):
    either.consented(
        actor=actor(either.organization),
        purpose=purposes("TREAT"),
        provision=[
            {"type": "deny", "action": actions("access"), "code": codes("8867-4")}
        ],
    )
    deliver(
        either,
        *(heart(n) for n in range(30)),
        measured("glucose", 90, "mg/dL", 60),
        minutes=60,
    )

    day = days(either)["2026-11-20"]

    assert [one["kind"] for one in day["data"]] == ["glucose"]
    assert (day["measurements"], day["heartRateMinutes"]) == (1, 0)


def test_what_is_withheld_before_a_date_does_not_show(either):
    deliver_from = {"start": "2026-11-20T12:30:00Z"}
    either.consented()
    deliver(either, heart(0), heart(29), heart(31), minutes=31)
    [made] = either.found(f"Consent?patient={either.patient}")
    either.world.update(
        {**made, "provision": {**made["provision"], "dataPeriod": deliver_from}},
        either.admin,
    )

    day = days(either)["2026-11-20"]

    assert (day["measurements"], day["heartRateMinutes"]) == (1, 1)


def test_a_scope_of_a_category_shows_that_category_alone(either):
    either.consented()
    deliver(either, heart(0), measured("illuminance", 12, "lx", 5), minutes=5)
    category = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
    headers = either.world.client(
        "vitals",
        f"system/Observation.rs?category={category}",
        organization=either.organization,
    )

    day = days(either, headers=headers)["2026-11-20"]

    assert [one["kind"] for one in day["data"]] == ["heart-rate"]


def test_a_patient_without_consent_is_as_one_who_is_not_here(clinic):
    made = clinic.consented()
    deliver(clinic, heart(0), minutes=0)
    clinic.world.update({**made, "status": "inactive"}, clinic.admin)

    hidden = asked(clinic).json["windows"]
    path = f"/device-data/days?patient=nobody&{SPAN}&{VIENNA}"
    absent = clinic.world.get(path, clinic.ehr).json["windows"]

    assert hidden == absent
    assert {day["measurements"] for day in hidden[0]["days"]} == {0}


# Zone


def test_the_patients_own_zone_counts_where_none_is_asked_for(clinic):
    clinic.consented()
    with_zone(clinic, "Asia/Kolkata")

    assert asked(clinic, SPAN).json["zone"] == "Asia/Kolkata"
    assert asked(clinic, f"{SPAN}&zone=UTC").json["zone"] == "UTC"


def test_a_zone_is_never_guessed(clinic):
    clinic.consented()

    answer = clinic.world.get(
        f"/device-data/days?patient={clinic.patient}&{SPAN}", clinic.ehr
    )

    assert answer.status_code == 400
    told = answer.json["issue"][0]["diagnostics"]
    assert "zone=Area/City" in told
    assert "http://hl7.org/fhir/StructureDefinition/timezone" in told


def test_a_patients_zone_is_not_told_to_who_may_not_read_the_patient(clinic):
    clinic.consented()
    with_zone(clinic)
    headers = clinic.world.client(
        "narrow", "system/Observation.rs", organization=clinic.organization
    )

    answer = clinic.world.get(
        f"/device-data/days?patient={clinic.patient}&{SPAN}", headers
    )

    assert answer.status_code == 400


# What is refused


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (f"{VIENNA}", 422, "required"),
        (f"start=2026-11&{VIENNA}", 400, "invalid"),
        (f"start=20261101&{VIENNA}", 400, "invalid"),
        (f"start=1200-01-01&{VIENNA}", 400, "invalid"),
        (f"start=2026-11-02&end=2026-11-01&{VIENNA}", 400, "invalid"),
        (f"start=2026-01-01&end=2027-01-02&{VIENNA}", 400, "too-costly"),
        (f"start=2026-11-01&start=2026-11-02&{VIENNA}", 400, "invalid"),
        (f"start=2026-11-01&days=3&{VIENNA}", 400, "invalid"),
        ("start=2026-11-01&zone=Vienna/Europe", 400, "invalid"),
        ("start=2026-11-01&zone=../../etc/passwd", 400, "invalid"),
    ],
)
def test_what_cannot_be_read_is_refused(clinic, query, status, code):
    answer = clinic.world.get(
        f"/device-data/days?patient={clinic.patient}&{query}", clinic.ehr
    )

    assert answer.json["issue"][0]["code"] == code
    assert answer.status_code == status


def test_the_scope_of_searching_observations_is_needed(clinic):
    headers = clinic.world.client("other", "system/Device.rs system/Patient.rs")

    answer = clinic.world.get(
        f"/device-data/days?patient={clinic.patient}&{SPAN}&{VIENNA}", headers
    )

    assert answer.status_code == 403


# Tables


def test_a_table_has_a_row_for_each_day_kind_and_device(clinic):
    clinic.consented()
    deliver(clinic, heart(0, device=None), heart(30, device=None), minutes=30)

    answer = asked(clinic, Accept="text/csv")

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    heads = "date window hours valid heart_rate_minutes step_hours kind data_class "
    heads += "device measurements first last"
    empty = "1,24,no,0,0,,,,0,,"
    held = "1,24,no,2,0,heart-rate,heart,,2"
    first, last = "2026-11-20T13:00:00+01:00", "2026-11-20T13:30:00+01:00"
    assert answer.get_data(as_text=True).split("\r\n") == [
        heads.replace(" ", ","),
        f"2026-11-19,{empty}",
        f"2026-11-20,{held},{first},{last}",
        f"2026-11-21,{empty}",
        "",
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_cell_of_a_table_is_no_formula(clinic, start):
    clinic.consented()
    formula = f"{start}cmd"
    written(clinic, {"system": f"{formula}:x", "code": "y"})

    cells = [
        cell for row in table(asked(clinic, Accept="text/csv")) for cell in row.values()
    ]

    assert f"'{formula}:x|y" in cells
    assert [cell for cell in cells if cell.startswith(start)] == []


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/csv", "text/csv"),
        ("text/csv, application/json;q=0.5", "text/csv"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("*/*", "application/json"),
        ("text/csv;q=0, */*", "application/json"),
    ],
)
def test_the_request_chooses_the_format(clinic, accept, content_type):
    clinic.consented()

    answer = asked(clinic, Accept=accept)

    assert answer.headers["Content-Type"].partition(";")[0] == content_type


def test_a_format_in_the_query_counts_before_the_header(clinic):
    clinic.consented()

    answer = asked(
        clinic, f"{SPAN}&{VIENNA}&_format=text/csv&_pretty=true", Accept="*/*"
    )

    assert answer.headers["Content-Type"].startswith("text/csv")


def test_no_other_path_writes_tables(clinic):
    answer = clinic.world.get("/fhir/Patient", clinic.ehr, Accept="text/csv")

    assert answer.status_code == 406


def test_a_report_is_audited_as_a_read_of_the_patients_observations(clinic):
    clinic.consented()
    deliver(clinic, heart(0), minutes=0)

    asked(clinic)

    [row] = [
        one
        for one in clinic.world.audited()
        if "/device-data/days" in (one.request or "")
    ]
    services = clinic.world.deployment.services
    assert row.interaction is Interaction.READ
    assert row.resource_type == "Observation"
    assert row.patients == (services.pseudonym(clinic.patient),)
    assert row.basis


def test_what_an_ehr_has_written_is_named_by_its_code(clinic):
    clinic.consented()
    written(clinic, {"system": LOINC, "code": "103208-5"})
    written(clinic, {"system": "urn:example:codes", "code": "mood"})

    found = days(clinic)["2026-11-20"]["data"]

    assert [(one["kind"], one.get("dataClass")) for one in found] == [
        ("distance", "activity"),
        ("urn:example:codes|mood", None),
    ]


# Records of a Part 2 program


def as_program(clinic):
    """Make the clinic a Part 2 program, with a consent that has all of 42 CFR 2.31."""
    act_code = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    clinic.world.update(
        {
            "resourceType": "Organization",
            "id": clinic.organization.removeprefix("Organization/"),
            "name": "Clinic",
            "meta": {"tag": [{"system": act_code, "code": "42CFRPart2"}]},
        },
        clinic.admin,
    )
    provision = permit(
        actor=actor(clinic.organization),
        purpose=purposes("TREAT"),
        code=codes("8867-4"),
    )
    resource = consent(
        clinic.patient,
        provision,
        performer=[{"reference": f"Patient/{clinic.patient}"}],
        organization=[{"reference": clinic.organization}],
        sourceAttachment={"url": "https://clinic.example/scan/1"},
        policy=[{"uri": ATTESTED}],
    )
    return clinic.world.create(resource, clinic.admin)["id"]


def test_the_scope_of_a_consent_goes_with_what_a_program_has_recorded(clinic):
    consent_id = as_program(clinic)
    deliver(clinic, heart(0, device=None), minutes=0)

    told, counted = asked(clinic), asked(clinic, Accept="text/csv")

    [notice] = told.json["notices"]
    assert f"Consent/{consent_id}/_history/1" in notice
    assert told.headers["Part-2-Consent"] == counted.headers["Part-2-Consent"] == notice


def test_no_scope_goes_with_days_that_hold_nothing(clinic):
    as_program(clinic)
    deliver(clinic, heart(0, device=None), minutes=0)

    answer = asked(clinic, f"start=2026-01-01&{VIENNA}")

    assert "notices" not in answer.json
    assert "Part-2-Consent" not in answer.headers
