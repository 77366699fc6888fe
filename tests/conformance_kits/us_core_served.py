"""Which profiles of US Core the service claims, and what is demanded for them."""

import pytest
from us_core_matrix import groups
from us_core_seed import CORE

from fhir_service.interactions.capabilities import PROFILES

CLAIMED = {
    url.removeprefix(CORE)
    for urls in PROFILES.values()
    for url in urls
    if url.startswith(CORE)
}
ABSTRACT = {"us-core-vital-signs"}
"""Claimed for every vital sign, and of no resource's own."""

SERVED = [group for group in groups() if group.profile in CLAIMED]

of_group = pytest.mark.parametrize("group", SERVED, ids=repr)
