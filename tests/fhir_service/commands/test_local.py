import os

from fhir_service.auth import clients, local
from fhir_service.auth.clients import Registration
from fhir_service.demo.clients import EHR
from fhir_service.storage import registrations


def test_a_user_without_a_name_is_audited_by_number(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)

    assert local.user() == "uid 4000000000"


def test_an_operator_for_nobody_has_no_actor():
    grant = local.operator(None)

    assert (grant.organization, grant.actors) == (None, frozenset())
    assert grant.purposes == ("TREAT",)


def test_a_client_without_an_organization_acts_for_itself_alone(deployment):
    with deployment.database.read() as snapshot:
        jwks = registrations.find_client(snapshot, EHR).jwks
    registration = Registration(
        client_id="alone", name="Alone", jwks=jwks.encode(), scopes=("system/*.rs",)
    )
    clients.register(deployment.auth, registration)

    with deployment.database.read() as snapshot:
        grant = local.registered(snapshot, "alone")

    assert len(grant.actors) == 1
    assert grant.organization is None
