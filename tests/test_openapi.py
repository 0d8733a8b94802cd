"""The OpenAPI document: valid, whole, and true of what the application answers."""

from datetime import date
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis import Case

from advisor.catalog import Catalog
from advisor.domain.program import MARKETPLACES
from advisor.messages import ADVICE_REASONS, ERROR_CODES, REASONS, WARNINGS
from advisor.settings import Settings
from advisor.web import create_app

# What stands beside the API: health and figures, the document itself, and the page to browse it.
UNDOCUMENTED = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/start.js", "/docs/{asset}"}

CHECKS = {
    "checks": {
        # What JSON Schema cannot say is a 422: a count is at most its total, a category belongs to its marketplace, an
        # amount has the decimals of its currency, a scenario has one of two. 304 answers an If-None-Match of *.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "404", "422"]},
    },
    "operations": [
        {
            # An item of a batch may be anything, as each is answered with its own problem; but no JSON text may hold
            # an integer of more than 19 digits, which generated items do, and that is a 400.
            "include-path": "/v1/assessments:batch",
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "422"]}},
        }
    ],
}


@pytest.fixture(scope="session")
def document(app: Flask) -> dict[str, Any]:
    """The document as served."""
    answer = app.test_client().get("/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    found: dict[str, Any] = answer.get_json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """List path, method and description of every operation."""
    return [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def answers_to(document: dict[str, Any], path: str, method: str, status: str) -> Draft202012Validator:
    """Make a validator of what an operation answers."""
    response = document["paths"][path][method]["responses"][status]
    (content,) = response["content"].values()
    return Draft202012Validator({**content["schema"], "components": document["components"]})


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    """By the published schema of the format, and every reference leads somewhere."""
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_every_route_is_documented(app: Flask, document: dict[str, Any]) -> None:
    """With its methods, and nothing is documented that is no route."""
    routes = set()
    for rule in app.url_map.iter_rules():
        path = str(rule).replace("<string:", "{").replace(">", "}")
        if path not in UNDOCUMENTED:
            routes |= {(path, method.lower()) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert {(path, method) for path, method, _ in operations(document)} == routes
    assert all(path.startswith("/v1/") for path, _ in routes)


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    """A summary, an answer, and problem+json of the one schema for every failure."""
    problem = {"$ref": "#/components/schemas/Problem"}
    for path, method, operation in operations(document):
        assert operation["summary"], path
        assert operation["responses"]["200"]["content"]["application/json"]["schema"]
        expected = {"post": {"400", "413", "415", "422"}, "get": {"304"}}[method]
        expected |= {"404", "422"} if "{" in path else set()
        assert expected <= set(operation["responses"]), path
        for status, response in operation["responses"].items():
            if status == "default":
                response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
            if status >= "400":
                assert response["content"] == {"application/problem+json": {"schema": problem}}, (path, status)


def test_every_object_in_a_request_refuses_what_it_does_not_know(document: dict[str, Any]) -> None:
    """Down to the last property that a request can reach."""
    schemas = document["components"]["schemas"]
    bodies = [
        operation["requestBody"]["content"] for _, _, operation in operations(document) if "requestBody" in operation
    ]
    assert all(set(body) == {"application/json"} for body in bodies)
    left = [body["application/json"]["schema"] for body in bodies]
    seen: set[str] = set()
    while left:
        schema = left.pop()
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name not in seen:
                seen.add(name)
                left.append(schemas[name])
            continue
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
        left += [one for one in schema.get("properties", {}).values() if one]
        left += [one for name in ("anyOf", "oneOf", "allOf") for one in schema.get(name, ())]
        left += [schema["items"]] if schema.get("items") else []
    assert {"AssessmentRequest", "Facts", "Metrics", "Rate", "Counter", "FeeLine", "AdviceLine", "Scenario"} <= seen


def test_the_document_names_no_other_host(document: dict[str, Any]) -> None:
    """Its addresses are relative to where it is served."""
    assert all(one["url"].startswith("/") for one in document.get("servers", []))
    assert "externalDocs" not in document


def test_every_example_is_answered_as_documented(client: FlaskClient, document: dict[str, Any]) -> None:
    """The examples of requests are accepted, and their answers match the schemas."""
    for path, method, operation in operations(document):
        if method == "post":
            answer = client.post(path, json=operation["requestBody"]["content"]["application/json"]["example"])
            assert answer.status_code == 200
            answers_to(document, path, method, "200").validate(answer.json)


def test_programs_and_schedules_are_answered_as_documented(client: FlaskClient, document: dict[str, Any]) -> None:
    """Every program and every marketplace, today and long ago."""
    listing = client.get("/v1/programs").json
    answers_to(document, "/v1/programs", "get", "200").validate(listing)
    described = answers_to(document, "/v1/programs/{program}", "get", "200")
    schedules = answers_to(document, "/v1/fee-schedules/{marketplace}", "get", "200")
    answers_to(document, "/v1/fee-schedules", "get", "200").validate(client.get("/v1/fee-schedules").json)
    for day in ("2026-11-22", "2019-03-01", "1999-12-31"):
        for one in listing["programs"]:
            described.validate(client.get(f"/v1/programs/{one['program']}?as_of={day}").json)
        for marketplace in MARKETPLACES:
            schedules.validate(client.get(f"/v1/fee-schedules/{marketplace}?as_of={day}").json)


# Requests made of what the rule data knows: unlike those made of the document, they reach the sums.

CATALOG = Catalog()
APP = create_app(Settings())
APP.config["PROPAGATE_EXCEPTIONS"] = False


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value or null."""
    return st.none() | values


def decimals(most: int, places: int, least: int = 0) -> st.SearchStrategy[str]:
    """Decimal text up to a number of units, with up to so many places."""
    units = 10**places

    def write(value: int) -> str:
        whole, fraction = divmod(value, units)
        return f"{whole}.{fraction:0{places}d}" if places else str(whole)

    return st.integers(least, most * units).map(write)


DAYS = maybe(st.dates(date(2015, 1, 1), date(2028, 1, 1)).map(date.isoformat) | st.dates().map(date.isoformat))
COUNTS = st.integers(0, 100) | st.integers(0, 10**9)
PLACE = st.sampled_from([*MARKETPLACES, "GB", "de"])
SEGMENTS = st.sampled_from(["seller_fulfilled", "amazon_fulfilled", "business", "category:shoes"])


@st.composite
def observations(draw: st.DrawFn, counter: bool) -> dict[str, Any]:
    """One observation of a metric."""
    seen: dict[str, Any] = {}
    if counter:
        seen["count"] = draw(COUNTS)
    elif draw(st.booleans()):
        count, more = draw(COUNTS), draw(COUNTS)
        seen |= {"count": count, "of": min(count + more, 10**9)}
    else:
        seen["rate"] = draw(decimals(1, 9))
    if draw(st.booleans()):
        seen["window_days"] = draw(st.sampled_from([7, 10, 30, 60, 90]) | st.integers(1, 366))
    if draw(st.integers(0, 3)) == 0:
        seen["segment"] = draw(SEGMENTS)
    return seen


@st.composite
def accounts(draw: st.DrawFn) -> dict[str, Any]:
    """An assessment request that is in order."""
    vocabulary = CATALOG.vocabulary
    kinds: dict[str, st.SearchStrategy[Any]] = {"boolean": st.booleans(), "date": st.dates().map(date.isoformat)}
    facts = {}
    for fact in draw(st.lists(st.sampled_from(sorted(vocabulary.facts)), unique=True)):
        known = vocabulary.facts[fact]
        values = st.sampled_from(known.choices) if known.choices else st.integers(known.lowest or 0, known.highest)
        facts[fact] = draw(maybe(kinds.get(known.kind, values)))
    metrics = {}
    for name in draw(st.lists(st.sampled_from(sorted(vocabulary.metrics)), unique=True)):
        one = observations(counter=vocabulary.metrics[name].kind == "counter")
        metrics[name] = draw(maybe(one) | one.map(lambda seen: [seen]))
    return {
        "marketplace": draw(PLACE),
        "as_of": draw(DAYS),
        "programs": draw(maybe(st.lists(st.sampled_from(CATALOG.program_ids), min_size=1, unique=True))),
        "facts": facts,
        "metrics": metrics,
    }


@st.composite
def fee_lines(draw: st.DrawFn, marketplace: str) -> dict[str, Any]:
    """A fee line that is in order at a marketplace."""
    schedule = CATALOG.schedule({"GB": "UK"}.get(marketplace, marketplace.upper()))
    places = schedule.decimals
    money = decimals(1000, places) | decimals(10**11 // 10**places, places)
    return {
        "ref": draw(
            maybe(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20))
        ),
        "category": draw(st.sampled_from(sorted(schedule.categories) or ["anything"])),
        "price": draw(decimals(1000, places, 1) | decimals(10**11 // 10**places, places, 1)),
        "shipping": draw(maybe(money)),
        "gift_wrap": draw(maybe(money)),
        "fulfillment": draw(maybe(st.sampled_from(schedule.channels or ("seller", "amazon")))),
        "business_order": draw(maybe(st.booleans())),
        "unit_cost": draw(maybe(money)),
        "fulfillment_cost": draw(maybe(money)),
        "refund_rate": draw(maybe(decimals(1, 6))),
        "tax_rate": draw(maybe(decimals(1, 6))),
    }


@st.composite
def estimates(draw: st.DrawFn) -> dict[str, Any]:
    """A request for a fee estimate that is in order."""
    marketplace = draw(PLACE)
    units = st.integers(1, 10**6)
    lines = draw(st.lists(fee_lines(marketplace), min_size=1, max_size=3))
    return {
        "marketplace": marketplace,
        "as_of": draw(DAYS),
        "selling_plan": draw(maybe(st.sampled_from(["professional", "individual"]))),
        "established_in": draw(maybe(st.sampled_from(["US", "GB", "fr", "CN"]))),
        "lines": [{**line, "units": draw(maybe(units))} for line in lines],
    }


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """A request for advice that is in order."""
    account = draw(accounts())
    marketplace = account["marketplace"]
    places = CATALOG.schedule({"GB": "UK"}.get(marketplace, marketplace.upper())).decimals
    units = st.integers(0, 10**6)
    lines = []
    for line in draw(st.lists(fee_lines(marketplace), min_size=1, max_size=2)):
        current = draw(maybe(units))
        scenarios = []
        for name in draw(st.lists(st.sampled_from(["low", "high", "best"]), unique=True)):
            uplift = current is not None and draw(st.booleans())
            scenarios.append(
                {"name": name, **({"uplift": draw(decimals(100, 6))} if uplift else {"monthly_units": draw(units)})}
            )
        discounts = [
            {
                "min_quantity": draw(st.integers(2, 10**6)),
                **draw(st.sampled_from([{"discount_rate": "0.05"}, {"unit_price": "1"}])),
            }
            for _ in range(draw(st.integers(0, 2)))
        ]
        lines.append(
            {**line, "current_monthly_units": current, "scenarios": scenarios, "quantity_discounts": discounts}
        )
    return {**account, "fixed_monthly_cost": draw(maybe(decimals(1000, places))), "lines": lines}


BOUNDED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
CODES = {*REASONS, *WARNINGS, *ADVICE_REASONS, *ERROR_CODES}


def codes_in(answer: Any) -> set[str]:
    """Collect every code of an answer: the reasons of findings, and what warnings and recommendations carry."""
    if isinstance(answer, list):
        return {code for one in answer for code in codes_in(one)}
    if not isinstance(answer, dict):
        return set()
    here = {answer[name] for name in ("code", "reason") if isinstance(answer.get(name), str)}
    return here | {code for one in answer.values() for code in codes_in(one)}


def accepted(document: dict[str, Any], path: str, body: dict[str, Any]) -> Any:
    """Post a body that is in order: it fits its schema, is answered with 200, and the answer fits its own."""
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    if body["marketplace"] != "de":  # any letter case is taken, but the document lists one
        Draft202012Validator({**content["schema"], "components": document["components"]}).validate(body)
    answer = APP.test_client().post(path, json=body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    answers_to(document, path, "post", "200").validate(answer.json)
    assert codes_in(answer.json) <= CODES
    return answer.json


@BOUNDED
@given(body=accounts())
def test_every_account_in_order_is_judged_as_documented(document: dict[str, Any], body: dict[str, Any]) -> None:
    """And as an item of a batch alike."""
    alone = accepted(document, "/v1/assessments", body)
    for compact in (False, True):
        batch = APP.test_client().post("/v1/assessments:batch", json={"items": [body], "compact": compact}).json
        answers_to(document, "/v1/assessments:batch", "post", "200").validate(batch)
        (item,) = batch["items"]
        assert compact or item["result"] == alone


@BOUNDED
@given(body=estimates())
def test_every_sale_in_order_is_priced_as_documented(document: dict[str, Any], body: dict[str, Any]) -> None:
    """At any marketplace, day, price and channel."""
    accepted(document, "/v1/fee-estimates", body)


@BOUNDED
@given(body=plans())
def test_every_plan_in_order_is_weighed_as_documented(document: dict[str, Any], body: dict[str, Any]) -> None:
    """With any scenarios and discounts."""
    accepted(document, "/v1/advice", body)


# Requests made of the document, good and bad, by schemathesis.


def abridged() -> dict[str, Any]:
    """The document with two metrics in place of all: there are two schemas for them, and each metric costs seconds."""
    document: dict[str, Any] = APP.test_client().get("/openapi.json").get_json()
    metrics = document["components"]["schemas"]["Metrics"]["properties"]
    kinds = {"order_defect_rate": "Rate", "safety_complaints": "Counter"}
    shapes = {kind: metrics[name]["anyOf"] for name, kind in kinds.items()}
    for name, metric in CATALOG.vocabulary.metrics.items():
        assert metrics[name]["anyOf"] == shapes["Counter" if metric.kind == "counter" else "Rate"]
    assert set(metrics) == set(CATALOG.vocabulary.metrics)
    document["components"]["schemas"]["Metrics"]["properties"] = {name: metrics[name] for name in kinds}
    return document


API = schemathesis.openapi.from_dict(abridged(), config=schemathesis.Config.from_dict(CHECKS))
API.app = APP


@API.parametrize()
@settings(BOUNDED, max_examples=100)
def test_the_document_is_true(case: Case) -> None:
    """By every check: what the document allows is taken, what it forbids is refused, and all is answered as it says."""
    case.call_and_validate()
