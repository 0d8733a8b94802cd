"""The one translation of errors to HTTP: application/problem+json (RFC 9457), one shape for all."""

import logging
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from advisor.errors import (
    AdvisorError,
    Conflict,
    Forbidden,
    InputTooLarge,
    InvalidInput,
    NotFound,
    Problem,
    StoreFull,
    StoreUnavailable,
    Unauthenticated,
    UnknownName,
    UnreadableInput,
    say,
)
from advisor.services.calculations import problems
from advisor.strict_json import MOST_PROBLEMS
from advisor.web.language import reader
from advisor.web.watch import ID_KEY

log = logging.getLogger("advisor.web")

RETRY_AFTER = "1"  # seconds
PATH_SAFE = "/:@!$&'()*+,;="  # what RFC 3986 lets stand in a path, besides what `quote` never touches

TITLES = {
    400: say("The request cannot be read"),
    401: say("A valid API key is needed"),
    403: say("This key may not do this"),
    404: say("There is no such thing here"),
    405: say("This method is not allowed here"),
    406: say("This representation is not available"),
    409: say("What is stored does not allow this now"),
    411: say("The length of the body is missing"),
    413: say("The body is too large"),
    415: say("This content type is not taken"),
    416: say("Requested Range Not Satisfiable"),
    422: say("Some values cannot be used"),
    429: say("Too many requests"),
    500: say("The advisor failed"),
    503: say("The advisor is not ready"),
    507: say("There is no room left"),
}

# What werkzeug says of a request that no view was asked about, a sentence a status.
DETAILS = {
    400: say("The browser (or proxy) sent a request that this server could not understand."),
    404: say("There is nothing at this address."),
    405: say("The method is not allowed for the requested URL."),
    413: say("The data value transmitted exceeds the capacity limit."),
    416: say("The server cannot provide the requested range."),
}
_UNTRUSTED = re.compile(r"Host (.*) is not trusted\.", re.DOTALL)
_FAILED = say("The advisor failed on this request. Quote the request id when you report it.")


class ContentTypeRefused(AdvisorError):
    """The body's content type or encoding is not taken here."""


def body(status: int, detail: str, found: list[Problem] | None = None) -> dict[str, Any]:
    """Make the body of a problem answer, in the reader's language."""
    messages = reader()
    return {
        "type": "about:blank",
        "title": messages.say(TITLES.get(status) or HTTPStatus(status).phrase),
        "status": status,
        "detail": messages.say(detail),
        "instance": quote(request.path, safe=PATH_SAFE),
        "errors": problems(found or [], messages),
        "request_id": request.environ[ID_KEY],
    }


def invalid_body(error: InvalidInput) -> dict[str, Any]:
    """Make the body for input whose values cannot be used."""
    number = len(error.problems)
    if number == 1:
        detail = say("One value cannot be used. `errors` says which, and what to do.")
    elif number == MOST_PROBLEMS:
        detail = say(
            "Many values cannot be used; these are the first {number}. `errors` says which, and what to do.",
            number=number,
        )
    else:
        detail = say("{number} values cannot be used. `errors` says which, and what to do.", number=number)
    return body(422, detail, error.problems)


def _description(error: HTTPException, status: int) -> str:
    """Say what werkzeug says of a request in sentences of our own; what the advisor says itself stays."""
    description = error.description or ""
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        methods = ", ".join(sorted(error.valid_methods))
        return say(
            "The method {method} is not allowed here. Allowed are {methods}.", method=request.method, methods=methods
        )
    untrusted = _UNTRUSTED.fullmatch(description)
    if untrusted:
        return say("Host {host} is not trusted.", host=untrusted[1])
    if status == 404 or description == type(error).description:
        return DETAILS.get(status, description)
    return description


def _answer(of: dict[str, Any]) -> Response:
    language = {"Content-Language": reader().tag}
    return Response(orjson.dumps(of), of["status"], language, content_type="application/problem+json")


def problem(status: int, detail: str, found: list[Problem] | None = None) -> Response:
    """Make a problem answer."""
    return _answer(body(status, detail, found))


def register(app: Flask) -> None:
    """Answer every error as a problem."""

    @app.errorhandler(InvalidInput)
    def invalid(error: InvalidInput) -> Response:
        return _answer(invalid_body(error))

    @app.errorhandler(InputTooLarge)
    def too_large(error: InputTooLarge) -> Response:
        return problem(413, error.detail, [Problem("", error.code, error.detail)])

    @app.errorhandler(UnreadableInput)
    def unreadable(error: UnreadableInput) -> Response:
        return problem(400, error.detail, [Problem("", error.code, error.detail)])

    @app.errorhandler(ContentTypeRefused)
    def refused_type(error: ContentTypeRefused) -> Response:
        return problem(415, error.detail)

    @app.errorhandler(UnknownName)
    @app.errorhandler(NotFound)
    def unknown(error: AdvisorError) -> Response:
        return problem(404, error.detail)

    @app.errorhandler(Unauthenticated)
    def unauthenticated(error: Unauthenticated) -> Response:
        answer = problem(401, error.detail)
        answer.headers["WWW-Authenticate"] = 'Bearer realm="advisor"'
        return answer

    @app.errorhandler(Forbidden)
    def forbidden(error: Forbidden) -> Response:
        return problem(403, error.detail)

    @app.errorhandler(Conflict)
    def conflict(error: Conflict) -> Response:
        answer = problem(409, error.detail, [Problem("", error.code, error.detail)])
        if error.code == "in_progress":
            answer.headers["Retry-After"] = RETRY_AFTER
        return answer

    @app.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> Response:
        log.warning("database unavailable", exc_info=error, extra={"request_id": request.environ[ID_KEY]})
        answer = problem(507 if isinstance(error, StoreFull) else 503, error.detail)
        answer.headers["Retry-After"] = RETRY_AFTER
        return answer

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        answer = problem(status, _description(error, status))
        for name, value in error.get_headers():
            if name != "Content-Type":
                answer.headers[name] = value
        return answer

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log.error("request failed", exc_info=error, extra={"request_id": request.environ[ID_KEY]})
        return problem(500, _FAILED)
