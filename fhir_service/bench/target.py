"""What the bench serves: the product's application, some variants, a static route.

All are answered by one process behind one door, so that their rates can be compared.
A header names the variant. Nothing of the product imports this module; switching
consent or the audit log off exists here alone, over the synthetic data of the bench.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from flask import Flask
from flask import Response as FlaskResponse

from consent.decision import DefaultPolicy
from fhir_service.access import Decided, Gate
from fhir_service.app import create_app
from fhir_service.auth.bearer import Grant, authenticate
from fhir_service.deployment import Deployment, open_deployment
from fhir_service.exchange import Exchange
from fhir_service.metrics import Metrics
from fhir_service.rest.door import Door, Service
from fhir_service.rest.message import Request, Response
from fhir_service.rest.rendered import RenderedPages
from fhir_service.rest.wsgi import wsgi_handler
from fhir_service.routes import ROUTES, Route, hot_routes
from fhir_service.server import door
from fhir_service.settings import Settings, process_settings, shared_metrics
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.predicate import EVERYBODY, View
from mappings.vendors.table import VENDORS

VARIANT = "x-bench-variant"
"""The header that names the variant of the search."""

STATIC_PATH = "/bench/static"

STATIC_FILE = "bench-static.json"
"""In the data folder: the body of the static route."""


class EverythingDecided(Decided):
    """A view without a predicate, whatever is asked for."""

    def of_codes(self, codes: Iterable[int]) -> View:
        """Return the whole view."""
        del codes
        return self.view


class NoConsent(Gate):
    """Lets every read pass, to tell what deciding costs."""

    def view(
        self, snapshot: Snapshot, grant: Grant, state: PatientState, type_: str
    ) -> Decided:
        """Return everything of the patient."""
        del snapshot, grant, type_
        return EverythingDecided(
            view=View(patient_key=state.key, groups=((True, (0,)),), whole=True),
            basis=(),
            patients=(state.id,),
            by_code={},
        )

    def everybody(self, snapshot: Snapshot, grant: Grant, type_: str) -> View:
        """Return everything of all patients."""
        del snapshot, grant, type_
        return View(patient_key=EVERYBODY, groups=(), whole=True)


class _Remembered:
    """Looks a token up once and never again, to tell what looking up costs."""

    def __init__(self) -> None:
        self._known: dict[str | None, Grant] = {}

    def __call__(
        self, snapshot: Snapshot, authorization: str | None, now_us: int
    ) -> Grant:
        """Return what the token allowed when it was first seen."""
        known = self._known.get(authorization)
        if known is None:
            known = authenticate(snapshot, authorization, now_us)
            self._known[authorization] = known
        return known


Hot = Callable[[Request], Response | None]


def variants(deployment: Deployment, gate: Gate) -> Mapping[str, Hot]:
    """Return the hot routes of each variant.

    Args:
        deployment: The product's own.
        gate: What decides where consent is off.

    """
    services = deployment.services
    return {
        "durable": hot_routes(services),
        "not-awaited": hot_routes(replace(services, awaits_audit=False)),
        "rendered": hot_routes(
            replace(services, awaits_audit=False, pages=RenderedPages(limit_bytes=0))
        ),
        "no-consent": hot_routes(replace(services, gate=gate)),
        "known-token": hot_routes(replace(services, authenticate=_Remembered())),
        "unaudited": hot_routes(services, tuple(map(_unaudited, ROUTES))),
    }


def _unaudited(route: Route) -> Route:
    """Return a route whose answers make no audit row, to tell what rows cost."""

    def handler(exchange: Exchange, *names: str) -> Response:
        response = route.handler(exchange, *names)
        exchange.is_audited = True
        return response

    return replace(route, handler=handler)


def app() -> Door:
    """Return the door of a worker process."""
    settings = process_settings()
    return door(_service(settings), settings)


def _service(settings: Settings) -> Service:
    deployment = open_deployment(settings)
    metrics = Metrics(sources=VENDORS, shared=shared_metrics())
    application = create_app(deployment, metrics)
    _add_static(application, (settings.data_dir / STATIC_FILE).read_bytes())
    checkpoints = deployment.checkpoint_writer()
    checkpoints.start()
    indexer = deployment.audit_indexer()
    indexer.start()
    by_name = variants(deployment, no_consent(deployment))

    def hot(request: Request) -> Response | None:
        return by_name[request.headers.get(VARIANT, "durable")](request)

    def close() -> None:
        indexer.stop()
        checkpoints.stop()
        deployment.database.close()

    return Service(
        handle=wsgi_handler(application.wsgi_app),
        hot=hot,
        metrics=metrics,
        close=close,
    )


def no_consent(deployment: Deployment) -> NoConsent:
    """Return the gate that lets every read of a deployment pass."""
    services = deployment.services
    policy = DefaultPolicy(deployment.settings.default_policy)
    return NoConsent(services.repository, policy, services.clock)


def _add_static(application: Flask, body: bytes) -> None:
    @application.get(STATIC_PATH)
    def static_page() -> FlaskResponse:
        return FlaskResponse(body, content_type="application/fhir+json; charset=utf-8")
