"""Look for what is wrong with this installation: each part in one line, with what to do about it."""

import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import click
from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from advisor.answers.parts import Answer
from advisor.catalog import Catalog
from advisor.cli.access import other_secret
from advisor.cli.database import opened, wrong_layout
from advisor.cli.streams import printable
from advisor.errors import AdvisorError, DataError
from advisor.services import keys
from advisor.services.calculations import today
from advisor.settings import Settings, unknown_variables
from advisor.store import disk, schema
from advisor.store.database import Database, clock, now_ms
from advisor.store.tables import batches, webhook_deliveries

SKEW_NOTED_MS, SKEW_WRONG_MS = 2_000, 60_000
STALE_DAYS = 180
WAITS_TOO_LONG_MS = 5 * 60_000
QUICKLY_CHECKED = 256 * disk.MIB

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one part: whether it is well, and what to do if not."""

    part: str
    state: State
    detail: str


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that was found."""

    findings: tuple[Finding, ...]

    @property
    def faulty(self) -> bool:
        """Tell whether there is a fault."""
        return any(one.state == "fault" for one in self.findings)

    def answer(self) -> Answer:
        """Give the findings as JSON."""
        found = [{"part": one.part, "state": one.state, "detail": one.detail} for one in self.findings]
        return {"faulty": self.faulty, "findings": found}


def show(found: Examination) -> None:
    """Print one line for each finding, and how many are not well."""
    for one in found.findings:
        click.echo(f"{one.state:<9}{one.part:<10}{printable(one.detail)}")
    faults, warnings = (sum(one.state == state for one in found.findings) for state in ("fault", "warning"))
    click.echo(f"Faults: {faults}. Warnings: {warnings}.")


def examine() -> Examination:
    """Look at everything that can be looked at."""
    findings = [Finding("settings", "fault", said) for said in unknown_variables()]
    try:
        settings = Settings.from_environment()
    except AdvisorError as error:
        return Examination((*findings, Finding("settings", "fault", str(error))))
    findings += _settings(settings, not findings)
    findings += _data(settings)
    findings += _disk(settings)
    findings += _rate_limits(settings)
    findings += _database(settings)
    return Examination(tuple(findings))


def _settings(settings: Settings, all_known: bool) -> Iterator[Finding]:
    if settings.secret_key is None and settings.database_url.startswith("postgres"):
        detail = (
            "ADVISOR_SECRET_KEY is not set. Each machine would make a secret of its own, and refuse the keys made on "
            "others. Set the same on all."
        )
        yield Finding("settings", "fault", detail)
    elif all_known:
        yield Finding("settings", "ok", "Every ADVISOR_* variable that is set is known and can be used.")


def _data(settings: Settings) -> Iterator[Finding]:
    catalog = Catalog(settings.data_dir)
    if not catalog.data_dir.is_dir():
        yield Finding(
            "data", "fault", f"There is no directory {catalog.data_dir} with rule data. ADVISOR_DATA_DIR names it."
        )
        return
    try:
        catalog.load_all()
        days = [one.day for one in catalog.confirmations()]
    except DataError as error:
        first = str(error.problems[0]).removesuffix(".")
        detail = f"{first}. Mistakes in all: {len(error.problems)}; `advisor check-data` lists them."
        yield Finding("data", "fault", detail)
        return
    except (OSError, AdvisorError) as error:
        yield Finding("data", "fault", f"The rule data {catalog.data_dir} cannot be read: {error}.")
        return
    now = today()
    yield from _date(now, max(days))
    stale = sum((now - day).days > STALE_DAYS for day in days)
    if stale:
        detail = f"{stale} of {len(days)} facts were not confirmed for more than {STALE_DAYS} days. "
        detail += f"`advisor check-data --max-age {STALE_DAYS}` lists them; newer rule data may be there."
        yield Finding("data", "warning", detail)
    else:
        oldest = (now - min(days)).days
        yield Finding("data", "ok", f"{len(days)} facts; the one confirmed longest ago was {oldest} days ago.")


def _date(now: date, newest: date) -> Iterator[Finding]:
    if now < newest - timedelta(days=1):
        detail = f"Today is {now} by this machine's clock, but the rule data was confirmed on {newest}. Set the clock."
        yield Finding("clock", "fault", detail)
    elif now > newest + timedelta(days=2 * 365):
        detail = f"Today is {now} by this machine's clock, two years after anybody confirmed the rule data ({newest})."
        yield Finding("clock", "warning", detail)
    else:
        yield Finding("clock", "ok", f"This machine's clock says {now}, which goes with the rule data.")


def _disk(settings: Settings) -> Iterator[Finding]:
    places = {settings.files_dir.absolute(): "files"}
    if settings.secret_key is None:
        places[settings.files_dir.absolute().parent] = "secret"
    with_database = _sqlite_path(settings)
    if with_database is not None:
        places[with_database.absolute().parent] = "database"
    for place, what in places.items():
        refused = _why_unwritable(place)
        lack = disk.lack(place, settings.free_space)
        if refused:
            yield Finding("disk", "fault", f"Nothing can be written to {place} (the {what}): {refused}.")
        elif lack:
            yield Finding("disk", "fault", lack)
        elif what != "secret":
            left = disk.free(place) // disk.MIB
            yield Finding("disk", "ok", f"{place} (the {what}) can be written to; {left} MiB are free.")


