"""Results that somebody chose to share: kept under an opaque link until they expire or are deleted."""

from typing import Any

from flask import Blueprint, Response, request

from advisor.catalog import Catalog
from advisor.errors import NotFound
from advisor.services import sharing
from advisor.web.pages.result import WORDS, Result
from advisor.web.pages.shell import ALONE, Shell, language, page
from advisor.web.stored import Workspaces


def keep(workspaces: Workspaces, document: dict[str, Any], shell: Shell) -> Response:
    """Keep a result, and show the links to it."""
    with workspaces.database.writing() as connection:
        kept = sharing.keep(connection, workspaces.secret, document)
    return page("shared_made.html", shell, 201, section="check", kept_result=kept, home=request.host_url.rstrip("/"))


def add(pages: Blueprint, catalog: Catalog, workspaces: Workspaces) -> None:
    """Add the pages of shared results."""

    @pages.get("/shared/<string:link>")
    def shared(link: str) -> Response:
        """Show a shared result, in the language in which it was shared."""
        with workspaces.database.reading() as connection:
            found = sharing.get(connection, link)
        request.environ["HTTP_ACCEPT_LANGUAGE"] = found.document["locale"]  # its sentences are in this language
        return page(
            "shared.html",
            ALONE,
            section="check",
            result=Result(found.document, catalog, language()),
            kept_result=found,
            **WORDS,
        )

    @pages.route("/shared/<string:link>/delete/<string:token>", methods=["GET", "POST"])
    def delete(link: str, token: str) -> Response:
        """Ask whether a shared result is to be deleted, and do it."""
        if not sharing.may_delete(workspaces.secret, link, token):
            raise NotFound("shared result", link)
        if request.method != "POST":
            with workspaces.database.reading() as connection:
                found = sharing.get(connection, link)
            return page("shared_delete.html", section="check", kept_result=found, done=False)
        with workspaces.database.writing() as connection:
            sharing.remove(connection, link)
        return page("shared_delete.html", section="check", kept_result=None, done=True)
