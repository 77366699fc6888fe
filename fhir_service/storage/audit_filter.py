"""What is asked of the log's index: everything that a row can be found by."""

from dataclasses import dataclass

from consent.audit.entry import Interaction, Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """What rows are asked for; an empty tuple asks for any.

    Attributes:
        since_us: Not before, microseconds since 1970.
        until_us: Before.
        patients: Pseudonyms of which one is concerned.
        users: People.
        clients: Clients.
        organisations: `Organization/id` behind the clients.
        interactions: What was done.
        outcomes: How it ended.
        types: FHIR types.
        purposes: Codes of which one was claimed.
        reasons: Words for why it was refused.
        bases: `consent ID/_history/2`, `overlay custodian` and so on; what ends with
            `/` stands for every version.
        addresses: Network addresses.
        agents: Names of people, clients or organisations; one of them took part.
        levels: Codes of AuditEvent.outcome: 0 done, 4 refused as wrong, 8 denied or
            failed.
        indexes: Numbers of rows.
        is_nothing: Nothing is asked for.
        is_release: Whether something left, or was refused to; None for any.
        is_unexplained: Only rows without an explanation.
        scope: Organisations whose officer asks; None for all of the log.
        also: Further agents, purposes or bases, each of which holds as well.

    """

    since_us: int | None = None
    until_us: int | None = None
    patients: tuple[bytes, ...] = ()
    users: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    types: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    indexes: tuple[int, ...] = ()
    is_nothing: bool = False
    is_release: bool | None = None
    is_unexplained: bool = False
    scope: tuple[str, ...] | None = None
    also: "tuple[AuditFilter, ...]" = ()
