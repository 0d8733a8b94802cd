"""The pages: a form to check an account, its result, shared results, the portfolio and the frame to embed.

Everything works without scripts. Calculations keep nothing: what was typed travels in the form from page to page.
"""

from flask import Blueprint, Flask, Response, abort, request

from advisor.catalog import Catalog
from advisor.errors import Forbidden, say
from advisor.services.calculations import Services
from advisor.web.pages import check, embed, offers, portfolio, red_lines, shared
from advisor.web.pages.shell import as_page, asset_response, choose_language, is_from_elsewhere, set_up_templates
from advisor.web.stored import Workspaces


def register(app: Flask, services: Services, catalog: Catalog, workspaces: Workspaces) -> None:
    """Add the pages to the app."""
    pages = Blueprint("pages", __name__)

    @pages.before_request
    def refuse_foreign_forms() -> None:
        if request.method == "POST" and is_from_elsewhere():
            raise Forbidden(say("This form was sent by a page of another site. Open the form here, and send it again."))

    @pages.get("/assets/<string:digest>/<string:name>")
    def asset(digest: str, name: str) -> Response:
        """Serve a stylesheet, script or picture of the pages."""
        return asset_response(digest, name) or abort(404)

    check.add(pages, services, catalog, workspaces)
    offers.add(pages, catalog, workspaces)
    red_lines.add(pages, catalog, workspaces)
    shared.add(pages, catalog, workspaces)
    embed.add(pages, workspaces)
    portfolio.add(pages, catalog, workspaces)
    app.before_request(choose_language)
    app.register_blueprint(pages)
    app.after_request(as_page)
    with app.app_context():
        set_up_templates()
