"""The JSON API under /v1: each view parses, calls a service and dumps."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError

from advisor.answers.parts import dumps
from advisor.batch import FORMATS
from advisor.domain.program import Verdict
from advisor.errors import say
from advisor.inputs.assessments import AssessmentBatchRequest, AssessmentRequest
from advisor.inputs.fees import AdviceRequest, FeeEstimateRequest
from advisor.inputs.parameters import once, read_named
from advisor.inputs.sellers import LONGEST_GROUP
from advisor.inputs.values import Marketplace, Text, Word, read_day, read_marketplace, refuse
from advisor.services.calculations import Services
from advisor.services.pages import LONGEST
from advisor.settings import Settings
from advisor.web import schemas
from advisor.web.bodies import read_json
from advisor.web.language import reader as reader  # the pages take it from here
from advisor.web.problems import invalid_body

AS_OF = {
    "name": "as_of",
    "in": "query",
    "description": "The day whose rules are shown; today (UTC) when left out.",
    "schema": {"type": "string", "format": "date", "example": "2026-11-22"},
}
MARKETPLACE = {
    "name": "marketplace",
    "in": "query",
    "description": "Only the thresholds of this marketplace; all when left out.",
    "schema": Marketplace().json_schema(),
}
LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "description": "The language of the sentences; English when left out. Codes never change.",
    "schema": {"type": "string", "example": "en"},
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an answer you have; the answer is 304 while nothing has changed.",
    "schema": {"type": "string"},
}
PROGRAM_ID = {
    "name": "program",
    "in": "path",
    "required": True,
    "schema": {"$ref": "#/components/schemas/ProgramId"},
}
SCHEDULE_OF = {"name": "marketplace", "in": "path", "required": True, "schema": Marketplace().json_schema()}
NOT_MODIFIED = "What you have is still right."


REFUSALS = {
    400: "The body is not strict JSON.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "Some values cannot be used.",
}

View = Callable[..., Response]


Post = Callable[[str, type, type, Any], Callable[[View], View]]


class Described(Blueprint):
    """The blueprint of the API. It documents answers by the classes of their schemas.

    What documents a route is copied for each of its answers; with instances the application takes twice as long to
    start.
    """

    @staticmethod
    def _make_doc_response_schema(schema: Any) -> Any:
        return type(schema) if isinstance(schema, Schema) else schema


def poster(api: Blueprint) -> Post:
    """Make the decorator that adds a POST which takes strict JSON to a blueprint."""

    def post(path: str, takes: type, gives: type, example: Any) -> Callable[[View], View]:
        """Document a POST that takes strict JSON; the view's docstring is its summary and description."""

        def decorate(view: View) -> View:
            content = {"application/json": {"schema": takes, "example": example}}
            described = view
            for status, reason in REFUSALS.items():
                described = api.alt_response(status, schema=schemas.Problem, description=reason)(described)
            described = api.response(200, gives)(described)
            described = api.doc(parameters=[LANGUAGE], requestBody={"required": True, "content": content})(described)
            # The wrappers only document. Calling the view through them would cost every request time.
            view._apidoc = described._apidoc  # type: ignore[attr-defined]
            routed: View = api.post(path)(view)
            return routed

        return decorate

    return post


