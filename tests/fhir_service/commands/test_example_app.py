"""The demonstration's SMART app: an origin of its own, and three files."""

import socket

import pytest
import requests

from fhir_service.demo import example_app


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def origin():
    return f"http://localhost:{free_port()}"


def get(url):
    return requests.get(url.replace("localhost", "127.0.0.1"), timeout=5)


def test_the_app_is_at_the_port_above_the_services():
    assert example_app.origin_of("http://localhost:8000") == "http://localhost:8001"


@pytest.mark.parametrize(
    "url", ["https://fhir.test", "http://localhost", "http://10.0.0.1:8000"]
)
def test_there_is_no_app_beside_a_service_elsewhere(url):
    with pytest.raises(ValueError, match="example app"):
        example_app.origin_of(url)


def test_every_file_is_served_and_nothing_else(origin):
    with example_app.serving(origin, "http://localhost:8000/fhir") as is_served:
        answers = {path: get(f"{origin}{path}") for path in example_app.FILES}
        other = get(f"{origin}/../clients.py")

    assert is_served
    assert {path: one.status_code for path, one in answers.items()} == dict.fromkeys(
        example_app.FILES, 200
    )
    assert other.status_code == 404


def test_the_app_may_talk_to_its_service_alone(origin):
    with example_app.serving(origin, "http://localhost:8000/fhir"):
        answer = get(f"{origin}/?code=x&state=y")

    policy = answer.headers["Content-Security-Policy"]
    assert "connect-src http://localhost:8000;" in policy
    assert "default-src 'none'" in policy
    assert "'unsafe" not in policy


def test_a_port_that_is_taken_is_told(origin):
    with (
        example_app.serving(origin, "http://localhost:8000/fhir") as first,
        example_app.serving(origin, "http://localhost:8000/fhir") as second,
    ):
        assert (first, second) == (True, False)
