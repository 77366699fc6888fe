"""An app, a patient and a practitioner; SQLite is enough for what is not storage."""

import pytest
from authorizing import ADA, Asking, KnownPatients, app_client, flask_app, person

from fhir_service.auth.services import AuthServices
from fhir_service.storage.accounts import Account


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def asking(services: AuthServices) -> Asking:
    patients = KnownPatients()
    asking = Asking(services, patients, flask_app(services, patients))
    asking.add_client(app_client())
    return asking


@pytest.fixture
def ada(asking: Asking) -> Account:
    return asking.add_person(person("patient", "u-ada"), [ADA])


@pytest.fixture
def doctor(asking: Asking) -> Account:
    return asking.add_person(person("practitioner", "u-doctor"))
