import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from fhir_service import server
from fhir_service.server import probe_address
from fhir_service.settings import SettingsError, read_settings

SERVE = """
from fhir_service.server import serve
from fhir_service.settings import process_settings
serve(process_settings(), "served_application:make")
"""

CUT = b"POST /device-data/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"
CHUNKED = (
    b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nabcde\r\n"
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Served:
    port: int
    process: subprocess.Popen
    errors: Path

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def get(self, path, **options):
        return requests.get(self.url + path, timeout=20, **options)

    def post(self, path, body, **options):
        return requests.post(self.url + path, data=body, timeout=20, **options)

    def send(self, data):
        client = socket.create_connection(("127.0.0.1", self.port))
        client.settimeout(20)
        client.sendall(data)
        return client

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def log(self):
        return self.errors.read_text()


@contextmanager
def serving(folder, **environment):
    port = free_port()
    errors = folder / "errors"
    variables = {
        "FHIR_SERVICE_PORT": str(port),
        "FHIR_SERVICE_DATA_DIR": str(folder / "data"),
        "PYTHONPATH": str(Path(__file__).parent),
        **environment,
    }
    kept = {"PATH": os.environ["PATH"]}  # noqa: TID251 - for a process of its own
    with errors.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-W", "error", "-c", SERVE],
            env={**kept, **variables},
            stderr=log,
            stdout=subprocess.PIPE,
        )
    served = Served(port, process, errors)
    try:
        await_service(served)
        yield served
    finally:
        if process.poll() is None:
            served.stop()
        process.stdout.close()


def await_service(served):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            served.get("/page")
        except requests.ConnectionError:
            assert served.process.poll() is None, served.log()
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the service did not start: {served.log()}")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    limits = {
        "FHIR_SERVICE_BODY_DEADLINE_S": "5",
        "FHIR_SERVICE_RESPONSE_DEADLINE_S": "2",
        "FHIR_SERVICE_THREADS": "2",
        "FHIR_SERVICE_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    with serving(tmp_path_factory.mktemp("served"), **limits) as running:
        yield running


def received(client):
    """Return the status, the fields and the body that the server sent, then closes."""
    head, _, body = b"", b"", b""
    with client:
        while b"\r\n\r\n" not in head:
            part = client.recv(65536)
            if not part:
                return None
            head += part
        head, _, body = head.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
        while len(body) < length:
            body += client.recv(65536)
    return int(head.split()[1]), head, body


def outcome(body):
    resource = json.loads(body)
    assert resource["resourceType"] == "OperationOutcome"
    return resource["issue"][0]["code"]


def test_a_stalled_upload_gets_408_and_holds_no_thread_while_it_stalls(served):
    stalled = [served.send(CUT) for _ in range(32)]
    started = time.monotonic()
    took = []

    for _ in range(20):
        before = time.monotonic()
        assert served.get("/echo").status_code == 200
        assert served.get("/fhir/hot").content == b"hot"
        took.append(time.monotonic() - before)
    reading_ended = time.monotonic()
    answers = [received(client) for client in stalled]

    assert reading_ended - started < 4, "the reads waited for the uploads"
    assert {(status, outcome(body)) for status, _, body in answers} == {
        (408, "timeout")
    }


def test_a_large_body_is_refused_by_its_length_before_it_is_read(served):
    client = served.send(
        b"POST /device-data/x HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n"
        b"Connection: close\r\n\r\n"
    )
    client.shutdown(socket.SHUT_WR)

    status, _, body = received(client)

    assert (status, outcome(body)) == (413, "too-long")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_20_megabytes_can_read_why_they_are_refused(
    chunked, served
):
    body = b"x" * 20_000_000
    for _ in range(5):
        sent = iter([body]) if chunked else body

        response = served.post("/device-data/x", sent)

        assert (response.status_code, outcome(response.content)) == (413, "too-long")


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/fhir/Observation", 5 * 1024 * 1024, 200),
        ("/fhir/Observation", 5 * 1024 * 1024 + 1, 413),
        ("/device-data/x", 10 * 1024 * 1024, 200),
        ("/device-data/x", 10 * 1024 * 1024 + 1, 413),
        ("/echo", 256 * 1024, 200),
        ("/echo", 256 * 1024 + 1, 413),
    ],
)
def test_each_door_has_its_own_limit(path, size, status, served):
    response = served.post(path, b"x" * size)

    assert response.status_code == status


