"""`fhir-service mqtt`: subscribe to a broker and store what comes, until SIGTERM."""

import signal
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

from conformance.issues import FHIRError, IssueType
from fhir_service import logs
from fhir_service.auth import local
from fhir_service.deployment import Deployment, opened
from fhir_service.ingest import sources
from fhir_service.ingest.messages import MAX_MESSAGES, Storing
from fhir_service.ingest.mqtt import Broker, Subscriber, SubscriptionError
from fhir_service.ingest.mqtt_journal import Journal
from fhir_service.settings import PREFIX, Settings, SettingsError

FOLDER = "mqtt"
"""Of the data folder: when messages came that the broker may send again."""

PORTS = {"mqtt": 1883, "mqtts": 8883}
"""Where brokers listen (IANA)."""


def run(settings: Settings) -> None:
    """Receive, store and acknowledge until SIGTERM or SIGINT.

    Raises:
        SettingsError: where a setting is missing or names what is not there.
        FHIRError: `forbidden` where the broker refuses a subscription.

    """
    broker = broker_of(settings)
    logs.configure(settings, sys.stderr)
    with opened(settings) as deployment:
        _check(deployment)
        storing = Storing(
            services=deployment.services,
            client_id=settings.mqtt_acting_client,
            gateway=broker.name,
        )
        journal = Journal(
            settings.data_dir / FOLDER / f"{broker.client_id}.journal",
            deployment.services.repository.content_secret,
            room=broker.receive_maximum + MAX_MESSAGES,
        )
        subscriber = Subscriber(broker, storing, journal, deployment.services.clock)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: subscriber.stop())
        checkpoints = deployment.checkpoint_writer()
        checkpoints.start()
        try:
            subscriber.run()
        except SubscriptionError as error:
            raise FHIRError(IssueType.FORBIDDEN, str(error)) from None
        finally:
            checkpoints.stop()


def broker_of(settings: Settings) -> Broker:
    """Return the broker that the settings name.

    Raises:
        SettingsError: where one is missing, or a file cannot be read.

    """
    for name in ("mqtt_url", "mqtt_topics", "mqtt_acting_client", "mqtt_client_id"):
        if not getattr(settings, name):
            raise SettingsError(f"{PREFIX}{name.upper()} must be set.")
    parts = urlsplit(settings.mqtt_url)
    return Broker(
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        tls=_tls(settings) if parts.scheme == "mqtts" else None,
        user=settings.mqtt_user,
        password=_password(settings),
        client_id=settings.mqtt_client_id,
        group=settings.mqtt_group,
        topics=settings.mqtt_topics,
        receive_maximum=settings.mqtt_receive_maximum,
        session_s=settings.mqtt_session_s,
    )


def _password(settings: Settings) -> str:
    if settings.mqtt_password_file is None:
        return settings.mqtt_password
    text = _read(settings.mqtt_password_file, "MQTT_PASSWORD_FILE")
    return text.decode("utf-8", "replace").partition("\n")[0].rstrip("\r")


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{PREFIX}{name}: the file cannot be read: {error.strerror}."
        ) from None


def _tls(settings: Settings) -> ssl.SSLContext:
    """Return what verifies the broker, and by what it knows the service.

    Raises:
        SettingsError: where a file holds no certificate or no key.

    """
    for name in ("mqtt_ca", "mqtt_certificate", "mqtt_key"):
        path = getattr(settings, name)
        if path is not None:
            _read(path, name.upper())
    try:
        context = ssl.create_default_context(cafile=settings.mqtt_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.mqtt_certificate is not None:
            context.load_cert_chain(
                settings.mqtt_certificate, settings.mqtt_key, password=""
            )
    except (ssl.SSLError, ValueError):
        raise SettingsError(
            f"{PREFIX}MQTT_CA, {PREFIX}MQTT_CERTIFICATE and {PREFIX}MQTT_KEY: no "
            "certificates (PEM), or not the unencrypted key of one."
        ) from None
    return context


def _check(deployment: Deployment) -> None:
    """Say at the start what would keep every message from being stored.

    Raises:
        SettingsError: for a source or a client that is not there, or does not fit.

    """
    settings = deployment.settings
    with deployment.database.read() as snapshot:
        try:
            grant = local.registered(snapshot, settings.mqtt_acting_client)
        except FHIRError:
            raise SettingsError(
                f"{PREFIX}MQTT_ACTING_CLIENT is no active client."
            ) from None
        for _, source in settings.mqtt_topics:
            if sources.find(snapshot, source) is None:
                raise SettingsError(f"{PREFIX}MQTT_TOPICS: {source} is no source here.")
            if source not in grant.sources:
                raise SettingsError(
                    f"{PREFIX}MQTT_ACTING_CLIENT does not speak for {source}."
                )