def _sqlite_path(settings: Settings) -> Path | None:
    try:
        database = Database(settings.database_url)
    except AdvisorError:
        return None
    database.close()
    return database.path


def _why_unwritable(place: Path) -> str | None:
    """Write where the place is or would be made, as a permission alone does not tell."""
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"written by advisor doctor")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _rate_limits(settings: Settings) -> Iterator[Finding]:
    if settings.rate_limit is None:
        yield Finding("limits", "ok", "Rate limits are off.")
        return
    url = settings.rate_limit_storage
    if url.startswith("memory"):
        detail = f"{settings.rate_limit} for each client, counted by each server process for itself."
        yield Finding("limits", "ok", detail)
        return
    from limits.errors import ConfigurationError
    from limits.storage import storage_from_string

    try:
        answers = storage_from_string(url, socket_connect_timeout=2.0, socket_timeout=2.0).check()
    except ConfigurationError:
        detail = "The package redis is missing: `pip install redis`."
        yield Finding("limits", "fault", detail)
        return
    if answers:
        yield Finding("limits", "ok", f"{settings.rate_limit} for each client, counted in one Redis, which answers.")
    else:
        detail = "The Redis of ADVISOR_RATE_LIMIT_STORAGE does not answer: each process counts for itself meanwhile."
        yield Finding("limits", "fault", detail)


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        with opened(settings) as database:
            if database.path is not None and not database.path.exists():
                detail = f"There is no database {database.path} yet. `advisor serve` or `advisor db upgrade` makes it."
                yield Finding("database", "warning", detail)
                return
            found = schema.current(database)
            if found != schema.head():
                yield Finding("database", "fault", wrong_layout(found))
                return
            yield _soundness(database, found)
            with database.reading() as connection:
                refused = keys.of_another_secret(connection, settings.kept_secret())
                if refused:
                    yield Finding("keys", "fault", other_secret(refused))
                yield from _skew(connection)
                yield from _waiting(connection)
    except (AdvisorError, SQLAlchemyError) as error:
        yield Finding("database", "fault", str(error))


def _soundness(database: Database, layout: str) -> Finding:
    if database.path is None:
        return Finding("database", "ok", f"PostgreSQL answers, with layout {layout}.")
    if database.path.stat().st_size > QUICKLY_CHECKED:
        detail = f"{database.path} answers, with layout {layout}. `advisor db check` looks at every row of it."
        return Finding("database", "ok", detail)
    try:
        with database.reading() as connection:
            (said,) = connection.exec_driver_sql("PRAGMA quick_check(1)").one()
    except (SQLAlchemyError, sqlite3.Error) as error:
        said = str(error)
    if said == "ok":
        return Finding("database", "ok", f"{database.path} is sound, with layout {layout}.")
    detail = f"SQLite says that {database.path} is damaged: {said}. Restore a backup; `advisor db check` says more."
    return Finding("database", "fault", detail)


def _skew(connection: Connection) -> Iterator[Finding]:
    if connection.dialect.name == "sqlite":
        return
    before = now_ms()
    there = clock(connection)
    skew = abs(there - (before + now_ms()) // 2)
    detail = f"The clocks of this machine and of the database are {skew / 1000:.1f} s apart."
    if skew > SKEW_WRONG_MS:
        yield Finding("clock", "fault", f"{detail} Let both take the time from one server (NTP).")
    elif skew > SKEW_NOTED_MS:
        yield Finding("clock", "warning", f"{detail} Let both take the time from one server (NTP).")
    else:
        yield Finding("clock", "ok", detail)


def _waiting(connection: Connection) -> Iterator[Finding]:
    """Look for work that nobody does: that is how a worker that is not there shows."""
    now = clock(connection)
    batch, delivery = batches.c, webhook_deliveries.c
    live = select(func.count()).where(batch.state == "running", batch.lease_until > now)
    free = and_(batch.state.in_(("queued", "running")), batch.lease_until <= now - WAITS_TOO_LONG_MS)
    long = or_(batch.state == "running", batch.created_at <= now - WAITS_TOO_LONG_MS)
    waiting = connection.execute(select(func.count()).where(free, long)).scalar_one()
    overdue = connection.execute(
        select(func.count()).where(delivery.state == "pending", delivery.due_at <= now - WAITS_TOO_LONG_MS)
    ).scalar_one()
    if waiting and not connection.execute(live).scalar_one():
        detail = f"Batches that wait for more than 5 minutes: {waiting}, and nobody scores any. "
        yield Finding("worker", "fault", detail + "Start `advisor worker`, or `advisor serve` without --no-worker.")
    elif overdue:
        detail = f"Events that should have been sent more than 5 minutes ago: {overdue}. "
        yield Finding("worker", "fault", detail + "Start `advisor worker`, or look into its log.")
    elif waiting:
        detail = f"Batches that wait for more than 5 minutes: {waiting}, while others are scored. More workers help."
        yield Finding("worker", "warning", detail)
    else:
        yield Finding("worker", "ok", "No batch and no event has waited for long.")
