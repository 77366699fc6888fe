"""Train the dictionary with which bodies are compressed: synthetic resources only.

    python -m fhir_service.storage.train_dictionary [--output FILE]

Zstandard's trainer picks the content of a dictionary by how often a piece occurs over
all samples, and leaves rare kinds with scraps. Here the content is laid out: what is
particular to each kind, one of each other resource, and at the end, where a reference
costs least, whole Observations of the kinds that devices send most. From the trainer
come the tables of symbol frequencies in front of it (RFC 8878 §5).

The bytes are the same on each run of one version of Zstandard. A dictionary that has
stored bodies is never replaced: a later one gets a number of its own in
`body.DICTIONARIES`.

https://www.rfc-editor.org/rfc/rfc8878#section-5
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import zstandard

from conformance.fhir_json import dumps, loads
from fhir_service.storage.dictionary_corpus import COMMON_KINDS, Corpus
from mappings.kinds import kinds

DICTIONARY_BYTES = 32_768
"""Larger ones compress hardly better and cost cache."""

MAX_BODY = 3_000
"""Bytes of one resource in the dictionary: of a session's many stages, the first."""

_OUTPUT = Path(__file__).with_name("body.zstd-dictionary")
_SEED = 7
_SEGMENT, _PATTERN = 1536, 8
_REQUESTS = 10
_REPEAT_OFFSETS = bytes.fromhex("010000000400000008000000")
"""What stands between the tables and the content (§5)."""


def train(seed: int = _SEED) -> bytes:
    """Return the dictionary."""
    tables = _tables(Corpus(seed).samples())
    content = _content(Corpus(seed + 1))
    return tables + content[len(tables) - DICTIONARY_BYTES :]


def _tables(samples: Iterable[bytes]) -> bytes:
    """Return magic number, identifier, tables and repeat offsets."""
    trained = zstandard.train_dictionary(
        DICTIONARY_BYTES, list(samples), k=_SEGMENT, d=_PATTERN
    ).as_bytes()
    return trained[: trained.index(_REPEAT_OFFSETS) + len(_REPEAT_OFFSETS)]


def _content(corpus: Corpus) -> bytes:
    """Return what bodies will refer to, the most frequent last."""
    rare = [kind for kind in kinds().values() if kind.name not in COMMON_KINDS]
    common = [kinds()[name] for name in reversed(COMMON_KINDS)]
    return b"".join(
        [
            *[_particulars(corpus.observation(kind)) for kind in rare],
            *[corpus.request() for _ in range(_REQUESTS)],
            *corpus.others(),
            *[corpus.observation(kind)[:MAX_BODY] for kind in common],
        ]
    )


def _particulars(body: bytes) -> bytes:
    """Return what no other kind has: profiles, code, unit, value."""
    observation = loads(body)
    quantity = observation.get("valueQuantity", {})
    parts = [
        observation["meta"].get("profile"),
        observation["code"],
        {name: quantity[name] for name in quantity if name != "value"},
        observation.get("valueCodeableConcept"),
    ]
    return b"".join(dumps(part) for part in parts if part)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write the file, and say what `body.DICTIONARIES` must hold."""
    parser = argparse.ArgumentParser(description="Train the dictionary of bodies.")
    parser.add_argument("--output", type=Path, default=_OUTPUT)
    output: Path = parser.parse_args(arguments).output
    dictionary = train()
    output.write_bytes(dictionary)
    sys.stdout.write(
        f"{output}: {len(dictionary)} bytes, SHA-256 {sha256(dictionary).hexdigest()}\n"
    )


if __name__ == "__main__":
    main()
