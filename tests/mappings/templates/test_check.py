import json
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mappings.templates.check import MAX_BYTES, check, read
from mappings.templates.faults import Fault, TemplateError
from mappings.templates.moment import _FORMATS
from mappings.templates.places import places
from mappings.vendors.table import VENDORS

IOMT = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "iomt-fhir"
FOREIGN = sorted(
    path for path in IOMT.glob("*.json") if "payload" not in path.name.lower()
)

HEART = {"kind": "heart-rate", "value": "h", "unit": "/min"}


def faults(template: object) -> list[tuple[str, str]]:
    return [
        (fault.pointer, fault.message) for fault in check(json.dumps(template).encode())
    ]


def test_a_template_without_faults_has_none(template):
    assert faults(template(HEART)) == []


def test_the_schema_is_one():
    schema = json.loads(
        (resources.files("mappings.templates") / "template.schema.json").read_text()
    )

    Draft202012Validator.check_schema(schema)

    formats = schema["$defs"]["time"]["properties"]["format"]["enum"]
    assert set(formats) == set(_FORMATS)


def test_several_faults_are_told_at_once_each_with_its_line_and_column():
    text = """{
  "format": "fhir-service-mapping/1",
  "name": "synthetic",
  "title": "A synthetic sensor",
  "measurements": [
    {"kind": "noise", "value": "n", "unit": "dB[SPL]", "time": {"format": "arrival"}},
    {"kind": "illuminance", "value": "lux ||", "unit": "lux"}
  ]
}"""

    assert check(text.encode()) == (
        Fault("/measurements/0/kind", "There is no kind `noise`.", 6, 6),
        Fault("/measurements/1", "illuminance has no `time`.", 7, 5),
        Fault(
            "/measurements/1/value",
            "At character 7: The expression is not JMESPath: it ends early.",
            7,
            29,
        ),
        Fault(
            "/measurements/1/unit",
            "`lux` is no unit of illuminance; these are: `lx`.",
            7,
            48,
        ),
    )
    assert str(check(text.encode())[0]) == (
        "line 6, column 6: /measurements/0/kind: There is no kind `noise`."
    )


def test_a_template_with_faults_is_not_read():
    with pytest.raises(TemplateError) as raised:
        read(b"[]")

    assert raised.value.faults == (Fault("", "This is not of type object.", 1, 1),)


def test_a_text_that_is_not_json_is_told_with_its_place():
    [fault] = check(b'{"format": }')

    assert fault.message.startswith("Malformed JSON at line 1, column 12")


def test_a_byte_order_mark_is_passed_over(template):
    assert check(b"\xef\xbb\xbf" + json.dumps(template(HEART)).encode()) == ()


def test_a_template_has_a_largest_size():
    [fault] = check(b" " * (MAX_BYTES + 1))

    assert fault.message == "A template has at most 262,144 bytes."


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"format": "other/1"},
            [("/format", "'fhir-service-mapping/1' was expected.")],
        ),
        (
            {"colour": 1},
            [
                (
                    "/colour",
                    (
                        "`colour` is not known here; there are device, format, id, "
                        "ignore, match, measurements, metadata, name, patient, "
                        "payload, registered, time, title, unlisted."
                    ),
                )
            ],
        ),
        ({"title": None}, [("/title", "This is not of type string.")]),
        (
            {"name": "zigbee2mqtt"},
            [("/name", "`zigbee2mqtt` is a source that is built in.")],
        ),
        (
            {"match": {"topic": "a/#/b"}},
            [("/match/topic", "`#` stands for the last levels of a topic.")],
        ),
        (
            {"match": {"topic": "a/b+"}},
            [("/match/topic", "`+` stands for a whole level of a topic.")],
        ),
        (
            {"payload": {"format": "text"}},
            [("/payload/format", "A bare text comes on a topic: `match.topic`.")],
        ),
        (
            {"payload": {"format": "csv"}, "match": {"topic": "a"}},
            [("/match/topic", "A message on a topic is no csv file.")],
        ),
        (
            {"payload": {"format": "json", "delimiter": ";"}},
            [("/payload", "Only CSV has a delimiter and columns.")],
        ),
        (
            {"registered": True, "patient": "p"},
            [
                ("", "A registered device needs an `identifier`."),
                (
                    "/patient",
                    "The patient of a registered device is that of its Device.",
                ),
            ],
        ),
        (
            {"device": {"identifier": {"topic": 1}}},
            [("/device/identifier", "The template matches no topic.")],
        ),
        (
            {"device": {"identifier": 3}},
            [
                (
                    "/device/identifier",
                    (
                        "One of these is needed: a JMESPath expression of at most 512 "
                        "characters; an object with one of `message`, `topic` and "
                        "`constant`."
                    ),
                )
            ],
        ),
        (
            {"ignore": {"a[*]": "x"}},
            [("/ignore/a[*]", "What is ignored is a plain path.")],
        ),
        (
            {"metadata": ["a || b"]},
            [("/metadata/0", "Metadata is a plain path.")],
        ),
    ],
)
def test_a_fault_of_the_template_is_told(template, more, expected):
    found = faults({**template(HEART), **more})

    assert [
        (pointer if pointer != "/device" else "", message) for pointer, message in found
    ] == expected


