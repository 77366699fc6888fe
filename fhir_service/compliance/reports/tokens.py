"""Which tokens a client was given: when, for whom, and whether they still hold.

A token is named by half of its hash, as in every row of the log that it opened; that
opens nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.auth.token_hash import token_id
from fhir_service.compliance.reports.releases import person_words
from fhir_service.compliance.reports.report import (
    ALWAYS,
    Period,
    Report,
    cut_at,
    heading,
    moment,
    moment_or_none,
    oldest,
    table,
)
from fhir_service.compliance.rows import Reader
from fhir_service.storage import registrations, token_ledger
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.registrations import Client

MAX_TOKENS = 1_000


class Token(NamedTuple):
    """A token that is kept."""

    token: str
    issued: datetime
    expires: datetime
    is_valid: bool
    who: str
    patient: str
    scopes: str
    purposes: str
    break_glass: bool


class Granted(NamedTuple):
    """What the log has of a client's asking for tokens, and of their end."""

    when: datetime
    event: str
    outcome: str
    reason: str
    token: str
    who: str
    address: str
    row: int


class Credential(NamedTuple):
    """How the client proves itself."""

    client: str
    name: str
    method: str
    registered: datetime
    rotated: datetime | None
    removed: datetime | None
    is_valid: bool


def report(reader: Reader, client_id: str, *, period: Period = ALWAYS) -> Report:
    """Return the ledger of a client's tokens.

    Read from the indexes of (client, row) and of tokens by client.

    Raises:
        FHIRError: `not-found` for a client that is not here, or of another
            organisation.

    """
    client = registrations.find_client(reader.snapshot, client_id)
    if client is None or not reader.officer.is_over(client.organization):
        raise FHIRError(IssueType.NOT_FOUND, "There is no such client here.")
    asked = AuditFilter(
        clients=(client_id, f"claims {client_id}"),
        interactions=(Interaction.TOKEN, Interaction.REVOKE, Interaction.KEY_ROTATION),
        since_us=period.since_us,
        until_us=period.until_us,
    )
    found = reader.find(asked, count=MAX_TOKENS + 1)
    made = Report(
        heading=heading(reader, "Tokens of a client", about=client_id, period=period),
        tables=(
            table("credential", Credential, [_credential(reader, client)]),
            table("kept tokens", Token, _kept(reader, client)),
            table(
                "events",
                Granted,
                [
                    Granted(
                        when=moment(reader, row.record.time_us),
                        event=row.record.request or row.record.interaction.value,
                        outcome=row.record.outcome.value,
                        reason=row.record.reason,
                        token=row.record.token.hex(),
                        who=person_words(reader, row.record.user),
                        address=row.record.address,
                        row=row.index,
                    )
                    for row in found[:MAX_TOKENS]
                ],
            ),
        ),
        notes=("A token that has expired or was ended is not kept, only its events.",),
    )
    return cut_at(reader, made, oldest(found, MAX_TOKENS))


def _credential(reader: Reader, client: Client) -> Credential:
    return Credential(
        client=client.client_id,
        name=client.name,
        method=client.auth_method,
        registered=moment(reader, client.created),
        rotated=moment_or_none(reader, client.rotated),
        removed=moment_or_none(reader, client.removed),
        is_valid=client.removed is None,
    )


def _kept(reader: Reader, client: Client) -> Iterator[Token]:
    now = reader.services.clock()
    for one in token_ledger.of_client(reader.snapshot, client.client_id, MAX_TOKENS):
        yield Token(
            token=token_id(bytes(one.hash)).hex(),
            issued=moment(reader, one.issued),
            expires=moment(reader, one.expires),
            is_valid=client.removed is None and now < one.expires,
            who=person_words(reader, one.user_id or ""),
            patient="" if one.patient is None else f"Patient/{one.patient}",
            scopes=one.scopes,
            purposes=one.purposes,
            break_glass=bool(one.is_attested),
        )
