"""Who asks for what: the part of a decision that no resource changes."""

from dataclasses import dataclass

from consent.formula import Coding


@dataclass(frozen=True, kw_only=True)
class AccessRequest:
    """A request, as far as a consent can ask about it.

    Attributes:
        actors: The requester's closure at the time: user, roles, organisations with
            their ancestors, groups, care teams, client application. `Type/id` on
            our own server, or `system|value` of an identifier.
        possible: What the requester may be called besides, likewise: a permit does not
            rely on it, a deny reckons with it.
        individual_known: False where no person stands behind the token, so that a
            deny that names a person cannot be ruled out.
        purposes: Purposes of use, as (system, code); empty where none is stated.
            Every one must be permitted.
        actions: Codes of consentaction that the interaction implies. Every one must
            be permitted; a request without any is refused.
        btg_attested: Whether the authorization server attests a break-glass claim.
        at_us: The decision's instant, in microseconds since 1970-01-01T00:00:00Z.

    """

    actors: frozenset[str]
    individual_known: bool
    purposes: tuple[Coding, ...]
    actions: tuple[str, ...]
    btg_attested: bool
    at_us: int
    possible: frozenset[str] = frozenset()

    @property
    def context(self) -> tuple[object, ...]:
        """Everything but the time: the request's part of a cache key."""
        return (
            self.actors,
            self.possible,
            self.individual_known,
            self.purposes,
            self.actions,
            self.btg_attested,
        )
