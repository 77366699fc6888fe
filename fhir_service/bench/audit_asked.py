"""What an officer asks of a large log: the twenty questions, and every kind of search.

Each is asked for a patient, a person, a program and a week by chance.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from consent.audit.entry import Interaction, Outcome
from consent.decision import DefaultPolicy
from fhir_service.bench.audit_fill import ORGANISATIONS, Logged
from fhir_service.bench.audit_rows import HOUR_US, HOURS
from fhir_service.compliance import questions
from fhir_service.compliance.audit_events import events
from fhir_service.compliance.questions import QUESTIONS, Asked
from fhir_service.compliance.reports.report import Period
from fhir_service.compliance.rows import Reader
from fhir_service.storage import audit_search, audit_tallies
from fhir_service.storage.audit_filter import AuditFilter

DAY_US, WEEK_US = 24 * HOUR_US, 168 * HOUR_US
YEAR_US = 365 * DAY_US

PAGE = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What one question is about.

    Attributes:
        asked: For the twenty questions.
        patient: Pseudonym of the patient.
        user: A person.
        address: Of a program.
        basis: A version of a consent.

    """

    asked: Asked
    patient: bytes
    user: str
    address: str
    basis: str

    @property
    def week(self) -> AuditFilter:
        """Everything of a week."""
        since, until = self.asked.period
        return AuditFilter(since_us=since, until_us=until)

    @property
    def year(self) -> AuditFilter:
        """Everything of the year before the end of the week."""
        until = self.asked.period.until_us or 0
        return AuditFilter(since_us=until - YEAR_US, until_us=until)


def wish(logged: Logged, reader: Reader, random: Random) -> Wish:
    """Return what an officer of the first organisation asks about, by chance."""
    at = random.randrange(max(len(logged.patients) // ORGANISATIONS, 1))
    client = random.choice(logged.cast.clients[::ORGANISATIONS])
    now = reader.services.clock()
    since = now - random.randrange(WEEK_US, (HOURS * HOUR_US) // 2)
    person = logged.cast.people[at]
    of_patient = AuditFilter(patients=(person.pseudonym,), is_release=True)
    row = reader.find(of_patient, count=1)[0].index
    asked = Asked(
        patient=logged.patients[at],
        organization=client.organisation,
        client=client.id,
        vendor="open-mhealth",
        row=row,
        rows=(row,),
        default=DefaultPolicy.BASIC_NORMAL.value,
        period=Period(since, since + WEEK_US),
    )
    return Wish(
        asked=asked,
        patient=person.pseudonym,
        user=random.choice(logged.cast.users),
        address=client.address,
        basis=f"consent {person.basis[0].name}",
    )


Ask = Callable[[Reader, Wish], object]
"""Answers one question."""

FilterOf = Callable[[Wish], AuditFilter]


def _question(number: str) -> Ask:
    return lambda reader, at: questions.ask(reader, number, at.asked)


def _find(filter_of: FilterOf) -> Ask:
    return lambda reader, at: reader.find(filter_of(at), count=PAGE)


def _count(filter_of: FilterOf) -> Ask:
    return lambda reader, at: reader.count(filter_of(at))


def _chart(filter_of: FilterOf, width_us: int) -> Ask:
    return lambda reader, at: audit_tallies.histogram(
        reader.snapshot, reader.scoped(filter_of(at)), width_us=width_us
    )


def _groups(filter_of: FilterOf, by: str) -> Ask:
    return lambda reader, at: audit_search.groups(
        reader.snapshot, reader.scoped(filter_of(at)), by
    )


def _events(reader: Reader, at: Wish) -> object:
    rows = reader.find(at.week, count=PAGE)
    return [event for row in rows for event in events(reader, row)]


def _everything(_: Wish) -> AuditFilter:
    return AuditFilter()


def _patient(at: Wish) -> AuditFilter:
    return AuditFilter(patients=(at.patient,))


def _user(at: Wish) -> AuditFilter:
    return AuditFilter(users=(at.user,))


def _denied(_: Wish) -> AuditFilter:
    return AuditFilter(outcomes=(Outcome.DENIED,))


ASKED: Mapping[str, Ask] = MappingProxyType(
    {number: _question(number) for number in QUESTIONS}
)
"""The twenty questions."""

SEARCHES: Mapping[str, Ask] = MappingProxyType(
    {
        "rows, newest": _find(_everything),
        "rows of a week": _find(lambda at: at.week),
        "rows of a patient": _find(_patient),
        "rows of a person": _find(_user),
        "rows of a person in a week": _find(
            lambda at: replace(at.week, users=(at.user,))
        ),
        "rows of a program": _find(lambda at: AuditFilter(clients=(at.asked.client,))),
        "rows of an address": _find(lambda at: AuditFilter(addresses=(at.address,))),
        "rows of an unknown person": _find(lambda _: AuditFilter(users=("nobody",))),
        "rows of a person about a patient": _find(
            lambda at: AuditFilter(users=(at.user,), patients=(at.patient,))
        ),
        "rows that a consent permits": _find(lambda at: AuditFilter(bases=(at.basis,))),
        "rows for research": _find(lambda _: AuditFilter(purposes=("HRESCH",))),
        "denials": _find(_denied),
        "denials of a person": _find(
            lambda at: AuditFilter(users=(at.user,), outcomes=(Outcome.DENIED,))
        ),
        "denials for one reason": _find(lambda _: AuditFilter(reasons=("login",))),
        "emergencies": _find(
            lambda _: AuditFilter(interactions=(Interaction.BREAK_GLASS,))
        ),
        "emergencies of a person": _find(
            lambda at: AuditFilter(
                users=(at.user,), interactions=(Interaction.BREAK_GLASS,)
            )
        ),
        "number of rows of a week": _count(lambda at: at.week),
        "number of rows of a patient": _count(_patient),
        "number of rows of a person": _count(_user),
        "chart of a year by day": _chart(lambda at: at.year, DAY_US),
        "chart of a week by hour": _chart(lambda at: at.week, HOUR_US),
        "chart of a person's year by day": _chart(
            lambda at: replace(at.year, users=(at.user,)), DAY_US
        ),
        "chart of a patient's year by day": _chart(
            lambda at: replace(at.year, patients=(at.patient,)), DAY_US
        ),
        "denials of a week by reason": _groups(
            lambda at: replace(at.week, outcomes=(Outcome.DENIED,)), "reason"
        ),
        "rows of a week by person": _groups(lambda at: at.week, "user"),
        "rows of a patient by person": _groups(_patient, "user"),
        "AuditEvents of a week, a page of 50": _events,
    }
)
"""Every kind of search that the console and the API make."""
