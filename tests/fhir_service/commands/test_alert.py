"""`fhir-service alert`: what is listed, closed, and where alerts are sent."""

import json

import pytest

from consent.audit.entry import AuditRecord, Interaction, Outcome, decode, encode
from fhir_service.deployment import now_us, opened
from fhir_service.storage import audit_log


@pytest.fixture
def exported(settings):
    """Return settings of a deployment whose log tells of an export."""
    record = AuditRecord(
        time_us=now_us(),
        interaction=Interaction.EXPORT,
        outcome=Outcome.ALLOWED,
        user="olga",
    )
    with opened(settings) as deployment:
        leaf = encode(record, seal=lambda text: text)
        deployment.database.log([leaf]).result()
    return settings


def requests_in(settings) -> list[str | None]:
    with opened(settings) as deployment, deployment.database.read() as snapshot:
        unseal = deployment.services.seal.unsealer(snapshot)
        found = [
            decode(bytes(leaf), unseal=unseal)
            for _, leaf, _ in audit_log.entries(snapshot)
        ]
    return [one.request for one in found if one.client == "command line"]


def said(result) -> str:
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def test_open_alerts_are_listed_and_closed_and_each_is_recorded(exported, fhir_service):
    [listed] = json.loads(said(fhir_service(exported, "alert", "list", "--json")))
    line = said(fhir_service(exported, "alert", "list"))
    closed = said(fhir_service(exported, "alert", "close", "1", "--note", "agreed"))
    after = said(fhir_service(exported, "alert", "list", "--json"))

    assert listed == {
        "alert": 1,
        "kind": "audit-export",
        "detail": "Rows of the audit log left as a file.",
        "organization": None,
        "made": listed["made"],
        "count": 1,
        "firstRow": listed["firstRow"],
        "lastRow": listed["firstRow"],
    }
    assert line.startswith("1  audit-export  ")
    assert closed == "Alert 1 is closed.\n"
    assert json.loads(after) == []
    assert requests_in(exported) == [
        "alert list",
        "alert list",
        "alert close 1",
        "alert list",
    ]


def test_an_alert_that_is_not_there_cannot_be_closed(settings, fhir_service):
    result = fhir_service(settings, "alert", "close", "7")

    assert result.exit_code == 1
    assert result.stderr == "fhir-service: There is no such open alert here.\n"


def test_the_secret_of_a_webhook_is_shown_once(settings, fhir_service):
    url = "https://receiver.example/alerts"
    made = json.loads(
        said(fhir_service(settings, "alert", "webhook", "add", url, "--json"))
    )
    [listed] = json.loads(
        said(fhir_service(settings, "alert", "webhook", "list", "--json"))
    )
    line = said(fhir_service(settings, "alert", "webhook", "list"))

    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert listed == made
    assert line == f"{made['webhook']}  open  all  {url}\n"
    assert secret not in line


def test_a_webhook_for_one_organization_is_told_and_removed(settings, fhir_service):
    url = "https://receiver.example/alerts"
    whose = ("--organization", "Organization/a")
    told = said(fhir_service(settings, "alert", "webhook", "add", url, *whose))
    line = said(fhir_service(settings, "alert", "webhook", "list"))
    id_ = line.split()[0]

    removed = said(fhir_service(settings, "alert", "webhook", "remove", id_))

    assert f"Alerts are sent to {url} as webhook {id_}." in told
    assert "which is not shown again, is whsec_" in told
    assert line == f"{id_}  open  Organization/a  {url}\n"
    assert removed == "No alert is sent there any more; its secret is forgotten.\n"
    listed = said(fhir_service(settings, "alert", "webhook", "list"))
    assert listed == f"{id_}  removed  Organization/a  {url}\n"


def test_an_address_that_cannot_be_is_refused(settings, fhir_service):
    result = fhir_service(settings, "alert", "webhook", "add", "ftp://receiver.example")

    assert result.exit_code == 1
    assert "A webhook is an https URL" in result.stderr
