"""Routes of what a workspace keeps: each names the scope it needs, is one transaction, and stands in the document.

A view takes the connection, the caller and, if the route has one, the body; it gives a Reply. A POST with an
Idempotency-Key has its effect once.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import orjson
from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema
from sqlalchemy import Connection
from werkzeug.routing import BaseConverter

from advisor.answers.parts import Answer
from advisor.errors import NotFound, StoreUnavailable, Unauthenticated, UnreadableInput, say
from advisor.services import idempotency, keys
from advisor.services.idempotency import Asked, Reply
from advisor.services.keys import Caller
from advisor.services.pages import LONGEST, USUAL_LENGTH
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.strict_json import loads
from advisor.web import schemas
from advisor.web.bodies import read_bytes

SECURITY = "ApiKey"
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 visible characters. The same request with the same key has its effect once.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
DIGEST = {
    "name": "Content-Digest",
    "in": "header",
    "description": "sha-256=:BASE64: of the body (RFC 9530); checked where it is given. Repr-Digest is taken too.",
    "schema": {"type": "string"},
}
RANGE = {
    "name": "Range",
    "in": "header",
    "description": "The part of the file that is wanted, to go on where a download broke off.",
    "schema": {"type": "string", "pattern": "^bytes=[0-9]{1,15}-$"},
}


def parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    """Describe a query parameter; a list of allowed words is one of texts."""
    if "enum" in schema:
        schema = {"type": "string", **schema}
    return {"name": name, "in": "query", "description": description, "schema": schema}


LIMIT = parameter(
    "limit", f"The most entries of a page; {USUAL_LENGTH} when left out.", type="integer", minimum=1, maximum=LONGEST
)
CURSOR = parameter("cursor", "`next` of the page before.", type="string", minLength=1, maxLength=1000)
PLACES = {
    "seller": {
        "name": "seller",
        "in": "path",
        "required": True,
        "description": "The id that you gave the seller.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,100}$"},
    },
}
BINARY = {"type": "string", "format": "binary"}
LOCATION = {"Location": {"description": "Where it is described.", "schema": {"type": "string"}}}
REFUSALS = {
    400: "The request cannot be read.",
    401: "There is no valid API key.",
    403: "The key may not do this.",
    404: "There is no such thing in this workspace.",
    411: "The Content-Length is missing.",
    409: "What is stored, or under way, does not allow this now.",
    413: "The body is too large.",
    415: "The body is not of a content type that is taken.",
    416: "The file has no such part.",
    422: "Some values cannot be used.",
    429: "Too many requests.",
    503: "The database cannot be reached. Nothing was stored.",
    507: "There is no room left. Nothing was stored.",
}
EVERY = (401, 403, 422, 429, 503)
WITH_BODY = (400, 413, 415)
POSTED = (400, 409)
CHANGES = (507,)
_UNNOTED = "advisor.key_to_note"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_BEARER = re.compile(r"Bearer +([\x21-\x7e]{1,200}) *", re.IGNORECASE)

View = Callable[..., Reply]


class Id(BaseConverter):
    """An id in an address, which ends at the colon of what is to be done."""

    regex = "[^:]+"


class Workspaces:
    """What the routes of stored things share: the database, who is asking, and how an answer is kept."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database

    @cached_property
    def secret(self) -> bytes:
        """What keys rest on; made when it is first needed."""
        return self.settings.secret()

    def caller(self, scope: str | None = None) -> Caller:
        """Say who is asking, before anything else is done. Raises Unauthenticated, or Forbidden without the scope."""
        with self.database.reading() as connection:
            return self.caller_on(connection, scope)

    def caller_on(self, connection: Connection, scope: str | None = None) -> Caller:
        """Say who is asking, in the transaction of what is asked. Raises as `caller` does."""
        caller = self.admitted(*keys.find(connection, self.secret, given_key()))
        if scope is not None:
            caller.require(scope)
        return caller

    def admitted(self, caller: Caller, noted: date | None) -> Caller:
        """Let a caller in whose last use is noted of a day; today's is to be noted at the end."""
        if noted != datetime.now(UTC).date():
            request.environ[_UNNOTED] = caller.key
        return caller

    def note_use(self) -> None:
        """Note that the key was used, if that was not noted today. What was answered stands, even if that fails."""
        key = request.environ.pop(_UNNOTED, None)
        if key is not None:
            with suppress(StoreUnavailable), self.database.writing() as connection:
                keys.note_use(connection, key, datetime.now(UTC).date())


