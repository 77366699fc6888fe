"""What the log's index finds is what reading every row of the log would find."""

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import insert
from worlds import Clinic, furnish, heart_rate, opened_world

from consent.audit.entry import AuditRecord, BasisKind, Interaction, Outcome, decode
from fhir_service.storage import audit_log, audit_search, audit_tallies
from fhir_service.storage.audit_counting import HOUR_US
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.audit_index import NameKind
from fhir_service.storage.audit_tables import audit_explanation
from fhir_service.storage.audit_tallies import Bucket
from fhir_service.storage.statement import Statement

I, O = Interaction, Outcome  # noqa: E741 - short for tables


@pytest.fixture
def busy(tmp_path, template, database_url) -> Iterator[Clinic]:
    """Yield a clinic on each database where much has happened, hours apart."""
    with opened_world(
        tmp_path, template, name="busy", database_url=database_url
    ) as world:
        clinic = furnish(world)
        clinic.consented()
        clinic.deliver(heart_rate(1, "user-1"))
        second = clinic.another_patient("user-2")
        for step in range(4):
            world.clock.pass_s(1_500)
            clinic.found(f"Observation?patient={clinic.patient}")
            world.get(f"/fhir/Patient/{second}", clinic.ehr)
            world.get("/fhir/Patient/nobody", clinic.ehr)
            if step == 2:
                world.clock.pass_s(-2_000)
        other = world.client("other", "system/*.rs", organization="Organization/b")
        world.get(f"/fhir/Patient/{second}", other)
        services = world.deployment.services
        services.audit_index.catch_up(world.deployment.database)
        yield clinic


def records(clinic: Clinic) -> dict[int, AuditRecord]:
    with clinic.world.deployment.database.read() as snapshot:
        return {
            index: decode(bytes(leaf), unseal=lambda _: None)
            for index, leaf, _ in audit_log.entries(snapshot)
        }


def ask(clinic: Clinic, function, *arguments, **more):
    with clinic.world.deployment.database.read() as snapshot:
        return function(snapshot, *arguments, **more)


def pseudonym(clinic: Clinic) -> bytes:
    return clinic.world.deployment.services.pseudonym(clinic.patient)


