"""Make, list and revoke the API keys of workspaces."""

from collections.abc import Sequence

import click

from advisor.answers.parts import Answer
from advisor.cli.database import existing
from advisor.cli.terminal import console, print_table, table, text
from advisor.errors import AdvisorError
from advisor.services import keys
from advisor.services.keys import SCOPES, KeyState
from advisor.services.sellers import instant
from advisor.settings import Settings
from advisor.store.database import now_ms

MOST_NAMED = 5


def create(
    workspace: str,
    name: str,
    scopes: Sequence[str],
    days: int | None,
    publishable: bool,
    origins: Sequence[str],
) -> None:
    """Make a key and print it: on standard output alone, so that it can be piped to where it is kept."""
    if publishable and not origins:
        raise AdvisorError("A publishable key is bound to the pages that use it: name them with --origin.")
    if origins and not publishable:
        raise AdvisorError("Only a publishable key is bound to origins: add --publishable, or leave --origin out.")
    if publishable and scopes:
        raise AdvisorError("A publishable key opens no stored data, so it has no scopes: leave --scope out.")
    settings = Settings.from_environment()
    granted = () if publishable else tuple(scopes) or SCOPES
    with existing(settings) as database, database.writing() as connection:
        known = keys.has_workspace(connection, workspace)
        others = keys.of_another_secret(connection, settings.secret())
        key = keys.create(connection, settings.secret(), workspace, name, granted, days, origins)
    kind = "publishable key" if publishable else "secret key"
    ends = f"It expires in {days} days." if days else "It does not expire."
    click.echo(f"This is the {kind} {key.split('_')[1]} of {workspace}. {ends}", err=True)
    if others:
        click.echo(other_secret(others), err=True)
    if not known:
        click.echo(f"A new workspace was made: {workspace}.", err=True)
    if publishable:
        click.echo(f"It is good from {', '.join(origins)}, and opens no stored data.", err=True)
    else:
        click.echo(f"It may do {', '.join(granted)}. Only its hash is kept: it is shown now and never again.", err=True)
    click.echo(key)


def other_secret(refused: Sequence[str]) -> str:
    """Say that live keys are refused, because the secret is not the one that they were made with."""
    named = ", ".join(refused[:MOST_NAMED]) + (" and others" if len(refused) > MOST_NAMED else "")
    return (
        f"Live keys were made with another ADVISOR_SECRET_KEY than this, and are refused: {named}. "
        "Set the one that they were made with, or revoke them and make new ones."
    )


def show(workspace: str | None) -> None:
    """Print the keys as a table."""
    found = _listed(workspace)
    if not found:
        click.echo("There are no keys. `advisor keys create --workspace NAME` makes one.")
        return
    made = table("workspace", "id", "name", "kind", "state", "expires on", "last used on", "opens")
    for key in found:
        opens = "everything" if set(key.scopes) == set(SCOPES) else ", ".join(key.origins or key.scopes)
        expires = "never" if key.expires_at is None else instant(key.expires_at)[:10]
        cells = (key.workspace, key.id, key.name, key.kind, _state(key), expires, key.last_used_on or "never", opens)
        made.add_row(*(text(cell) for cell in cells))
    print_table(console(), made)


def describe(workspace: str | None) -> Answer:
    """Describe the keys as JSON."""
    return {
        "items": [
            {
                "id": key.id,
                "workspace": key.workspace,
                "name": key.name,
                "kind": key.kind,
                "state": _state(key),
                "scopes": list(key.scopes),
                "origins": list(key.origins),
                "created_at": instant(key.created_at),
                "expires_at": key.expires_at and instant(key.expires_at),
                "revoked_at": key.revoked_at and instant(key.revoked_at),
                "last_used_on": key.last_used_on,
            }
            for key in _listed(workspace)
        ]
    }


def revoke(key_id: str) -> None:
    """Revoke a key."""
    with existing() as database, database.writing() as connection:
        revoked = keys.revoke(connection, key_id)
    click.echo(f"The key {revoked} is revoked: requests with it are refused from now on.")


def _listed(workspace: str | None) -> list[KeyState]:
    with existing() as database, database.reading() as connection:
        found = keys.listed(connection, workspace)
    if workspace is not None and not found:
        raise AdvisorError(f"There is no key of a workspace named {workspace}. `advisor keys list` shows them all.")
    return found


def _state(key: KeyState) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now_ms() else "live"
