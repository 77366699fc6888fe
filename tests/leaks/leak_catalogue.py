"""Requests by the row of the leak list that they belong to; nothing is written here.

The names in braces are those of the script: `secret` is the single denied Observation,
`bob` the denied patient, `steps-a` one of the denied rows; in the other world nothing
is stored under any of them.
"""

from collections.abc import Iterator, Mapping

from leak_resources import ACT_CODE, NUMBERS, SNOMED
from leak_script import PATIENT, ROWS, SCRIPT
from leak_worlds import Ask
from worlds import HEART_RATE, LOINC, RESTING, STEPS

from conformance.search_parameters import parameters

TYPES = (
    "Patient",
    "Consent",
    "Device",
    "Encounter",
    "Condition",
    "Observation",
    "DiagnosticReport",
    "DeviceMetric",
    "List",
    "Provenance",
    "Binary",
    "Group",
)
"""Every type of which something is hidden."""

PERSONAL = "Patient,Device,Encounter,Observation,Condition,DiagnosticReport,Consent"

TWO = ("nobody", "narrow")
ONE = ("lab",)

ABSENT = "1m00000000000"
"""An id of the service's own form that was never given."""


def _hidden() -> dict[str, str]:
    """Return what is hidden in some world: name → type."""
    found = {}
    for step in SCRIPT:
        if (ROWS in step.hidden or PATIENT in step.hidden) and step.method == "POST":
            found[step.name] = step.body["resourceType"]
    return found


HIDDEN: Mapping[str, str] = _hidden()

SAMPLE = {
    name: HIDDEN[name]
    for name in (
        "secret",
        "erased",
        "steps-a",
        "pinned",
        "strap",
        "stay",
        "steps-a-list",
        "bob",
        "bob-consent",
        "bobs-a",
        "bobs-d",
        "bobs-a-provenance",
        "bobs-group",
    )
}
"""One of each kind of hidden thing."""


def _asks(*paths: str, by: tuple[str, ...] = ("ehr", "lab")) -> tuple[Ask, ...]:
    return tuple(Ask(path=path, by=by) for path in paths)


PEOPLE = ("alice", "carol", "bob", "dora")

TOTALS = (
    *_asks(*(f"{type_}?_summary=count" for type_ in TYPES), by=TWO),
    *_asks(*(f"{type_}?_total=accurate&_count=2" for type_ in TYPES), by=TWO),
    *_asks(*(f"Observation?patient={{{one}}}&_summary=count" for one in PEOPLE)),
    *_asks(
        *(
            f"Patient/{{{one}}}/*?_total=accurate&_type=Observation,Encounter&_count=0"
            for one in PEOPLE
        ),
        by=TWO,
    ),
    *_asks(
        *(
            f"Observation?code={code}&_total=accurate&_count=0"
            for code in (STEPS, RESTING, HEART_RATE, "2339-0")
        ),
        by=TWO,
    ),
    *_asks(
        "Observation?_total=estimate&_count=1",
        "Observation?_count=0",
        f"?_type={PERSONAL}&_total=accurate&_count=0",
        f"?_type={PERSONAL}&_summary=count",
        "Observation?date=ge2026-11-05&_summary=count",
        "Observation?value-quantity=gt90&_summary=count",
        "Observation?_lastUpdated=ge2026-01-01&_total=accurate&_count=1",
        f"Observation?identifier={NUMBERS}|carol-2339-0-6&_summary=count",
        "Observation/_history?_summary=count",
        "Observation/{rest-a}/_history?_summary=count",
    ),
)

PAGES = (
    *_asks(*(f"Observation?_count={size}" for size in (1, 2, 3, 5, 7, 10)), by=ONE),
    *_asks(
        *(
            f"Observation?patient={{carol}}&_count={size}&_total=accurate"
            for size in (1, 2, 3, 4)
        ),
        by=TWO,
    ),
    *_asks(
        *(
            f"Observation?patient={{carol}}&code={RESTING},{STEPS}&_count={size}"
            for size in (1, 2, 3)
        ),
        by=ONE,
    ),
    *_asks(*(f"{type_}?_count=1" for type_ in TYPES), by=ONE),
    *_asks(*(f"?_type={PERSONAL}&_count={size}" for size in (1, 4, 11)), by=ONE),
    *_asks(
        "Patient/{carol}/$everything?_count=2",
        "Patient/{alice}/$everything?_count=3",
        "Patient/{dora}/$everything?_count=1",
        "Patient/{carol}/*?_type=Observation,Condition&_count=2",
        "Patient/{alice}/Observation?_count=2",
        "Observation?_lastUpdated=ge2026-01-01&_count=2",
        "Observation/_history?_count=3",
        "_history?_count=7",
        "Observation?_count=2&_sort=-date",
        "Observation?_count=2&_sort=-_lastUpdated",
        by=TWO,
    ),
)

