"""Two worlds for one reader: hidden resources are in the first, and not in the second.

What the reader may see is the same in both, written at the same times, so that every
answer must be the same but for the ids.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from typing import Any

from made_resources import fill
from worlds import (
    Clinic,
    Headers,
    Json,
    World,
    actor,
    classes,
    codes,
    consent,
    furnish,
    link,
    permit,
    purposes,
)

NOW = datetime.fromisoformat("2026-12-24T12:00:00+00:00")
DENIALS: tuple[Json, ...] = (
    {"class": classes("Condition", "Encounter")},
    {"code": codes("2339-0", "a")},
    {"dataPeriod": {"start": "2026-12-01"}},
)
"""What a patient each hides from the reader, who may see everything else."""

_CHANGING = re.compile(r"_page=[\w-]+|\"id\":\"[0-9a-f]{16}\"")
"""Page tokens, and the id of an OperationOutcome: new each time."""


@dataclass(kw_only=True)
class Side:
    """One of the worlds: the clinic, and a reader of another organization."""

    clinic: Clinic
    organization: str
    reader: Headers

    def permit_reader(self, patient: str, denials: Iterable[Json]) -> None:
        """Store a Consent that permits the reader all but what is denied."""
        provision = permit(
            actor=actor(self.organization),
            purpose=purposes("TREAT"),
            provision=[{"type": "deny", **one} for one in denials],
        )
        if not provision["provision"]:
            del provision["provision"]
        self.clinic.world.create(consent(patient, provision), self.clinic.admin)

    def sees(self, resource: Json) -> bool:
        """Whether the reader may read a resource by its id."""
        path = f"/fhir/{resource['resourceType']}/{resource['id']}"
        return bool(self.clinic.world.get(path, self.reader).status_code == 200)

    def pages(self, query: str) -> Iterator[tuple[int, str]]:
        """Yield status and text of each page of a search."""
        path: str | None = query
        while path is not None:
            answer = self.clinic.world.get(f"/fhir/{path}", self.reader)
            text = answer.get_data(as_text=True)
            yield answer.status_code, _CHANGING.sub("-", text)
            path = _following(answer.json)


def _following(answer: Json) -> str | None:
    """Return the path of the next page, where there is one."""
    is_bundle = answer["resourceType"] == "Bundle"
    following = link(answer, "next") if is_bundle else None
    return following and following.partition("/fhir/")[2]


def _side(world: World) -> Side:
    clinic = furnish(world)
    made = world.create({"resourceType": "Organization", "name": "Other"}, clinic.admin)
    organization = f"Organization/{made['id']}"
    reader = world.client("reader", "system/*.rs", organization=organization)
    return Side(clinic=clinic, organization=organization, reader=reader)


@dataclass(kw_only=True)
class Twins:
    """Both worlds.

    Attributes:
        whole: The one with hidden resources.
        bare: The one without them.
        everything: Resources of the whole one.
        visible: Those of them that the reader may read.
        permitted: Patient of the whole one → what is denied of it; the others are
            hidden with all that is theirs.
        ids: Their ids in the whole world → in the bare one.

    """

    whole: Side
    bare: Side
    everything: list[Json] = field(default_factory=list)
    visible: list[Json] = field(default_factory=list)
    permitted: dict[str, tuple[Json, ...]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def translated(self, text: str) -> str:
        """Return a text with the ids of the bare world."""
        pattern = "|".join(map(re.escape, self.ids))
        return re.sub(pattern, lambda found: self.ids[found[0]], text)


def twins(whole: World, bare: World, seed: int) -> Twins:
    """Fill one world, hide half of it, and write the other half into the second."""
    found = Twins(whole=_side(whole), bare=_side(bare))
    others = [
        side.clinic.world.get(f"/fhir/{side.organization}", side.clinic.admin).json
        for side in (found.whole, found.bare)
    ]
    made = fill(found.whole.clinic, seed).made
    found.everything = [others[0], *made]
    _hide(found)
    found.visible = [one for one in found.everything if found.whole.sees(one)]
    found.ids[others[0]["id"]] = others[1]["id"]
    _replay(found)
    for side in (found.whole, found.bare):
        side.clinic.world.clock.go(NOW)
    return found


def patient_of(resource: Json) -> str:
    """Return the id of the patient whom a resource is about, or nothing."""
    about = resource.get("subject") or resource.get("patient") or {}
    return str(about.get("reference", "").rpartition("/")[2])


def _hide(found: Twins) -> None:
    """Let the reader see every other patient, those with most data in part."""
    count = Counter(patient_of(one) for one in found.everything)
    patients = [
        one["id"] for one in found.everything if one["resourceType"] == "Patient"
    ]
    patients.sort(key=lambda one: (-count[one], one))
    partly = [(one,) for one in DENIALS]
    for patient, denials in zip_longest(patients[::2], partly, fillvalue=()):
        found.permitted[patient] = denials
        found.whole.permit_reader(patient, denials)


def _replay(found: Twins) -> None:
    """Write what is visible into the bare world, each at its time.

    A patient of whom something is visible is there, too.
    """
    clinic = found.bare.clinic
    there = {
        found.whole.clinic.organization: clinic.organization,
        f"Patient/{found.whole.clinic.patient}": f"Patient/{clinic.patient}",
    }
    for resource in found.everything[1:]:
        if resource not in found.visible and resource["id"] not in found.permitted:
            continue
        old = f"{resource['resourceType']}/{resource['id']}"
        reference = there.get(old) or _written(found, resource)
        new = found.ids[resource["id"]] = reference.partition("/")[2]
        if resource["resourceType"] == "Patient":
            clinic.consented(patient_id=new)
            found.bare.permit_reader(new, found.permitted[resource["id"]])


def _written(found: Twins, resource: Json) -> str:
    clinic = found.bare.clinic
    told: dict[str, Any] = dict(resource)
    at = told.pop("meta")["lastUpdated"]
    del told["id"]
    clinic.world.clock.go(datetime.fromisoformat(at))
    made = clinic.world.create(
        json.loads(found.translated(json.dumps(told))), clinic.admin
    )
    return f"{made['resourceType']}/{made['id']}"
