import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.device import (
    SPECIALIZATIONS,
    clues_of,
    device_resource,
    is_device,
    other_clues,
    service_resource,
    stable_text,
    unit_identity,
    with_versions,
)
from mappings.kinds import Coding
from mappings.measurement import DeviceClue

WATCH = DeviceClue(
    manufacturer="Apple Inc.",
    model="Watch",
    name="Apple Watch",
    hardware="Watch6,7",
    software="8.3",
)
SENSOR = DeviceClue(
    identifier="0x00158d0001abcdef",
    system="https://fhir-interop-service.org/fhir/sid/ieee-address",
    manufacturer="Aqara",
    model="WSDCGQ11LM",
)
META = {"id": "0abcdefghjkmn", "version": "1", "last_updated": "2026-01-06T08:00:00Z"}


def test_sources_without_a_device_are_told_apart_by_their_name():
    identities = {
        unit_identity("apple-health", DeviceClue(source=name))
        for name in ("AppA", "AppB", "appa", None)
    }

    assert len(identities) == 3


def test_the_identity_of_a_described_device_holds_no_source():
    assert unit_identity("apple-health", WATCH) == (
        "description\x1fapple-health\x1fapple inc.\x1fwatch\x1fapple watch\x1fwatch6,7"
    )


def test_a_name_of_a_source_is_no_device_and_in_no_resource():
    clue = DeviceClue(source="Jane Roe's Diary")

    device = device_resource(clue, patient="Patient/1", **META)

    assert not is_device(clue)
    assert is_device(clue._replace(software="1"))
    assert "Jane" not in repr(device)


def test_a_watch(faults):
    device = device_resource(WATCH, patient="Patient/1", **META)

    assert faults(device) == []
    mdc = "urn:iso:std:iso:11073:10101"
    assert device == {
        "resourceType": "Device",
        "id": "0abcdefghjkmn",
        "meta": {"versionId": "1", "lastUpdated": "2026-01-06T08:00:00Z"},
        "status": "active",
        "manufacturer": "Apple Inc.",
        "deviceName": [{"name": "Apple Watch", "type": "manufacturer-name"}],
        "modelNumber": "Watch",
        "type": {
            "coding": [
                {"system": mdc, "code": "65573", "display": "MDC_MOC_VMS_MDS_SIMP"}
            ]
        },
        "version": [
            {
                "type": {
                    "coding": [
                        {
                            "system": mdc,
                            "code": "531974",
                            "display": "MDC_ID_PROD_SPEC_HW",
                        }
                    ],
                    "text": "Hardware revision",
                },
                "value": "Watch6,7",
            },
            {
                "type": {
                    "coding": [
                        {
                            "system": mdc,
                            "code": "531975",
                            "display": "MDC_ID_PROD_SPEC_SW",
                        }
                    ],
                    "text": "Software revision",
                },
                "value": "8.3",
            },
        ],
        "patient": {"reference": "Patient/1"},
    }


def test_a_sensor_in_a_room(faults):
    device = device_resource(
        SENSOR,
        patient="Patient/1",
        identifiers=[("urn:example:registration", "17")],
        specializations=["temperature", "motion"],
        location="Location/1",
        owner="Organization/1",
        security=[Coding("urn:example", "R", "restricted")],
        **META,
    )

    assert faults(device) == []
    assert device["identifier"] == [
        {"system": SENSOR.system, "value": "0x00158d0001abcdef"},
        {"system": "urn:example:registration", "value": "17"},
    ]
    assert [
        one["systemType"]["coding"][0]["code"] for one in device["specialization"]
    ] == ["528514", "528507"]
    assert device["location"] == {"reference": "Location/1"}
    assert device["owner"] == {"reference": "Organization/1"}


@pytest.mark.parametrize("name", SPECIALIZATIONS)
def test_every_specialization_is_valid(name, faults):
    device = device_resource(DeviceClue(), patient=None, specializations=[name], **META)

    assert faults(device) == []


def test_a_device_of_which_nothing_is_known_is_valid(faults):
    device = device_resource(DeviceClue(), patient="Patient/1", **META)

    assert faults(device) == []
    assert list(device) == ["resourceType", "id", "meta", "status", "type", "patient"]


def test_an_identifier_without_system_is_not_published():
    clue = DeviceClue(identifier="account-17")

    assert "identifier" not in device_resource(clue, patient=None, **META)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("  ", None),
        ("\x00\x1f", None),
        ("Apple  Watch\n", "Apple Watch"),
        ("Watch <HKDevice: 0x28ab3f0> of Apple", "Watch of Apple"),
        ("0x00158d0001abcdef", "0x00158d0001abcdef"),
        ("x" * 1000, "x" * 256),
    ],
)
def test_what_changes_from_reading_to_reading_is_not_kept(text, expected):
    assert stable_text(text) == expected


@given(
    texts=st.lists(st.none() | st.text(), min_size=6, max_size=6),
    system=st.sampled_from([None, "urn:example"]),
)
def test_whatever_a_source_says_of_its_device_is_valid(faults, texts, system):
    identifier, manufacturer, model, name, hardware, software = texts
    clue = DeviceClue(identifier, system, manufacturer, model, name, hardware, software)

    assert faults(device_resource(clue, patient="Patient/1", **META)) == []