ORACLES = (
    *_asks(
        "Observation?subject:Patient.name=bob",
        "Observation?subject:Patient.name=bob-family&_total=accurate",
        f"Observation?patient.identifier={NUMBERS}|bob-number",
        "Observation?subject:Patient.name=carol&_count=3",
        "Observation?device.identifier=strap-1",
        f"Observation?device.identifier={NUMBERS}|strap-1",
        f"Observation?device.identifier={NUMBERS}|bobs-ring-1",
        "DeviceMetric?source.patient={carol}",
        "Condition?encounter.identifier=stay-1",
        "Condition?encounter:Encounter.patient.name=carol",
        "DiagnosticReport?result.code=2339-0",
        "List?item:Observation.code=55423-8",
        f"Patient?_has:Observation:patient:code={STEPS}",
        "Patient?_has:Observation:patient:code=2339-0&_total=accurate",
        f"Patient?_has:Observation:patient:identifier={NUMBERS}|carol-2339-0-6",
        f"Patient?_has:Condition:patient:code={SNOMED}|73211009",
        "Patient?_has:Observation:patient:_has:DiagnosticReport:result:code=58410-2",
        "Patient?_has:Device:patient:identifier=strap-1",
        "Patient?_has:Group:member:_id={bobs-group}",
        "Practitioner?_has:Observation:performer:patient={bob}",
        f"Practitioner?_has:Condition:asserter:code={SNOMED}|73211009",
        f"Organization?_has:Patient:organization:identifier={NUMBERS}|bob-number",
        "Observation?device:missing=false",
        "Observation?device:missing=true&_total=accurate",
        "Observation?component-code:missing=false",
        "Observation?encounter:missing=true&_count=3",
        "Condition?encounter:missing=false&_summary=count",
        f"Observation?code:not={RESTING}",
        f"Observation?code:not={LOINC}|{STEPS}&_total=accurate",
        "Patient?gender:not=male",
        f"Patient?identifier:not={NUMBERS}|bob-number",
        "Observation?_id={secret},{steps-a},{bobs-a},{rest-a}",
        "Observation?_id:not={secret}",
        "Patient?_id={bob}",
        "Patient?name:contains=ob-fam",
        "Patient?name:exact=bob",
        "Patient?link={bob}",
        "Observation?has-member={steps-a}",
        "Observation?derived-from={secret}",
        "Observation?derived-from:Observation.code=2339-0",
        "Observation?focus={bob}",
        "Observation?focus:Patient.name=bob",
        f"Observation?derived-from:identifier={NUMBERS}|carol-2339-0-6",
        "Observation?combo-code=8462-4",
        "Observation?code-value-quantity=2339-0$99",
        "Observation?code:text=glucose",
        "Observation?_filter=code%20eq%202339-0",
        "Observation?_content=secret",
        "Observation?value-quantity=99",
        "Observation?value-quantity=ap98",
        "Patient?birthdate=1970-02-28&_summary=count",
        "Patient?general-practitioner={doctor}",
        "Patient?organization={elsewhere}",
    ),
)

INCLUDES = (
    *_asks(
        "Observation?_include=Observation:device&_include:iterate=Device:patient",
        "Observation?_include=Observation:has-member&_include=Observation:derived-from",
        "Observation?_id={naming}&_include=Observation:derived-from&_include=Observation:has-member&_include=Observation:focus",
        "Observation?_include:iterate=Observation:has-member&_include:iterate=Observation:subject",
        "Patient?_include=Patient:link",
        "Patient?_include:iterate=Patient:link&_revinclude:iterate=Observation:subject",
        "Patient?_revinclude=Observation:subject",
        "Patient?_id={carol}&_revinclude=Observation:patient&_revinclude=Condition:patient",
        "Patient?_revinclude=Encounter:patient&_revinclude:iterate=Condition:encounter",
        "Patient?_revinclude=Device:patient&_revinclude:iterate=DeviceMetric:source",
        "Patient?_revinclude=Group:member&_revinclude=Consent:patient",
        "Practitioner?_revinclude=Observation:performer",
        "Practitioner?_revinclude=Condition:asserter&_revinclude=Patient:general-practitioner",
        "Organization?_revinclude=Patient:organization",
        "Organization?_revinclude=Consent:actor",
        "Encounter?_revinclude=Condition:encounter",
        "DiagnosticReport?_include=DiagnosticReport:result",
        "Observation?_revinclude=DiagnosticReport:result&_revinclude=List:item",
        "Group?_include=Group:member",
        "List?_include=List:item",
        "Device?_revinclude=Observation:device",
        "Consent?_include=Consent:actor&_include=Consent:patient",
        "?_type=Observation,Device&_include=Observation:device&_count=4",
    ),
)

