"""Many at once, on a real server of several processes: what was acknowledged is stored, and one key is one effect."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from advisor.errors import Conflict

SELLER = {"marketplace": "US", "facts": {"selling_plan": "professional"}}
CLIENTS = 16


def ask(url: str, key: str, method: str, path: str, **given: Any) -> requests.Response:
    """Send a request with a key."""
    headers = {"Authorization": f"Bearer {key}", **given.pop("headers", {})}
    return requests.request(method, url + path, headers=headers, timeout=60, **given)


def test_sixteen_clients_lose_no_update(serve: Any, workspace: Any, database: Any) -> None:
    """Each reads where the seller stands and adds a snapshot of the next day: a chain of changes of verdict."""
    workspace.put("/v1/sellers/A1", json=SELLER)
    url = serve(workers=4)
    good, bad = ({"order_defect_rate": {"count": count, "of": 1000}} for count in (1, 20))

    def add(client: int) -> int:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {workspace.key}"
            acknowledged = 0
            for number in range(12):
                body = {"as_of": "2026-11-20", "metrics": (good, bad)[(client + number) % 2]}
                answer = session.post(f"{url}/v1/sellers/A1/snapshots", json=body, timeout=60)
                assert answer.status_code == 201, answer.text
                acknowledged += 1
            return acknowledged

    with ThreadPoolExecutor(CLIENTS) as pool:
        acknowledged = sum(pool.map(add, range(CLIENTS)))
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT id, verdict FROM assessment ORDER BY id").fetchall()
        stands = connection.exec_driver_sql("SELECT assessment_id, verdict, previous_verdict FROM standing").one()
        snapshots = connection.exec_driver_sql("SELECT count(*) FROM snapshot").scalar()
    assert len(rows) == snapshots == acknowledged == CLIENTS * 12
    verdicts = dict(tuple(row) for row in rows)
    assert stands.verdict == verdicts[stands.assessment_id]
    assert Counter(verdicts.values()) == {"undetermined": acknowledged // 2, "not_eligible": acknowledged // 2}


def test_changes_of_one_seller_never_mix(serve: Any, workspace: Any) -> None:
    """Name, groups and facts are those of one request, whichever came last."""
    url = serve(workers=4)

    def put(number: int) -> int:
        body = {**SELLER, "name": f"N{number}", "groups": [f"g{number}", f"h{number}"]}
        return ask(url, workspace.key, "PUT", "/v1/sellers/A1", json=body).status_code

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = Counter(pool.map(put, range(100)))
    assert statuses[201] >= 1
    assert statuses[200] + statuses[201] == 100
    seller = workspace.get("/v1/sellers/A1").json
    number = seller["name"][1:]
    assert seller["groups"] == [f"g{number}", f"h{number}"]


def test_fifty_threads_with_one_key_have_one_effect(serve: Any, workspace: Any, database: Any) -> None:
    workspace.put("/v1/sellers/A1", json=SELLER)
    url = serve(workers=4)
    for number in range(6):
        key = {"Idempotency-Key": f"round-{number}"}

        def post(_: int, key: dict[str, str] = key) -> requests.Response:
            body = {"metrics": {"order_defect_rate": {"count": 1, "of": 1000}}}
            return ask(url, workspace.key, "POST", "/v1/sellers/A1/snapshots", json=body, headers=key)

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(post, range(50)))
        made = [answer for answer in answers if answer.status_code == 201]
        running = [answer for answer in answers if answer.status_code == 409]
        assert len(made) + len(running) == 50
        assert len({answer.content for answer in made}) == 1
        assert sum("Idempotent-Replayed" not in answer.headers for answer in made) == 1
        assert all(answer.headers["Retry-After"] == "1" for answer in running)
        assert {answer.json()["errors"][0]["code"] for answer in running} <= {"in_progress"}
        assert post(0).headers["Idempotent-Replayed"] == "true"
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM snapshot").scalar() == 6


def test_a_key_whose_first_request_died_is_taken_over_after_its_lease(
    workspace: Any, database: Any, monkeypatch: Any
) -> None:
    """The process dies between its note and the effect: nothing is stored, and the same request does it later."""
    from advisor.services import idempotency

    workspace.put("/v1/sellers/A1", json=SELLER)
    now = 1_800_000_000_000
    monkeypatch.setattr(idempotency, "clock", lambda connection: now)
    key, body = {"Idempotency-Key": "k"}, {"metrics": {}}
    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "_release", lambda *_: None)
        patch.setattr("advisor.services.sellers.add_snapshot", lambda *_, **__: 1 / 0)
        assert workspace.post("/v1/sellers/A1/snapshots", json=body, headers=key).status_code == 500
    assert workspace.post("/v1/sellers/A1/snapshots", json=body, headers=key).status_code == 409
    now += idempotency.LEASE_MS
    assert workspace.post("/v1/sellers/A1/snapshots", json=body, headers=key).status_code == 201
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM snapshot").scalar() == 1
    now += idempotency.KEPT_MS + 1
    with database.writing() as connection:
        assert idempotency.purge(connection) == 1


def test_a_request_that_was_taken_over_keeps_nothing(workspace: Any, database: Any, monkeypatch: Any) -> None:
    """It slept for longer than its lease, between its note and its effect; meanwhile the same request came again."""
    from advisor.services import idempotency

    now = 1_800_000_000_000
    monkeypatch.setattr(idempotency, "clock", lambda connection: now)
    with database.reading() as connection:
        owner = connection.exec_driver_sql("SELECT id FROM workspace").scalar_one()
    asked = idempotency.Asked(owner, "POST /v1/sellers", "k", "fingerprint")
    begin = idempotency._begin

    def begin_and_sleep(*given: Any) -> Any:
        nonlocal now
        known = begin(*given)
        now += idempotency.LEASE_MS
        assert begin(database, asked, "another token") is None
        return known

    def rename(connection: Any) -> idempotency.Reply:
        connection.exec_driver_sql("UPDATE workspace SET name = 'renamed'")
        return idempotency.Reply(200, b"", {})

    monkeypatch.setattr(idempotency, "_begin", begin_and_sleep)
    with pytest.raises(Conflict):
        idempotency.once(database, asked, rename)
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT name FROM workspace").scalar_one() == "Acme"
        kept = connection.exec_driver_sql("SELECT token, status FROM idempotency_record").one()
    assert tuple(kept) == ("another token", None)
