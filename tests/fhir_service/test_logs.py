import io
import json
import logging
from dataclasses import replace

import pytest
import structlog

from fhir_service.logs import (
    EVENTS,
    KEYS,
    MAX_TEXT,
    AccessLog,
    LibraryHandler,
    configure,
    describe,
    library_handler,
    make_logger,
)
from fhir_service.settings import read_settings

CANARIES = (
    "eyJhbGciOiJSUzM4NCJ9.canary.token",
    "canary-password",
    "patient=canary-patient",
    "Canary, Carla",
    "72.50 canary bpm",
)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream():
    return io.StringIO()


def test_a_line_is_one_json_object_with_its_time(stream):
    make_logger(stream).info("ingest", source="open-mhealth", outcome="stored", count=3)

    [line] = lines(stream)

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "ingest",
        "level": "info",
        "source": "open-mhealth",
        "outcome": "stored",
        "count": 3,
    }


@pytest.mark.parametrize("event", EVENTS)
def test_every_listed_event_leaves_as_itself(event, stream):
    make_logger(stream).info(event)

    assert lines(stream)[0]["event"] == event


@pytest.mark.parametrize("canary", CANARIES)
def test_nothing_of_a_request_leaves_under_a_key_that_is_not_listed(canary, stream):
    log = make_logger(stream)

    log.info("request", query=canary, body=canary, authorization=canary, name=canary)
    log.info("request", **{canary: canary}, headers={"cookie": canary})
    log.info(canary)
    log.info("request", patient=canary, value=canary, url=f"/fhir/Patient?{canary}")

    assert "canary" not in stream.getvalue().lower()
    assert len(lines(stream)) == 4


def library(name, handler):
    logger = logging.Logger(name)  # noqa: LOG001 - kept out of the process's registry
    logger.addHandler(handler)
    return logger


def fail(text):
    try:
        {}[text]
    except KeyError as error:
        raise ValueError(f"bad value {text}") from error


@pytest.mark.parametrize("canary", CANARIES)
def test_an_exception_leaves_without_its_text(canary, stream):
    log = make_logger(stream)

    try:
        fail(canary)
    except ValueError as error:
        log.warning("failed", exc_info=error)
        log.exception("failed")

    assert "canary" not in stream.getvalue().lower()
    for line in lines(stream):
        assert line["errors"] == ["ValueError", "KeyError"]
        assert ".fail:" in "".join(line["frames"])


@pytest.mark.parametrize("canary", CANARIES)
def test_a_library_may_say_who_it_is_and_no_more(canary, stream):
    logger = library("some.library", LibraryHandler(make_logger(stream)))

    logger.warning("SELECT %s", canary)
    try:
        fail(canary)
    except ValueError:
        logger.exception("failed with %s", canary)

    assert "canary" not in stream.getvalue().lower()
    assert lines(stream)[0]["logger"] == "some.library"
    assert lines(stream)[1]["errors"] == ["ValueError", "KeyError"]


def test_the_text_of_a_trusted_library_is_shown(stream):
    logger = library("_granian", LibraryHandler(make_logger(stream)))

    logger.info("Listening at: %s", "http://127.0.0.1:8000")

    assert lines(stream)[0]["message"] == "Listening at: http://127.0.0.1:8000"


def test_the_values_of_listed_keys_are_plain_and_short(stream):
    make_logger(stream).info("ingest", source="x" * 1000, count=True, job=None)

    [line] = lines(stream)

    assert line["source"] == "x" * MAX_TEXT
    assert (line["count"], line["job"]) == (True, None)


def test_a_level_below_the_chosen_one_is_not_written(stream):
    log = make_logger(stream, level="warning")

    log.info("ingest")
    log.warning("audit-failed")

    assert [line["event"] for line in lines(stream)] == ["audit-failed"]


def test_people_can_read_the_text_format(stream):
    make_logger(stream, log_format="text").info("started", port=8000)

    assert "event='started'" in stream.getvalue()
    assert "port=8000" in stream.getvalue()


def test_a_long_chain_of_causes_is_cut():
    error = ValueError()
    for _ in range(100):
        following = ValueError()
        following.__cause__ = error
        error = following

    assert len(describe(error)["errors"]) == 30


@pytest.fixture
def root_logger():
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    yield root
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_a_process_sends_its_logs_and_its_libraries_to_one_stream(stream, root_logger):
    configure(read_settings({}), stream)

    structlog.get_logger().info("started", port=1)
    logging.getLogger("some.library").warning("text %s", "canary")

    assert [line["event"] for line in lines(stream)] == ["started", "library"]
    assert "canary" not in stream.getvalue()
    assert root_logger.level == logging.INFO


def test_a_handler_can_be_made_for_a_library_of_its_own(capsys):
    handler = library_handler(level_name="info", log_format="json")
    logger = library("_granian", handler)

    logger.info("Started worker-1")

    assert json.loads(capsys.readouterr().err)["message"] == "Started worker-1"


def noted(stream, log_format):
    access_log = AccessLog(stream, log_format)
    for seconds in (0.0015, 2):
        access_log.add(
            request_id="abc-1",
            method="GET",
            route="/fhir/{type}/{id}",
            status=200,
            seconds=seconds,
        )
    return access_log


def test_an_access_line_names_the_route_and_not_the_path(stream):
    noted(stream, "json").flush()

    first, second = lines(stream)

    assert set(first) <= KEYS
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "level": "info",
        "event": "request",
        "method": "GET",
        "route": "/fhir/{type}/{id}",
        "status": 200,
        "request_id": "abc-1",
        "duration_ms": 1.5,
    }
    assert second["duration_ms"] == 2000


def test_access_lines_are_written_when_they_are_flushed(stream):
    access_log = noted(stream, "json")
    before = stream.getvalue()

    access_log.flush()
    access_log.flush()

    assert before == ""
    assert len(stream.getvalue().splitlines()) == 2


def test_an_access_line_has_a_text_format(stream):
    noted(stream, "text").flush()

    assert "GET" in stream.getvalue()
    assert "route=/fhir/{type}/{id}" in stream.getvalue()


def test_a_method_that_a_client_invents_is_not_named(stream):
    access_log = AccessLog(stream, "json")

    access_log.add(
        request_id="a", method="CANARY", route="door", status=405, seconds=0.0
    )
    access_log.flush()

    assert lines(stream)[0]["method"] == "other"


def test_the_level_of_the_settings_holds(stream, root_logger):
    configure(replace(read_settings({}), log_level="error"), stream)

    logging.getLogger("some.library").warning("x")
    structlog.get_logger().warning("started")

    assert stream.getvalue() == ""
    assert root_logger.level == logging.ERROR
