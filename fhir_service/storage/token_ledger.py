"""Access tokens that are still kept, by client: no secret and no part of one is read.

A token that has expired or was ended is deleted; the log says that it was granted.
"""

from typing import NamedTuple

from sqlalchemy import bindparam, select

from fhir_service.storage.authorizations import access_token
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.statement import Statement


class Kept(NamedTuple):
    """A token that is kept.

    Attributes:
        hash: SHA-256 of it.
        client_id: Who holds it.
        user_id: The person behind it; None for a backend service.
        patient: Id of the Patient in context.
        scopes: What it allows.
        purposes: v3-ActReason codes, space-separated.
        is_attested: 1 where it rests on a broken glass.
        issued: Microseconds since 1970.
        expires: Microseconds since 1970.

    """

    hash: bytes
    client_id: str
    user_id: str | None
    patient: str | None
    scopes: str
    purposes: str
    is_attested: int
    issued: int
    expires: int


_OF_CLIENT = Statement(
    select(*(access_token.c[name] for name in Kept._fields))
    .where(access_token.c.client_id == bindparam("id"))
    .order_by(access_token.c.issued.desc())
    .limit(bindparam("count"))
)


def of_client(snapshot: Snapshot, client_id: str, count: int) -> list[Kept]:
    """Return the tokens of a client that are kept, newest first; `count` at most."""
    return [Kept(*row) for row in snapshot.all(_OF_CLIENT, id=client_id, count=count)]
