"""Where a source says which version is newer, that decides, and not what came later."""

from types import MappingProxyType

import pytest
from sqlalchemy import select

from fhir_service.ingest.retry import retry
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import source_key, source_whole
from mappings.vendors.health_connect import parse
from mappings.vendors.health_connect.records import MASS, QUANTITIES

OLD, MIDDLE, NEW = (f"2026-11-19T{hour}:00:00Z" for hour in (10, 11, 12))


@pytest.fixture
def phone(either):
    """Return what sends records of Health Connect for a patient who has consented."""
    either.consented()
    headers = either.world.client(
        "phone",
        "system/Observation.c",
        organization=either.organization,
        sources=("health-connect",),
    )

    def post(payload):
        query = f"?patient={either.patient}"
        return either.world.deliver("health-connect", payload, headers, query)

    def send(*records):
        return post({"records": list(records)})

    send.clinic, send.post = either, post
    return send


def weight(kilograms, modified=None, **metadata):
    told = {} if modified is None else {"lastModifiedTime": modified}
    return {
        "recordType": "Weight",
        "time": "2026-11-19T08:00:00Z",
        "weight": {"inKilograms": kilograms},
        "metadata": {"id": "w", **told, **metadata},
    }


def beats(modified, **rates):
    """Return a record of heart rates; `at_5=60` is one of 08:05."""
    told = {} if modified is None else {"lastModifiedTime": modified}
    return {
        "recordType": "HeartRate",
        "startTime": "2026-11-19T08:00:00Z",
        "endTime": "2026-11-19T09:00:00Z",
        "samples": [
            {
                "time": f"2026-11-19T08:{int(name[3:]):02}:00Z",
                "beatsPerMinute": rate,
            }
            for name, rate in rates.items()
        ],
        "metadata": {"id": "h", **told},
    }


def found(phone):
    resources = phone.clinic.found(f"Observation?patient={phone.clinic.patient}")
    return sorted(
        (one["valueQuantity"]["value"], one["status"], one["meta"]["versionId"])
        for one in resources
    )


def reasons(receipt):
    return [
        (one["outcome"], one.get("reason"), one["count"]) for one in receipt["kinds"]
    ]


def test_an_older_version_that_arrives_late_does_not_overwrite(phone):
    phone(weight(71, NEW))

    receipt = phone(weight(70, OLD))

    assert reasons(receipt) == [("duplicate", "older-version", 1)]
    assert receipt["changed"] is False
    assert found(phone) == [(71, "final", "1")]


def test_a_newer_version_amends(phone):
    phone(weight(70, OLD))

    receipt = phone(weight(71, NEW))

    assert reasons(receipt) == [("amended", None, 1)]
    assert found(phone) == [(71, "amended", "2")]


def test_a_newer_version_may_take_a_value_back(phone):
    for value, modified in ((70, OLD), (71, MIDDLE), (70, NEW)):
        phone(weight(value, modified))

    again = phone(weight(71, MIDDLE))

    assert reasons(again) == [("duplicate", "older-version", 1)]
    assert found(phone) == [(70, "amended", "3")]


def test_values_that_come_and_go_are_all_versions(phone):
    for number, value in enumerate((70, 71, 70, 71), 1):
        phone(weight(value, clientRecordVersion=number))

    assert found(phone) == [(71, "amended", "4")]


def test_a_newer_version_that_says_the_same_is_remembered(phone):
    phone(weight(70, OLD))
    phone(weight(70, NEW))

    receipt = phone(weight(71, MIDDLE))

    assert reasons(receipt) == [("duplicate", "older-version", 1)]
    assert found(phone) == [(70, "final", "1")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (weight(70, OLD), weight(71, OLD)),
        (weight(70), weight(71, OLD)),
        (weight(70, NEW), weight(71)),
        (weight(70, NEW), weight(71, clientRecordVersion=9)),
    ],
    ids=["equal", "none before", "none now", "a time and a count"],
)
def test_of_versions_that_do_not_compare_the_later_to_come_counts(phone, first, second):
    phone(first)

    receipt = phone(second)

    assert receipt["amended"] == 1
    assert found(phone) == [(71, "amended", "2")]


