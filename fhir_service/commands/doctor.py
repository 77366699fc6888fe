"""`fhir-service doctor`."""

from collections.abc import Iterable

import click

from conformance.fhir_json import pretty
from fhir_service.app import probes
from fhir_service.doctor import Finding, examine, is_well
from fhir_service.settings import Settings


def run(settings: Settings, *, as_json: bool) -> bool:
    """Print what every check found; return whether nothing failed."""
    with probes(settings) as asked:
        findings = examine(settings, asked)
    click.echo(told(findings, as_json=as_json))
    return is_well(findings)


def told(findings: Iterable[Finding], *, as_json: bool) -> str:
    """Return the findings as JSON or as lines."""
    if as_json:
        return pretty(
            [
                {
                    "check": finding.check,
                    "verdict": finding.verdict.value,
                    "sentence": finding.sentence,
                }
                for finding in findings
            ]
        ).decode()
    return "\n".join(
        f"{finding.verdict:8}{finding.check:14}{finding.sentence}"
        for finding in findings
    )
