"""Chains and reverse chains: conditions on what is referred to, and on what refers.

`subject:Patient.name=peter`; `_has:Observation:patient:code=1234-5`. A part that is
not known is refused even under lenient handling.

https://hl7.org/fhir/R4/search.html#chaining and
https://hl7.org/fhir/R4/search.html#has
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from conformance.classes import class_of
from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import SearchParameter, parameters, resource_types
from fhir_service.search.criteria import Chain, Condition, Criterion, Has
from fhir_service.search.criterion import criterion, not_supported, shared
from fhir_service.search.reading import Reading
from fhir_service.search.reference import aimed

MAX_HOPS: Final = 3
"""References that one chain follows."""

MAX_HAS: Final = 2
"""`_has` inside one another."""

MAX_TARGETS: Final = 20
"""Conditions that one chain stands for, a type of target each."""

_HAS: Final = "_has:"
_HAS_PARTS: Final = 4
"""Of `_has:Type:parameter:condition`."""


class Depth(NamedTuple):
    """How deep a condition is already."""

    hops: int = 0
    has: int = 0


_TOP: Final = Depth()


def is_joined(name: str) -> bool:
    """Whether a parameter asks about other resources."""
    return "." in name or name.partition(":")[0] == "_has"


def condition(
    name: str, value: str, reading: Reading, depth: Depth = _TOP
) -> Condition | None:
    """Return what a parameter asks; None where it is unknown and no chain.

    Raises:
        FHIRError: as `criterion`; `not-supported` for an unknown part of a chain,
            `too-costly` for one that is too deep or ambiguous.

    """
    if depth.hops + name.count(".") > MAX_HOPS:
        raise FHIRError(
            IssueType.TOO_COSTLY, f"A chain follows at most {MAX_HOPS} references."
        )
    if name.partition(":")[0] == "_has":
        return _has(name, value, reading, depth)
    if "." in name:
        return _chain(name, value, reading, depth)
    return criterion(name, value, reading)


def _chain(name: str, value: str, reading: Reading, depth: Depth) -> Chain:
    head, _, rest = name.partition(".")
    code, colon, type_ = head.partition(":")
    parameter = _reference(reading.types, code, name)
    if colon and type_ not in aimed(parameter).targets:
        raise not_supported(name)
    targets: list[tuple[str, Condition]] = []
    deeper = depth._replace(hops=depth.hops + 1)
    for target in _targets(parameter, type_ or None, rest):
        inner = condition(rest, value, reading._replace(types=(target,)), deeper)
        assert inner is not None  # noqa: S101 - narrows for mypy: it is understood
        targets.append((target, inner))
        if sum(len(list(leaves(one))) for _, one in targets) > MAX_TARGETS:
            raise FHIRError(
                IssueType.TOO_COSTLY,
                f"The chain {name[:64]!r} has too many targets: name the type, as in "
                f"{code}:Patient.",
            )
    if not targets:
        raise not_supported(name)
    return Chain(parameter=parameter, targets=tuple(targets))


def _reference(types: tuple[str, ...], code: str, name: str) -> SearchParameter:
    parameter = shared(types, code)
    if parameter is None or parameter.type != "reference":
        raise not_supported(name)
    return parameter


def _targets(parameter: SearchParameter, type_: str | None, rest: str) -> Iterator[str]:
    for target in aimed(parameter, type_).targets:
        if understands(target, rest):
            yield target


@lru_cache(maxsize=1024)
def understands(type_: str, name: str) -> bool:
    """Whether a stored type has the parameters that a chain goes through."""
    if not is_stored(type_):
        return False
    if name.startswith(_HAS):
        return _is_referred_to(type_, name)
    head, dot, rest = name.partition(".")
    code, _, target = head.partition(":")
    parameter = parameters(type_).get(code)
    if parameter is None or not dot:
        return parameter is not None
    named = target if target in parameter.targets else None
    return parameter.type == "reference" and any(
        understands(one, rest) for one in aimed(parameter, named).targets
    )


def _is_referred_to(type_: str, name: str) -> bool:
    """Whether the parameter that a `_has` names can refer to a type."""
    _, source, *rest = name.split(":", _HAS_PARTS - 1)
    parameter = parameters(source).get(rest[0]) if rest and is_stored(source) else None
    return parameter is not None and type_ in aimed(parameter).targets


@lru_cache(maxsize=512)
def is_stored(type_: str) -> bool:
    """Whether resources of a type can be here at all."""
    if type_ not in resource_types():
        return False
    try:
        class_of(type_)
    except FHIRError:
        return False
    return True


def _has(name: str, value: str, reading: Reading, depth: Depth) -> Has:
    if depth.has == MAX_HAS:
        raise FHIRError(
            IssueType.TOO_COSTLY, f"_has goes at most {MAX_HAS} resources deep."
        )
    parts = name.split(":", _HAS_PARTS - 1)
    if len(parts) < _HAS_PARTS or not is_stored(parts[1]):
        raise not_supported(name)
    _, type_, code, rest = parts
    parameter = _reference((type_,), code, name)
    if not set(reading.types) <= set(aimed(parameter).targets):
        raise not_supported(name)
    inner = condition(
        rest,
        value,
        reading._replace(types=(type_,)),
        depth._replace(has=depth.has + 1),
    )
    if inner is None:
        raise not_supported(name)
    return Has(type=type_, parameter=parameter, condition=inner)


def leaves(asked: Condition) -> Iterator[Criterion]:
    """Yield the criteria at the ends of a condition."""
    if isinstance(asked, Criterion):
        yield asked
    elif isinstance(asked, Has):
        yield from leaves(asked.condition)
    else:
        for _, one in asked.targets:
            yield from leaves(one)