def test_what_came_without_a_version_does_not_forget_the_newest(phone):
    phone(weight(70, NEW))
    phone(weight(71))

    receipt = phone(weight(72, OLD))

    assert receipt["duplicate"] == 1
    assert found(phone) == [(71, "amended", "2")]


def test_versions_of_one_payload_count_in_their_own_order(phone):
    receipt = phone(weight(71, NEW, id="a"), weight(70, OLD, id="a"))

    assert (receipt["stored"], receipt["amended"]) == (1, 1)
    assert found(phone) == [(71, "amended", "2")]


def test_a_part_that_is_tried_again_counts_where_it_is_newer(phone, monkeypatch):
    refused = {**weight(71, NEW), "weight": {"inStones": 11}}
    phone(refused)
    phone(weight(70, OLD))
    units = MappingProxyType({"inStones": "kg", **MASS})
    quantity = QUANTITIES["Weight"]._replace(units=units)
    monkeypatch.setattr(
        parse, "QUANTITIES", MappingProxyType({**QUANTITIES, "Weight": quantity})
    )

    account = retry(phone.clinic.world.deployment.services)

    assert account.resolved == 1
    assert found(phone) == [(11, "amended", "2")]


STONES = QUANTITIES["Weight"]._replace(
    units=MappingProxyType({"inStones": "kg", **MASS})
)


def stones(number):
    return {**weight(0), "weight": {"inStones": number}}


def tried(phone, monkeypatch):
    known = MappingProxyType({**QUANTITIES, "Weight": STONES})
    monkeypatch.setattr(parse, "QUANTITIES", known)
    phone.clinic.world.clock.pass_s(1)
    return retry(phone.clinic.world.deployment.services)


def test_of_deliveries_that_are_tried_again_the_later_counts(phone, monkeypatch):
    for number in (11, 12):
        phone(stones(number))
        phone.clinic.world.clock.pass_s(1)

    tried(phone, monkeypatch)

    assert found(phone) == [(12, "amended", "2")]


def test_of_one_delivery_that_is_tried_again_the_last_counts(phone, monkeypatch):
    phone(stones(11), stones(12))

    tried(phone, monkeypatch)

    assert found(phone) == [(12, "amended", "2")]


def test_what_is_tried_again_does_not_overrule_what_came_since(phone, monkeypatch):
    phone(stones(11))
    phone.clinic.world.clock.pass_s(1)
    phone(weight(70))

    tried(phone, monkeypatch)

    assert found(phone) == [(70, "final", "1")]


def test_what_a_client_has_written_since_stays(phone, monkeypatch):
    world = phone.clinic.world
    phone(weight(70))
    world.clock.pass_s(1)
    phone(stones(11))
    world.clock.pass_s(1)
    [stored] = phone.clinic.found(f"Observation?patient={phone.clinic.patient}")
    stored["valueQuantity"]["value"] = 69
    world.update(stored, phone.clinic.admin)

    tried(phone, monkeypatch)

    assert [value for value, *_ in found(phone)] == [69]


def test_a_sample_that_a_record_no_longer_has_is_deleted(phone):
    phone(beats(OLD, at_1=60, at_2=61, at_3=62))

    receipt = phone(beats(NEW, at_1=60, at_3=63))

    assert reasons(receipt) == [
        ("amended", None, 1),
        ("deleted", "not-in-record", 1),
        ("duplicate", None, 1),
    ]
    assert receipt["deleted"] == 1
    assert found(phone) == [(60, "final", "1"), (63, "amended", "2")]


def test_a_record_that_has_no_sample_any_more_has_none_here(phone):
    phone(beats(OLD, at_1=60, at_2=61))

    receipt = phone(beats(NEW))

    assert (receipt["deleted"], receipt["outOfScope"]) == (2, 1)
    assert found(phone) == []


def test_a_shorter_record_that_arrives_late_deletes_nothing(phone):
    phone(beats(OLD, at_1=60))
    phone(beats(NEW, at_1=60, at_2=61))

    receipt = phone(beats(OLD, at_1=60))

    assert receipt["changed"] is False
    assert len(found(phone)) == 2


