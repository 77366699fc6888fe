"""Alerts sent to addresses that the operator chose, signed as Standard Webhooks are.

What is sent says which rule, how often, whose officers and where in the console: no
health value, no patient, nobody's name. A delivery is a row; it is put off before it is
tried, so that it is in flight once, and tried again where the process ends.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from standardwebhooks import Webhook as Signer

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.outgoing import Outgoing, Unreachable
from fhir_service.compliance.alerts import record_change
from fhir_service.compliance.officer import Officer
from fhir_service.exchange import Services
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import alert_webhooks, alerts
from fhir_service.storage.alert_webhooks import Delivery, Webhook
from fhir_service.storage.alerts import Alert
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.tables import SHARED

WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000)
"""Seconds from each attempt to the next; after the seventh it is given up."""

MOST_AT_ONCE = 100
"""Deliveries of one round, so that other work is not put off for ever."""

TYPE = "audit.alert.raised"
PREFIX = "whsec_"
SECRET_BYTES = 32
ID_BYTES = 16
MAX_URL = 2_048

_SEALED = 4
"""Bound to the sealed secret, so that it is never taken for another thing."""

_WAITS_US = tuple(seconds * 1_000_000 for seconds in WAITS_S)


class Courier:
    """Delivers alerts.

    Args:
        services: Of the deployment.
        outgoing: Judges where a request may lead, and sends it.
        console: URL of the console, without a final slash.

    """

    def __init__(self, services: Services, outgoing: Outgoing, console: str) -> None:
        self._services = services
        self._outgoing = outgoing
        self._console = console

    def deliver(self) -> int:
        """Send what is due; return how many deliveries were tried."""
        for tried in range(MOST_AT_ONCE):
            if not self._deliver_one():
                return tried
        return MOST_AT_ONCE

    def _deliver_one(self) -> bool:
        services, now = self._services, self._services.clock()
        with services.database.read() as snapshot:
            if not alert_webhooks.is_due(snapshot, now):
                return False
        delivery = services.database.write(
            lambda job: alert_webhooks.claim(job, now, _WAITS_US)
        )
        if delivery is None:
            return False
        self._settle(delivery, self._sent(delivery))
        return True

    def _sent(self, delivery: Delivery) -> int:
        """Return the status of the answer; 0 where there was none."""
        with self._services.database.read() as snapshot:
            alert = alerts.find(snapshot, delivery.alert_id)
            webhook = alert_webhooks.find(snapshot, delivery.webhook_id)
            if alert is None or webhook is None or webhook.removed is not None:
                return 0
            secret = secret_of(self._services, snapshot, webhook)
        body = fhir_json.dumps(self.message(alert))
        at = datetime.fromtimestamp(self._services.clock() // 1_000_000, UTC)
        id_ = message_id(alert)
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Signer(secret).sign(id_, at, body.decode()),
        }
        try:
            return self._outgoing.post(webhook.url, body, headers)
        except Unreachable:
            return 0

    def message(self, alert: Alert) -> dict[str, object]:
        """Return what is said of an alert."""
        row = "" if alert.leaf_index is None else f"/rows/{alert.leaf_index}"
        return {
            "type": TYPE,
            "id": message_id(alert),
            "timestamp": fhir_instant(alert.made),
            "data": {
                "alert": alert.id,
                "kind": alert.kind,
                "count": alert.count,
                "organization": alert.organisation,
                "link": f"{self._console}{row}",
            },
        }

    def _settle(self, delivery: Delivery, status: int) -> None:
        now = self._services.clock()

        def work(job: Transaction) -> None:
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                alert_webhooks.delivered(job, delivery, status, now)
            elif status == HTTPStatus.GONE:  # The receiver wants no more of them.
                alert_webhooks.give_up(job, delivery, status)
            else:
                alert_webhooks.failed(job, delivery, status)

        self._services.database.write(work)


def message_id(alert: Alert) -> str:
    """Return the id by which a receiver knows a repeat."""
    return f"alert_{alert.id}_{alert.made}"


def add(  # noqa: PLR0913 - what the command line says
    services: Services,
    officer: Officer,
    *,
    url: str,
    organisation: str | None,
    random: Callable[[int], bytes],
    schemes: frozenset[str] = frozenset({"https"}),
) -> tuple[Webhook, str]:
    """Store a new address; return it with its secret, which is not shown again.

    Args:
        services: Of the deployment.
        officer: Who adds it.
        url: Where alerts are sent.
        organisation: `Organization/id` of whose alerts; None for all.
        random: Makes secrets.
        schemes: `https`, and `http` where the service itself is tried out.

    Raises:
        FHIRError: `value` for what is no URL of the web, or has a password in it.

    """
    _refuse_other_urls(url, schemes)
    id_ = base64.b32encode(random(ID_BYTES)).decode().rstrip("=").lower()
    secret = f"{PREFIX}{base64.b64encode(random(SECRET_BYTES)).decode()}"

    def work(job: Transaction) -> Webhook:
        webhook = Webhook(
            id=id_,
            url=url,
            organisation=organisation,
            secret=services.repository.payloads.encode(
                job, SHARED, _row(id_), _SEALED, secret.encode()
            ),
            made=services.clock(),
            made_by=officer.user,
        )
        alert_webhooks.add(job, webhook)
        record_change(services, job, officer, f"alert webhook add {id_}")
        return webhook

    return services.database.write(work), secret


def remove(services: Services, officer: Officer, id_: str) -> None:
    """Send nothing there any more, and forget the secret.

    Raises:
        FHIRError: `not-found` where there is no such address.

    """

    def work(job: Transaction) -> None:
        if not alert_webhooks.remove(job, id_, services.clock()):
            raise FHIRError(IssueType.NOT_FOUND, "There is no such webhook here.")
        record_change(services, job, officer, f"alert webhook remove {id_}")

    services.database.write(work)


def secret_of(services: Services, snapshot: Snapshot, webhook: Webhook) -> str:
    """Return what the receiver and the service share."""
    return services.repository.payloads.decode(
        snapshot, SHARED, _row(webhook.id), _SEALED, webhook.secret
    ).decode()


def _row(id_: str) -> int:
    """Return the number by which a sealed secret is bound to its address."""
    return int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=7).digest())


def _refuse_other_urls(url: str, schemes: frozenset[str]) -> None:
    """Refuse what cannot be asked; where it leads is judged at each delivery."""
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_complete = urlsplit(""), False
    is_plain = url.isascii() and url.isprintable() and " " not in url
    is_short = len(url) <= MAX_URL and "@" not in parts.netloc
    if not (is_plain and is_short and is_complete and parts.scheme in schemes):
        raise FHIRError(
            IssueType.VALUE,
            "A webhook is an https URL without a user name or a password in it.",
        )
