"""Compile published FHIR packages into the tables of `definitions/`.

`python -m conformance.build --out conformance/definitions PACKAGE...`: the first
package is the release's own, the others hold profiles. Never run at start-up. The
same packages give the same bytes.

https://hl7.org/fhir/R4/downloads.html
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.build_packages import Package, read_package
from conformance.build_profiles import Profiles
from conformance.build_search_parameters import search_parameter_tables
from conformance.build_structures import Structures
from conformance.build_value_sets import ValueSets
from conformance.fhir_json import dumps

Tables = dict[str, bytes]


def _header(packages: Sequence[Package], **facts: Any) -> dict[str, Any]:
    sources = [
        {"package": item.name, "version": item.version, "licence": item.licence}
        for item in packages
    ]
    return {"sources": sources} | facts


def _lines(header: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(dumps(record) + b"\n" for record in (header, *records))


def _resource_names(records: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        record["name"]
        for record in records
        if record["kind"] == "resource" and not record.get("abstract")
    ]


def _bindings(records: Sequence[Mapping[str, Any]]) -> set[str]:
    return {
        element["binding"]
        for record in records
        for structure in record.get("structures", {}).values()
        for element in structure["elements"].values()
        if "binding" in element
    }


def tables(packages: Sequence[Package]) -> Tables:
    """Return file name → content for a release's package and those on top of it."""
    release, *guides = packages
    structures = list(Structures(release).records())
    profiles = Profiles(release, guides, structures)
    profile_records = profiles.records()
    expansions = ValueSets([release])
    value_sets = [expansions.record(url) for url in _bindings(structures)]
    value_sets += profiles.value_sets.values()
    written = {dumps(record): record for record in value_sets}
    ordered = sorted(written.values(), key=lambda item: (item["url"], dumps(item)))
    return {
        "types.jsonl": _lines(
            _header([release], resources=_resource_names(structures)), structures
        ),
        "value_sets.jsonl": _lines(_header(packages), ordered),
        "profiles.jsonl": _lines(_header(packages), profile_records),
    } | _search_parameter_tables(packages)


def _search_parameter_tables(packages: Sequence[Package]) -> Tables:
    found = search_parameter_tables(packages)
    return {name: dumps(value) + b"\n" for name, value in found.items()}


def main(arguments: Sequence[str]) -> int:
    """Write the tables and say how large they are."""
    parser = argparse.ArgumentParser(prog="python -m conformance.build")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("packages", type=Path, nargs="+", metavar="PACKAGE")
    options = parser.parse_args(arguments)
    packages = [read_package(path) for path in options.packages]
    options.out.mkdir(parents=True, exist_ok=True)
    for name, content in sorted(tables(packages).items()):
        (options.out / name).write_bytes(content)
        sys.stdout.write(f"{len(content):>9} {name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
