"""A pairing as somebody asks for it, and what it must say.

A day given as its start begins with its midnight in the zone of the pairing, one given
as its end is the last that it covers; so a day of 23 or 25 hours is covered whole.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from conformance.issues import FHIRError, IssueType
from fhir_service.exchange import Services
from fhir_service.ingest import sources
from fhir_service.ingest.paired import account_key, unit_key
from fhir_service.storage.blind_index import BlindIndex
from fhir_service.storage.engine import Snapshot
from mappings.payload import Unreadable, instant, zone_of, zone_offset_minutes
from mappings.times import local_day, named_zone, written_at

LONGEST = 256
"""Characters of what names an account or a unit."""

_DAY_LENGTH = len("2026-11-20")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is to be paired with whom; exactly one of `account` and `unit` is given.

    Attributes:
        patient: Id of the Patient.
        source: The vendor's name.
        account: The vendor's id of an account.
        unit: Serial number, address, UDI or other identifier of a device.
        system: Of the identifier of a device; None for what was read off it.
        location: `Location/id` of the room in which it stands.
        start: When it begins: a day, or a time with its offset; None for now.
        end: When it ends, likewise; None for not yet.
        zone: IANA name of the zone of the account's local times.

    """

    patient: str
    source: str
    account: str | None = None
    unit: str | None = None
    system: str | None = None
    location: str | None = None
    start: str | None = None
    end: str | None = None
    zone: str | None = None

    @property
    def label(self) -> str:
        """How people know again what is paired."""
        if self.account is not None:
            return self.account
        return f"{self.system}|{self.unit}" if self.system else self.unit or ""

    def key(self, blind: BlindIndex) -> bytes:
        """Return the hash by which it is found."""
        if self.account is not None:
            return account_key(blind, self.source, self.account)
        return unit_key(blind, self.source, self.system, self.unit or "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """From when until when, microseconds since 1970; `ends` is not covered."""

    starts: int
    ends: int | None

    def overlaps(self, starts: int, ends: int | None) -> bool:
        """Whether another period has a moment in common."""
        return (self.ends is None or starts < self.ends) and (
            ends is None or self.starts < ends
        )


def checked(services: Services, snapshot: Snapshot, asked: Asked) -> Period:
    """Return the period of a pairing that can be made.

    Raises:
        FHIRError: `value`, with the place of what is wrong.

    """
    _check_source(snapshot, asked)
    _check_names(asked)
    if asked.zone is not None and zone_of(asked.zone) is None:
        raise _wrong("The zone is one IANA time zone.", "zone")
    if asked.location is not None and not _is_room(services, snapshot, asked.location):
        raise _wrong("The room is a Location of this server: Location/id.", "location")
    return _period(services, asked)


def _check_source(snapshot: Snapshot, asked: Asked) -> None:
    vendor = sources.find(snapshot, asked.source)
    if vendor is None:
        raise _wrong("There is no such source here.", "source")
    if (asked.account is None) == (asked.unit is None):
        raise _wrong("Either an account or a device is paired.", "account")
    if asked.account is not None and vendor.is_registered:
        raise _wrong("This source knows its devices, and no accounts.", "account")


def _check_names(asked: Asked) -> None:
    for place, text in (
        ("account", asked.account),
        ("device.value", asked.unit),
        ("device.system", asked.system),
    ):
        if text is not None and not is_name(text):
            raise _wrong(f"This has 1 to {LONGEST} printable characters.", place)


def is_name(text: str) -> bool:
    """Whether a text can name an account, a device or a system."""
    is_trimmed = text == text.strip() and bool(text)
    return is_trimmed and len(text) <= LONGEST and text.isprintable()


def _is_room(services: Services, snapshot: Snapshot, reference: str) -> bool:
    type_, _, id_ = reference.partition("/")
    if type_ != "Location" or not id_:
        return False
    stored = services.repository.read(snapshot, type_, id_)
    return stored is not None and not stored.deleted


def _period(services: Services, asked: Asked) -> Period:
    of_days = named_zone(asked.zone or str(services.repository.deployment.zone))
    now = services.clock()
    starts, _ = (now, now) if asked.start is None else _span(asked.start, of_days)
    ends = None if asked.end is None else _span(asked.end, of_days, "period.end")[1]
    if ends is not None and ends <= starts:
        raise _wrong("It ends after it starts.", "period.end")
    return Period(starts=starts, ends=ends)


def _span(text: str, zone: ZoneInfo, place: str = "period.start") -> tuple[int, int]:
    """Return a moment twice, or the first moments of a day and of the next one."""
    try:
        if len(text) != _DAY_LENGTH:
            at_us = instant(text).us
            return at_us, at_us
        start, end, *_ = local_day(text, zone)
    except Unreadable as error:
        raise _wrong("A day, or a time with its offset.", place) from error
    return start.us, start.us if end is None else end.us


def _wrong(told: str, place: str) -> FHIRError:
    return FHIRError(IssueType.VALUE, told, place)


def written_in(at_us: int, zone: str | None) -> str:
    """Return a moment at the offset of a zone; in UTC where none is known."""
    found = None if zone is None else zone_of(zone)
    offset = None if found is None else zone_offset_minutes(found, at_us)
    return written_at(at_us, offset).text
