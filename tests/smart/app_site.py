"""The site of an app, on another site than the service: it starts requests, and waits.

The service is at 127.0.0.1 and this is at localhost, which browsers hold for two sites.
"""

import html
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

WAIT_S = 20


@dataclass
class AppSite:
    """What is served at localhost.

    Attributes:
        port: Of the site.
        pages: Path → HTML.
        arrived: Parameters of what came to `/callback`, in its order.

    """

    port: int = 0
    pages: dict[str, str] = field(default_factory=dict)
    arrived: list[dict[str, str]] = field(default_factory=list)
    _came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def redirect_uri(self) -> str:
        return f"{self.origin}/callback"

    def posts(self, action: str, parameters: Mapping[str, str]) -> str:
        """Serve a page that sends a form by itself; return its URL."""
        fields = "".join(
            f'<input type="hidden" name="{html.escape(name)}" '
            f'value="{html.escape(value)}">'
            for name, value in parameters.items()
        )
        form = f'<form method="post" action="{action}">{fields}</form>'
        script = "<script>document.forms[0].submit()</script>"
        return self.shows("start", f"{form}{script}")

    def frames(self, url: str) -> str:
        """Serve a page with a frame of another; return its URL."""
        return self.shows("frame", f'<iframe name="victim" src="{url}"></iframe>')

    def shows(self, name: str, body: str) -> str:
        head = '<!doctype html><html lang="en"><title>App</title><link rel="icon" '
        self.pages[f"/{name}"] = f'{head}href="data:,">{body}'
        return f"{self.origin}/{name}"

    def came(self, parameters: dict[str, str]) -> None:
        with self._came:
            self.arrived.append(parameters)
            self._came.notify_all()

    def answer(self, state: str) -> dict[str, str]:
        """Return what came for a request; wait for it."""
        with self._came:
            found = self._came.wait_for(lambda: self._with(state), WAIT_S)
        assert found, f"nothing came: {self.arrived}"
        return found

    def _with(self, state: str) -> dict[str, str] | None:
        return next((one for one in self.arrived if one.get("state") == state), None)


@contextmanager
def app_site() -> Iterator[AppSite]:
    """Yield a site while it is served."""
    site = AppSite()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/callback":
                site.came(dict(parse_qsl(parts.query, keep_blank_values=True)))
                site.shows("callback", "<h1>Back in the app</h1>")
            body = site.pages.get(parts.path, "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
