"""No workspace sees, counts or guesses what another keeps: every route is asked with what belongs to somebody else."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

CSV = {"Content-Type": "text/csv"}
SELLER = {"marketplace": "US", "facts": {"selling_plan": "professional"}}
ACCOUNTS = b"seller_id,marketplace,order_defect_rate\nA1,US,0.001\n"
HOOK = {"url": "https://hooks.example.com/advisor", "events": ["seller.verdict_changed", "batch.finished"]}


def body_of(rule: str, method: str) -> dict[str, Any]:
    """Make a body that a route takes, so that only whose it is can be wrong."""
    bodies: dict[tuple[str, str], dict[str, Any]] = {
        ("PUT", "/v1/sellers/<string:seller>"): {"json": SELLER},
        ("POST", "/v1/sellers/<string:seller>/snapshots"): {"json": {"metrics": {}}},
        ("POST", "/v1/webhook-endpoints"): {"json": HOOK},
        ("POST", "/v1/batches"): {"data": ACCOUNTS, "headers": CSV},
    }
    return bodies.get((method, rule), {})


def stored_routes(app: Flask) -> Iterator[tuple[str, str]]:
    """List the routes that need a key, as the document says, with their methods."""
    document = app.test_client().get("/openapi.json").json
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters" and operation.get("security"):
                yield method.upper(), re.sub(r"\{(\w+)\}", r"<string:\1>", path)


def fill(rule: str, ids: dict[str, str]) -> str:
    """Write a path with ids; every placeholder has to be known here, so that no new route is forgotten."""
    return re.sub(r"<string:(\w+)>", lambda name: ids[name[1]], rule)


@pytest.fixture
def theirs(make_workspace: Any) -> dict[str, str]:
    """Ids of one of everything that another workspace keeps."""
    other = make_workspace("Other")
    other.put("/v1/sellers/shared-name", json={**SELLER, "groups": ["secret"]})
    other.put("/v1/sellers/theirs", json=SELLER)
    snapshot = other.post("/v1/sellers/theirs/snapshots", json={"metrics": {}}).json
    batch = other.post("/v1/batches", data=ACCOUNTS, headers=CSV).json
    endpoint = other.post("/v1/webhook-endpoints", json=HOOK).json
    other.post(f"/v1/webhook-endpoints/{endpoint['id']}:test")
    (delivery,) = other.get("/v1/webhook-deliveries").json["items"]
    return {
        "seller": "theirs",
        "snapshot": snapshot["id"],
        "assessment": snapshot["assessments"][0]["id"],
        "batch": batch["id"],
        "endpoint": endpoint["id"],
        "delivery": delivery["id"],
    }


def test_a_foreign_id_is_answered_as_one_that_does_not_exist(
    stored_app: Flask, make_workspace: Any, theirs: dict[str, str]
) -> None:
    mine = make_workspace("Mine")
    nobodys = {
        name: re.sub("[0-9a-f]{8}$", "00000000", one) if "_" in one else "nobody" for name, one in theirs.items()
    }
    asked = 0
    for method, rule in stored_routes(stored_app):
        if "<" not in rule or (method, rule) == ("PUT", "/v1/sellers/<string:seller>"):
            continue
        foreign = mine.ask(method, fill(rule, theirs), **body_of(rule, method))
        missing = mine.ask(method, fill(rule, nobodys), **body_of(rule, method))
        assert foreign.status_code == missing.status_code == 404, (method, rule, foreign.text)
        for name, one in theirs.items():
            foreign_text = foreign.text.replace(one, "ID")
            assert nobodys[name] not in foreign_text
        strip = ("request_id", "instance")
        texts = [
            {key: value for key, value in answer.json.items() if key not in strip} for answer in (foreign, missing)
        ]
        known = "|".join(map(re.escape, [*theirs.values(), *nobodys.values()]))
        assert re.sub(known, "ID", str(texts[0])) == re.sub(known, "ID", str(texts[1])), (method, rule)
        asked += 1
    assert asked >= 15


def test_my_object_under_a_foreign_parent_and_the_other_way_round_do_not_exist(
    make_workspace: Any, theirs: dict[str, str]
) -> None:
    mine = make_workspace("Mine")
    mine.put("/v1/sellers/theirs", json=SELLER)  # the same name in another workspace is another seller
    made = mine.post("/v1/sellers/theirs/snapshots", json={"metrics": {}}).json
    for kind, id_of_theirs in (("snapshots", theirs["snapshot"]), ("assessments", theirs["assessment"])):
        assert mine.get(f"/v1/sellers/theirs/{kind}/{id_of_theirs}").status_code == 404
    assert mine.get(f"/v1/sellers/theirs/snapshots/{made['id']}").status_code == 200
    mine.put("/v1/sellers/second", json=SELLER)
    assert mine.get(f"/v1/sellers/second/snapshots/{made['id']}").status_code == 404


def test_lists_hold_only_what_is_mine(stored_app: Flask, make_workspace: Any, theirs: dict[str, str]) -> None:
    mine = make_workspace("Mine")
    lists = [rule for method, rule in stored_routes(stored_app) if method == "GET" and "<" not in rule]
    assert {"/v1/sellers", "/v1/batches", "/v1/webhook-endpoints", "/v1/webhook-deliveries"} <= set(lists)
    for rule in lists:
        answer = mine.get(rule)
        assert (answer.status_code, answer.json["items"]) == (200, []), rule
    assert mine.get("/v1/sellers?group=secret").json["items"] == []
    assert mine.get(f"/v1/webhook-deliveries?endpoint={theirs['endpoint']}").json.get("items", []) == []


def test_a_cursor_and_an_idempotency_key_of_another_workspace_give_nothing_away(make_workspace: Any) -> None:
    other, mine = make_workspace("Other"), make_workspace("Mine")
    for name in ("S1", "S2", "S3"):
        other.put(f"/v1/sellers/{name}", json=SELLER)
    cursor = other.get("/v1/sellers?limit=1").json["next"]
    assert mine.get(f"/v1/sellers?cursor={cursor}").json["items"] == []
    mine.put("/v1/sellers/S1", json=SELLER)
    key = {"Idempotency-Key": "the-same"}
    first = other.post("/v1/sellers/S1/snapshots", json={"metrics": {}}, headers=key)
    second = mine.post("/v1/sellers/S1/snapshots", json={"metrics": {}}, headers=key)
    assert second.status_code == 201
    assert second.json["id"] != first.json["id"]
    assert "Idempotent-Replayed" not in second.headers


def test_deleting_mine_leaves_theirs(make_workspace: Any, theirs: dict[str, str]) -> None:
    mine, other = make_workspace("Mine"), make_workspace("Third")
    for one in (mine, other):
        one.put("/v1/sellers/shared-name", json=SELLER)
        one.post("/v1/sellers/shared-name/snapshots", json={"metrics": {}})
    assert mine.delete("/v1/sellers/shared-name").status_code == 204
    assert len(other.get("/v1/sellers/shared-name/assessments").json["items"]) == 1


def test_every_stored_route_needs_a_key_and_its_scope(stored_app: Flask, database: Any, settings: Any) -> None:
    from advisor.services import keys

    client = stored_app.test_client()
    with database.writing() as connection:
        made = {
            scope: keys.create(connection, settings.secret(), "Acme", name=scope, scopes=[scope])
            for scope in keys.SCOPES
        }
    ids = dict.fromkeys(("seller", "snapshot", "assessment", "batch", "endpoint", "delivery"), "x")
    for method, rule in stored_routes(stored_app):
        path, body = fill(rule, ids), body_of(rule, method)
        headers = body.get("headers", {})
        for wrong in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
            answer = client.open(path, method=method, **{**body, "headers": {**headers, **wrong}})
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="advisor"')
        allowed = set()
        for scope, key in made.items():
            authorized = {**headers, "Authorization": f"Bearer {key}"}
            answer = client.open(path, method=method, **{**body, "headers": authorized})
            if answer.status_code != 403:
                assert answer.status_code < 500
                allowed.add(scope)
        kind = {"sellers": "sellers", "batches": "batches"}.get(rule.split("/")[2], "webhooks")
        assert allowed == {f"{kind}:{'read' if method == 'GET' else 'write'}"}, (method, rule)
