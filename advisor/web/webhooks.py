"""Where a workspace wants its events sent, under /v1/webhook-endpoints, and what became of them."""

from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection

from advisor.inputs.webhooks import WebhookEndpointRequest, read_endpoint
from advisor.services import webhooks
from advisor.services.idempotency import Reply
from advisor.services.keys import Caller
from advisor.settings import Settings
from advisor.web import schemas
from advisor.web.api import read_query
from advisor.web.stored import CURSOR, LIMIT, Routes, parameter, reply

STATE = parameter("state", "Only deliveries in this state.", enum=list(schemas.DELIVERY_STATES))
ENDPOINT = parameter("endpoint", "Only deliveries to this endpoint.", type="string", minLength=1, maxLength=200)
ONE_ENDPOINT = "/webhook-endpoints/<id:endpoint>"
ONE_DELIVERY = "/webhook-deliveries/<id:delivery>"


def add(routes: Routes, settings: Settings) -> None:
    """Add the routes."""

    def with_secret(given: Reply) -> Reply:
        return replace(
            given, body=orjson.dumps(webhooks.with_secret(routes.workspaces.secret, orjson.loads(given.body)))
        )

    @routes.route(
        "POST",
        "/webhook-endpoints",
        "webhooks:write",
        takes=WebhookEndpointRequest,
        example=schemas.WEBHOOK_ENDPOINT_EXAMPLE,
        gives=schemas.EndpointWithSecret,
        status=201,
        completed=with_secret,
    )
    def post_webhook_endpoint(connection: Connection, caller: Caller, body: Any) -> Reply:
        """Add a webhook endpoint.

        Events are sent there from now on. The secret that signs them is in this answer and in no later one.
        """
        read_query()
        made = webhooks.create(connection, caller.workspace, read_endpoint(body, settings.webhook_networks))
        return reply(201, made, Location=f"/v1/webhook-endpoints/{made['id']}")

    @routes.route("GET", "/webhook-endpoints", "webhooks:read", gives=schemas.EndpointList)
    def list_webhook_endpoints(connection: Connection, caller: Caller) -> Reply:
        """List webhook endpoints.

        All there are, the oldest first.
        """
        read_query()
        return reply(200, webhooks.listing(connection, caller.workspace))

    @routes.route("GET", ONE_ENDPOINT, "webhooks:read", gives=schemas.KeptEndpoint, refuses=(404,))
    def get_webhook_endpoint(connection: Connection, caller: Caller, endpoint: str) -> Reply:
        """Describe a webhook endpoint.

        `disabled` says why nothing is sent there any more.
        """
        read_query()
        return reply(200, webhooks.get(connection, caller.workspace, endpoint))

    @routes.route("DELETE", ONE_ENDPOINT, "webhooks:write", status=204, refuses=(404,))
    def delete_webhook_endpoint(connection: Connection, caller: Caller, endpoint: str) -> Reply:
        """Delete a webhook endpoint.

        Its deliveries go with it; what was not sent yet is never sent.
        """
        read_query()
        webhooks.remove(connection, caller.workspace, endpoint)
        return reply(204)

    @routes.route(
        "POST",
        f"{ONE_ENDPOINT}:rotate-secret",
        "webhooks:write",
        gives=schemas.EndpointWithSecret,
        refuses=(404,),
        completed=with_secret,
    )
    def rotate_webhook_secret(connection: Connection, caller: Caller, endpoint: str) -> Reply:
        """Rotate the secret of a webhook endpoint.

        Events are signed with the new secret, which is in this answer only, and for 24 hours also with the one before.
        """
        read_query()
        return reply(200, webhooks.rotate(connection, caller.workspace, endpoint))

    @routes.route(
        "POST",
        f"{ONE_ENDPOINT}:test",
        "webhooks:write",
        gives=schemas.DeliveryInFull,
        status=202,
        refuses=(404,),
    )
    def test_webhook_endpoint(connection: Connection, caller: Caller, endpoint: str) -> Reply:
        """Send a test event.

        A `webhook.test` for this endpoint alone, delivered like any other event.
        """
        read_query()
        return _to_be_sent(webhooks.send_test(connection, caller.workspace, endpoint))

    @routes.route(
        "GET",
        "/webhook-deliveries",
        "webhooks:read",
        gives=schemas.DeliveryPage,
        query=(STATE, ENDPOINT, LIMIT, CURSOR),
        refuses=(404,),
    )
    def list_webhook_deliveries(connection: Connection, caller: Caller) -> Reply:
        """List deliveries.

        One event for one endpoint each; the newest first, page by page.
        """
        given = read_query("state", "endpoint", "limit", "cursor")
        return reply(200, webhooks.deliveries(connection, caller.workspace, **given))

    @routes.route("GET", ONE_DELIVERY, "webhooks:read", gives=schemas.DeliveryInFull, refuses=(404,))
    def get_webhook_delivery(connection: Connection, caller: Caller, delivery: str) -> Reply:
        """Describe a delivery.

        With what is sent, how the last attempt ended, and when the next one is made.
        """
        read_query()
        return reply(200, webhooks.delivery(connection, caller.workspace, delivery))

    @routes.route(
        "POST",
        f"{ONE_DELIVERY}:resend",
        "webhooks:write",
        gives=schemas.DeliveryInFull,
        status=202,
        refuses=(404,),
    )
    def resend_webhook_delivery(connection: Connection, caller: Caller, delivery: str) -> Reply:
        """Send a delivery again.

        One that was delivered or has failed; it carries the same webhook-id, and has all its attempts before it.
        """
        read_query()
        return _to_be_sent(webhooks.resend(connection, caller.workspace, delivery))


def _to_be_sent(described: dict[str, Any]) -> Reply:
    return reply(202, described, Location=f"/v1/webhook-deliveries/{described['id']}")
