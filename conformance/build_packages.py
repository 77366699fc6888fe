"""Read published FHIR packages: folders, `.tgz`, and archives that hold one.

https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.fhir_json import loads

_MANIFEST = "package/package.json"


@dataclass(frozen=True, kw_only=True)
class Package:
    """The definitions of one published package.

    Attributes:
        name: Package name, such as `hl7.fhir.r4.core`.
        version: Its version.
        licence: Licence named in its manifest.
        definitions: Conformance resources by canonical URL, file order by name.

    """

    name: str
    version: str
    licence: str
    definitions: Mapping[str, Mapping[str, Any]]

    def of_type(self, type_: str) -> Iterator[Mapping[str, Any]]:
        """Yield the definitions of one resource type, ordered by URL."""
        for _, resource in sorted(self.definitions.items()):
            if resource["resourceType"] == type_:
                yield resource


def _tar_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            handle = archive.extractfile(member) if member.isfile() else None
            if handle is not None:
                yield member.name, handle.read()


def _zip_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        packages = [name for name in names if name.endswith(".tgz")]
        if packages:
            for name in packages:
                yield from _tar_members(archive.read(name))
        else:
            for name in names:
                yield name, archive.read(name)


def _folder_members(folder: Path) -> Iterator[tuple[str, bytes]]:
    root = folder.parent if folder.name == "package" else folder
    for path in sorted(folder.rglob("*.json")):
        yield path.relative_to(root).as_posix(), path.read_bytes()


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file of a package, a wheel or a folder."""
    if path.is_dir():
        yield from _folder_members(path)
    elif path.suffix in {".whl", ".zip"}:
        yield from _zip_members(path.read_bytes())
    else:
        yield from _tar_members(path.read_bytes())


def resources(path: Path, folder: str) -> Iterator[tuple[str, Any]]:
    """Yield name and content of the JSON files directly inside `folder`."""
    for name, data in members(path):
        parent, _, file = name.rpartition("/")
        if parent == folder and file.endswith(".json") and not file.startswith("."):
            yield file, loads(data, max_depth=len(data))


def read_package(path: Path) -> Package:
    """Return the package at `path`: a `.tgz`, a wheel or zip with one, a folder.

    Raises:
        ValueError: where there is no package manifest.

    """
    definitions: dict[str, Mapping[str, Any]] = {}
    manifest: Mapping[str, Any] | None = None
    for file, content in resources(path, "package"):
        if file == "package.json":
            manifest = content
        elif isinstance(content, dict) and "url" in content:
            definitions[content["url"]] = content
    if manifest is None:
        raise ValueError(f"{path.name} has no {_MANIFEST}")
    return Package(
        name=manifest["name"],
        version=manifest["version"],
        licence=manifest["license"],
        definitions=definitions,
    )
