"""Send events to addresses that users name: the one place where somebody else decides what the advisor connects to.

A name is looked up once, every address it has must be public, and the connection goes to one of the addresses that
were checked, whatever the name says by then. `http.client` is handed a socket that is already connected. So there are
no redirects, proxies, cookies or passwords from the environment to switch off, and time and bytes are bounded for the
whole exchange. A client library bounds one read, and a receiver that sends a byte now and then stays below that.
"""

import io
import queue
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Thread
from typing import Any

from standardwebhooks import Webhook

from advisor.errors import Sentence, say

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Lookup = Callable[..., Sequence[tuple[Any, ...]]]

LONGEST_URL = 2000
LONGEST_SECONDS = 10.0
LARGEST_HEAD = 64 * 1024
MOST_TRIED = 4  # addresses of one name
PORTS = {"http": 80, "https": 443}

URL = re.compile(r"(https?)://([^/?#]*)([^#]*)(#.*)?", re.IGNORECASE)
URL_CHARACTERS = re.compile(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%-]*")
AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([1-9][0-9]{0,4}))?")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
LONGEST_NAME = 253

# What `is_global` lets through on Python 3.11 (IANA special-purpose address registries, RFC 6890).
NOT_PUBLIC = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4", "2001::/23", "3fff::/20")))
GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that IANA has given out; site-local and multicast lie outside
NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nothing can be sent to an address: a stable code and what to do."""

    code: str
    detail: Sentence


@dataclass(frozen=True, slots=True)
class Target:
    """A web address whose form is in order, in parts; `host` is a name in lower case or an address."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one attempt: confirmed, or `failure` (a stable code) with a sentence; `status` if one came."""

    status: int | None
    failure: str | None
    detail: str
    milliseconds: int


def check_url(url: str, networks: Sequence[Network] = ()) -> Target | Failure:
    """Check the form of an address that events are to be sent to; nothing is looked up.

    Args:
        url: As the user gave it.
        networks: What may be reached although it is private; only there are http and other ports than 443 possible.
    """
    if not 1 <= len(url) <= LONGEST_URL:
        detail = say(
            "This address has {length} characters; it may have 1 to {longest}.", length=len(url), longest=LONGEST_URL
        )
        return Failure("wrong_length", detail)
    found = URL.fullmatch(url)
    if found is None or not URL_CHARACTERS.fullmatch(url):
        return _malformed(
            say(
                "This is not a web address. Write one such as https://hooks.example.com/advisor, in ASCII: "
                "a name in another script in its xn-- form, and other characters percent-encoded."
            )
        )
    scheme, authority, path, fragment = found.groups()
    if fragment is not None:
        return _malformed(
            say("An address that events are sent to has no fragment. Leave out the # and what follows it.")
        )
    if "@" in authority:
        return _malformed(
            say(
                "An address that events are sent to holds no user name and no password: the signature says who sends. "
                "Leave out what stands before the @."
            )
        )
    parts = AUTHORITY.fullmatch(authority)
    if parts is None or int(parts[2] or 1) > 65535:
        return _malformed(
            say("The host and port of this address cannot be read. Write it like https://hooks.example.com/.")
        )
    scheme, host, bracketed = scheme.lower(), parts[1].lower().strip("[]"), parts[1].startswith("[")
    target = Target(scheme, host, int(parts[2] or PORTS[scheme]), path if path.startswith("/") else f"/{path}")
    with suppress(ValueError):
        address = IPv6Address(host) if bracketed else IPv4Address(host)
        return _refusal(target, [address], networks) or target
    if bracketed or not _is_name(host, short=bool(networks)):
        return _malformed(
            say(
                "The host of this address is neither a full name such as hooks.example.com "
                "nor an address in its usual form, which is four decimal numbers or, in brackets, IPv6. "
                "A short name such as localhost needs ADVISOR_WEBHOOK_NETWORKS to name its network."
            )
        )
    # Where a name leads is known once it is looked up; only with such networks can it lead to one.
    return target if networks else _not_usual(target) or target


