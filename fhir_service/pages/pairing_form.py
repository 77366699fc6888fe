"""What the page of devices shows: the form that pairs, and what is paired.

A refusal is told in the reader's language, by the field that it is about.
"""

from dataclasses import dataclass
from typing import Final

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import Grant
from fhir_service.deployment import Deployment
from fhir_service.ingest.pairing_asked import Asked, written_in
from fhir_service.ingest.pairing_told import Told
from fhir_service.interactions.planner import Planner
from fhir_service.pages import frame
from fhir_service.pages.frame import Say
from fhir_service.pages.home import moment
from fhir_service.search.parse import parse
from fhir_service.storage import mapping_templates
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.source_grants import SourceGrant
from mappings.vendors.table import VENDORS

FIELDS: Final = ("source", "kind", "named", "location", "start", "end", "zone")
"""Of the form that pairs."""

ACCOUNT: Final = "account"
DEVICE: Final = "device"

MOST_ROOMS: Final = 200
"""Rooms that a page offers."""

_MINUTE = len("2026-11-20T10:00")

PLACES: Final = frozenset(
    {
        "source",
        "account",
        "device.value",
        "zone",
        "location",
        "period.start",
        "period.end",
    }
)
"""Where a pairing can be wrong; each has a text."""

TYPES: Final = frozenset(
    {IssueType.DUPLICATE, IssueType.SUPPRESSED, IssueType.BUSINESS_RULE}
)
"""Why else it is refused; each has a text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A pairing as a page shows it.

    Attributes:
        id: Its name, for a form.
        title: Of its source.
        what: Account or device, in words.
        label: The account or identifier as it was typed.
        state: In words.
        starts: When it begins, in its own zone.
        ends: When it ends; empty where it has no end.
        room: Name of the room; empty for none.
        notice: When it was recorded that co-residents were told; empty for not yet.
        heard: When it was last heard; empty for not yet.
        is_open: Whether it can still be revoked.
        awaits_notice: Whether nothing of it is stored before somebody records a notice.

    """

    id: str
    title: str
    what: str
    label: str
    state: str
    starts: str
    ends: str
    room: str
    notice: str
    heard: str
    is_open: bool
    awaits_notice: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """A room that the form offers."""

    reference: str
    name: str


def asked_of(patient: str) -> Asked:
    """Return what the form asks to pair with a patient."""
    named = frame.field("named").strip()
    is_account = frame.field("kind") == ACCOUNT
    return Asked(
        patient=patient,
        source=frame.field("source"),
        account=named if is_account else None,
        unit=None if is_account else named,
        location=frame.field("location") or None,
        start=frame.field("start").strip() or None,
        end=frame.field("end").strip() or None,
        zone=frame.field("zone").strip() or None,
    )


def typed() -> dict[str, str]:
    """Return what was typed, to be shown again."""
    return {name: frame.field(name) for name in FIELDS}


def wrong(error: FHIRError, say: Say) -> str:
    """Return why something was refused, in words."""
    place = error.issues[0].expression
    if place in PLACES:
        return say(f"pairing-wrong.{place}")
    if error.type in TYPES:
        return say(f"pairing-wrong.{error.type.value}")
    return say("pairing-gone")


def sources(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return name and title of every source, by title; a template has no title."""
    found = {
        one.name: one.name
        for one in mapping_templates.every(snapshot)
        if one.ended is None
    }
    found |= {name: vendor.title for name, vendor in VENDORS.items()}
    return sorted(found.items(), key=lambda one: one[1].casefold())


def line(one: Told, rooms: dict[str, str], say: Say, now_us: int) -> Line:
    """Return a pairing as the page shows it."""
    grant = one.grant
    vendor = VENDORS.get(grant.source)
    is_open = grant.revoked is None and (grant.ends is None or now_us < grant.ends)
    return Line(
        id=grant.id,
        title=grant.source if vendor is None else vendor.title,
        what=say("pairing-account" if one.device is None else "pairing-device"),
        label=one.label,
        state=say(f"pairing-state.{_state(grant, now_us)}"),
        starts=_shown(grant.starts, grant.zone),
        ends="" if grant.ends is None else _shown(grant.ends, grant.zone),
        room=rooms.get(grant.location, grant.location) if grant.location else "",
        notice="" if grant.notice is None else moment(grant.notice),
        heard="" if one.last_heard is None else moment(one.last_heard),
        is_open=is_open,
        awaits_notice=is_open and not grant.is_told,
    )


def _state(grant: SourceGrant, now_us: int) -> str:
    if grant.revoked is not None:
        return "revoked"
    if grant.ends is not None and grant.ends <= now_us:
        return "ended"
    if now_us < grant.starts:
        return "later"
    return "active" if grant.is_told else "waiting"


def _shown(at_us: int, zone: str | None) -> str:
    text = written_in(at_us, zone)
    return f"{text[:_MINUTE].replace('T', ' ')} {zone or 'UTC'}"


def rooms_of(
    deployment: Deployment, snapshot: Snapshot, grant: Grant, organization: str | None
) -> list[Room]:
    """Return the rooms that an organization manages, by name."""
    if organization is None:
        return []
    services = deployment.services
    place = services.repository.deployment
    query = parse(
        ("Location",),
        (("organization", organization),),
        base_urls=place.own_bases,
        zone=place.zone,
        now_us=services.clock(),
        strict=True,
    )
    planner = Planner(services, snapshot, grant)
    plan = planner.plan("Location", query.conditions)
    found = [] if plan is None else planner.versions(plan, None, MOST_ROOMS)
    bodies = map(fhir_json.loads_object, planner.bodies([one for _, one in found]))
    rooms = [
        Room(reference=f"Location/{body['id']}", name=str(body.get("name", body["id"])))
        for body in bodies
        if body.get("status") == "active"
    ]
    return sorted(rooms, key=lambda room: room.name.casefold())
