"""The `advisor` command: reads options and files, calls the services, prints, and turns errors into exit codes.

Only click is imported here at the top, so that `advisor --help` answers at once; everything else is imported by the
command that needs it.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.batch import EXTENSIONS, FORMATS, WORKBOOKS
from advisor.cli.streams import drop_output, printable, soften
from advisor.domain.program import DEFAULT_PROGRAM
from advisor.errors import AdvisorError, DataError, InvalidInput, UnreadableInput

if TYPE_CHECKING:
    from rich.console import Console

    from advisor.batch.running import Kind, Terms
    from advisor.catalog import Catalog
    from advisor.messages import Messages
    from advisor.services.calculations import Services


class ExitCode(IntEnum):
    """What the command's exit codes mean. `advisor --help` prints them."""

    DONE = 0
    FOUND = 1
    UNUSABLE = 2
    FAILED = 3
    INTERRUPTED = 130
    PIPE_CLOSED = 141


EPILOG = f"""\
\b
Exit codes:
  {ExitCode.DONE:>3}  done (a verdict of "not eligible" is an answer, not an error)
  {ExitCode.FOUND:>3}  done, and something was found: rows rejected, mistakes in the rule
       data, facts not confirmed for too long, faults that `db check` or
       `doctor` found
  {ExitCode.UNUSABLE:>3}  the options, the settings, the input, the rule data, the database or
       the address cannot be used
  {ExitCode.FAILED:>3}  the advisor itself failed
  {ExitCode.INTERRUPTED:>3}  interrupted; {ExitCode.PIPE_CLOSED} the reader of the output went away
"""


class Failure(click.ClickException):
    """The command cannot go on, and a person can put that right: whole sentences on standard error, exit code 2."""

    exit_code = ExitCode.UNUSABLE

    def show(self, file: Any = None) -> None:
        """Print the sentences."""
        click.echo("advisor: " + printable(self.message, keep="\n"), err=True)


class WholeNumber(click.IntRange):
    """A whole number, refused in a whole sentence."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; click says of a text that it is no valid integer range."""
        try:
            int(value)
        except ValueError:
            most = f" to {self.max}" if self.max is not None else " on"
            self.fail(f"{value!r} is no whole number from {self.min}{most}.", param, ctx)
        return int(super().convert(value, param, ctx))


