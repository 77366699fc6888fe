"""Who may read the log: whose rows, and whose patients by name.

An officer is limited by the managing organisation: rows that concern its patients, that
its people or clients made, or that concern nobody. Of a row that concerns patients of
others too, those are counted and not named.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Officer:
    """Who asks.

    Attributes:
        user: As the login or the token names them; the log keeps it of every question.
        organizations: `Organization/id` whose rows may be seen; None for all of the
            deployment, as at the command line.
        client: The client that asks for the officer; empty for the console.
        address: Network address.
        zone: IANA name of the zone in which times are shown.

    """

    user: str
    organizations: tuple[str, ...] | None
    client: str = ""
    address: str = ""
    zone: str = "UTC"

    def is_over(self, organization: str | None) -> bool:
        """Whether patients of that organisation may be named."""
        if self.organizations is None:
            return True
        return organization is not None and organization in self.organizations
