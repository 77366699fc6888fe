"""The demonstration's SMART app: three files, at a port and thus an origin of its own.

It belongs to the demonstration alone; the service itself never serves it.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

FOLDER = Path(__file__).parent / "app"

FILES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "/": ("index.html", "text/html; charset=utf-8"),
        "/app.js": ("app.js", "text/javascript; charset=utf-8"),
        "/app.css": ("app.css", "text/css; charset=utf-8"),
    }
)
"""Path → file and media type; nothing else is answered."""


def origin_of(public_url: str) -> str:
    """Return the origin of the app of a service: the port above the service's.

    Raises:
        ValueError: where the service is not on this machine, or has no port to tell.

    """
    parts = urlsplit(public_url)
    if parts.scheme != "http" or parts.hostname != "localhost" or parts.port is None:
        raise ValueError("the example app needs a service at http://localhost:PORT")
    return f"http://localhost:{parts.port + 1}"


@contextmanager
def serving(origin: str, fhir_url: str) -> Iterator[bool]:
    """Serve the app until the block ends; give whether its port was free.

    Args:
        origin: Where it is.
        fhir_url: The only place that it may talk to.

    """
    headers = _headers(fhir_url)

    class Handler(_Handler):
        more = headers

    try:
        server = ThreadingHTTPServer(("127.0.0.1", urlsplit(origin).port or 0), Handler)
    except OSError:
        yield False
        return
    thread = threading.Thread(
        target=server.serve_forever, name="example-app", daemon=True
    )
    thread.start()
    try:
        yield True
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _headers(fhir_url: str) -> tuple[tuple[str, str], ...]:
    parts = urlsplit(fhir_url)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"connect-src {parts.scheme}://{parts.netloc}; form-action 'none'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )


class _Handler(BaseHTTPRequestHandler):
    """Answers GET of the three files, and logs nothing."""

    more: tuple[tuple[str, str], ...] = ()

    def do_GET(self) -> None:
        """Send a file."""
        found = FILES.get(urlsplit(self.path).path)
        if found is None:
            self.send_error(404)
            return
        name, media_type = found
        body = (FOLDER / name).read_bytes()
        self.send_response(200)
        for header in (
            ("Content-Type", media_type),
            ("Content-Length", str(len(body))),
            *self.more,
        ):
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - likewise
        """Log nothing: a query may hold a code."""
