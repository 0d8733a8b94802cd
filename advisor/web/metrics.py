"""Figures for Prometheus at /metrics: requests of all server processes together, and what waits in the database.

No label holds a workspace, a key, a seller or what stood in an address: only templates of routes.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Request, Response
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from advisor.errors import AdvisorError
from advisor.store.database import Database, clock
from advisor.store.tables import batches, webhook_deliveries
from advisor.web.health import Deadline

DATABASE_SECONDS = 2.0
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
BATCH_STATES = ("queued", "running", "done", "failed")
DELIVERY_STATES = ("pending", "delivered", "failed")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_OWN = CollectorRegistry()
REQUESTS = Histogram(
    "advisor_request_seconds",
    "Requests answered, and how long that took, by method, route template and status.",
    ("method", "route", "status"),
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_OWN,
)


def measured(application: WSGIApplication) -> WSGIApplication:
    """Wrap a Flask application: one observation a request."""
    observers: dict[tuple[str, str, str], Callable[[float], None]] = {}

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            request: Request | None = environ.get("werkzeug.request")
            rule = request.url_rule if request else None
            key = (environ["REQUEST_METHOD"], rule.rule if rule else "", status[:3])
            observe = observers.get(key)
            if observe is None:
                method = key[0] if key[0] in METHODS else "other"
                observe = REQUESTS.labels(method, key[1] or "none", key[2]).observe
                if method != "other":
                    observers[key] = observe
            observe(time.perf_counter() - started)
            return start_response(status, headers, *more)

        return application(environ, start)

    return answer


def register(app: Flask, database: Database) -> None:
    """Answer /metrics."""
    stored = _Stored(database)

    @app.get("/metrics")
    def metrics() -> Response:
        """Give the figures in the text format of Prometheus."""
        every = CollectorRegistry()
        every.register(stored)
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(every)  # type: ignore[no-untyped-call]
            text = generate_latest(every)
        else:
            text = generate_latest(_OWN) + generate_latest(every)
        return Response(text, content_type=CONTENT_TYPE)


class _Stored(Collector):
    """What the database says when it is asked; only that it cannot be used when it does not answer."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.deadline: Deadline[list[Metric]] = Deadline(DATABASE_SECONDS)

    def describe(self) -> list[Metric]:
        return []  # nothing is asked when this is registered

    def collect(self) -> Iterator[Metric]:
        try:
            found = self.deadline.run(self._ask)
        except (AdvisorError, SQLAlchemyError, TimeoutError):
            found = []
        yield GaugeMetricFamily("advisor_database_up", "1 when the database answers.", int(bool(found)))
        yield from found

    def _ask(self) -> list[Metric]:
        path = self.database.path
        if path is not None and not path.exists():
            return []  # asking SQLite would make the file
        with self.database.reading() as connection:
            return [*_batches(connection), *_deliveries(connection)]


def _batches(connection: Connection) -> Iterator[Metric]:
    of = batches.c
    figures = select(of.state, func.count(), func.sum(of.scored), func.sum(of.rejected), func.min(of.created_at))
    rows = {row[0]: row for row in connection.execute(figures.group_by(of.state))}
    by_state = GaugeMetricFamily("advisor_batches", "Batches that are kept, by state.", labels=["state"])
    for state in BATCH_STATES:
        by_state.add_metric([state], rows[state][1] if state in rows else 0)
    yield by_state
    waits = _age(connection, rows["queued"][4] if "queued" in rows else None)
    yield GaugeMetricFamily("advisor_batch_oldest_waiting_seconds", "How long the oldest queued batch waits.", waits)
    outcomes = GaugeMetricFamily("advisor_batch_rows", "Rows of the batches that are kept.", labels=["outcome"])
    outcomes.add_metric(["scored"], sum(int(row[2]) for row in rows.values()))
    outcomes.add_metric(["rejected"], sum(int(row[3]) for row in rows.values()))
    yield outcomes


def _deliveries(connection: Connection) -> Iterator[Metric]:
    of = webhook_deliveries.c
    figures = select(of.state, func.count(), func.min(of.due_at)).group_by(of.state)
    rows = {row[0]: row for row in connection.execute(figures)}
    by_state = GaugeMetricFamily("advisor_webhook_deliveries", "Deliveries that are kept, by state.", labels=["state"])
    for state in DELIVERY_STATES:
        by_state.add_metric([state], rows[state][1] if state in rows else 0)
    yield by_state
    overdue = _age(connection, rows["pending"][2] if "pending" in rows else None)
    yield GaugeMetricFamily("advisor_webhook_oldest_due_seconds", "How long the oldest delivery is overdue.", overdue)


def _age(connection: Connection, since: int | None) -> float:
    return 0.0 if since is None else max(0, clock(connection) - since) / 1000
