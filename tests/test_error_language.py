"""Errors in the reader's language: with a second language whose every sentence stands in brackets, no word is outside.

The brackets are put around whole messages, so what is glued together of pieces shows, and so does what was never made
with `say`. Without the brackets it has to be the English answer.
"""

import ast
import io
import json
import string
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from babel.support import NullTranslations
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from advisor.batch import REJECTS
from advisor.catalog import default_data_dir
from advisor.errors import NotFound, StoreFull, StoreUnavailable, UnknownName, say
from advisor.messages import Messages, negotiate
from advisor.services import batches, idempotency, keys
from advisor.services import webhooks as service
from advisor.settings import Settings
from advisor.store import disk
from advisor.store.database import TOO_BUSY, Database
from advisor.web import create_app, language
from tests.catalogs import said_in_data
from tests.conftest import CATALOG

PACKAGE = Path(__file__).parent.parent / "advisor"
CORPUS = Path(__file__).parent / "corpus"
BAD_JSON = tomllib.loads((CORPUS / "bad_json.toml").read_text(encoding="utf-8"))
BAD_CSV = tomllib.loads((CORPUS / "bad_csv.toml").read_text(encoding="utf-8"))["file"]
OPEN, CLOSE = "⟦⟧"
BRACKETED = {"Accept-Language": "qaa"}
LINE = {"category": "jewelry", "price": "300.00"}
ACCOUNTS = b"seller_id,marketplace\nA1,US\n"
LINES, PARQUET = "application/x-ndjson", "application/vnd.apache.parquet"
URL = "https://hooks.example.com/advisor"


class Brackets(NullTranslations):
    """A catalog in which every message is itself, in brackets; it remembers those it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        return f"{OPEN}{message}{CLOSE}"


@pytest.fixture(autouse=True)
def brackets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add the second language; in the end, all it was asked for is in the code or in the data, to be translated."""
    catalog, bracketed = Brackets(), Messages()
    bracketed._translations = catalog
    monkeypatch.setattr(language, "negotiate", lambda wanted: bracketed if wanted[:1] == ["qaa"] else negotiate(wanted))
    language._language.cache_clear()
    yield
    language._language.cache_clear()
    assert catalog.asked <= {message for message, _ in said()} | said_in_rules()


@pytest.fixture
def database_url(make_url: Any) -> str:
    """SQLite is enough: no sentence depends on the database."""
    url: str = make_url("sqlite")
    return url


