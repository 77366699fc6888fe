"""The command line: `fhir-service COMMAND`.

This module reads arguments and nothing else, so that `--help` answers at once; what
a command does is in `fhir_service.commands`, imported when it runs:

| command | function | arguments after the first |
|---|---|---|
| serve | `serve.run(settings)` | `show_config` |
| mqtt | `mqtt.run(settings)` | |
| demo | `demo.run(settings)` | `exit_after` |
| migrate | `migrate.run(settings)` | |
| doctor | `doctor.run(settings)` | `as_json`; returns whether all is well |
| import | `import_file.run(settings)` | those of the command |
| quarantine list | `quarantine.listing(settings)` | `source, limit, as_json` |
| quarantine retry | `quarantine.retry(settings)` | `source, as_json` |
| device health | `device.health(settings)` | `patient, as_json` |
| days-with-data | `days.run(settings)` | `patient, start, end, zone, as_json` |
| pairing add | `pairing.add(settings)` | `asked, as_json` |
| pairing list | `pairing.listing(settings)` | `patient, as_json` |
| pairing revoke, notice | `pairing.revoke(settings)`, ... | `pairing_id` |
| consent show | `consent.show(settings)` | `patient, language, as_json` |
| consent explain | `consent.explain(settings)` | the same, and those of the options |
| consent explain --replay | `consent.replay(settings)` | `entry`; returns if well |
| audit verify | `audit.verify(settings)` | `checkpoint, as_json`; returns if well |
| audit export | `audit.export(settings)` | `path` |
| audit reindex | `audit.reindex(settings)` | |
| audit prove | `audit_proof.prove(settings)` | `path, rows, patient, earlier` |
| audit report | `audit_report.run(settings)` | `name, about, form, options` |
| audit verifier, checkpoint | `audit_proof.verifier(settings)`, ... | |
| alert list, close | `alert.listing(settings)`, ... | see there |
| alert webhook add, list, remove | `alert.webhook_add(settings)`, ... | see there |
| push add, list, rotate, remove | `push.add(settings)`, ... | see there |
| mapping test | `mapping.test(template, payload)` | returns if any is stored |
| mapping add, list, remove | `mapping.add(settings)`, ... | see there |
| mapping replay | `mapping_replay.run(settings)` | `since, source, apply, as_json` |
| bench | `bench.run(settings)` | `full, only, as_json` |
| client add, list, rotate, remove | `client.add(services)`, ... | see there |
| rotate-keys | `rotate_keys.id_token(services)` | |
| user add, list, change, remove, ... | `user.add(services)`, ... | see there |

The first argument is the `Settings`, or the `AuthServices` that
`fhir_service.app.open_auth_services(settings)` yields.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from typing import Any

import click

FAILED, MISUSED = 1, 2
"""Exit codes: what was asked could not be done; it was asked wrongly."""


def run(name: str, /, **options: Any) -> Any:
    """Call `module.function` of `fhir_service.commands` with the settings."""
    from fhir_service.settings import process_settings  # noqa: PLC0415 - `--help` is quick

    return _function(name)(process_settings(), **options)


def run_with_services(name: str, /, **options: Any) -> Any:
    """Call `module.function` of `fhir_service.commands` with the AuthServices."""
    from fhir_service.settings import process_settings  # noqa: PLC0415 - `--help` is quick

    opened = import_module("fhir_service.app").open_auth_services(process_settings())
    with opened as services:
        return _function(name)(services, **options)


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(
        import_module(f"fhir_service.commands.{module}"), function
    )
    return found


def exit_unless(well: object) -> None:
    """End with `FAILED` unless all is well."""
    if not well:
        sys.exit(FAILED)


class OneSentence(click.Group):
    """A group whose errors are one sentence on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _told():
            return super().invoke(ctx)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (click.exceptions.Exit, click.ClickException, click.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - the last one to see it
        click.echo(f"fhir-service: {_sentence(error)}", err=True)
        sys.exit(MISUSED if type(error).__name__ == "SettingsError" else FAILED)


def _sentence(error: Exception) -> str:
    """Return what is wrong; the text only of errors that are written to be shown."""
    from conformance.issues import FHIRError  # noqa: PLC0415 - only when it fails
    from fhir_service.logs import describe  # noqa: PLC0415
    from fhir_service.settings import SettingsError  # noqa: PLC0415

    if isinstance(error, FHIRError):
        return "; ".join(issue.diagnostics for issue in error.issues)
    if isinstance(error, SettingsError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}."
    place = describe(error)["frames"][-1:]
    return f"{type(error).__name__} at {', '.join(place)}."


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
patient_id = click.option("--patient", required=True, help="Logical id of the Patient.")


@click.group(cls=OneSentence, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fhir-interop-service", prog_name="fhir-service")
def main() -> None:
    """Behavioral health device data to FHIR R4, only as far as patients agree.

    Settings are environment variables, FHIR_SERVICE_*; see docs/settings.md.
    """


@main.command()
@click.option("--show-config", is_flag=True, help="Print the settings and end.")
def serve(*, show_config: bool) -> None:
    """Serve HTTP until SIGTERM."""
    run("serve.run", show_config=show_config)


@main.command()
def mqtt() -> None:
    """Store what comes from an MQTT broker until SIGTERM."""
    run("mqtt.run")


@main.command()
@click.option("--exit", "exit_after", is_flag=True, help="Ask one query and end.")
def demo(*, exit_after: bool) -> None:
    """Fill the data folder with a synthetic cohort and serve it."""
    run("demo.run", exit_after=exit_after)


@main.command()
def migrate() -> None:
    """Bring the database schema up to date."""
    run("migrate.run")


@main.command()
@as_json
def doctor(*, as_json: bool) -> None:
    """Check this machine, the data folder, the database and the keys."""
    exit_unless(run("doctor.run", as_json=as_json))


@main.command("import")
@click.argument("source")
@click.argument("path", type=click.Path(exists=True))
@patient_id
@click.option("--zone", help="IANA time zone of times that have no offset.")
@click.option("--watch", "watches", is_flag=True, help="Import files as they come.")
@as_json
def import_file(  # noqa: PLR0913 - one argument an option
    *,
    source: str,
    path: str,
    patient: str,
    zone: str | None,
    watches: bool,
    as_json: bool,
) -> None:
    """Import a file or folder of SOURCE, such as apple-health, for one patient."""
    run(
        "import_file.run",
        source=source,
        path=path,
        patient=patient,
        zone=zone,
        watches=watches,
        as_json=as_json,
    )


@main.group()
def quarantine() -> None:
    """What devices sent and nobody understood."""


source_option = click.option("--source", help="Only what this source sent.")


@quarantine.command("list")
@source_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Rows at most.",
)
@as_json
def quarantine_list(*, source: str | None, limit: int, as_json: bool) -> None:
    """Show what is in quarantine, and why."""
    run("quarantine.listing", source=source, limit=limit, as_json=as_json)


@quarantine.command("retry")
@source_option
@as_json
def quarantine_retry(*, source: str | None, as_json: bool) -> None:
    """Read again what is in quarantine."""
    run("quarantine.retry", source=source, as_json=as_json)


@main.group()
def mapping() -> None:
    """Templates that map sensors nobody has written code for."""


template_file = click.argument("template", type=click.Path(exists=True, dir_okay=False))


@mapping.command("test")
@template_file
@click.argument("payload", type=click.Path(exists=True, dir_okay=False))
@click.option("--zone", help="IANA time zone of times that have no offset.")
@as_json
def mapping_test(
    *, template: str, payload: str, zone: str | None, as_json: bool
) -> None:
    """Show what would become of the file PAYLOAD by the file TEMPLATE."""
    from pathlib import Path  # noqa: PLC0415 - `--help` is quick

    well = _function("mapping.test")(
        Path(template),
        Path(payload),
        zone=zone,
        as_json=as_json,
        now=_function("mapping.now")(),
    )
    exit_unless(well)


@mapping.command("add")
@template_file
@as_json
def mapping_add(*, template: str, as_json: bool) -> None:
    """Put the file TEMPLATE in force, in place of an earlier version."""
    from pathlib import Path  # noqa: PLC0415 - `--help` is quick

    exit_unless(run("mapping.add", template=Path(template), as_json=as_json))


@mapping.command("list")
@as_json
def mapping_list(*, as_json: bool) -> None:
    """Show every version of every template."""
    run("mapping.listing", as_json=as_json)


@mapping.command("remove")
@click.argument("name")
def mapping_remove(*, name: str) -> None:
    """End the template NAME; its versions are kept."""
    run("mapping.remove", name=name)


@mapping.command("replay")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
    required=True,
    help="Payloads received from then on; UTC where no offset is said.",
)
@source_option
@click.option("--apply", is_flag=True, help="Change what differs without asking.")
@as_json
def mapping_replay(
    *, since: datetime, source: str | None, apply: bool, as_json: bool
) -> None:
    """Read payloads that are kept by today's mapping; show what would change."""
    run(
        "mapping_replay.run",
        since=since,
        source=source,
        apply=apply,
        as_json=as_json,
    )


