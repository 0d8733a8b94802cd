"""Files of accounts on the pages of the portfolio: sent, watched while they are scored, and fetched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response, request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from advisor.answers.parts import Answer
from advisor.catalog import Catalog
from advisor.domain.program import MARKETPLACES
from advisor.errors import InputTooLarge, InvalidInput, Problem, StoreFull, UnreadableInput, say
from advisor.messages import Messages
from advisor.services import batches
from advisor.services.calculations import today
from advisor.web import batches as mechanism
from advisor.web.pages.session import PATH, Portfolio, Visitor, here, link, see, show
from advisor.web.pages.shell import language
from advisor.web.pages.standing import STATE_TAGS, STATES, moment, place, program_titles
from advisor.web.uploads import Upload

ALL = "/batches"
ONE = f"{ALL}/<string:batch>"
FILE = "file"
FIELDS = ("program", "marketplace", "as_of", "format", "set")
RUNNING = ("queued", "running")
REFRESH_SECONDS = 3
FORMAT_NAMES = {"csv": "CSV", "ndjson": "NDJSON", "parquet": "Parquet"}
NO_FILE = say("Choose a file of accounts that is not empty.")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with the file or a field of the form: the field, where in the file, and a sentence."""

    field: str
    where: str
    sentence: str


def add(portfolio: Portfolio, catalog: Catalog) -> None:
    """Add the pages of files."""
    workspaces = portfolio.workspaces

    @portfolio.route("GET", ALL, "batches:read")
    def portfolio_batches(connection: Connection, visitor: Visitor) -> Response:
        """Show the files, and the form to send one."""
        return listed(connection, visitor, {}, [], 200)

    @portfolio.upload(ALL, "batches:write")
    def send_batch(visitor: Visitor) -> Response:
        """Take a file."""
        typed: dict[str, str] = {}
        status = 422
        try:
            reply = mechanism.take(workspaces, catalog, visitor.caller, lambda upload: _wanted(upload, typed))
        except InvalidInput as error:
            found = [_mistake(one) for one in error.problems]
        except StoreFull as error:
            status, found = 507, [Mistake(FILE, "", language().say(error.detail))]
        except UnreadableInput as error:
            status = 413 if isinstance(error, InputTooLarge) else 400
            found = [Mistake(FILE, "", language().say(error.detail))]
        else:
            return see(link(f"{PATH}{ALL}/{orjson.loads(reply.body)['id']}"))
        with workspaces.database.reading() as connection:
            return listed(connection, visitor, typed, found, status)

    def listed(
        connection: Connection, visitor: Visitor, typed: dict[str, str], mistakes: Sequence[Mistake], status: int
    ) -> Response:
        messages = language()
        found: Answer = {"items": [], "next": None}
        if visitor.may("batches:read"):
            found = _found(connection, visitor.caller.workspace)
        titles = program_titles(catalog, messages)
        return show(
            "files.html",
            visitor,
            status,
            batches=[_described(one, titles, messages) for one in found["items"]],
            following=here(cursor=found["next"], said=None) if found["next"] else None,
            first=here(cursor=None, said=None) if request.args.get("cursor") else None,
            programs=titles,
            places={name: place(name, messages) for name in MARKETPLACES},
            formats=FORMAT_NAMES,
            typed=typed,
            mistakes=mistakes,
            wrong={one.field for one in mistakes},
            today=today().isoformat(),
            most=messages.number(workspaces.settings.max_upload // 2**20),
        )

    @portfolio.route("GET", ONE, "batches:read")
    def portfolio_batch(connection: Connection, visitor: Visitor, batch: str) -> Response:
        """Show a file, and how far it is."""
        messages = language()
        found = batches.get(connection, visitor.caller.workspace, batch)
        runs = found["state"] in RUNNING
        refreshes = runs and request.args.get("refresh") != "off"
        response = show(
            "file.html",
            visitor,
            batch=_described(found, program_titles(catalog, messages), messages),
            runs=runs,
            refreshes=refreshes,
            seconds=REFRESH_SECONDS,
            formats=FORMAT_NAMES,
        )
        if refreshes:
            response.headers["Refresh"] = str(REFRESH_SECONDS)
        return response

    @portfolio.route("GET", f"{ONE}/results.<any(csv, ndjson, parquet):form>", "batches:read")
    def portfolio_results(connection: Connection, visitor: Visitor, batch: str, form: str) -> Response:
        """Send the results of a file."""
        batches.finished(connection, visitor.caller.workspace, batch)
        return mechanism.results(workspaces, batch, form)

    @portfolio.route("GET", f"{ONE}/rejects.csv", "batches:read")
    def portfolio_rejects(connection: Connection, visitor: Visitor, batch: str) -> Response:
        """Send the rejects of a file."""
        batches.finished(connection, visitor.caller.workspace, batch)
        return mechanism.rejects(workspaces, batch)

    @portfolio.route("GET", f"{ONE}/delete", "batches:write")
    def confirm_batch_deletion(connection: Connection, visitor: Visitor, batch: str) -> Response:
        """Ask whether a file is to be deleted."""
        messages = language()
        found = batches.get(connection, visitor.caller.workspace, batch)
        described = _described(found, program_titles(catalog, messages), messages)
        return show("delete-file.html", visitor, batch=described, runs=found["state"] in RUNNING)

    @portfolio.route("POST", f"{ONE}/delete", "batches:write")
    def delete_portfolio_batch(connection: Connection, visitor: Visitor, batch: str) -> Response:
        """Delete a file with its results; one that is being scored is cancelled."""
        mechanism.remove(workspaces, connection, visitor.caller, batch)
        return see(link(f"{PATH}{ALL}", said="file-deleted"))


def _wanted(upload: Upload, typed: dict[str, str]) -> "MultiDict[str, str]":
    """Read the fields of the form: what is left empty is not asked for. Notes what was typed."""
    typed.update(upload.fields.to_dict())
    if upload.size == 0:
        raise InvalidInput([Problem("/file", "missing", NO_FILE)])
    given: MultiDict[str, str] = MultiDict()
    for name, text in upload.fields.items(multi=True):
        for one in text.splitlines() if name == "set" else [text]:
            if one.strip():
                given.add(name, one.strip())
    return given


def _mistake(problem: Problem) -> Mistake:
    """Say which field of the form a problem is of; what is of none is of the file."""
    if problem.code == "missing" and problem.pointer in ("/file", "?format"):
        if problem.pointer == "/file":
            return Mistake(FILE, "", language().say(NO_FILE))
        detail = say("The end of the file's name does not tell what it is. Choose CSV, NDJSON or Parquet.")
        return Mistake("format", "", language().say(detail))
    name = problem.pointer.removeprefix("?")
    sentence = language().say(problem.detail)
    if name in FIELDS and problem.pointer.startswith("?"):
        return Mistake(name, "", sentence)
    return Mistake(FILE, problem.pointer.removeprefix("/"), sentence)


def _found(connection: Connection, workspace: str) -> Answer:
    """List the files of this page; a cursor that is none begins with the first."""
    try:
        return batches.listing(connection, workspace, cursor=request.args.get("cursor") or None)
    except InvalidInput:
        return batches.listing(connection, workspace)


def _described(one: Answer, titles: dict[str, str], messages: Messages) -> dict[str, Any]:
    times = {name: one[name] and moment(one[name], messages) for name in ("created_at", "started_at", "finished_at")}
    return {
        **one,
        "title": titles.get(one["program"], one["program"]),
        "kind": FORMAT_NAMES[one["format"]],
        "state_text": messages.say(STATES[one["state"]]),
        "tag": STATE_TAGS[one["state"]],
        "times": times,
    }
