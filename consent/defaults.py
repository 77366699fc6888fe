"""The default policy: asked only where no consent votes.

"Normal" is read strictly: labelled, and N or lower. A sensitivity counts as R.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

from collections.abc import Callable, Mapping

from consent.codes import BREAK_GLASS, NORMAL, TREATMENT, is_purpose
from consent.decision import DefaultPolicy
from consent.formula import Coding
from consent.labels import Labels


def permits_by_default(
    policy: DefaultPolicy, purpose: Coding | None, labels: Labels
) -> bool:
    """Return what the policy says for a purpose and a resource's labels."""
    return _POLICIES[policy](purpose, labels)


def _is_normal(labels: Labels) -> bool:
    return labels.is_labelled and labels.level is not None and labels.level <= NORMAL


def _basic_normal(purpose: Coding | None, labels: Labels) -> bool:
    return purpose is not None and is_purpose(purpose, TREATMENT) and _is_normal(labels)


def _all_normal(purpose: Coding | None, labels: Labels) -> bool:
    return purpose is not None and _is_normal(labels)


def _break_glass_only(purpose: Coding | None, _: Labels) -> bool:
    """Permit a break-glass claim; the engine has refused it if it is not attested."""
    return purpose is not None and is_purpose(purpose, BREAK_GLASS)


_POLICIES: Mapping[DefaultPolicy, Callable[[Coding | None, Labels], bool]] = {
    DefaultPolicy.DENY: lambda _, __: False,
    DefaultPolicy.BASIC_NORMAL: _basic_normal,
    DefaultPolicy.ALL_NORMAL: _all_normal,
    DefaultPolicy.BREAK_GLASS_ONLY: _break_glass_only,
    DefaultPolicy.PERMIT: lambda _, __: True,
}