def noon(clinic: Clinic) -> int:
    times = [record.time_us for record in records(clinic).values()]
    return sorted(times)[len(times) // 2]


def has_consent(record: AuditRecord) -> bool:
    first = [one for one in record.basis if one.kind is not BasisKind.INPUTS][:1]
    return bool(first) and first[0].kind is BasisKind.CONSENT


QUESTIONS = {
    "everything": (lambda _: AuditFilter(), lambda _, __: True),
    "a patient": (
        lambda clinic: AuditFilter(patients=(pseudonym(clinic),)),
        lambda clinic, one: pseudonym(clinic) in one.patients,
    ),
    "a client": (
        lambda _: AuditFilter(clients=("ehr",)),
        lambda _, one: one.client == "ehr",
    ),
    "two clients": (
        lambda _: AuditFilter(clients=("ehr", "admin")),
        lambda _, one: one.client in {"ehr", "admin"},
    ),
    "nobody's client": (
        lambda _: AuditFilter(clients=("nobody",)),
        lambda _, __: False,
    ),
    "an organisation": (
        lambda _: AuditFilter(organisations=("Organization/b",)),
        lambda _, one: one.organisation == "Organization/b",
    ),
    "an action": (
        lambda _: AuditFilter(interactions=(I.READ, I.SEARCH)),
        lambda _, one: one.interaction in {I.READ, I.SEARCH},
    ),
    "what was denied": (
        lambda _: AuditFilter(outcomes=(O.DENIED,)),
        lambda _, one: one.outcome is O.DENIED,
    ),
    "a purpose": (
        lambda _: AuditFilter(purposes=("TREAT",)),
        lambda _, one: "TREAT" in one.purposes,
    ),
    "a type": (
        lambda _: AuditFilter(types=("Patient",)),
        lambda _, one: one.resource_type == "Patient",
    ),
    "what left": (
        lambda _: AuditFilter(is_release=True),
        lambda _, one: bool(one.disclosed),
    ),
    "any consent": (
        lambda clinic: AuditFilter(
            bases=tuple(
                name
                for name in ask(clinic, audit_search.names, NameKind.BASIS)
                if name.startswith("consent ")
            )
        ),
        lambda _, one: has_consent(one),
    ),
    "a time": (
        lambda clinic: AuditFilter(until_us=noon(clinic)),
        lambda clinic, one: one.time_us < noon(clinic),
    ),
    "a patient's denials since a time": (
        lambda clinic: AuditFilter(
            patients=(pseudonym(clinic),), since_us=noon(clinic), outcomes=(O.ALLOWED,)
        ),
        lambda clinic, one: (
            pseudonym(clinic) in one.patients
            and one.time_us >= noon(clinic)
            and one.outcome is O.ALLOWED
        ),
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_index_finds_what_the_log_holds_newest_first(busy, name):
    question, holds = QUESTIONS[name]
    expected = [index for index, one in records(busy).items() if holds(busy, one)]

    asked = question(busy)

    assert ask(busy, audit_search.find, asked, count=10_000) == expected[::-1]
    assert ask(busy, audit_search.count, asked) == len(expected)
    assert name == "nobody's client" or expected


def test_pages_follow_each_other_without_a_gap(busy):
    asked = AuditFilter(clients=("ehr",))
    whole = ask(busy, audit_search.find, asked, count=10_000)

    found, before = [], None
    while page := ask(busy, audit_search.find, asked, count=3, before=before):
        found += page
        before = page[-1]

    assert found == whole
    assert len(whole) > 3


@pytest.mark.parametrize("width_us", [HOUR_US, 60_000_000])
@pytest.mark.parametrize("asked", [AuditFilter(), AuditFilter(clients=("ehr",))])
def test_a_histogram_counts_every_row_once(busy, width_us, asked):
    rows = [
        one
        for one in records(busy).values()
        if not asked.clients or one.client in asked.clients
    ]

    buckets = ask(busy, audit_tallies.histogram, asked, width_us=width_us)

    assert buckets == sorted(
        Bucket(start, outcome, len(found), sum(len(one.disclosed) for one in found))
        for start, outcome, found in {
            (one.time_us // width_us * width_us, one.outcome): None for one in rows
        }
        and [
            (
                start,
                outcome,
                [
                    one
                    for one in rows
                    if (one.time_us // width_us * width_us, one.outcome)
                    == (start, outcome)
                ],
            )
            for start, outcome in {
                (one.time_us // width_us * width_us, one.outcome) for one in rows
            }
        ]
    )


@pytest.mark.parametrize("width_us", [HOUR_US, 24 * HOUR_US])
def test_a_histogram_begins_and_ends_within_an_hour(busy, width_us):
    rows = records(busy).values()
    times = sorted({one.time_us for one in rows})
    bounds = [None, times[0] + 1, times[len(times) // 2], times[-1], times[-1] + 1]

    found = {
        (since, until): ask(
            busy,
            audit_tallies.histogram,
            AuditFilter(since_us=since, until_us=until),
            width_us=width_us,
        )
        for since in bounds
        for until in bounds
    }

    for (since, until), buckets in found.items():
        counted = Counter(
            (one.time_us // width_us * width_us, one.outcome)
            for one in rows
            if (since is None or one.time_us >= since)
            and (until is None or one.time_us < until)
        )
        assert {(one.start_us, one.outcome): one.events for one in buckets} == counted
        assert buckets == sorted(buckets)


def test_groups_are_the_names_with_their_counts(busy):
    found = ask(busy, audit_search.groups, AuditFilter(outcomes=(O.DENIED,)), "client")

    denied = [one for one in records(busy).values() if one.outcome is O.DENIED]
    assert {(group.name, group.events) for group in found} == {
        (client, sum(1 for one in denied if one.client == client))
        for client in {one.client for one in denied}
    }


def test_an_officer_sees_her_organisation_and_what_concerns_nobody(busy):
    own, other = busy.organization, "Organization/b"

    def seen(scope):
        asked = AuditFilter(scope=(scope,), clients=("other",))
        return ask(busy, audit_search.count, asked)

    assert seen(own) == 1
    assert seen(other) == 1
    assert seen("Organization/third") == 0


def test_what_was_recorded_before_the_index_is_found_too(busy):
    services = busy.world.deployment.services
    before = ask(busy, audit_search.count, AuditFilter())
    busy.found(f"Observation?patient={busy.patient}")

    size = services.audit_index.catch_up(busy.world.deployment.database)

    assert ask(busy, audit_search.count, AuditFilter()) == size == before + 1


def test_the_tallies_count_every_row_and_say_between_which_each_hour_lies(busy):
    hours = {}
    for index, one in records(busy).items():
        hours.setdefault(one.time_us // HOUR_US, []).append(index)

    found = ask(busy, audit_tallies.hours, min(hours), max(hours) + 1)

    assert [tuple(one) for one in found] == [
        (hour, min(indexes), max(indexes)) for hour, indexes in sorted(hours.items())
    ]
    assert ask(busy, audit_tallies.tallied) == len(records(busy))


def explain(clinic: Clinic, codes: dict[int, int]) -> None:
    """Store kinds of explanations of rows; 0 explains nothing."""
    add = Statement(insert(audit_explanation))
    rows = [(index, code, 0) for index, code in codes.items()]
    clinic.world.deployment.database.write(
        lambda transaction: transaction.run_many(add, rows)
    )


@pytest.mark.parametrize("scope", [None, "own"])
@pytest.mark.parametrize("is_of_patient", [False, True])
def test_what_has_no_explanation_is_found(busy, scope, is_of_patient):
    all_of = records(busy)
    of_patient = [
        index for index, one in all_of.items() if pseudonym(busy) in one.patients
    ]
    others = [index for index in all_of if index not in of_patient]
    unexplained, explained = of_patient[::2], of_patient[1::2]
    explain(busy, {**dict.fromkeys(unexplained, 0), **dict.fromkeys(explained, 3)})
    if not is_of_patient:
        explain(busy, {others[-1]: 0})

    asked = AuditFilter(
        is_unexplained=True,
        patients=(pseudonym(busy),) if is_of_patient else (),
        scope=None if scope is None else (busy.organization,),
        since_us=0,
    )
    found = ask(busy, audit_search.find, asked, count=100)

    expected = {*unexplained, *([] if is_of_patient else [others[-1]])}
    assert found == sorted(expected, reverse=True)
    assert ask(busy, audit_search.count, asked) == len(expected)


@pytest.mark.parametrize("scope", ["own", "other", "none"])
def test_an_officer_s_rows_and_chart_are_those_of_her_scope(busy, scope):
    name = {
        "own": busy.organization,
        "other": "Organization/b",
        "none": "Organization/c",
    }
    open_, narrow = (
        AuditFilter(scope=(name[scope],)),
        AuditFilter(scope=(name[scope],), outcomes=tuple(Outcome)),
    )

    rows = ask(busy, audit_search.find, open_, count=10_000)
    chart = ask(busy, audit_tallies.histogram, open_, width_us=HOUR_US)

    assert rows == ask(busy, audit_search.find, narrow, count=10_000)
    assert sum(one.events for one in chart) == len(rows)
    assert ask(busy, audit_search.find, open_, count=2, before=rows[0]) == rows[1:3]
