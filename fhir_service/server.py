"""Serve the door with granian.

Started by `fhir-service serve`; each worker process imports `app` and calls it.

https://github.com/emmett-framework/granian
"""

import ctypes
import shutil
import signal
import socket
import ssl
import stat
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhir_service import logs
from fhir_service.settings import (
    PREFIX,
    Settings,
    SettingsError,
    make_data_dir,
    process_settings,
    share_metrics,
)

if TYPE_CHECKING:
    from fhir_service.rest.door import Door, Service

_PR_SET_PDEATHSIG = 1

TARGET = "fhir_service.server:app"
"""What a worker process loads; the bench and the tests serve others."""


def app() -> "Door":
    """Return the door of a worker process, its service behind it."""
    from fhir_service.app import (  # noqa: PLC0415 - in worker processes alone
        create_service,
    )

    _end_with_parent()
    settings = process_settings()
    return door(create_service(settings), settings)


def _end_with_parent() -> None:
    """Ask Linux to end this worker when the process that started it is killed.

    Else it would go on serving and hold the address. Other systems know no such wish.
    https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def door(service: "Service", settings: Settings) -> "Door":
    """Return the door to `service`, and send this process's logs to stderr."""
    from fhir_service.rest.door import Door  # noqa: PLC0415 - in worker processes alone

    logs.configure(settings, sys.stderr)
    access_log = (
        logs.AccessLog(sys.stderr, settings.log_format) if settings.access_log else None
    )
    return Door(service, settings, access_log)


def serve(settings: Settings, target: str = TARGET) -> None:
    """Serve until SIGTERM or SIGINT, then let requests in flight end.

    Raises:
        SettingsError: where the address cannot be listened at.

    """
    from granian import Granian  # noqa: PLC0415 - only a process that serves needs it
    from granian.constants import HTTPModes, Interfaces, SSLProtocols  # noqa: PLC0415
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.log import LogLevels  # noqa: PLC0415

    probe_address(settings)
    probe_certificate(settings)
    make_data_dir(settings)
    with ExitStack() as stack:
        if settings.workers > 1:
            share_metrics(_metrics_dir(settings, stack))
        Granian(
            target,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.RSGI,
            factory=True,
            workers=settings.workers,
            workers_kill_timeout=settings.stop_deadline_s,
            respawn_failed_workers=settings.workers > 1,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
            websockets=False,
            ssl_cert=settings.tls_certificate,
            ssl_key=settings.tls_key,
            ssl_protocol_min=SSLProtocols.tls12,
            log_level=LogLevels(settings.log_level),
            log_dictconfig=log_config(settings),
        ).serve()


HEADER_TIMEOUT_MS = 10_000
"""Milliseconds in which the head of a request must have arrived."""


def probe_address(settings: Settings) -> None:
    """Listen for a moment, to say clearly where that cannot be done.

    Raises:
        SettingsError: where the address is in use or not ours.

    """
    try:
        [family, kind, protocol, _, address] = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(
            f"FHIR_SERVICE_HOST and FHIR_SERVICE_PORT: cannot listen at "
            f"{settings.host}:{settings.port}: {error.strerror}."
        ) from None


def probe_certificate(settings: Settings) -> None:
    """Load certificate and key for a moment, to say clearly where that fails.

    Raises:
        SettingsError: where one cannot be read, the two do not belong together, or
            others than its owner may read the key.

    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return
    for name, path in (("TLS_CERTIFICATE", certificate), ("TLS_KEY", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise SettingsError(
                f"{PREFIX}{name}: the file cannot be read: {error.strerror}."
            ) from None
    _refuse_open_key(key)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError):
        raise SettingsError(
            f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY: no certificate (PEM) and "
            f"its unencrypted key."
        ) from None


def _refuse_open_key(key: Path) -> None:
    """Refuse a key that others may read; root may lend it to one group.

    As PostgreSQL does for `ssl_key_file`.
    """
    status = key.stat()
    allowed = 0o640 if status.st_uid == 0 else 0o600
    if stat.S_IMODE(status.st_mode) & ~allowed & 0o777:
        raise SettingsError(
            f"{PREFIX}TLS_KEY: others than its owner may use the file; "
            f"its mode must be 0600."
        )


def _metrics_dir(settings: Settings, stack: ExitStack) -> Path:
    if "prometheus_client" in sys.modules:
        # It has looked for the folder already, and workers inherit what it found.
        raise RuntimeError("metrics were imported before their folder was named")
    path = tempfile.mkdtemp(prefix="metrics-", dir=settings.data_dir)
    stack.callback(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def log_config(settings: Settings) -> dict[str, Any]:
    """Return what makes granian's own lines look like ours."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "ours": {
                "()": "fhir_service.logs.library_handler",
                "level_name": settings.log_level,
                "log_format": settings.log_format,
            }
        },
        "loggers": {
            "_granian": {"handlers": ["ours"], "propagate": False},
            "granian.access": {"handlers": [], "propagate": False},
        },
    }
