"""The tables of a page."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"


def rows(path, heading):
    """Return the cells of the tables whose first column has that heading."""
    found = []
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *lines = block.splitlines()
        if head.startswith(f"| {heading} |"):
            found += [re.split(r" *(?<!\\)\| *", line)[1:-1] for line in lines]
    return found
