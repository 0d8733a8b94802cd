"""Webhooks: where events are sent, the outbox, and the dispatcher. Receivers are real servers on this machine."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from threading import Event, Lock, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, select, update
from standardwebhooks import Webhook

from advisor import outbound
from advisor.messages import messages_in
from advisor.outbound import Sent
from advisor.services import sellers, webhooks
from advisor.services.webhooks import JITTER, KEPT_MS, LEASE_MS, OLD_SECRET_MS, WAITS, deliver_due
from advisor.store.database import Database, now_ms
from advisor.store.tables import METADATA, webhook_deliveries, webhook_endpoints, workspaces

SELLER = {"marketplace": "US", "facts": {"selling_plan": "professional", "fulfillment": "seller"}}
DAY_MS = 86_400_000


def numbers(defects: int) -> dict[str, Any]:
    """Make the numbers of a snapshot: with 3 defects the seller is eligible, with 12 it is not."""
    return {
        "order_defect_rate": {"count": defects, "of": 1200},
        "pre_fulfillment_cancellation_rate": {"count": 1, "of": 150},
        "late_shipment_rate": {"count": 4, "of": 600, "window_days": 30},
    }


@dataclass
class Receiver:
    """A server that answers with `status`, and keeps what it was sent: headers and body."""

    url: str = ""
    status: int = 200
    messages: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    before_answer: Callable[[], object] = lambda: None
    under_way: int = 0
    most_at_once: int = 0
    lock: Any = field(default_factory=Lock)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.messages]


@pytest.fixture
def settings(settings: Any) -> Any:
    return replace(settings, webhook_networks=(ip_network("127.0.0.0/8"),))


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    servers = []

    def make(status: int = 200) -> Receiver:
        receiver = Receiver(status=status)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with receiver.lock:
                    receiver.under_way += 1
                    receiver.most_at_once = max(receiver.most_at_once, receiver.under_way)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.before_answer()
                with receiver.lock:
                    receiver.messages.append((headers, body))
                    receiver.under_way -= 1
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        receiver.url = f"http://127.0.0.1:{server.server_port}/events"
        return receiver

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def deliver(database: Any, settings: Any) -> Callable[..., int]:
    """Send what is due, at a time that is given in milliseconds, or now."""

    def run(at: int | None = None, **given: Any) -> int:
        return deliver_due(database, settings, **({} if at is None else {"now": lambda _: at}), **given)

    return run


def add(workspace: Any, receiver: Receiver, **given: Any) -> Any:
    answer = workspace.post("/v1/webhook-endpoints", json={"url": receiver.url, **given})
    assert answer.status_code == 201, answer.text
    return answer.json


def send_test(workspace: Any, endpoint: Any) -> Any:
    answer = workspace.post(f"/v1/webhook-endpoints/{endpoint['id']}:test")
    assert answer.status_code == 202, answer.text
    return answer.json


def state(workspace: Any, delivery: Any) -> Any:
    answer = workspace.get(f"/v1/webhook-deliveries/{delivery['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json


def refused(answer: Any) -> tuple[int, str, str]:
    (error,) = answer.json["errors"]
    return answer.status_code, error["pointer"], error["code"]


def millis(instant: str) -> int:
    return round(datetime.fromisoformat(instant).timestamp() * 1000)


def signed_by(message: tuple[dict[str, str], bytes], secret: str) -> bool:
    """Tell whether a message is signed with a secret, whenever that was."""
    headers, body = message
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    return Webhook(secret).sign(headers["webhook-id"], at, body.decode()) in headers["webhook-signature"].split()


class Killed(BaseException):
    """The dispatcher dies."""


# Endpoints


def test_an_endpoint_is_added_described_listed_and_deleted(workspace: Any) -> None:
    wanted = {"url": "https://hooks.example.com/advisor", "description": "Weekly", "events": ["batch.finished"]}
    made = workspace.post("/v1/webhook-endpoints", json=wanted)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    described = dict(made.json)
    assert described.pop("secret").startswith("whsec_")
    assert {name: described[name] for name in wanted} == wanted
    assert workspace.get(made.headers["Location"]).json == described
    other = workspace.post("/v1/webhook-endpoints", json={"url": "https://hooks.example.com/"}).json
    assert other["events"] == ["batch.finished", "seller.verdict_changed"]
    assert other["secret"] != made.json["secret"]
    listed = workspace.get("/v1/webhook-endpoints").json["items"]
    assert (listed[0], [one["id"] for one in listed]) == (described, [described["id"], other["id"]])
    assert workspace.delete(made.headers["Location"]).status_code == 204
    assert workspace.delete(made.headers["Location"]).status_code == 404
    assert workspace.get(made.headers["Location"]).status_code == 404


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://10.0.0.1/", "private_address"),
        ("https://[::1]/", "private_address"),
        ("http://8.8.8.8/", "not_https"),
        ("https://8.8.8.8:8443/", "port_not_allowed"),
        ("https://user@example.com/", "not_a_web_address"),
        ("hooks.example.com", "not_a_web_address"),
        ("https://example.com/" + "a" * 2000, "wrong_length"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_once(workspace: Any, url: str, code: str) -> None:
    answer = workspace.post("/v1/webhook-endpoints", json={"url": url})
    assert refused(answer) == (422, "/url", code)
    assert workspace.get("/v1/webhook-endpoints").json == {"items": [], "next": None}


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "http://hooks.example.com/", "https://hooks.example.com:9000/", "https://localhost/"]
)
def test_who_tries_it_at_home_is_told_which_setting_allows_it(set_up_with: Any, url: str) -> None:
    refused = (
        set_up_with(webhook_networks=()).post("/v1/webhook-endpoints", json={"url": url}).json["errors"][0]["detail"]
    )
    assert "ADVISOR_WEBHOOK_NETWORKS" in refused
    at_home = set_up_with(webhook_networks=(ip_network("127.0.0.0/8"),))
    assert at_home.post("/v1/webhook-endpoints", json={"url": "http://localhost:9000/"}).status_code == 201


def test_events_that_there_are_not_are_refused(workspace: Any) -> None:
    for events, pointer, code in (([], "/events", "wrong_length"), (["all"], "/events/0", "not_allowed")):
        answer = workspace.post("/v1/webhook-endpoints", json={"url": "https://example.com/", "events": events})
        assert refused(answer) == (422, pointer, code)


def test_a_workspace_has_at_most_twenty_endpoints(workspace: Any, stored_app: Any, make_workspace: Any) -> None:
    body = {"url": "https://hooks.example.com/"}

    def post(_: int) -> int:
        one = replace(workspace, client=stored_app.test_client())
        return int(one.post("/v1/webhook-endpoints", json=body).status_code)

    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(post, range(26)))
    assert sorted(codes) == [201] * 20 + [409] * 6
    assert refused(workspace.post("/v1/webhook-endpoints", json=body)) == (409, "", "too_many_endpoints")
    assert make_workspace("Other").post("/v1/webhook-endpoints", json=body).status_code == 201


def test_no_secret_is_stored_even_where_its_answer_is_kept(workspace: Any, database: Any) -> None:
    body = {"url": "https://hooks.example.com/"}
    key = {"Idempotency-Key": "one"}
    made, again = (workspace.post("/v1/webhook-endpoints", json=body, headers=key) for _ in range(2))
    assert (again.data, again.headers["Idempotent-Replayed"]) == (made.data, "true")
    rotated = workspace.post(f"{made.headers['Location']}:rotate-secret", headers=key)
    with database.reading() as connection:
        stored = repr([connection.execute(select(table)).all() for table in METADATA.sorted_tables])
    assert made.json["id"] in stored
    for secret in (made.json["secret"], rotated.json["secret"]):
        assert secret.removeprefix("whsec_") not in stored


# Events


def test_a_change_of_verdict_arrives_once_at_every_endpoint_that_wants_it(
    workspace: Any, receive: Any, deliver: Any
) -> None:
    first, second, third = receive(), receive(), receive()
    secrets = [add(workspace, one)["secret"] for one in (first, second)]
    add(workspace, third, events=["batch.finished"])
    workspace.put("/v1/sellers/A1", json=SELLER)
    for day, defects in (("2026-11-01", 3), ("2026-11-08", 4)):
        workspace.post("/v1/sellers/A1/snapshots", json={"as_of": day, "metrics": numbers(defects)})
    assert workspace.get("/v1/webhook-deliveries").json["items"] == []
    judged = workspace.post("/v1/sellers/A1/snapshots", json={"as_of": "2026-11-15", "metrics": numbers(12)})
    assert (deliver(), deliver()) == (2, 0)
    assert (len(first.messages), len(second.messages), len(third.messages)) == (1, 1, 0)
    assert first.ids == second.ids
    for receiver, secret in zip((first, second), secrets, strict=True):
        headers, body = receiver.messages[0]
        event = Webhook(secret).verify(body, headers)
        assert headers["content-type"] == "application/json"
        assert event["type"] == "seller.verdict_changed"
        assert event["data"] == {
            "seller": "A1",
            "program": "enterprise-mall",
            "marketplace": "US",
            "as_of": "2026-11-15",
            "assessment": judged.json["assessments"][0]["id"],
            "verdict": "not_eligible",
            "previous_verdict": "eligible",
        }
    for one in workspace.get("/v1/webhook-deliveries").json["items"]:
        assert (one["state"], one["attempts"], one["status"], one["failure"]) == ("delivered", 1, 200, None)


def test_an_event_of_a_snapshot_that_was_rolled_back_is_never_sent(
    workspace: Any, database: Any, catalog: Any, receive: Any, deliver: Any
) -> None:
    receiver = receive()
    add(workspace, receiver)
    workspace.put("/v1/sellers/A1", json=SELLER)
    workspace.post("/v1/sellers/A1/snapshots", json={"as_of": "2026-11-01", "metrics": numbers(3)})

    def change(connection: Connection, fails: bool = False) -> None:
        owner = connection.execute(select(workspaces.c.id)).scalar_one()
        body = {"as_of": "2026-11-08", "metrics": numbers(12)}
        sellers.add_snapshot(connection, catalog, owner, "A1", body, messages_in("en"), announce=webhooks.announce)
        assert len(connection.execute(select(webhook_deliveries)).all()) == 1
        if fails:
            raise Killed

    with pytest.raises(Killed), database.writing() as connection:
        change(connection, fails=True)
    assert deliver() == 0
    with database.writing() as connection:
        change(connection)
    assert (deliver(), len(receiver.messages)) == (1, 1)


def test_a_test_event_goes_to_one_endpoint_alone(workspace: Any, receive: Any, deliver: Any) -> None:
    first, second = receive(), receive()
    made = add(workspace, first, events=["batch.finished"])
    add(workspace, second)
    sent = send_test(workspace, made)
    assert (sent["state"], sent["event"], sent["endpoint"]) == ("pending", "webhook.test", made["id"])
    assert deliver() == 1
    headers, body = first.messages[0]
    assert Webhook(made["secret"]).verify(body, headers) == sent["payload"]
    assert (sent["event_id"], second.messages) == (headers["webhook-id"], [])
    assert state(workspace, sent)["state"] == "delivered"


def test_for_a_day_after_a_rotation_both_secrets_sign(workspace: Any, receive: Any, deliver: Any) -> None:
    receiver = receive()
    made = add(workspace, receiver)
    rotated = workspace.post(f"/v1/webhook-endpoints/{made['id']}:rotate-secret").json
    assert rotated["secret"] != made["secret"]
    until = millis(rotated["old_secret_until"])
    assert abs(until - OLD_SECRET_MS - now_ms()) < 60_000
    for at in (now_ms() + 1000, until - 1, until):
        send_test(workspace, made)
        assert deliver(at) == 1
    old, new = ([signed_by(one, secret["secret"]) for one in receiver.messages] for secret in (made, rotated))
    assert (old, new) == ([True, True, False], [True, True, True])
    headers, body = receiver.messages[0]
    for one in (made, rotated):
        Webhook(one["secret"]).verify(body, headers)


# Attempts


def test_what_is_refused_is_tried_for_three_days_and_can_be_sent_again(
    workspace: Any, receive: Any, deliver: Any
) -> None:
    receiver = receive(503)
    sent = send_test(workspace, add(workspace, receiver))
    at = began = millis(sent["next_attempt_at"])
    for attempt, wait in enumerate(WAITS[1:], 1):
        assert deliver(at) == 1
        now = state(workspace, sent)
        assert (now["state"], now["attempts"], now["status"]) == ("pending", attempt, 503)
        assert (now["failure"]["code"], "503" in now["failure"]["detail"]) == ("answered_5xx", True)
        due = millis(now["next_attempt_at"])
        assert wait * 1000 <= due - at <= wait * 1000 * (1 + JITTER)
        assert deliver(due - 1) == 0
        at = due
    assert deliver(at) == 1
    ended = state(workspace, sent)
    assert (ended["state"], ended["attempts"], ended["next_attempt_at"]) == ("failed", 11, None)
    assert 2.9 * DAY_MS < at - began < 3.3 * DAY_MS
    assert (deliver(at + 2 * DAY_MS), len(receiver.messages)) == (0, 11)
    receiver.status = 204
    again = workspace.post(f"/v1/webhook-deliveries/{sent['id']}:resend")
    assert (again.status_code, again.json["state"], again.json["attempts"]) == (202, "pending", 0)
    assert refused(workspace.post(f"/v1/webhook-deliveries/{sent['id']}:resend")) == (409, "", "delivery_pending")
    assert deliver(at) == 1
    now = state(workspace, sent)
    assert (now["state"], now["attempts"], now["failure"]) == ("delivered", 1, None)
    workspace.post(f"/v1/webhook-deliveries/{sent['id']}:resend")
    assert deliver(at) == 1
    assert receiver.ids == [sent["event_id"]] * 13


def test_a_receiver_that_is_gone_is_sent_nothing_more(
    workspace: Any, database: Any, receive: Any, deliver: Any
) -> None:
    receiver, other = receive(410), receive()
    made = add(workspace, receiver)
    add(workspace, other)
    first, second = send_test(workspace, made), send_test(workspace, made)
    assert deliver() == 1
    assert [state(workspace, one)["state"] for one in (first, second)] == ["failed", "failed"]
    codes = {state(workspace, one)["failure"]["code"] for one in (first, second)}
    assert codes == {"answered_4xx", "endpoint_disabled"}
    assert "410" in workspace.get(f"/v1/webhook-endpoints/{made['id']}").json["disabled"]
    for path in (f"/v1/webhook-endpoints/{made['id']}:test", f"/v1/webhook-deliveries/{first['id']}:resend"):
        assert refused(workspace.post(path)) == (409, "", "endpoint_disabled")
    with database.writing() as connection:
        owner = connection.execute(select(workspaces.c.id)).scalar_one()
        webhooks.announce(connection, owner, "batch.finished", {})
    assert (deliver(), len(receiver.messages), len(other.messages)) == (1, 1, 1)
    assert len(workspace.get(f"/v1/webhook-deliveries?endpoint={made['id']}").json["items"]) == 2


def test_an_event_kept_while_its_endpoint_was_disabled_is_given_up(
    workspace: Any, database: Any, receive: Any, deliver: Any
) -> None:
    receiver = receive()
    sent = send_test(workspace, add(workspace, receiver))
    with database.writing() as connection:
        connection.execute(update(webhook_endpoints).values(disabled="It is gone."))
    assert deliver() == 0
    ended = state(workspace, sent)
    assert (ended["state"], ended["failure"]["code"], receiver.messages) == ("failed", "endpoint_disabled", [])


def test_what_is_deleted_is_never_sent(workspace: Any, receive: Any, deliver: Any) -> None:
    receiver = receive()
    made = add(workspace, receiver)
    sent = send_test(workspace, made)
    assert workspace.delete(f"/v1/webhook-endpoints/{made['id']}").status_code == 204
    assert (deliver(), receiver.messages) == (0, [])
    assert workspace.get(f"/v1/webhook-deliveries/{sent['id']}").status_code == 404


def test_an_endpoint_that_is_deleted_while_an_event_is_kept_breaks_nothing(
    workspace: Any, database: Any, stored_app: Any, monkeypatch: Any
) -> None:
    made = workspace.post("/v1/webhook-endpoints", json={"url": "https://hooks.example.com/"})
    other, put, codes = replace(workspace, client=stored_app.test_client()), webhooks._put, []
    deleting = Thread(target=lambda: codes.append(other.delete(made.headers["Location"]).status_code))

    def delete_meanwhile(*given: Any) -> list[str]:
        deleting.start()
        deleting.join(0.3)
        return put(*given)

    monkeypatch.setattr(webhooks, "_put", delete_meanwhile)
    with database.writing() as connection:
        owner = connection.execute(select(workspaces.c.id)).scalar_one()
        webhooks.announce(connection, owner, "batch.finished", {})
    deleting.join()
    assert codes == [204]
    assert workspace.get("/v1/webhook-deliveries").json["items"] == []


def test_an_address_that_may_not_be_reached_any_more_is_not_reached(
    workspace: Any, database: Any, settings: Any, receive: Any
) -> None:
    receiver = receive()
    sent = send_test(workspace, add(workspace, receiver))
    assert deliver_due(database, replace(settings, webhook_networks=())) == 1
    assert (state(workspace, sent)["failure"]["code"], receiver.messages) == ("private_address", [])


# Dispatchers that die, freeze, and work side by side


@pytest.mark.parametrize("reached", [False, True], ids=["before it sent", "after it sent"])
def test_another_dispatcher_takes_over_from_one_that_died(
    workspace: Any, receive: Any, deliver: Any, monkeypatch: Any, reached: bool
) -> None:
    receiver = receive()
    sent = send_test(workspace, add(workspace, receiver))
    at = millis(sent["next_attempt_at"])

    def die(*given: Any) -> Sent:
        if reached:
            post(*given)
        raise Killed

    post = outbound.post
    with monkeypatch.context() as patch:
        patch.setattr(outbound, "post", die)
        with pytest.raises(Killed):
            deliver(at)
    assert state(workspace, sent)["state"] == "pending"
    assert deliver(at + LEASE_MS - 1) == 0
    assert deliver(at + LEASE_MS) == 1
    assert receiver.ids == [sent["event_id"]] * (2 if reached else 1)
    assert (state(workspace, sent)["state"], state(workspace, sent)["attempts"]) == ("delivered", 1)


@pytest.mark.parametrize(("status", "ends"), [(200, "delivered"), (503, "pending")])
def test_a_dispatcher_that_slept_past_its_lease_notes_nothing(
    workspace: Any, receive: Any, deliver: Any, monkeypatch: Any, status: int, ends: str
) -> None:
    receiver = receive(status)
    sent = send_test(workspace, add(workspace, receiver))
    at = millis(sent["next_attempt_at"])
    post = outbound.post

    def sleep(*_: Any) -> Sent:
        monkeypatch.setattr(outbound, "post", post)
        assert deliver(at + LEASE_MS) == 1
        return Sent(500, "answered_5xx", "It failed.", 1)

    monkeypatch.setattr(outbound, "post", sleep)
    assert deliver(at) == 1
    now = state(workspace, sent)
    assert (now["state"], now["status"], now["attempts"], len(receiver.ids)) == (ends, status, 1, 1)


def test_two_dispatchers_at_once_send_each_delivery_once(workspace: Any, settings: Any, receive: Any) -> None:
    receivers = [receive() for _ in range(3)]
    sent = [send_test(workspace, made)["event_id"] for made in [add(workspace, one) for one in receivers] * 8]
    databases = [Database(settings.database_url) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(partial(deliver_due, settings=settings), databases))
    for one in databases:
        one.close()
    assert sum(counts) == 24
    assert sorted(name for one in receivers for name in one.ids) == sorted(sent)


def test_a_slow_endpoint_delays_nobody_else(workspace: Any, receive: Any, deliver: Any) -> None:
    slow, quick = receive(), receive()
    first, second = add(workspace, slow), add(workspace, quick)
    for _ in range(3):
        send_test(workspace, first)
    for _ in range(10):
        send_test(workspace, second)
    all_there, waited = Event(), []
    quick.before_answer = lambda: len(quick.messages) == 9 and all_there.set()
    slow.before_answer = lambda: waited.append(all_there.wait(8))
    assert deliver() == 13
    assert waited == [True, True, True]
    assert (slow.most_at_once, quick.most_at_once) == (1, 1)


def test_an_endpoint_that_fails_is_left_alone_for_the_rest_of_the_round(
    workspace: Any, receive: Any, deliver: Any
) -> None:
    receiver = receive(500)
    made = add(workspace, receiver)
    for _ in range(3):
        send_test(workspace, made)
    at = now_ms() + 1000
    assert [deliver(at) for _ in range(4)] == [1, 1, 1, 0]


def test_a_dispatcher_that_is_to_stop_begins_nothing_more(workspace: Any, receive: Any, deliver: Any) -> None:
    receiver = receive()
    made, stop = add(workspace, receiver), Event()
    for _ in range(3):
        send_test(workspace, made)
    receiver.before_answer = stop.set
    assert (deliver(stop=stop), deliver(stop=stop), deliver(most=1), deliver()) == (1, 0, 1, 1)


# What is seen, and for how long


def test_deliveries_are_listed_by_state_and_endpoint_page_by_page(workspace: Any, receive: Any, deliver: Any) -> None:
    good, bad = add(workspace, receive()), add(workspace, receive(500))
    made = []
    for endpoint in (good, bad, good, bad, good):
        made.append(send_test(workspace, endpoint)["id"])
        time.sleep(0.002)
    deliver()
    path = "/v1/webhook-deliveries"
    listed, following = [], f"{path}?limit=2"
    while following:
        found = workspace.get(following).json
        listed += [one["id"] for one in found["items"]]
        following = f"{path}?limit=2&cursor={found['next']}" if found["next"] else ""
    assert listed == made[::-1]
    for query, expected in (
        ("?state=delivered", [made[4], made[2], made[0]]),
        (f"?endpoint={bad['id']}", [made[3], made[1]]),
        (f"?endpoint={good['id']}&state=pending", []),
    ):
        assert [one["id"] for one in workspace.get(path + query).json["items"]] == expected
    assert workspace.get(f"{path}?state=lost").status_code == 422
    assert workspace.get(f"{path}?endpoint=whe_none").status_code == 404


def test_what_has_ended_is_forgotten_after_its_time(
    workspace: Any, database: Any, receive: Any, deliver: Any, monkeypatch: Any
) -> None:
    good, bad = add(workspace, receive()), add(workspace, receive(410))
    made = [send_test(workspace, one) for one in (good, good, good, bad)]
    at = now_ms() + 1000
    assert deliver(at) == 4
    waiting = send_test(workspace, good)
    monkeypatch.setattr(webhooks, "CHUNK", 2)
    moments = [at + KEPT_MS["delivered"] - 1, at + KEPT_MS["delivered"], at + KEPT_MS["failed"] - 1]
    moments.append(at + KEPT_MS["failed"])
    assert [webhooks.purge(database, now=lambda _, to=one: to) for one in moments] == [0, 3, 0, 1]
    assert [one["id"] for one in workspace.get("/v1/webhook-deliveries").json["items"]] == [waiting["id"]]
    assert workspace.get(f"/v1/webhook-deliveries/{made[0]['id']}").status_code == 404


def test_another_workspace_sees_and_touches_nothing(workspace: Any, make_workspace: Any, receive: Any) -> None:
    made = add(workspace, receive())
    sent = send_test(workspace, made)
    other = make_workspace("Other")
    endpoint, delivery = f"/v1/webhook-endpoints/{made['id']}", f"/v1/webhook-deliveries/{sent['id']}"
    for method, path in (
        ("GET", endpoint),
        ("DELETE", endpoint),
        ("POST", f"{endpoint}:test"),
        ("POST", f"{endpoint}:rotate-secret"),
        ("GET", delivery),
        ("POST", f"{delivery}:resend"),
        ("GET", f"/v1/webhook-deliveries?endpoint={made['id']}"),
    ):
        answer = other.ask(method, path)
        assert (answer.status_code, json.loads(answer.data)["errors"]) == (404, []), (method, path)
    assert other.get("/v1/webhook-endpoints").json == {"items": [], "next": None}
    assert other.get("/v1/webhook-deliveries").json == {"items": [], "next": None}
    assert workspace.get(endpoint).json["secret_version"] == 1
    assert state(workspace, sent) == sent
