"""A served instance, furnished through its command line and its FHIR API."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

from deployed import Deployed

from fhir_service.cli import main

TIMEOUT_S = 20


@dataclass(frozen=True, kw_only=True)
class SmartService:
    """A deployment that is served, as those who use it see it.

    Attributes:
        deployed: Its process.

    """

    deployed: Deployed

    @property
    def url(self) -> str:
        return self.deployed.url

    @property
    def base(self) -> str:
        return self.deployed.base

    def command(self, *words: str, typed: str = "") -> str:
        """Run `fhir-service` beside the server, as an operator does; return stdout."""
        done = CliRunner(env=self.deployed.variables).invoke(main, words, input=typed)
        assert done.exit_code == 0, done.output
        return done.stdout

    def add_client(self, client_id: str, scope: str, *words: str) -> dict[str, Any]:
        """Register a client; return what the command line tells its owner."""
        told = self.command(
            *("client", "add", client_id, "--scope", scope, *words, "--json")
        )
        found: dict[str, Any] = json.loads(told)
        return found

    def add_user(self, username: str, password: str, *words: str) -> None:
        self.command("user", "add", username, *words, typed=f"{password}\n")

    def ask(
        self, method: str, path: str, token: str | None = None, **more: Any
    ) -> requests.Response:
        """Send a request to the FHIR API; `path` is below its base."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return requests.request(
            method, f"{self.base}/{path}", headers=headers, timeout=TIMEOUT_S, **more
        )

    def get(self, path: str, token: str | None = None, **more: Any) -> Any:
        return self.ask("GET", path, token, **more)

    def found(self, path: str, token: str) -> list[dict[str, Any]]:
        """Return the matches of a search, on every page."""
        resources = []
        url = f"{self.base}/{path}"
        while url:
            answer = requests.get(
                url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S
            )
            assert answer.status_code == 200, answer.text
            bundle = answer.json()
            resources += [
                one["resource"]
                for one in bundle.get("entry", ())
                if one["search"]["mode"] == "match"
            ]
            links = {one["relation"]: one["url"] for one in bundle["link"]}
            url = links.get("next", "")
        return resources

    def ids(self, path: str, token: str) -> set[str]:
        return {one["id"] for one in self.found(path, token)}
