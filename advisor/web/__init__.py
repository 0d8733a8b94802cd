"""The HTTP side: the only place that knows Flask. `create_app` makes the application."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from advisor import logs
from advisor.catalog import Catalog
from advisor.services.calculations import Services
from advisor.services.journey import Journey
from advisor.services.offers import Offers
from advisor.services.red_lines import RedLineChecks
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.web import (
    api,
    batches,
    documentation,
    health,
    journey,
    limits,
    metrics,
    offers,
    pages,
    problems,
    red_lines,
    sellers,
    webhooks,
)
from advisor.web.clients import Clients
from advisor.web.stored import Id, Routes, Workspaces
from advisor.web.watch import watched


def create_app(settings: Settings | None = None, catalog: Catalog | None = None) -> Flask:
    """Make the application; raises DataError when the rule data cannot be used.

    `settings` default to the ADVISOR_* environment variables, and `catalog` to the rule data they name. Applications
    may share one: nothing ever changes it.
    """
    settings = settings or Settings.from_environment()
    logs.set_up(settings.log_level)
    catalog = catalog or Catalog(settings.data_dir)
    catalog.load_all()
    app = Flask("advisor", static_folder=None, template_folder="web/templates")
    app.url_map.merge_slashes = False
    app.url_map.converters["id"] = Id
    if settings.trusted_hosts:
        app.config["TRUSTED_HOSTS"] = list(settings.trusted_hosts)
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)  # type: ignore[method-assign]
    app.wsgi_app = metrics.measured(watched(app.wsgi_app))  # type: ignore[assignment, method-assign]
    problems.register(app)
    database = app.extensions["advisor.database"] = Database(settings.database_url)
    health.register(app, settings, database)
    metrics.register(app, database)
    services = Services(catalog)
    blueprint = api.blueprint(services, settings)
    offers.add(blueprint, Offers(catalog), settings)
    red_lines.add(blueprint, RedLineChecks(catalog), settings)
    journey.add(blueprint, Journey(catalog), settings)
    workspaces = Workspaces(settings, database)
    clients = Clients(workspaces)
    clients.register(app)
    limits.register(app, settings)
    app.before_request(clients.admit)  # once it was counted
    routes = Routes(blueprint, workspaces)
    sellers.add(routes, catalog)
    batches.add(routes, catalog)
    webhooks.add(routes, settings)
    documentation.register(app, blueprint, catalog)
    pages.register(app, services, catalog, workspaces)
    return app