@main.group()
def push() -> None:
    """Addresses to which vendors push."""


endpoint_argument = click.argument("endpoint")


@push.command("add")
@click.argument("source")
@click.option("--client", "client_id", required=True, help="For whom it delivers.")
@click.option(
    "--tolerance", "tolerance_s", type=int, help="Seconds that a signed time is good."
)
@as_json
def push_add(**options: Any) -> None:
    """Make an address for SOURCE, such as whoop; secrets come from standard input."""
    run("push.add", stream=sys.stdin, **options)


@push.command("list")
@as_json
def push_list(*, as_json: bool) -> None:
    """Show every address, without secrets."""
    run("push.listing", as_json=as_json)


@push.command("rotate")
@endpoint_argument
@as_json
def push_rotate(*, endpoint: str, as_json: bool) -> None:
    """Replace the secrets of an address."""
    run("push.rotate", endpoint_id=endpoint, stream=sys.stdin, as_json=as_json)


@push.command("remove")
@endpoint_argument
def push_remove(*, endpoint: str) -> None:
    """Close an address and forget its secrets."""
    run("push.remove", endpoint_id=endpoint)


@main.group()
def device() -> None:
    """How patients' devices are."""


@device.command("health")
@click.option("--patient", help="Logical id of the Patient; else of all.")
@as_json
def device_health(*, patient: str | None, as_json: bool) -> None:
    """Show which devices are silent, low on battery, not worn, of wrong time."""
    run("device.health", patient=patient, as_json=as_json)


