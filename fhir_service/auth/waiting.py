"""An authorization request while it waits: what was asked, and what is known since.

It is kept sealed under the key of what is about nobody in particular: it lasts for
minutes, and the patient is only chosen while it waits.
"""

from dataclasses import asdict, dataclass
from typing import Any

from conformance.fhir_json import dumps, loads_object
from fhir_service.auth.authorize_checks import Asked
from fhir_service.auth.services import AuthServices
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.tables import SHARED


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchContext:
    """What is known of a request's context.

    Attributes:
        patient: Id of the Patient; None for none.
        patient_name: The name to show; empty where there is none.
        is_settled: Whether the patient, or that there is none, is decided.
        is_launch: Whether an EHR launch stands behind it.
        encounter: Id of the Encounter of that launch.
        intent: What the app was launched for.
        need_patient_banner: Whether the app has to show whom it is about.
        break_glass_id: The attestation that the launch rests on.

    """

    patient: str | None = None
    patient_name: str = ""
    is_settled: bool = False
    is_launch: bool = False
    encounter: str | None = None
    intent: str | None = None
    need_patient_banner: bool = True
    break_glass_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A request that waits for a person.

    Attributes:
        asked: What the app asked.
        context: What is known of the context.

    """

    asked: Asked
    context: LaunchContext


def sealed(services: AuthServices, snapshot: Snapshot, waiting: Waiting) -> bytes:
    """Return `waiting` as it is stored."""
    seal = services.secrets.sealer(snapshot, SHARED)
    return seal(dumps(asdict(waiting)))


def unsealed(services: AuthServices, snapshot: Snapshot, stored: bytes) -> Waiting:
    """Return what `sealed` has stored.

    Raises:
        LookupError: where its key was destroyed.

    """
    text = services.secrets.unsealer(snapshot)(stored)
    if text is None:
        raise LookupError("a request whose key is gone")
    found = loads_object(text)
    asked: dict[str, Any] = found["asked"]
    lists = {name: tuple(asked[name]) for name in ("prompt", "purposes")}
    return Waiting(
        asked=Asked(**asked | lists), context=LaunchContext(**found["context"])
    )
