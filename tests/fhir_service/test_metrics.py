import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fhir_service.ingest.device_health import FactName
from fhir_service.metrics import (
    CONTENT_TYPE,
    FACTS,
    FAILURES,
    OUTCOMES,
    REFUSALS,
    Metrics,
)


@pytest.fixture
def metrics():
    return Metrics(sources=("open-mhealth",))


def samples(page):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_route_method_and_status(metrics):
    for _ in range(2):
        metrics.request(method="GET", route="/fhir/{type}", status=200, seconds=0.004)

    found = samples(metrics.render())

    labels = (("method", "GET"), ("route", "/fhir/{type}"), ("status", "200"))
    assert found["fhir_service_requests_total", labels] == 2
    bucket = (("le", "0.005"), ("route", "/fhir/{type}"))
    assert found["fhir_service_request_seconds_bucket", bucket] == 2


def test_a_method_that_a_client_invents_makes_no_label(metrics):
    for number in range(3):
        metrics.request(method=f"CANARY{number}", route="door", status=405, seconds=0)

    page = metrics.render()

    assert b"CANARY" not in page
    labels = (("method", "other"), ("route", "door"), ("status", "405"))
    assert samples(page)["fhir_service_requests_total", labels] == 3


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
def test_measurements_are_counted_by_what_became_of_them(outcome, metrics):
    metrics.ingested(source="open-mhealth", outcome=outcome, count=5)

    labels = (("outcome", outcome), ("source", "open-mhealth"))
    assert samples(metrics.render())["fhir_service_measurements_total", labels] == 5


def test_a_source_or_outcome_that_is_not_listed_makes_no_label(metrics):
    metrics.ingested(source="canary-patient", outcome="72.50", count=1)
    metrics.refused("canary")
    metrics.failed("canary")

    page = metrics.render()

    assert b"canary" not in page
    assert b"72.50" not in page
    labels = (("outcome", "other"), ("source", "other"))
    assert samples(page)["fhir_service_measurements_total", labels] == 1


def test_refusals_and_failures_are_counted_by_their_reason(metrics):
    for reason in REFUSALS:
        metrics.refused(reason)
    for part in FAILURES:
        metrics.failed(part)

    found = samples(metrics.render())

    assert {
        found["fhir_service_refused_total", (("reason", reason),)]
        for reason in REFUSALS
    } == {1}
    assert {
        found["fhir_service_failures_total", (("part", part),)] for part in FAILURES
    } == {1}


def test_two_services_in_one_process_count_apart(metrics):
    metrics.refused("timeout")

    assert b"timeout" not in Metrics(sources=()).render()


def test_the_page_says_what_it_is():
    assert CONTENT_TYPE.startswith("text/plain")


COUNT_IN_A_PROCESS = """
import sys
from pathlib import Path
from fhir_service.settings import share_metrics, shared_metrics
share_metrics(Path(sys.argv[1]))
from fhir_service.metrics import Metrics
metrics = Metrics(sources=(), shared=shared_metrics())
metrics.request(method="GET", route="/x", status=200, seconds=0.1)
sys.stdout.buffer.write(metrics.render())
"""


def test_worker_processes_add_up(tmp_path):
    pages = [
        subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", COUNT_IN_A_PROCESS, str(tmp_path)],
            check=True,
            capture_output=True,
        ).stdout
        for _ in range(2)
    ]

    labels = (("method", "GET"), ("route", "/x"), ("status", "200"))
    assert samples(pages[1])["fhir_service_requests_total", labels] == 2


def test_devices_are_counted_by_fact_and_not_added_up(metrics):
    metrics.devices({"silent": 3, "battery-low": 1})
    metrics.devices({"silent": 2})

    found = samples(metrics.render())

    assert found["fhir_service_devices", (("fact", "silent"),)] == 2
    assert found["fhir_service_devices", (("fact", "battery-low"),)] == 1


def test_every_fact_about_devices_has_its_label():
    assert set(FactName) == FACTS
