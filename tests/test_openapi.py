"""The OpenAPI document: valid, whole, and true of what the application answers."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from threading import Event
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
from advisor.services import keys
from advisor.services.webhooks import announce
from advisor.settings import Settings
from advisor.web import create_app
from advisor.worker import Worker
from tests.conftest import CATALOG

# What stands beside the API: health and figures, the document itself, and the page to browse it.
UNDOCUMENTED = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/start.js", "/docs/{asset}"}

CHECKS = {
    "checks": {
        # What JSON Schema cannot say is a 422: a count is at most its total, a category belongs to its marketplace, an
        # amount has the decimals of its currency, a scenario has one of two, a cursor comes from the page before. 304
        # answers an If-None-Match of *. What is stored may forbid it: 409.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "404", "409", "416", "422"]},
    },
    "operations": [
        {
            # An item of a batch may be anything, as each is answered with its own problem; but no JSON text may hold
            # an integer of more than 19 digits, which generated items do, and that is a 400.
            "include-path": "/v1/assessments:batch",
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "422"]}},
        },
        {
            # No file that is made by chance holds accounts, and an empty one is sent without its length.
            "include-path": "/v1/batches",
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "411", "422"]}},
        },
        {
            # Several texts that are too long are more than a body may have.
            "include-path": "/v1/listing-checks",
            "checks": {"negative_data_rejection": {"expected-statuses": ["400", "413", "415", "422"]}},
        },
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
        path = re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule)
        if path not in UNDOCUMENTED and not rule.endpoint.startswith("pages."):
            routes |= {(path, method.lower()) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert {(path, method) for path, method, _ in operations(document)} == routes
    assert all(path.startswith("/v1/") for path, _ in routes)


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    """A summary, what it answers, and problem+json of the one schema for every failure."""
    problem = {"$ref": "#/components/schemas/Problem"}
    for path, method, operation in operations(document):
        assert operation["summary"], path
        responses = operation["responses"]
        good = {status for status in responses if status < "3"}
        several = {"put": {"200", "201"}} | ({"get": {"200", "206"}} if path.endswith(("/results", "/rejects")) else {})
        assert good == several.get(method, good) and len(good) == len(several.get(method, " "))
        for status in good:
            assert (status == "204") == ("content" not in responses[status]), path
            for content in responses[status].get("content", {}).values():
                assert content["schema"]
        expected = {"400", "413", "415", "422"} if "requestBody" in operation else set()
        if "security" in operation:
            expected |= {"401", "403", "422", "429", "503"} | (set() if method == "get" else {"507"})
            expected |= {"400", "409"} if method == "post" else set()
            expected |= {"404"} if "{" in path and method != "put" else set()
        else:
            expected |= {"304"} if method == "get" else set()
            expected |= {"404", "422"} if "{" in path else set()
        assert expected <= set(responses), (path, method)
        for status, response in responses.items():
            if status == "default":
                response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
            if status >= "400":
                assert response["content"] == {"application/problem+json": {"schema": problem}}, (path, status)


def test_exactly_what_is_refused_without_a_key_says_that_it_needs_one(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    """Whatever else is wrong with the request."""
    assert document["components"]["securitySchemes"] == {"ApiKey": {"type": "http", "scheme": "bearer"}}
    for path, method, operation in operations(document):
        answer = client.open(re.sub(r"\{\w+\}", "x", path), method=method.upper())
        needs = [{"ApiKey": []}] if answer.status_code == 401 else None
        assert operation.get("security") == needs, (path, method)


def test_every_object_in_a_request_refuses_what_it_does_not_know(document: dict[str, Any]) -> None:
    """Down to the last property that a request can reach."""
    schemas = document["components"]["schemas"]
    bodies = {
        path: operation["requestBody"]["content"]
        for path, _, operation in operations(document)
        if "requestBody" in operation
    }
    assert [path for path, body in bodies.items() if set(body) != {"application/json"}] == ["/v1/batches"]
    left = [body["application/json"]["schema"] for body in bodies.values() if "application/json" in body]
    left.append(bodies["/v1/batches"]["multipart/form-data"]["schema"])
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
    assert {"SellerRequest", "SnapshotRequest", "WebhookEndpointRequest"} <= seen


def test_the_document_names_no_other_host(document: dict[str, Any]) -> None:
    """Its addresses are relative to where it is served."""
    assert all(one["url"].startswith("/") for one in document.get("servers", []))
    assert "externalDocs" not in document


# What a workspace keeps, on SQLite: that both databases answer alike is shown elsewhere.


@pytest.fixture
def database_url(make_url: Callable[[str], str]) -> str:
    """The URL of a new database."""
    return make_url("sqlite")


@dataclass
class Witness:
    """Asks as a workspace does, holds every answer against the document, and remembers what was answered."""

    workspace: Any
    document: dict[str, Any]
    seen: set[tuple[str, str, str]] = field(default_factory=set)

    def ask(self, method: str, template: str, ids: dict[str, str], status: int, query: str = "", **given: Any) -> Any:
        """Send a request; gives the answer, which has this status and fits its schema."""
        path = re.sub(r"\{(\w+)\}", lambda name: ids[name[1]], template)
        with self.workspace.ask(method, path + query, **given) as answer:
            assert answer.status_code == status, (method, path, answer.text)
            described = self.document["paths"][template][method.lower()]["responses"][str(status)]
            content = described.get("content", {})
            if not content:
                assert answer.data == b""
                assert answer.content_type is None
            elif answer.mimetype.endswith("json") and answer.mimetype != "application/x-ndjson":
                assert set(content) == {answer.mimetype}
                schema = {**content[answer.mimetype]["schema"], "components": self.document["components"]}
                Draft202012Validator(schema).validate(answer.json)
            else:
                assert answer.mimetype in content
                assert answer.get_data()
            assert set(described.get("headers", ())) <= set(answer.headers.keys())
        self.seen.add((template, method.lower(), str(status)))
        return answer


@pytest.fixture
def witness(workspace: Any, document: dict[str, Any]) -> Witness:
    """A workspace whose answers are held against the document."""
    return Witness(workspace, document)


@pytest.fixture
def ids(workspace: Any) -> dict[str, str]:
    """One of everything that a workspace keeps, by the names of the placeholders."""
    seller = "/v1/sellers/A1EXAMPLE"
    assert workspace.put(seller, json={"marketplace": "US"}).status_code == 201
    snapshot = workspace.post(f"{seller}/snapshots", json={"metrics": {}}).json
    file = {"data": b"seller_id,marketplace\nA1,US\n", "headers": {"Content-Type": "text/csv"}}
    batch = workspace.post("/v1/batches", **file).json
    hook = workspace.post("/v1/webhook-endpoints", json={"url": "https://hooks.example.com/advisor"}).json
    delivery = workspace.post(f"/v1/webhook-endpoints/{hook['id']}:test").json
    return {
        "seller": "A1EXAMPLE",
        "snapshot": snapshot["id"],
        "assessment": snapshot["assessments"][0]["id"],
        "batch": batch["id"],
        "endpoint": hook["id"],
        "delivery": delivery["id"],
    }


@pytest.fixture
def work(settings: Settings, database: Any, catalog: Catalog) -> Callable[[], None]:
    """Score every batch that waits."""

    def run() -> None:
        worker = Worker(settings, database, catalog, announce)
        while worker.score_next(Event()):
            pass

    return run


def examples(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """List the operations with an example of a request: path, method, operation, and what to send."""
    for path, method, operation in operations(document):
        for mimetype, content in operation.get("requestBody", {}).get("content", {}).items():
            if mimetype == "application/json":
                yield path, method, operation, {"json": content["example"]}
            elif "example" in content:
                yield path, method, operation, {"data": content["example"], "headers": {"Content-Type": mimetype}}


def test_every_example_is_answered_as_documented(witness: Witness, ids: dict[str, str]) -> None:
    """The examples of requests are accepted, and their answers match the schemas."""
    seen = set()
    for path, method, operation, request in examples(witness.document):
        status = min(status for status in operation["responses"] if status < "3")
        witness.ask(method.upper(), path, ids, int(status), **request)
        seen.add((path, method))
    assert seen == {(path, method) for path, method, one in operations(witness.document) if "requestBody" in one}


def test_everything_stored_is_answered_as_documented(
    witness: Witness, ids: dict[str, str], database: Any, work: Callable[[], None]
) -> None:
    """Every operation with every status that is not a failure, with much of it and with nothing."""
    ask = witness.ask
    sellers, one, snapshots = "/v1/sellers", "/v1/sellers/{seller}", "/v1/sellers/{seller}/snapshots"
    hook = ask("POST", "/v1/webhook-endpoints", ids, 201, json={"url": "https://hooks.example.com/all"}).json
    facts = {"selling_plan": "professional", "account_health_rating": 900}
    both = {"programs": CATALOG.program_ids, "groups": ["north", "süd"], "name": "Ä", "facts": facts}
    full = ids | {"seller": "full"}
    ask("PUT", one, full, 201, json={"marketplace": "GB", **both})
    ask("PUT", one, full, 200, json={"marketplace": "UK", **both})
    for day, count in (("2026-09-01", 0), ("2026-09-15", 3), ("2026-10-01", 7), ("2026-10-15", 13)):
        metrics = {
            "order_defect_rate": {"count": count, "of": 1200},
            "valid_tracking_rate": {"rate": "0.98"},
            "late_shipment_rate": [{"count": 1, "of": 200, "window_days": 10}],
            "safety_complaints": {"count": 1},
        }
        made = ask("POST", snapshots, full, 201, json={"as_of": day, "metrics": metrics}).json
    again = ids | full | {"snapshot": made["id"], "assessment": made["assessments"][0]["id"]}
    ask("GET", one, full, 200)
    for query in ("", "?limit=1", "?sort=tightest&verdict=not_eligible", "?group=north&marketplace=UK"):
        ask("GET", sellers, ids, 200, query)
    ask("GET", f"{snapshots}/{{snapshot}}", again, 200)
    ask("GET", f"{one}/assessments/{{assessment}}", again, 200)
    for program in CATALOG.program_ids:
        ask("GET", f"{one}/assessments", full, 200, f"?program={program}&limit=2")
        judged = ask("GET", f"{one}/trend", full, 200, f"?program={program}").json["criteria"]
        assert judged or not program.startswith(("enterprise-mall", "account-health"))
    ask("GET", f"{one}/trend", ids, 200)

    csv, batch = {"Content-Type": "text/csv"}, "/v1/batches/{batch}"
    rows = b"seller_id,marketplace,order_defect_rate\nA1,US,0.001\nA2,XX,0.001\n"
    usable = rows.replace(b"XX", b"UK")
    sent = ask("POST", "/v1/batches", ids, 202, "?set=selling_plan=professional&marketplace=US", data=rows, headers=csv)
    spoilt = ask("POST", "/v1/batches", ids, 202, "?set=category=none&set=price=5", data=usable, headers=csv).json
    ask("GET", batch, ids, 200)
    ask("GET", f"{batch}/results", ids, 409)
    work()
    done = {"batch": sent.json["id"]}
    ask("GET", batch, done, 200)
    assert ask("GET", batch, {"batch": spoilt["id"]}, 200).json["problem"]["errors"]
    for kind in ("csv", "ndjson", "parquet"):
        ask("GET", f"{batch}/results", done, 200, f"?format={kind}")
    ask("GET", f"{batch}/rejects", done, 200)
    whole = ask("GET", f"{batch}/results", done, 200)
    assert (whole.content_type, whole.headers["Cache-Control"]) == ("text/csv; charset=utf-8", "no-store")
    for place in ("results", "rejects"):
        ask("GET", f"{batch}/{place}", done, 206, headers={"Range": "bytes=1-"})
        ask("GET", f"{batch}/{place}", done, 416, headers={"Range": "bytes=99999-"})
    ask("GET", f"{batch}/results", done, 304, headers={"If-None-Match": whole.headers["ETag"]})
    assert len(ask("GET", "/v1/batches", ids, 200, "?limit=2").json["items"]) == 2
    ask("DELETE", batch, done, 204)

    endpoint, delivery = "/v1/webhook-endpoints/{endpoint}", "/v1/webhook-deliveries/{delivery}"
    ask("POST", f"{endpoint}:rotate-secret", ids, 200)
    ask("GET", endpoint, ids, 200)
    ask("GET", "/v1/webhook-endpoints", ids, 200)
    ask("POST", f"{endpoint}:test", ids, 202)
    waits = ask("GET", "/v1/webhook-deliveries", ids, 200, f"?endpoint={hook['id']}").json["items"]
    assert {one["event"] for one in waits} == {"seller.verdict_changed", "batch.finished"}
    ask("GET", delivery, {"delivery": waits[0]["id"]}, 200)
    ask("POST", f"{delivery}:resend", ids, 409)
    failure = '{"code": "timed_out", "detail": "It did not answer in time."}'
    with database.writing() as connection:
        ended = "UPDATE webhook_delivery SET state = 'failed', finished_at = 1, attempts = 11, last_failure = ?"
        connection.exec_driver_sql(ended, (failure,))
    ask("GET", "/v1/webhook-deliveries", ids, 200, "?state=failed")
    ask("GET", delivery, ids, 200)
    ask("POST", f"{delivery}:resend", ids, 202)
    ask("DELETE", endpoint, ids, 204)
    ask("DELETE", one, full, 204)

    stored = [(path, method, one) for path, method, one in operations(witness.document) if "security" in one]
    promised = {(path, method, status) for path, method, one in stored for status in one["responses"] if status < "3"}
    assert promised - witness.seen == set()


def test_failures_are_answered_as_documented(
    witness: Witness, ids: dict[str, str], database: Any, settings: Any, set_up_with: Callable[..., Any]
) -> None:
    """Each status that a stored operation can fail with, and that a test can bring about."""
    ask, one, csv = witness.ask, "/v1/sellers/{seller}", {"Content-Type": "text/csv"}
    ask("GET", one, {"seller": "nobody"}, 404)
    ask("PUT", one, ids, 409, json={"marketplace": "CA"})
    ask("PUT", one, ids, 400, data=b"{", headers={"Content-Type": "application/json"})
    ask("PUT", one, ids, 413, data=b" " * 2**21, headers={"Content-Type": "application/json"})
    ask("PUT", one, ids, 415, data=b"{}", headers={"Content-Type": "text/plain"})
    ask("PUT", one, ids, 422, json={"marketplace": "XX"})
    for text in (b"seller_id\n", b"\x1f\x8b", b"\xff\n"):
        ask("POST", "/v1/batches", ids, 400, data=text, headers=csv)
    ask("POST", "/v1/batches", ids, 422, data=b"marketplace\nUS\n", headers=csv)
    ask("POST", "/v1/batches", ids, 400, "?format=parquet", data=b"PAR1", headers=csv)
    ask("POST", "/v1/batches", ids, 411, headers=csv)
    for url in ("http://a.example", "https://127.0.0.1", "https://a.example:81", "ftp"):
        ask("POST", "/v1/webhook-endpoints", ids, 422, json={"url": url})
    with database.writing() as connection:
        weak = keys.create(connection, settings.secret(), "Acme", "weak", ["batches:read"])
    full, few, nowhere = (
        set_up_with(free_space=2**60),
        set_up_with(rate_limit="1 per hour"),
        set_up_with(database_url="sqlite:///nowhere/at/all.db"),
    )
    for other, status in (
        (witness.workspace.with_key(weak), 403),
        (witness.workspace.with_key("sk_nothing"), 401),
        (nowhere, 503),
    ):
        Witness(other, witness.document).ask("GET", one, ids, status)
    Witness(full, witness.document).ask("POST", "/v1/batches", ids, 507, data=b"seller_id\nA\n", headers=csv)
    few.get("/v1/sellers")
    Witness(few, witness.document).ask("GET", one, ids, 429)


def test_a_view_knows_the_query_parameters_that_are_documented(witness: Witness, ids: dict[str, str]) -> None:
    """And no other, on every operation; and it takes each."""
    values = {
        "as_of": "2026-11-22",
        "cursor": "",
        "endpoint": ids["endpoint"],
        "format": "csv",
        "group": "north",
        "limit": "1",
        "marketplace": "US",
        "program": "enterprise-mall",
        "set": "selling_plan=professional",
        "sort": "tightest",
        "state": "pending",
        "verdict": "eligible",
    }
    bodies = {(path, method): request for path, method, _, request in examples(witness.document)}
    for path, method, operation in operations(witness.document):
        body = bodies.get((path, method), {})
        filled = ids | {"program": "enterprise-mall", "marketplace": "US"}
        place = re.sub(r"\{(\w+)\}", lambda name, filled=filled: filled[name[1]], path)
        answer = witness.workspace.ask(method.upper(), f"{place}?nonsense=1", **body)
        assert answer.status_code == 422, (method, path)
        (problem,) = answer.json["errors"]
        assert (problem["pointer"], problem["code"]) == ("?nonsense", "unknown_field")
        allowed = re.search(r"Allowed are (.*)\.$", problem["detail"])
        documented = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        assert set(allowed[1].split(", ") if allowed else ()) == documented, (method, path)
        for name in documented - {"cursor"}:
            taken = witness.workspace.ask(method.upper(), f"{place}?{name}={values[name]}", **body)
            assert taken.status_code < 300 or taken.status_code == 409, (method, path, name, taken.text)


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

APP = create_app(Settings(rate_limit=None), CATALOG)
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


STORED = ("seller", "snapshot", "assessment", "batch", "endpoint", "delivery")


def abridged() -> dict[str, Any]:
    """Abridge the document to what is worth the time, with placeholders that stand for things that are there.

    It has two metrics in place of all: there are two schemas for them, and each metric costs seconds. A file is sent as
    one of two types. An id is that of a thing that is there (put in by its name), or of none.
    """
    document: dict[str, Any] = APP.test_client().get("/openapi.json").get_json()
    metrics = document["components"]["schemas"]["Metrics"]["properties"]
    kinds = {"order_defect_rate": "Rate", "safety_complaints": "Counter"}
    shapes = {kind: metrics[name]["anyOf"] for name, kind in kinds.items()}
    for name, metric in CATALOG.vocabulary.metrics.items():
        assert metrics[name]["anyOf"] == shapes["Counter" if metric.kind == "counter" else "Rate"]
    assert set(metrics) == set(CATALOG.vocabulary.metrics)
    document["components"]["schemas"]["Metrics"]["properties"] = {name: metrics[name] for name in kinds}
    files = document["paths"]["/v1/batches"]["post"]["requestBody"]
    types = ("application/octet-stream", "multipart/form-data")
    files["content"] = {one: files["content"][one] for one in types}
    for item in document["paths"].values():
        for one in item.get("parameters", ()):
            if one["name"] == "seller":
                one["schema"] = {"type": "string", "pattern": "^(SELLER|[A-Za-z0-9._~-]{1,100})$"}
            elif one["name"] in STORED:
                one["schema"] = {"enum": [one["name"].upper(), "nothing"]}
    return document


API = schemathesis.openapi.from_dict(abridged(), config=schemathesis.Config.from_dict(CHECKS))
API.app = APP


def is_stored(context: Any) -> bool:
    """Tell whether an operation needs a key."""
    return "security" in context.operation.definition.raw


@API.exclude(is_stored).parametrize()
@settings(BOUNDED, max_examples=100)
def test_the_document_is_true(case: Case) -> None:
    """By every check: what the document allows is taken, what it forbids is refused, and all is answered as it says."""
    case.call_and_validate()


@API.include(is_stored).parametrize()
@settings(BOUNDED, max_examples=25)
def test_the_document_of_what_is_stored_is_true(case: Case, workspace: Any, ids: dict[str, str]) -> None:
    """By the same checks, with a real key and with ids of what is there and of nothing."""
    for name, one in case.path_parameters.items():
        if name in STORED and one == name.upper():
            case.path_parameters[name] = ids[name]
    case.call_and_validate(app=workspace.client.application, headers={"Authorization": f"Bearer {workspace.key}"})