def resolve(
    target: Target,
    networks: Sequence[Network] = (),
    *,
    seconds: float = LONGEST_SECONDS,
    lookup: Lookup = socket.getaddrinfo,
) -> list[Address] | Failure:
    """Look the host up, once; refuse it if any of its addresses may not be reached."""
    answers: queue.SimpleQueue[list[Address]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = lookup(target.host, target.port, socket.AF_UNSPEC, socket.SOCK_STREAM)
            answers.put([ip_address(entry[4][0]) for entry in found])
        except OSError:
            answers.put([])

    # The system's lookup has no time limit, and whoever owns the name decides how long it takes.
    Thread(target=ask, daemon=True).start()
    try:
        addresses = answers.get(timeout=max(seconds, 0))
    except queue.Empty:
        return _timed_out(target)
    if not addresses:
        detail = say("No address was found for {host}. Is its name written correctly?", host=target.host)
        return Failure("name_not_found", detail)
    return _refusal(target, addresses, networks) or addresses


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    networks: Sequence[Network] = (),
    timeout: float = LONGEST_SECONDS,
    *,
    lookup: Lookup = socket.getaddrinfo,
) -> Sent:
    """Send a body to an address, once; never raises for what the receiver or the network does.

    The receiver's answer is its status: at most 64 KiB are read, and no body is waited for. Certificates are held
    against the authorities that the system trusts (or SSL_CERT_FILE).

    Args:
        url: The address; its form is checked again.
        body: What is sent, as it is.
        headers: The headers of the request; Host and Connection are added.
        networks: What may be reached although it is private.
        timeout: Seconds for everything together, at most 10.
        lookup: How a name is looked up.
    """
    start = time.monotonic()
    outcome = _attempt(url, body, headers, networks, start + min(timeout, LONGEST_SECONDS), lookup)
    milliseconds = round((time.monotonic() - start) * 1000)
    if isinstance(outcome, Failure):
        return Sent(None, outcome.code, outcome.detail, milliseconds)
    refused = _refused(outcome)
    if refused is None:
        return Sent(outcome, None, "", milliseconds)
    return Sent(outcome, refused.code, refused.detail, milliseconds)


def sign(secrets: tuple[str, ...], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """Make the headers of a signed message (Standard Webhooks), with one signature for each secret that is valid now.

    Args:
        secrets: The receiver's secrets, `whsec_` and base64.
        message_id: The same for every attempt to deliver one event.
        at: Seconds since 1970, when this attempt is made: receivers refuse old ones.
        body: What is sent, in UTF-8.
    """
    moment, text = datetime.fromtimestamp(at, UTC), body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, moment, text) for secret in secrets),
    }


