"""Alerts on their way to a receiver that checks their signatures."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from worlds import Clinic, furnish, opened_world

from conformance.issues import FHIRError
from consent.audit.entry import Interaction
from fhir_service.auth.outgoing import Outgoing, Unreachable
from fhir_service.compliance import alert_delivery
from fhir_service.compliance.alert_delivery import WAITS_S, Courier
from fhir_service.compliance.alert_rules import Finding, Kind
from fhir_service.compliance.alerts import Alerter
from fhir_service.compliance.officer import Officer
from fhir_service.storage import alert_webhooks, alerts

CONSOLE = "https://clinic.example/compliance"
HERE = (ip_network("127.0.0.0/8"),)
PLAIN = frozenset({"https", "http"})


@dataclass
class Receiver:
    """Answers as it is told, and keeps what it was sent."""

    status: int = 204
    location: str = ""
    wait_s: float = 0
    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        self.got.append((dict(handler.headers.items()), handler.rfile.read(length)))
        time.sleep(self.wait_s)
        handler.send_response(self.status)
        if self.location:
            handler.send_header("Location", self.location)
        handler.end_headers()


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/alerts"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def either(tmp_path, template, database_url):
    """Yield a clinic on each database."""
    with opened_world(
        tmp_path, template, name="hooks", database_url=database_url
    ) as world:
        world.clock.go(datetime.now(UTC))  # The signature is good for five minutes.
        yield furnish(world)


def operator() -> Officer:
    return Officer(user="root", organizations=None)


def add(clinic: Clinic, url: str, organisation: str | None = None) -> tuple[Any, str]:
    return alert_delivery.add(
        clinic.world.deployment.services,
        operator(),
        url=url,
        organisation=organisation,
        random=lambda count: bytes(range(count)),
        schemes=PLAIN,
    )


def raise_one(clinic: Clinic, organisation: str | None = None) -> alerts.Alert:
    services = clinic.world.deployment.services
    finding = Finding(Kind.BREAK_GLASS, f"user 1 subject {services.clock()}")
    alerter = Alerter(services)
    services.database.write(
        lambda job: alerter.found(job, finding, index=5, organisation=organisation)
    )
    with services.database.read() as snapshot:
        return alerts.every(snapshot)[-1]


def courier(clinic: Clinic, **more: Any) -> Courier:
    outgoing = Outgoing(**{"networks": HERE, "schemes": PLAIN, **more})
    return Courier(clinic.world.deployment.services, outgoing, CONSOLE)


def state(clinic: Clinic, alert: alerts.Alert) -> list[tuple[Any, ...]]:
    """Return attempts, whether delivered, and the last status of each delivery."""
    with clinic.world.deployment.database.read() as snapshot:
        found = alert_webhooks.of_alert(snapshot, alert.id)
    return [(one[2], one[4] is not None, one[5]) for one in found]


def test_an_alert_arrives_signed_and_says_nothing_of_a_patient(either, receiver):
    _, secret = add(either, receiver.url)
    alert = raise_one(either, either.organization)

    assert courier(either).deliver() == 1

    [(headers, body)] = receiver.got
    assert Webhook(secret).verify(body, headers) == {
        "type": "audit.alert.raised",
        "id": headers["webhook-id"],
        "timestamp": json.loads(body)["timestamp"],
        "data": {
            "alert": alert.id,
            "kind": "break-glass",
            "count": 1,
            "organization": either.organization,
            "link": f"{CONSOLE}/rows/5",
        },
    }
    assert headers["Content-Type"] == "application/json"
    assert state(either, alert) == [(1, True, 204)]


def test_a_body_that_was_changed_or_an_old_one_is_refused(either, receiver):
    _, secret = add(either, receiver.url)
    raise_one(either)
    courier(either).deliver()
    [(headers, body)] = receiver.got

    with pytest.raises(WebhookVerificationError, match="No matching"):
        Webhook(secret).verify(body.replace(b"break", b"brake"), headers)
    headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) - 600)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(body, headers)


def test_what_has_arrived_is_not_sent_again(either, receiver):
    add(either, receiver.url)
    raise_one(either)
    courier(either).deliver()

    either.world.clock.pass_s(100_000)

    assert courier(either).deliver() == 0
    assert len(receiver.got) == 1


def test_a_receiver_that_fails_is_asked_less_and_less_often_under_one_id(
    either, receiver
):
    add(either, receiver.url)
    alert = raise_one(either)
    receiver.status = 500
    for tried, wait_s in enumerate(WAITS_S, 1):
        assert courier(either).deliver() == 1
        assert state(either, alert) == [(tried, False, 500)]
        either.world.clock.pass_s(wait_s - 1)
        assert courier(either).deliver() == 0
        either.world.clock.pass_s(1)
    assert courier(either).deliver() == 1

    either.world.clock.pass_s(10_000_000)

    assert courier(either).deliver() == 0
    assert state(either, alert) == [(7, False, 500)]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert WAITS_S == (5, 300, 1_800, 7_200, 18_000, 36_000)


def test_a_receiver_that_recovers_gets_it(either, receiver):
    add(either, receiver.url)
    alert = raise_one(either)
    receiver.status = 503
    courier(either).deliver()
    receiver.status = 200
    either.world.clock.pass_s(5)

    courier(either).deliver()

    assert state(either, alert) == [(2, True, 200)]


def test_a_receiver_that_is_slow_is_given_up_for_now(either, receiver):
    add(either, receiver.url)
    alert = raise_one(either)
    receiver.wait_s = 1

    courier(either, deadline_s=0.2).deliver()

    assert state(either, alert) == [(1, False, 0)]


def test_a_receiver_that_is_gone_is_not_asked_again(either, receiver):
    add(either, receiver.url)
    alert = raise_one(either)
    receiver.status = 410
    courier(either).deliver()
    either.world.clock.pass_s(100_000)

    assert courier(either).deliver() == 0
    assert state(either, alert) == [(1, False, 410)]


def test_a_redirect_is_not_followed(either, receiver):
    with receiving() as private:
        add(either, receiver.url)
        alert = raise_one(either)
        receiver.status, receiver.location = 307, private.url

        courier(either).deliver()

        assert private.got == []
    assert state(either, alert) == [(1, False, 307)]


@pytest.mark.parametrize(
    ("more", "reason"),
    [({"networks": ()}, "address-refused"), ({"schemes": {"https"}}, "scheme")],
)
def test_what_is_not_public_or_in_the_clear_is_not_asked(
    either, receiver, more, reason
):
    add(either, receiver.url)
    alert = raise_one(either)
    strict = Outgoing(**{"networks": HERE, "schemes": PLAIN, **more})

    courier(either, **more).deliver()

    with pytest.raises(Unreachable, match=reason):
        strict.post(receiver.url, b"{}", {})
    assert receiver.got == []
    assert state(either, alert) == [(1, False, 0)]


def test_two_processes_send_an_alert_once(either, receiver):
    add(either, receiver.url)
    for _ in range(5):
        raise_one(either)
        either.world.clock.pass_s(1)
    receiver.wait_s = 0.05
    couriers = [courier(either) for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        tried = sum(pool.map(lambda one: one.deliver(), couriers))

    assert tried == 5
    assert len(receiver.got) == 5
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 5


@pytest.mark.parametrize(
    ("whose", "count"), [("own", 1), ("another", 0), ("everybody's", 1)]
)
def test_an_address_of_an_organization_gets_its_alerts_alone(
    either, receiver, whose, count
):
    add(either, receiver.url, either.organization)
    concerned = {
        "own": either.organization,
        "another": "Organization/elsewhere",
        "everybody's": None,
    }
    raise_one(either, concerned[whose])

    assert courier(either).deliver() == count


def test_an_address_that_was_removed_gets_nothing_and_has_no_secret(either, receiver):
    webhook, _ = add(either, receiver.url)
    raise_one(either)
    services = either.world.deployment.services

    alert_delivery.remove(services, operator(), webhook.id)

    assert courier(either).deliver() == 0
    with services.database.read() as snapshot:
        assert alert_webhooks.find(snapshot, webhook.id).secret == b""
    with pytest.raises(FHIRError, match="no such webhook"):
        alert_delivery.remove(services, operator(), webhook.id)


def test_the_secret_is_sealed_with_its_address_and_every_change_is_recorded(either):
    webhook, secret = add(either, "https://receiver.example/alerts")
    services = either.world.deployment.services
    with services.database.read() as snapshot:
        opened = alert_delivery.secret_of(services, snapshot, webhook)
    alert_delivery.remove(services, operator(), webhook.id)

    rows = either.world.audited()[-2:]

    assert opened == secret
    assert secret.startswith("whsec_")
    assert secret.encode() not in webhook.secret
    assert [(one.interaction, one.request) for one in rows] == [
        (Interaction.CONFIG, f"alert webhook add {webhook.id}"),
        (Interaction.CONFIG, f"alert webhook remove {webhook.id}"),
    ]
    assert secret not in repr(webhook)


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/",
        "https://",
        "https://user:word@receiver.example/",
        "https://receiver.example:0/",
        "https://receiver.example:port/",
        "https://receiver.example/a b",
        "https://receiver.example/\r\nX: 1",
        "https://réceiver.example/",
        "ftp://receiver.example/",
        "https://receiver.example/" + "x" * 2_048,
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(clinic, url):
    with pytest.raises(FHIRError, match="A webhook is an https URL"):
        alert_delivery.add(
            clinic.world.deployment.services,
            operator(),
            url=url,
            organisation=None,
            random=bytes,
        )
