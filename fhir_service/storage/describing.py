"""What is told of a resource: labels, signature, and what search finds in it.

All of it is a pure function of the resource, and most of it of its frame alone, which
thousands of readings have in common: see `frames`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.frames import reading_of
from conformance.search_parameters import extract_all
from consent.labels import Labels
from consent.references import Deployment
from consent.signature import Description, clinical_interval, describe
from fhir_service.search.postings import Entries, Posting, entries
from fhir_service.storage.frames import Frame, frame_of, under
from fhir_service.storage.remembered import Remembered

Resource = Mapping[str, Any]

REMEMBERED_FRAMES = 2_048
"""Frames of each kind; one holds some 4 kB of what search finds."""


class Describer:
    """Tells what is to be told of resources, once for each frame.

    Args:
        labeller: Says how confidential a resource is; of an Observation by its codes,
            whatever its value, time and identifier.
        deployment: Our bases, and the zone of dates without an offset.
        secret: Keys what is remembered.

    """

    def __init__(
        self,
        labeller: Callable[[Resource], Labels],
        deployment: Deployment,
        secret: bytes,
    ) -> None:
        self._labeller = labeller
        self._deployment = deployment
        self._secret = secret
        self._labels: Remembered[bytes, Labels] = Remembered(REMEMBERED_FRAMES)
        self._described: Remembered[tuple[bytes, Labels, bool], Description]
        self._described = Remembered(REMEMBERED_FRAMES)
        self._entries: Remembered[tuple[bytes, frozenset[Posting]], Entries]
        self._entries = Remembered(REMEMBERED_FRAMES)

    def frame(self, resource: Resource) -> Frame | None:
        """Return by what a resource is remembered; None where it is not."""
        return frame_of(resource, self._secret)

    def stamped(self, frame: Frame | None, resource: Resource) -> Frame | None:
        """Return the same of the resource with its id, meta and labels."""
        return None if frame is None else under(frame.rest, resource, self._secret)

    def label(self, frame: Frame | None, resource: Resource) -> Labels:
        """Return the labels of a resource."""
        if frame is None:
            return self._labeller(resource)
        known = self._labels.get(frame.digest)
        if known is None:
            known = self._labels.keep(frame.digest, self._labeller(resource))
        return known

    def describe(
        self, frame: Frame | None, resource: Resource, found: Labels
    ) -> Description:
        """Return signature, consent times and index rows, as `signature.describe`."""
        if frame is None:
            return describe(resource, labels=found, deployment=self._deployment)
        start_us, end_us, is_dated = clinical_interval(resource, self._deployment.zone)
        at = (frame.digest, found, is_dated)
        known = self._described.get(at)
        if known is None:
            told = describe(resource, labels=found, deployment=self._deployment)
            return self._described.keep(at, told)
        return known._replace(start_us=start_us, end_us=end_us)

    def entries(self, frame: Frame | None, resource: Resource) -> Entries:
        """Return what the indexes of search shall hold of a resource.

        Of the reading it is worked out each time. What its parameters find without
        regard to the value is part of what the rest is remembered by: a composite
        finds something only where both of its components do.
        """
        if frame is None:
            return self._extracted(resource)
        own = self._extracted(reading_of(resource))
        at = (frame.digest, frozenset(own.shared))
        known = self._entries.get(at)
        if known is None:
            known = self._entries.keep(at, _without(self._extracted(resource), own))
        return Entries(
            shared=known.shared,
            own=known.own | own.own,
            dates=known.dates | own.dates,
            quantities=known.quantities | own.quantities,
        )

    def _extracted(self, resource: Resource) -> Entries:
        return entries(resource["resourceType"], self.found(resource))

    def found(self, resource: Resource) -> dict[str, list[Any]]:
        """Return what each search parameter of its type finds in a resource."""
        extract = extract_all(
            resource["resourceType"],
            zone=self._deployment.zone,
            base_urls=self._deployment.own_bases,
        )
        return extract(dict(resource))


def _without(whole: Entries, own: Entries) -> Entries:
    """Return what is found in a frame: the rest, but for what all rows share."""
    return replace(
        whole,
        shared=frozenset(whole.shared),
        own=whole.own - own.own,
        dates=whole.dates - own.dates,
        quantities=whole.quantities - own.quantities,
    )
