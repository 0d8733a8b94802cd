"""What the advisor sends to addresses that users name, and above all what it does not."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from advisor import outbound
from advisor.outbound import Failure, Sent, Target, check_url, is_public, post, resolve, sign

HERE = (ip_network("127.0.0.0/8"),)
CODES = ("redirected", "answered_4xx", "answered_5xx", "not_http", "connection_failed")  # of what was connected to
CONFIRMED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# An authority of our own and a certificate of it for hooks.example.com, from 2020 to 2120; used nowhere else.
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBczCCARigAwIBAgICEAAwCgYIKoZIzj0EAwIwHzEdMBsGA1UEAwwUVGVzdHMg
b2YgdGhlIGFkdmlzb3IwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa
MB8xHTAbBgNVBAMMFFRlc3RzIG9mIHRoZSBhZHZpc29yMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEl9nF73N3P9PVLNpgPpDdkuQzzRMPYgsf/8+l/O/RPQ9lqLfc
VQkkk9eDFJ5NOlm0zm7wSJO+USxH3W7XNsOQtqNCMEAwDwYDVR0TAQH/BAUwAwEB
/zAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYEFBkfdnI56UYQ934SfzxK3xYb1GqS
MAoGCCqGSM49BAMCA0kAMEYCIQCDk4XDyR9tvRpbrWNQmkBHQe0ru3GuXQ1DmNRf
Ky6ZzAIhANHVbRD61U1QSXrtw92siU6mB3aZjUmYEADifB/qy5tT
-----END CERTIFICATE-----
"""
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBwjCCAWigAwIBAgICEAEwCgYIKoZIzj0EAwIwHzEdMBsGA1UEAwwUVGVzdHMg
b2YgdGhlIGFkdmlzb3IwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa
MBwxGjAYBgNVBAMMEWhvb2tzLmV4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZI
zj0DAQcDQgAEnmVf/Nq5PHcCrnnKLgnRCByite5Ejojuq/NRMncWPl9bcHZec8tY
qcUHYfCbhK88zyeDgh5+Q9JkfA0ofBlguKOBlDCBkTAcBgNVHREEFTATghFob29r
cy5leGFtcGxlLmNvbTAMBgNVHRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDATBgNV
HSUEDDAKBggrBgEFBQcDATAfBgNVHSMEGDAWgBQZH3ZyOelGEPd+En88St8WG9Rq
kjAdBgNVHQ4EFgQUC/ut6yJQEl+vKR+vRvXVLuVd7jMwCgYIKoZIzj0EAwIDSAAw
RQIgHAA84Y2ciRUDMXXeRoATtrrjm8hiixOcPdiDHDpflTECIQC0pAsVhCH1HiiD
0lu/U5Yf7bXxUayqf4TwjvAbWJwSog==
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBJfnrEkN4lWL7Egf
NprLv01WS3fH5ZzCV1w79JMjIlChRANCAASeZV/82rk8dwKuecouCdEIHKK17kSO
iO6r81EydxY+X1twdl5zy1ipxQdh8JuErzzPJ4OCHn5D0mR8DSh8GWC4
-----END PRIVATE KEY-----
"""


def entries(*addresses: str) -> list[tuple[Any, ...]]:
    return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, 443)) for one in addresses]


@dataclass
class Names:
    """A name server that gives one answer after the other, and counts the questions."""

    answers: list[tuple[str, ...]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, *_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return entries(*answer)


@dataclass
class Receiver:
    """A server on this machine that does one thing with every connection, and keeps what it was sent."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    def url(self, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}/events?x=1"


Answer = Callable[[socket.socket], None]
MakeReceiver = Callable[..., Receiver]


