"""Transaction: all entries or none, in one write.

What is read sees what was written before it. Each entry is authorized, judged by the
consents and audited as it would be alone; the audit rows are part of the transaction,
and so is one for the whole.

Conditions are asked after the deletions and before anything is stored; a conditional
reference is resolved when the entry that holds it is stored.

https://hl7.org/fhir/R4/http.html#trules
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction, Outcome
from fhir_service.exchange import Exchange, resource_response
from fhir_service.interactions.bundles.answers import of_reply, of_write
from fhir_service.interactions.bundles.draft import Plan, plan_of
from fhir_service.interactions.bundles.entries import Entry
from fhir_service.interactions.bundles.parts import Find, Shown, part, told_at
from fhir_service.interactions.bundles.plan import condition, written_twice
from fhir_service.interactions.bundles.references import meaning_of
from fhir_service.interactions.bundles.writes import WRITES, Done, Step
from fhir_service.interactions.conditional import id_of, only_match
from fhir_service.interactions.provenance import record
from fhir_service.interactions.write import OK
from fhir_service.rest.bundle_response import Answered, response_bundle
from fhir_service.rest.content import refuse_long_queries
from fhir_service.rest.message import Response
from fhir_service.rest.prefer import prefer
from fhir_service.rest.refusals import PreconditionFailed
from fhir_service.storage import resources, rows
from fhir_service.storage.engine import Transaction


def transaction(
    exchange: Exchange, raw: Sequence[Mapping[str, Any]], find: Find
) -> Response:
    """Do all that the entries ask, or nothing of it.

    Args:
        exchange: The request; authenticated.
        raw: The entries, of a valid frame.
        find: Finds what answers a request that only reads.

    Raises:
        FHIRError: what the first entry that fails is refused with, at its place.

    """
    exchange.interaction = Interaction.TRANSACTION
    plan = plan_of(exchange, raw)
    answers = _written(exchange, plan, find) if plan.writes else None
    tickets: tuple[Any, ...] = ()
    if answers is None:
        answers, leaves = _read(exchange, plan, find)
        tickets = (exchange.services.database.log(leaves),) if leaves else ()
    in_order = [answers[entry.index] for entry in plan.entries]
    whole = resource_response(
        response_bundle("transaction-response", in_order),
        headers=prefer(exchange.request).applied("return"),
    )
    return Response(
        status=whole.status, headers=whole.headers, body=whole.body, tickets=tickets
    )


def _written(exchange: Exchange, plan: Plan, find: Find) -> dict[int, Answered]:
    database = exchange.services.database

    def work(transaction: Transaction) -> dict[int, Answered]:
        record(exchange, transaction)
        with database.within(transaction):
            answers = _Work(exchange, plan, find, transaction).done()
            transaction.audit(exchange.leaf(OK, Outcome.ALLOWED))
        return answers

    answers = database.write(work)
    exchange.is_audited = True
    return answers


def _read(
    exchange: Exchange, plan: Plan, find: Find
) -> tuple[dict[int, Answered], list[bytes]]:
    """Answer what only reads, in one snapshot; return the audit leaves as well."""
    answers: dict[int, Answered] = {}
    leaves: list[bytes] = []
    shown = Shown()
    with exchange.services.database.read():
        for entry in plan.order:
            answered, leaf = _reply(exchange, entry, find, shown)
            answers[entry.index] = answered
            leaves.append(leaf)
    return answers, leaves


def _reply(
    exchange: Exchange, entry: Entry, find: Find, shown: Shown
) -> tuple[Answered, bytes]:
    inner = part(exchange, entry)
    with _told(exchange, inner, entry):
        shown.refuse_more()
        inner.interaction, handler = find(inner.request)
        reply = handler(inner)
    leaf = inner.leaf(reply.status, Outcome.ALLOWED)
    return shown.add(of_reply(exchange, entry, reply)), leaf


@contextmanager
def _told(exchange: Exchange, inner: Exchange, entry: Entry) -> Iterator[None]:
    """Tell what an entry is refused with at its place; the audit learns of it too."""
    try:
        with told_at(entry):
            yield
    except FHIRError:
        exchange.resource_type = inner.resource_type
        exchange.patients += inner.patients
        exchange.basis, exchange.reason = inner.basis, inner.reason
        raise


class _Work:
    """A transaction while it is being done."""

    def __init__(
        self, exchange: Exchange, plan: Plan, find: Find, transaction: Transaction
    ) -> None:
        self._exchange = exchange
        self._plan = plan
        self._find = find
        self._transaction = transaction
        self._returns = prefer(exchange.request).returns
        self._shown = Shown()
        self._existing: dict[int, resources.Stored] = {}
        self._ids: dict[int, str] = {}
        self._resolved: dict[tuple[str, str], str] = {}
        self._touched: set[tuple[str, str]] = set()

    def done(self) -> dict[int, Answered]:
        """Do every entry, and return what each came to."""
        deletions = [one for one in self._plan.order if one.method == "DELETE"]
        answers = {entry.index: self._write(entry) for entry in deletions}
        self._identify()
        for entry in self._plan.order[len(deletions) :]:
            do = self._write if entry.writes else self._read
            answers[entry.index] = do(entry)
        return answers

    def _identify(self) -> None:
        """Choose or find the id of everything that others may refer to."""
        saved = [one for one in self._plan.order if one.method in {"POST", "PUT"}]
        new = []
        for entry in saved:
            id_ = entry.target.id or self._matched(entry) or self._own(entry)
            if id_ is None:
                new.append(entry)
            else:
                self._ids[entry.index] = id_
        repository = self._exchange.services.repository
        made = repository.new_rows(self._transaction, len(new)) if new else []
        for entry, row in zip(new, made, strict=True):
            self._ids[entry.index] = rows.public_id(row)

    def _matched(self, entry: Entry) -> str | None:
        """Return the id of what the entry's condition matches."""
        query = condition(entry)
        if query is None:
            return None
        inner = part(self._exchange, entry)
        with _told(self._exchange, inner, entry):
            found = only_match(inner, self._transaction, entry.target.type, query)
            if found is None:
                return None
            self._existing[entry.index] = found
            return id_of(inner, self._transaction, found)

    @staticmethod
    def _own(entry: Entry) -> str | None:
        """Return the id that a conditional update brings with it."""
        id_ = (entry.resource or {}).get("id") if entry.method == "PUT" else None
        return id_ if isinstance(id_, str) else None

    def _write(self, entry: Entry) -> Answered:
        row = WRITES[entry.method]
        inner = part(self._exchange, entry, row.interaction)
        with _told(self._exchange, inner, entry):
            refuse_long_queries(inner.request)
            done = row.run(self._step(entry, inner))
            self._touch(entry, done)
        self._transaction.audit(inner.leaf(done.status, Outcome.ALLOWED))
        return of_write(self._exchange, done, self._returns)

    def _step(self, entry: Entry, inner: Exchange) -> Step:
        draft = self._plan.drafts[entry.index].meant(
            meaning_of(self._plan.names, entry, self._become, self._search)
        )
        return Step(
            exchange=inner,
            transaction=self._transaction,
            entry=entry,
            resource=draft.resource,
            operations=draft.operations,
            existing=self._existing.get(entry.index),
            id=self._ids.get(entry.index),
        )

    def _become(self, entry: Entry) -> str:
        return f"{entry.target.type}/{self._ids[entry.index]}"

    def _search(self, type_: str, query: str) -> str:
        """Return what a conditional reference means (§3.1.0.11.3).

        Raises:
            PreconditionFailed: where nothing that may be seen matches, or several do.

        """
        known = self._resolved.get((type_, query))
        if known is not None:
            return known
        try:
            found = only_match(self._exchange, self._transaction, type_, query)
        except FHIRError as error:
            if error.type is not IssueType.MULTIPLE_MATCHES:
                raise
            found = None
        if found is None:
            raise PreconditionFailed(
                f"A conditional reference matches not exactly one {type_}."
            )
        id_ = id_of(self._exchange, self._transaction, found)
        self._resolved[type_, query] = f"{type_}/{id_}"
        return self._resolved[type_, query]

    def _touch(self, entry: Entry, done: Done) -> None:
        """Refuse that a resource is written a second time.

        Raises:
            FHIRError: `invalid`.

        """
        identity = done.written.type, done.written.id
        if done.is_stored and identity in self._touched:
            raise written_twice(entry)
        if done.is_stored:
            self._touched.add(identity)

    def _read(self, entry: Entry) -> Answered:
        answered, leaf = _reply(self._exchange, entry, self._find, self._shown)
        self._transaction.audit(leaf)
        return answered
