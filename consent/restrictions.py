"""Law that takes a permit away, whatever the patient's consents and overlays say.

A record of a Part 2 program is opened by no default and by no consent that lacks an
element of 42 CFR 2.31; such a consent may still deny. Collecting is no release and is
not restricted. Notes of counselling in such a program need a consent of their own
(§2.31(b)), which this version does not recognise, so no consent opens them.
"""

from collections.abc import Sequence

from consent.facets import Facets
from consent.formula import Coding
from consent.overlays import OVERLAYS_VERSION, is_note
from consent.part_2 import TAG
from consent.provisions import ParsedConsent

PART_2 = f"part-2/{OVERLAYS_VERSION}"
"""Name of the restriction, as reasons and the audit give it."""


def is_restricted(facets: Facets) -> bool:
    """Whether a law asks for more than a permit."""
    return TAG in facets.tags


def may_permit(
    consent: ParsedConsent, facets: Facets, purposes: Sequence[Coding | None]
) -> bool:
    """Whether the consent, where it permits, opens the signature for these purposes."""
    return not is_restricted(facets) or (
        not is_note(facets) and consent.part_2.may_permit(purposes)
    )