def say(*parts: bytes, every: float = 0, then_wait: float = 0) -> Answer:
    def answer(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(every)
        time.sleep(then_wait)

    return answer


def read_request(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got or not got.endswith(b"}"):
        read = connection.recv(65536)
        if not read:
            break
        got += read
    return got


@pytest.fixture
def receive() -> Iterator[MakeReceiver]:
    listening = []

    def make(answer: Answer | None = None, tls: ssl.SSLContext | None = None, reads: bool = True) -> Receiver:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)
        receiver = Receiver(server.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                try:
                    with tls.wrap_socket(connection, server_side=True) if tls else connection as connection:
                        if reads:
                            receiver.requests.append(read_request(connection))
                        (answer or say(CONFIRMED))(connection)
                except OSError:
                    pass  # the sender hung up, which many of these tests are about

        if tls:
            tls.sni_callback = lambda _socket, name, _context: receiver.names.append(name)
        threading.Thread(target=serve, daemon=True).start()
        return receiver

    yield make
    for server in listening:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is connected to; nothing really is."""
    seen = []

    def refuse(address: tuple[str, int], **_: Any) -> socket.socket:
        seen.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    return seen


HOSTILE = [
    # no https, or not the port of it
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/",
    "//hooks.example.com/",
    "https:hooks.example.com",
    "javascript:alert(1)",
    "https://hooks.example.com:8443/",
    "https://hooks.example.com:22/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:65979/",
    "https://hooks.example.com:/",
    # user names, fragments, and what two readers could understand differently
    "https://user@hooks.example.com/",
    "https://user:word@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://127.0.0.1#@hooks.example.com/",
    "https://hooks.example.com/#here",
    "https://hooks.example.com\\@127.0.0.1/",
    "https://127.0.0.1\\.hooks.example.com/",
    "https://hooks.example.com\t/",
    "https://hooks.example.com/\r\nX-Header: 1",
    "https://hooks.example.com/ HTTP/1.1",
    " https://hooks.example.com/",
    "https://hooks.example.com/\u2028",
    "https:///hooks.example.com/",
    "https://?hooks.example.com",
    "https://hooks%2eexample.com/",
    "https://127.0.0.1%00.hooks.example.com/",
    "https://hooks.example.com" + "/" * 2000,
    "",
    # names that are none
    "https://localhost/",
    "https://metadata/",
    "https://hooks..example.com/",
    "https://.example.com/",
    "https://hooks.example.com./",
    "https://-hooks.example.com/",
    "https://hooks_.example.com/",
    "https://" + "a" * 64 + ".example.com/",
    "https://" + "a." * 150 + "example.com/",
    "https://hööks.example.com/",
    "https://ⓗooks.example.com/",
    # this machine, in every form that a resolver takes
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.01/",
    "https://127.0.0.1./",
    "https://①②⑦.⓪.⓪.①/",
    "https://\uff11\uff12\uff17.0.0.1/",  # in digits of full width
    "https://127。0。0。1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[127.0.0.1]/",
    "https://[8.8.8.8]/",
    "https://[hooks.example.com]/",
    "https://[cafe.de]/",
    "https://[::1]hooks.example.com/",
    "https://::1/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[v1.1]/",
    "https://[/",
]

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:7f00:1:0:0:f7f7:f7f7",  # Teredo by a server on this machine
    "2001:0:808:808:0:0:80ff:fffe",  # Teredo to 127.0.0.1
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "198.17.0.1",
    "223.255.255.254",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::2003",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


def test_the_corpus_of_hostile_addresses_is_large() -> None:
    assert len(set(HOSTILE)) >= 60
    assert len(set(NOT_PUBLIC)) >= 40


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_address_is_refused_before_anything_is_asked_or_connected(
    url: str, connected: list[tuple[str, int]]
) -> None:
    names = Names([("127.0.0.1",)])
    checked = check_url(url)
    sent = post(url, b"{}", {}, lookup=names)
    assert isinstance(checked, Failure)
    assert (sent.status, sent.failure) == (None, checked.code)
    assert checked.code in ("wrong_length", "not_a_web_address", "not_https", "port_not_allowed", "private_address")
    assert checked.detail.endswith(".")
    assert (names.asked, connected) == ([], [])


@pytest.mark.parametrize("url", HOSTILE)
def test_with_a_network_allowed_a_hostile_address_still_leads_nowhere_else(
    url: str, connected: list[tuple[str, int]]
) -> None:
    sent = post(url, b"{}", {}, networks=(ip_network("10.1.0.0/16"),), lookup=Names([("127.0.0.1",)]))
    assert sent.failure in ("wrong_length", "not_a_web_address", "not_https", "port_not_allowed", "private_address")
    assert connected == []


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused_as_written_and_as_the_answer_to_a_name(
    address: str, connected: list[tuple[str, int]]
) -> None:
    assert not is_public(ip_address(address))
    for answer in ((address,), ("8.8.8.8", address), ("2606:4700:4700::1111", "8.8.8.8", address)):
        sent = post("https://hooks.example.com/", b"{}", {}, lookup=Names([answer]))
        assert sent.failure == "private_address"
        assert address not in sent.detail
    literal = f"[{address}]" if ":" in address else address
    assert isinstance(check_url(f"https://{literal}/"), Failure)
    assert connected == []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_connected_to(address: str, connected: list[tuple[str, int]]) -> None:
    sent = post("https://hooks.example.com/", b"{}", {}, lookup=Names([(address,)]))
    assert sent.failure == "connection_failed"
    assert connected == [(str(ip_address(address)), 443)]
    literal = f"[{address}]" if ":" in address else address
    assert check_url(f"https://{literal}/") == Target("https", address, 443, "/")


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
@example(ip_address("64:ff9b::a00:1"))
def test_no_address_is_public_that_python_calls_special(address: IPv4Address | IPv6Address) -> None:
    special = address.is_private or address.is_multicast or address.is_unspecified or address.is_loopback
    carried = isinstance(address, IPv6Address) and bool(address.ipv4_mapped or address.sixtofour)
    if is_public(address) and not carried:
        assert not special
        assert not address.is_reserved or address in ip_network("64:ff9b::/96")


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "64:ff9b::", "2002::"]))
def test_an_address_that_stands_for_another_is_as_public_as_that(address: IPv4Address, prefix: str) -> None:
    shift = 80 if prefix == "2002::" else 0
    assert is_public(IPv6Address(int(IPv6Address(prefix)) | int(address) << shift)) == is_public(address)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hooks.example.com", Target("https", "hooks.example.com", 443, "/")),
        ("https://hooks.example.com:443/a", Target("https", "hooks.example.com", 443, "/a")),
        (
            "HTTPS://Hooks.Example.COM/A%20b;c?d=[e]&f=@",
            Target("https", "hooks.example.com", 443, "/A%20b;c?d=[e]&f=@"),
        ),
        ("https://hooks.example.com?x=1", Target("https", "hooks.example.com", 443, "/?x=1")),
        ("https://xn--hks-sna.example/", Target("https", "xn--hks-sna.example", 443, "/")),
        ("https://1.2.3.4.example.com/", Target("https", "1.2.3.4.example.com", 443, "/")),
        ("https://" + "a" * 63 + ".example.com/", Target("https", "a" * 63 + ".example.com", 443, "/")),
    ],
)
def test_an_address_is_read_into_its_parts(url: str, target: Target) -> None:
    assert check_url(url) == target


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("https://user@hooks.example.com/", "before the @"),
        ("https://hooks.example.com/#here", "Leave out the #"),
        ("https://hööks.example.com/", "xn-- form"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://hooks.example.com:8443/", "port out"),
        ("http://hooks.example.com/", "https://"),
    ],
)
def test_a_refusal_says_what_to_do(url: str, advice: str) -> None:
    checked = check_url(url)
    assert isinstance(checked, Failure)
    assert advice in checked.detail


def test_the_longest_address_has_2000_characters() -> None:
    url = "https://hooks.example.com/".ljust(2000, "a")
    assert isinstance(check_url(url), Target)
    assert isinstance(check_url(url + "a"), Failure)


def test_http_and_other_ports_are_for_allowed_networks_only(connected: list[tuple[str, int]]) -> None:
    networks = (ip_network("10.1.0.0/16"),)

    def sent(url: str, *answer: str) -> str | None:
        return post(url, b"{}", {}, networks=networks, lookup=Names([answer])).failure

    assert sent("http://10.1.2.3:8080/", "10.1.2.3") == "connection_failed"
    assert sent("http://receiver:8080/", "10.1.2.3") == "connection_failed"
    assert sent("https://hooks.example.com/", "8.8.8.8") == "connection_failed"
    assert connected == [("10.1.2.3", 8080), ("10.1.2.3", 8080), ("8.8.8.8", 443)]
    assert sent("http://hooks.example.com/", "8.8.8.8") == "not_https"
    assert sent("http://hooks.example.com/", "10.1.2.3", "8.8.8.8") == "not_https"
    assert sent("https://hooks.example.com:8443/", "8.8.8.8") == "port_not_allowed"
    assert sent("http://receiver:8080/", "10.2.0.1") == "private_address"
    assert sent("http://receiver:8080/", "10.1.2.3", "127.0.0.1") == "private_address"
    assert sent("http://receiver:8080/", "::ffff:10.1.2.3") == "private_address"
    assert len(connected) == 3


def test_resolving_gives_every_address_once_asked() -> None:
    names = Names([("8.8.8.8", "2606:4700:4700::1111")])
    target = Target("https", "hooks.example.com", 443, "/")
    assert resolve(target, lookup=names) == [ip_address("8.8.8.8"), ip_address("2606:4700:4700::1111")]
    assert names.asked == ["hooks.example.com"]


def test_a_name_without_an_address_is_not_found(connected: list[tuple[str, int]]) -> None:
    sent = post("https://hooks.example.com/", b"{}", {}, lookup=Names([()]))
    assert (sent.status, sent.failure, connected) == (None, "name_not_found", [])


def test_a_name_that_changes_its_answer_is_asked_once_and_what_was_checked_is_connected_to(
    connected: list[tuple[str, int]],
) -> None:
    names = Names([("8.8.8.8",), ("127.0.0.1",)])
    assert post("https://hooks.example.com/", b"{}", {}, lookup=names).failure == "connection_failed"
    assert names.asked == ["hooks.example.com"]
    assert connected == [("8.8.8.8", 443)]
    assert post("https://hooks.example.com/", b"{}", {}, lookup=names).failure == "private_address"
    assert connected == [("8.8.8.8", 443)]


def test_the_next_address_is_tried_where_one_takes_no_connection(receive: MakeReceiver) -> None:
    receiver = receive()
    networks = (*HERE, ip_network("::1/128"))
    sent = post(receiver.url("hooks.example.com"), b"{}", {}, networks, lookup=Names([("::1", "127.0.0.1")]))
    assert sent.status == 200


def test_of_many_addresses_only_a_few_are_tried(connected: list[tuple[str, int]]) -> None:
    many = tuple(f"8.8.8.{last}" for last in range(200))
    assert post("https://hooks.example.com/", b"{}", {}, lookup=Names([many])).failure == "connection_failed"
    assert connected == [(one, 443) for one in many[:4]]


def test_what_is_sent_arrives_as_it_is(receive: MakeReceiver) -> None:
    receiver = receive()
    body = '{"name": "Zoë"}'.encode()
    sent = post(
        receiver.url("hooks.example.com"),
        body,
        {"Content-Type": "application/json", "webhook-id": "evt_1"},
        HERE,
        lookup=Names([("127.0.0.1",)]),
    )
    assert sent == Sent(200, None, "", sent.milliseconds)
    [request] = receiver.requests
    head, _, got = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /events?x=1 HTTP/1.1"
    assert sorted(line.lower() for line in lines[1:]) == [
        "accept-encoding: identity",
        "connection: close",
        f"content-length: {len(body)}",
        "content-type: application/json",
        f"host: hooks.example.com:{receiver.port}",
        "webhook-id: evt_1",
    ]
    assert got == body


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (200, None),
        (204, None),
        (299, None),
        (300, "redirected"),
        (304, "redirected"),
        (400, "answered_4xx"),
        (410, "answered_4xx"),
        (500, "answered_5xx"),
        (503, "answered_5xx"),
        (101, "not_http"),
        (600, "not_http"),
        (999, "not_http"),
    ],
)
def test_only_a_status_from_200_to_299_confirms(receive: MakeReceiver, status: int, failure: str | None) -> None:
    receiver = receive(say(f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n".encode()))
    sent = post(receiver.url(), b"{}", {}, HERE)
    assert (sent.status, sent.failure) == (status, failure)
    assert bool(sent.detail) == (failure is not None)


def test_a_redirect_is_not_followed(receive: MakeReceiver) -> None:
    inner = receive()
    for status in (301, 302, 303, 307, 308):
        outer = receive(say(f"HTTP/1.1 {status} Go\r\nLocation: {inner.url()}\r\nContent-Length: 0\r\n\r\n".encode()))
        assert post(outer.url(), b"{}", {}, HERE).failure == "redirected"
        assert len(outer.requests) == 1
    assert inner.requests == []


SLOW = {
    "says nothing": say(then_wait=2),
    "spells its status": say(*[b"H"] * 40, every=0.05),
    "spells a header": say(b"HTTP/1.1 200 OK\r\nX-A: ", *[b"a"] * 40, every=0.05),
    "sends a header now and then": say(b"HTTP/1.1 200 OK\r\n", *[b"X-A: a\r\n"] * 40, every=0.05),
    "asks to continue now and then": say(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 40, every=0.05),
}


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_a_receiver_that_is_slow_is_left_in_time(receive: MakeReceiver, answer: Answer) -> None:
    sent, seconds = timed(receive(answer).url(), 0.5)
    assert (sent.status, sent.failure) == (None, "timed_out")
    assert 0.4 < seconds < 1.5
    assert sent.milliseconds == pytest.approx(seconds * 1000, abs=50)


def read_slowly(connection: socket.socket) -> None:
    for _ in range(40):
        connection.recv(500_000)
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [say(then_wait=2), read_slowly], ids=["not at all", "slowly"])
def test_a_receiver_that_does_not_read_is_left_in_time(receive: MakeReceiver, answer: Answer) -> None:
    sent, seconds = timed(receive(answer, reads=False).url(), 0.5, b" " * 50_000_000 + b"{}")
    assert sent.failure == "timed_out"
    assert seconds < 1.5


@pytest.mark.parametrize(
    "answer",
    [say(then_wait=2), say(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", *[b"a"] * 40, every=0.05)],
    ids=["says nothing", "spells it"],
)
def test_a_slow_handshake_is_left_in_time(receive: MakeReceiver, answer: Answer) -> None:
    sent, seconds = timed(receive(answer, reads=False).url(scheme="https"), 0.5)
    assert sent.failure == "timed_out"
    assert seconds < 1.5


def test_a_slow_name_server_is_left_in_time(connected: list[tuple[str, int]]) -> None:
    until = threading.Event()

    def lookup(*_: Any) -> list[tuple[Any, ...]]:
        until.wait(5)
        return entries("8.8.8.8")

    start = time.monotonic()
    assert post("https://hooks.example.com/", b"{}", {}, timeout=0.3, lookup=lookup).failure == "timed_out"
    assert time.monotonic() - start < 1.3
    until.set()
    assert connected == []


def test_nothing_may_take_longer_than_ten_seconds(monkeypatch: pytest.MonkeyPatch, receive: MakeReceiver) -> None:
    assert outbound.LONGEST_SECONDS == 10
    monkeypatch.setattr(outbound, "LONGEST_SECONDS", 0.3)
    sent, seconds = timed(receive(say(then_wait=2)).url(), 60)
    assert sent.failure == "timed_out"
    assert seconds < 1.3


ENDLESS = {
    "status": [b"HTTP/1.1 200 " + b"O" * 70_000],
    "header": [b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000],
    "headers": [b"HTTP/1.1 200 OK\r\n"] + [b"X-A: " + b"a" * 10_000 + b"\r\n"] * 10_000,
    "short headers": [b"HTTP/1.1 200 OK\r\n", b"X-A: a\r\n" * 200],
    "continuations": [b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000],
}


@pytest.mark.parametrize("parts", ENDLESS.values(), ids=ENDLESS)
def test_of_an_answer_without_an_end_64_kib_are_read(
    receive: MakeReceiver, monkeypatch: pytest.MonkeyPatch, parts: list[bytes]
) -> None:
    read = []
    into = outbound._Bounded.readinto

    def counted(self: outbound._Bounded, buffer: Any) -> int:
        read.append(into(self, buffer))
        return read[-1]

    monkeypatch.setattr(outbound._Bounded, "readinto", counted)
    sent, seconds = timed(receive(say(*parts)).url(), 5)
    assert (sent.status, sent.failure) == (None, "not_http")
    assert sum(read) <= 65536
    assert seconds < 2


def test_a_body_without_an_end_is_not_waited_for(receive: MakeReceiver) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for parts, every in (
        ([head] + [b"4000\r\n" + b"a" * 16384 + b"\r\n"] * 10_000, 0),
        ([head] + [b"1\r\na\r\n"] * 40, 0.05),
    ):
        sent, seconds = timed(receive(say(*parts, every=every)).url(), 5)
        assert sent.status == 200
        assert sent.failure is None
        assert seconds < 1


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (b"", "connection_failed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not_http"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "not_http"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "not_http"),
        (b"HTTP/1.1 -20 OK\r\n\r\n", "not_http"),
        (b"HTTP/9.9 200 OK\r\n\r\n", "not_http"),
        (b"\xff\xfe\x00\r\n\r\n", "not_http"),
        (b"200 OK\r\n\r\n", "not_http"),
    ],
)
def test_what_is_no_answer_in_http_is_said(receive: MakeReceiver, said: bytes, failure: str) -> None:
    sent = post(receive(say(said)).url(), b"{}", {}, HERE)
    assert (sent.status, sent.failure) == (None, failure)
    assert sent.detail.startswith("127.0.0.1 ")


PIECES = (
    b"HTTP/1.1 200 OK\r\n|HTTP/1.0 |HTTP/0.9|\r\n|\n|\r| |:|\0|1|100|-1|=?utf-8?q?|\xc3\x28|X:|Content-Length: "
    b"|Transfer-Encoding: chunked\r\n|Content-Type: multipart/x; boundary=a\r\n|Content-Transfer-Encoding: base64"
).split(b"|")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=5)), max_size=12).map(b"".join))
def test_no_answer_makes_it_raise(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        monkeypatch.setattr(socket, "create_connection", lambda *_, **__: ours)
        sent = post("http://127.0.0.1/", b"{}", {}, HERE, lookup=Names([("127.0.0.1",)]))
    assert (sent.failure is None) == (sent.status is not None and 200 <= sent.status < 300)
    assert sent.failure is None or sent.failure in CODES


def test_a_closed_port_is_a_failed_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    sent = post(f"http://127.0.0.1:{port}/", b"{}", {}, HERE)
    assert (sent.status, sent.failure) == (None, "connection_failed")
    assert "Connection refused" in sent.detail


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """What a receiver needs to be hooks.example.com."""
    (tmp_path / "certificate.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem")
    return context


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system trusts the authority of these tests."""
    (tmp_path / "authority.pem").write_text(AUTHORITY)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@pytest.mark.usefixtures("trusted")
def test_by_tls_the_checked_address_is_asked_for_the_name_and_has_to_prove_it(
    receive: MakeReceiver, tls: ssl.SSLContext
) -> None:
    receiver = receive(tls=tls)
    names = Names([("127.0.0.1",), ("127.0.0.2",)])
    sent = post(receiver.url("hooks.example.com", "https"), b"{}", {}, HERE, lookup=names)
    assert (sent.status, sent.failure) == (200, None)
    assert receiver.names == ["hooks.example.com"]
    assert f"Host: hooks.example.com:{receiver.port}\r\n".encode() in receiver.requests[0]
    assert names.asked == ["hooks.example.com"]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "host", ["other.example.com", "127.0.0.1", "example.com", "a.hooks.example.com", "xn--a.example.com"]
)
def test_a_certificate_of_another_name_is_refused_and_nothing_is_sent(
    receive: MakeReceiver, tls: ssl.SSLContext, host: str
) -> None:
    receiver = receive(tls=tls)
    sent = post(receiver.url(host, "https"), b"{}", {}, HERE, lookup=Names([("127.0.0.1",)]))
    assert (sent.status, sent.failure) == (None, "tls_failed")
    assert "certificate is not valid for" in sent.detail
    assert b"".join(receiver.requests) == b""


def test_a_certificate_of_an_unknown_authority_is_refused(receive: MakeReceiver, tls: ssl.SSLContext) -> None:
    receiver = receive(tls=tls)
    sent = post(receiver.url("hooks.example.com", "https"), b"{}", {}, HERE, lookup=Names([("127.0.0.1",)]))
    assert (sent.status, sent.failure) == (None, "tls_failed")
    assert b"".join(receiver.requests) == b""


def test_a_receiver_without_tls_is_refused(receive: MakeReceiver) -> None:
    receiver = receive(say(CONFIRMED), reads=False)
    assert post(receiver.url(scheme="https"), b"{}", {}, HERE).failure == "tls_failed"


def test_the_environment_names_no_proxy_and_no_password(
    receive: MakeReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, receiver = receive(), receive()
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy.url())
        monkeypatch.setenv(name.upper(), proxy.url())
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert post(receiver.url(), b"{}", {}, HERE).status == 200
    assert proxy.requests == []
    assert b"authorization" not in receiver.requests[0].lower()


OLD, NEW, STRANGE = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8, "whsec_" + "bm9uZQ=="
EVENT = '{"type": "batch.finished", "data": {"name": "Zoë"}}'.encode()


@pytest.mark.parametrize("secrets", [(OLD,), (OLD, NEW)])
def test_a_signature_is_accepted_by_the_published_library_with_each_secret(secrets: tuple[str, ...]) -> None:
    headers = sign(secrets, "evt_1", int(time.time()), EVENT)
    assert sorted(headers) == ["webhook-id", "webhook-signature", "webhook-timestamp"]
    assert len(headers["webhook-signature"].split(" ")) == len(secrets)
    for secret in secrets:
        assert Webhook(secret).verify(EVENT, headers)["type"] == "batch.finished"
    for wrong in ({"webhook-id": "evt_2"}, {"webhook-timestamp": str(int(time.time()) - 60)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(EVENT, headers | wrong)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(EVENT + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(STRANGE).verify(EVENT, headers)


def test_a_signature_is_that_of_the_specification() -> None:
    """The example that the specification and its libraries are tested with."""
    headers = sign(
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def timed(url: str, timeout: float, body: bytes = b"{}") -> tuple[Sent, float]:
    start = time.monotonic()
    return post(url, body, {}, HERE, timeout), time.monotonic() - start
