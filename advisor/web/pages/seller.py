"""One seller of a portfolio: where it stands, its last findings, its trends and its history; and deleting it."""

from typing import Any

import orjson
from flask import Response, request
from sqlalchemy import Connection

from advisor.answers.parts import Answer
from advisor.catalog import Catalog
from advisor.errors import InvalidInput
from advisor.messages import Messages
from advisor.services import sellers
from advisor.services.calculations import today
from advisor.web.pages.session import PATH, Portfolio, Visitor, here, link, see, show
from advisor.web.pages.shell import language
from advisor.web.pages.standing import (
    OUTCOMES,
    VERDICTS,
    age,
    changes,
    days_since,
    labels,
    moment,
    place,
    program_titles,
    told,
)
from advisor.web.pages.trend_chart import charts

HISTORY_LENGTH = 10
ONE = "/sellers/<string:seller>"


def add(portfolio: Portfolio, catalog: Catalog) -> None:
    """Add the pages of one seller."""

    @portfolio.route("GET", ONE, "sellers:read")
    def portfolio_seller(connection: Connection, visitor: Visitor, seller: str) -> Response:
        """Show a seller."""
        messages = language()
        workspace = visitor.caller.workspace
        kept = sellers.get(connection, workspace, seller)
        program = _program(kept)
        rules = catalog.program(program)
        stands = next((one for one in kept["standings"] if one["program"] == program), None)
        findings, trends = [], []
        if stands is not None:
            judged = sellers.judged(connection, workspace, seller, stands["assessment"])
            answer: Answer = orjson.loads(orjson.dumps(judged["assessment"]))
            findings = told(answer["findings"], rules, messages)
            trend = sellers.trends(connection, catalog, workspace, seller, program, messages)
            trends = charts(trend, labels(rules, messages), messages)
        history = _history(connection, visitor, seller, program)
        return show(
            "seller.html",
            visitor,
            seller=kept,
            title=kept["name"] or seller,
            place=place(kept["marketplace"], messages),
            program=program,
            programs=program_titles(catalog, messages),
            standings=[_standing(one, catalog, messages) for one in kept["standings"]],
            stands=stands,
            findings=findings,
            outcomes={name: messages.say(word) for name, word in OUTCOMES.items()},
            verdicts={name: messages.say(word) for name, word in VERDICTS.items()},
            trends=trends,
            method=trend["method"] if trends else None,
            labels=labels(rules, messages),
            history=[one | {"created": moment(one["created_at"], messages)} for one in history["items"]],
            older=here(cursor=history["next"], said=None) if history["next"] else None,
            newest=here(cursor=None, said=None) if request.args.get("cursor") else None,
        )

    @portfolio.route("GET", f"{ONE}/delete", "sellers:write")
    def confirm_deletion(connection: Connection, visitor: Visitor, seller: str) -> Response:
        """Ask whether a seller is to be deleted."""
        kept = sellers.get(connection, visitor.caller.workspace, seller)
        return show("delete-seller.html", visitor, seller=kept, title=kept["name"] or seller)

    @portfolio.route("POST", f"{ONE}/delete", "sellers:write")
    def delete_portfolio_seller(connection: Connection, visitor: Visitor, seller: str) -> Response:
        """Delete a seller."""
        sellers.remove(connection, visitor.caller.workspace, seller)
        return see(link(PATH if visitor.may("sellers:read") else f"{PATH}/batches", said="seller-deleted"))


def _program(kept: Answer) -> str:
    """Choose the program that is shown: the one asked for, or the first that the seller is held against."""
    asked = request.args.get("program")
    programs: list[str] = kept["programs"]
    return asked if asked in programs else programs[0]


def _history(connection: Connection, visitor: Visitor, seller: str, program: str) -> Answer:
    """List how the seller was judged; a cursor that is none begins with the latest."""

    def history(cursor: str | None) -> Answer:
        workspace = visitor.caller.workspace
        return sellers.history(connection, workspace, seller, program=program, limit=HISTORY_LENGTH, cursor=cursor)

    try:
        return history(request.args.get("cursor") or None)
    except InvalidInput:
        return history(None)


def _standing(one: Answer, catalog: Catalog, messages: Messages) -> dict[str, Any]:
    names = labels(catalog.program(one["program"]), messages)
    return {
        **one,
        "label": names.get(one["tightest"], one["tightest"]),
        "changes": changes(one, messages),
        "age": messages.say(age(days_since(one["as_of"], today()))),
    }
