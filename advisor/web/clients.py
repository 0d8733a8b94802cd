"""Who sends a request: told by its key, or by its address. A key that comes with an open route has to be good too."""

import ipaddress
import re
import time
from contextlib import suppress

from flask import Flask, current_app, request

from advisor.errors import Forbidden, Unauthenticated, say
from advisor.services.keys import Caller
from advisor.web.stored import Workspaces, given_key

KNOWN_SECONDS = 60.0
MOST_KNOWN = 10_000
IPV6_SITE = 64  # one customer has at least this network of addresses
_BEARER = re.compile(r"bearer\b", re.IGNORECASE)
_CALLER = "advisor.caller"


class Clients:
    """Finds out who sends a request, before it is counted and answered."""

    def __init__(self, workspaces: Workspaces) -> None:
        self.workspaces = workspaces
        self._known: dict[str, tuple[Caller, float]] = {}

    def register(self, app: Flask) -> None:
        """Look for a key before anything else of a request is done."""
        app.before_request(self._identify)

    def _identify(self) -> None:
        if not shows_key() or request.blueprint != "api":
            return
        with suppress(Unauthenticated):
            find = self._remembered if finds_its_caller() else self.workspaces.caller
            request.environ[_CALLER] = find()

    def _remembered(self) -> Caller:
        """Say whose bucket the request counts for. What it may do is found out later, in its own transaction."""
        key = given_key()
        caller, until = self._known.get(key, (None, 0.0))
        now = time.monotonic()
        if caller is None or now >= until:
            caller = self.workspaces.caller()
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = caller, now + KNOWN_SECONDS
        return caller

    def admit(self) -> None:
        """Refuse a key that is not good for an open route. Raises Unauthenticated or Forbidden."""
        if not shows_key() or request.blueprint != "api" or finds_its_caller():
            return
        caller: Caller | None = request.environ.get(_CALLER)
        if caller is None:
            raise Unauthenticated
        if caller.origins is not None and request.environ.get("HTTP_ORIGIN") not in caller.origins:
            detail = say("This publishable key is not for this page: it names the exact origins that may use it.")
            raise Forbidden(detail)
        self.workspaces.note_use()


def shows_key() -> bool:
    """Tell whether the request says that it has a key."""
    given = request.environ.get("HTTP_AUTHORIZATION")
    return given is not None and _BEARER.match(given) is not None


def finds_its_caller() -> bool:
    """Tell whether the route itself finds out who asks (see advisor.web.stored)."""
    return hasattr(current_app.view_functions[request.endpoint or ""], "finds_its_caller")


def client() -> str:
    """Name the client that a request counts for: its key if that was found, else its address.

    A key that was not found names nobody, or everybody could have as many names as they like. For the same reason an
    IPv6 address stands for its network. A publishable key names a page, which many visit: each counts by its address.
    """
    caller: Caller | None = request.environ.get(_CALLER)
    if caller is not None and caller.origins is None:
        return caller.key
    return _address(request.remote_addr or "")


def _address(text: str) -> str:
    if ":" not in text:
        return text or "unknown"
    try:
        address = ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        return "unknown"
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, IPV6_SITE), strict=False))
