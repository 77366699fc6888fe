"""docs/templates.md against the schema and the limits."""

import json
import re
from pathlib import Path

from mappings.templates import accounted, check, expression, interpreter, lines
from mappings.templates.check import faults_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
SCHEMA = json.loads(
    (ROOT / "mappings" / "templates" / "template.schema.json").read_text()
)


def section(heading):
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_cells(heading):
    lines_ = re.findall(r"^\| (`.*?) \|", section(heading), re.MULTILINE)
    return {word for line in lines_ for word in re.findall(r"`([^`]+)`", line)}


def test_every_member_of_a_template_is_documented():
    assert first_cells("A template") == set(SCHEMA["properties"])


def test_every_member_of_a_measurement_is_documented():
    assert first_cells("A measurement") == set(
        SCHEMA["$defs"]["measurement"]["properties"]
    )


def test_every_member_of_a_device_and_of_a_component_is_documented():
    words = set(re.findall(r"`(\w+)`", PAGE))

    assert set(SCHEMA["$defs"]["device"]["properties"]) <= words
    assert set(SCHEMA["$defs"]["component"]["properties"]) <= words
    assert set(SCHEMA["properties"]["payload"]["properties"]) <= words
    assert set(SCHEMA["properties"]["match"]["properties"]) <= words


def test_every_format_of_a_time_is_documented():
    time = SCHEMA["$defs"]["time"]["properties"]
    words = set(re.findall(r"`([\w-]+)`", section("Time")))

    assert first_cells("Time") - {"format"} == set(time["format"]["enum"])
    assert {*time, *time["duration_unit"]["enum"]} <= words


def test_our_own_functions_are_documented():
    told = section("Expressions")
    added = {"add", "items", "lower", "multiply", "split", "subtract"}

    assert added <= set(interpreter.FUNCTIONS)
    assert set(interpreter.WITHOUT) == {"avg"}
    assert all(f"`{name}" in told for name in {*added, *interpreter.WITHOUT})


def test_the_limits_are_the_documented_ones():
    told = dict(
        re.findall(r"^\| ([^`|]+) \| ([\d,]+) \|", section("Limits"), re.MULTILINE)
    )

    assert {name: int(value.replace(",", "")) for name, value in told.items()} == {
        "bytes of a template": check.MAX_BYTES,
        "measurements of a template": SCHEMA["properties"]["measurements"]["maxItems"],
        "characters of an expression": expression.MAX_LENGTH,
        "depth of an expression": expression.MAX_DEPTH,
        "steps of one evaluation": interpreter.MAX_STEPS,
        "elements that an expression makes, and elements of one measurement in a "
        "message": interpreter.MAX_ITEMS,
        "members of one message that are told as not read": accounted.MAX_UNREAD,
        "bytes of a line": lines.MAX_LINE,
        "bytes of a JSON file": lines.MAX_JSON,
    }


def test_the_template_and_the_measurements_of_the_page_have_no_faults():
    blocks = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    template, *measurements = map(json.loads, blocks)

    assert len(measurements) == 2
    assert faults_of(template) == ()
    assert faults_of({**template, "measurements": measurements}) == ()