class Advisor(click.Group):
    """The command group: the one place that turns what was raised into an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Keep the order in which the commands are written."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; AdvisorError and OSError become a sentence, anything unforeseen a traceback for the report."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except DataError as error:
            mistakes = "\n".join(f"  {problem}" for problem in error.problems)
            where = os.environ.get("ADVISOR_DATA_DIR", "that came with the advisor")
            raise Failure(f"The rule data {where} cannot be used.\n{mistakes}") from None
        except AdvisorError as error:
            raise Failure(str(error)) from None
        except KeyboardInterrupt:
            click.echo("advisor: interrupted.", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except BrokenPipeError:
            drop_output()
            ctx.exit(ExitCode.PIPE_CLOSED)
        except OSError as error:
            drop_output()
            where = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{where}{error.strerror or error}.") from None
        except Exception:  # noqa: BLE001  # the last resort: whatever it is, it ends in a documented exit code
            import traceback

            click.echo(traceback.format_exc(), err=True, nl=False)
            click.echo("advisor: the advisor itself failed. Please report the lines above.", err=True)
            ctx.exit(ExitCode.FAILED)
        return result


@click.group(
    cls=Advisor, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="seller-program-advisor", prog_name="advisor")
def main() -> None:
    """Does a seller qualify for Amazon's business program, and is the commission worth it?

    Answers come from dated rules with their sources. ADVISOR_* environment variables configure the rest.
    """
    soften(sys.stdout)
    soften(sys.stderr)


@main.command()
@click.option(
    "--host", envvar="HOST", show_envvar=True, default="127.0.0.1", show_default=True, help="Address to listen on."
)
@click.option(
    "--port",
    envvar="PORT",
    show_envvar=True,
    type=WholeNumber(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--workers", type=WholeNumber(1, 256), default=2, show_default=True, help="Server processes.")
@click.option("--threads", type=WholeNumber(1, 256), default=4, show_default=True, help="Threads of each process.")
@click.option("--no-worker", is_flag=True, help="Start no worker: others score the batches and send the events.")
def serve(host: str, port: int, workers: int, threads: int, no_worker: bool) -> None:
    """Serve the JSON API, with its documentation at /docs, and run a worker.

    A SQLite database is brought to the newest layout first. Stops on Ctrl-C, or on SIGTERM ADVISOR_DRAIN_SECONDS after
    saying so at /readyz, once the requests that are under way are answered (at most 30 seconds).
    """
    from advisor.cli.server import run

    _catalog()
    run(host, port, workers, threads, not no_worker)


@main.command()
@click.option(
    "--with-parent",
    type=WholeNumber(1),
    metavar="PID",
    help="End when that process, which started this one, is gone.",
)
@click.option("--part-rows", type=WholeNumber(1), hidden=True, help="The most rows of a part; for tests.")
def worker(with_parent: int | None, part_rows: int | None) -> None:
    """Score the batches that were sent, and send events.

    Any number of workers may run, on every machine that shares the database and the folder of files. `advisor serve`
    runs one by itself. Stops on Ctrl-C or SIGTERM, within seconds: another worker goes on with what it was at.
    """
    from advisor.cli.background import run

    run(with_parent, part_rows)


MARKETPLACE = click.option("--marketplace", metavar="CODE", help="US, CA, MX, UK, DE, FR, IT, ES, JP, IN or AU.")
AS_OF = click.option("--as-of", metavar="YYYY-MM-DD", help="The day whose rules hold; today (UTC) when left out.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer.")


FORMAT = click.Choice(FORMATS)
OR_ROWS = " Of a file with many rows the name ends in .csv, .ndjson or .parquet, or --format says what it is."
ROWS = (
    click.option("-o", "--output", metavar="FILE", help="Where the results go; - (standard output) by default."),
    click.option("--format", "source_format", type=FORMAT, help="What FILE is, where its name does not tell."),
    click.option("--output-format", type=FORMAT, help="What the results are, where their name does not tell."),
    click.option("--set", "constants", multiple=True, metavar="NAME=VALUE", help="Fill a missing column; repeatable."),
    click.option("--rejects", metavar="FILE", help="Where rejected rows go; OUTPUT.rejects.csv by default."),
)


def _of_rows(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of files with many rows."""
    for option in reversed(ROWS):
        command = option(command)
    return command


@main.command()
@click.argument("file", required=False)
@MARKETPLACE
@AS_OF
@click.option(
    "--program", "programs", multiple=True, metavar="ID", help="A program to hold the account against; repeatable."
)
@AS_JSON
def assess(
    file: str | None, marketplace: str | None, as_of: str | None, programs: tuple[str, ...], as_json: bool
) -> None:
    """Hold one account against one or more programs.

    FILE is JSON: the body of POST /v1/assessments. Without FILE, or with -, it is read from standard input. The
    options override what stands in it. Whatever the verdict, the exit code is 0.
    """
    name, body = _read_body(file)
    given = {"marketplace": marketplace, "as_of": as_of, "programs": list(programs) or None}
    options = {"programs": "--program"}
    pointers = _override(body, given, options)
    services = _services()
    with _refusals(name, pointers):
        answer = services.assessments(body, _messages())
    if as_json:
        _print_json(answer)
        return
    from advisor.cli.account import show

    show(_console(), answer, services.catalog, _messages())


