"""The matrices of what US Core demands of a server, profile by profile.

The whole matrices lie beside the project where it is developed; `excerpt.json` has
a part of the one of 7.0.0, so that a copy of the project alone tests something.
Both come from the metadata that the public US Core test kit generates
(https://github.com/inferno-framework/us-core-test-kit, Apache-2.0).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

EXCERPT = Path(__file__).with_name("excerpt.json")
WHOLE = Path(__file__).parents[2].parent / "shared" / "data" / "requirements"
VERSIONS = ("6.1.0", "7.0.0")


@dataclass(frozen=True, kw_only=True, repr=False)
class Group:
    """What is demanded for one profile.

    Attributes:
        version: Of US Core.
        profile: Last part of the profile's URL.
        type: Resource type.
        searches: Names of the parameters that are searched together.
        definitions: Parameter → its paths, type, comparators, values.
        must_supports: Extensions, slices, elements and choices.
        mandatory: Paths of elements that are never missing.
        reverse_includes: Values of `_revinclude`.

    """

    version: str
    profile: str
    type: str
    searches: Sequence[tuple[str, ...]]
    definitions: Mapping[str, Json]
    must_supports: Json
    mandatory: Sequence[str]
    reverse_includes: Sequence[str]

    def __repr__(self) -> str:
        return f"{self.profile}|{self.version}"


def _group(version: str, one: Json) -> Group:
    return Group(
        version=version,
        profile=one["profile_url"].rpartition("/")[2],
        type=one["resource"],
        searches=[tuple(search["names"]) for search in one["searches"]],
        definitions=one["search_definitions"],
        must_supports=one["must_supports"],
        mandatory=one["mandatory_elements"],
        reverse_includes=one["revincludes"],
    )


def _read(version: str, path: Path) -> list[Group]:
    matrix = json.loads(path.read_text(encoding="utf-8"))
    return [_group(version, one) for one in matrix["groups"].values()]


def is_whole() -> bool:
    """Whether the whole matrices are here."""
    return all(path.exists() for path in map(_path, VERSIONS))


def _path(version: str) -> Path:
    return WHOLE / f"us-core-v{version}-matrix.json"


def groups() -> list[Group]:
    """Return the groups of every version that is here, else those of the excerpt."""
    if not is_whole():
        return _read("7.0.0", EXCERPT)
    return [group for version in VERSIONS for group in _read(version, _path(version))]
