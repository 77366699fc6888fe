"""Whatever is asked of the index, it finds what reading the whole log would find."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from random import Random

import pytest
from worlds import opened_world

from consent.audit.entry import (
    AuditRecord,
    Basis,
    BasisKind,
    Interaction,
    Outcome,
    encode,
)
from fhir_service.storage import (
    audit_index,
    audit_reindex,
    audit_search,
    audit_tallies,
)
from fhir_service.storage.audit_counting import HOUR_US
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.audit_index import AuditIndex
from fhir_service.storage.engine import Database

ROWS = 700
BLOCK_BITS = 5
"""Small blocks, so that a question spans many of them."""

CLINICS = [f"Organization/{name}" for name in "abcd"]
PATIENTS = [bytes([number]) * 16 for number in range(1, 13)]
CUSTODIANS = {
    patient: (None, *CLINICS)[number % 5] for number, patient in enumerate(PATIENTS)
}
USERS, CLIENTS = ["rowan", "kim", "sam"], ["ehr", "app", "lab"]
ADDRESSES = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
TYPES, REASONS = ["Patient", "Observation"], ["scope", "consent"]
PURPOSES = [("TREAT",), ("HRESCH", "TREAT"), ("HPAYMT",)]
CONSENTS = [f"{name}/_history/{version}" for name in "xy" for version in (1, 2)]
BEGIN_US = 1_700_000_000_000_000


def digest(data: bytes) -> bytes:
    return blake2b(data, key=b"key").digest()


def some(random: Random, values: list, most: int = 2) -> tuple:
    return tuple(random.sample(values, random.randint(1, most)))


def a_record(random: Random, number: int) -> AuditRecord:
    """Return an event; the clock goes back now and then."""
    several = random.choice([0, 1, 1, 1, 2, 3, 6])
    is_denied = random.random() < 0.2
    names = random.sample(CONSENTS, random.choice([0, 1, 2]))
    return AuditRecord(
        time_us=BEGIN_US + number * 61_000_000 - random.choice([0, 0, 0, HOUR_US]),
        interaction=random.choice(
            [Interaction.READ, Interaction.SEARCH, Interaction.LOGIN]
        ),
        outcome=Outcome.DENIED if is_denied else random.choice(list(Outcome)),
        status=random.choice([200, 403, 404, 500]),
        resource_type=random.choice(["", *TYPES]),
        user=random.choice(["", *USERS]),
        client=random.choice(["", *CLIENTS]),
        organisation=random.choice(["", "", *CLINICS]),
        address=random.choice(ADDRESSES),
        purposes=random.choice([(), *PURPOSES]),
        patients=tuple(random.sample(PATIENTS, several)),
        disclosed=tuple(range(1, random.choice([1, 1, 4]))),
        basis=tuple(Basis(BasisKind.CONSENT, name, "provision") for name in names),
        reason=random.choice(REASONS) if is_denied else "",
    )


def a_question(random: Random) -> AuditFilter:
    """Ask for up to four things at once."""
    since = BEGIN_US + random.randrange(-HOUR_US, ROWS * 61_000_000)
    asks = {
        "since_us": lambda: random.choice([since, since // HOUR_US * HOUR_US]),
        "until_us": lambda: since + random.choice([1, HOUR_US, 5 * HOUR_US]),
        "patients": lambda: some(random, [*PATIENTS, b"\xff" * 16], 3),
        "users": lambda: some(random, [*USERS, "nobody"]),
        "clients": lambda: some(random, CLIENTS),
        "organisations": lambda: some(random, CLINICS),
        "interactions": lambda: some(random, [Interaction.READ, Interaction.LOGIN]),
        "outcomes": lambda: some(random, list(Outcome)),
        "types": lambda: some(random, TYPES),
        "purposes": lambda: some(random, ["TREAT", "HPAYMT"]),
        "reasons": lambda: some(random, REASONS),
        "bases": lambda: some(random, ["consent x/", "consent y/_history/2"]),
        "addresses": lambda: some(random, ADDRESSES),
        "agents": lambda: some(random, ["rowan", "ehr", "Organization/a", "nobody"]),
        "levels": lambda: some(random, ["0", "4", "8"]),
        "is_release": lambda: random.choice([True, False]),
    }
    names = random.sample(list(asks), random.choice([0, 0, 1, 1, 2, 3, 4]))
    scopes = [None, None, CLINICS[:1], CLINICS[1:3], ["Organization/z"]]
    scope = random.choice(scopes)
    also = AuditFilter(purposes=("TREAT",)) if random.random() < 0.1 else None
    return replace(
        AuditFilter(**{name: asks[name]() for name in names}),
        scope=None if scope is None else tuple(scope),
        also=() if also is None else (also,),
    )


def grounds(record: AuditRecord) -> str:
    return f"consent {record.basis[0].name}" if record.basis else ""


def level(record: AuditRecord) -> str:
    if record.outcome is Outcome.DENIED:
        return "8"
    if list(Outcome).index(record.outcome) == 2:
        return "8" if record.status >= 500 else "4"
    return "0"


def concerned(record: AuditRecord) -> set[str]:
    custodians = {CUSTODIANS[one] for one in record.patients}
    return {one for one in (record.organisation, *custodians) if one}


def holds(asked: AuditFilter, record: AuditRecord) -> bool:
    """Tell from the row itself whether it is asked for."""
    bases = [
        base == grounds(record)
        or (base.endswith("/") and grounds(record).startswith(base))
        for base in asked.bases
    ]
    agents = {record.user, record.client, record.organisation}
    named = [
        (asked.users, {record.user}),
        (asked.clients, {record.client}),
        (asked.organisations, {record.organisation}),
        (asked.interactions, {record.interaction}),
        (asked.outcomes, {record.outcome}),
        (asked.types, {record.resource_type}),
        (asked.purposes, set(record.purposes)),
        (asked.reasons, {record.reason}),
        (asked.addresses, {record.address}),
        (asked.agents, agents),
        (asked.levels, {level(record)}),
        (asked.patients, set(record.patients)),
    ]
    whose = concerned(record)
    return (
        all(not wanted or of & set(wanted) for wanted, of in named)
        and (not asked.bases or any(bases))
        and (asked.since_us is None or record.time_us >= asked.since_us)
        and (asked.until_us is None or record.time_us < asked.until_us)
        and (asked.is_release is None or bool(record.disclosed) == asked.is_release)
        and (asked.scope is None or not whose or bool(whose & set(asked.scope)))
        and all(holds(one, record) for one in asked.also)
    )


def resources(asked: AuditFilter, record: AuditRecord) -> int:
    """Return how many AuditEvents a row makes for whoever asks."""
    seen = [
        one
        for one in record.patients
        if (asked.scope is None or CUSTODIANS[one] in asked.scope)
        and (not asked.patients or one in asked.patients)
    ]
    return len(seen) or (0 if asked.patients else 1)


@dataclass(frozen=True)
class Logged:
    """A log, and what was written to it."""

    database: Database
    records: dict[int, AuditRecord]

    def ask(self, function, *arguments, **more):
        with self.database.read() as snapshot:
            return function(snapshot, *arguments, **more)

    def expected(self, asked: AuditFilter) -> dict[int, AuditRecord]:
        return {at: one for at, one in self.records.items() if holds(asked, one)}


@pytest.fixture
def logged(tmp_path, template, database_url, monkeypatch) -> Iterator[Logged]:
    """Yield a log of random events on each database, with its index."""
    monkeypatch.setattr(audit_index, "BLOCK_BITS", BLOCK_BITS)
    random = Random(7)  # noqa: S311 - no secret
    made = [a_record(random, number) for number in range(ROWS)]
    with opened_world(
        tmp_path, template, name="log", database_url=database_url
    ) as world:
        database = world.deployment.database
        index = AuditIndex(lambda _, pseudonym: CUSTODIANS.get(pseudonym), digest)
        database.write(audit_reindex.forget)
        first = index.catch_up(database)
        database.log([encode(one, seal=lambda _: b"") for one in made]).result()
        index.catch_up(database)
        yield Logged(
            database=database,
            records={first + at: one for at, one in enumerate(made)},
        )


def of_ours(logged: Logged, found: list[int]) -> list[int]:
    """Leave out the rows that the deployment itself has made."""
    return [at for at in found if at in logged.records]


def test_random_questions_find_what_the_log_holds(logged):
    random, found_any = Random(3), 0  # noqa: S311 - no secret
    theirs = min(logged.records)

    for number in range(400):
        asked = a_question(random)
        rows = logged.expected(asked)
        newest = sorted(rows, reverse=True)
        middle = newest[len(newest) // 2] if newest else ROWS

        found = logged.ask(audit_search.find, asked, count=10_000)
        page = logged.ask(audit_search.find, asked, count=5, before=middle)
        before = logged.ask(audit_search.find, asked, count=10_000, before=theirs)

        assert of_ours(logged, found) == newest, (number, asked)
        assert of_ours(logged, page) == [at for at in newest if at < middle][:5]
        assert logged.ask(audit_search.count, asked) == len(newest) + len(before)
        found_any += bool(newest)

    assert found_any > 150


def test_random_questions_count_what_their_rows_make(logged):
    random = Random(5)  # noqa: S311 - no secret

    for number in range(300):
        asked = replace(a_question(random), addresses=("192.0.2.1",))
        if number % 3 == 0:
            # What the tallies tell; the deployment's own rows lie years later.
            hour = (BEGIN_US + number * 90_000_000) // HOUR_US * HOUR_US
            asked = AuditFilter(
                since_us=random.choice([hour, hour + 1]),
                until_us=hour + random.choice([3 * HOUR_US, 5 * HOUR_US + 7]),
                outcomes=asked.outcomes,
                scope=asked.scope,
            )
        rows = logged.expected(asked).values()

        events = logged.ask(audit_search.count_events, asked)
        groups = logged.ask(audit_search.groups, asked, "user")
        chart = logged.ask(audit_tallies.histogram, asked, width_us=HOUR_US)

        assert events == sum(resources(asked, one) for one in rows), (number, asked)
        assert logged.ask(audit_search.count, asked) == len(rows)
        assert {one.name: one.events for one in groups} == Counter(
            one.user for one in rows
        )
        assert {(one.start_us, one.outcome): one.events for one in chart} == Counter(
            (one.time_us // HOUR_US * HOUR_US, one.outcome) for one in rows
        )


def test_the_index_agrees_with_its_log(logged):
    assert logged.ask(audit_reindex.first_difference, digest) is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_row SET custodian_id = 0 WHERE leaf_index = {at}",
        "UPDATE audit_row SET block = block + 1 WHERE leaf_index = {at}",
        "UPDATE audit_row SET subject_id = 0 WHERE leaf_index = {at}",
        "DELETE FROM audit_patient WHERE leaf_index = {at}",
        "DELETE FROM audit_scope WHERE leaf_index = {at}",
    ],
)
def test_what_would_hide_a_row_from_an_officer_is_told(logged, change):
    at = next(
        index
        for index, one in logged.records.items()
        if len(concerned(one)) > 2 and len(one.patients) > 2
    )
    with logged.database.engine.begin() as connection:
        connection.exec_driver_sql(change.format(at=at))

    assert logged.ask(audit_reindex.first_difference, digest) == at
