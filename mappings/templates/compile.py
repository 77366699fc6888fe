"""A template, as its JSON says it → a `Vendor`, compiled once.

All expressions, units, codes and scales are looked at here, so that a message meets
nothing but look-ups.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mappings.templates.accounted import Tree, tree_of
from mappings.templates.clues import clue, name
from mappings.templates.faults import Faults, TemplateError, below
from mappings.templates.lines import Files
from mappings.templates.moment import when
from mappings.templates.parts import paths_of
from mappings.templates.reader import Ignored, Reader
from mappings.templates.rule import Rule, rule
from mappings.templates.scope import Compiling, Get
from mappings.templates.topic import filter_fault
from mappings.vendors.table import SID, VENDORS, Vendor

FORMAT = "fhir-service-mapping/1"
"""What a template calls its own format."""

_JSON = frozenset({"application/json"})


class Compiled(NamedTuple):
    """A template that messages can meet.

    Attributes:
        source: The name under which payloads come.
        title: Its name for people.
        is_registered: Patient and room come from the device's registration.
        files: What reads messages and files.

    """

    source: str
    title: str
    is_registered: bool
    files: Files


def vendor(template: Mapping[str, Any], *, version: str) -> Vendor:
    """Return the source that a template describes.

    Args:
        template: A template that satisfies the schema.
        version: Its version, for Provenance.

    Raises:
        TemplateError: with everything that is wrong with it.

    """
    faults = Faults()
    compiled = compile_template(template, faults)
    if faults.found:
        raise TemplateError(faults.found)
    files = compiled.files
    return Vendor(
        source=compiled.source,
        title=compiled.title,
        version=version,
        prefix="template/",
        system=f"{SID}{compiled.source}",
        media_types=_JSON if files.form == "json" else frozenset(),
        is_registered=compiled.is_registered,
        parse=files.parse,
        parse_file=files.parse_file,
    )


def compile_template(template: Mapping[str, Any], faults: Faults) -> Compiled:
    """Return a compiled template; what is wrong with it is recorded in `faults`.

    Args:
        template: A template that satisfies the schema.
        faults: Where to record.

    """
    payload = template.get("payload", {})
    source = template["name"]
    _check(template, payload, faults)
    columns = payload.get("columns")
    return Compiled(
        source,
        template["title"],
        template.get("registered", False),
        Files(
            form="json" if _is_text(payload) else payload.get("format", "json"),
            reader=_reader(template, payload, f"{SID}{source}-device", faults),
            delimiter=payload.get("delimiter", ","),
            columns=None if columns is None else tuple(columns),
        ),
    )


def _is_text(payload: Mapping[str, Any]) -> bool:
    return payload.get("format") == "text"


def _check(
    template: Mapping[str, Any], payload: Mapping[str, Any], faults: Faults
) -> None:
    """Record what is wrong with the template as a whole."""
    if template["name"] in VENDORS:
        faults.add("/name", f"`{template['name']}` is a source that is built in.")
    form = payload.get("format", "json")
    if form != "csv" and {"delimiter", "columns"} & payload.keys():
        faults.add("/payload", "Only CSV has a delimiter and columns.")
    _check_topic(template.get("match", {}).get("topic"), form, faults)
    if template.get("registered"):
        _check_registered(template, faults)


def _check_topic(topic: str | None, form: str, faults: Faults) -> None:
    if topic is None:
        if form == "text":
            faults.add(
                "/payload/format", "A bare text comes on a topic: `match.topic`."
            )
    elif form in ("csv", "ndjson"):
        faults.add("/match/topic", f"A message on a topic is no {form} file.")
    elif (fault := filter_fault(topic)) is not None:
        faults.add("/match/topic", fault)


def _check_registered(template: Mapping[str, Any], faults: Faults) -> None:
    if "patient" in template:
        faults.add(
            "/patient", "The patient of a registered device is that of its Device."
        )
    if "identifier" not in template.get("device", {}):
        faults.add("/device", "A registered device needs an `identifier`.")


def _reader(
    template: Mapping[str, Any],
    payload: Mapping[str, Any],
    system: str,
    faults: Faults,
) -> Reader:
    match = template.get("match", {})
    topic = match.get("topic")
    body = Compiling(faults=faults, has_topic=topic is not None)
    span = None
    if "time" in template:
        span = when(body, template["time"], "/time")
    where = _where(body, match)
    device = clue(body, template.get("device"), system, "/device")
    patient = name(body, template.get("patient"), "/patient")
    source_id = name(body, template.get("id"), "/id")
    rules = _rules(body, template, system)
    ignored = _ignored(body, template)
    _metadata(body, template)
    return Reader(
        is_text=_is_text(payload),
        topic=None if topic is None else tuple(topic.split("/")),
        where=where,
        otherwise=match.get("otherwise"),
        span=span,
        device=device,
        patient=patient,
        source_id=source_id,
        rules=rules,
        ignored=ignored,
        known=_known(template, body, rules),
    )


def _where(body: Compiling, match: Mapping[str, Any]) -> Get | None:
    return body.get(match["where"], "/match/where") if "where" in match else None


def _rules(
    body: Compiling, template: Mapping[str, Any], system: str
) -> tuple[Rule, ...]:
    found = (
        rule(body, spec, template, system, below("/measurements", index))
        for index, spec in enumerate(template["measurements"])
    )
    return tuple(one for one in found if one is not None)


def _ignored(body: Compiling, template: Mapping[str, Any]) -> tuple[Ignored, ...]:
    found = []
    for path, what in template.get("ignore", {}).items():
        pointer = below("/ignore", path)
        expression = body.expression(path, pointer)
        if not expression.path:
            body.faults.add(pointer, "What is ignored is a plain path.")
        body.item += expression.reads
        found.append(Ignored(expression=expression, what=what))
    return tuple(found)


def _metadata(body: Compiling, template: Mapping[str, Any]) -> None:
    for index, path in enumerate(template.get("metadata", ())):
        expression = body.expression(path, below("/metadata", index))
        if not expression.path:
            body.faults.add(below("/metadata", index), "Metadata is a plain path.")
        body.item += expression.reads


def _known(
    template: Mapping[str, Any], body: Compiling, rules: Iterable[Rule]
) -> Tree | None:
    """Return what is known of a message; None where what is unknown is let pass."""
    if template.get("unlisted") == "pass":
        return None
    paths = [*body.item, *body.message]
    for one in rules:
        paths += paths_of(one)
    return tree_of(paths)
