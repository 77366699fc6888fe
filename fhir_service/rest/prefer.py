"""Prefer: what the client would like, where the service may choose.

A preference that is not understood is left out of account, as RFC 7240 says (§2); a
preference that is given twice counts as it was given first.

https://www.rfc-editor.org/rfc/rfc7240 and
https://hl7.org/fhir/R4/http.html#ops
"""

from dataclasses import dataclass
from typing import Literal

from fhir_service.rest.lists import members
from fhir_service.rest.message import Header, Request

Return = Literal["minimal", "representation", "OperationOutcome"]
Handling = Literal["strict", "lenient"]

_RETURNS: dict[str, Return] = {
    "minimal": "minimal",
    "representation": "representation",
    "operationoutcome": "OperationOutcome",
}
_HANDLING: dict[str, Handling] = {"strict": "strict", "lenient": "lenient"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefer:
    """What a request prefers.

    Attributes:
        returns: What a write answers with; None where nothing known was named.
        handling: Whether unknown parameters are refused; None likewise.
        respond_async: Whether the client would rather poll for the answer.

    """

    returns: Return | None = None
    handling: Handling | None = None
    respond_async: bool = False

    @property
    def is_strict(self) -> bool:
        """Whether what is not understood shall be refused."""
        return self.handling == "strict"

    def applied(self, *names: str) -> tuple[Header, ...]:
        """Return `Preference-Applied` for those of `names` that were preferred.

        Args:
            names: `return`, `handling`, `respond-async`: what the answer went by.

        """
        preferred = {
            "return": self.returns and f"return={self.returns}",
            "handling": self.handling and f"handling={self.handling}",
            "respond-async": "respond-async" if self.respond_async else None,
        }
        told = [text for name in names if (text := preferred[name])]
        return (("preference-applied", ", ".join(told)),) if told else ()


_NOTHING = Prefer()


def prefer(request: Request) -> Prefer:
    """Return what the `Prefer` header of a request says."""
    field = request.headers.get("prefer")
    if not field:
        return _NOTHING
    given: dict[str, str] = {}
    for member in members(field):
        given.setdefault(member.name, member.value.lower())
    return Prefer(
        returns=_RETURNS.get(given.get("return", "")),
        handling=_HANDLING.get(given.get("handling", "")),
        respond_async="respond-async" in given,
    )
