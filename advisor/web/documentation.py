"""The OpenAPI 3.1 document at /openapi.json, browsable at /docs with assets that the app itself serves."""

from importlib.metadata import version
from importlib.resources import files
from typing import Any

import orjson
from flask import Flask, Response, abort, render_template, send_from_directory
from flask_smorest import Api, Blueprint

from advisor.catalog import Catalog
from advisor.inputs.accounts import component_schemas
from advisor.inputs.values import Value
from advisor.messages import (
    ADVICE_REASONS,
    DELIVERY_FAILURES,
    ERROR_CODES,
    LISTING_REASONS,
    POLICY_REASONS,
    POLICY_UNCHECKED,
    PRE_SALE_DOUBTS,
    PRE_SALE_EFFECTS,
    PRE_SALE_MARGINS,
    PRE_SALE_REASONS,
    REASONS,
    STAGE_SHOWS,
    TREND_REASONS,
    WARNINGS,
)
from advisor.web.schemas import Problem
from advisor.web.stored import SECURITY

ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
START = """window.onload = () => SwaggerUIBundle({
  url: "openapi.json", dom_id: "#docs", deepLinking: true, tryItOutEnabled: true, validatorUrl: null,
});
"""


class DocumentedApi(Api):
    """flask-smorest for its OpenAPI document only: errors are answered in `advisor.web.problems`."""

    ERROR_SCHEMA = Problem

    def _register_error_handlers(self) -> None:
        pass

    def _register_responses(self) -> None:
        """Teach the document our fields before the first schema is described: that of errors."""
        self.ma_plugin.converter.add_attribute_function(_describe)
        super()._register_responses()


def register(app: Flask, blueprint: Blueprint, catalog: Catalog) -> None:
    """Add the API to the app, then its document and the pages to browse it."""
    app.config.update(
        API_TITLE="Seller Program Advisor",
        API_VERSION=version("seller-program-advisor"),
        OPENAPI_VERSION="3.1.0",
    )
    api = DocumentedApi(app)
    api.spec.components.security_scheme(SECURITY, {"type": "http", "scheme": "bearer"})
    for name, schema in component_schemas(catalog.vocabulary, catalog.program_ids).items():
        api.spec.components.schema(name, schema)
    api.register_blueprint(blueprint)
    document = orjson.dumps(_document(api.spec.to_dict()), option=orjson.OPT_INDENT_2)

    @app.get("/openapi.json")
    def openapi() -> Response:
        """Serve the OpenAPI document."""
        return Response(document, content_type="application/json")

    @app.get("/docs")
    def docs() -> Response:
        """Serve the page to browse the API."""
        page = render_template("docs.html", codes=_codes())
        return Response(page, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": DOCS_POLICY})

    @app.get("/docs/start.js")
    def docs_start() -> Response:
        """Serve the script that starts the page."""
        return Response(START, content_type="text/javascript; charset=utf-8")

    @app.get("/docs/<string:asset>")
    def docs_asset(asset: str) -> Response:
        """Serve the browser's parts, from the package that ships them."""
        if asset not in ASSETS:
            abort(404)
        return send_from_directory(str(files("flask_swagger_ui") / "dist"), asset, max_age=86_400)


def _describe(self: Any, field: Any, **kwargs: Any) -> dict[str, Any]:
    """Describe the advisor's own fields; where null is taken, the type says so."""
    if not isinstance(field, Value):
        return {}
    described = dict(field.json_schema())
    if field.allow_none and "$ref" in described:
        return {"anyOf": [described, {"type": "null"}]}
    if field.allow_none:
        if "enum" in described:
            described["enum"] = [*described["enum"], None]
        if "type" in described:
            kinds = described["type"] if isinstance(described["type"], list) else [described["type"]]
            described["type"] = [*kinds, "null"]
    return described


def _codes() -> dict[str, dict[str, str]]:
    return {
        "Reasons": REASONS,
        "Warnings": WARNINGS,
        "Recommendation reasons": ADVICE_REASONS,
        "When a remedy shows": STAGE_SHOWS,
        "Trend reasons": TREND_REASONS,
        "Pre-sale reasons": PRE_SALE_REASONS,
        "Pre-sale doubts": PRE_SALE_DOUBTS,
        "Pre-sale margins": PRE_SALE_MARGINS,
        "Pre-sale effects": PRE_SALE_EFFECTS,
        "Listing reasons": LISTING_REASONS,
        "Red line reasons": POLICY_REASONS,
        "What is not checked": POLICY_UNCHECKED,
        "Delivery failures": DELIVERY_FAILURES,
        "Errors": ERROR_CODES,
    }


def _document(spec: dict[str, Any]) -> dict[str, Any]:
    """Finish the document: errors are problem+json."""
    spec["info"]["description"] = (
        "Holds a marketplace seller's account against Amazon's business program and prices its fees, exactly and with "
        "sources. Money and rates are decimal texts; dates are ISO 8601; unknown fields are refused. The closed lists "
        "of codes stand with the schemas `Finding` (reasons), `StageRemedy` (when it shows), `Warn` (warnings), "
        "`Reason` (recommendations), `TrendOfCriterion` (trends), `PlanFinding`, `Margin` and `PreSaleEffect` "
        "(pre-sales), `ListingFinding` (listings), `PolicyFinding` and `NotChecked` (red lines), `DeliveryFailure` "
        "(deliveries) and `ProblemEntry` (errors). What is stored needs an API key; calculations are open, and a key "
        "that comes with one has to be good."
    )
    spec["components"]["schemas"].pop("PaginationMetadata", None)
    errors = list(spec["components"]["responses"].values())
    for path in spec["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict):
                errors += [response for status, response in operation["responses"].items() if status >= "400"]
    for response in errors:
        if "application/json" in response.get("content", {}):
            response["content"]["application/problem+json"] = response["content"].pop("application/json")
    return spec
