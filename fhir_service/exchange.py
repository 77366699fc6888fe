"""One request being answered: its snapshot, its grant, and what the audit will say.

Every answer passes here: the audit row, allowed or denied, is queued before the
response is returned, and the response carries the ticket that says when it is
durable.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from conformance.issues import FHIRError, IssueType
from consent.audit import entry
from consent.audit.entry import AuditRecord, Basis, Interaction, Outcome
from fhir_service import errors
from fhir_service.access import Gate
from fhir_service.auth.bearer import AuthenticationError, Grant, authenticate
from fhir_service.logs import describe
from fhir_service.metrics import Metrics
from fhir_service.rest.content import is_form
from fhir_service.rest.message import Header, Request, Response
from fhir_service.rest.refusals import MAX_QUERY, status_of
from fhir_service.rest.rendered import RenderedPages
from fhir_service.storage.audit_index import AuditIndex
from fhir_service.storage.audit_seals import Digest
from fhir_service.storage.body import RequestSeal
from fhir_service.storage.engine import Database, Snapshot, Transaction
from fhir_service.storage.pseudonyms import Pseudonyms
from fhir_service.storage.repository import Repository
from fhir_service.storage.tables import SHARED

_log = structlog.get_logger()

FHIR_JSON = "application/fhir+json"
_CONTENT_TYPE: Header = ("content-type", f"{FHIR_JSON}; charset=utf-8")


@dataclass(frozen=True, kw_only=True)
class Services:
    """What interactions need, assembled once by the application.

    Attributes:
        database: Where everything is.
        repository: Resources in and out.
        gate: Who may see what.
        base_url: The public FHIR base, without a final slash.
        page_key: Seals continuation tokens.
        pseudonym: Patient id → the 16 bytes by which the audit names the patient.
        seal: Encrypts what the audit keeps of a request.
        clock: Microseconds since 1970.
        capabilities: Returns the CapabilityStatement as JSON; made when first asked.
        metrics: Counts what is received and what fails.
        pages: Pages that were rendered before.
        page_lifetime_s: How long the link to a next page holds.
        audit_key: The log's public key, as signed notes write it.
        audit_index: Brings the log's index up to its end.
        digest: Keyed, of what is derived from the log.
        pseudonyms: Who is behind a pseudonym of the log.
        raw_lifetime_us: How long raw payloads are kept; 0 for not at all.
        update_creates: Whether an update of what does not exist creates it.
        heartbeats: Folder of what was signed in hours in which nothing was recorded;
            None for none.
        awaits_audit: Whether a response waits for its audit row; False only in the
            benchmark that measures what waiting costs.
        authenticate: Returns who asks; another one only in the benchmark that measures
            what looking a token up costs.

    """

    database: Database
    repository: Repository
    gate: Gate
    base_url: str
    page_key: bytes
    pseudonym: Callable[[str], bytes]
    seal: RequestSeal
    clock: Callable[[], int]
    capabilities: Callable[[], bytes]
    metrics: Metrics
    page_lifetime_s: int
    audit_key: str
    audit_index: AuditIndex
    digest: Digest
    pseudonyms: Pseudonyms
    raw_lifetime_us: int = 0
    pages: RenderedPages = field(default_factory=RenderedPages)
    update_creates: bool = False
    heartbeats: Path | None = None
    awaits_audit: bool = True
    authenticate: Callable[[Snapshot, str | None, int], Grant] = authenticate


@dataclass(kw_only=True)
class Exchange:
    """What is known of the request so far; the audit row is made of it.

    A write whose transaction holds its own audit leaf sets `is_audited`; `batch` is
    that of the transaction, once something is written.
    """

    services: Services
    request: Request
    now_us: int
    interaction: Interaction
    resource_type: str = ""
    grant: Grant | None = None
    patients: list[str] = field(default_factory=list)
    disclosed: list[int] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    counts: tuple[tuple[str, int], ...] = ()
    basis: tuple[Basis, ...] = ()
    reason: str = ""
    is_audited: bool = False
    sealer: Callable[[bytes], bytes] | None = None
    batch: tuple[Transaction, int] | None = None

    def about(self, snapshot: Snapshot, key: int) -> None:
        """Say whose data is asked for: its key encrypts what the audit keeps."""
        self.sealer = self.services.seal.sealer(snapshot, key)

    def granted(self, snapshot: Snapshot) -> Grant:
        """Return who asks, as of this snapshot.

        Raises:
            FHIRError: `login` where no valid token was sent.

        """
        if self.grant is None:
            self.grant = self.services.authenticate(
                snapshot, self.request.headers.get("authorization"), self.now_us
            )
        return self.grant

    @property
    def asked(self) -> str:
        """Method, path, query and form, as the audit keeps them."""
        request = self.request
        query = f"?{request.query}" if request.query else ""
        form = ""
        if request.method == "POST" and is_form(request):
            form = f" {request.body[:MAX_QUERY].decode('utf-8', 'backslashreplace')}"
        condition = request.headers.get("if-none-exist")
        none = "" if condition is None else f" If-None-Exist: {condition[:MAX_QUERY]}"
        return f"{request.method} {request.path}{query}{form}{none}"

    @property
    def who(self) -> Grant:
        """The grant, once it was asked for."""
        if self.grant is None:
            raise LookupError("the request was not authenticated yet")
        return self.grant

    def leaf(self, status: int, outcome: Outcome) -> bytes:
        """Return the audit leaf of this exchange."""
        grant, request = self.grant, self.request
        pseudonym = self.services.pseudonym
        return entry.encode(
            AuditRecord(
                time_us=self.now_us,
                interaction=self.interaction,
                outcome=outcome,
                status=status,
                request_id=request.request_id,
                request=self.asked,
                resource_type=self.resource_type,
                user=(grant.user or grant.user_id or "") if grant else "",
                client=grant.client_id if grant else "",
                organisation=(grant.organization or "") if grant else "",
                address=request.remote,
                user_agent=request.headers.get("user-agent", ""),
                token=grant.token_id if grant else b"",
                purposes=grant.purposes if grant else (),
                patients=tuple(pseudonym(id_) for id_ in dict.fromkeys(self.patients)),
                disclosed=self.disclosed,
                written=self.written,
                counts=self.counts,
                basis=self.basis,
                reason=self.reason,
            ),
            seal=self.sealer or self._nobodys(),
        )

    def _nobodys(self) -> Callable[[bytes], bytes]:
        with self.services.database.read() as snapshot:
            return self.services.seal.sealer(snapshot, SHARED)


Handler = Callable[[Exchange], Response]


def answer(exchange: Exchange, handler: Handler, template: str = "") -> Response:
    """Return what `handler` answers, or its refusal; audited either way.

    Args:
        exchange: The request.
        handler: Answers it.
        template: The route, for logs and metrics.

    """
    try:
        reply = handler(exchange)
        outcome = Outcome.ALLOWED
    except FHIRError as error:
        reply, outcome = _refusal(exchange, error)
    except Exception as error:  # noqa: BLE001 - the error handler: it is logged and audited
        _log.error("failed", **describe(error))
        exchange.services.metrics.failed("handler")
        # The key of a patient who was never stored would seal what nobody can open.
        exchange.sealer = None
        reply, outcome = _refusal(exchange, _fault())
    tickets = reply.tickets
    if not exchange.is_audited:
        leaf = exchange.leaf(reply.status, outcome)
        ticket = exchange.services.database.log([leaf])
        if exchange.services.awaits_audit:
            tickets = (*tickets, ticket)
    return Response(
        status=reply.status,
        headers=reply.headers,
        body=reply.body,
        tickets=tickets,
        route=template,
    )


def _fault() -> FHIRError:
    return FHIRError(IssueType.EXCEPTION, "The service has met a fault of its own.")


_DENIED = frozenset({401, 403, 404, 410})


def _refusal(exchange: Exchange, error: FHIRError) -> tuple[Response, Outcome]:
    """Return the OperationOutcome of `error`, and what the audit calls it."""
    status = status_of(error)
    exchange.reason = exchange.reason or error.type.value
    exchange.disclosed = []
    if exchange.written:
        # Rolled back: nothing was written, and the key that sealed it may be gone.
        exchange.written, exchange.sealer = [], None
    headers: tuple[Header, ...] = (_CONTENT_TYPE,)
    if isinstance(error, AuthenticationError):
        headers += error.headers
    response = Response(
        status=status,
        headers=headers,
        body=errors.outcome_bytes(error, exchange.request.request_id),
    )
    return response, Outcome.DENIED if status in _DENIED else Outcome.ERROR


def resource_response(
    body: bytes, *, status: int = 200, headers: Iterable[Header] = ()
) -> Response:
    """Return a response that holds a resource."""
    return Response(status=status, headers=(_CONTENT_TYPE, *headers), body=body)


def not_found(type_: str, id_: str) -> FHIRError:
    """Return the one answer for what is absent and for what is hidden."""
    return FHIRError(IssueType.NOT_FOUND, f"There is no {type_[:64]}/{id_[:64]} here.")
