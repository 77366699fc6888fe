"""A revocation holds in every process at once.

https://www.rfc-editor.org/rfc/rfc7009
"""

from dataclasses import dataclass

import pytest
import requests
from deployed import Deployed, free_port
from smart_app import App
from smart_flow import STANDALONE, tokens
from smart_person import PASSWORD, Person
from smart_seed import seed
from smart_service import TIMEOUT_S, SmartService

REQUESTS = 40


@dataclass
class OfTwo(Deployed):
    """A deployment on PostgreSQL with two web processes."""

    database: str = ""

    @property
    def variables(self) -> dict[str, str]:
        return {
            **super().variables,
            "FHIR_SERVICE_DATABASE_URL": self.database,
            "FHIR_SERVICE_WORKERS": "2",
        }


@pytest.fixture
def clinic(migrated_postgres_url, tmp_path):
    process = OfTwo(port=free_port(), folder=tmp_path, database=migrated_postgres_url)
    process.start()
    try:
        yield seed(SmartService(deployed=process))
    finally:
        process.stop()


@pytest.fixture
def app(clinic):
    told = clinic.service.add_client(
        "two-app",
        f"{STANDALONE} introspect",
        *("--kind", "app", "--auth", "secret"),
        *("--redirect-uri", "https://app.example/callback"),
        *("--organization", clinic.organization, "--purpose", "PATRQT"),
    )
    return App(
        service=clinic.service,
        client_id="two-app",
        redirect_uri="https://app.example/callback",
        secret=told["secret"],
    )


@pytest.fixture
def person(clinic):
    words = ("--role", "patient", "--organization", clinic.organization)
    reference = ("--reference", f"Patient/{clinic.patient}")
    clinic.service.add_user("first", PASSWORD, *words, *reference)
    return Person(service=clinic.service, username="first", password=PASSWORD)


def statuses(clinic, token):
    """Return the statuses of many reads, each by a connection of its own."""
    return {
        requests.get(
            f"{clinic.service.base}/Patient/{clinic.patient}",
            headers={"Authorization": f"Bearer {token}", "Connection": "close"},
            timeout=TIMEOUT_S,
        ).status_code
        for _ in range(REQUESTS)
    }


def test_a_revocation_holds_at_once_in_every_process(person, app, clinic):
    given = tokens(person.log_in(), app, STANDALONE)
    assert statuses(clinic, given["access_token"]) == {200}

    assert app.revoke(given["refresh_token"]).status_code == 200

    assert statuses(clinic, given["access_token"]) == {401}
    for _ in range(4):
        assert app.refresh(given["refresh_token"]).status_code == 400
