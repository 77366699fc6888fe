"""`fhir-service user add|list|change|second-factor-reset|remove`.

A password is asked for at a terminal, or is the first line of standard input; it is
never an argument, which other users of the machine could read.
"""

from typing import Any, TextIO

import click

from conformance.fhir_json import pretty
from fhir_service.auth import users
from fhir_service.auth.services import AuthServices
from fhir_service.storage import accounts


def add(  # noqa: PLR0913 - one argument an option of the command
    services: AuthServices,
    *,
    username: str,
    name: str | None,
    role: users.Role,
    reference: str | None,
    organization: str | None,
    password: str,
    language: str | None = None,
    may_break_glass: bool = False,
) -> None:
    """Store a user and say so.

    Raises:
        FHIRError: `value` or `duplicate`, as `users.register`.

    """
    account = users.register(
        services,
        users.NewUser(
            username=username,
            name=name or username,
            role=role,
            password=password,
            reference=reference,
            organization=organization,
            language=language,
            may_break_glass=may_break_glass,
        ),
    )
    click.echo(f"User {account.username} ({account.role}) can log in.")


def change(
    services: AuthServices, *, username: str, password: str | None, **changes: Any
) -> None:
    """Change what is given of a user, and say so.

    Raises:
        FHIRError: `value` or `not-found`, as `users.change`.

    """
    wanted = users.UserChange(password=password, **changes)
    account = users.change(services, username, wanted)
    click.echo(f"User {account.username} is changed.")


def reset_second_factor(services: AuthServices, *, username: str) -> None:
    """Remove a user's second factor, end open logins, and say so.

    Raises:
        FHIRError: `not-found` where there is no such active user.

    """
    had_one = users.reset_second_factor(services, username)
    state = "is removed" if had_one else "was not set up"
    click.echo(f"The second factor of {username} {state}; open logins have ended.")


def ask_password(stream: TextIO) -> str:
    """Return a password typed twice at a terminal, or the first line of `stream`."""
    if stream.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return stream.readline().rstrip("\r\n")


def listing(services: AuthServices, *, as_json: bool) -> None:
    """Print every user, removed ones too."""
    with services.database.read() as snapshot:
        rows = [users.as_json(account) for account in accounts.all_accounts(snapshot)]
    if as_json:
        click.echo(pretty(rows).decode())
        return
    for row in rows:
        state = "active" if row["active"] else "removed"
        click.echo(
            f"{row['username']}  {state}  {row['role']}  {row['reference'] or '-'}  "
            f"{row['organization'] or '-'}"
        )


def remove(services: AuthServices, *, username: str) -> None:
    """Close a user's account; open logins end at once.

    Raises:
        FHIRError: `not-found` where there is no such active user.

    """
    users.remove(services, username)
    click.echo(f"User {username} is removed; open logins have ended.")
