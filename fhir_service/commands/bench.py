"""`fhir-service bench`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from conformance.fhir_json import pretty
from fhir_service.bench.figures import Measured, Verdict
from fhir_service.bench.machine import BUSY_LOAD, described
from fhir_service.bench.plan import DEFAULT, FULL, Plan
from fhir_service.bench.run import run as measure
from fhir_service.bench.stage import BenchError
from fhir_service.bench.targets import shown
from fhir_service.settings import Settings

WIDTH = 150
"""Columns of the table where nobody looks at it in a terminal."""


def run(
    settings: Settings,
    *,
    full: bool,
    as_json: bool,
    only: str | None = None,
    plan: Plan | None = None,
) -> None:
    """Measure this installation and print each figure beside its target.

    Args:
        settings: Not used: the bench has a folder, keys and a database of its own.
        full: Whether to take the large sizes.
        as_json: Whether to print JSON.
        only: A group of figures; None for all.
        plan: Sizes in place of those that `full` chooses.

    Raises:
        BadParameter: where there is no such group.
        ClickException: where something could not be measured.

    """
    del settings
    machine = described()
    for line in _warnings(machine):
        click.echo(line, err=True)
    found = _measured(plan or (FULL if full else DEFAULT), only)
    if as_json:
        click.echo(pretty({"machine": machine, "figures": _as_json(found)}).decode())
    else:
        click.echo(_line(machine))
        console = Console()
        console.print(_table(found), width=None if console.is_terminal else WIDTH)
        click.echo(_summary(found))


def _measured(plan: Plan, only: str | None) -> list[Measured]:
    try:
        return measure(plan, _tell, only)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--only") from None
    except BenchError as error:
        raise click.ClickException(str(error)) from None


def _tell(what: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} {what}", err=True)


def _line(machine: dict[str, Any]) -> str:
    return (
        f"{machine['date']}, {machine['cpus']} CPUs ({machine['processor']}), "
        f"Python {machine['python']}, load average {machine['load']} at the start"
    )


def _warnings(machine: dict[str, Any]) -> Iterable[str]:
    if machine["load"] > BUSY_LOAD:
        yield (
            f"The machine is busy (load average {machine['load']}): "
            "the figures will be too low."
        )


def _decimal(value: float) -> Decimal:
    return Decimal(f"{value:.2f}")


def _as_json(found: Iterable[Measured]) -> list[dict[str, Any]]:
    return [
        {
            "key": one.key,
            "figure": one.row.title,
            "value": None if one.value is None else _decimal(one.value),
            "unit": one.row.unit,
            "target": one.row.target and one.row.target.text,
            "verdict": one.verdict.value,
            "note": one.note,
        }
        for one in found
    ]


_STYLES = {Verdict.MET: "green", Verdict.MISSED: "bold red"}


def _table(found: Iterable[Measured]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("figure", overflow="fold")
    for name in ("value", "unit", "target", "", "note"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for one in found:
        target = one.row.target
        table.add_row(
            one.row.title,
            "" if one.value is None else shown(one.value),
            one.row.unit,
            target.text if target else "",
            one.verdict.value,
            one.note,
            style=_STYLES.get(one.verdict, ""),
        )
    return table


def _summary(found: Iterable[Measured]) -> str:
    verdicts = [one.verdict for one in found]
    met, missed = verdicts.count(Verdict.MET), verdicts.count(Verdict.MISSED)
    absent = verdicts.count(Verdict.NOT_MEASURED)
    return f"{met} targets met, {missed} missed, {absent} figures not measured."