def whole(text: str) -> bool:
    """Tell whether a text is one sentence of the second language: no bracket closes what the first has opened."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == OPEN) - (character == CLOSE)
        if depth == 0 and place < len(text) - 1:
            return False
    return text.startswith(OPEN) and depth == 0


def without(text: str) -> str:
    return text.replace(OPEN, "").replace(CLOSE, "")


def same(english: Any, bracketed: Any) -> None:
    """Check that a problem is the English one, all of whose sentences are in the second language."""
    texts = [(english["title"], bracketed["title"]), (english["detail"], bracketed["detail"])]
    texts += [(a["detail"], b["detail"]) for a, b in zip(english["errors"], bracketed["errors"], strict=True)]
    for plain, text in texts:
        assert OPEN not in plain and whole(text), (plain, text)
        assert without(text) == plain

    def rest(problem: Any) -> Any:
        names = [(one["pointer"], one["code"]) for one in problem["errors"]]
        return names, {name: problem[name] for name in ("type", "status", "instance")}

    assert rest(bracketed) == rest(english)


def told(client: Any, method: str, path: str, status: int, headers: dict[str, str] | None = None, **given: Any) -> Any:
    """Ask in both languages and compare; give the problem in English."""
    ask = (
        client.open
        if isinstance(client, FlaskClient)
        else lambda path, method, **more: client.ask(method, path, **more)
    )
    english = ask(path, method=method, headers=headers or {}, **given)
    bracketed = ask(path, method=method, headers={**BRACKETED, **(headers or {})}, **given)
    assert (english.status_code, bracketed.status_code) == (status, status), english.text
    assert english.content_type == bracketed.content_type == "application/problem+json"
    assert english.headers["Content-Language"] == "en"
    same(english.get_json(), bracketed.get_json())
    return english.get_json()


def post(client: Any, route: str, status: int, body: bytes | str, **more: Any) -> Any:
    return told(client, "POST", route, status, data=body, content_type="application/json", **more)


# What is said in code


@cache
def said() -> list[tuple[str, ast.Call]]:
    """List the messages of every `say("...")`."""
    calls = [
        node
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say" and node.args
    ]
    return [(node.args[0].value, node) for node in calls if isinstance(node.args[0], ast.Constant)]


@cache
def said_in_rules() -> frozenset[str]:
    """List the texts of the rule data: names of metrics stand in sentences."""
    return frozenset(text for text, _ in said_in_data(default_data_dir()))


def test_placeholders_are_plain_names_that_are_filled_in() -> None:
    """Translators get names: no positions, no formats, nothing to reach into; and each has its value."""
    found = said()
    assert len(found) > 200
    for message, call in found:
        given = {one.arg for one in call.keywords}
        if not given:
            continue  # such a message is never filled in: its braces are what they are
        named = {name for _, name, _, _ in string.Formatter().parse(message) if name is not None}
        assert all(name.isidentifier() for name in named), message
        assert all(not form and conversion is None for _, _, form, conversion in string.Formatter().parse(message))
        assert None in given or given == named, message


def test_an_error_gives_its_sentence_as_it_was_made() -> None:
    """`str` of an error is a plain text."""
    for error in (UnknownName("program", "x{0}", ["a", "b"]), NotFound("seller", "{x}"), NotFound("thing", "x")):
        assert error.detail.message and str(error) == error.detail  # type: ignore[attr-defined]
    assert StoreUnavailable().detail == ""


# What is not JSON, and what is wrong in it


@pytest.mark.parametrize("case", BAD_JSON["unreadable"], ids=lambda case: case["name"])
def test_unreadable_json(client: FlaskClient, case: Any) -> None:
    post(client, "/v1/assessments", 400, case["body"].encode())


@pytest.mark.parametrize(
    "body", [b"", b"\xef\xbb\xbf{}", b"\xff", b"[" * 100, b"9" * 50, b"0." + b"9" * 50, b'{"a": 1, "a": 2}'], ids=repr
)
def test_bytes_that_are_no_json(client: FlaskClient, body: bytes) -> None:
    post(client, "/v1/assessments", 400, body)


@pytest.mark.parametrize("case", BAD_JSON["account"], ids=lambda case: case["name"])
def test_bad_accounts_alone_and_in_a_batch(client: FlaskClient, case: Any) -> None:
    post(client, "/v1/assessments", 422, case["body"])
    given = {"data": f'{{"items": [{case["body"]}]}}', "content_type": "application/json"}
    english = client.post("/v1/assessments:batch", **given)
    bracketed = client.post("/v1/assessments:batch", headers=BRACKETED, **given)
    same(english.json["items"][0]["problem"], bracketed.json["items"][0]["problem"])


@pytest.mark.parametrize("case", BAD_JSON["line"], ids=lambda case: case["name"])
def test_bad_lines(client: FlaskClient, case: Any) -> None:
    body = f'{{"marketplace": "{case.get("marketplace", "US")}", "lines": [{case["line"]}]}}'
    post(client, "/v1/fee-estimates", 422, body)
    post(client, "/v1/advice", 422, body)


@pytest.mark.parametrize("case", BAD_JSON["whole"], ids=lambda case: case["name"])
def test_bad_values(client: FlaskClient, case: Any) -> None:
    post(client, case["route"], 422, case["body"])


def test_one_some_and_many_wrong_values(client: FlaskClient) -> None:
    for number in (1, 2, 100, 150):
        post(client, "/v1/assessments", 422, json.dumps({f"x{place}": 1 for place in range(number - 1)}))


# What HTTP itself is wrong about


def test_addresses_methods_types_and_sizes(client: FlaskClient) -> None:
    told(client, "GET", "/v1/nowhere", 404)
    told(client, "GET", "/docs/nothing.js", 404)
    told(client, "GET", "/v1/programs/nobodys", 404)
    told(client, "GET", "/v1/fee-schedules/MARS", 404)
    told(client, "DELETE", "/v1/programs", 405)
    told(client, "POST", "/v1/assessments", 415, data=b"{}", content_type="text/plain")
    told(client, "POST", "/v1/assessments", 415, data=b"{}", content_type="application/json; charset=latin-1")
    post(client, "/v1/assessments", 415, b"{}", headers={"Content-Encoding": "gzip"})
    post(client, "/v1/assessments", 413, b" " * (2**20 + 1))
    post(client, "/v1/assessments", 400, b"{}", environ_overrides={"CONTENT_LENGTH": "3"})

    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError

    chunks = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    found = post(client, "/v1/assessments", 400, b"x", environ_overrides={"wsgi.input": Broken(), **chunks})
    assert found["errors"][0]["code"] == "body_mismatch"

    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b" " * size

    post(client, "/v1/assessments", 413, b"x", environ_overrides={"wsgi.input": Endless(), **chunks})


def test_an_untrusted_host() -> None:
    client = create_app(Settings(trusted_hosts=("advisor.example",)), CATALOG).test_client()
    for host in ("evil.example", "{evil}", "a b"):
        found = told(client, "GET", "/healthz", 400, headers={"Host": host})
        assert found["detail"] == f"Host {host!r} is not trusted."


def test_query_parameters(client: FlaskClient) -> None:
    for query in ("x=1", "as_of=1", "as_of=2026-11-22&as_of=2026-11-22", "marketplace=MARS", "{x}=1"):
        told(client, "GET", f"/v1/programs/enterprise-mall?{query}", 422)
    told(client, "GET", "/v1/programs?x=1", 422)


def test_too_many_requests(tmp_path: Path) -> None:
    nowhere = Settings(database_url=f"sqlite:///{tmp_path}/none.db", files_dir=tmp_path, rate_limit="1 per minute")
    client = create_app(nowhere, CATALOG).test_client()
    client.get("/v1/programs")
    assert "{" not in told(client, "GET", "/v1/programs", 429)["detail"]


def test_a_failure_of_the_advisor(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ValueError

    monkeypatch.setitem(app.view_functions, "api.programs", fail)
    told(app.test_client(), "GET", "/v1/programs", 500)


def test_readiness_is_told_in_whole_sentences(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be several."""
    client = app.test_client()
    told(client, "GET", "/readyz", 503)
    monkeypatch.setattr(disk, "free", lambda place: 0)
    answer = client.get("/readyz", headers=BRACKETED)
    detail = answer.json["detail"]
    assert (
        detail.startswith(OPEN) and f"{CLOSE} {OPEN}The files' disk has less room" in detail and detail.endswith(CLOSE)
    )
    assert without(detail) == client.get("/readyz").json["detail"]