LASTN = _asks(
    *(
        f"Observation/$lastn?patient={{{one}}}&max={count}"
        for one in PEOPLE
        for count in (1, 2, 9)
    ),
    f"Observation/$lastn?patient={{carol}}&code={STEPS}",
    "Observation/$lastn?patient={carol}&date=ge2026-11-10&max=3",
    "Observation/$lastn?patient={carol}&category=vital-signs",
    by=TWO,
)


def _sorts() -> Iterator[Ask]:
    for type_ in (
        "Observation",
        "Patient",
        "Condition",
        "Encounter",
        "Device",
        "Consent",
    ):
        for code, parameter in sorted(parameters(type_).items()):
            if parameter.refusal is None and parameter.type != "composite":
                yield Ask(path=f"{type_}?_sort=-{code}&_count=6", by=ONE)


ORDERS = (*_sorts(), *LASTN)

READS = (
    *(Ask(path=f"{type_}/{{{name}}}", by=TWO) for name, type_ in HIDDEN.items()),
    *(
        Ask(path=f"{type_}/{{{name}}}", method="HEAD", by=TWO)
        for name, type_ in SAMPLE.items()
    ),
    *(
        Ask(path=f"{type_}/{{{name}}}{more}", by=ONE)
        for name, type_ in SAMPLE.items()
        for more in (
            "?_summary=true",
            "?_elements=meta",
            "/$meta",
            "/$validate?mode=delete",
            "/$nothing",
        )
    ),
    *_asks(
        "Patient/{bob}/$everything",
        "Patient/{bob}/Observation",
        "Patient/{bob}/*?_type=Observation",
        "Encounter/{stay}/Condition",
        "Encounter/{bobs-visit}/*?_type=Condition",
        "Device/{strap}/Observation",
        "Device/{bobs-ring}/*?_type=Observation&_summary=count",
        "Device/{doras-data}",
        "Device/{doras-data+1}",
        "Observation/{doras-data}",
        "Observation/{doras-data+1}",
        "Observation/{doras-data+2}",
        "Observation/{bobs-data+1}",
    ),
)

PAST = (
    *(
        Ask(path=f"{type_}/{{{name}}}/_history{more}", by=TWO)
        for name, type_ in SAMPLE.items()
        for more in ("", "/1", "/2", "/3")
    ),
    *_asks(
        "Observation/_history",
        "Patient/_history?_count=2",
        "Consent/_history",
        "Device/_history",
        "_history?_count=50",
        "_history?_since=2026-11-20T12:20:00Z",
        "_history?_at=2026-11-20T12:40:00Z&_count=9",
        "Observation/_history?_since=2026-11-20T12:30:00Z&_count=2",
        "Observation/_history?_at=2026-11-20",
        "Observation/_history?_since=2026-11-20T12:45:00Z",
        "Observation/{rest-a}/_history?_at=2026-11-20",
        "Patient/{alice}/_history?_since=2026-11-20T12:30:00Z",
        "Provenance/_history",
        by=TWO,
    ),
    *(
        Ask(path=f"{type_}/{{{name}}}", headers=headers, by=ONE)
        for name, type_ in SAMPLE.items()
        for headers in (
            {"If-None-Match": 'W/"1"'},
            {"If-None-Match": "*"},
            {"If-Modified-Since": "Sun, 20 Dec 2099 12:00:00 GMT"},
        )
    ),
)

DERIVED = (
    *_asks(
        *(
            f"{type_}?_count=50"
            for type_ in (
                "Device",
                "DeviceMetric",
                "List",
                "Group",
                "Binary",
                "Provenance",
            )
        ),
        by=("ehr", "narrow", "nobody"),
    ),
    *_asks(
        "Observation?_revinclude=Provenance:target&_count=4",
        "Patient?_revinclude=Provenance:target",
        "Device?_revinclude=Provenance:target",
        "Consent?_revinclude=Provenance:target",
        "Provenance?target=Observation/{secret}",
        "Provenance?target=Observation/{steps-a}",
        "Provenance?target=Observation/{rest-a}",
        "Provenance?target=Observation/{bobs-a}",
        "Provenance?target=Patient/{carol}",
        "Provenance?patient={bob}",
        "Provenance?patient={carol}&_total=accurate",
        "Provenance?patient={dora}",
        "List?item=Observation/{steps-a}",
        "List?title=List",
        "Group?member={bob}",
        "Group?_id={mixed-group}",
        "Group/{mixed-group}",
        "DeviceMetric?source=Device/{strap}",
        "DeviceMetric?identifier=metric-of-strap",
        "Device?patient={carol}",
        "Device?patient={bob}",
        "Device?patient={dora}",
        "Device?identifier=strap-1",
        "Device/{ring}",
        "DeviceMetric/{ring-metric}",
    ),
)

