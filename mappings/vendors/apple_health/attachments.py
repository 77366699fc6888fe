"""What lies beside export.xml in the zip: electrocardiograms, routes, documents.

https://support.apple.com/guide/iphone/share-your-health-data-iph5ede58c3d/ios
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from mappings.measurement import OutOfScope, Reading, Reason, Refusal
from mappings.vendors.apple_health import ecg
from mappings.vendors.apple_health.archive import Attachment

_RECORDING = ".csv"

OUT_OF_SCOPE: Mapping[str, str] = MappingProxyType(
    {
        ".gpx": "workout route",
        ".xml": "clinical document",
        ".json": "clinical record",
    }
)
"""What a file is that is recognised by its name and never stored."""

_OTHER = "other file of the export"


def readings(attachments: Iterable[Attachment], zone: str | None) -> Iterator[Reading]:
    """Yield the readings of the recordings; count what is never stored.

    Names of files hold dates and words of the phone's language, and are not told.
    """
    never_stored: Counter[str] = Counter()
    recordings = 0
    for attachment in attachments:
        suffix = PurePosixPath(attachment.name).suffix.lower()
        if suffix == _RECORDING:
            recordings += 1
            yield _recording(attachment, f"electrocardiogram[{recordings}]", zone)
        else:
            never_stored[OUT_OF_SCOPE.get(suffix, _OTHER)] += 1
    for what, count in never_stored.items():
        yield OutOfScope(what.replace(" ", "-"), what, count)


def _recording(attachment: Attachment, position: str, zone: str | None) -> Reading:
    data = attachment.read(ecg.MAX_BYTES + 1)
    if data is None:
        detail = "The recording is damaged, encrypted or packed in an unusual way."
        return Refusal(position, Reason.MALFORMED, ecg.KIND, detail)
    if len(data) > ecg.MAX_BYTES:
        detail = "The recording is longer than one can be."
        return Refusal(position, Reason.MALFORMED, ecg.KIND, detail)
    return ecg.reading(data.decode("utf-8", "replace"), position, zone)
