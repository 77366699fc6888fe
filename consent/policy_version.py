"""Under which rules a decision was made: all that is not in the stored data.

A change of any part may change any answer, so each is told to the audit log before
the first decision under it.

https://hl7.org/fhir/R4/consent.html
"""

from consent.decision import DefaultPolicy
from consent.engine import ENGINE_VERSION
from consent.labels import LABELLER_VERSION
from consent.overlays import OVERLAYS_VERSION
from consent.representatives import MINORS_VERSION


def policy_version(default: DefaultPolicy, zone: str) -> str:
    """Return the version of the policy of a deployment, in words.

    Args:
        default: What applies where no consent votes.
        zone: IANA name of the zone of dates without a time.

    """
    parts = {
        "default": default.value,
        "engine": ENGINE_VERSION,
        "labeller": LABELLER_VERSION,
        "minors": MINORS_VERSION,
        "overlays": OVERLAYS_VERSION,
        "zone": zone,
    }
    return " ".join(f"{name}={value}" for name, value in parts.items())


SHIPPED = policy_version(DefaultPolicy.DENY, "UTC")
"""The policy of a deployment whose operator has chosen nothing."""