@pytest.mark.parametrize(
    ("measurement", "expected"),
    [
        (
            {"kind": "heart-rate", "unit": "/min"},
            [("", "One of these is needed: a `value`; `components`; `stages`.")],
        ),
        ({"value": "h"}, [("", "`kind` is missing.")]),
        (
            {"kind": "heart-rate", "value": "h"},
            [("", "heart-rate needs a unit: `/h`, `/min`, `/s`, `Hz`.")],
        ),
        (
            {**HEART, "scale": "0/5"},
            [("/scale", "A scale is a fraction above zero.")],
        ),
        ({**HEART, "scale": 0.1}, [("/scale", "This is not of type string.")]),
        (
            {**HEART, "scale": "1/0"},
            [("/scale", "A scale is a fraction above zero.")],
        ),
        ({**HEART, "values": {"a": "b"}}, [("/values", "heart-rate is a number.")]),
        (
            {**HEART, "absent": {"0": "gone"}},
            [("/absent/0", "`gone` is no code of data-absent-reason.")],
        ),
        (
            {
                "kind": "body-mass-index",
                "value": "b",
                "unit": "kg/m2",
                "absent": {"0": "error"},
            },
            [("/absent", "A body-mass-index without a value is not recorded.")],
        ),
        (
            {
                "kind": "heart-rate",
                "value": "h",
                "unit": {"from": "u", "words": {"bpm": "bpm"}},
            },
            [
                (
                    "/unit/words/bpm",
                    (
                        "`bpm` is no unit of heart-rate; these are: `/h`, `/min`, "
                        "`/s`, `Hz`."
                    ),
                )
            ],
        ),
        (
            {"kind": "contact", "value": "c", "unit": "%"},
            [("/unit", "contact is a code.")],
        ),
        (
            {"kind": "contact", "value": "c", "values": {"1": "shut"}},
            [("/values/1", "`shut` is no value of contact; these are: open, closed.")],
        ),
        (
            {"kind": "battery-low", "value": "c", "values": {"1": "yes"}},
            [
                (
                    "/values/1",
                    "`yes` is no value of battery-low; these are: true, false.",
                )
            ],
        ),
        (
            {"kind": "noise-level-series", "value": "n"},
            [
                (
                    "",
                    (
                        "noise-level-series is a signal and needs `signal`, its "
                        "`period`."
                    ),
                ),
                ("", "noise-level-series is in `dB[SPL]` alone; use `scale`."),
            ],
        ),
        (
            {"kind": "steps", "value": "s", "unit": "{steps}"},
            [
                (
                    "",
                    (
                        "steps needs an interval: `start` and `end`, a `duration`, or "
                        "a `day`."
                    ),
                )
            ],
        ),
        (
            {"kind": "blood-pressure", "value": "b"},
            [
                (
                    "/value",
                    "blood-pressure has components and no value of its own.",
                )
            ],
        ),
        (
            {
                "kind": "heart-rate",
                "components": [{"kind": "steps", "value": "s", "unit": "{steps}"}],
            },
            [
                ("", "heart-rate needs a value."),
                ("/components/0/kind", "steps is no part of heart-rate."),
            ],
        ),
        (
            {"kind": "blood-pressure", "components": [{"kind": "x", "value": "s"}]},
            [
                ("", "blood-pressure needs a value."),
                ("/components/0/kind", "There is no kind `x`."),
            ],
        ),
        (
            {**HEART, "time": {"format": "iso"}},
            [
                (
                    "/time",
                    (
                        "One of these is needed: an instant: `at` and a `format`; the "
                        "time of arrival: `format` `arrival` alone; an interval: "
                        "`start` and `end` and a `format`; an interval: `start`, "
                        "`duration`, `duration_unit` and a `format`; an interval: "
                        "`end`, `duration`, `duration_unit` and a `format`; a day: "
                        "`day`, and a `zone` where it is not that of the request."
                    ),
                )
            ],
        ),
        (
            {**HEART, "device": {"model": "m", "specialization": "toaster"}},
            [
                (
                    "/device/specialization",
                    (
                        "A device is one of these: oximeter, electrocardiograph, "
                        "blood-pressure, thermometer, respiration, scale, glucose, "
                        "body-composition, continuous-glucose, cardiovascular-fitness, "
                        "activity-hub, step-counter, fall, motion, contact, usage, "
                        "temperature, heart-rate."
                    ),
                )
            ],
        ),
    ],
)
def test_a_fault_of_a_measurement_is_told(template, measurement, expected):
    found = faults(template(measurement))

    assert [
        (pointer.removeprefix("/measurements/0"), message) for pointer, message in found
    ] == expected


def test_a_built_in_source_is_never_the_name_of_a_template(template):
    for name in VENDORS:
        assert faults({**template(HEART), "name": name}) == [
            ("/name", f"`{name}` is a source that is built in.")
        ]


@pytest.mark.skipif(not FOREIGN, reason="the payload folder is not here")
@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_a_template_of_iomt_fhir_is_refused_as_another_format(path):
    kind = json.loads(path.read_text(encoding="utf-8-sig"))["templateType"]

    [fault] = check(path.read_bytes())

    assert (fault.pointer, fault.line, fault.column) == ("/templateType", 2, 3)
    assert fault.message == (
        f"This is a template of microsoft/iomt-fhir ({kind}), which is another format: "
        "its expressions are JSONPath and it names codes and units by itself. Write a "
        "template with `format` `fhir-service-mapping/1`; docs/templates.md has one "
        "for its messages."
    )


def test_every_template_of_iomt_fhir_is_looked_at():
    if not IOMT.exists():
        pytest.skip("the payload folder is not here")

    assert len(FOREIGN) == 17


def test_each_value_of_a_text_has_its_place():
    text = '{"a": [1, {"b/c": "}"}],\n "d": {}, "e~": null}'

    assert places(text) == {
        "": (1, 1),
        "/a": (1, 2),
        "/a/0": (1, 8),
        "/a/1": (1, 11),
        "/a/1/b~1c": (1, 12),
        "/d": (2, 2),
        "/e~0": (2, 11),
    }