@main.command()
@click.argument("file", required=False)
@click.option("--list", "listing", is_flag=True, help="List the marketplace's fee categories with their rates.")
@MARKETPLACE
@AS_OF
@click.option("--selling-plan", metavar="PLAN", help="professional or individual.")
@click.option("--established-in", metavar="COUNTRY", help="Where the seller is established, such as US or DE.")
@click.option("--category", metavar="KEY", help="The fee category, such as jewelry; --list names them all.")
@click.option("--price", metavar="AMOUNT", help="What the buyer pays for one, such as 300.00.")
@click.option("--shipping", metavar="AMOUNT", help="What the buyer pays for shipping.")
@click.option("--gift-wrap", metavar="AMOUNT", help="What the buyer pays for gift wrap.")
@click.option("--units", metavar="NUMBER", help="Units a month; 1 when left out.")
@click.option(
    "--fulfillment", metavar="CHANNEL", help="seller, seller_prime or amazon; in India also easy_ship and others."
)
@click.option("--unit-cost", metavar="AMOUNT", help="What one costs the seller.")
@click.option("--fulfillment-cost", metavar="AMOUNT", help="What packing and shipping one costs the seller.")
@click.option("--refund-rate", metavar="RATE", help="The share of units refunded, such as 0.02.")
@click.option("--tax-rate", metavar="RATE", help="The tax rate that the price includes, such as 0.19.")
@AS_JSON
def fees(
    file: str | None,
    listing: bool,
    marketplace: str | None,
    as_of: str | None,
    selling_plan: str | None,
    established_in: str | None,
    as_json: bool,
    **line: str | None,
) -> None:
    """Price sales: every fee, what is left, and the prices that pay.

    Everything is exact to the cent.

    Either FILE, which is JSON (the body of POST /v1/fee-estimates; - reads standard input), or one sale by options:

    \b
        advisor fees --marketplace US --category jewelry --price 300.00 --unit-cost 180.00
    """
    top = {
        "marketplace": marketplace,
        "as_of": as_of,
        "selling_plan": selling_plan,
        "established_in": established_in,
    }
    sale = {key: value for key, value in line.items() if value is not None}
    if listing:
        if file is not None or sale or selling_plan or established_in:
            raise click.UsageError("--list takes --marketplace, --as-of and --json only.")
        _list_fees(marketplace, as_of, as_json)
        return
    if sale and file is not None:
        raise click.UsageError(
            f"Give either a file or one sale by options, not both: {file} and {_option(next(iter(sale)))}."
        )
    if sale:
        units = line["units"]
        one: dict[str, Any] = {**sale}
        if units is not None and units.isascii() and units.isdigit():
            one["units"] = int(units)
        name, body = "the options", {"lines": [one]}
        pointers = {f"/lines/0/{key}": _option(key) for key in line}
        pointers |= {f"/{key}": _option(key) for key in top}
    else:
        name, body = _read_body(file)
        pointers = {}
    pointers |= _override(body, top)
    services = _services()
    with _refusals(name, pointers):
        answer = services.fee_estimates(body, _messages())
    if as_json:
        _print_json(answer)
        return
    from advisor.cli.sales import show

    show(_console(), answer, services.catalog, _messages())


def _list_fees(marketplace: str | None, as_of: str | None, as_json: bool) -> None:
    from advisor.inputs.parameters import once, read_named
    from advisor.inputs.values import read_day, read_marketplace

    if marketplace is None:
        raise click.UsageError("--list needs --marketplace.")
    given = {"marketplace": [marketplace], "as-of": [as_of] if as_of is not None else []}
    with _refusals("the options", {}):
        found = read_named(
            {name: values for name, values in given.items() if values},
            {"marketplace": once(read_marketplace), "as-of": once(read_day)},
            "--{}",
        )
        answer = _services().schedule(found["marketplace"], found.get("as-of"), _messages())
    if as_json:
        _print_json(answer)
        return
    from advisor.cli.sales import show_schedule

    show_schedule(_console(), answer, _messages())


@main.command("pre-sale")
@click.argument("file", required=False)
@_of_rows
@MARKETPLACE
@AS_OF
@AS_JSON
@click.pass_context
def pre_sale(
    ctx: click.Context, /, file: str | None, marketplace: str | None, as_of: str | None, as_json: bool, **rows: Any
) -> None:
    """Check planned pre-orders or back-orders: rules, dates, price, and what late orders would do.

    FILE is JSON: the body of POST /v1/pre-sale-checks. Without FILE, or with -, it is read from standard input. The
    options override what stands in it. Whatever the verdict, the exit code is 0.

    Or FILE has many plans, as CSV, NDJSON or Parquet (by its name, or --format): one plan a row, each checked or
    rejected with a reason. --marketplace and --as-of then hold for rows that name none.
    """
    from advisor.cli.offers import show_pre_sale
    from advisor.services.offers import Offers

    if _has_rows(file, as_json, rows):
        _check_rows(ctx, file, marketplace, as_of, "plans", rows)
        return
    catalog = _catalog()
    answer = _checked(file, marketplace, as_of, Offers(catalog).pre_sale_checks, OR_ROWS)
    if as_json:
        _print_json(answer)
        return
    show_pre_sale(_console(), answer, catalog, _messages())


