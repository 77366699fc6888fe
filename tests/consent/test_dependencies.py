from datetime import UTC

from consent.dependencies import dependencies
from consent.provisions import read
from consent.references import Deployment

PLACE = Deployment(zone=UTC)


def consent(provision):
    return read(
        {
            "resourceType": "Consent",
            "id": "c",
            "status": "active",
            "scope": {
                "coding": [
                    {
                        "system": (
                            "http://terminology.hl7.org/CodeSystem/consentscope"
                        ),
                        "code": "patient-privacy",
                    }
                ]
            },
            "patient": {"reference": "Patient/p"},
            "provision": provision,
        },
        deployment=PLACE,
    )


def data(meaning, reference):
    return [{"meaning": meaning, "reference": {"reference": reference}}]


def test_what_is_followed_and_which_devices_are_named_at_any_depth():
    deepest = {"type": "deny", "data": data("related", "List/l")}
    nested = {
        "type": "permit",
        "data": data("dependents", "Device/d"),
        "provision": [deepest],
    }

    found = dependencies(
        [
            consent({"type": "permit", "data": data("instance", "Observation/o")}),
            consent({"type": "deny", "provision": [nested]}),
            consent({"type": "permit", "data": data("related", "DeviceMetric/m")}),
        ]
    )

    assert found.followed == {"List/l", "DeviceMetric/m"}
    assert found.devices == {"Device/d", "DeviceMetric/m"}


def test_a_consent_that_cannot_be_read_names_nothing():
    found = dependencies([consent({"type": "PERMIT", "data": data("related", "A/b")})])

    assert (found.followed, found.devices) == (frozenset(), frozenset())