@main.command("days-with-data")
@click.argument("patient")
@click.option("--start", required=True, help="The first day, as YYYY-MM-DD.")
@click.option("--end", help="The last day; else the 30th.")
@click.option("--zone", help="IANA time zone of the days; else the Patient's own.")
@as_json
def days_with_data(
    *, patient: str, start: str, end: str | None, zone: str | None, as_json: bool
) -> None:
    """Print which days of PATIENT hold data, as CSV."""
    run(
        "days.run",
        patient=patient,
        start=start,
        end=end,
        zone=zone,
        as_json=as_json,
    )


@main.group()
def pairing() -> None:
    """Whose a device or a vendor's account is, where and when."""


@pairing.command("add")
@click.argument("source")
@patient_id
@click.option("--account", help="The vendor's id of an account.")
@click.option("--device", "unit", help="Serial number, address or UDI of a device.")
@click.option("--system", help="Identifier system of --device, where it has one.")
@click.option("--room", "location", help="Where it stands, Location/ID.")
@click.option("--start", help="A day, or a time with its offset; now where absent.")
@click.option("--end", help="Its last day, or a time with its offset.")
@click.option("--zone", help="IANA time zone of the days, and of local times.")
@as_json
def pairing_add(*, as_json: bool, patient: str, **options: str | None) -> None:
    """Pair a device or an account of SOURCE with a patient."""
    asked = import_module("fhir_service.ingest.pairing_asked").Asked
    patient = patient.removeprefix("Patient/")
    run("pairing.add", asked=asked(patient=patient, **options), as_json=as_json)


@pairing.command("list")
@patient_id
@as_json
def pairing_list(*, patient: str, as_json: bool) -> None:
    """Show what is paired with a patient."""
    run("pairing.listing", patient=patient, as_json=as_json)


@pairing.command("revoke")
@click.argument("pairing_id")
def pairing_revoke(*, pairing_id: str) -> None:
    """End a pairing at once."""
    run("pairing.revoke", pairing_id=pairing_id)


@pairing.command("notice")
@click.argument("pairing_id")
def pairing_notice(*, pairing_id: str) -> None:
    """Record that those who live in the room were told of the sensor."""
    run("pairing.notice", pairing_id=pairing_id)


@main.group()
def consent() -> None:
    """What a patient agreed to."""


