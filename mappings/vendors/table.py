"""The vendors that are understood: one line each, found by the name in the URL.

To add one: a folder with README.md, payload.schema.json and `parse`, and a line here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol

from mappings.measurement import Reading
from mappings.vendors.apple_health.parse import parse as parse_apple_health
from mappings.vendors.open_mhealth.parse import parse as parse_open_mhealth
from mappings.vendors.zigbee2mqtt.parse import parse as parse_zigbee2mqtt

SID = "https://fhir-interop-service.org/fhir/sid/"
"""Identifier systems of our own."""


class Parser(Protocol):
    """Turns a payload, or the payload of a refusal, into readings."""

    def __call__(
        self, payload: Any, *, received_at: datetime, zone: str | None = None
    ) -> Iterator[Reading]:
        """Yield the readings; each received measurement is accounted for once.

        Args:
            payload: JSON, its numbers with their digits.
            received_at: When it came.
            zone: IANA name of the zone of the source's local times, where somebody
                who knows it has said so. It never replaces an offset that is there.

        """


class FileParser(Protocol):
    """Turns a file that may be larger than memory into readings."""

    def __call__(
        self,
        payload: Path | BinaryIO,
        *,
        received_at: datetime,
        zone: str | None = None,
        progress: Callable[[int], None] = ...,
    ) -> Iterator[Reading]:
        """Yield the readings, and tell how many bytes were read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vendor:
    """One source of device data.

    Attributes:
        source: Its name in `POST /device-data/{source}` and on the command line.
        title: Its name for people.
        version: Version of the parser; rises when the same payload would give other
            readings, and goes into Provenance.
        system: Identifier system of the source's own ids of readings.
        media_types: Content types that the device door takes; none for files.
        is_registered: Patient and room come from the device's registration, never
            from the payload.
        parse: The parser.
        parse_file: The parser of a file; None where payloads are small.

    """

    source: str
    title: str
    version: str
    system: str
    media_types: frozenset[str]
    is_registered: bool
    parse: Parser
    parse_file: FileParser | None = None

    @property
    def parser(self) -> str:
        """Return the parser's name and version, as Provenance names it."""
        return f"{self.source}/{self.version}"


_JSON = frozenset({"application/json"})

_VENDORS = (
    Vendor(
        source="apple-health",
        title="Apple Health export",
        version="1",
        system=f"{SID}apple-health",
        media_types=frozenset(),
        is_registered=False,
        parse=parse_apple_health,
        parse_file=parse_apple_health,
    ),
    Vendor(
        source="open-mhealth",
        title="Open mHealth and IEEE 1752.1 data points",
        version="1",
        system=f"{SID}open-mhealth",
        media_types=_JSON,
        is_registered=False,
        parse=parse_open_mhealth,
    ),
    Vendor(
        source="zigbee2mqtt",
        title="Zigbee2MQTT messages",
        version="1",
        system=f"{SID}zigbee2mqtt",
        media_types=_JSON,
        is_registered=True,
        parse=parse_zigbee2mqtt,
    ),
)

VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {vendor.source: vendor for vendor in _VENDORS}
)
"""Every vendor by its name in the URL."""