def given_key() -> str:
    """Read the key that the request shows; raises Unauthenticated where it shows none that could be one."""
    given = _BEARER.fullmatch(request.environ.get("HTTP_AUTHORIZATION", ""))
    if given is None or not keys.is_well_formed(given[1]):
        raise Unauthenticated
    return given[1]


class Routes:
    """Adds routes to the API, each with its documentation."""

    def __init__(self, api: Blueprint, workspaces: Workspaces) -> None:
        self.api = api
        self.workspaces = workspaces

    def route(
        self,
        method: str,
        path: str,
        scope: str,
        *,
        gives: type[Schema] | None = None,
        status: int = 200,
        also: Mapping[int, type[Schema]] | None = None,
        takes: type[Schema] | None = None,
        example: Any = None,
        query: Sequence[Mapping[str, Any]] = (),
        refuses: Sequence[int] = (),
        completed: Callable[[Reply], Reply] = lambda given: given,
    ) -> Callable[[View], View]:
        """Document a route and answer it; the view's docstring is its summary and description.

        What is kept of a reply under an Idempotency-Key is not `completed`: that adds what nobody stores.
        """

        def decorate(view: View) -> View:
            def answer(**place: str) -> Response:
                return _response(completed(self._reply(view, method, scope, takes is not None, place)))

            statuses = {*EVERY, *refuses, *(WITH_BODY if takes else ()), *(POSTED if method == "POST" else ())}
            parameters = [*query, *([IDEMPOTENCY_KEY] if method == "POST" else [])]
            content = None if takes is None else {"application/json": {"schema": takes, "example": example}}
            described = self.api.response(status, gives, headers=LOCATION if status in (201, 202) else None)(answer)
            for code, schema in (also or {}).items():
                described = self.api.alt_response(code, schema=schema)(described)
            self._add(method, path, view, answer, described, statuses, parameters, content)
            return view

        return decorate

    def upload(
        self,
        path: str,
        scope: str,
        *,
        gives: type[Schema],
        takes: Mapping[str, Any],
        query: Sequence[Mapping[str, Any]] = (),
    ) -> Callable[[View], View]:
        """Document and answer a POST of a file: the view is given the caller, reads the body, and stores by itself."""

        def decorate(view: View) -> View:
            def answer() -> Response:
                return _response(view(self.workspaces.caller(scope)))

            described = self.api.response(202, gives, headers=LOCATION)(answer)
            statuses = {*EVERY, *WITH_BODY, *POSTED, 411}
            parameters = [*query, IDEMPOTENCY_KEY, DIGEST]
            self._add("POST", path, view, answer, described, statuses, parameters, takes)
            return view

        return decorate

    def download(
        self, path: str, scope: str, mimetypes: Collection[str], *, query: Sequence[Mapping[str, Any]] = ()
    ) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
        """Document and answer a GET of a file: the view makes the response itself."""

        def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
            def answer(**place: str) -> Response:
                response: Response = self._reply(view, "GET", scope, False, place)
                return response

            described: Any = self.api.alt_response(304, description="What you have is still right.")(answer)
            for status, what in ((200, "The file."), (206, "The part of the file that was asked for.")):
                for one in mimetypes:
                    file = {"schema": BINARY, "content_type": one, "description": what}
                    described = self.api.alt_response(status, **file)(described)
            self._add("GET", path, view, answer, described, {*EVERY, 404, 409, 416}, [*query, RANGE])
            return view

        return decorate

    def _add(
        self,
        method: str,
        path: str,
        view: Callable[..., Any],
        answer: Callable[..., Response],
        described: Any,
        statuses: set[int],
        parameters: Sequence[Mapping[str, Any]],
        content: Mapping[str, Any] | None = None,
    ) -> None:
        """Add the route with what documents it. The wrappers that document are not called: they would cost time."""

        def whole(**place: str) -> Response:
            given_key()
            check_ids(place)
            response = answer(**place)
            self.workspaces.note_use()
            return response

        for code in sorted({*statuses, *(CHANGES if method != "GET" else ())}):
            described = self.api.alt_response(code, schema=schemas.Problem, description=REFUSALS[code])(described)
        documented: dict[str, Any] = {"parameters": list(parameters), "security": [{SECURITY: []}]}
        if content is not None:
            documented["requestBody"] = {"required": True, "content": content}
        described = self.api.doc(**documented)(described)
        whole.__name__, whole.__doc__ = view.__name__, view.__doc__
        whole._apidoc = described._apidoc  # type: ignore[attr-defined]
        whole.finds_its_caller = True  # type: ignore[attr-defined]  # see advisor.web.clients
        places = [PLACES[name] for name in re.findall(r"<string:(\w+)>", path) if name in PLACES]
        self.api.route(path, methods=[method], parameters=places)(whole)

    def _reply(
        self, view: Callable[..., Any], method: str, scope: str, has_body: bool, place: Mapping[str, str]
    ) -> Any:
        """Let the view answer, in one transaction with finding out who asks; gives what it gives."""
        database, workspaces = self.workspaces.database, self.workspaces
        data = read_bytes(workspaces.settings.max_body) if has_body else b""
        given = {**place, "body": loads(data)} if has_body else place

        if method == "GET":
            with database.reading() as connection:
                return view(connection, workspaces.caller_on(connection, scope), **given)
        if method == "POST" and "HTTP_IDEMPOTENCY_KEY" in request.environ:
            caller = workspaces.caller(scope)
            asked = asked_once(caller, data)
            return idempotency.once(database, asked, lambda connection: view(connection, caller, **given))
        with database.writing() as connection:
            return view(connection, workspaces.caller_on(connection, scope), **given)


