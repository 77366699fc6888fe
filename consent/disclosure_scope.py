"""A clear explanation of a consent's scope, for who receives a record under it.

42 CFR 2.32(b) lets a discloser send that in place of a copy of the consent, which
would tell the recipient what the patient keeps from others. So only the permit that
decided is explained, with what it takes over from those above it; never what is
denied inside it, and never another recipient.

https://www.ecfr.gov/current/title-42/section-2.32
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from consent.contents import coding_parts, partial_codings
from consent.references import Deployment, target

MAX_ITEMS = 20
"""Entries of one part that are listed; of more, the number is told."""

_STEP = re.compile(r"provision(?:\[([0-9]+)\])?")

Node = Mapping[str, Any]


def scope(consent: Node, *, version: str, path: str, deployment: Deployment) -> str:
    """Return the scope of the permit at `path`, in one line of printable ASCII.

    Args:
        consent: The Consent.
        version: Name of its version, as `Consent/id/_history/1`.
        path: The permit that decided, such as `provision.provision[0]`.
        deployment: Our bases.

    """
    nodes = list(_nodes(consent, path))
    permits = [node for node in nodes if node.get("type") != "deny"]
    parts = {
        "purpose": _codes(_nearest(nodes, "purpose")),
        "data": _data(permits, deployment),
        "until": [str(end) for end in _ends(nodes)],
    }
    told = [f'{name}="{_listed(items)}"' for name, items in parts.items() if items]
    return "; ".join([_plain(version), *told])


def _nodes(consent: Node, path: str) -> Iterator[Node]:
    """Yield the provisions from the root down to the one at `path`."""
    node: Any = consent
    for index in _STEP.findall(path):
        below = node.get("provision", {})
        node = below[int(index)] if index else below
        yield node


def _nearest(nodes: list[Node], name: str) -> list[Any]:
    found = [node[name] for node in nodes if name in node]
    if not found:
        return []
    return found[-1] if isinstance(found[-1], list) else [found[-1]]


def _ends(nodes: list[Node]) -> Iterator[Any]:
    for node in nodes:
        if "end" in node.get("period", {}):
            yield node["period"]["end"]


def _codes(entries: Iterable[Any]) -> list[str]:
    return [str(coding_parts(entry)[1]) for entry in entries]


def _data(permits: list[Node], deployment: Deployment) -> list[str]:
    found = _codes(_nearest(permits, "class"))
    for concept in _nearest(permits, "code"):
        found += ["|".join(map(str, pair)) for pair in partial_codings(concept)]
    found += _codes(_nearest(permits, "securityLabel"))
    found += [
        f"{entry.get('meaning')} {target(entry.get('reference'), deployment.own_bases)}"
        for entry in _nearest(permits, "data")
    ]
    found += [
        f"from {span.get('start', 'ever')} to {span.get('end', 'ever')}"
        for span in _nearest(permits, "dataPeriod")
    ]
    return found


def _listed(items: list[str]) -> str:
    more = len(items) - MAX_ITEMS
    shown = ", ".join(items[:MAX_ITEMS])
    return _plain(f"{shown} and {more} more" if more > 0 else shown)


def _plain(text: str) -> str:
    """Return the text as a header can hold it, inside quotation marks."""
    return "".join(
        character if " " <= character <= "~" and character not in '"\\' else "?"
        for character in text
    )
