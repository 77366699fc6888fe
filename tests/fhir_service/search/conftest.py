from collections.abc import Callable
from datetime import UTC, tzinfo

import pytest

from fhir_service.search.criteria import Condition, SearchQuery
from fhir_service.search.parse import parse

NOW_US = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z."""


@pytest.fixture
def ask() -> Callable[..., SearchQuery]:
    def asked(
        types: str,
        *pairs: tuple[str, str],
        strict: bool = False,
        zone: tzinfo = UTC,
    ) -> SearchQuery:
        return parse(
            tuple(types.split(",")),
            pairs,
            base_urls=("https://ours.example/fhir",),
            zone=zone,
            now_us=NOW_US,
            strict=strict,
        )

    return asked


@pytest.fixture
def condition(ask: Callable[..., SearchQuery]) -> Callable[[str, str, str], Condition]:
    def only(types: str, name: str, value: str) -> Condition:
        [found] = ask(types, (name, value)).conditions
        return found

    return only