@main.command()
@click.argument("file", required=False)
@_of_rows
@MARKETPLACE
@AS_OF
@AS_JSON
@click.pass_context
def listing(
    ctx: click.Context, /, file: str | None, marketplace: str | None, as_of: str | None, as_json: bool, **rows: Any
) -> None:
    """Check product listings: what is missing, and which published limits they pass.

    FILE is JSON: the body of POST /v1/listing-checks. Without FILE, or with -, it is read from standard input. The
    options override what stands in it. Whatever the verdict, the exit code is 0.

    Or FILE has many listings, as CSV, NDJSON or Parquet (by its name, or --format): one listing a row, each checked or
    rejected with a reason. --marketplace and --as-of then hold for rows that name none.
    """
    from advisor.cli.offers import show_listings
    from advisor.services.offers import Offers

    if _has_rows(file, as_json, rows):
        _check_rows(ctx, file, marketplace, as_of, "listings", rows)
        return
    answer = _checked(file, marketplace, as_of, Offers(_catalog()).listing_checks, OR_ROWS)
    if as_json:
        _print_json(answer)
        return
    show_listings(_console(), answer, _messages())


@main.command()
@click.argument("file", required=False)
@_of_rows
@MARKETPLACE
@AS_OF
@AS_JSON
@click.pass_context
def policy(
    ctx: click.Context, /, file: str | None, marketplace: str | None, as_of: str | None, as_json: bool, **rows: Any
) -> None:
    """Check messages, listings, business names and declared facts against the red lines.

    FILE is JSON: the body of POST /v1/policy-checks. Without FILE, or with -, it is read from standard input. The
    options override what stands in it. Whatever is found, the exit code is 0.

    Or FILE has many texts, as CSV, NDJSON or Parquet (by its name, or --format): one text a row, each checked or
    rejected with a reason. --marketplace and --as-of then hold for rows that name none.
    """
    from advisor.cli.red_lines import show
    from advisor.services.red_lines import RedLineChecks

    if _has_rows(file, as_json, rows):
        _check_rows(ctx, file, marketplace, as_of, "texts", rows)
        return
    answer = _checked(file, marketplace, as_of, RedLineChecks(_catalog()).policy_checks, OR_ROWS)
    if as_json:
        _print_json(answer)
        return
    show(_console(), answer, _messages())


@main.command()
@click.argument("file", required=False)
@MARKETPLACE
@AS_OF
@AS_JSON
def reach(file: str | None, marketplace: str | None, as_of: str | None, as_json: bool) -> None:
    """List the programs that an account is in reach of, the nearest first, with what each would take.

    FILE is JSON: the body of POST /v1/reach, which is that of an assessment without programs. Without FILE, or with -,
    it is read from standard input. The options override what stands in it. Whatever the verdicts, the exit code is 0.
    """
    from advisor.cli.journey import show_reach
    from advisor.services.journey import Journey

    catalog = _catalog()
    answer = _checked(file, marketplace, as_of, Journey(catalog).reach)
    if as_json:
        _print_json(answer)
        return
    show_reach(_console(), answer, catalog.vocabulary, _messages())


@main.command()
@AS_JSON
def stages(as_json: bool) -> None:
    """List the stages of the business process: what each drives, what has to be in place, what can be done.

    Last comes what follows if nothing is done: as published, and what is only said.
    """
    from advisor.cli.journey import show_stages
    from advisor.services.journey import Journey

    answer = Journey(_catalog()).stages(_messages())
    if as_json:
        _print_json(answer)
        return
    show_stages(_console(), answer)


