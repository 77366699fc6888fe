"""R4 search by looking at every resource, from the text of the specification alone.

https://hl7.org/fhir/R4/search.html
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from model_paths import Json, at, split, unescaped
from model_references import is_reference, target
from model_table import PARAMETERS, Parameter
from model_text import STRING_TESTS, TOKEN_TESTS, strings, tokens
from model_values import is_date, is_number, is_quantity

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, repr=False)
class Model:
    """Every resource of a server, and what a search of them finds.

    Attributes:
        now_us: Microseconds since 1970, for `ap`.
        base: Where the server is, with the last `/`.

    """

    resources: Sequence[Json]
    now_us: int
    base: str = "http://localhost:8000/fhir/"

    def __repr__(self) -> str:
        """Return a name: what hypothesis tells of a search stays readable."""
        return f"Model of {len(self.resources)} resources"

    def found(self, type_: str, pairs: Pairs) -> list[Json]:
        """Return the resources of the type that all the parameters match."""
        asked = list(pairs)
        return [
            one
            for one in self.resources
            if one["resourceType"] == type_
            and all(self.matches(one, name, value) for name, value in asked)
        ]

    def matches(self, resource: Json, name: str, value: str) -> bool:
        """Tell whether one parameter matches, in whichever of its forms."""
        if name.startswith("_has:"):
            return self._is_referred_to(resource, name, value)
        head, _, rest = name.partition(".")
        head, _, modifier = head.partition(":")
        parameter = PARAMETERS[resource["resourceType"]][head]
        if rest:
            return self._is_followed(resource, parameter, modifier, (rest, value))
        return self._is_itself(resource, parameter, modifier or None, value)

    def _is_referred_to(self, resource: Json, name: str, value: str) -> bool:
        _, type_, through, rest = name.split(":", 3)
        parameter = PARAMETERS[type_][through]
        itself = resource["resourceType"], resource["id"]
        return any(
            itself in self._targets(one, parameter)
            for one in self.found(type_, [(rest, value)])
        )

    def _is_followed(
        self, resource: Json, parameter: Parameter, type_: str, rest: tuple[str, str]
    ) -> bool:
        targets = set(self._targets(resource, parameter))
        return any(
            self.matches(one, *rest)
            for one in self.resources
            if (one["resourceType"], one["id"]) in targets
            and type_ in ("", one["resourceType"])
        )

    def _targets(self, resource: Json, parameter: Parameter) -> Iterator[Any]:
        for element in self.elements(resource, parameter):
            named = target(element, self.base)
            if named is not None:
                yield named

    def _is_itself(
        self, resource: Json, parameter: Parameter, modifier: str | None, value: str
    ) -> bool:
        if modifier == "missing":
            return (not self.elements(resource, parameter)) == (value == "true")
        alternatives = split(value, ",")
        if parameter.kind == "composite":
            return any(self._is_composed(resource, parameter, a) for a in alternatives)
        found = any(
            self._is(element, parameter, modifier, alternative)
            for element in self.elements(resource, parameter)
            for alternative in alternatives
        )
        return found != (modifier == "not")

    def elements(self, resource: Json, parameter: Parameter) -> list[Any]:
        """Return what a parameter looks at; of references, those of its types.

        A reference that has nothing but a display has no value to search for.
        """
        found = [one for path in parameter.paths for one in at(resource, path)]
        if parameter.of != "Reference":
            return found
        return [one for one in found if self._is_for(one, parameter.targets)]

    def _is_for(self, element: Json, types: tuple[str, ...]) -> bool:
        named = target(element, self.base)
        if named is not None:
            return named[0] in types
        return types != ("Patient",) and bool(
            {"reference", "identifier"} & set(element)
        )

    def _is_composed(self, resource: Json, parameter: Parameter, value: str) -> bool:
        values = split(value, "$")
        return any(
            all(
                self._is_itself(element, part, None, one)
                for part, one in zip(parameter.parts, values, strict=True)
            )
            for path in parameter.elements
            for element in at(resource, path)
        )

    def _is(
        self, element: Any, parameter: Parameter, modifier: str | None, asked: str
    ) -> bool:
        match parameter.kind:
            case "string":
                test = STRING_TESTS[modifier]
                texts = strings(element, parameter.of)
                return any(test(one, unescaped(asked)) for one in texts)
            case "token":
                found = tokens(element, parameter.of, parameter.system)
                return any(TOKEN_TESTS[modifier](one, asked) for one in found)
            case "reference":
                return is_reference(element, asked, modifier, self.base)
            case "date":
                return is_date(element, asked, self.now_us)
        return _PLAIN[parameter.kind](element, asked)


_PLAIN: dict[str, Callable[[Any, str], bool]] = {
    "number": is_number,
    "quantity": is_quantity,
    "uri": lambda element, asked: bool(element == unescaped(asked)),
}