def blueprint(services: Services, settings: Settings) -> Blueprint:
    """Make the API over the services."""
    api = Described("api", __name__, url_prefix="/v1")

    post = poster(api)

    @post("/assessments", AssessmentRequest, schemas.AssessmentAnswer, schemas.ASSESSMENT_EXAMPLE)
    def assessments() -> Response:
        """Assess an account.

        Holds one account against one or more programs. Nothing is stored. “Not eligible” is an answer, never an error.
        """
        return json_answer(services.assessments(json_body(settings.max_body), reader()))

    @post("/assessments:batch", AssessmentBatchRequest, schemas.AssessmentBatchAnswer, schemas.BATCH_EXAMPLE)
    def assessment_batch() -> Response:
        """Assess up to 1,000 accounts.

        Each item is the body of an assessment request. An item that cannot be used is answered with its own problem.
        """
        body = json_body(settings.max_batch_body, apart="items")
        return json_answer(services.assessment_batch(body, reader(), describe=invalid_body))

    @post("/fee-estimates", FeeEstimateRequest, schemas.FeeEstimateAnswer, schemas.FEE_ESTIMATE_EXAMPLE)
    def fee_estimates() -> Response:
        """Estimate fees.

        Prices sales by the fee schedule of one marketplace and day, to the minor unit, with the prices that leave a
        profit.
        """
        return json_answer(services.fee_estimates(json_body(settings.max_body), reader()))

    @post("/advice", AdviceRequest, schemas.AdviceAnswer, schemas.ADVICE_EXAMPLE)
    def advice() -> Response:
        """Weigh joining.

        Puts eligibility and money together: scenarios of additional B2B sales, quantity discounts and a
        recommendation.
        """
        return json_answer(services.advice(json_body(settings.max_body), reader()))

    @api.get("/programs")
    @api.doc(parameters=[LANGUAGE, IF_NONE_MATCH])
    @api.response(200, schemas.ProgramList)
    @api.alt_response(304, description=NOT_MODIFIED)
    def programs() -> Response:
        """List the programs."""
        read_query()
        return cacheable(services.programs(reader()))

    @api.get("/programs/<string:program>", parameters=[PROGRAM_ID])
    @api.doc(parameters=[MARKETPLACE, AS_OF, LANGUAGE, IF_NONE_MATCH])
    @api.response(200, schemas.Program)
    @api.alt_response(304, description=NOT_MODIFIED)
    @api.alt_response(404, schema=schemas.Problem, description="There is no such program.")
    @api.alt_response(422, schema=schemas.Problem, description="A query parameter cannot be used.")
    def program(program: str) -> Response:
        """Describe a program."""
        given = read_query("marketplace", "as_of")
        return cacheable(services.program(program, given.get("marketplace"), given.get("as_of"), reader()))

    @api.get("/fee-schedules")
    @api.doc(parameters=[LANGUAGE, IF_NONE_MATCH])
    @api.response(200, schemas.FeeScheduleList)
    @api.alt_response(304, description=NOT_MODIFIED)
    def fee_schedules() -> Response:
        """List the fee schedules."""
        read_query()
        return cacheable(services.schedules(reader()))

    @api.get("/fee-schedules/<string:marketplace>", parameters=[SCHEDULE_OF])
    @api.doc(parameters=[AS_OF, LANGUAGE, IF_NONE_MATCH])
    @api.response(200, schemas.FeeSchedule)
    @api.alt_response(304, description=NOT_MODIFIED)
    @api.alt_response(404, schema=schemas.Problem, description="There is no such marketplace.")
    @api.alt_response(422, schema=schemas.Problem, description="A query parameter cannot be used.")
    def fee_schedule(marketplace: str) -> Response:
        """Describe a fee schedule."""
        given = read_query("as_of")
        try:
            name = read_marketplace(marketplace)
        except ValidationError:
            name = marketplace
        return cacheable(services.schedule(name, given.get("as_of"), reader()))

    return api


def json_body(most: int, apart: str | None = None) -> Any:
    """Read the JSON body of a request that has no query."""
    read_query()
    return read_json(most, apart)


Reader = Callable[[Sequence[str]], Any]


def _word(choices: Sequence[str]) -> Reader:
    return once(Word(tuple(choices)).read)


def _read_limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= LONGEST):
        raise refuse("out_of_range", say("A page has 1 to {most} entries.", most=LONGEST))
    return int(text)


_READERS: dict[str, Reader] = {
    "as_of": once(read_day),
    "cursor": once(Text(1000).read),
    "endpoint": once(Text().read),
    "format": _word(FORMATS),
    "group": once(Text(LONGEST_GROUP).read),
    "limit": once(_read_limit),
    "marketplace": once(read_marketplace),
    "sort": _word(("id", "tightest")),
    "state": _word(("pending", "delivered", "failed")),
    "verdict": _word([one.value for one in Verdict]),
}


def read_query(*known: str, **more: Reader) -> dict[str, Any]:
    """Read the query parameters, `more` by readers of their own; unknown or repeated ones are refused."""
    if not request.environ.get("QUERY_STRING"):
        return {}
    readers = {**more, **{name: _READERS[name] for name in known}}
    return read_named(request.args.to_dict(flat=False), readers)


def json_answer(answer: Any) -> Response:
    """Dump an answer."""
    return Response(dumps(answer), content_type="application/json")


def cacheable(answer: Any) -> Response:
    """Dump an answer that changes only with the rules, with a strong ETag; 304 where the reader has it."""
    body = dumps(answer)
    response = Response(body, content_type="application/json")
    response.set_etag(hashlib.sha256(body).hexdigest()[:32])
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Vary"] = "Accept-Language"
    response.make_conditional(request)
    return response