def test_a_sample_that_only_an_older_record_has_is_not_stored(phone):
    phone(beats(NEW, at_1=60))

    receipt = phone(beats(OLD, at_1=60, at_2=61))

    assert reasons(receipt) == [
        ("duplicate", None, 1),
        ("duplicate", "older-version", 1),
    ]
    assert found(phone) == [(60, "final", "1")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (beats(None, at_1=60, at_2=61), beats(NEW, at_1=60)),
        (beats(OLD, at_1=60, at_2=61), beats(None, at_1=60)),
        (beats(OLD, at_1=60, at_2=61), beats(OLD, at_1=60)),
        (beats(OLD, at_1=60, at_2=61), beats(NEW, at_1=60, at_2=None)),
    ],
    ids=["none before", "none now", "equal", "one is not understood"],
)
def test_what_is_not_certain_to_be_gone_stays(phone, first, second):
    phone(first)

    receipt = phone(second)

    assert receipt["deleted"] == 0
    assert len(found(phone)) == 2


def test_a_sample_that_is_tried_again_takes_the_others_with_it_not(phone):
    phone(beats(OLD, at_1=60, at_2=61))
    phone(beats(NEW, at_1=60, at_2=None))

    retry(phone.clinic.world.deployment.services)

    assert len(found(phone)) == 2


def test_a_whole_record_replays_as_a_no_op(phone):
    records = [beats(OLD, at_1=60, at_2=61), beats(NEW, at_2=61)]
    for one in records:
        phone(one)

    receipts = [phone(one) for one in records]

    assert [one["changed"] for one in receipts] == [False, False]
    assert found(phone) == [(61, "final", "1")]


def test_a_clock_that_was_ahead_does_not_stop_what_comes_later(phone):
    phone(beats("2099-01-01T00:00:00Z", at_1=60))

    receipt = phone(beats(NEW, at_1=61, at_2=62))

    assert (receipt["amended"], receipt["stored"]) == (1, 1)
    assert [value for value, *_ in found(phone)] == [61, 62]


def test_a_record_of_a_clock_that_is_ahead_takes_nothing_back(phone):
    phone(beats(OLD, at_1=60, at_2=61))

    receipt = phone(beats("2099-01-01T00:00:00Z", at_1=60))

    assert receipt["deleted"] == 0
    assert len(found(phone)) == 2


def test_a_record_whose_name_begins_like_another_is_another(phone):
    other = beats(OLD, at_2=61)
    other["metadata"]["id"] = "h#x"
    phone(beats(OLD, at_1=60), other)

    receipt = phone(beats(NEW, at_1=60))

    assert receipt["deleted"] == 0
    assert len(found(phone)) == 2


def test_a_record_of_which_a_member_is_not_understood_is_not_whole(phone):
    phone(beats(OLD, at_1=60, at_2=61))
    more = {"moreSamples": [{"time": "2026-11-19T08:02:00Z", "beatsPerMinute": 61}]}

    receipt = phone(beats(NEW, at_1=60) | more)

    assert (receipt["deleted"], receipt["quarantined"]) == (0, 1)
    assert len(found(phone)) == 2


def test_changes_that_are_not_in_order_count_in_their_own(phone):
    newer, older = beats(NEW, at_1=60), beats(OLD, at_1=60, at_2=61)
    changes = {"upsertionChanges": [{"record": newer}, {"record": older}]}

    receipt = phone.post(changes)

    assert (receipt["received"], receipt["deleted"]) == (4, 1)
    assert found(phone) == [(60, "final", "1")]


def test_a_record_that_comes_in_two_parts_is_whole_with_both(phone):
    for modified in (OLD, NEW):
        receipt = phone(beats(modified, at_1=60, at_3=62), beats(modified, at_2=61))

    assert (receipt["duplicate"], receipt["deleted"]) == (3, 0)
    assert len(found(phone)) == 3


def test_of_what_is_withheld_no_version_is_kept(clinic):
    headers = clinic.world.client(
        "phone",
        "system/Observation.c",
        organization=clinic.organization,
        sources=("health-connect",),
    )

    receipt = clinic.world.deliver(
        "health-connect",
        {"records": [weight(70, OLD), beats(OLD, at_1=60)]},
        headers,
        f"?patient={clinic.patient}",
    )

    assert receipt["withheld"] == 2
    with clinic.world.deployment.database.read() as snapshot:
        for table in (source_key, source_whole):
            assert snapshot.all(Statement(select(table))) == []