# What is stored


def test_keys_and_scopes(workspace: Any, database: Database, settings: Settings) -> None:
    told(workspace.client, "GET", "/v1/sellers", 401)
    told(workspace.client, "GET", "/v1/sellers", 401, headers={"Authorization": "Bearer sk_no"})
    with database.writing() as connection:
        reader = keys.create(connection, settings.secret(), "Acme", "reader", scopes=["sellers:read"])
        public = keys.create(connection, settings.secret(), "Acme", "public", origins=["https://shop.example"])
    told(workspace.with_key(reader), "DELETE", "/v1/sellers/A1", 403)
    told(workspace.with_key(public), "GET", "/v1/sellers", 403)
    told(workspace.with_key(public), "GET", "/v1/programs", 403, headers={"Origin": "https://else.example"})


def test_what_is_not_there(workspace: Any) -> None:
    workspace.put("/v1/sellers/A1", json={"marketplace": "US"})
    for path in (
        "/v1/sellers/B1",
        "/v1/sellers/%00",
        "/v1/sellers/A1/snapshots/no",
        "/v1/sellers/A1/assessments/no",
        "/v1/batches/no",
        "/v1/batches/no/results",
        "/v1/webhook-endpoints/no",
        "/v1/webhook-endpoints/%00",
        "/v1/webhook-deliveries/no",
        "/v1/webhook-deliveries/%00",
    ):
        told(workspace, "GET", path, 404)


