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
from mappings.vendors.awair.parse import parse as parse_awair
from mappings.vendors.fit.parse import parse as parse_fit
from mappings.vendors.fitbit.parse import parse as parse_fitbit
from mappings.vendors.fitbit.parse import parse_file as parse_fitbit_file
from mappings.vendors.garmin.parse import parse as parse_garmin
from mappings.vendors.garmin_connect.parse import parse as parse_garmin_connect
from mappings.vendors.garmin_connect.parse import (
    parse_file as parse_garmin_connect_file,
)
from mappings.vendors.google_fit.parse import parse as parse_google_fit
from mappings.vendors.google_health.parse import parse as parse_google_health
from mappings.vendors.health_connect.parse import parse as parse_health_connect
from mappings.vendors.home_assistant.parse import parse as parse_home_assistant
from mappings.vendors.ihealth.parse import parse as parse_ihealth
from mappings.vendors.matter.parse import parse as parse_matter
from mappings.vendors.netatmo.parse import parse as parse_netatmo
from mappings.vendors.open_mhealth.parse import parse as parse_open_mhealth
from mappings.vendors.oura.parse import parse as parse_oura
from mappings.vendors.sleep_as_android.parse import parse as parse_sleep_as_android
from mappings.vendors.sleep_as_android.parse import (
    parse_file as parse_sleep_as_android_file,
)
from mappings.vendors.whoop.parse import parse as parse_whoop
from mappings.vendors.withings.parse import parse as parse_withings
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
        prefix: What Provenance says before the name: `template/` for a template.

    """

    source: str
    title: str
    version: str
    system: str
    media_types: frozenset[str]
    is_registered: bool
    parse: Parser
    parse_file: FileParser | None = None
    prefix: str = ""

    @property
    def parser(self) -> str:
        """Return the parser's name and version, as Provenance names it."""
        return f"{self.prefix}{self.source}/{self.version}"


_JSON = frozenset({"application/json"})

_VENDORS = (
    Vendor(
        source="apple-health",
        title="Apple Health export",
        version="2",
        system=f"{SID}apple-health",
        media_types=_JSON,
        is_registered=False,
        parse=parse_apple_health,
        parse_file=parse_apple_health,
    ),
    Vendor(
        source="garmin",
        title="Garmin Health API pushes",
        version="1",
        system=f"{SID}garmin",
        media_types=_JSON,
        is_registered=False,
        parse=parse_garmin,
    ),
    Vendor(
        source="garmin-connect",
        title="Garmin Connect web answers",
        version="1",
        system=f"{SID}garmin-connect",
        media_types=frozenset(),
        is_registered=False,
        parse=parse_garmin_connect,
        parse_file=parse_garmin_connect_file,
    ),
    Vendor(
        source="fit",
        title="FIT files",
        version="1",
        system=f"{SID}fit",
        media_types=frozenset(),
        is_registered=False,
        parse=parse_fit,
        parse_file=parse_fit,
    ),
    Vendor(
        source="open-mhealth",
        title="Open mHealth and IEEE 1752.1 data points",
        version="2",
        system=f"{SID}open-mhealth",
        media_types=_JSON,
        is_registered=False,
        parse=parse_open_mhealth,
    ),
    Vendor(
        source="matter",
        title="Matter nodes and attribute reports",
        version="1",
        system=f"{SID}matter",
        media_types=_JSON,
        is_registered=True,
        parse=parse_matter,
    ),
    Vendor(
        source="netatmo",
        title="Netatmo weather stations and air monitors",
        version="1",
        system=f"{SID}netatmo",
        media_types=_JSON,
        is_registered=True,
        parse=parse_netatmo,
    ),
    Vendor(
        source="awair",
        title="Awair air monitors",
        version="1",
        system=f"{SID}awair",
        media_types=_JSON,
        is_registered=True,
        parse=parse_awair,
    ),
    Vendor(
        source="home-assistant",
        title="Home Assistant states",
        version="1",
        system=f"{SID}home-assistant",
        media_types=_JSON,
        is_registered=True,
        parse=parse_home_assistant,
    ),
    Vendor(
        source="zigbee2mqtt",
        title="Zigbee2MQTT messages",
        version="2",
        system=f"{SID}zigbee2mqtt",
        media_types=_JSON,
        is_registered=True,
        parse=parse_zigbee2mqtt,
    ),
    Vendor(
        source="ihealth",
        title="iHealth Open API",
        version="1",
        system=f"{SID}ihealth",
        media_types=_JSON,
        is_registered=False,
        parse=parse_ihealth,
    ),
    Vendor(
        source="oura",
        title="Oura API, version 2",
        version="1",
        system=f"{SID}oura",
        media_types=_JSON,
        is_registered=False,
        parse=parse_oura,
    ),
    Vendor(
        source="whoop",
        title="WHOOP API, version 2",
        version="1",
        system=f"{SID}whoop",
        media_types=_JSON,
        is_registered=False,
        parse=parse_whoop,
    ),
    Vendor(
        source="health-connect",
        title="Health Connect records",
        version="1",
        system=f"{SID}health-connect",
        media_types=_JSON,
        is_registered=False,
        parse=parse_health_connect,
    ),
    Vendor(
        source="google-health",
        title="Google Health API, version 4",
        version="1",
        system=f"{SID}google-health",
        media_types=_JSON,
        is_registered=False,
        parse=parse_google_health,
    ),
    Vendor(
        source="google-fit",
        title="Google Fit data sets",
        version="1",
        system=f"{SID}google-fit",
        media_types=_JSON,
        is_registered=False,
        parse=parse_google_fit,
    ),
    Vendor(
        source="fitbit",
        title="Fitbit files",
        version="1",
        system=f"{SID}fitbit",
        media_types=frozenset(),
        is_registered=False,
        parse=parse_fitbit,
        parse_file=parse_fitbit_file,
    ),
    Vendor(
        source="sleep-as-android",
        title="Sleep as Android exports",
        version="1",
        system=f"{SID}sleep-as-android",
        media_types=frozenset(),
        is_registered=False,
        parse=parse_sleep_as_android,
        parse_file=parse_sleep_as_android_file,
    ),
    Vendor(
        source="withings",
        title="Withings public API",
        version="1",
        system=f"{SID}withings",
        media_types=_JSON,
        is_registered=False,
        parse=parse_withings,
    ),
)

VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {vendor.source: vendor for vendor in _VENDORS}
)
"""Every vendor by its name in the URL."""
