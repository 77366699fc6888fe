"""The twenty questions of a compliance officer: each a row, and what answers it.

Every answer is driven by an index: `cost` says what it grows with, and it is never
the log as a whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from conformance.issues import FHIRError, IssueType
from fhir_service.compliance.progress import hastened
from fhir_service.compliance.reports import (
    access,
    accounting,
    admin_events,
    after_withdrawal,
    could_see,
    coverage,
    default_change,
    denials,
    emergencies,
    evidence,
    gaps,
    lineage,
    obligations,
    raised_labels,
    receipts,
    retention,
    timeline,
    to_organization,
    tokens,
    unexplained,
)
from fhir_service.compliance.reports.accounting import Reading
from fhir_service.compliance.reports.report import Period, Report
from fhir_service.compliance.rows import Reader, caught_up
from fhir_service.exchange import Services
from fhir_service.explaining.asking import Asking


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a question is asked with; each takes what it needs.

    Attributes:
        patient: Id of a Patient.
        organization: `Organization/id` of a recipient.
        client: Id of a client.
        resource: `Type/id` of a resource.
        device: `Device/id`.
        vendor: Name of a source.
        row: Row of the log.
        rows: Rows to be proved.
        earlier: Signed checkpoints that somebody kept.
        default: A default policy.
        actors: What a consent may call who asks.
        at_us: An instant.
        period: A time.
        reading: Which law an accounting is of.

    """

    patient: str = ""
    organization: str = ""
    client: str = ""
    resource: str = ""
    device: str = ""
    vendor: str = ""
    row: int | None = None
    rows: tuple[int, ...] = ()
    earlier: tuple[bytes, ...] = ()
    default: str = ""
    actors: frozenset[str] = frozenset()
    at_us: int | None = None
    period: Period = field(default_factory=Period)
    reading: Reading = Reading.HIPAA

    @property
    def span(self) -> Period | None:
        """The time; None where none is said."""
        return None if self.period == Period() else self.period

    @property
    def row_number(self) -> int:
        """The row.

        Raises:
            FHIRError: `required` where none is said.

        """
        if self.row is None:
            raise FHIRError(IssueType.REQUIRED, "The question is about a row.")
        return self.row


