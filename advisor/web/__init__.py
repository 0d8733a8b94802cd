"""The HTTP side: the only place that knows Flask. `create_app` makes the application."""

import logging
import re
import secrets
import time
from typing import Any

import orjson
from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from advisor.catalog import Catalog
from advisor.services import Services
from advisor.settings import Settings
from advisor.web import api, documentation, logs, problems

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,100}", re.ASCII)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
log = logging.getLogger("advisor.web")


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application; raises DataError when the rule data cannot be used.

    `settings` default to the ADVISOR_* environment variables.
    """
    settings = settings or Settings.from_environment()
    logs.set_up(settings.log_level)
    catalog = Catalog(settings.data_dir)
    catalog.load_all()
    app = Flask("advisor", static_folder=None, template_folder="web/templates")
    if settings.trusted_hosts:
        app.config["TRUSTED_HOSTS"] = list(settings.trusted_hosts)
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)  # type: ignore[method-assign]
    _watch_requests(app)
    problems.register(app)
    _health(app)
    documentation.register(app, api.blueprint(Services(catalog), settings), catalog)
    return app


def _watch_requests(app: Flask) -> None:
    """Give every request an id, log it when it is answered, and set the headers that every answer has."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)

    @app.after_request
    def finish(response: Response) -> Response:
        request_id, headers, rule = g.request_id, response.headers, request.url_rule
        missing = [(name, value) for name, value in HEADERS.items() if name not in headers]
        headers.extend([("X-Request-Id", request_id), *missing])
        log.info(
            "request",
            extra={
                "request_id": request_id,
                "method": request.method,
                "route": rule.rule if rule else None,
                "status": response.status_code,
                "milliseconds": round((time.perf_counter() - g.started) * 1000, 2),
                "bytes_out": response.content_length,
            },
        )
        return response


def _health(app: Flask) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        """Say that the process is up."""
        return _ok({"status": "up"})

    @app.get("/readyz")
    def readyz() -> Response:
        """Say that requests can be answered: the rule data is loaded before the first one is taken."""
        return _ok({"status": "ready"})


def _ok(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), content_type="application/json")