@consent.command("show")
@patient_id
@click.option(
    "--language",
    type=click.Choice(["en", "es"]),
    help="Plain sentences in this language instead of provisions.",
)
@as_json
def consent_show(*, patient: str, language: str | None, as_json: bool) -> None:
    """Show a patient's consents."""
    run("consent.show", patient=patient, language=language, as_json=as_json)


@consent.command("explain")
@click.option("--patient", help="Logical id of the Patient.")
@click.option("--client", "client_id", help="Id of the asking client.")
@click.option("--resource", help="Only this one, such as Observation/123.")
@click.option("--at", help="At this instant, not now.")
@click.option(
    "--draft",
    "drafts",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="A Consent in a file, instead of the stored one or beside them.",
)
@click.option("--diff", "compares", is_flag=True, help="Say what the drafts change.")
@click.option("--replay", "entry", help="A decision again: row of the log or request.")
@as_json
def consent_explain(
    *, entry: str | None, as_json: bool, patient: str | None, **asked: Any
) -> None:
    """Say what a client may read of a patient, and which provision says so."""
    if entry is not None:
        if patient or any(asked.values()):
            raise click.UsageError("--replay takes no option but --json.")
        exit_unless(run("consent.replay", entry=entry, as_json=as_json))
    elif patient is None or asked["client_id"] is None:
        raise click.UsageError("Say --patient and --client, or --replay.")
    else:
        run("consent.explain", patient=patient, as_json=as_json, **asked)


@main.group()
def audit() -> None:
    """Who saw what, and whether the log is whole."""


@audit.command("verify")
@click.option(
    "--checkpoint",
    type=click.Path(exists=True),
    help="A checkpoint or an export kept elsewhere, or a folder of them.",
)
@as_json
def audit_verify(*, checkpoint: str | None, as_json: bool) -> None:
    """Find rows of the log that were altered, removed or inserted."""
    exit_unless(run("audit.verify", checkpoint=checkpoint, as_json=as_json))


@audit.command("export")
@click.argument("path", type=click.Path(dir_okay=False))
def audit_export(*, path: str) -> None:
    """Write the log and a signed checkpoint to PATH."""
    run("audit.export", path=path)


@audit.command("prove")
@click.argument("path", type=click.Path(dir_okay=False))
@click.option("--row", "rows", type=click.IntRange(min=0), multiple=True)
@click.option("--patient", help="Every row of this patient, instead of --row.")
@click.option(
    "--since",
    "earlier",
    type=click.Path(exists=True, dir_okay=False),
    multiple=True,
    help="A checkpoint kept earlier; the bundle shows that the log continues it.",
)
def audit_prove(
    *, path: str, rows: tuple[int, ...], patient: str | None, earlier: tuple[str, ...]
) -> None:
    """Write to PATH what proves rows to somebody who does not trust this service."""
    if bool(rows) == (patient is not None):
        raise click.UsageError("Say --row, or --patient.")
    run("audit_proof.prove", path=path, rows=rows, patient=patient, earlier=earlier)


REPORTS = (
    *("access", "accounting", "admin", "consents", "coverage", "default", "device"),
    *("disclosures", "emergencies", "gaps", "labels", "obligations", "receipts"),
    *("refused", "retention", "tokens", "unexplained", "vendor", "withdrawals"),
)
"""Names of the reports; a test holds them against `commands.audit_report`."""


@audit.command("report")
@click.argument("name", type=click.Choice(REPORTS))
@click.argument("about", required=False)
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--since", help="From this date or instant on.")
@click.option("--until", help="Through this date or instant.")
@click.option("--zone", default="UTC", help="Time zone, such as Europe/Madrid.")
@click.option(
    "--reading",
    type=click.Choice(["hipaa", "part-2", "all"]),
    default="hipaa",
    help="Which law an accounting is of.",
)
def audit_report(
    *, name: str, about: str | None, form: str | None, **options: Any
) -> None:
    """Answer an officer's question ABOUT a patient, an organization, a client ..."""
    run(
        "audit_report.run",
        name=name,
        about=about,
        form=form or "text",
        options=options,
    )


@audit.command("verifier")
def audit_verifier() -> None:
    """Print the program that checks such a bundle: one file of plain Python."""
    run("audit_proof.verifier")


@audit.command("reindex")
def audit_reindex() -> None:
    """Make the index of the log anew from the log."""
    run("audit.reindex")


