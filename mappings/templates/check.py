"""A template's text → what is wrong with it, all at once, each with its place.

First whether it is JSON, then the schema, then what no schema can say: kinds, units,
codes and expressions. A template with a fault is never used.

https://json-schema.org/draft/2020-12
"""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from conformance import fhir_json
from conformance.issues import FHIRError
from mappings.templates.compile import FORMAT, compile_template
from mappings.templates.faults import Fault, Faults, TemplateError, below
from mappings.templates.places import places

MAX_BYTES = 256 * 1024
"""Of a template."""

MAX_FAULTS = 100
"""Told at once."""

_BOM = b"\xef\xbb\xbf"

_FOREIGN = (
    "This is a template of microsoft/iomt-fhir ({kind}), which is another format: its "
    "expressions are JSONPath and it names codes and units by itself. Write a template "
    f"with `format` `{FORMAT}`; docs/templates.md has one for its messages."
)


def read(data: bytes) -> dict[str, Any]:
    """Return a template that can be used.

    Raises:
        TemplateError: with everything that is wrong with it.

    """
    faults = check(data)
    if faults:
        raise TemplateError(faults)
    return fhir_json.loads_object(data.removeprefix(_BOM))


def check(data: bytes) -> tuple[Fault, ...]:
    """Return everything that is wrong with a template, in the order of its text."""
    data = data.removeprefix(_BOM)
    if len(data) > MAX_BYTES:
        return (Fault("", f"A template has at most {MAX_BYTES:,} bytes."),)
    try:
        template = fhir_json.loads(data)
    except FHIRError as error:
        return tuple(Fault("", issue.diagnostics) for issue in error.issues)
    found = _placed(faults_of(template), data.decode())
    return tuple(sorted(found, key=lambda fault: fault[2:]))[:MAX_FAULTS]


def faults_of(template: Any) -> tuple[Fault, ...]:
    """Return everything that is wrong with a template that was read as JSON."""
    if isinstance(template, dict) and "templateType" in template:
        kind = str(template["templateType"])[:64]
        return (Fault("/templateType", _FOREIGN.format(kind=kind)),)
    faults = Faults()
    for error in _validator().iter_errors(template):
        faults.found += _told(error)
    if not faults.found:
        compile_template(template, faults)
    return tuple(dict.fromkeys(faults.found))


@cache
def _validator() -> Draft202012Validator:
    text = (resources.files("mappings.templates") / "template.schema.json").read_bytes()
    return Draft202012Validator(fhir_json.loads(text))


def _told(error: ValidationError) -> Iterator[Fault]:
    """Yield what a violation of the schema means, in words without the schema's."""
    pointer = _pointer(error.absolute_path)
    tell = _TOLD.get(str(error.validator))
    if tell is None:
        yield Fault(pointer, f"{_shortened(error)}.")
    else:
        yield from tell(error, pointer)


def _missing(error: ValidationError, pointer: str) -> Iterator[Fault]:
    # jsonschema reports each member that is missing by itself, and does not name it.
    name = error.message.split("'")[1]
    yield Fault(pointer, f"`{name}` is missing.")


def _not_known(error: ValidationError, pointer: str) -> Iterator[Fault]:
    schema: Any = error.schema
    instance: Any = error.instance
    known = tuple(schema["properties"])
    for name in instance:
        if name not in known:
            yield Fault(below(pointer, name), _unknown(name, known))


def _of_another_type(error: ValidationError, pointer: str) -> Iterator[Fault]:
    yield Fault(pointer, f"This is not of type {_wanted(error)}.")


def _none_of(error: ValidationError, pointer: str) -> Iterator[Fault]:
    titles = "; ".join(one["title"] for one in _wanted(error))
    yield Fault(pointer, f"One of these is needed: {titles}.")


_TOLD = {
    "required": _missing,
    "additionalProperties": _not_known,
    "type": _of_another_type,
    "oneOf": _none_of,
    "anyOf": _none_of,
}


def _wanted(error: ValidationError) -> Any:
    """Return what the violated keyword of the schema says."""
    return error.validator_value


def _unknown(name: str, known: Iterable[str]) -> str:
    return f"`{name[:64]}` is not known here; there are {', '.join(sorted(known))}."


def _shortened(error: ValidationError) -> str:
    message: str = error.message
    return message if len(message) <= _LONG else f"{message[:_LONG]} …"


_LONG = 200


def _pointer(path: Iterable[str | int]) -> str:
    pointer = ""
    for step in path:
        pointer = below(pointer, step)
    return pointer


def _placed(faults: Iterable[Fault], text: str) -> Iterator[Fault]:
    found = places(text)
    for fault in faults:
        pointer = fault.pointer
        while pointer not in found:
            pointer = pointer.rpartition("/")[0]
        line, column = found[pointer]
        yield fault._replace(line=line, column=column)
