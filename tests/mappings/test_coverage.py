"""What the coverage page says of a vendor is what its parser names and gives."""

import ast
from pathlib import Path

import pytest

import mappings.vendors
from mappings.coverage import coverage, page, seen
from mappings.kinds import kinds
from mappings.vendors.table import VENDORS

FOLDER = Path(mappings.vendors.__file__).parent
SHARED = [FOLDER.parent / name for name in ("series.py", "records.py")]

ALSO_A_KEY = {"home-assistant": {"power", "altitude"}, "zigbee2mqtt": {"power"}}
"""Words that a vendor's table holds as a key of its payloads, and not as a kind."""


def named(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in kinds()
    }


def named_by(source: str) -> set[str]:
    files = (FOLDER / source.replace("-", "_")).glob("*.py")
    return set().union(*(named(path) for path in files))


@pytest.mark.parametrize("source", VENDORS)
def test_every_kind_that_a_parser_names_is_told(source):
    assert named_by(source) - ALSO_A_KEY.get(source, set()) <= coverage()[source]


@pytest.mark.parametrize("source", VENDORS)
def test_no_kind_is_told_that_nothing_names(source):
    composed = {"sleep-stage", "unspecified-sleep-duration"}
    common = set().union(*(named(path) for path in SHARED if path.is_file()))

    assert coverage()[source] <= named_by(source) | common | composed


def test_every_vendor_has_its_row_and_only_vendors_have():
    assert set(coverage()) == set(VENDORS)
    assert seen() <= set(VENDORS)


@pytest.mark.parametrize("source", VENDORS)
def test_a_vendor_that_was_not_seen_live_says_so_in_its_page(source):
    path = FOLDER / source.replace("-", "_") / "README.md"
    text = path.read_text(encoding="utf-8").lower()

    if source not in seen():
        assert "not seen live" in text or "public specification" in text


def test_the_page_names_every_kind():
    assert all(f"| `{name}` |" in page() for name in kinds())
