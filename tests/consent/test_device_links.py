import pytest

from consent.device_links import identities_in, parents_in, topology_of

BASES = ("https://fhir.example.org/r4",)


def to(reference):
    return {"reference": reference}


def test_a_metric_belongs_to_its_source_and_its_parent():
    metric = {
        "resourceType": "DeviceMetric",
        "source": to("https://fhir.example.org/r4/Device/ring"),
        "parent": to("Device/channel/_history/2"),
    }

    assert parents_in(metric, BASES) == {"Device/ring", "Device/channel"}


def test_a_device_belongs_to_its_parent_alone():
    device = {
        "resourceType": "Device",
        "parent": to("Device/hub"),
        "source": to("Device/else"),
        "patient": to("Patient/p"),
    }

    assert parents_in(device, BASES) == {"Device/hub"}


def test_other_resources_belong_to_no_device():
    assert parents_in({"resourceType": "Location", "parent": to("Device/x")}, ()) == (
        frozenset()
    )


@pytest.mark.parametrize(
    ("elements", "identities"),
    [
        (
            {"identifier": [{"system": "urn:s", "value": "1"}, {"value": "2"}]},
            {("identifier", "urn:s", "1")},
        ),
        ({"serialNumber": "7"}, set()),
        (
            {"serialNumber": "7", "manufacturer": "Ring Inc"},
            {("serial", "Ring Inc", "7")},
        ),
        ({"udiCarrier": [{"deviceIdentifier": "di"}]}, set()),
        (
            {"serialNumber": "7", "udiCarrier": [{"deviceIdentifier": "di"}]},
            {("udi", "di", "7")},
        ),
        ({"identifier": "1", "udiCarrier": ["x"], "serialNumber": 7}, set()),
    ],
)
def test_what_identifies_a_thing_is_told_with_who_gave_it(elements, identities):
    assert identities_in({"resourceType": "Device", **elements}) == identities


def test_devices_of_one_identifier_are_one_family():
    same = {"identifier": [{"system": "urn:s", "value": "1"}]}
    resources = [
        {"resourceType": "Device", "id": "old", **same},
        {"resourceType": "Device", "id": "new", **same},
        {"resourceType": "DeviceMetric", "id": "m", "source": to("Device/new")},
        {"resourceType": "Device", "id": "else"},
    ]

    found = topology_of(resources, BASES, {"Device/channel": ("DeviceMetric/m",)})

    assert found.family("Device/old") == {
        "Device/old",
        "Device/new",
        "DeviceMetric/m",
        "Device/channel",
    }
    assert found.family("Device/else") == {"Device/else"}
