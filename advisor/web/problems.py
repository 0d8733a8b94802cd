"""The one translation of errors to HTTP: application/problem+json (RFC 9457), one shape for all."""

import logging
from http import HTTPStatus
from typing import Any

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
)
from advisor.services.calculations import problems
from advisor.strict_json import MOST_PROBLEMS
from advisor.web.watch import ID_KEY

log = logging.getLogger("advisor.web")

RETRY_AFTER = "1"  # seconds

TITLES = {
    400: "The request cannot be read",
    401: "A valid API key is needed",
    403: "This key may not do this",
    404: "There is no such thing here",
    405: "This method is not allowed here",
    406: "This representation is not available",
    409: "What is stored does not allow this now",
    411: "The length of the body is missing",
    413: "The body is too large",
    415: "This content type is not taken",
    422: "Some values cannot be used",
    429: "Too many requests",
    500: "The advisor failed",
    503: "The advisor is not ready",
    507: "There is no room left",
}


class ContentTypeRefused(AdvisorError):
    """The body's content type or encoding is not taken here."""


def body(status: int, detail: str, found: list[Problem] | None = None) -> dict[str, Any]:
    """Make the body of a problem answer."""
    return {
        "type": "about:blank",
        "title": TITLES.get(status, HTTPStatus(status).phrase),
        "status": status,
        "detail": detail,
        "instance": request.path,
        "errors": problems(found or []),
        "request_id": request.environ[ID_KEY],
    }


def invalid_body(error: InvalidInput) -> dict[str, Any]:
    """Make the body for input whose values cannot be used."""
    number = len(error.problems)
    detail = "One value cannot be used." if number == 1 else f"{number} values cannot be used."
    if number == MOST_PROBLEMS:
        detail = f"Many values cannot be used; these are the first {number}."
    return body(422, f"{detail} `errors` says which, and what to do.", error.problems)


def _answer(of: dict[str, Any]) -> Response:
    return Response(orjson.dumps(of), of["status"], content_type="application/problem+json")


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
        return problem(415, str(error))

    @app.errorhandler(UnknownName)
    @app.errorhandler(NotFound)
    def unknown(error: AdvisorError) -> Response:
        return problem(404, str(error))

    @app.errorhandler(Unauthenticated)
    def unauthenticated(error: Unauthenticated) -> Response:
        answer = problem(401, str(error))
        answer.headers["WWW-Authenticate"] = 'Bearer realm="advisor"'
        return answer

    @app.errorhandler(Forbidden)
    def forbidden(error: Forbidden) -> Response:
        return problem(403, str(error))

    @app.errorhandler(Conflict)
    def conflict(error: Conflict) -> Response:
        answer = problem(409, error.detail, [Problem("", error.code, error.detail)])
        if error.code == "in_progress":
            answer.headers["Retry-After"] = RETRY_AFTER
        return answer

    @app.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> Response:
        log.warning("database unavailable", exc_info=error, extra={"request_id": request.environ[ID_KEY]})
        answer = problem(507 if isinstance(error, StoreFull) else 503, str(error))
        answer.headers["Retry-After"] = RETRY_AFTER
        return answer

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        detail = "There is nothing at this address." if status == 404 else error.description or ""
        answer = problem(status, detail)
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return answer

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log.error("request failed", exc_info=error, extra={"request_id": request.environ[ID_KEY]})
        return problem(500, "The advisor failed on this request. Quote the request id when you report it.")
