"""The sellers that a workspace keeps, under /v1/sellers: each view parses, calls a service and dumps."""

import re
from typing import Any

from sqlalchemy import Connection

from advisor.catalog import Catalog
from advisor.domain.program import DEFAULT_PROGRAM, Verdict
from advisor.errors import InvalidInput, Problem, say
from advisor.inputs.accounts import read_program
from advisor.inputs.parameters import once
from advisor.inputs.sellers import LONGEST_GROUP, SellerRequest, SnapshotRequest, read_seller
from advisor.services import sellers, webhooks
from advisor.services.idempotency import Reply
from advisor.services.keys import Caller
from advisor.web import schemas
from advisor.web.api import MARKETPLACE, read_query
from advisor.web.language import reader
from advisor.web.stored import CURSOR, LIMIT, Routes, parameter, reply

SELLER_ID = re.compile(r"[A-Za-z0-9._~-]{1,100}", re.ASCII)
VERDICT = parameter("verdict", "Only sellers with this verdict.", enum=[one.value for one in Verdict])
GROUP = parameter("group", "Only sellers of this group.", type="string", maxLength=LONGEST_GROUP)
SORT = parameter("sort", "By id (usual), or those with the least room left first.", enum=["id", "tightest"])
ONE_OF_A_SELLER = "/sellers/<string:seller>"


def add(routes: Routes, catalog: Catalog) -> None:
    """Add the routes."""
    existing = once(read_program(catalog))
    program = parameter(
        "program", f"The program that is meant; {DEFAULT_PROGRAM} when left out.", enum=catalog.program_ids
    )
    only = parameter("program", "Only assessments by this program.", enum=catalog.program_ids)

    @routes.route(
        "PUT",
        ONE_OF_A_SELLER,
        "sellers:write",
        takes=SellerRequest,
        example=schemas.SELLER_EXAMPLE,
        gives=schemas.KeptSeller,
        also={201: schemas.KeptSeller},
        refuses=(409,),
    )
    def put_seller(connection: Connection, caller: Caller, body: Any, seller: str) -> Reply:
        """Keep a seller.

        Makes a seller under an id of your own, or changes it: 201 or 200. Its marketplace stays what it is.
        """
        read_query()
        _check_id(seller)
        new = sellers.put(connection, caller.workspace, seller, read_seller(catalog, body))
        return reply(201 if new else 200, sellers.get(connection, caller.workspace, seller))

    @routes.route("GET", ONE_OF_A_SELLER, "sellers:read", gives=schemas.KeptSeller, refuses=(404,))
    def get_seller(connection: Connection, caller: Caller, seller: str) -> Reply:
        """Describe a seller.

        With where it stands with each of its programs.
        """
        read_query()
        return reply(200, sellers.get(connection, caller.workspace, seller))

    @routes.route("DELETE", ONE_OF_A_SELLER, "sellers:write", status=204, refuses=(404,))
    def delete_seller(connection: Connection, caller: Caller, seller: str) -> Reply:
        """Delete a seller.

        Its snapshots and assessments go with it, for good.
        """
        read_query()
        sellers.remove(connection, caller.workspace, seller)
        return reply(204)

    @routes.route(
        "GET",
        "/sellers",
        "sellers:read",
        gives=schemas.SellerPage,
        query=(program, VERDICT, GROUP, MARKETPLACE, SORT, LIMIT, CURSOR),
    )
    def list_sellers(connection: Connection, caller: Caller) -> Reply:
        """List sellers.

        Page by page; `next` is the cursor of the page that follows.
        """
        given = read_query("verdict", "group", "marketplace", "sort", "limit", "cursor", program=existing)
        tightest_first = given.pop("sort", "id") == "tightest"
        asked = given.pop("program", DEFAULT_PROGRAM)
        found = sellers.listing(connection, caller.workspace, program=asked, tightest_first=tightest_first, **given)
        return reply(200, found)

    @routes.route(
        "POST",
        f"{ONE_OF_A_SELLER}/snapshots",
        "sellers:write",
        takes=SnapshotRequest,
        example=schemas.SNAPSHOT_EXAMPLE,
        gives=schemas.JudgedSnapshot,
        status=201,
        refuses=(404,),
    )
    def post_snapshot(connection: Connection, caller: Caller, body: Any, seller: str) -> Reply:
        """Add a snapshot.

        Keeps the numbers of a day, and holds the seller against each of its programs at once.
        """
        read_query()
        made = sellers.add_snapshot(
            connection, catalog, caller.workspace, seller, body, reader(), announce=webhooks.announce
        )
        return reply(201, made, Location=f"/v1/sellers/{seller}/snapshots/{made['id']}")

    @routes.route(
        "GET",
        f"{ONE_OF_A_SELLER}/snapshots/<string:snapshot>",
        "sellers:read",
        gives=schemas.KeptSnapshot,
        refuses=(404,),
    )
    def get_snapshot(connection: Connection, caller: Caller, seller: str, snapshot: str) -> Reply:
        """Describe a snapshot.

        Its numbers as they were sent.
        """
        read_query()
        return reply(200, sellers.snapshot(connection, caller.workspace, seller, snapshot))

    @routes.route(
        "GET",
        f"{ONE_OF_A_SELLER}/assessments",
        "sellers:read",
        gives=schemas.JudgedPage,
        query=(only, LIMIT, CURSOR),
        refuses=(404,),
    )
    def list_assessments(connection: Connection, caller: Caller, seller: str) -> Reply:
        """List a seller's assessments.

        The latest day first, page by page.
        """
        given = read_query("limit", "cursor", program=existing)
        return reply(200, sellers.history(connection, caller.workspace, seller, **given))

    @routes.route(
        "GET",
        f"{ONE_OF_A_SELLER}/assessments/<string:assessment>",
        "sellers:read",
        gives=schemas.JudgedInFull,
        refuses=(404,),
    )
    def get_assessment(connection: Connection, caller: Caller, seller: str, assessment: str) -> Reply:
        """Describe an assessment.

        In full, as it was answered then, by the rules of then.
        """
        read_query()
        return reply(200, sellers.judged(connection, caller.workspace, seller, assessment))

    @routes.route(
        "GET",
        f"{ONE_OF_A_SELLER}/trend",
        "sellers:read",
        gives=schemas.Trends,
        query=(program,),
        refuses=(404,),
    )
    def get_trend(connection: Connection, caller: Caller, seller: str) -> Reply:
        """Show trends.

        Each metric over time against its bar, its direction, and the day on which the present trend crosses the bar.
        """
        asked = read_query(program=existing).get("program", DEFAULT_PROGRAM)
        return reply(200, sellers.trends(connection, catalog, caller.workspace, seller, asked, reader()))


def _check_id(seller: str) -> None:
    if not SELLER_ID.fullmatch(seller):
        detail = say("A seller's id has 1 to 100 letters, digits, full stops, hyphens, underscores or tildes.")
        raise InvalidInput([Problem("/sellers/{seller}", "not_an_id", detail)])
