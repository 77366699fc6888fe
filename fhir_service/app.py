"""The web application: Flask for everything, the hot reads in front of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service import errors, logs
from fhir_service.auth.cors import Cors
from fhir_service.auth.services import AuthServices
from fhir_service.auth_routes import auth_blueprint
from fhir_service.deployment import Deployment, open_deployment, opened
from fhir_service.ingest.device_health import SECOND_US, count
from fhir_service.metrics import Metrics
from fhir_service.pages import organizations
from fhir_service.pages.api_documentation import documentation_blueprint
from fhir_service.pages.apps import apps_blueprint
from fhir_service.pages.authorize import authorize_blueprint
from fhir_service.pages.compliance import compliance_blueprint
from fhir_service.pages.login import pages_blueprint
from fhir_service.pages.patients import Patients
from fhir_service.pages.people import people_blueprint
from fhir_service.readiness import Probe, readiness
from fhir_service.rest.door import Service
from fhir_service.rest.wsgi import REQUEST_ID, ROUTE, wsgi_handler
from fhir_service.routes import fhir_blueprint, hot_routes
from fhir_service.settings import Settings, shared_metrics
from fhir_service.storage import audit_log, counters, device_states, migrations
from fhir_service.storage.engine import Transaction
from mappings.vendors.table import VENDORS

_log = structlog.get_logger()


def create_service(settings: Settings) -> Service:
    """Return what the door of a web process serves."""
    metrics = Metrics(sources=VENDORS, shared=shared_metrics())
    deployment = open_deployment(settings, metrics=metrics)
    application = create_app(deployment, metrics)
    cors = Cors(deployment.database)
    checkpoints = deployment.checkpoint_writer()
    checkpoints.start()
    indexer = deployment.audit_indexer()
    indexer.start()
    watch = deployment.watch()
    watch.start()

    def close() -> None:
        watch.stop()
        indexer.stop()
        checkpoints.stop()
        deployment.database.close()

    return Service(
        handle=cors.around(wsgi_handler(application.wsgi_app)),
        hot=cors.around_hot(hot_routes(deployment.services)),
        metrics=metrics,
        close=close,
    )


def create_app(deployment: Deployment, metrics: Metrics) -> Flask:
    """Return the Flask application over an open deployment."""
    application = Flask(__name__, static_folder=None, template_folder="pages/templates")
    application.url_map.merge_slashes = False  # A path is not guessed at.
    application.register_blueprint(fhir_blueprint(deployment.services))
    application.register_blueprint(auth_blueprint(deployment.auth))
    application.register_blueprint(
        pages_blueprint(deployment.auth, organizations.names(deployment))
    )
    application.register_blueprint(people_blueprint(deployment))
    application.register_blueprint(compliance_blueprint(deployment))
    patients = Patients(deployment)
    application.register_blueprint(authorize_blueprint(deployment.auth, patients))
    application.register_blueprint(apps_blueprint(deployment.auth, patients))
    application.register_blueprint(documentation_blueprint(deployment))
    _add_probes(application, deployment, metrics)
    _add_error_handlers(application)
    application.after_request(_name_route)
    return application


def _name_route(response: Response) -> Response:
    rule = request.url_rule
    if ROUTE not in request.environ and rule is not None:
        request.environ[ROUTE] = rule.rule
    return response


def _add_probes(application: Flask, deployment: Deployment, metrics: Metrics) -> None:
    @application.get("/livez")
    def livez() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @application.get("/readyz")
    def readyz() -> Response:
        ready, told = readiness(probes_of(deployment))
        return Response(
            fhir_json.dumps({"ready": ready, "checks": told}),
            status=200 if ready else 503,
            mimetype="application/json",
        )

    if deployment.settings.metrics:
        count_devices = _device_counts(deployment, metrics)

        @application.get("/metrics")
        def metrics_page() -> Response:
            count_devices()
            return Response(metrics.render(), content_type="text/plain; version=0.0.4")


DEVICES_EVERY_S = 60
"""Devices are counted for the metrics no more often than that."""


def _device_counts(deployment: Deployment, metrics: Metrics) -> Callable[[], None]:
    """Return what counts the devices anew, if it is time to."""
    last_us = -DEVICES_EVERY_S * SECOND_US

    def count_devices() -> None:
        nonlocal last_us
        now_us = deployment.services.clock()
        if now_us - last_us < DEVICES_EVERY_S * SECOND_US:
            return
        last_us = now_us
        try:
            with deployment.database.read() as snapshot:
                found = count(device_states.every(snapshot), now_us)
            metrics.devices({fact.value: number for fact, number in found.items()})
        except Exception as error:  # noqa: BLE001 - the counters are told even so
            _log.error("failed", **logs.describe(error))

    return count_devices


def _add_error_handlers(application: Flask) -> None:
    @application.errorhandler(404)
    def absent(_error: object) -> Response:
        return _outcome(FHIRError(IssueType.NOT_FOUND, "There is nothing here."), 404)

    @application.errorhandler(405)
    def other_method(_error: object) -> Response:
        error = FHIRError(
            IssueType.NOT_SUPPORTED, "The path does not answer this method."
        )
        return _outcome(error, 405)

    @application.errorhandler(FHIRError)
    def refused(error: FHIRError) -> Response:
        return _outcome(error, errors.status_of(error))

    @application.errorhandler(HTTPException)
    def refused_by_flask(error: HTTPException) -> Response:
        told = FHIRError(IssueType.PROCESSING, f"{error.name}.")
        return _outcome(told, error.code or 400)

    @application.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        _log.error("failed", **logs.describe(error))
        told = FHIRError(IssueType.EXCEPTION, "The service has met a fault of its own.")
        return _outcome(told, 500)


def _outcome(error: FHIRError, status: int) -> Response:
    request_id = request.environ.get(REQUEST_ID) or "unnamed"
    return Response(
        errors.outcome_bytes(error, request_id),
        status=status,
        content_type="application/fhir+json; charset=utf-8",
    )


def probes_of(deployment: Deployment) -> Mapping[str, Probe]:
    """Return what must work before requests are taken."""

    def database() -> None:
        with deployment.database.read() as snapshot:
            audit_log.head(snapshot)

    def schema() -> None:
        if migrations.applied(deployment.database.engine) != migrations.newest():
            raise LookupError("another schema")

    def keys() -> None:
        with deployment.database.read() as snapshot:
            deployment.services.seal.sealer(snapshot, 0)

    def audit() -> None:
        deployment.database.write(_prove_writable)

    return {
        "database": database,
        "migrations": schema,
        "keys-usable": keys,
        "audit": audit,
    }


def _prove_writable(transaction: Transaction) -> None:
    """Write a row of its own: the log's head belongs to who holds the log's lock."""
    counters.put(transaction, "probe", counters.current(transaction, "probe") + 1)


@contextmanager
def probes(settings: Settings) -> Iterator[Mapping[str, Probe]]:
    """Yield the probes of a deployment for `fhir-service doctor`.

    A deployment that cannot be opened fails every one of them.
    """
    try:
        deployment = open_deployment(settings)
    except Exception as error:  # noqa: BLE001 - the doctor reports whatever is wrong
        fault = error

        def failing() -> Any:
            raise fault

        yield dict.fromkeys(("database", "migrations", "keys-usable", "audit"), failing)
        return
    try:
        yield probes_of(deployment)
    finally:
        deployment.database.close()


@contextmanager
def open_auth_services(settings: Settings) -> Iterator[AuthServices]:
    """Yield what the commands about clients and users need."""
    with opened(settings) as deployment:
        yield deployment.auth
