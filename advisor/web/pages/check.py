"""Check an account: the form in short pages or on one, and the result."""

from flask import Blueprint, Response

from advisor.catalog import Catalog
from advisor.services.calculations import Services
from advisor.web.pages.embed import framing
from advisor.web.pages.shell import ALONE, Shell, page
from advisor.web.stored import Workspaces


def add(pages: Blueprint, services: Services, catalog: Catalog, workspaces: Workspaces) -> None:
    """Add the page and the frame: the same form, in two places."""

    @pages.route("/", methods=["GET", "POST"])
    def start() -> Response:
        """Show the form, and its result."""
        return answer(ALONE)

    @pages.route("/embed", methods=["GET", "POST"])
    def frame() -> Response:
        """Show the form in a frame."""
        return answer(framing(workspaces))

    def answer(shell: Shell) -> Response:
        return page("base.html", shell, section="check")
