"""`fhir-service days-with-data`: which local days of a patient hold what, as a table.

What is counted is what the organisation that manages the patient may read by the
patient's consents; it is audited before it is printed.
"""

import click

from conformance import fhir_json
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.auth import local
from fhir_service.deployment import opened
from fhir_service.ingest.days_door import span, zone_for
from fhir_service.ingest.days_report import local_days, report
from fhir_service.ingest.days_written import as_csv
from fhir_service.ingest.days_written import as_json as listed
from fhir_service.settings import Settings


def run(  # noqa: PLR0913 - the options of the command
    settings: Settings,
    *,
    patient: str,
    start: str,
    end: str | None,
    zone: str | None,
    as_json: bool,
) -> None:
    """Print the report: CSV, or JSON.

    Raises:
        FHIRError: `not-found` for an unknown patient, and as
            `fhir_service.ingest.days_door.days`.

    """
    first, last = span(start, end)
    with opened(settings) as deployment:
        services = deployment.services
        with services.database.read() as snapshot:
            state = local.patient(snapshot, patient)
            grant, now_us = local.operator(state.organization), services.clock()
            found_zone = zone_for(services, snapshot, grant, state.id, zone)
            days = local_days(first, last, found_zone)
            found = report(services, snapshot, grant, state.id, days, now_us)
            leaf = encode(
                AuditRecord(
                    time_us=now_us,
                    interaction=Interaction.READ,
                    outcome=Outcome.ALLOWED,
                    request=f"days-with-data Patient/{state.id} {first} {last}",
                    resource_type="Observation",
                    user=local.user(),
                    client=local.COMMAND_LINE,
                    organisation=state.organization or "",
                    purposes=grant.purposes,
                    patients=(services.pseudonym(state.id),),
                    basis=() if found.decided is None else found.decided.basis,
                ),
                seal=services.seal.sealer(snapshot, state.key),
            )
        services.database.log([leaf]).result()
    if as_json:
        told = listed(state.id, found_zone, found)
        click.echo(fhir_json.pretty(told).decode())
    else:
        click.echo(as_csv(found_zone, found), nl=False)
