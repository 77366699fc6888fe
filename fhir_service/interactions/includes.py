"""`_include` and `_revinclude`: what a page of matches refers to, and what to it.

Every candidate passes the same gate as a match: scope, consent, class.

https://hl7.org/fhir/R4/search.html#revinclude
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from conformance.references import Reference
from conformance.search_parameters import extractor, parameters
from fhir_service.auth.bearer import Grant, InsufficientScope, require
from fhir_service.exchange import Exchange
from fhir_service.interactions import provenance
from fhir_service.interactions.planner import Planner
from fhir_service.search.criteria import Criterion, Include, ReferenceValue
from fhir_service.storage import types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import Stored

MAX_INCLUDED = 1_000
"""Included resources on one page; more is refused, never cut."""

MAX_ROUNDS = 5
"""How often `:iterate` follows what it has just found."""

Body = tuple[Stored, bytes]


class Included:
    """Collects what one page includes.

    Args:
        exchange: The request.
        snapshot: Of matches and included alike.
        planner: Of the same request.

    """

    def __init__(
        self, exchange: Exchange, snapshot: Snapshot, planner: Planner
    ) -> None:
        self._exchange = exchange
        self._grant: Grant = exchange.who
        self._snapshot = snapshot
        self._planner = planner
        self._repository = exchange.services.repository
        self._gate = exchange.services.gate
        self._seen: set[int] = set()
        self.found: list[Body] = []
        self.rendered: dict[str, bytes] = {}

    def follow(self, includes: Sequence[Include], matches: Sequence[Body]) -> None:
        """Find what `matches` include.

        Raises:
            FHIRError: `too-costly` for more than `MAX_INCLUDED`.

        """
        self._seen.update(stored.row for stored, _ in matches)
        fresh = list(matches)
        asked: Sequence[Include] = includes
        for _ in range(MAX_ROUNDS):
            fresh = [one for include in asked for one in self._new(include, fresh)]
            asked = [include for include in includes if include.iterate]
            if not fresh or not asked:
                return

    def _new(self, include: Include, bodies: Sequence[Body]) -> Iterator[Body]:
        find = self._referring if include.is_reverse else self._referred
        for stored in find(include, bodies):
            if stored.row in self._seen:
                continue
            self._seen.add(stored.row)
            body = stored, self._repository.body(self._snapshot, stored)
            self.found.append(body)
            if len(self.found) + len(self.rendered) > MAX_INCLUDED:
                raise FHIRError(
                    IssueType.TOO_COSTLY,
                    f"A page includes at most {MAX_INCLUDED} resources; lower _count.",
                )
            yield body

    def _referred(self, include: Include, bodies: Sequence[Body]) -> Iterator[Stored]:
        place = self._repository.deployment
        find = extractor(
            include.source,
            include.parameter,
            zone=place.zone,
            base_urls=place.own_bases,
        )
        number = types.number_of(include.source)
        for stored, body in bodies:
            if stored.type_id != number:
                continue
            for value in find(fhir_json.loads_object(body)):
                if isinstance(value, Reference) and value.id and value.type:
                    yield from self._target(include, value.type, value.id)

    def _target(self, include: Include, type_: str, id_: str) -> Iterator[Stored]:
        if include.target not in (None, type_):
            return
        filters = self._filters(type_)
        if filters is None:
            return
        stored = self._repository.read(self._snapshot, type_, id_)
        if stored is None or stored.deleted or stored.row in self._seen:
            return
        decided = self._gate.of_row(self._snapshot, self._grant, stored)
        if self._gate.permits(self._snapshot, decided, stored, filters):
            yield stored

    def _filters(self, type_: str) -> Any:
        """Return the filters of the scopes for a type; None where none covers it."""
        try:
            return require(self._grant, type_, "search-type")
        except (InsufficientScope, FHIRError):
            return None

    def _referring(self, include: Include, bodies: Sequence[Body]) -> Iterable[Stored]:
        if self._filters(include.source) is None or not bodies:
            return []
        parameter = parameters(include.source)[include.parameter]
        named = tuple(
            ReferenceValue(type_, fhir_json.loads_object(body)["id"])
            for stored, body in bodies
            if (type_ := types.name_of(stored.type_id)) == (include.target or type_)
            and (not parameter.targets or type_ in parameter.targets)
        )
        if not named:
            return []
        if (include.source, include.parameter) == ("Provenance", "target"):
            self._render([stored for stored, _ in bodies])
        criterion = Criterion(parameter=parameter, modifier=None, values=named)
        return self._planner.rows(include.source, [criterion])

    def _render(self, rows: Sequence[Stored]) -> None:
        for one in provenance.targeting(self._exchange, self._snapshot, rows):
            self.rendered[one.id] = one.body

    @property
    def bodies(self) -> list[bytes]:
        """What was found, rendered Provenances last."""
        return [*(body for _, body in self.found), *self.rendered.values()]
