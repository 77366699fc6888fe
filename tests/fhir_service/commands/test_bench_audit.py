"""The audit log that the bench makes is one that the service could have written."""

from itertools import pairwise
from random import Random

import pytest

from consent.audit.entry import AuditRecord, Interaction, Outcome, decode, encode
from fhir_service.bench import audit_fill, audit_rows
from fhir_service.bench.audit import p95
from fhir_service.bench.stage import reopened, request, stage
from fhir_service.bench.target import no_consent, variants
from fhir_service.bench.whole import examining, verifying
from fhir_service.storage import audit_log, audit_reindex, audit_search
from fhir_service.storage.audit_counting import HOUR_US
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.audit_index import indexed_up_to

ROWS = 700


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Return a deployment with a small log of the bench, closed, and what was made."""
    folder = tmp_path_factory.mktemp("bench-audit")
    with stage(folder, clock=audit_fill.before) as opened:
        made = audit_fill.log(opened, 15, ROWS)
    return opened, made


@pytest.fixture
def opened(logged):
    with reopened(logged[0]) as again:
        yield again


@pytest.mark.parametrize("measure", [verifying, examining])
def test_the_log_of_the_bench_is_whole(opened, logged, measure):
    _, made = logged

    measured = measure(opened)

    assert measured.note == f"{made.first + ROWS} rows"


def test_the_index_of_the_log_of_the_bench_is_that_of_its_rows(opened, logged):
    _, made = logged
    with opened.deployment.database.read() as snapshot:
        size = indexed_up_to(snapshot)
        difference = audit_reindex.first_difference(
            snapshot, opened.deployment.services.digest
        )

    assert (size, difference) == (made.first + ROWS, None)


def test_the_rows_of_the_log_tell_of_patients_who_are_there(opened, logged):
    _, made = logged
    person = made.cast.people[0]
    services = opened.deployment.services
    with services.database.read() as snapshot:
        asked = AuditFilter(patients=(person.pseudonym,))
        found = audit_search.count(snapshot, asked)
        known = services.pseudonyms.patient(snapshot, person.pseudonym)

    assert found > 0
    assert known.id == made.patients[0]


def test_the_events_of_the_log_open_with_the_keys_of_the_deployment(opened, logged):
    _, made = logged
    with opened.deployment.database.read() as snapshot:
        unseal = opened.deployment.services.seal.unsealer(snapshot)
        [*rows] = audit_log.entries(snapshot, made.first)
        requests = {decode(bytes(leaf), unseal=unseal).request for _, leaf, _ in rows}

    asked = {request for one in made.cast.people for request in one.requests}
    assert requests <= asked
    assert len(requests) > 50


def some_cast(random):
    return audit_rows.Cast(
        people=[
            audit_rows.person(random.randbytes(16), f"p{number}", "c/_history/1", "d")
            for number in range(50)
        ],
        users=audit_rows.users(20),
        clients=audit_rows.clients(["Organization/a", "Organization/b"], 6, random),
    )


def test_two_of_a_hundred_rows_are_denials_and_some_are_emergencies():
    random = Random(5)  # noqa: S311 - no secret

    rows = list(audit_rows.records(some_cast(random), 20_000, random))

    denied = sum(row.outcome is Outcome.DENIED for row in rows)
    emergencies = [row for row in rows if row.interaction is Interaction.BREAK_GLASS]
    assert 0.015 < denied / len(rows) < 0.025
    assert {row.purposes for row in emergencies} == {("ETREAT",)}
    assert {row.organisation for row in rows} == {"Organization/a", "Organization/b"}


def test_what_was_denied_disclosed_and_stored_nothing():
    random = Random(6)  # noqa: S311 - no secret

    rows = list(audit_rows.records(some_cast(random), 5_000, random))

    denied = [row for row in rows if row.outcome is not Outcome.ALLOWED]
    assert denied
    assert {(tuple(row.disclosed), tuple(row.written)) for row in denied} == {((), ())}
    assert {row.reason == "" for row in denied} == {False}


def test_the_times_of_two_years_ascend_and_fill_the_working_day():
    until = 24 * 20_000
    random = Random(7)  # noqa: S311 - no secret

    times = list(audit_rows.times(30_000, until, random))

    hours = [time // HOUR_US % 24 for time in times]
    at_noon, at_night = hours.count(12), hours.count(2)
    assert len(times) == 30_000
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert until - 730 * 24 <= times[0] // HOUR_US < until - 729 * 24
    assert until - 24 <= times[-1] // HOUR_US < until
    assert at_noon > 3 * at_night


def test_a_saturday_is_quieter_than_a_friday():
    friday = 24  # 1970-01-02 was one

    assert [audit_rows._weight(hour + 12) for hour in (friday, friday + 24)] == [12, 3]


def test_an_event_at_another_time_is_otherwise_the_same():
    record = AuditRecord(
        time_us=0,
        interaction=Interaction.READ,
        outcome=Outcome.DENIED,
        status=403,
        user="Practitioner/1",
    )

    leaf = audit_fill.at_time(encode(record, seal=bytes), 1_704_067_200_000_123)

    told = decode(leaf, unseal=bytes)
    assert told.time_us == 1_704_067_200_000_123
    assert (told.interaction, told.outcome, told.status, told.user) == (
        Interaction.READ,
        Outcome.DENIED,
        403,
        "Practitioner/1",
    )


@pytest.mark.parametrize(
    ("count", "place"), [(1, 1), (10, 10), (20, 19), (40, 38), (100, 95)]
)
def test_of_a_hundred_times_the_ninety_fifth_is_shown(count, place):
    assert p95([float(number) for number in range(count, 0, -1)]) == place


@pytest.mark.parametrize(("variant", "rows"), [("durable", 1), ("unaudited", 0)])
def test_only_without_the_log_a_read_makes_no_row(tmp_path, variant, rows):
    with stage(tmp_path / "data") as opened:
        [id_] = opened.add_patients(1)
        deployment = opened.deployment
        hot = variants(deployment, no_consent(deployment))[variant]
        before = size_of(deployment)

        response = hot(request("GET", f"/fhir/Patient/{id_}", opened.reader))
        for ticket in response.tickets:
            ticket.result()

        assert response.status == 200
        assert size_of(deployment) - before == rows


def size_of(deployment):
    with deployment.database.read() as snapshot:
        return audit_log.head(snapshot).frontier.size