def counts(served):
    """Return how many POST requests were handled and how many were incomplete."""
    handled = incomplete = 0
    for family in text_string_to_metric_families(served.get("/metrics").text):
        for sample in family.samples:
            if sample.name == "fhir_service_requests_total":
                wanted = {"method": "POST", "status": "200"}
                handled += sample.value * (wanted.items() <= sample.labels.items())
            if sample.name == "fhir_service_refused_total":
                incomplete += sample.value * (sample.labels["reason"] == "incomplete")
    return handled, incomplete


@pytest.mark.parametrize("data", [CUT, CHUNKED, CHUNKED + b"zz\r\n"])
def test_a_body_that_breaks_off_reaches_no_handler(data, served):
    before = counts(served)

    client = served.send(data)
    client.shutdown(socket.SHUT_WR)
    answer = received(client)

    assert answer is None or answer[0] == 400
    assert counts(served) == (before[0], before[1] + 1)


def test_a_chunked_body_that_ends_is_whole(served):
    client = served.send(CHUNKED + b"3\r\nfgh\r\n0\r\n\r\n")

    status, _, body = received(client)

    assert (status, json.loads(body)["length"]) == (200, 8)


def test_a_length_that_is_no_number_is_refused(served):
    client = served.send(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\nx"
    )

    assert received(client)[0] == 400


def test_every_response_forbids_caches_and_sniffing(served):
    for path in ("/echo", "/fhir/hot", "/missing", "/boom", "/nothing"):
        headers = served.get(path).headers

        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_a_handler_may_choose_its_own_fields(served):
    headers = served.get("/page").headers

    assert headers["cache-control"] == "max-age=60"
    assert headers["x-frame-options"] == "SAMEORIGIN"


def test_a_well_formed_request_id_is_kept(served):
    response = served.get("/echo", headers={"X-Request-Id": "ehr-42.a"})

    assert response.headers["x-request-id"] == "ehr-42.a"
    assert response.json()["id"] == "ehr-42.a"


@pytest.mark.parametrize("asked", ['a"b', "a b", "x" * 65, "a_b"])
def test_any_other_request_id_is_replaced(asked, served):
    ids = {
        served.get("/fhir/hot", headers={"X-Request-Id": asked}).headers["x-request-id"]
        for _ in range(3)
    }

    assert len(ids) == 3
    assert asked not in ids


def test_the_application_sees_the_public_address_and_the_client_behind_the_proxy(
    served,
):
    told = served.get(
        "/echo?a=%20b", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9", "Host": "e"}
    ).json()

    assert told["url"] == "http://localhost:8000/echo?a=%20b"
    assert told["query"] == "a=%20b"
    assert told["remote"] == "203.0.113.9"


def test_head_has_the_length_and_no_body(served):
    response = requests.head(served.url + "/page", timeout=20)

    assert response.headers["content-length"] == "1"
    assert response.content == b""


@pytest.mark.parametrize("path", ["/boom", "/fhir/hot-boom"])
def test_a_failure_is_an_outcome_that_tells_nothing(path, served):
    response = served.get(path)

    assert response.status_code == 500
    assert b"canary" not in response.content


def test_a_failed_ticket_withholds_the_response(served):
    response = served.get("/undurable")

    assert (response.status_code, outcome(response.content)) == (503, "no-store")
    assert b"canary" not in response.content
    assert response.headers["retry-after"] == "5"


def test_a_ticket_that_is_never_done_withholds_the_response(served):
    response = served.get("/never")

    assert (response.status_code, outcome(response.content)) == (503, "transient")
    assert b"canary" not in response.content


def test_a_slow_request_does_not_make_a_hot_read_wait(served):
    slow = [threading.Thread(target=served.get, args=("/sleep/1.5",)) for _ in range(4)]
    for thread in slow:
        thread.start()
    time.sleep(0.2)
    before = time.monotonic()

    assert served.get("/fhir/hot").content == b"hot"

    assert time.monotonic() - before < 1
    for thread in slow:
        thread.join()