Answer = Callable[[Reader, Asked], Report]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question.

    Attributes:
        text: In an officer's words.
        answer: Makes the report.
        needs: Names of `Asked` without which it cannot be answered.
        prepare: Brings up what is derived from the log, before the snapshot.
        cost: What the time of an answer grows with.

    """

    text: str
    answer: Answer
    needs: tuple[str, ...] = ()
    prepare: Callable[[Services], None] = caught_up
    cost: str


def _could_see(reader: Reader, asked: Asked) -> Report:
    asking = Asking(
        client_id=asked.client or None, actors=asked.actors, at_us=asked.at_us
    )
    return could_see.report(
        reader, asked.patient, asking, resource=asked.resource or None
    )


def _lineage(reader: Reader, asked: Asked) -> Report:
    if asked.device:
        return lineage.of_device(reader, asked.device)
    return lineage.of_vendor(
        reader, asked.vendor, patient_id=asked.patient or None, period=asked.period
    )


_OF_PATIENT = "rows of the patient, at most 10,000, and what the patient has"

QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        "Q1": Question(
            text="Who saw anything of a patient, for what purpose, by which consent?",
            answer=lambda reader, asked: access.report(
                reader, asked.patient, period=asked.period
            ),
            needs=("patient",),
            cost=_OF_PATIENT,
        ),
        "Q2": Question(
            text="What exactly left our system to an organisation?",
            answer=lambda reader, asked: to_organization.report(
                reader, asked.organization, period=asked.period
            ),
            needs=("organization",),
            cost="rows of the organisation, at most 2,000, and what its patients have",
        ),
        "Q3": Question(
            text="Could somebody see a resource at an instant, and why?",
            answer=_could_see,
            needs=("patient",),
            cost="what the patient has; nothing of the log",
        ),
        "Q4": Question(
            text="What became of a patient's consents, and what did each change open?",
            answer=lambda reader, asked: timeline.report(
                reader, asked.patient, period=asked.period
            ),
            needs=("patient",),
            cost="versions of the patient's consents, ten changes of the time, and at "
            "most 1,000 rows that wrote them",
        ),
        "Q5": Question(
            text="What was released after a withdrawal, and who is to be told?",
            answer=lambda reader, asked: after_withdrawal.report(
                reader, asked.patient, period=asked.period
            ),
            needs=("patient",),
            cost=_OF_PATIENT,
        ),
        "Q6": Question(
            text="Which emergency accesses wait for a review?",
            answer=lambda reader, asked: emergencies.report(
                reader, period=asked.period
            ),
            cost="emergencies, at most 1,000 of each kind",
        ),
        "Q7": Question(
            text="What was refused this week, and what looks misconfigured?",
            answer=lambda reader, asked: denials.report(reader, period=asked.span),
            cost="refusals of the time",
        ),
        "Q8": Question(
            text="Which patients have data and no valid consent?",
            answer=lambda reader, _: coverage.report(reader),
            cost="patients, 1,000 at a time; nothing of the log",
        ),
        "Q9": Question(
            text="Which data came from a device or vendor, under which consents?",
            answer=_lineage,
            cost="what the patient has, or the last 10,000 deliveries",
        ),
        "Q10": Question(
            text="What is the accounting of disclosures of a patient?",
            answer=lambda reader, asked: accounting.report(
                reader, asked.patient, reading=asked.reading, period=asked.period
            ),
            needs=("patient",),
            cost=_OF_PATIENT,
        ),
        "Q11": Question(
            text="Was the statement of 42 CFR 2.32 attached to a disclosure?",
            answer=lambda reader, asked: obligations.report(reader, asked.row_number),
            needs=("row",),
            cost="versions of the row, at most 1,000, and what its patients have",
        ),
        "Q12": Question(
            text="What is past its date, held, or erased?",
            answer=lambda reader, asked: retention.report(reader, period=asked.period),
            cost="deletions of the time, at most 10,000",
        ),
        "Q13": Question(
            text="Was the log altered? Prove that it was not.",
            answer=lambda reader, asked: evidence.report(
                reader, rows=asked.rows, earlier=asked.earlier
            ),
            cost="rows to be proved, and the logarithm of the log",
        ),
        "Q14": Question(
            text="Which accesses have no explanation?",
            answer=lambda reader, asked: unexplained.report(
                reader, period=asked.period
            ),
            prepare=hastened,
            cost="unexplained rows of the time, at most 10,000; half a second to "
            "explain what is new",
        ),
        "Q15": Question(
            text="Who read the log, exported, or changed rules, keys or people?",
            answer=lambda reader, asked: admin_events.report(
                reader, period=asked.period
            ),
            cost="such rows of the time, at most 10,000",
        ),
        "Q16": Question(
            text="Which tokens was a client given, and are they still valid?",
            answer=lambda reader, asked: tokens.report(
                reader, asked.client, period=asked.period
            ),
            needs=("client",),
            cost="token events of the client, at most 1,000",
        ),
        "Q17": Question(
            text="What would another default change?",
            answer=lambda reader, asked: default_change.report(reader, asked.default),
            needs=("default",),
            cost="patients, 25 at a time; nothing of the log",
        ),
        "Q18": Question(
            text="What was released under a label that was raised later?",
            answer=lambda reader, asked: raised_labels.report(
                reader, asked.patient, period=asked.period
            ),
            needs=("patient",),
            cost=_OF_PATIENT,
        ),
        "Q19": Question(
            text="Is anything in the log missing?",
            answer=lambda reader, asked: gaps.report(reader, period=asked.span),
            cost="hours of the time, at most a year",
        ),
        "Q20": Question(
            text="What did a patient's consents say, in which language, how plainly?",
            answer=lambda reader, asked: receipts.report(reader, asked.patient),
            needs=("patient",),
            cost="versions of the patient's consents; nothing of the log",
        ),
    }
)
"""Number → question."""


def prepared(number: str) -> Callable[[Services], None]:
    """Return what is to be done before the snapshot of a question's answer."""
    question = QUESTIONS.get(number)
    return caught_up if question is None else question.prepare


def ask(reader: Reader, number: str, asked: Asked | None = None) -> Report:
    """Return the answer to a question.

    Raises:
        FHIRError: `not-found` for a number of none; `required` for what it needs and
            was not given; what the report raises.

    """
    question, given = QUESTIONS.get(number), asked or Asked()
    if question is None:
        raise FHIRError(IssueType.NOT_FOUND, f"There is no question {number[:8]}.")
    missing = [name for name in question.needs if getattr(given, name) in {"", None}]
    if missing:
        raise FHIRError(IssueType.REQUIRED, f"{number} needs {', '.join(missing)}.")
    return question.answer(reader, given)