NAMING = (
    *_asks(
        "Observation/{naming}",
        "Observation/{naming}/_history",
        "Observation?_id={naming}",
        "Observation/{naming}?_elements=derivedFrom,hasMember,focus",
        "Observation?derived-from=Observation/{secret}",
        "Observation?has-member=Observation/{steps-a}&_include=Observation:has-member",
        "Observation?has-member.code=55423-8",
        "Observation?has-member:missing=false&_include=Observation:focus",
        "Patient/{alice}",
        "Patient?_id={alice}&_include=Patient:link",
        "Patient/{alice}/$everything",
        "Patient/{alice}/*?_type=Patient,Observation",
        "Patient?link:Patient.name=bob",
    ),
)

TAGS = _asks(
    f"Observation?_security={ACT_CODE}|SEX",
    "Observation?_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R",
    "Observation?_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|N&_count=3",
    "Observation?_security:missing=true",
    "Observation?_security:not=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|N",
    "Condition?_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R",
    "Observation?patient={carol}&_summary=data",
    "Observation/{rest-a}/$meta",
    "Patient/{carol}/$meta",
)

FAILING = (
    [{"op": "test", "path": "/resourceType", "value": "nothing"}],
    [{"op": "remove", "path": "/resourceType"}],
    [{"op": "copy", "from": "/nothing", "path": "/nothing"}],
)
"""Patches that change nothing; where they can be tried they fail for what is there."""

ERRORS = (
    *_asks(
        "Observation?patient={bob}&unknown=1",
        "Observation?patient={bob}&code:in=x",
        "Observation?patient=Patient/{bob},Patient/{carol}&date=nonsense",
        "Observation/{secret}/_history/nonsense",
        "Patient/{bob}/$match",
        "Patient/{bob}/Nonsense",
        "Patient/{bob}/_history?_list=1",
        "Observation/{secret}?_summary=count",
        "Observation/{secret}?_elements=nonsense",
        "Observation/$lastn?patient={bob},{carol}",
        "Observation?_sort=nonsense&patient={bob}",
        "Group/{bobs-group}/$everything",
        "Observation/$meta",
        "Patient/$everything",
    ),
    *(
        Ask(path=f"{type_}/{{{name}}}", method="PATCH", body=body, by=("writer",))
        for name, type_ in SAMPLE.items()
        for body in FAILING
    ),
    *(
        Ask(path=f"{type_}/{{{name}}}", headers={"Accept": "application/xml"}, by=ONE)
        for name, type_ in SAMPLE.items()
    ),
    *(
        Ask(
            path=f"{type_}?_id={{{name}}}&nonsense=1",
            headers={"Prefer": "handling=strict"},
            by=ONE,
        )
        for name, type_ in SAMPLE.items()
    ),
)

CONSENTS = (
    *_asks(
        "Consent",
        "Consent?_summary=count",
        "Consent?patient={bob}",
        "Consent?patient={carol}",
        "Consent?patient={dora}&_total=accurate",
        "Consent?actor=Organization/{elsewhere}",
        "Consent?actor:Organization.name=elsewhere",
        "Consent?patient.name=bob",
        f"Consent?security-label={ACT_CODE}|HIV",
        "Consent?purpose=TREAT",
        "Consent?action=access",
        "Consent?status=inactive",
        "Consent?scope=patient-privacy&_sort=date",
        "Consent?_sort=patient&_count=1",
        "Consent/{bob-consent}",
        "Consent/$evaluate?patient={carol}",
        "Consent/$evaluate?patient={dora}",
        "Consent/$evaluate?patient={zoe}",
        "Consent/$evaluate?patient={bob}",
        "Consent/{bob-consent}/_history",
        "Consent/{bob-consent}/_history/1",
        "Consent/_history?_count=2",
        "Patient/{bob}/Consent",
        "Organization?_has:Consent:actor:patient={bob}",
        "Organization?_has:Consent:actor:status=active",
        by=("ehr", "lab", "nobody", "stranger"),
    ),
)

CATALOGUE: Mapping[str, tuple[Ask, ...]] = {
    "L1": TOTALS,
    "L2": PAGES,
    "L4": ORACLES,
    "L5": INCLUDES,
    "L6": ORDERS,
    "L7": READS,
    "L8": PAST,
    "L14": DERIVED,
    "L15": NAMING,
    "L16": TAGS,
    "L17": ERRORS,
    "L21": CONSENTS,
}
"""Row of the list → what is asked of both worlds for it."""