def test_a_unit_is_recognised_after_an_update_of_its_software():
    updated = WATCH._replace(software="9.0")

    assert unit_identity("apple-health", WATCH) == unit_identity(
        "apple-health", updated
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"manufacturer": "Other"},
        {"model": "Phone"},
        {"name": "Phone"},
        {"hardware": "Watch6,8"},
        {"identifier": "1"},
    ],
)
def test_another_unit_has_another_identity(changes):
    other = WATCH._replace(**changes)

    assert unit_identity("apple-health", WATCH) != unit_identity("apple-health", other)


def test_an_address_is_the_same_unit_through_every_source():
    renamed = SENSOR._replace(model="other", identifier="0x00158D0001ABCDEF")

    assert unit_identity("zigbee2mqtt", SENSOR) == unit_identity("hub", renamed)


def test_an_identifier_of_one_source_is_not_that_of_another():
    clue = DeviceClue(identifier="17")

    assert unit_identity("a", clue) != unit_identity("b", clue)
    assert unit_identity("a", WATCH) != unit_identity("b", WATCH)


def test_the_service_is_a_device_too(faults):
    device = service_resource(software="0.1.0", mappings="ab" * 32, **META)

    assert faults(device) == []
    assert [one["value"] for one in device["version"]] == ["0.1.0", "ab" * 32]


UDI = "(01)00844588003288(17)141120(10)7654321D(21)10987654d321"
UDI_OF_A_MODEL = "(01)00844588003288(10)7654321D"


def same_unit(one, other):
    """Whether two sources that tell these mean one unit."""
    return unit_identity("one", one) == unit_identity("two", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DeviceClue(udi=UDI), DeviceClue(udi=UDI, model="M", serial="7")),
        (
            DeviceClue(manufacturer="Maker", serial="S-1", model="M"),
            DeviceClue(manufacturer="MAKER", serial="s-1", software="2"),
        ),
        (DeviceClue(udi="+B066000325011NS1/SXYZ4567"),) * 2,
        (DeviceClue(udi="=/A9999XYZ100T0474=,000025"),) * 2,
    ],
)
def test_a_serial_number_is_the_same_unit_through_every_source(one, other):
    assert same_unit(one, other)


@pytest.mark.parametrize(
    "clue",
    [
        DeviceClue(udi=UDI_OF_A_MODEL),
        DeviceClue(udi="+B066000325011NS1/$LOT"),
        DeviceClue(serial="S-1", model="M"),
        DeviceClue(manufacturer="Maker", serial="000000"),
        DeviceClue(manufacturer="Maker", serial="N/A"),
        DeviceClue(manufacturer="Maker", serial=" unknown "),
    ],
)
def test_what_names_a_model_alone_is_no_unit_for_another_source(clue):
    assert not same_unit(clue, clue)


def test_a_serial_number_of_another_maker_is_another_unit():
    assert not same_unit(
        DeviceClue(manufacturer="A", serial="S-1"),
        DeviceClue(manufacturer="B", serial="S-1"),
    )


def test_a_device_tells_its_unit_by_everything_that_any_source_knows():
    clue = SENSOR._replace(serial="S-1", udi=UDI)

    found = list(clues_of(device_resource(clue, patient="Patient/1", **META)))

    assert found == [
        DeviceClue(identifier=SENSOR.identifier, system=SENSOR.system),
        DeviceClue(udi=UDI),
        DeviceClue(manufacturer="Aqara", serial="S-1"),
    ]


def test_a_clue_leads_to_the_same_unit_by_its_other_marks():
    clue = SENSOR._replace(serial="S-1", udi=UDI)

    assert other_clues(clue) == (
        DeviceClue(udi=UDI),
        DeviceClue(manufacturer="Aqara", serial="S-1"),
    )


def test_a_clue_without_other_marks_leads_nowhere_else():
    assert other_clues(SENSOR) == ()
    assert other_clues(DeviceClue(udi=UDI)) == ()
    assert other_clues(WATCH) == ()


def versions_in(device):
    return [
        (one["type"].get("coding", [{}])[0].get("code"), one["value"])
        for one in device["version"]
    ]


def test_new_versions_take_the_place_of_the_old_ones(faults):
    device = device_resource(WATCH, patient="Patient/1", **META)
    device["version"].append({"type": {"text": "Book"}, "value": "first"})

    changed = with_versions(device, DeviceClue(software="9.0", firmware="F1"))

    assert faults(changed) == []
    assert versions_in(changed) == [
        ("531974", "Watch6,7"),
        ("531975", "9.0"),
        (None, "first"),
        ("531976", "F1"),
    ]
    assert {**changed, "version": 0} == {**device, "version": 0}


@pytest.mark.parametrize(
    "clue", [DeviceClue(), DeviceClue(software="8.3"), DeviceClue(firmware=" ")]
)
def test_known_versions_change_nothing(clue):
    device = device_resource(WATCH, patient="Patient/1", **META)

    assert with_versions(device, clue) is None
