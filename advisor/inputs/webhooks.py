"""Requests to add a webhook endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from advisor.errors import Problem
from advisor.inputs.bodies import Several, Strict, check_number, load, refuse_if_any
from advisor.inputs.values import Text, Word
from advisor.outbound import LONGEST_URL, Failure, Network, check_url

EVENTS = ("seller.verdict_changed", "batch.finished")


class WebhookEndpointRequest(Strict):
    """An address that events are to be sent to; all there are now when `events` is left out."""

    url = Text(LONGEST_URL, required=True)
    description = Text()
    events = Several(Word(EVENTS, required=True), allow_none=True, metadata={"minItems": 1, "maxItems": len(EVENTS)})


_ENDPOINT = WebhookEndpointRequest()


@dataclass(frozen=True, slots=True)
class EndpointInput:
    """An address that events are to be sent to."""

    url: str
    description: str | None
    events: tuple[str, ...]


def read_endpoint(body: Any, networks: Sequence[Network]) -> EndpointInput:
    """Read the body of a request to add a webhook endpoint; its address is checked by its form. Raises InvalidInput."""
    data = load(_ENDPOINT, body)
    problems: list[Problem] = []
    given = data.get("events")
    events = list(EVENTS) if given is None else given
    check_number(problems, events, "/events", len(EVENTS))
    checked = check_url(data["url"], networks)
    if isinstance(checked, Failure):
        problems.append(Problem("/url", checked.code, checked.detail))
    refuse_if_any(problems)
    return EndpointInput(data["url"], data.get("description"), tuple(sorted(set(events))))