def is_public(address: Address) -> bool:
    """Tell whether an address, or the IPv4 address that it stands for, lies in the public internet."""
    if isinstance(address, IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_public(carried)
        if address not in GLOBAL_UNICAST:
            return False
    return address.is_global and not any(address in network for network in NOT_PUBLIC)


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Unwrap an IPv6 address that leads to IPv4: mapped, NAT64 or 6to4. Teredo is not public, whatever it carries."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _is_name(host: str, *, short: bool) -> bool:
    """Tell whether a host is a name that no resolver takes for a number; a short one has no dot."""
    labels = host.split(".")
    return (
        len(host) <= LONGEST_NAME
        and (short or len(labels) > 1)
        and all(LABEL.fullmatch(label) for label in labels)
        and not NUMBER.fullmatch(labels[-1])
    )


def _refusal(target: Target, addresses: Sequence[Address], networks: Sequence[Network]) -> Failure | None:
    for address in addresses:
        if any(address in network for network in networks):
            continue
        if not is_public(address):
            # The address is not said: a name could otherwise be used to read the inner name server.
            detail = say(
                "Events are sent to public addresses only, and this one is not public. ADVISOR_WEBHOOK_NETWORKS "
                "names networks of your own that may be reached too."
            )
            return Failure("private_address", detail)
        if failure := _not_usual(target):
            return failure
    return None


def _not_usual(target: Target) -> Failure | None:
    if target.scheme != "https":
        detail = say(
            "Events are sent encrypted. Write an address that starts with https://. Only in the networks that "
            "ADVISOR_WEBHOOK_NETWORKS names may it start with http://."
        )
        return Failure("not_https", detail)
    if target.port != PORTS["https"]:
        detail = say(
            "Events are sent to port 443. Leave the port out. Only in the networks that ADVISOR_WEBHOOK_NETWORKS names "
            "may it be another."
        )
        return Failure("port_not_allowed", detail)
    return None


def _malformed(detail: Sentence) -> Failure:
    return Failure("not_a_web_address", detail)


def _timed_out(target: Target) -> Failure:
    detail = say(
        "{host} did not answer in time. It has {seconds} seconds at most.",
        host=target.host,
        seconds=round(LONGEST_SECONDS),
    )
    return Failure("timed_out", detail)


def _refused(status: int) -> Failure | None:
    """Say why a status does not confirm an event."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        detail = say(
            "The receiver answered {status}: look elsewhere. Nobody follows that; give the address it points to.",
            status=status,
        )
        return Failure("redirected", detail)
    if 400 <= status < 600:
        detail = say("The receiver answered {status}; it confirms an event by a status from 200 to 299.", status=status)
        return Failure(f"answered_{status // 100}xx", detail)
    detail = say("The receiver answered {status}, which is no status of a finished answer.", status=status)
    return Failure("not_http", detail)


def _attempt(
    url: str, body: bytes, headers: Mapping[str, str], networks: Sequence[Network], deadline: float, lookup: Lookup
) -> int | Failure:
    """Check, look up, connect and send; gives the status of the answer."""
    target = check_url(url, networks)
    if isinstance(target, Failure):
        return target
    addresses = resolve(target, networks, seconds=deadline - time.monotonic(), lookup=lookup)
    if isinstance(addresses, Failure):
        return addresses
    try:
        with _connect(target, addresses[:MOST_TRIED], deadline) as plain, _secure(target, plain, deadline) as connected:
            connection = HTTPConnection(target.host, target.port)
            connection.sock = _Bounded(connected, deadline)
            given = {**headers, "Host": target.authority, "Connection": "close"}
            connection.request("POST", target.path, body, given)
            return connection.getresponse().status
    except TimeoutError:
        return _timed_out(target)
    except ssl.SSLError as error:
        reason = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
        detail = say("No safe connection to {host} could be made: {reason}.", host=target.host, reason=reason)
        return Failure("tls_failed", detail)
    except OSError as error:
        detail = say("{host} could not be reached: it closed the connection without an answer.", host=target.host)
        if error.strerror:
            detail = say("{host} could not be reached: {reason}.", host=target.host, reason=error.strerror)
        return Failure("connection_failed", detail)
    except HTTPException as error:
        detail = say("{host} did not answer in HTTP ({error}).", host=target.host, error=type(error).__name__)
        return Failure("not_http", detail)


def _connect(target: Target, addresses: Sequence[Address], deadline: float) -> socket.socket:
    """Connect to the first address that takes it; raises OSError."""
    for untried in range(len(addresses), 0, -1):
        try:
            share = _left(deadline) / untried
            return socket.create_connection((str(addresses[-untried]), target.port), timeout=share)
        except OSError as error:
            failed = error
    raise failed


def _secure(target: Target, plain: socket.socket, deadline: float) -> socket.socket:
    """Speak TLS if the target does: the certificate has to name its host. Raises OSError."""
    if target.scheme == "http":
        return plain
    plain.settimeout(_left(deadline))  # for the handshake as a whole
    return ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)


def _left(deadline: float) -> float:
    """Say how many seconds are left; raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Bounded(io.RawIOBase):
    """What `http.client` needs of a socket, with an end: a deadline for all of it, and so many bytes to read."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.connected = connected
        self.deadline = deadline
        self.remaining = LARGEST_HEAD

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self.connected.settimeout(_left(self.deadline))
            rest = rest[self.connected.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def close(self) -> None:
        """Leave the socket to who connected it: `http.client` closes the two sides of a connection one by one."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.remaining == 0:
            raise HTTPException("too large")
        self.connected.settimeout(_left(self.deadline))
        read = self.connected.recv_into(buffer, min(len(buffer), self.remaining))
        self.remaining -= read
        return read
