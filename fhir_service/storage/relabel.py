"""The labels of what is stored, brought to what the labeller says now.

A resource whose labels change gets a next version: versions stay as they were, and it
can be told which was released under which label. Every version, earlier ones too, gets
the signature of what the labeller says now, so that an old one is not released under
a label that has been raised since. The index is made anew after it.

https://hl7.org/fhir/R4/security-labels.html
"""

from collections.abc import Callable

from sqlalchemy import bindparam, select, update

from conformance import fhir_json
from consent.labels import LABELLER_VERSION
from consent.signature import describe
from fhir_service.storage import counters, facts, patients, resources, types
from fhir_service.storage.engine import Database, Snapshot, Transaction
from fhir_service.storage.reindex import INDEX
from fhir_service.storage.repository import Repository, codings_of, stamp
from fhir_service.storage.resources import RESOURCE_COLUMNS, Stored, stored
from fhir_service.storage.statement import Statement
from fhir_service.storage.tables import resource, resource_history

LABELLER = "labeller"
"""Name of the fact that says which labeller has labelled everything."""

BEFORE_IT_WAS_TOLD = "1"
"""The labeller of a database that holds resources and does not name one."""

STALE = "stale"
"""What the index is while labels change: an interrupted run is begun again."""

AT_ONCE = 500

_ANY = Statement(select(resource.c.row).limit(bindparam("count")))
_NEXT = Statement(
    select(*(resource.c[name] for name in RESOURCE_COLUMNS))
    .where(resource.c.row > bindparam("after"))
    .order_by(resource.c.row)
    .limit(bindparam("count"))
)
_PAST = Statement(
    select(*(resource_history.c[name] for name in RESOURCE_COLUMNS)).where(
        resource_history.c.row == bindparam("key")
    )
)
_SIGN_PAST = Statement(
    update(resource_history)
    .where(
        resource_history.c.patient_key == bindparam("whose"),
        resource_history.c.row == bindparam("key"),
        resource_history.c.version == bindparam("at"),
    )
    .values(signature_id=bindparam("new_signature"))
)


def is_current(database: Database) -> bool:
    """Whether everything is labelled as this program labels."""
    with database.read() as snapshot:
        known = facts.value_of(snapshot, LABELLER)
        if known is None and _has_rows(snapshot):
            known = BEFORE_IT_WAS_TOLD
    if known is None:
        database.write(
            lambda transaction: facts.put(transaction, LABELLER, LABELLER_VERSION)
        )
        return True
    return known == LABELLER_VERSION


def _has_rows(snapshot: Snapshot) -> bool:
    return snapshot.one(_ANY, count=1) is not None


def relabel(
    database: Database,
    repository: Repository,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Label everything anew; return how many resources got a next version.

    The index is stale afterwards and has to be made anew.

    Args:
        database: Whose.
        repository: Of the same database.
        told: Called with the number of resources looked at after each part.

    """
    database.write(lambda transaction: facts.put(transaction, INDEX, STALE))
    after, done, changed = 0, 0, 0
    while True:
        found = database.write(
            lambda transaction, after=after: _some(transaction, repository, after)  # type: ignore[misc]  # the default binds the loop's value
        )
        if not found:
            break
        after, done = found[-1][0], done + len(found)
        changed += sum(is_changed for _, is_changed in found)
        told(done)
    database.write(
        lambda transaction: facts.put(transaction, LABELLER, LABELLER_VERSION)
    )
    return changed


def _some(
    transaction: Transaction, repository: Repository, after: int
) -> list[tuple[int, bool]]:
    """Label the next resources; return their rows, and whether labels changed."""
    found = []
    for columns in transaction.all(_NEXT, after=after, count=AT_ONCE):
        version = stored(columns)
        is_changed = not version.deleted and _renew(transaction, repository, version)
        _sign_past(transaction, repository, version.row)
        found.append((version.row, is_changed))
    return found


def _renew(transaction: Transaction, repository: Repository, old: Stored) -> bool:
    """Store a next version where the labels are others; return whether they are."""
    body = fhir_json.loads(repository.body(transaction, old))
    now, version = repository.clock(), old.version + 1
    stamped = stamp(
        body, repository.label(body), id_=body["id"], version=version, now_us=now
    )
    if stamped["meta"].get("security") == body["meta"].get("security"):
        return False
    new = old._replace(
        version=version,
        seq=counters.take(transaction, "seq"),
        last_updated=now,
        batch_id=None,
        body=repository.codec.encode(
            transaction,
            old.patient_key,
            old.row,
            version,
            fhir_json.dumps(stamped),
        ),
    )
    resources.replace(transaction, new)
    if types.name_of(old.type_id) == "Consent":
        patients.consent_changed(transaction, old.patient_key)
    return True


def _sign_past(transaction: Transaction, repository: Repository, row: int) -> None:
    for columns in transaction.all(_PAST, key=row):
        version = stored(columns)
        transaction.run(
            _SIGN_PAST,
            whose=version.patient_key,
            key=row,
            at=version.version,
            new_signature=_signature(transaction, repository, version),
        )


def _signature(
    transaction: Transaction, repository: Repository, version: Stored
) -> int:
    """Return the signature under what the labeller says now; a deletion keeps its."""
    if version.deleted:
        return version.signature_id
    body = fhir_json.loads(repository.body(transaction, version))
    described = describe(
        body, labels=repository.label(body), deployment=repository.deployment
    )
    return repository.signatures.intern(
        transaction,
        version.patient_key,
        version.type_id,
        repository.concepts.intern(transaction, codings_of(body.get("code"))),
        described.facets,
    )
