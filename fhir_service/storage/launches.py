"""What leads to an authorization: launches, requests under way, remembered choices.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.statement import Statement, columns_of
from fhir_service.storage.tables import Big, metadata

launch = Table(
    "launch",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("client_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("patient", Text, comment="id of the Patient"),
    Column("context", Text, nullable=False, comment="JSON: encounter, intent"),
    Column("break_glass_id", Text, comment="the attestation that it rests on"),
    Column("expires", Big, nullable=False),
    comment="launch values that an EHR launch has given out and nobody has used",
    sqlite_with_rowid=False,
)
Index(None, launch.c.expires)

authorization_request = Table(
    "authorization_request",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256"),
    Column("parameters", LargeBinary, nullable=False, comment="JSON, sealed"),
    Column("session", LargeBinary, comment="hash of the login that took it up"),
    Column("created", Big, nullable=False),
    Column("expires", Big, nullable=False),
    comment="authorization requests that wait for a person",
    sqlite_with_rowid=False,
)
Index(None, authorization_request.c.expires)

app_choice = Table(
    "app_choice",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("patient", Text, nullable=False, comment="id; empty for none in context"),
    Column("asked", Text, nullable=False, comment="scopes that were asked for"),
    Column("chosen", Text, nullable=False, comment="scopes that were granted"),
    Column("decided", Big, nullable=False),
    PrimaryKeyConstraint("user_id", "client_id", "patient"),
    comment="what a person decided about an app, to be remembered and revoked",
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A launch value that was given to a browser on its way to an app.

    Attributes:
        hash: SHA-256 of the value.
        client_id: The app that may use it.
        user_id: The person who launched the app.
        patient: Id of the Patient in context; None for none.
        context: Further context, as a JSON object: `encounter`, `intent`,
            `need_patient_banner`.
        break_glass_id: The attestation that it rests on; None for none.
        expires: When it can no longer be used.

    """

    hash: bytes
    client_id: str
    user_id: str
    patient: str | None
    context: str
    break_glass_id: str | None
    expires: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingRequest:
    """An authorization request that waits for a person.

    Attributes:
        hash: SHA-256 of its handle.
        parameters: What was asked, sealed.
        session: Hash of the login that took it up; None while nobody did.
        created: When it came.
        expires: When it can no longer be answered.

    """

    hash: bytes
    parameters: bytes
    session: bytes | None
    created: int
    expires: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a person decided about an app.

    Attributes:
        user_id: The person.
        client_id: The app.
        patient: Id of the Patient in context; empty for none.
        asked: Scopes that were asked for, and purposes in quotation marks,
            space-separated.
        chosen: Scopes that were granted, space-separated.
        decided: When.

    """

    user_id: str
    client_id: str
    patient: str
    asked: str
    chosen: str
    decided: int


def _names(of: Table) -> list[str]:
    return [column.name for column in of.columns]


def _adding(of: Table) -> Statement:
    return Statement(insert(of).values(**columns_of(_names(of))))


_ADD_LAUNCH = _adding(launch)
_LAUNCH = Statement(select(launch).where(launch.c.hash == bindparam("hash")))
_END_LAUNCH = Statement(delete(launch).where(launch.c.hash == bindparam("value")))
_ADD_REQUEST = _adding(authorization_request)
_REQUEST = Statement(
    select(authorization_request).where(
        authorization_request.c.hash == bindparam("hash"),
        authorization_request.c.expires > bindparam("now"),
    )
)
_BIND_REQUEST = Statement(
    update(authorization_request)
    .where(
        authorization_request.c.hash == bindparam("handle"),
        or_(
            authorization_request.c.session.is_(None),
            authorization_request.c.session == bindparam("login"),
        ),
    )
    .values(session=bindparam("login"), parameters=bindparam("sealed"))
)
_END_REQUEST = Statement(
    delete(authorization_request).where(
        authorization_request.c.hash == bindparam("handle"),
        authorization_request.c.expires > bindparam("now"),
    )
)
_FORGET_CHOICE = Statement(
    delete(app_choice).where(
        app_choice.c.user_id == bindparam("user"),
        app_choice.c.client_id == bindparam("client"),
        app_choice.c.patient == bindparam("about"),
    )
)
_FORGET_USER = Statement(
    delete(app_choice).where(app_choice.c.user_id == bindparam("user"))
)
_FORGET_CLIENT = Statement(
    delete(app_choice).where(app_choice.c.client_id == bindparam("client"))
)
_ADD_CHOICE = _adding(app_choice)
_CHOICE = Statement(
    select(app_choice).where(
        app_choice.c.user_id == bindparam("user"),
        app_choice.c.client_id == bindparam("client"),
        app_choice.c.patient == bindparam("about"),
    )
)
_CHOICES_OF_USER = Statement(
    select(app_choice)
    .where(app_choice.c.user_id == bindparam("user"))
    .order_by(app_choice.c.decided, app_choice.c.client_id, app_choice.c.patient)
)


def add_launch(transaction: Transaction, new: Launch) -> None:
    """Store a launch value by its hash."""
    transaction.run(
        _ADD_LAUNCH, **{name: getattr(new, name) for name in _names(launch)}
    )


def take_launch(transaction: Transaction, launch_hash: bytes) -> Launch | None:
    """Use a launch value up and return it; None where there is none.

    Whose it is and whether it is in time is for the caller to see: whoever tries a
    value that is not his has spoilt it.
    """
    row = transaction.one(_LAUNCH, hash=launch_hash)
    if row is None or transaction.run(_END_LAUNCH, value=launch_hash) != 1:
        return None
    return Launch(**dict(zip(_names(launch), row, strict=True)))


def add_request(transaction: Transaction, new: WaitingRequest) -> None:
    """Store an authorization request by the hash of its handle."""
    names = _names(authorization_request)
    transaction.run(_ADD_REQUEST, **{name: getattr(new, name) for name in names})


def find_request(
    snapshot: Snapshot, request_hash: bytes, now: int
) -> WaitingRequest | None:
    """Return a request that waits; None once it was answered or has expired."""
    row = snapshot.one(_REQUEST, hash=request_hash, now=now)
    if row is None:
        return None
    names = _names(authorization_request)
    return WaitingRequest(**dict(zip(names, row, strict=True)))


def bind_request(
    transaction: Transaction, request_hash: bytes, session: bytes, parameters: bytes
) -> bool:
    """Give a request to a login, with what is known of it now.

    False where another login has it, or it is gone.
    """
    bound = transaction.run(
        _BIND_REQUEST, handle=request_hash, login=session, sealed=parameters
    )
    return bound == 1


def end_request(transaction: Transaction, request_hash: bytes, now: int) -> bool:
    """Use a request up; False where it was answered before, or has expired."""
    return transaction.run(_END_REQUEST, handle=request_hash, now=now) == 1


def remember_choice(transaction: Transaction, new: Choice) -> None:
    """Keep what a person decided, in place of what she decided before."""
    forget_choice(transaction, new.user_id, new.client_id, new.patient)
    names = _names(app_choice)
    transaction.run(_ADD_CHOICE, **{name: getattr(new, name) for name in names})


def choice_of(
    snapshot: Snapshot, user_id: str, client_id: str, patient: str
) -> Choice | None:
    """Return what a person decided about an app and a patient."""
    row = snapshot.one(_CHOICE, user=user_id, client=client_id, about=patient)
    return None if row is None else _as_choice(row)


def choices_of_user(snapshot: Snapshot, user_id: str) -> list[Choice]:
    """Return what a person has decided, oldest first."""
    return [_as_choice(row) for row in snapshot.all(_CHOICES_OF_USER, user=user_id)]


def forget_choice(
    transaction: Transaction, user_id: str, client_id: str, patient: str
) -> bool:
    """Forget what a person decided; False where there was nothing."""
    forgotten = transaction.run(
        _FORGET_CHOICE, user=user_id, client=client_id, about=patient
    )
    return forgotten == 1


def forget_choices_of_user(transaction: Transaction, user_id: str) -> None:
    """Forget everything that a person has decided."""
    transaction.run(_FORGET_USER, user=user_id)


def forget_choices_about(transaction: Transaction, client_id: str) -> None:
    """Forget what anybody has decided about an app."""
    transaction.run(_FORGET_CLIENT, client=client_id)


def _as_choice(row: tuple[object, ...]) -> Choice:
    values = dict(zip(_names(app_choice), row, strict=True))
    return Choice(**values)  # type: ignore[arg-type]  # the columns' types