def test_sellers_and_pages(workspace: Any) -> None:
    workspace.put("/v1/sellers/A1", json={"marketplace": "US"})
    told(workspace, "PUT", "/v1/sellers/A1", 409, json={"marketplace": "DE"})
    told(workspace, "PUT", "/v1/sellers/A%201", 422, json={"marketplace": "US"})
    told(workspace, "PUT", "/v1/sellers/B1", 422, json={"marketplace": "US", "groups": ["x"] * 51})
    told(workspace, "POST", "/v1/sellers/A1/snapshots", 422, json={"as_of": "2999-01-01"})
    told(workspace, "GET", "/v1/sellers/A1/trend?program=no", 422)
    for query in ("cursor=x", "limit=0", "limit=201", "sort=up", "verdict=no", "group="):
        told(workspace, "GET", f"/v1/sellers?{query}", 422)


def test_idempotency(workspace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.put("/v1/sellers/A1", json={"marketplace": "US"})
    path, key = "/v1/sellers/A1/snapshots", {"Idempotency-Key": "one"}
    told(workspace, "POST", path, 400, headers={"Idempotency-Key": "a b"}, json={})
    first = workspace.post(path, headers=key, json={})
    again = workspace.post(path, headers={**key, **BRACKETED}, json={})
    assert (again.data, again.headers["Idempotent-Replayed"]) == (first.data, "true")
    told(workspace, "POST", path, 422, headers=key, json={"as_of": "2026-01-01"})
    monkeypatch.setattr(idempotency, "_known", lambda row, asked, now: _raise(idempotency._in_progress()))
    told(workspace, "POST", path, 409, headers=key, json={})


def _raise(error: Exception) -> None:
    raise error


def test_webhooks(workspace: Any, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (
        "http://hooks.example.com/",
        "https://hooks.example.com:8443/",
        "https://10.0.0.1/",
        "https://hooks.example.com/#x",
        "https://me@hooks.example.com/",
        "https://hooks.example.com:x/",
        "https://hooks/",
        "hooks",
        "https://hooks.example.com/" + "x" * 1990,
        "",
        "x" * 2001,
    ):
        told(workspace, "POST", "/v1/webhook-endpoints", 422, json={"url": url})
    told(workspace, "POST", "/v1/webhook-endpoints", 422, json={"url": URL, "events": []})
    endpoint = workspace.post("/v1/webhook-endpoints", json={"url": URL}).json["id"]
    delivery = workspace.post(f"/v1/webhook-endpoints/{endpoint}:test").json["id"]
    told(workspace, "POST", f"/v1/webhook-deliveries/{delivery}:resend", 409)
    with database.writing() as connection:
        gone = str(service._gone("2026-11-22T10:00:00.000Z"))
        connection.execute(update(service.webhook_endpoints).values(disabled=gone))
    found = told(workspace, "POST", f"/v1/webhook-endpoints/{endpoint}:test", 409)
    assert found["detail"] == f"Nothing is sent to this endpoint any more. {gone}"
    told(workspace, "GET", "/v1/webhook-deliveries?state=no", 422)
    monkeypatch.setattr(service, "MOST_ENDPOINTS", 1)
    told(workspace, "POST", "/v1/webhook-endpoints", 409, json={"url": URL})


def test_a_database_that_cannot_be_used(workspace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    no_room = say("The disk is full; nothing of this file was stored. Send it again later.")
    for error, status in ((StoreUnavailable(TOO_BUSY), 503), (StoreFull(no_room), 507)):
        with monkeypatch.context() as patch:
            patch.setattr(Database, "reading", lambda self, error=error: _raise(error))
            told(workspace, "GET", "/v1/sellers", status)


# Files of accounts


def upload(workspace: Any, status: int, body: bytes, kind: str = "text/csv", query: str = "", **more: Any) -> Any:
    return told(workspace, "POST", f"/v1/batches?{query}", status, data=body, content_type=kind, **more)


def test_files_that_do_not_arrive(workspace: Any, set_up_with: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(workspace, 415, ACCOUNTS, "text/plain")
    upload(workspace, 415, ACCOUNTS, headers={"Content-Encoding": "gzip"})
    upload(workspace, 411, b"", environ_overrides={"HTTP_TRANSFER_ENCODING": "chunked"})
    upload(workspace, 400, b"", environ_overrides={"CONTENT_LENGTH": "0"})
    upload(workspace, 400, ACCOUNTS, environ_overrides={"CONTENT_LENGTH": "1000"})
    for digest in ("sha-256=:YQ==:", "sha-256=x"):
        upload(workspace, 400, ACCOUNTS, headers={"Content-Digest": digest})
    form = "multipart/form-data; boundary=x"
    upload(workspace, 400, b"--y", form)
    upload(workspace, 422, b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n', form)
    upload(
        workspace,
        413,
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"b" * 2**21 + b"\r\n--x--\r\n",
        form,
    )
    upload(set_up_with(max_upload=10), 413, ACCOUNTS)
    upload(set_up_with(free_space=2**62), 507, ACCOUNTS)


def test_what_is_wanted_of_a_file(workspace: Any) -> None:
    for query in ("x=1", "as_of=x", "format=xls", "program=no", "format=csv&format=csv", "set=x", "set=a=1&set=a=2"):
        upload(workspace, 422, ACCOUNTS, query=query)
    upload(workspace, 422, ACCOUNTS, "application/octet-stream")


# A constant that no row can use is found out by the worker.
REFUSED = [case for case in BAD_CSV if "refused" in case and not case["refused"].startswith("--set selling_plan:")]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
def test_files_that_cannot_be_used_as_a_whole(workspace: Any, case: Any) -> None:
    options = case.get("options", ["--marketplace", "US"])
    pairs = zip(options[::2], options[1::2], strict=True)
    query = [(name.removeprefix("--"), value) for name, value in pairs]
    body = case["csv"].encode() or b"\n"
    status = workspace.post("/v1/batches", data=body, content_type="text/csv", query_string=query).status_code
    assert status in (400, 422)
    upload(workspace, status, body, query=urlencode(query))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\x1f\x8b", "text/csv"),
        (b"PK\x03\x04", "text/csv"),
        (b"PAR1", "text/csv"),
        (b"\xff\xfea\0", "text/csv"),
        (b"\xd0\xcf\x11\xe0", "text/csv"),
        (b"a,\xff\n1,2\n", "text/csv"),
        (b"a,\0\n1,2\n", "text/csv"),
        (b"\n", "text/csv"),
        (b"\n", LINES),
        (b"[]\n", LINES),
        (b"{\n", LINES),
        (b'{"x": [{}]}\n', LINES),
        (b'{"metrics": {"x": 1}, "marketplace": "US"}\n', LINES),
        (b"no Parquet", PARQUET),
        (b"seller_id" + b",n" * 1000 + b"\nA1" + b",1" * 1000 + b"\n", "text/csv"),
    ],
    ids=lambda given: repr(given)[:30],
)
def test_files_that_cannot_be_read(workspace: Any, body: bytes, kind: str) -> None:
    found = upload(workspace, 422 if len(body) > 1000 else 400, body, kind, query="marketplace=US")
    assert "incoming" not in json.dumps(found)


def test_a_batch_that_is_not_done(workspace: Any, database: Database) -> None:
    made = workspace.post("/v1/batches", data=ACCOUNTS, content_type="text/csv").json["id"]
    for state in ("queued", "running", "failed"):
        put_into(database, state)
        told(workspace, "GET", f"/v1/batches/{made}/results", 409)


def put_into(database: Database, state: str) -> None:
    with database.writing() as connection:
        connection.execute(update(batches.batches).values(state=state))


def test_a_part_of_a_file_that_is_not_there(workspace: Any, settings: Settings, database: Database) -> None:
    made = workspace.post("/v1/batches", data=ACCOUNTS, content_type="text/csv").json["id"]
    (batches.folder(settings.files_dir, made) / REJECTS).write_text("x\n")
    put_into(database, "done")
    told(workspace, "GET", f"/v1/batches/{made}/rejects", 416, headers={"Range": "bytes=99-"})


def test_a_language_that_nobody_speaks_is_english(client: FlaskClient) -> None:
    """Whatever stands in the header, an error is answered."""
    for wanted in ("tlh", ";q=", "en;q=x", "x" * 5000, "*", "qaa;q=0", "\xff"):
        answer = client.get("/v1/sellers", headers={"Accept-Language": wanted})
        assert (answer.status_code, answer.json["title"]) == (401, "A valid API key is needed")