def check_ids(place: Mapping[str, str]) -> None:
    """Answer 404 for an id with a NUL: nothing has one, and PostgreSQL takes no text with one. Raises NotFound."""
    for kind, name in place.items():
        if "\0" in name:
            raise NotFound(kind, name)


def asked_once(caller: Caller, data: bytes, digest: str = "") -> Asked | None:
    """Read the Idempotency-Key of the request; raises UnreadableInput where it is none."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        detail = say("An Idempotency-Key has 1 to 255 visible ASCII characters, such as a UUID.")
        raise UnreadableInput("not_an_idempotency_key", detail)
    rule = request.url_rule.rule if request.url_rule else ""
    whole = hashlib.sha256(f"{request.method} {request.path}\n".encode())
    for name, value in sorted(request.args.items(multi=True)):
        whole.update(f"{name!r}={value!r}\n".encode())
    whole.update(data + digest.encode())
    return Asked(caller.workspace, f"{request.method} {rule}", key, whole.hexdigest())


def reply(status: int, answer: Answer | None = None, **headers: str) -> Reply:
    """Make a reply of JSON, or of nothing; header names are written with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if answer is None:
        return Reply(status, b"", named)
    return Reply(status, orjson.dumps(answer), {"Content-Type": "application/json", **named})


def _response(given: Reply) -> Response:
    headers = {**given.headers, **({"Idempotent-Replayed": "true"} if given.replayed else {})}
    response = Response(given.body, given.status, headers)
    if "Content-Type" not in headers:
        del response.headers["Content-Type"]
    return response