@main.command()
@click.argument("file")
@_of_rows
@click.option("--program", default=DEFAULT_PROGRAM, show_default=True, metavar="ID", help="The program to score.")
@click.option("--marketplace", metavar="CODE", help="The marketplace of rows that name none.")
@AS_OF
@click.pass_context
def score(
    ctx: click.Context, /, file: str, program: str, marketplace: str | None, as_of: str | None, **options: Any
) -> None:
    """Score a file of accounts (CSV, NDJSON or Parquet), and price their sales where it has fee columns.

    FILE is a path, or - for standard input. Every row is scored or rejected with a reason; a row that cannot be used
    never stops the others. Results are written whole or not at all.
    """

    def accounts(terms: "Terms") -> "Kind":
        from advisor.batch.scoring import Accounts

        return Accounts(_catalog(), program, terms)

    _take_rows(ctx, file, marketplace, as_of, accounts, **options)


@main.command("check-data")
@click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The directory to check; ADVISOR_DATA_DIR or the advisor's own when left out.",
)
@click.option(
    "--max-age", type=WholeNumber(0, 100_000), metavar="DAYS", help="Also list facts not confirmed for longer."
)
@click.pass_context
def check_data(ctx: click.Context, data_dir: Path | None, max_age: int | None) -> None:
    """Check the rule data: every mistake by file and key.

    With --max-age it also lists, oldest first, the numbers in force that nobody has confirmed for more than DAYS days.
    """
    catalog = _catalog(data_dir)
    try:
        catalog.load_all()
    except DataError as error:
        for problem in error.problems:
            click.echo(printable(str(problem)))
        files = {problem.file for problem in error.problems}
        click.echo(f"{_number(len(error.problems), 'mistake')} in {_number(len(files), 'file')} of {catalog.data_dir}.")
        ctx.exit(ExitCode.FOUND)
    click.echo(_contents(catalog))
    if max_age is not None and _list_stale(catalog, max_age):
        ctx.exit(ExitCode.FOUND)


def _contents(catalog: "Catalog") -> str:
    """Say how much was checked."""
    from advisor.domain.program import MARKETPLACES

    programs = [catalog.program(name) for name in catalog.program_ids]
    schedules = [catalog.schedule(place) for place in MARKETPLACES]
    return (
        f"{_number(len(list(catalog.data_dir.rglob('*.toml'))), 'file')}: "
        f"{_number(sum(len(one.criteria) for one in programs), 'criterion', 'criteria')} "
        f"of {_number(len(programs), 'program')}, "
        f"{_number(sum(len(one.categories) for one in schedules), 'fee category', 'fee categories')} "
        f"of {_number(len(schedules), 'marketplace')}, "
        f"{_number(len(catalog.sources), 'source')}. No mistakes."
    )


def _list_stale(catalog: "Catalog", max_age: int) -> int:
    """List what nobody has confirmed for more than so many days; returns how many."""
    from advisor.services.calculations import today

    now = today()
    stale = [one for one in catalog.confirmations() if (now - one.day).days > max_age]
    for one in sorted(stale, key=lambda one: (one.day, one.file, one.place)):
        click.echo(f"{one.file}: {one.place}: last confirmed on {one.day}, {_number((now - one.day).days, 'day')} ago")
    if stale:
        verb = "was" if len(stale) == 1 else "were"
        click.echo(f"{_number(len(stale), 'fact')} {verb} not confirmed for more than {_number(max_age, 'day')}.")
    else:
        click.echo(f"Every fact was confirmed within {_number(max_age, 'day')}.")
    return len(stale)


