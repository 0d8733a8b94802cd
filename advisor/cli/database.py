"""Look after the database: its layout, its faults and its copies."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from advisor.errors import AdvisorError, StoreUnavailable
from advisor.settings import Settings
from advisor.store import schema
from advisor.store.database import Database


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Database]:
    """Open the database of the settings."""
    database = Database((settings or Settings.from_environment()).database_url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def existing(settings: Settings | None = None) -> Iterator[Database]:
    """Open the database of the settings, which has to be there. Raises AdvisorError."""
    with opened(settings) as database:
        if database.path is not None and not database.path.exists():
            raise AdvisorError(f"There is no database {database.path}. `advisor db upgrade` makes it.")
        yield database


def prepare(settings: Settings) -> None:
    """See that the database can be served: SQLite is upgraded at once, PostgreSQL by whoever looks after it.

    A PostgreSQL that cannot be reached now may be there soon: until then the server is not ready. Raises AdvisorError.
    """
    with opened(settings) as database:
        if database.is_sqlite:
            before, after = schema.upgrade(database)
            if before != after:
                click.echo(f"{_name(database)} {_moved(before, after)}.", err=True)
            return
        try:
            found = schema.current(database)
        except StoreUnavailable as error:
            click.echo(f"advisor: {error} The server is not ready until then.", err=True)
            return
        if found != schema.head():
            raise AdvisorError(f"{wrong_layout(found)} The server does not start before that.")


def wrong_layout(found: str | None) -> str:
    """Say what to do about a layout that is not the one this version needs."""
    if found is not None and found not in schema.versions():
        return f"The database has layout {found}, which is newer than this program. Install the newer one."
    has = f"layout {found}" if found else "no tables"
    return (
        f"The database has {has}, and this program needs layout {schema.head()}: `advisor db upgrade` brings it there."
    )


def upgrade(to: str) -> None:
    """Bring the database to a layout."""
    with opened() as database:
        before, after = schema.upgrade(database, to)
        if before == after:
            click.echo(f"{_name(database)} has layout {after} already. Nothing was changed.")
        else:
            click.echo(f"{_name(database)} {_moved(before, after)}.")


def downgrade(to: str, yes: bool) -> None:
    """Bring the database back to an earlier layout, once somebody has agreed to what is lost."""
    with opened() as database:
        found, versions = schema.current(database), schema.versions()
        if to not in ("base", *versions):
            raise AdvisorError(f"There is no layout {to}. There are {', '.join(versions)}, and `base` for none.")
        if found not in versions:
            raise AdvisorError(
                wrong_layout(found) if found else f"{_name(database)} has no tables: nothing can be lost."
            )
        keeps = 0 if to == "base" else versions.index(to) + 1
        undone = versions[keeps : versions.index(found) + 1]
        if not undone:
            raise AdvisorError(f"{_name(database)} has layout {found}, which is not later than {to}.")
        click.echo(f"Going back to {to} deletes for good what only later layouts keep:", err=True)
        for version in reversed(undone):
            click.echo(f"  {version}: {schema.summary(version)}", err=True)
        click.echo("`advisor db backup FILE` keeps a copy of all of it.", err=True)
        if not yes:
            if not sys.stdin.isatty():
                raise AdvisorError("Nothing was changed. With --yes it is done without asking.")
            click.confirm("Go back and lose it?", abort=True, err=True)
        before, after = schema.downgrade(database, to)
        click.echo(f"{_name(database)} {_moved(before, after)}.")


def check() -> list[str]:
    """Print what is wrong with the database, a line for each fault, or that nothing is; gives the faults."""
    with opened() as database:
        if database.path is not None and not database.path.exists():
            found = [f"There is no database {database.path}. `advisor db upgrade` makes it."]
        else:
            found = schema.check(database)
        for line in found or [f"{_name(database)} has layout {schema.head()} and no faults."]:
            click.echo(line)
        return found


def backup(file: Path) -> None:
    """Write a copy of the database."""
    with opened() as database:
        schema.backup(database, file)
        click.echo(f"{_name(database)} was copied to {file} ({file.stat().st_size} bytes).")


def _name(database: Database) -> str:
    where = str(database.path) if database.path else f"{database.url.database} on {database.url.host or 'this machine'}"
    return f"The database {where}"


def _moved(before: str | None, after: str | None) -> str:
    if before is None:
        return f"was made, with layout {after}"
    return f"was brought from layout {before} to {after or 'none'}"
