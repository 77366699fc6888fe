"""Break-glass on both databases: who attests, who is told, who reviews."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fhir_service.auth import break_glass, break_glass_reviews, users
from fhir_service.auth.break_glass import Emergency
from fhir_service.auth.break_glass_reviews import Verdict
from fhir_service.auth.services import AuthServices
from fhir_service.auth.users import Role, UserChange
from fhir_service.storage import break_glass as uses
from fhir_service.storage import patients
from fhir_service.storage.accounts import Account
from fhir_service.storage.patients import PatientState

TYPED = "a long enough password"
ADDRESS = "192.0.2.1"
HOUR_S = 3600

Audit = Any
Clock = Any
Enrol = Callable[..., Account]


@pytest.fixture
def enrol(services: AuthServices) -> Enrol:
    def register(username: str, role: Role, **more: Any) -> Account:
        return users.register(
            services,
            users.NewUser(
                username=username, name=username, role=role, password=TYPED, **more
            ),
        )

    return register


@pytest.fixture
def doctor(enrol: Enrol) -> Account:
    return enrol(
        "doctor",
        Role.PRACTITIONER,
        reference="Practitioner/1",
        organization="Organization/clinic",
        may_break_glass=True,
    )


@dataclass(frozen=True)
class Desk:
    services: AuthServices
    people: tuple[PatientState, ...]

    def attest(self, account: Account, number: int = 0) -> break_glass.Attested:
        emergency = Emergency(
            patient=self.people[number],
            reason="ETREAT",
            note="What has happened.",
            address=ADDRESS,
        )
        return break_glass.attest(self.services, account, emergency)

    def waiting(self, account: Account) -> list[str]:
        found, total = break_glass_reviews.to_review(self.services, account, ADDRESS)
        assert total == len(found)
        return [one.told.use.patient for one in found]


@pytest.fixture
def desk(services: AuthServices, sealed: Any) -> Desk:
    made = []

    def work(transaction: Any) -> None:
        for id_, organization in (("p1", "Organization/clinic"), ("p2", None)):
            key = patients.create(transaction, id_, organization, sealed._data_keys.new)
            state = patients.by_key(transaction, key)
            assert state is not None
            made.append(state)

    services.database.write(work)
    return Desk(services, tuple(made))


def test_an_attestation_is_audited_with_its_patient(
    desk: Desk, doctor: Account, audit: Audit
) -> None:
    attested = desk.attest(doctor)

    assert attested.use is not None
    event = audit.events[-1]
    assert (event.kind.value, event.reason) == ("break-glass", "ETREAT")
    assert (event.patient, event.user_id, event.address) == (
        "p1",
        doctor.user_id,
        ADDRESS,
    )
    assert "happened" not in repr(audit.events)


def test_the_group_is_asked_again_when_it_is_stored(
    desk: Desk, doctor: Account, services: AuthServices, audit: Audit
) -> None:
    users.change(services, "doctor", UserChange(may_break_glass=False))

    assert desk.attest(doctor).use is None
    assert audit.last == ("break-glass-refused", "not-in-group")
    assert audit.events[-1].patient == "p1"


def test_who_was_removed_attests_nothing(
    desk: Desk, doctor: Account, services: AuthServices
) -> None:
    users.remove(services, "doctor")

    assert desk.attest(doctor).use is None


def test_the_sixth_in_an_hour_waits_for_the_first_to_be_an_hour_old(
    desk: Desk, doctor: Account, clock: Clock, audit: Audit
) -> None:
    for _ in range(5):
        assert desk.attest(doctor).use is not None
        clock.pass_s(60)

    assert desk.attest(doctor).wait_us == (HOUR_S - 300) * 1_000_000
    assert audit.last == ("break-glass-refused", "throttled")
    clock.pass_s(HOUR_S - 301)
    assert desk.attest(doctor).use is None
    clock.pass_s(1)
    assert desk.attest(doctor).use is not None


def test_it_is_active_from_the_first_to_the_last_moment(
    desk: Desk, doctor: Account, services: AuthServices, clock: Clock
) -> None:
    use = desk.attest(doctor).use
    assert use is not None
    quarter_us = 15 * 60 * 1_000_000

    with services.database.read() as snapshot:
        holds = [
            break_glass.active(snapshot, use.break_glass_id, clock.now + offset)
            is not None
            for offset in (-1, 0, quarter_us - 1, quarter_us)
        ]
        assert break_glass.active(snapshot, "another", clock.now) is None
    assert holds == [False, True, True, False]


def test_a_notice_is_new_once(desk: Desk, doctor: Account, clock: Clock) -> None:
    desk.attest(doctor)
    first, second = desk.people

    def look(transaction: Any) -> list[list[tuple[str, int | None]]]:
        seen = []
        for _ in range(2):
            told = uses.of_patient(transaction, first.key)
            seen.append([(one.name, one.use.noticed) for one in told])
            uses.notice(transaction, first.key, clock.now)
        assert uses.of_patient(transaction, second.key) == []
        return seen

    seen = desk.services.database.write(look)

    assert seen == [[("doctor", None)], [("doctor", clock.now)]]


def test_an_officer_sees_the_patients_of_the_organization(
    desk: Desk, doctor: Account, enrol: Enrol, clock: Clock
) -> None:
    desk.attest(doctor, 0)
    clock.pass_s(1)
    desk.attest(doctor, 1)
    officer = Role.COMPLIANCE_OFFICER

    seen = {
        organization: desk.waiting(enrol(name, officer, organization=organization))
        for name, organization in (
            ("one", None),
            ("two", "Organization/clinic"),
            ("three", "Organization/other"),
        )
    }

    assert seen == {
        None: ["p1", "p2"],
        "Organization/clinic": ["p1"],
        "Organization/other": [],
    }
    assert desk.waiting(doctor) == []


def test_the_note_is_told_to_who_reviews(
    desk: Desk, doctor: Account, enrol: Enrol, audit: Audit
) -> None:
    desk.attest(doctor)
    officer = enrol("officer", Role.COMPLIANCE_OFFICER)

    [review], _ = break_glass_reviews.to_review(desk.services, officer, ADDRESS)

    assert review.note == "What has happened."
    assert audit.last == ("break-glass-listed", None)
    assert audit.events[-1].patient == "p1"


def test_a_verdict_is_of_the_patients_organization_and_given_once(
    desk: Desk, doctor: Account, enrol: Enrol, audit: Audit
) -> None:
    use = desk.attest(doctor).use
    assert use is not None
    role, id_ = Role.COMPLIANCE_OFFICER, use.break_glass_id
    other = enrol("other", role, organization="Organization/other")
    own = enrol("own", role, organization="Organization/clinic")

    given = [
        break_glass_reviews.review(desk.services, account, id_, verdict, ADDRESS)
        for account, verdict in (
            (doctor, Verdict.JUSTIFIED),
            (other, Verdict.JUSTIFIED),
            (own, Verdict.NOT_JUSTIFIED),
            (own, Verdict.JUSTIFIED),
        )
    ]

    assert given == [False, False, True, False]
    with desk.services.database.read() as snapshot:
        stored = uses.find(snapshot, id_)
    assert stored is not None
    assert (stored.verdict, stored.reviewer) == ("not-justified", own.user_id)
    assert audit.last == ("break-glass-reviewed", "not-justified")
    assert desk.waiting(own) == []