@main.group()
def alert() -> None:
    """What an officer should look at."""


@alert.command("list")
@as_json
def alert_list(*, as_json: bool) -> None:
    """Show the open alerts, newest first."""
    run("alert.listing", as_json=as_json)


@alert.command("close")
@click.argument("alert_id", metavar="ID", type=int)
@click.option("--note", default="", help="Why; kept sealed.")
def alert_close(*, alert_id: int, note: str) -> None:
    """Close the alert ID."""
    run("alert.close", alert_id=alert_id, note=note)


@alert.group("webhook")
def alert_webhook() -> None:
    """Where alerts are sent."""


@alert_webhook.command("add")
@click.argument("url")
@click.option("--organization", help="Only alerts of this one, Organization/ID.")
@as_json
def alert_webhook_add(*, url: str, organization: str | None, as_json: bool) -> None:
    """Send alerts to URL; the secret by which they are signed is shown once."""
    run("alert.webhook_add", url=url, organization=organization, as_json=as_json)


@alert_webhook.command("list")
@as_json
def alert_webhook_list(*, as_json: bool) -> None:
    """Show every address, without secrets."""
    run("alert.webhook_list", as_json=as_json)


@alert_webhook.command("remove")
@click.argument("webhook")
def alert_webhook_remove(*, webhook: str) -> None:
    """Send nothing to WEBHOOK any more and forget its secret."""
    run("alert.webhook_remove", webhook_id=webhook)


@audit.command("checkpoint")
def audit_checkpoint() -> None:
    """Write a signed checkpoint now, and print where it is."""
    run("audit_proof.checkpoint")


@main.command()
@click.option("--full", is_flag=True, help="A million rows; it takes much longer.")
@click.option("--only", help="One group of figures, such as search-sqlite.")
@as_json
def bench(*, full: bool, only: str | None, as_json: bool) -> None:
    """Measure this installation and print each figure beside its target."""
    run("bench.run", full=full, only=only, as_json=as_json)


@main.group()
def client() -> None:
    """Systems that may ask for tokens."""


client_id_argument = click.argument("client_id")


