"""Readings of one watch that come minutes after the time at which a world starts."""

from datetime import UTC, datetime, timedelta

from worlds import START

from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from mappings.measurement import DeviceClue, Measurement

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_US = 60_000_000
NOW = (START - EPOCH) // timedelta(microseconds=1)

WATCH = DeviceClue(identifier="w-1", system="urn:example:unit", model="Watch")


def measured(kind, value, unit, minutes, **more):
    """Return a reading taken so many minutes after noon on 2026-11-20."""
    at = START + timedelta(minutes=minutes)
    us = (at - EPOCH) // timedelta(microseconds=1)
    written = at.isoformat()
    defaults = {
        "device": WATCH,
        "end": None,
        "end_us": us,
        "source_id": f"{kind}@{minutes}",
    }
    return Measurement(
        kind=kind,
        value=value,
        unit=unit,
        start=written,
        start_us=us,
        position=f"{kind}@{minutes}",
        **{**defaults, **more},
    )


def heart(minutes, **more):
    return measured("heart-rate", 60, "/min", minutes, **more)


def battery(percent, minutes, **more):
    return measured("battery-level", percent, "%", minutes, **more)


def deliver(clinic, *readings, minutes, grant=None, **more):
    """Take readings that come so many minutes after noon; the clock is moved there."""
    world = clinic.world
    world.clock.go(START + timedelta(minutes=minutes))
    options = {
        "source": "test",
        "parser": "test/1",
        "identifier_system": "urn:example:test",
        "is_registered": False,
        "patient_id": clinic.patient,
        "grant": grant or local.operator(clinic.organization),
        "payload_sha256": None,
        "received_us": world.clock(),
    }
    return take(
        world.deployment.services,
        Delivery(**{**options, **more}),
        Origin(interaction=Interaction.INGEST, request="a test"),
        readings,
    )


def at(minutes):
    return NOW + minutes * MINUTE_US
