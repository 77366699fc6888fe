"""Which vendor gives which kind: coverage.csv, as a page of the documentation.

A row of coverage.csv says of a source which kinds it gives, as Observations of their
own or as parts of one; tests hold it against what the parsers name and what they make
of real payloads. `python -m mappings.coverage > docs/device-coverage.md` writes the
page.
"""

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from mappings.kinds import ValueType, kinds
from mappings.vendors.table import VENDORS

HEAD = """# Which source gives which kind

Written by `python -m mappings.coverage` from the tables that the parsers use.
*Seen* is a source of which a real payload has been read; the others are written from
the maker's public specification and its examples, and have not been seen live.

"""


@cache
def coverage() -> Mapping[str, frozenset[str]]:
    """Return source → the kinds that it gives, in the order of `VENDORS`."""
    text = (resources.files("mappings") / "coverage.csv").read_text(encoding="utf-8")
    rows = {row["source"]: row for row in csv.DictReader(text.splitlines())}
    return MappingProxyType(
        {source: frozenset(rows[source]["kinds"].split()) for source in VENDORS}
    )


@cache
def seen() -> frozenset[str]:
    """Return the sources of which a real payload has been read."""
    text = (resources.files("mappings") / "coverage.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return frozenset(row["source"] for row in rows if row["seen"] == "yes")


def page() -> str:
    """Return the page as Markdown."""
    return HEAD + "\n".join([*_sources(), "", *_kinds(), ""])


def _sources() -> Iterator[str]:
    yield "| source | what it is | kinds | seen |"
    yield "|---|---|---|---|"
    for source, vendor in VENDORS.items():
        page_of = f"../mappings/vendors/{source.replace('-', '_')}/README.md"
        mark = "yes" if source in seen() else "no"
        count = len(coverage()[source])
        yield f"| [`{source}`]({page_of}) | {vendor.title} | {count} | {mark} |"


def _kinds() -> Iterator[str]:
    yield "| kind | unit | sources |"
    yield "|---|---|---|"
    for name, kind in kinds().items():
        of = [source for source, given in coverage().items() if name in given]
        unit = f"`{kind.unit}`" if kind.value is ValueType.QUANTITY else kind.value
        yield f"| `{name}` | {unit} | {', '.join(of) or 'templates'} |"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - a page on standard output