def test_nothing_of_a_request_reaches_the_log(tmp_path):
    with serving(tmp_path) as running:
        running.get("/echo?patient=canary-patient&password=canary-password")
        running.get("/canary-path")
        running.get("/boom?x=canary", headers={"Authorization": "Bearer canary"})
        running.get("/fhir/hot-boom", headers={"X-Request-Id": "canary id"})
        running.get("/undurable")
        running.post("/echo", b"canary-body 72.50")
        requests.request("CANARY", running.url + "/echo", timeout=20)
        running.stop()
        log = running.log()

    assert "canary" not in log.lower()
    told = [json.loads(line) for line in log.splitlines()]
    events = {line["event"] for line in told}
    assert {"request", "failed", "not-durable", "library"} <= events
    assert "unlisted" not in events
    routes = {line["route"] for line in told if line["event"] == "request"}
    assert {"/echo", "/boom", "unrouted"} <= routes


def test_a_stop_lets_requests_in_flight_end_and_closes_the_service(tmp_path):
    with serving(tmp_path) as running:
        answers = []
        asking = threading.Thread(
            target=lambda: answers.append(running.get("/sleep/1.0").text)
        )
        asking.start()
        time.sleep(0.4)

        code = running.stop()
        asking.join()
        said = running.process.stdout.read()

    assert (code, answers, said) == (0, ["awake"], b"closed\n")
    with pytest.raises(requests.ConnectionError):
        running.get("/page")


def test_a_stop_does_not_wait_for_a_stalled_upload_beyond_its_deadline(tmp_path):
    limits = {"BODY_DEADLINE_S": "2", "STOP_DEADLINE_S": "4"}
    environment = {f"FHIR_SERVICE_{name}": text for name, text in limits.items()}
    with serving(tmp_path, **environment) as running, running.send(CUT):
        time.sleep(0.2)
        before = time.monotonic()

        code = running.stop()

    assert code == 0
    assert time.monotonic() - before < 6


def test_bodies_share_the_memory_that_the_process_gives_them(tmp_path):
    limits = {
        "DEVICE_BODY_BYTES": "1000000",
        "BODY_MEMORY_BYTES": "1000000",
        "BODY_DEADLINE_S": "3",
    }
    environment = {f"FHIR_SERVICE_{name}": text for name, text in limits.items()}
    head = b"POST /device-data/x HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    with serving(tmp_path, **environment) as running:
        holding = running.send(head + b"x" * 800_000)
        time.sleep(0.5)

        refused = running.post("/device-data/x", b"x" * 900_000)
        received(holding)
        accepted = running.post("/device-data/x", b"x" * 900_000)

    assert (refused.status_code, outcome(refused.content)) == (503, "transient")
    assert refused.headers["retry-after"] == "5"
    assert accepted.status_code == 200


def test_an_address_in_use_is_told_by_the_names_of_its_settings():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        with pytest.raises(SettingsError, match="FHIR_SERVICE_PORT: cannot listen"):
            probe_address(read_settings({"FHIR_SERVICE_PORT": port}))


def test_worker_processes_count_together_and_leave_nothing(tmp_path):
    environment = {
        "FHIR_SERVICE_DATABASE_URL": "postgresql://nowhere/nothing",
        "FHIR_SERVICE_WORKERS": "2",
    }
    with serving(tmp_path, **environment) as running:
        for _ in range(20):
            running.get("/missing", headers={"Connection": "close"})
        line = 'requests_total{method="GET",route="unrouted",status="404"} 20.0\n'
        told = {running.get("/metrics").text.count(line) for _ in range(4)}
        code = running.stop()

    assert (told, code) == ({1}, 0)
    assert list((tmp_path / "data").iterdir()) == []


def test_metrics_that_came_too_early_to_count_together_are_a_defect(tmp_path):
    settings = replace(read_settings({}), data_dir=tmp_path)

    with pytest.raises(RuntimeError), ExitStack() as stack:
        server._metrics_dir(settings, stack)
