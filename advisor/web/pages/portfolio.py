"""The portfolio: a workspace's sellers in a table, for whoever signs in with its key."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from advisor.answers.parts import Answer
from advisor.catalog import Catalog
from advisor.domain.program import DEFAULT_PROGRAM, MARKETPLACES, Verdict
from advisor.errors import InvalidInput
from advisor.inputs.sellers import LONGEST_GROUP
from advisor.messages import Messages
from advisor.services import portfolio as services
from advisor.services import sellers
from advisor.services.calculations import today
from advisor.web.pages import files, seller, session
from advisor.web.pages.session import Portfolio, Visitor, here, show
from advisor.web.pages.shell import language
from advisor.web.pages.standing import VERDICTS, age, changes, days_since, labels, place, program_titles, room
from advisor.web.stored import Workspaces

SORTS = ("id", "tightest")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sellers are wanted, and in which order. What is no filter of this page is as if it were not there."""

    program: str
    verdict: str | None
    group: str | None
    marketplace: str | None
    sort: str

    @property
    def filtered(self) -> bool:
        """Whether some sellers are left out."""
        return any((self.verdict, self.group, self.marketplace))


@dataclass(frozen=True, slots=True)
class Row:
    """A seller as the table has it; what is not known of it is None."""

    id: str
    name: str | None
    marketplace: str
    groups: list[str]
    verdict: str | None = None
    score: int | None = None
    tightest: str | None = None
    room: str | None = None
    changes: tuple[str, ...] = ()
    as_of: str | None = None
    age: str | None = None


def add(pages: Blueprint, catalog: Catalog, workspaces: Workspaces) -> None:
    """Add the pages of the portfolio."""
    portfolio = Portfolio(pages, workspaces)
    session.add(portfolio)
    seller.add(portfolio, catalog)
    files.add(portfolio, catalog)

    @portfolio.route("GET", "", "sellers:read")
    def portfolio_sellers(connection: Connection, visitor: Visitor) -> Response:
        """Show the sellers."""
        messages = language()
        wanted = _wanted(catalog)
        found = _found(connection, visitor, wanted)
        items = found["items"]
        tight = services.tightest(connection, visitor.caller.workspace, wanted.program, [one["id"] for one in items])
        names = labels(catalog.program(wanted.program), messages)
        return show(
            "sellers.html",
            visitor,
            wanted=wanted,
            rows=[_row(one, wanted.program, tight.get(one["id"]), names, messages) for one in items],
            following=here(cursor=found["next"], said=None) if found["next"] else None,
            first=here(cursor=None, said=None) if request.args.get("cursor") else None,
            programs=program_titles(catalog, messages),
            verdicts={name: messages.say(word) for name, word in VERDICTS.items()},
            places={name: place(name, messages) for name in MARKETPLACES},
            groups=services.groups(connection, visitor.caller.workspace),
            api=request.host_url,
        )


def _wanted(catalog: Catalog) -> Wanted:
    given = request.args
    group = given.get("group", "").strip()
    return Wanted(
        program=_one_of(given.get("program"), catalog.program_ids) or DEFAULT_PROGRAM,
        verdict=_one_of(given.get("verdict"), [one.value for one in Verdict]),
        group=group if 0 < len(group) <= LONGEST_GROUP and "\0" not in group else None,
        marketplace=_one_of(given.get("marketplace"), MARKETPLACES),
        sort=_one_of(given.get("sort"), SORTS) or SORTS[0],
    )


def _one_of(given: str | None, allowed: Any) -> str | None:
    return given if given in allowed else None


def _found(connection: Connection, visitor: Visitor, wanted: Wanted) -> Answer:
    """List the sellers of this page; a cursor that is none begins with the first."""

    def listing(cursor: str | None) -> Answer:
        return sellers.listing(
            connection,
            visitor.caller.workspace,
            program=wanted.program,
            verdict=wanted.verdict,
            group=wanted.group,
            marketplace=wanted.marketplace,
            tightest_first=wanted.sort == "tightest",
            cursor=cursor,
        )

    try:
        return listing(request.args.get("cursor") or None)
    except InvalidInput:
        return listing(None)


def _row(one: Answer, program: str, tight: Answer | None, names: dict[str, str], messages: Messages) -> Row:
    known = {"id": one["id"], "name": one["name"], "marketplace": one["marketplace"], "groups": one["groups"]}
    stands = next((each for each in one["standings"] if each["program"] == program), None)
    if stands is None:
        return Row(**known)
    return Row(
        **known,
        verdict=stands["verdict"],
        score=stands["score"],
        tightest=names.get(stands["tightest"], stands["tightest"]),
        room=room(tight, messages),
        changes=tuple(changes(stands, messages)),
        as_of=stands["as_of"],
        age=messages.say(age(days_since(stands["as_of"], today()))),
    )
