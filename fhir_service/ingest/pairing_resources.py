"""What a pairing of a unit says in FHIR: its Device, and who uses that when.

There is one Device for each unit and patient, whose `patient` never changes; the
period is in a DeviceUseStatement, which a revocation completes.

https://hl7.org/fhir/R4/deviceusestatement.html
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest.paired import clue_of, keys_of_device
from fhir_service.ingest.pairing_asked import Asked, written_in
from fhir_service.ingest.resolve import device_reference
from fhir_service.rest.instant import fhir_instant
from fhir_service.storage import devices, programs, resources, rows, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Written
from fhir_service.storage.resources import Stored
from fhir_service.storage.source_grants import SourceGrant
from fhir_service.storage.units import unit_hash
from mappings.device import device_resource
from mappings.vendors.table import SID

PAIRING: Final = f"{SID}pairing"
"""Identifier system of pairings."""

MOST_DEVICES = 1_000
"""Devices of one patient among which a unit is looked for."""

_SOURCE = re.compile(
    r"(Patient|Practitioner|PractitionerRole|RelatedPerson)/[A-Za-z0-9.\-]{1,64}"
)
"""Whom `DeviceUseStatement.source` can name."""


class UseWriter:
    """Writes the resources of pairings in one transaction, under one batch.

    Attributes:
        written: The `seq` of every version that was stored.

    """

    def __init__(
        self, services: Services, transaction: Transaction, grant: Grant, batch_id: int
    ) -> None:
        self._repository = services.repository
        self._gate = services.gate
        self._transaction = transaction
        self._grant = grant
        self._batch = batch_id
        self.written: list[int] = []

    def device(self, state: PatientState, asked: Asked) -> int:
        """Return the row of the unit's Device, which is stored where there is none.

        Raises:
            FHIRError: `suppressed` where consent does not let it be collected.

        """
        clue = clue_of(asked.source, asked.system, asked.unit or "")
        found = self._known(state, asked)
        [row] = (
            [found.row] if found else self._repository.new_rows(self._transaction, 1)
        )
        resource = (
            self._body(found)
            if found
            else device_resource(
                clue,
                id=rows.public_id(row),
                version="1",
                last_updated=fhir_instant(self._repository.clock()),
                patient=f"Patient/{state.id}",
            )
        )
        if not self._gate.collects(self._transaction, self._grant, state.key, resource):
            raise FHIRError(
                IssueType.SUPPRESSED, "This patient's device data is not collected."
            )
        if found is None:
            self._create(resource, state.key, row)
            self._repository.register_unit(
                self._transaction, state.key, row, asked.source, clue
            )
        return row

    def _known(self, state: PatientState, asked: Asked) -> Stored | None:
        """Return the active Device of the patient that stands for the unit."""
        blind = self._repository.blind
        clue = clue_of(asked.source, asked.system, asked.unit or "")
        hashed = unit_hash(blind, asked.source, clue)
        by_hash = devices.row_of_unit(self._transaction, state.key, hashed)
        key = asked.key(blind)
        for stored in resources.of_patient(
            self._transaction,
            state.key,
            types.number_of("Device"),
            after=0,
            count=MOST_DEVICES,
        ):
            body = self._body(stored)
            is_unit = stored.row == by_hash or key in keys_of_device(
                blind, asked.source, body
            )
            if is_unit and body.get("status") == "active":
                return stored
        return None

    def begin(self, state: PatientState, grant: SourceGrant, device_row: int) -> int:
        """Store who uses the unit from when; return the row of the statement."""
        [row] = self._repository.new_rows(self._transaction, 1)
        person = self._grant.user or ""
        now = self._repository.clock()
        resource: dict[str, Any] = {
            "resourceType": "DeviceUseStatement",
            "identifier": [{"system": PAIRING, "value": grant.id}],
            "status": _status(grant, now),
            "subject": {"reference": f"Patient/{state.id}"},
            "timingPeriod": _timing(grant),
            "recordedOn": fhir_instant(now),
            "source": {"reference": person},
            "device": {
                "reference": device_reference(
                    self._repository, self._transaction, device_row
                )
            },
        }
        if not _SOURCE.fullmatch(person):
            del resource["source"]
        self._create(resource, state.key, row)
        return row

    def end(self, grant: SourceGrant, at_us: int) -> None:
        """Store that the unit is not used any more; nothing where nobody kept it."""
        row = grant.use_row
        old = None if row is None else resources.current(self._transaction, row)
        if old is None or old.deleted:
            return
        body = self._body(old)
        ended = {**body, "status": "completed"}
        if at_us <= grant.starts:
            ended["status"] = "entered-in-error"
        elif grant.ends is None or at_us < grant.ends:
            ended["timingPeriod"] = {
                **body.get("timingPeriod", {}),
                "end": written_in(at_us, grant.zone),
            }
        amended = programs.as_amended(
            self._repository, self._transaction, self._grant.organization, body, ended
        )
        self._note(
            self._repository.update(
                self._transaction, old, amended, id_=body["id"], batch_id=self._batch
            )
        )

    def _create(self, resource: Mapping[str, Any], key: int, row: int) -> None:
        written = programs.as_written(
            self._repository, self._transaction, self._grant.organization, resource
        )
        self._note(
            self._repository.create_at(
                self._transaction,
                written,
                row=row,
                patient_key=key,
                batch_id=self._batch,
            )
        )

    def _note(self, written: Written) -> None:
        self.written.append(written.stored.seq)

    def _body(self, stored: Stored) -> dict[str, Any]:
        return fhir_json.loads_object(self._repository.body(self._transaction, stored))


def _status(grant: SourceGrant, now_us: int) -> str:
    if now_us < grant.starts:
        return "intended"
    return "active" if grant.ends is None or now_us < grant.ends else "completed"


def _timing(grant: SourceGrant) -> dict[str, str]:
    timing = {"start": written_in(grant.starts, grant.zone)}
    if grant.ends is not None:
        timing["end"] = written_in(grant.ends, grant.zone)
    return timing
