"""Files of accounts, under /v1/batches: taken in whole, scored by a worker, handed out."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from flask import Response, request, send_file
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from advisor.batch import FORMATS, REJECTS, WORKBOOKS, scored_name
from advisor.catalog import Catalog
from advisor.domain.program import DEFAULT_PROGRAM
from advisor.errors import InvalidInput, NotFound, Problem, StoreUnavailable, UnreadableInput, say
from advisor.inputs.accounts import read_program
from advisor.inputs.parameters import LONGEST_CONSTANT, once, read_constants, read_named
from advisor.inputs.values import Word, read_day, read_marketplace
from advisor.services import batches, idempotency
from advisor.services.batches import Order
from advisor.services.calculations import today
from advisor.services.idempotency import Reply
from advisor.services.keys import Caller
from advisor.store.database import new_id
from advisor.store.disk import make_private, sync
from advisor.web import schemas
from advisor.web.api import AS_OF, MARKETPLACE, read_query
from advisor.web.stored import BINARY, CURSOR, LIMIT, Routes, Workspaces, asked_once, parameter, reply
from advisor.web.uploads import ANY_TYPE, MULTIPART, TYPES, Upload, taken_in

MIMETYPES = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
FORMAT = parameter("format", "What the file is, where its content type does not tell.", enum=FORMATS)
WANTED = parameter(
    "format", "What the results are to be; as the file was sent, or by Accept, when left out.", enum=FORMATS
)
SET = {
    **parameter("set", "NAME=VALUE fills a column that the file does not have; repeatable.", type="array"),
    "style": "form",
    "explode": True,
}
SET["schema"] = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[^=]+=", "maxLength": LONGEST_CONSTANT},
}
ONE = "/batches/<string:batch>"


def add(routes: Routes, catalog: Catalog) -> None:
    """Add the routes."""
    program = parameter(
        "program", f"The program to score by; {DEFAULT_PROGRAM} when left out.", enum=catalog.program_ids
    )
    query = (program, MARKETPLACE, AS_OF, FORMAT, SET)
    fields = {one["name"]: one["schema"] for one in query}
    given: dict[str, dict[str, Any]] = {kind: {"schema": BINARY} for kind in [*TYPES, ANY_TYPE]}
    given["text/csv"]["example"] = schemas.ACCOUNTS_EXAMPLE
    form: dict[str, Any] = {"type": "object", "properties": {"file": BINARY, **fields}, "required": ["file"]}
    form["additionalProperties"] = False

    @routes.upload(
        "/batches",
        "batches:write",
        takes={**given, MULTIPART: {"schema": form}},
        gives=schemas.KeptBatch,
        query=query,
    )
    def post_batch(caller: Caller) -> Reply:
        """Score a file of accounts.

        CSV, NDJSON or Parquet, as the body or as the part `file` of a form, with a Content-Length. It is taken in whole
        or not at all (Content-Digest or Repr-Digest is checked), and scored by a worker: ask for its state.
        """
        return take(routes.workspaces, catalog, caller, asked_for)

    @routes.route("GET", "/batches", "batches:read", gives=schemas.BatchPage, query=(LIMIT, CURSOR))
    def list_batches(connection: Connection, caller: Caller) -> Reply:
        """List batches.

        The newest first, page by page.
        """
        return reply(200, batches.listing(connection, caller.workspace, **read_query("limit", "cursor")))

    @routes.route("GET", ONE, "batches:read", gives=schemas.KeptBatch, refuses=(404,))
    def get_batch(connection: Connection, caller: Caller, batch: str) -> Reply:
        """Describe a batch.

        Its state, and how many of its rows are done.
        """
        read_query()
        return reply(200, batches.get(connection, caller.workspace, batch))

    @routes.route("DELETE", ONE, "batches:write", status=204, refuses=(404,))
    def delete_batch(connection: Connection, caller: Caller, batch: str) -> Reply:
        """Delete a batch.

        Whatever its state: one that is being scored is cancelled. Its files are removed.
        """
        read_query()
        remove(routes.workspaces, connection, caller, batch)
        return reply(204)

    @routes.download(f"{ONE}/results", "batches:read", MIMETYPES.values(), query=(WANTED,))
    def get_results(connection: Connection, caller: Caller, batch: str) -> Response:
        """Get the results.

        Every row that could be scored, in the order of the file, as `advisor score` writes it.
        """
        given = read_query("format")
        sent_as = batches.finished(connection, caller.workspace, batch)
        return results(routes.workspaces, batch, given.get("format") or _accepted(sent_as))

    @routes.download(f"{ONE}/rejects", "batches:read", ["text/csv"])
    def get_rejects(connection: Connection, caller: Caller, batch: str) -> Response:
        """Get the rejects.

        Every row that could not be scored, with its number, column, code and reason.
        """
        read_query()
        batches.finished(connection, caller.workspace, batch)
        return rejects(routes.workspaces, batch)


def asked_for(upload: Upload) -> "MultiDict[str, str]":
    """Say what is wanted of a file: in the query, and in the fields of the form."""
    given: MultiDict[str, str] = MultiDict(request.args)
    given.update(upload.fields)
    return given


def take(
    workspaces: Workspaces, catalog: Catalog, caller: Caller, wanted: Callable[[Upload], "MultiDict[str, str]"]
) -> Reply:
    """Take in the file of the request, look at it, and keep it as a batch: whole, or not at all.

    `wanted` says what is wanted of it. Raises what `taken_in` does, InvalidInput, or StoreUnavailable.
    """
    files = _files(workspaces)
    batch_id = new_id("bat")
    with taken_in(workspaces.settings, files / "incoming" / batch_id) as upload:
        order = _order(catalog, wanted(upload), upload)
        _look_at(upload, order, catalog)
        wanted_of = orjson.dumps([upload.format, sorted(upload.fields.items(multi=True))])
        asked = asked_once(caller, wanted_of, upload.digest)

        def keep(connection: Connection) -> Reply:
            place = batches.folder(files, batch_id)
            make_private(place.parent)
            upload.path.parent.rename(place)
            sync(place.parent)
            batches.create(connection, caller.workspace, batch_id, order, upload.size, upload.digest)
            made = batches.get(connection, caller.workspace, batch_id)
            return reply(202, made, Location=f"/v1/batches/{batch_id}")

        try:
            return idempotency.once(workspaces.database, asked, keep)
        except StoreUnavailable:
            raise  # it may have been kept after all; if not, the file is swept
        except BaseException:
            shutil.rmtree(batches.folder(files, batch_id), ignore_errors=True)
            raise


def remove(workspaces: Workspaces, connection: Connection, caller: Caller, batch: str) -> None:
    """Delete a batch with its files. Raises NotFound."""
    batches.remove(connection, caller.workspace, batch)
    shutil.rmtree(batches.folder(_files(workspaces), batch), ignore_errors=True)


def results(workspaces: Workspaces, batch: str, target: str) -> Response:
    """Send the results of a batch that is done, in a format. Raises NotFound where their file is gone."""
    path = batches.folder(_files(workspaces), batch) / scored_name(target)
    return _sent(path, MIMETYPES[target], batch, target)


def rejects(workspaces: Workspaces, batch: str) -> Response:
    """Send the rejects of a batch that is done. Raises NotFound where their file is gone."""
    path = batches.folder(_files(workspaces), batch) / REJECTS
    return _sent(path, MIMETYPES["csv"], batch, REJECTS)


def _files(workspaces: Workspaces) -> Path:
    return workspaces.settings.files_dir.absolute()


def _order(catalog: Catalog, given: "MultiDict[str, str]", upload: Upload) -> Order:
    """Read what is wanted of a file. Raises InvalidInput."""
    readers = {
        "program": once(read_program(catalog)),
        "marketplace": once(read_marketplace),
        "as_of": once(read_day),
        "format": once(Word(FORMATS).read),
        "set": read_constants,
    }
    found = read_named(given.to_dict(flat=False), readers)
    kind = found.get("format") or upload.format
    if kind is None and Path(upload.name).suffix.lower() in WORKBOOKS:
        detail = say("This file is a workbook. Save the sheet as “CSV UTF-8”, and send that file.")
        raise InvalidInput([Problem("?format", "not_allowed", detail)])
    if kind is None:
        detail = say("Say what the file is: csv, ndjson or parquet, by this parameter or by the content type.")
        raise InvalidInput([Problem("?format", "missing", detail)])
    return Order(
        format=kind,
        program=found.get("program", DEFAULT_PROGRAM),
        marketplace=found.get("marketplace"),
        as_of=found.get("as_of") or today(),
        constants=found.get("set", {}),
    )


def _look_at(upload: Upload, order: Order, catalog: Catalog) -> None:
    """Refuse at once a file that cannot be used as a whole. Raises UnreadableInput, InvalidInput."""
    from advisor.batch.running import LOOKED_AT, Terms, look_at  # the engine takes a second to load; only files need it
    from advisor.batch.scoring import Accounts

    work = upload.path.parent / "looked-at"
    work.mkdir()
    accounts = Accounts(catalog, order.program, Terms(order.as_of, order.marketplace, order.constants))
    try:
        look_at(upload.path, order.format, accounts, work)
    except InvalidInput as error:
        raise InvalidInput([_of_constant(one, order) for one in error.problems]) from None
    except UnreadableInput as error:
        if error.code != "no_rows" or upload.size <= LOOKED_AT:  # else its rows come later than is looked at
            raise
    shutil.rmtree(work)


def _of_constant(problem: Problem, order: Order) -> Problem:
    """Say of what is wrong with a constant that it stands in `set`, not in the file."""
    if problem.pointer.lower() not in map(str.lower, order.constants):
        return problem
    detail = say("{name} cannot be set like this. {reason}", name=problem.pointer, reason=problem.detail)
    return Problem("?set", problem.code, detail)


def _accepted(otherwise: str) -> str:
    """Pick the format that the reader asks for by Accept."""
    types = {mimetype: name for name, mimetype in MIMETYPES.items()}
    offered = [MIMETYPES[otherwise], *types]
    return types[request.accept_mimetypes.best_match(offered, offered[0]) or offered[0]]


def _sent(path: Path, mimetype: str, batch: str, end: str) -> Response:
    try:
        response = send_file(path, mimetype=mimetype, as_attachment=True, download_name=f"{batch}.{end}")
    except FileNotFoundError:
        raise NotFound("batch", batch) from None
    response.headers["Cache-Control"] = "no-store"
    return response
