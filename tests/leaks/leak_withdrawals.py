"""What was remembered before a withdrawal tells nothing after it.

Until Ann withdraws, all of her rows may be seen in the one world, and she has none in
the other. From the next request on both must look the same, whoever asks, by whatever
link or token, and on whichever worker.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from leak_catalogue import PERSONAL
from leak_script import WITHDRAWAL
from leak_worlds import (
    Ask,
    Pair,
    Side,
    differing,
    following,
    id_at,
    opened_side,
    seen,
)

EVERY = ("ehr", "lab")

PAGED = tuple(
    Ask(path=path, by=EVERY)
    for path in (
        "Observation?patient={ann}&_count=1",
        "Observation?patient={ann}&_count=2&_sort=-date&_total=accurate",
        "Observation?_count=1&_sort=-_lastUpdated",
        "Observation?patient={ann}&code=40443-4&_count=1",
        "Patient/{ann}/$everything?_count=2",
        "Patient/{ann}/Observation?_count=1",
        f"?_type={PERSONAL}&_count=3",
        "Observation/_history?_count=4",
    )
)
"""Lists of which Ann's rows need more than a page."""

OF_ANN = (
    *PAGED,
    *(
        Ask(path=path, by=EVERY)
        for path in (
            "Observation?patient={ann}&_summary=count",
            "Observation?_total=accurate&_count=0",
            "Observation/{anns-a}",
            "Observation/{anns-a}/_history",
            "Observation/{anns-a}/_history/1",
            "Observation/{anns-data+1}",
            "Device/{anns-ring}",
            "Device?patient={ann}",
            "DeviceMetric/{anns-metric}",
            "Encounter?patient={ann}",
            "List/{anns-a-list}",
            "Provenance?patient={ann}",
            "Patient?_has:Observation:patient:code=55423-8",
            "Observation/$lastn?patient={ann}",
            "Patient?_id={ann}&_revinclude=Observation:subject",
        )
    ),
)


def warm(pair: Pair, asks: Iterable[Ask], *more: str) -> None:
    """Ask everything in both worlds, so that all that can be remembered is."""
    for ask in asks:
        for client in (*ask.by, *more):
            for side in pair.sides:
                list(side.answers(ask, client))


def withdraw(pair: Pair) -> None:
    """Let Ann withdraw what she has permitted."""
    pair.pass_s()
    for side in pair.sides:
        answer = side.send(WITHDRAWAL.ask, "admin")
        assert answer.status_code == 200, answer.get_data(as_text=True)


def _links(side: Side, asks: Sequence[Ask]) -> Iterator[tuple[Ask, str, str]]:
    """Yield the links to second pages, with the client that was given them."""
    for ask in asks:
        for client in ask.by:
            found = following(side.send(ask, client))
            if found is not None:
                yield ask, client, found


def _presented(pair: Pair, ask: Ask, client: str, link: str) -> list[str]:
    whole, bare = (seen(side.send(ask, client, link)) for side in pair.sides)
    if whole == bare:
        return []
    return [f"{client}: {link}\n  with: {whole}\n  without: {bare}"]


def links(pair: Pair, asks: Sequence[Ask]) -> list[str]:
    """Compare what links of the first world give in both, after the withdrawal."""
    given = list(_links(pair.whole, asks))
    assert given
    withdraw(pair)
    found: list[str] = []
    for ask, client, link in given:
        altered = f"{link[:-1]}{'A' if link[-1] != 'A' else 'B'}"
        for other in EVERY:
            found += _presented(pair, ask, other, link)
        found += _presented(pair, ask, client, altered)
        found += _presented(pair, ask, client, link.partition("&_page=")[0])
    return found


def caches(pair: Pair, asks: Sequence[Ask]) -> list[str]:
    """Compare both worlds after everything was asked while it might be seen."""
    warm(pair, asks, "admin")
    withdraw(pair)
    return differing(pair, asks)


def workers(pair: Pair, asks: Sequence[Ask]) -> list[str]:
    """Compare other workers that have remembered everything themselves."""
    with ExitStack() as stack:
        others = Pair(whole=_beside(stack, pair.whole), bare=_beside(stack, pair.bare))
        others.pass_s(10)
        warm(others, asks)
        withdraw(pair)
        return differing(others, asks)


def _beside(stack: ExitStack, side: Side) -> Side:
    """Return another worker on the same database; its clock is a little behind."""
    settings = side.world.deployment.settings
    other = stack.enter_context(opened_side(side.world.data, settings.database_url))
    other.clients, other.ids = side.clients, side.ids
    other.world.clock.us = side.world.clock() - 20_000_000
    return other


LATE = {"ehr": "clinic", "lab": "laboratory"}
"""Clients, and the organizations for which others like them get a token later."""


def tokens(pair: Pair, asks: Sequence[Ask]) -> list[str]:
    """Compare tokens minted before the withdrawal with such as are minted after it."""
    warm(pair, asks)
    withdraw(pair)
    for side in pair.sides:
        for client, house in LATE.items():
            side.clients[f"late-{client}"] = side.world.client(
                f"late-{client}",
                "system/*.rs",
                organization=f"Organization/{id_at(side.ids[house])}",
            )
    late = tuple(f"late-{client}" for client in LATE)
    again = tuple(Ask(path=ask.path, by=(*LATE, *late)) for ask in asks)
    return [*differing(pair, again), *_unlike(pair.whole, asks)]


def _unlike(side: Side, asks: Sequence[Ask]) -> list[str]:
    """Return what an old token shows otherwise than a new one."""
    return [
        f"{client}: {ask}"
        for client in LATE
        for ask in asks
        if list(side.answers(ask, client)) != list(side.answers(ask, f"late-{client}"))
    ]
