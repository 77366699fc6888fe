"""What test_server.py serves: a few routes that show what the door does."""

import time
from concurrent.futures import Future
from typing import Any

from flask import Flask, jsonify, request

from fhir_service.metrics import Metrics
from fhir_service.rest.door import Door, Service
from fhir_service.rest.message import Request, Response
from fhir_service.rest.wsgi import REQUEST_ID, ROUTE, TICKETS, wsgi_handler
from fhir_service.server import door
from fhir_service.settings import process_settings, shared_metrics

metrics = Metrics(sources=(), shared=shared_metrics())
flask = Flask(__name__)


def failed(error: Exception) -> "Future[Any]":
    ticket: Future[Any] = Future()
    ticket.set_exception(error)
    return ticket


@flask.route("/echo", methods=["GET", "POST"])
@flask.route("/device-data/<source>", methods=["POST"])
@flask.route("/fhir/Observation", methods=["POST"])
def echo(source: str = "") -> Any:
    return jsonify(
        method=request.method,
        source=source,
        length=len(request.get_data()),
        query=request.query_string.decode(),
        url=request.url,
        remote=request.remote_addr,
        id=request.environ[REQUEST_ID],
    )


@flask.get("/sleep/<float:seconds>")
def sleep(seconds: float) -> Any:
    time.sleep(seconds)
    return "awake"


@flask.get("/boom")
def boom() -> Any:
    raise ValueError("canary-value of a request")


@flask.get("/undurable")
def undurable() -> Any:
    request.environ[TICKETS].append(failed(OSError("canary-disk is full")))
    return "canary-resource"


@flask.get("/never")
def never() -> Any:
    request.environ[TICKETS].append(Future())
    return "canary-resource"


@flask.get("/page")
def page() -> Any:
    return "x", {"Cache-Control": "max-age=60", "X-Frame-Options": "SAMEORIGIN"}


@flask.get("/nothing")
def nothing() -> Any:
    return "", 204


@flask.get("/metrics")
def show_metrics() -> Any:
    return metrics.render()


@flask.after_request
def name_route(response: Any) -> Any:
    if request.url_rule is not None:
        request.environ[ROUTE] = request.url_rule.rule
    return response


def hot(asked: Request) -> Response | None:
    if asked.path == "/fhir/hot":
        return Response(status=200, body=b"hot", route="/fhir/hot")
    if asked.path == "/fhir/hot-boom":
        raise ValueError("canary-value of a hot request")
    return None


def make() -> Door:
    service = Service(
        handle=wsgi_handler(flask),
        metrics=metrics,
        hot=hot,
        close=lambda: print("closed", flush=True),  # noqa: T201 - the test reads it
    )
    return door(service, process_settings())