def key_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where a client's public key comes from."""
    options = (
        click.option("--jwks", type=click.Path(exists=True), help="Its JWKS or JWK."),
        click.option("--key-dir", type=click.Path(), help="Generate a key in here."),
        click.option("--jwks-uri", help="Where it publishes its JWKS."),
        click.option(
            "--algorithm",
            type=click.Choice(["ES384", "RS384"]),
            default="ES384",
            show_default=True,
            help="Of the generated key.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _key(
    jwks: str | None, key_dir: str | None, algorithm: str, jwks_uri: str | None
) -> Any:
    from pathlib import Path  # noqa: PLC0415 - `--help` is quick

    source = _function("client.KeySource")
    return source(
        jwks=Path(jwks) if jwks else None,
        directory=Path(key_dir) if key_dir else None,
        algorithm=algorithm,
        uri=jwks_uri,
    )


APP_OPTIONS = (
    "kind",
    "auth",
    "redirect_uris",
    "launch_uri",
    "origins",
    "without_pkce",
    "token_lifetime_s",
    "refresh_lifetime_s",
)
"""Options of `commands.client.AppOptions`; a test holds them against it."""


def app_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what an app is."""
    options = (
        click.option(
            "--kind",
            type=click.Choice(["backend", "app"]),
            default="backend",
            show_default=True,
            help="Whether it acts by itself or for a person.",
        ),
        click.option(
            "--auth",
            type=click.Choice(["key", "secret", "none"]),
            default="key",
            show_default=True,
            help="How it proves who it is.",
        ),
        click.option(
            "--redirect-uri", "redirect_uris", multiple=True, help="Exact; of an app."
        ),
        click.option("--launch-uri", help="Where an EHR launch of the app begins."),
        click.option(
            "--origin",
            "origins",
            multiple=True,
            help="Of its pages, for CORS; those of its redirect URIs where absent.",
        ),
        click.option(
            "--without-pkce", is_flag=True, help="For an app of SMART 1.0 alone."
        ),
        click.option("--token-lifetime", "token_lifetime_s", type=int, help="Seconds."),
        click.option(
            "--refresh-lifetime", "refresh_lifetime_s", type=int, help="Seconds."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@client.command("add")
@client_id_argument
@click.option("--name", help="For people; the id where absent.")
@click.option("--scope", "scopes", multiple=True, required=True, help="SMART scope.")
@click.option("--purpose", "purposes", multiple=True, help="Such as TREAT.")
@click.option("--organization", help="Organization it acts for, Organization/ID.")
@click.option("--source", "sources", multiple=True, help="Device source it feeds.")
@key_options
@app_options
@as_json
def client_add(
    *,
    jwks: str | None,
    key_dir: str | None,
    algorithm: str,
    jwks_uri: str | None,
    **options: Any,
) -> None:
    """Register a backend client, or an app."""
    app = {name: options.pop(name) for name in APP_OPTIONS}
    run_with_services(
        "client.add",
        key=_key(jwks, key_dir, algorithm, jwks_uri),
        app=_function("client.AppOptions")(**app),
        **{**options, "scopes": _words(options["scopes"])},
    )


def _words(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for text in texts for word in text.split())


@client.command("list")
@as_json
def client_list(*, as_json: bool) -> None:
    """Show every client."""
    run_with_services("client.listing", as_json=as_json)


@client.command("rotate")
@client_id_argument
@key_options
@click.option("--secret", is_flag=True, help="Give it a new secret.")
def client_rotate(  # noqa: PLR0913 - one argument an option
    *,
    client_id: str,
    jwks: str | None,
    key_dir: str | None,
    algorithm: str,
    jwks_uri: str | None,
    secret: bool,
) -> None:
    """Replace a client's keys or secret and end its tokens."""
    key = _key(jwks, key_dir, algorithm, jwks_uri)
    run_with_services("client.rotate", client_id=client_id, key=key, secret=secret)


@client.command("remove")
@client_id_argument
def client_remove(*, client_id: str) -> None:
    """Close a client and end its tokens."""
    run_with_services("client.remove", client_id=client_id)


@main.command("rotate-keys")
@click.option("--id-token", is_flag=True, help="The key that signs ID tokens.")
def rotate_keys(*, id_token: bool) -> None:
    """Let a new key take over from the one in use."""
    if not id_token:
        raise click.UsageError("Say which: --id-token.")
    run_with_services("rotate_keys.id_token")


ROLES = (
    "patient",
    "related-person",
    "practitioner",
    "compliance-officer",
    "administrator",
)
"""What a person may be; a test holds it against `auth.users.Role`."""


language = click.option(
    "--language", type=click.Choice(("en", "es")), help="Of the pages they see."
)


@main.group()
def user() -> None:
    """People who may log in."""


@user.command("add")
@click.argument("username")
@click.option("--name", help="For people; the username where absent.")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--reference", help="The resource that is this person, Patient/ID.")
@click.option("--organization", help="Organization they act for, Organization/ID.")
@language
@click.option(
    "--break-glass", "may_break_glass", is_flag=True, help="May declare an emergency."
)
def user_add(*, role: str, **options: Any) -> None:
    """Add a person; the password is asked for, or read from standard input."""
    roles = import_module("fhir_service.auth.users").Role
    password = _function("user.ask_password")(sys.stdin)
    run_with_services("user.add", role=roles(role), password=password, **options)


@user.command("list")
@as_json
def user_list(*, as_json: bool) -> None:
    """Show every person."""
    run_with_services("user.listing", as_json=as_json)


@user.command("change")
@click.argument("username")
@click.option("--name", help="For people.")
@click.option("--reference", help="The resource that is this person, Patient/ID.")
@click.option("--organization", help="Organization they act for, Organization/ID.")
@language
@click.option(
    "--break-glass/--no-break-glass",
    "may_break_glass",
    default=None,
    help="May declare an emergency.",
)
@click.option("--password", "asks_password", is_flag=True, help="Ask for a new one.")
def user_change(*, asks_password: bool, **options: Any) -> None:
    """Change a person; what is not named stays as it is."""
    password = _function("user.ask_password")(sys.stdin) if asks_password else None
    run_with_services("user.change", password=password, **options)


@user.command("second-factor-reset")
@click.argument("username")
def user_second_factor_reset(*, username: str) -> None:
    """Remove the second factor of a person who has lost it; their logins end."""
    run_with_services("user.reset_second_factor", username=username)


@user.command("remove")
@click.argument("username")
def user_remove(*, username: str) -> None:
    """Close a person's account and end their logins."""
    run_with_services("user.remove", username=username)