def _number(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


@main.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.option("--to", default="head", metavar="LAYOUT", help="Which layout; the newest when left out.")
def upgrade(to: str) -> None:
    """Bring the database to the newest layout; makes it where there is none."""
    from advisor.cli.database import upgrade

    upgrade(to)


@db.command()
@click.argument("to")
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade(to: str, yes: bool) -> None:
    """Bring the database back to the layout TO, or to `base` for none.

    What only later layouts keep is deleted; it is named first.
    """
    from advisor.cli.database import downgrade

    downgrade(to, yes)


@db.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check the database: its layout, and that everything in it belongs together."""
    from advisor.cli.database import check

    if check():
        ctx.exit(ExitCode.FOUND)


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the database to the new file FILE, while the server goes on.

    The copy of a SQLite database is one too; that of PostgreSQL is an archive for pg_restore.
    """
    from advisor.cli.database import backup

    backup(file)


@main.group()
def keys() -> None:
    """Make, list and revoke API keys."""


WORKSPACE = click.option("--workspace", metavar="NAME", help="The keys of this workspace only.")


@keys.command()
@click.option("--workspace", required=True, metavar="NAME", help="Whose key; the workspace is made if there is none.")
@click.option("--name", default="default", show_default=True, metavar="NAME", help="At most two of a name are live.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="What it may do; everything when left out.")
@click.option("--expires-in", type=WholeNumber(1, 36_500), metavar="DAYS", help="Never, when left out.")
@click.option("--publishable", is_flag=True, help="Make one for pages in a browser, which opens no stored data.")
@click.option(
    "--origin", "origins", multiple=True, metavar="ORIGIN", help="Where pages are, such as https://a.example."
)
def create(
    workspace: str,
    name: str,
    scopes: tuple[str, ...],
    expires_in: int | None,
    publishable: bool,
    origins: tuple[str, ...],
) -> None:
    """Make a key and print it, once: only its hash is kept.

    Scopes are sellers, batches and webhooks, each with :read or :write. --scope and --origin are repeatable.
    """
    from advisor.cli.access import create

    create(workspace, name, scopes, expires_in, publishable, origins)


@keys.command("list")
@WORKSPACE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_keys(workspace: str | None, as_json: bool) -> None:
    """List keys, without their secrets."""
    from advisor.cli import access

    if as_json:
        _print_json(access.describe(workspace))
    else:
        access.show(workspace)


@keys.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Revoke the key with the id ID, at once and for good."""
    from advisor.cli.access import revoke

    revoke(key_id)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Look for what is wrong here: settings, database, clock, disk, rule data, rate limits and workers."""
    from advisor.cli.doctor import examine, show

    found = examine()
    if as_json:
        _print_json(found.answer())
    else:
        show(found)
    if found.faulty:
        ctx.exit(ExitCode.FOUND)


# What the commands share


def _catalog(data_dir: Path | None = None) -> "Catalog":
    from advisor.catalog import Catalog
    from advisor.settings import Settings

    catalog = Catalog(data_dir or Settings.from_environment().data_dir)
    if not catalog.data_dir.is_dir():
        raise Failure(f"There is no directory {catalog.data_dir} with rule data. ADVISOR_DATA_DIR names it.")
    return catalog


def _services() -> "Services":
    from advisor.services.calculations import Services

    return Services(_catalog())


def _messages() -> Any:
    from advisor.messages import messages_in

    return messages_in("en")


def _console() -> "Console":
    from advisor.cli.terminal import console

    return console()


def _print_json(answer: Any) -> None:
    """Print the API's answer, indented, as UTF-8 whatever the terminal speaks."""
    import orjson

    click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))


def _option(key: str) -> str:
    return "--" + key.replace("_", "-")


