"""Twin worlds: one script fills both, and what consent hides is in the first alone.

The ids hang on the clock alone, which goes on by the same steps in both whether or not
something is stored. So no answer needs to be translated: what a client sees must be
the same byte for byte, but for the seal of a page link and the hash that names a
rendered Provenance.
"""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from werkzeug.test import TestResponse
from worlds import Clock, Headers, Json, World, settings_of

from fhir_service.deployment import open_deployment
from fhir_service.rest.wsgi import REQUEST_ID
from fhir_service.storage.rows import new_rows, public_id

BASE = "http://localhost:8000/fhir/"
REQUEST = "0123456789abcdef"
"""Every request has the same number, so that refusals differ in nothing."""

_NAMED = re.compile(r"\{([a-z]+(?:-[a-z]+)*)(?:\+(\d))?\}")
_SEALED = re.compile(r"_page=[\w-]+")
_RENDERED = re.compile(r"\bpb-[a-z0-9]+")

Answer = tuple[int, tuple[tuple[str, str], ...], str]
"""Status, headers and body as a client sees them."""


class Steady(Random):
    """A generator that always says 0: ids are those of the moment alone."""

    def getrandbits(self, k: int, /) -> int:
        del k
        return 0


STEADY = Steady()


def id_at(us: int, number: int = 0) -> str:
    """Return the id of what is stored first, or next, at a time."""
    return public_id(new_rows(0, us, number + 1, STEADY)[number])


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request of the catalogue.

    Attributes:
        path: Below the FHIR base, names in braces for ids; a path that begins with
            a slash is one of the server.
        method: HTTP method.
        body: JSON that is sent, with names in it.
        headers: More headers.
        by: Clients that ask.
        follow: Whether the pages that follow are asked for, too.

    """

    path: str
    method: str = "GET"
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    by: tuple[str, ...] = ("ehr", "lab")
    follow: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path} {json.dumps(self.body)[:300]} {self.headers}"


@dataclass(kw_only=True)
class Side:
    """One of the worlds, its clients, and the ids that its script has given."""

    world: World
    clients: dict[str, Headers] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)

    def named(self, text: str) -> str:
        """Return a text with ids where names in braces stand."""
        return _NAMED.sub(
            lambda found: id_at(self.ids[found[1]], int(found[2] or 0)), text
        )

    def send(self, ask: Ask, client: str, path: str | None = None) -> TestResponse:
        """Return the answer to a request, as it is."""
        asked = path or self.named(ask.path)
        url = asked if asked.startswith("/") else f"/fhir/{asked}"
        kind = "application/json" if url.startswith("/device") else ask_type(ask)
        return self.world.http.open(
            url,
            method=ask.method,
            data=None if ask.body is None else self.named(json.dumps(ask.body)),
            headers={"Content-Type": kind, **self.clients[client], **self._more(ask)},
            environ_overrides={REQUEST_ID: REQUEST},
        )

    def _more(self, ask: Ask) -> dict[str, str]:
        return {name: self.named(value) for name, value in ask.headers.items()}

    def answers(self, ask: Ask, client: str) -> Iterator[Answer]:
        """Yield what a client sees, page by page."""
        path: str | None = None
        while True:
            answer = self.send(ask, client, path)
            yield seen(answer)
            path = following(answer) if ask.follow else None
            if path is None:
                return


def ask_type(ask: Ask) -> str:
    """Return the media type of the body."""
    is_patch = ask.method == "PATCH"
    return "application/json-patch+json" if is_patch else "application/fhir+json"


def following(answer: TestResponse) -> str | None:
    """Return the path of the next page, where there is one."""
    if b'"resourceType":"Bundle"' not in answer.get_data():
        return None
    links = resource_of(answer).get("link", ())
    urls = [one["url"] for one in links if one["relation"] == "next"]
    return urls[0].removeprefix(BASE) if urls else None


def seen(answer: TestResponse) -> Answer:
    """Return an answer without what is sealed or hashed anew; its length is told."""
    body = answer.get_data(as_text=True)
    headers = tuple((name, plain(value)) for name, value in answer.headers)
    return answer.status_code, headers, plain(body)


def plain(text: str) -> str:
    """Return a text with the seals and hashes in it told by their lengths."""
    text = _SEALED.sub(lambda found: f"_page={len(found[0])}", text)
    return _RENDERED.sub(lambda found: f"pb{len(found[0])}", text)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The world with what is hidden, and the one in which it does not exist."""

    whole: Side
    bare: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.whole, self.bare

    def pass_s(self, seconds: float = 1) -> None:
        """Let the same time pass in both."""
        for side in self.sides:
            side.world.clock.pass_s(seconds)


def differing(pair: Pair, asks: Iterable[Ask]) -> list[str]:
    """Return the requests that are answered differently, and by how much."""
    found = []
    for ask in asks:
        pair.pass_s()
        for client in ask.by:
            whole = list(pair.whole.answers(ask, client))
            bare = list(pair.bare.answers(ask, client))
            if whole != bare:
                found.append(f"{client}: {ask}\n{first_difference(whole, bare)}")
    return found


def first_difference(whole: Sequence[Any], bare: Sequence[Any]) -> str:
    """Return the first page that differs, of both worlds."""
    for one, other in zip(whole, bare, strict=False):
        if one != other:
            return f"  with:    {one}\n  without: {other}"
    return f"  with: {len(whole)} pages, without: {len(bare)}"


@contextmanager
def opened_side(
    data: Path, database_url: str | None = None, **more: str
) -> Iterator[Side]:
    """Yield the world of a data folder, its ids steady."""
    clock = Clock()
    deployment = open_deployment(
        settings_of(data, database_url, **more), clock=clock, random=STEADY
    )
    try:
        yield Side(world=World(data=data, deployment=deployment, clock=clock))
    finally:
        deployment.database.close()


@contextmanager
def new_side(
    folder: Path, template: Path, database_url: str | None = None, **more: str
) -> Iterator[Side]:
    """Yield a world of its own on a copy of the template, or on another database."""
    shutil.copytree(template, folder)
    with opened_side(folder, database_url, **more) as side:
        yield side


def resource_of(answer: TestResponse) -> Json:
    """Return the resource that an answer holds."""
    found: Json = json.loads(answer.get_data())
    return found
