"""/metrics: figures of all processes together, and of what waits in the database; never anything about anybody."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, update

from advisor.settings import Settings
from advisor.store.database import Database, now_ms
from advisor.store.tables import batches, webhook_deliveries, webhook_endpoints, workspaces
from advisor.web import create_app
from tests.conftest import CATALOG

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def figures(text: str) -> Figures:
    """Read the text format, by the library that reads it elsewhere."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Figures, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def scrape(client: Any) -> Figures:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return figures(answer.text)


def fill(database: Database) -> None:
    """Keep some batches and deliveries: two batches wait, the first for an hour; a delivery is due since a minute."""
    now = now_ms()
    batch: dict[str, Any] = {
        "workspace_id": "wsp_1",
        "format": "csv",
        "program": "enterprise-mall",
        "as_of": date(2026, 11, 22),
        "constants": "{}",
        "size": 1,
        "digest": "",
        "rows_done": 0,
        "scored": 0,
        "rejected": 0,
        "token": 0,
        "attempts": 0,
        "lease_until": 0,
    }
    delivery: dict[str, Any] = {
        "workspace_id": "wsp_1",
        "endpoint_id": "whe_1",
        "event_id": "evt_1",
        "event": "batch.finished",
        "body": "{}",
        "attempts": 0,
        "token": 0,
        "created_at": now,
    }
    endpoint = {"id": "whe_1", "workspace_id": "wsp_1", "url": "https://a.example", "events": "[]"}
    with database.writing() as connection:
        connection.execute(insert(workspaces).values(id="wsp_1", name="Canary", created_at=now))
        rows = [("b1", "queued", now - 3_600_000, 0, 0), ("b2", "queued", now, 0, 0), ("b3", "done", 1, 90, 7)]
        for name, state, at, scored, rejected in rows:
            values = batch | {"id": name, "state": state, "created_at": at, "scored": scored, "rejected": rejected}
            connection.execute(insert(batches).values(values))
        connection.execute(insert(webhook_endpoints).values(endpoint | {"secret_version": 1, "created_at": now}))
        for name, state, due in (("d1", "pending", now - 60_000), ("d2", "pending", now), ("d3", "failed", 1)):
            connection.execute(
                insert(webhook_deliveries).values(delivery | {"id": name, "state": state, "due_at": due})
            )


def test_what_waits_is_read_when_it_is_asked_for(stored_app: Any, database: Database) -> None:
    client = stored_app.test_client()
    empty = scrape(client)
    assert of(empty, "advisor_database_up") == 1
    assert of(empty, "advisor_batches", state="queued") == of(empty, "advisor_batch_oldest_waiting_seconds") == 0
    fill(database)
    found = scrape(client)
    assert [of(found, "advisor_batches", state=state) for state in ("queued", "running", "done", "failed")] == [
        2,
        0,
        1,
        0,
    ]
    assert 3600 <= of(found, "advisor_batch_oldest_waiting_seconds") < 3700
    assert [of(found, "advisor_batch_rows", outcome=one) for one in ("scored", "rejected")] == [90, 7]
    states = ("pending", "delivered", "failed")
    assert [of(found, "advisor_webhook_deliveries", state=state) for state in states] == [2, 0, 1]
    assert 60 <= of(found, "advisor_webhook_oldest_due_seconds") < 160
    with database.writing() as connection:
        connection.execute(update(batches).values(state="done"))
    assert of(scrape(client), "advisor_batch_oldest_waiting_seconds") == 0


@pytest.mark.parametrize("url", ["sqlite:////nowhere/none.db", "postgresql://127.0.0.1:9/none"])
def test_a_database_that_is_not_there_is_a_figure_and_no_failure(url: str, tmp_path: Path) -> None:
    app = create_app(Settings(database_url=url, files_dir=tmp_path / "files", rate_limit=None), CATALOG)
    found = scrape(app.test_client())
    assert of(found, "advisor_database_up") == 0
    assert not any(name.startswith(("advisor_batch", "advisor_webhook")) for name, _ in found)


def test_requests_are_counted_by_method_template_and_status(client: Any) -> None:
    def counted(route: str, method: str, status: str) -> float:
        labels = {"method": method, "route": route, "status": status}
        return scrape(client).get(("advisor_request_seconds_count", tuple(sorted(labels.items()))), 0)

    asked: list[tuple[str, str, str, Callable[[], Any]]] = [
        ("/v1/programs/<string:program>", "GET", "200", lambda: client.get("/v1/programs/enterprise-mall")),
        ("/v1/programs/<string:program>", "GET", "404", lambda: client.get("/v1/programs/canary-1")),
        (
            "/v1/assessments",
            "POST",
            "400",
            lambda: client.post("/v1/assessments", data="{", content_type="application/json"),
        ),
        ("none", "GET", "404", lambda: client.get("/canary-2")),
        ("none", "other", "405", lambda: client.open("/v1/programs", method="CANARY")),
    ]
    for route, method, status, ask in asked:
        before = counted(route, method, status)
        ask()
        assert counted(route, method, status) == before + 1
    whole = client.get("/metrics").text
    assert not re.search("canary", whole, re.IGNORECASE)


def test_no_label_tells_of_anybody(stored_app: Any, workspace: Any, database: Database) -> None:
    """Labels are few, and hold templates of routes, methods, statuses and states only."""
    fill(database)
    workspace.put("/v1/sellers/CANARY", json={"marketplace": "US"})
    workspace.get("/v1/sellers/CANARY?verdict=eligible")
    found = scrape(stored_app.test_client())
    names = {name for _, labels in found for name, _ in labels}
    assert names == {"method", "route", "status", "le", "state", "outcome"}
    words = {value for _, labels in found for name, value in labels if name != "le"}
    assert "/v1/sellers/<string:seller>" in words
    for secret in ("canary", "acme", workspace.key.split("_")[1], "wsp_"):
        assert not any(secret in word.lower() for word in words)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_all_processes_are_counted_together(serve: Any, tmp_path: Path) -> None:
    """Whichever process is asked: here by a plain gunicorn, with the directory that `advisor serve` would make."""
    shared = tmp_path / "figures"
    shared.mkdir()
    address = serve(3, PROMETHEUS_MULTIPROC_DIR=str(shared))

    def ask(number: int) -> int:
        try:
            with urlopen(Request(f"{address}/v1/programs/{'enterprise-mall' if number % 4 else 'none'}")) as answer:
                return int(answer.status)
        except HTTPError as error:
            with error:
                return error.code

    with ThreadPoolExecutor(12) as many:
        statuses = list(many.map(ask, range(120)))
        until = time.monotonic() + 30
        while len(list(shared.iterdir())) < 2 and time.monotonic() < until:  # one process may have taken them all
            statuses += many.map(ask, range(120))
    assert len(list(shared.iterdir())) > 1
    time.sleep(1)  # a request is counted when its answer is gone
    for _ in range(6):
        with urlopen(f"{address}/metrics") as answer:
            found = figures(answer.read().decode())
        labels = {"method": "GET", "route": "/v1/programs/<string:program>"}
        for status in (200, 404):
            counted = of(found, "advisor_request_seconds_count", **labels, status=str(status))
            assert counted == statuses.count(status)
        assert of(found, "advisor_database_up") == 1