def _override(body: Any, given: Mapping[str, Any], names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Put the options that were given into the body; returns the pointers they stand at, with the options' names."""
    if not isinstance(body, dict):
        return {}
    used = {key: value for key, value in given.items() if value is not None}
    body |= used
    return {f"/{key}": (names or {}).get(key, _option(key)) for key in used}


def _read_body(file: str | None, otherwise: str = "") -> tuple[str, Any]:
    """Read a request body from a file or standard input as strict JSON; returns its name for errors, and the body.

    `otherwise` is said where it is no JSON: what else the file may be.
    """
    from advisor import strict_json
    from advisor.settings import Settings

    most = Settings.from_environment().max_body
    if file is None and sys.stdin.isatty():
        raise click.UsageError("Name a JSON file, or - to read standard input.")
    if file in (None, "-"):
        name, data = "standard input", sys.stdin.buffer.read(most + 1)
    else:
        name, data = file, _read_file(file, most)
    if len(data) > most:
        raise Failure(f"{name} has more than {most} bytes, the most that is taken. ADVISOR_MAX_BODY raises that.")
    with _refusals(name, {}, otherwise):
        return name, strict_json.loads(data)


def _read_file(file: str, most: int) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(most + 1)
    except FileNotFoundError:
        raise Failure(f"There is no file {file}.") from None
    except IsADirectoryError:
        raise Failure(f"{file} is a directory. Name a JSON file in it.") from None
    except (OSError, ValueError) as error:
        raise Failure(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def _checked(
    file: str | None,
    marketplace: str | None,
    as_of: str | None,
    ask: "Callable[[Any, Messages], dict[str, Any]]",
    otherwise: str = "",
) -> dict[str, Any]:
    """Read the body of a check, let the options override it, and ask the service; refuse what is wrong with it."""
    name, body = _read_body(file, otherwise)
    pointers = _override(body, {"marketplace": marketplace, "as_of": as_of})
    with _refusals(name, pointers):
        return ask(body, _messages())


def _take_rows(
    ctx: click.Context,
    file: str,
    marketplace: str | None,
    as_of: str | None,
    kind_of: "Callable[[Terms], Kind]",
    *,
    output: str | None,
    source_format: str | None,
    output_format: str | None,
    constants: tuple[str, ...],
    rejects: str | None,
) -> None:
    """Take a file of many rows through, and say how that went."""
    import time

    from advisor.cli import files

    started = time.perf_counter()
    pointers: dict[str, str] = {}
    with _refusals("the file" if file == "-" else file, pointers):
        job = files.job(file, source_format, output or "-", output_format, rejects)
        terms = files.terms(marketplace, as_of, constants)
        pointers |= {spelled: f"--set {name}" for name in terms.constants for spelled in (name, name.lower())}
        kind = kind_of(terms)
        result = files.run(job, kind)
    click.echo(files.closing_sentence(result, kind, time.perf_counter() - started), err=True)
    if result.rejected:
        ctx.exit(ExitCode.FOUND)


def _has_rows(file: str | None, as_json: bool, options: Mapping[str, Any]) -> bool:
    """Tell whether FILE has many rows, by its name or its format; refuse the options that it then cannot have."""
    named = file is not None and Path(file).suffix.lower() in (*EXTENSIONS, *WORKBOOKS)
    if named or options["source_format"] is not None:
        if as_json:
            raise click.UsageError("--json is for one body of JSON. --output-format ndjson gives JSON, a line a row.")
        return True
    names = {"output": "-o", "output_format": "--output-format", "constants": "--set", "rejects": "--rejects"}
    given = [option for name, option in names.items() if options[name]]
    if given:
        raise click.UsageError(
            f"{', '.join(given)}: for files of many rows. Say what FILE is: --format csv, ndjson or parquet."
        )
    return False


def _check_rows(
    ctx: click.Context,
    file: str | None,
    marketplace: str | None,
    as_of: str | None,
    kind: str,
    options: Mapping[str, Any],
) -> None:
    """Check a file of many rows, which are of this kind."""
    from advisor.batch.checking import Checks
    from advisor.services.files import CHECKS

    catalog = _catalog()
    check = CHECKS[kind](catalog, _messages())
    _take_rows(ctx, file or "-", marketplace, as_of, lambda terms: Checks(check, terms, catalog.vocabulary), **options)


@contextmanager
def _refusals(name: str, pointers: Mapping[str, str], otherwise: str = "") -> Iterator[None]:
    """Say of input that cannot be used which file or option is wrong, and where; `otherwise` if it is unreadable."""
    try:
        yield
    except InvalidInput as error:
        lines = [f"{name} cannot be used."]
        lines += [f"  {_place(problem.pointer, pointers)}: {problem.detail}" for problem in error.problems]
        if any(problem.code == "unknown_category" for problem in error.problems):
            lines.append("  `advisor fees --list --marketplace CODE` lists a marketplace's categories.")
        raise Failure("\n".join(lines)) from None
    except UnreadableInput as error:
        raise Failure(f"{name} cannot be used: {error.detail}{otherwise}") from None


def _place(pointer: str, pointers: Mapping[str, str]) -> str:
    """Name the option that a wrong value came from, or its place in the file."""
    for start, option in pointers.items():
        if pointer == start or pointer.startswith(f"{start}/"):
            return option
    return pointer or "/"
