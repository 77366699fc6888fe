"""TLS in the service itself: which versions, which certificate, whose key."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from certificates import certificate_for
from cryptography.hazmat.primitives import serialization

from fhir_service.server import probe_certificate
from fhir_service.settings import (
    Settings,
    SettingsError,
    environment_of,
    read_settings,
)

SERVE = """
from fhir_service.server import serve
from fhir_service.settings import process_settings
serve(process_settings(), "served_application:make")
"""
START_S = 30

TLS = {"FHIR_SERVICE_TLS_CERTIFICATE": "/x/c.pem", "FHIR_SERVICE_TLS_KEY": "/x/k.pem"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate_for("localhost", tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Path]:
    return certificate_for("localhost", tmp_path)


def settings_with(certificate: Path, key: Path) -> Settings:
    return read_settings(
        {
            "FHIR_SERVICE_PUBLIC_URL": "https://localhost:8000",
            "FHIR_SERVICE_TLS_CERTIFICATE": str(certificate),
            "FHIR_SERVICE_TLS_KEY": str(key),
        }
    )


@pytest.fixture(scope="module")
def port(
    files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Serve with the certificate and yield the port."""
    folder = tmp_path_factory.mktemp("served")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    variables = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - for a process of its own
        "PYTHONPATH": str(Path(__file__).parent),
        "FHIR_SERVICE_PORT": str(port),
        "FHIR_SERVICE_DATA_DIR": str(folder / "data"),
        "FHIR_SERVICE_PUBLIC_URL": f"https://localhost:{port}",
        "FHIR_SERVICE_TLS_CERTIFICATE": str(files[0]),
        "FHIR_SERVICE_TLS_KEY": str(files[1]),
    }
    with (folder / "errors").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-W", "error", "-c", SERVE],
            env=variables,
            stdout=log,
            stderr=log,
        )
    try:
        await_port(port, process, folder / "errors")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_S)


def await_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the service did not start: {log.read_text()}")


def context_of(version: ssl.TLSVersion, authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def asked(port: int, context: ssl.SSLContext) -> tuple[str | None, bytes]:
    """Return the version that was agreed on, and the first line of an answer."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return secured.version(), secured.recv(4096)


@pytest.mark.parametrize(
    ("version", "name"),
    [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")],
)
def test_tls_1_2_and_1_3_are_spoken(
    port: int, files: tuple[Path, Path], version: ssl.TLSVersion, name: str
) -> None:
    agreed, head = asked(port, context_of(version, files[0]))

    assert agreed == name
    assert head.startswith(b"HTTP/1.1 200")
    assert b"strict-transport-security: max-age=31536000" in head.lower()


OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
ALERTS = {"TLSV1_ALERT_PROTOCOL_VERSION", "SSLV3_ALERT_HANDSHAKE_FAILURE"}
"""What a server says that speaks no such version: the client did not give up itself."""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", OLD)
def test_what_is_older_is_refused_by_the_server(
    port: int, files: tuple[Path, Path], version: ssl.TLSVersion
) -> None:
    with pytest.raises(ssl.SSLError) as caught:
        asked(port, context_of(version, files[0]))

    assert caught.value.reason in ALERTS


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", OLD)
def test_the_same_client_is_taken_by_a_server_that_speaks_what_is_older(
    files: tuple[Path, Path], version: ssl.TLSVersion
) -> None:
    lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lenient.set_ciphers("ALL:@SECLEVEL=0")
    lenient.minimum_version = version
    lenient.load_cert_chain(*files)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            plain, _ = server.accept()
            with lenient.wrap_socket(plain, server_side=True) as secured:
                secured.recv(4096)
                secured.sendall(b"taken")

        thread = threading.Thread(target=take)
        thread.start()

        answer = asked(server.getsockname()[1], context_of(version, files[0]))

        thread.join()
    assert answer == (version.name.replace("_", "."), b"taken")


def test_plain_http_is_not_answered(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        plain.sendall(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n")

        assert b"HTTP/1.1 200" not in plain.recv(4096)


def test_a_certificate_and_its_key_are_taken(own: tuple[Path, Path]) -> None:
    probe_certificate(settings_with(*own))


@pytest.mark.parametrize("absent", [0, 1])
def test_a_file_that_cannot_be_read_is_named(
    own: tuple[Path, Path], absent: int
) -> None:
    own[absent].unlink()
    name = ("FHIR_SERVICE_TLS_CERTIFICATE", "FHIR_SERVICE_TLS_KEY")[absent]

    with pytest.raises(SettingsError, match=f"^{name}: the file cannot be read"):
        probe_certificate(settings_with(*own))


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o660, 0o604, 0o650, 0o700])
def test_a_key_that_others_may_use_is_refused(
    own: tuple[Path, Path], mode: int
) -> None:
    own[1].chmod(mode)

    with pytest.raises(SettingsError, match="FHIR_SERVICE_TLS_KEY: others than"):
        probe_certificate(settings_with(*own))


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_for_its_owner_alone_is_taken(own: tuple[Path, Path], mode: int) -> None:
    own[1].chmod(mode)

    probe_certificate(settings_with(*own))


def test_the_two_belong_together(own: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    _, key = certificate_for("localhost", folder)

    with pytest.raises(SettingsError, match="no certificate"):
        probe_certificate(settings_with(own[0], key))


def test_an_encrypted_key_is_refused_and_nobody_is_asked(
    own: tuple[Path, Path],
) -> None:
    key = serialization.load_pem_private_key(own[1].read_bytes(), None)
    own[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(SettingsError, match="unencrypted"):
        probe_certificate(settings_with(*own))


def test_what_is_no_certificate_is_refused(own: tuple[Path, Path]) -> None:
    own[0].write_text("no certificate")

    with pytest.raises(SettingsError, match="no certificate"):
        probe_certificate(settings_with(*own))


def test_without_a_certificate_there_is_nothing_to_check() -> None:
    probe_certificate(read_settings({}))


@pytest.mark.parametrize("name", TLS)
def test_certificate_and_key_are_set_together(name: str) -> None:
    environment = {"FHIR_SERVICE_PUBLIC_URL": "https://a.test", name: TLS[name]}

    with pytest.raises(SettingsError, match="must be set together"):
        read_settings(environment)


def test_with_a_certificate_the_public_url_is_https() -> None:
    with pytest.raises(SettingsError, match="FHIR_SERVICE_PUBLIC_URL must be https"):
        read_settings(TLS)


def test_the_settings_survive_the_way_to_another_process() -> None:
    settings = read_settings({**TLS, "FHIR_SERVICE_PUBLIC_URL": "https://a.test"})
    plain = replace(settings, tls_certificate=None, tls_key=None)

    for each in (settings, plain):
        ours = {
            name: text
            for name, text in environment_of(each).items()
            if name.startswith("FHIR_SERVICE_")
        }

        assert read_settings(ours) == each
