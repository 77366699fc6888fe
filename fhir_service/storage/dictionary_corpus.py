"""Made-up resources and requests, in the form in which the service stores them.

The dictionary of bodies is trained on these. Nobody's data is among them, and no name.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from conformance.fhir_json import Number, dumps
from consent import labels
from fhir_service.storage.rows import public_id
from mappings.device import device_resource
from mappings.kinds import Coding, Effective, Kind, ValueType, kinds
from mappings.measurement import Component, DeviceClue, Measurement, Samples
from mappings.normalise import Normalised, normalise
from mappings.observation import render
from mappings.provenance import Agent, provenance_resource

_PAYLOAD_SYSTEM = "https://fhir-interop-service.org/fhir/sid/payload-sha256"

COMMON_KINDS = {
    "heart-rate": 500,
    "steps": 200,
    "oxygen-saturation": 150,
    "respiratory-rate": 150,
    "room-temperature": 150,
    "relative-humidity": 150,
    "active-energy": 100,
    "distance-walking-running": 100,
    "hrv-sdnn": 80,
    "hrv-rmssd": 80,
    "battery-level": 80,
    "illuminance": 80,
    "noise-level": 80,
    "body-temperature": 60,
    "resting-heart-rate": 60,
    "sleep-duration": 40,
    "sleep-session": 40,
}
"""How often the kinds that devices send most are made up, the most frequent first."""

_TIMES_ELSE = 12
_TIMES_OTHERS = 60
_CONTENT_KEY = "https://fhir-interop-service.org/fhir/sid/content-key"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_OFFSETS = ("Z", "+01:00", "+02:00", "-05:00", "-08:00", "+05:30")
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")
_INTERVALS_IN_TEN = 1
_SESSION_S = 28_800


class _Names(NamedTuple):
    """What is made up for one sample."""

    id: str
    patient: str
    device: str
    last_updated: str
    key: str


class Corpus:
    """Made-up resources; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - made-up data, no secret

    def samples(self) -> Iterator[bytes]:
        """Yield every sample, the common kinds often."""
        for kind in kinds().values():
            for _ in range(COMMON_KINDS.get(kind.name, _TIMES_ELSE)):
                yield self.observation(kind)
        for _ in range(_TIMES_OTHERS):
            yield from self.others()

    def others(self) -> Iterator[bytes]:
        """Yield one of each that is not an Observation."""
        yield self.device()
        yield self.provenance()
        yield self.patient()
        yield self.consent()
        yield self.request()

    def names(self) -> _Names:
        """Return identifiers and times for one resource."""
        moment = self.moment()
        milliseconds = self.random.randrange(1000)
        return _Names(
            id=self.id(moment),
            patient=self.id(self.moment()),
            device=self.id(self.moment()),
            last_updated=f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z",
            key=self.random.randbytes(16).hex(),
        )

    def id(self, moment: datetime) -> str:
        """Return the public id of a row made at `moment`."""
        milliseconds = int(moment.timestamp() * 1000)
        return public_id(milliseconds << 20 | self.random.getrandbits(20))

    def moment(self) -> datetime:
        """Return a second of three years."""
        return _BEGIN + timedelta(seconds=self.random.randrange(3 * 365 * 86_400))

    def observation(self, kind: Kind) -> bytes:
        """Return an Observation of `kind`, as the service renders it."""
        names = self.names()
        return render(
            self.normalised(kind),
            id=names.id,
            version="1",
            last_updated=names.last_updated,
            subject=f"Patient/{names.patient}",
            identifier_system=_CONTENT_KEY,
            identifier_value=names.key,
            device=f"Device/{names.device}",
            security=self.security(kind),
        )

    def security(self, kind: Kind) -> tuple[Coding, ...]:
        """Return the labels that our labeller gives this kind."""
        resource = {
            "resourceType": "Observation",
            "code": {
                "coding": [
                    {"system": coding.system, "code": coding.code}
                    for coding in kind.codings
                ]
            },
        }
        marked = labels.labelled(resource, labels.label(resource))
        return tuple(
            Coding(coding["system"], coding["code"], coding.get("display", ""))
            for coding in marked.get("meta", {}).get("security", ())
        )

    def normalised(self, kind: Kind) -> Normalised:
        """Return a made-up measurement of `kind`."""
        start = self.moment()
        lengths = (_SESSION_S,) if kind.components else (60, 300, 900, _SESSION_S)
        end = start + timedelta(seconds=self.random.choice(lengths))
        offset = self.random.choice(_OFFSETS)
        is_interval = (
            kind.effective is Effective.PERIOD
            or self.random.randrange(10) < _INTERVALS_IN_TEN
        )
        measurement = Measurement(
            kind=kind.name,
            value=self.value(kind),
            unit=kind.unit,
            start=f"{start:%Y-%m-%dT%H:%M:%S}{offset}",
            start_us=(start - _EPOCH) // timedelta(microseconds=1),
            end=f"{end:%Y-%m-%dT%H:%M:%S}{offset}" if is_interval else None,
            end_us=((end if is_interval else start) - _EPOCH)
            // timedelta(microseconds=1),
            position="$",
            components=tuple(self.components(kind)),
            zone=self.random.choice((None, None, *_ZONES)),
        )
        found = normalise(measurement, now_us=measurement.end_us)
        if not isinstance(found, Normalised):
            raise TypeError(f"no {kind.name} could be made up: {found.detail}")
        return found

    def components(self, kind: Kind) -> Iterator[Component]:
        """Yield the parts of a panel or session, its stages among them."""
        for name in kind.components:
            part = kinds()[name]
            if part.value is not ValueType.CODE:
                yield Component(name, self.value(part), part.unit)
                continue
            for number in range(self.random.randrange(4, 30)):
                yield Component(name, self.value(part), "", offset_ms=number * 30_000)

    def value(self, kind: Kind) -> Number | str | Samples | None:
        """Return a value of the form that the kind has."""
        if kind.value is ValueType.SAMPLES:
            some = range(self.random.randrange(10, 60))
            return Samples(1000, tuple(self.number(kind) for _ in some))
        if kind.value is ValueType.STRING:
            return f"{self.random.randrange(9)}.{self.random.randrange(99)}"
        if kind.value is ValueType.CODE:
            return self.random.choice(list(kind.values))
        if kind.value is ValueType.BOOLEAN:
            return self.random.choice(("true", "false"))
        if kind.value is ValueType.NONE:
            return None
        return self.number(kind)

    def number(self, kind: Kind) -> Number:
        """Return a number of the plausible range, with the digits devices send."""
        low, high = 1.0, 100.0
        if kind.plausible is not None:
            low, high = float(kind.plausible.low), float(kind.plausible.high)
        digits = self.random.choice((0, 0, 1, 2))
        return Number(f"{self.random.uniform(low, low + (high - low) / 3):.{digits}f}")

    def device(self) -> bytes:
        """Return a Device of a sensor or a watch."""
        names = self.names()
        maker, model, name = self.random.choice(
            (
                ("Apple Inc.", "Watch7,5", "Apple Watch"),
                ("SONOFF", "SNZB-02D", None),
                ("Aqara", "WSDCGQ11LM", None),
                ("Garmin", "Venu 3", "Venu"),
            )
        )
        clue = DeviceClue(
            identifier=f"0x{self.random.getrandbits(64):016x}",
            system="http://hl7.org/fhir/sid/eui-64/zigbee",
            manufacturer=maker,
            model=model,
            name=name,
            hardware=str(self.random.randrange(9)),
            software=f"{self.random.randrange(20)}.{self.random.randrange(9)}",
        )
        return dumps(
            device_resource(
                clue,
                id=names.device,
                version="1",
                last_updated=names.last_updated,
                patient=f"Patient/{names.patient}",
                specializations=[self.random.choice(("heart-rate", "temperature"))],
            )
        )

    def provenance(self) -> bytes:
        """Return a Provenance of a batch."""
        names = self.names()
        return dumps(
            provenance_resource(
                id=names.id,
                version="1",
                last_updated=names.last_updated,
                targets=[f"Observation/{names.id}"],
                occurred=names.last_updated,
                recorded=names.last_updated,
                agents=[
                    Agent(
                        role="assembler",
                        who={"reference": "Device/fhir-interop-service"},
                    ),
                    Agent(role="author", who={"reference": f"Device/{names.device}"}),
                ],
                sources=[(_PAYLOAD_SYSTEM, self.random.randbytes(32).hex())],
                policies=[f"Consent/{names.id}/_history/1"],
            )
        )

    def patient(self) -> bytes:
        """Return a Patient without any likeness."""
        names = self.names()
        return dumps(
            {
                "resourceType": "Patient",
                "id": names.patient,
                "meta": _meta(names),
                "identifier": [
                    {
                        "use": "usual",
                        "system": "urn:oid:2.999.1",
                        "value": str(self.random.randrange(10**8)),
                    }
                ],
                "active": True,
                "name": [{"use": "official", "family": "Family", "given": ["Given"]}],
                "telecom": [
                    {"system": "phone", "value": "+10000000000", "use": "mobile"}
                ],
                "gender": self.random.choice(("female", "male", "other", "unknown")),
                "birthDate": f"{self.moment():%Y-%m-%d}",
                "managingOrganization": {"reference": f"Organization/{names.id}"},
            }
        )

    def consent(self) -> bytes:
        """Return a Consent that permits, with an exception."""
        names = self.names()
        return dumps(
            {
                "resourceType": "Consent",
                "id": names.id,
                "meta": _meta(names),
                "status": "active",
                "scope": _concept("consentscope", "patient-privacy", "Privacy Consent"),
                "category": [
                    {"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}
                ],
                "patient": {"reference": f"Patient/{names.patient}"},
                "dateTime": names.last_updated,
                "organization": [{"reference": f"Organization/{names.device}"}],
                "policy": [{"uri": "https://fhir-interop-service.org/fhir/policy"}],
                "provision": {
                    "type": "permit",
                    "period": {"start": f"{self.moment():%Y-%m-%d}"},
                    "actor": [
                        {
                            "role": _concept(
                                "v3-ParticipationType", "IRCP", "information recipient"
                            ),
                            "reference": {"reference": f"Organization/{names.device}"},
                        }
                    ],
                    "action": [
                        _concept("consentaction", code, code.capitalize())
                        for code in ("collect", "access", "use", "disclose")
                    ],
                    "purpose": [
                        {
                            "system": _terminology("v3-ActReason"),
                            "code": self.random.choice(("TREAT", "HPAYMT", "HRESCH")),
                        }
                    ],
                    "provision": [
                        {
                            "type": "deny",
                            "code": [
                                {
                                    "coding": [
                                        {"system": "http://loinc.org", "code": "8867-4"}
                                    ]
                                }
                            ],
                        }
                    ],
                },
            }
        )

    def request(self) -> bytes:
        """Return a request as the audit log seals it."""
        names = self.names()
        base, order = "/fhir/Observation", "&_sort=-date&_count=50"
        dates = f"date=ge{self.moment():%Y-%m-%d}&date=lt{self.moment():%Y-%m-%d}"
        return self.random.choice(
            (
                f"GET {base}?patient={names.patient}&code=8867-4&{dates}{order}",
                f"GET {base}?patient={names.patient}&category=vital-signs{order}",
                f"GET {base}?patient={names.patient}&_lastUpdated=gt{dates}",
                f"GET /fhir/Observation/{names.id}",
                f"GET /fhir/Device?patient={names.patient}",
                f"GET /fhir/Patient/{names.patient}",
                "POST /device-data/open-mhealth",
                "POST /device-data/zigbee2mqtt",
                "POST /auth/token grant_type=client_credentials",
            )
        ).encode()


def _meta(names: _Names) -> dict[str, str]:
    return {"versionId": "1", "lastUpdated": names.last_updated}


def _terminology(name: str) -> str:
    return f"http://terminology.hl7.org/CodeSystem/{name}"


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {
        "coding": [{"system": _terminology(system), "code": code, "display": display}]
    }
