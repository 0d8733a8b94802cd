"""Keys: shown once, useless to whoever reads the database, and refused all alike."""

import re
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from advisor.errors import AdvisorError, Forbidden, Unauthenticated
from advisor.services import keys
from advisor.services.keys import DAY_MS, SCOPES, Caller
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.store.tables import METADATA, api_keys, workspaces

SECRET = b"a secret of the tests"
SHOP = "https://shop.example"
SELLER = {"marketplace": "US"}
NOW = 1_800_000_000_000

Make = Callable[..., str]


@pytest.fixture
def make(database: Database) -> Make:
    """Make a key."""

    def create(workspace: str = "Acme", **given: Any) -> str:
        with database.writing() as connection:
            return keys.create(connection, SECRET, workspace, **given)

    return create


def found(database: Database, key: str, secret: bytes = SECRET) -> Caller:
    with database.reading() as connection:
        return keys.find(connection, secret, key)[0]


def refused(database: Database, key: str, secret: bytes = SECRET) -> bool:
    with pytest.raises(Unauthenticated), database.reading() as connection:
        keys.find(connection, secret, key)
    return True


# Their form


@pytest.mark.parametrize("origins", [(), (SHOP,)])
def test_only_the_hash_of_a_key_is_kept(database: Database, make: Make, origins: tuple[str, ...]) -> None:
    key = make(origins=origins)
    kind, key_id, secret, check = key.split("_")
    assert kind == ("pk" if origins else "sk")
    assert (len(secret), len({make(name=f"{number}").split("_")[2] for number in range(5)})) == (64, 5)
    with database.reading() as connection:
        dump = repr([connection.execute(select(table)).all() for table in METADATA.sorted_tables])
        (digest,) = connection.execute(select(api_keys.c.digest).where(api_keys.c.id == key_id)).one()
    assert key_id in dump and digest in dump
    pieces = {secret[start : start + 8] for start in range(57)}
    assert not [one for one in pieces | {check} if one in dump.replace(digest, "")]
    assert digest != secret
    assert found(database, key).key == key_id


def test_a_key_is_worth_nothing_with_another_secret_of_the_server(database: Database, make: Make) -> None:
    key = make()
    assert found(database, key)
    assert refused(database, key, b"another secret of the server")
    assert refused(database, key, b"")


def test_check_digits_tell_every_single_changed_character(make: Make) -> None:
    for key in (make(), make("Other", origins=[SHOP])):
        assert keys.is_well_formed(key)
        for place, right in enumerate(key):
            for other in set(string.ascii_letters + string.digits + "_-. é\0") - {right}:
                assert not keys.is_well_formed(key[:place] + other + key[place + 1 :]), (key, place, other)
            assert not keys.is_well_formed(key[:place] + key[place + 1 :])
            assert not keys.is_well_formed(key[:place] + right + key[place:])
        for swapped in range(len(key) - 1):
            pair = key[swapped : swapped + 2]
            if pair[0] != pair[1]:
                assert not keys.is_well_formed(key[:swapped] + pair[::-1] + key[swapped + 2 :])
        assert not any(map(keys.is_well_formed, (key.upper(), f"{key}\n", f" {key}", "", key * 2)))


@given(st.text(max_size=100))
def test_other_texts_are_no_keys(text: str) -> None:
    assert not keys.is_well_formed(text)


def test_names_and_scopes_are_checked(database: Database, make: Make) -> None:
    for wrong in (
        {"workspace": ""},
        {"workspace": "x" * 101},
        {"workspace": "a\nb"},
        {"workspace": "a\udcff"},
        {"name": ""},
        {"name": "\0"},
        {"scopes": ["sellers:read", "everything"]},
        {"origins": [SHOP, "*"]},
    ):
        with pytest.raises(AdvisorError):
            make(**wrong)
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(workspaces)).scalar() == 0
    assert make("x" * 100, name="Ünïcödé 🦄")


# Who may what, and how long


def test_a_key_expires_at_its_moment_and_is_revoked_at_once(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [NOW]
    monkeypatch.setattr(keys, "now_ms", lambda: now[0])
    short, long = make(days=1), make(name="other")
    now[0] = NOW + DAY_MS - 1
    assert found(database, short) and found(database, long)
    now[0] = NOW + DAY_MS
    assert refused(database, short)
    assert found(database, long)
    with database.writing() as connection:
        assert keys.revoke(connection, long) == long.split("_")[1]
    assert refused(database, long)
    with database.writing() as connection:
        keys.revoke(connection, long.split("_")[1])  # again, by its id: nothing more happens
        now[0] += 1
        keys.revoke(connection, long)
        states = {one.id: one for one in keys.listed(connection)}
    assert states[long.split("_")[1]].revoked_at == NOW + DAY_MS
    for unknown in ("00000000", "", "x" * 500, long.replace("sk_", "xx_")):
        with pytest.raises(AdvisorError, match="There is no key"), database.writing() as connection:
            keys.revoke(connection, unknown)


def test_of_a_name_two_keys_are_live_and_a_third_takes_the_place_of_one(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [NOW]
    monkeypatch.setattr(keys, "now_ms", lambda: now[0])
    first, second = make(), make(days=1)
    assert found(database, first).workspace == found(database, second).workspace
    with pytest.raises(AdvisorError, match="has 2 live keys") as told:
        make()
    assert all(one.split("_")[1] in str(told.value) for one in (first, second))
    make(name="another name")
    make("Another workspace")
    with database.writing() as connection:
        keys.revoke(connection, first)
    third = make()
    with pytest.raises(AdvisorError, match="live keys"):
        make()
    now[0] += DAY_MS  # the second expires
    fourth = make()
    assert [refused(database, one) for one in (first, second)] == [True, True]
    assert found(database, third) and found(database, fourth)


def test_a_workspace_is_made_once_whoever_makes_its_keys_at_the_same_time(database: Database, make: Make) -> None:
    def create(number: int) -> str:
        try:
            return make(name="same")
        except AdvisorError as error:
            return str(error)

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(create, range(6)))
    live = [one for one in made if keys.is_well_formed(one)]
    assert len(live) == 2
    assert all("has 2 live keys" in one for one in made if one not in live)
    assert len({found(database, one).workspace for one in live}) == 1
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(workspaces)).scalar() == 1


def test_a_key_has_its_scopes_and_no_others(database: Database, make: Make) -> None:
    assert found(database, make()).scopes == set(SCOPES)
    for scope in SCOPES:
        caller = found(database, make(name=scope, scopes=[scope, scope]))
        caller.require(scope)
        for other in set(SCOPES) - {scope}:
            with pytest.raises(Forbidden, match=other):
                caller.require(other)
    none = found(database, make(name="none", scopes=[]))
    public = found(database, make(name="public", origins=[SHOP]))
    assert public.scopes == none.scopes == frozenset()
    for scope in SCOPES:
        with pytest.raises(Forbidden, match="publishable"):
            public.require(scope)
        with pytest.raises(Forbidden):
            none.require(scope)


# Origins


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (SHOP, SHOP),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("https://a-b.c_d.example", "https://a-b.c_d.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("https://localhost", "https://localhost"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://shop.localhost:3000", "http://shop.localhost:3000"),
        ("http://127.0.0.1:65535", "http://127.0.0.1:65535"),
        ("HTTPS://Shop.Example", SHOP),  # a browser writes it small
    ],
)
def test_an_origin_is_what_a_browser_sends(text: str, origin: str) -> None:
    assert keys.read_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "https://",
        "https://*",
        "https://*.shop.example",
        "shop.example",
        "//shop.example",
        "http://shop.example",
        "http://localhost.shop.example",
        "http://shoplocalhost",
        "http://127.0.0.2",
        "ftp://shop.example",
        "file:///shop",
        "javascript:alert(1)",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example?",
        "https://shop.example#",
        "https://shop.example.",
        "https://.shop.example",
        "https://shop..example",
        "https://-shop.example",
        f"https://{'x' * 64}.example",
        "https://user@shop.example",
        "https://user:word@shop.example",
        "https://@shop.example",
        "https://shop.example:",
        "https://shop.example:0",
        "https://shop.example:00",
        "https://shop.example:08443",
        "https://shop.example:443",
        "http://localhost:80",
        "https://shop.example:65536",
        "https://shop.example:99999",
        "https://shop.example:-1",
        "https://shop.example:x",
        "https://shop.example:٣",
        "https://[::1]",
        "https://bücher.example",
        "https://shop.example ",
        " https://shop.example",
        "https://shop.example\n",
        "https://sh\top.example",
        "https://shop.example\0",
        "https://shop.example, https://b.example",
        "https://shop.example https://b.example",
        "https://shop;frame-ancestors",
        "https://shop%2eexample",
        "https://shop\\example",
        "https:\\\\shop.example",
        "https:shop.example",
        "https:///shop.example",
    ],
)
def test_what_is_no_exact_origin_is_refused(text: str) -> None:
    with pytest.raises(AdvisorError, match="is no origin"):
        keys.read_origin(text)


@given(st.text(max_size=40).map(lambda text: f"https://{text}"))
def test_whatever_is_taken_for_an_origin_is_one(text: str) -> None:
    try:
        origin = keys.read_origin(text)
    except AdvisorError:
        return
    assert re.fullmatch(r"https://[a-z0-9_.-]+(:[0-9]+)?", origin)
    assert keys.read_origin(origin) == origin


# Over HTTP


def test_every_key_that_is_not_good_is_refused_in_the_same_words(
    workspace: Any, settings: Settings, database: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, revoked, expired = (make(name=name) for name in ("good", "revoked", "expired"))
    public = make(name="public", origins=[SHOP])
    with database.writing() as connection:
        keys.revoke(connection, revoked)
        gone = api_keys.update().where(api_keys.c.id == expired.split("_")[1])
        connection.execute(gone.values(expires_at=keys.now_ms() - 1))
    _, key_id, secret, _ = good.split("_")
    other_secret = made_up("sk", key_id, "0" * 64)
    unknown = made_up("sk", "00000000", secret)
    other_kind = made_up("pk", key_id, secret)
    public_as_secret = made_up("sk", *public.split("_")[1:3])
    mistyped = good[:-1] + ("0" if good[-1] != "0" else "1")
    wrong = (other_secret, unknown, other_kind, public_as_secret, revoked, expired, mistyped, "nonsense", "x" * 5000)
    answers = set()
    for key in wrong:
        answer = workspace.with_key(key).get("/v1/sellers")
        headers = {name: text for name, text in answer.headers if name not in ("X-Request-Id", "Date")}
        assert answer.json.pop("request_id") == answer.headers["X-Request-Id"]
        answers.add(repr((answer.status_code, sorted(headers.items()), without_id(answer))))
    for headers in ({}, {"Authorization": good}, {"Authorization": f"Basic {good}"}, {"Authorization": "Bearer"}):
        answer = workspace.client.get("/v1/sellers", headers=headers)
        headers = {name: text for name, text in answer.headers if name not in ("X-Request-Id", "Date")}
        answers.add(repr((answer.status_code, sorted(headers.items()), without_id(answer))))
    assert len(answers) == 1, answers
    assert "401" in answers.pop()
    assert workspace.with_key(good).get("/v1/sellers").status_code == 200


def without_id(answer: Any) -> bytes:
    return bytes(answer.data.replace(answer.headers["X-Request-Id"].encode(), b""))


def made_up(kind: str, key_id: str, secret: str) -> str:
    """Make a key of the right form, with the right check digits."""
    body = f"{kind}_{key_id}_{secret}"
    return f"{body}_{keys._check(body)}"


def test_a_revoked_key_opens_nothing_from_then_on(workspace: Any, database: Database) -> None:
    assert workspace.put("/v1/sellers/a", json=SELLER).status_code == 201
    with database.writing() as connection:
        keys.revoke(connection, workspace.key)
    for answer in (
        workspace.get("/v1/sellers/a"),
        workspace.delete("/v1/sellers/a"),
        workspace.post("/v1/sellers/a/snapshots", json={"metrics": {}}, headers={"Idempotency-Key": "x"}),
        workspace.post("/v1/batches", data=b"a,b\n", headers={"Content-Type": "text/csv"}),
    ):
        assert answer.status_code == 401


def test_a_publishable_key_opens_no_stored_data_from_any_page(workspace: Any, make: Make) -> None:
    public = workspace.with_key(make("Acme", name="web", origins=[SHOP]))
    for headers in ({}, {"Origin": SHOP}):
        for answer in (
            public.get("/v1/sellers", headers=headers),
            public.put("/v1/sellers/a", json=SELLER, headers=headers),
            public.delete("/v1/sellers/a", headers=headers),
            public.post("/v1/batches", data=b"a,b\n", headers={"Content-Type": "text/csv", **headers}),
        ):
            assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert workspace.get("/v1/sellers").json["items"] == []


def test_the_day_of_the_last_use_is_noted_once_a_day(workspace: Any, stored_app: Any, database: Database) -> None:
    notes: list[str] = []

    @event.listens_for(stored_app.extensions["advisor.database"].engine, "before_cursor_execute")
    def note(_1: Any, _2: Any, statement: str, *_: Any) -> None:
        if "UPDATE api_key" in statement:
            notes.append(statement)

    def noted() -> list[str | None]:
        with database.reading() as connection:
            return [one.last_used_on for one in keys.listed(connection)]

    assert noted() == [None]
    for _ in range(3):
        assert workspace.get("/v1/sellers").status_code == 200
    assert (len(notes), noted()) == (1, [datetime.now(UTC).date().isoformat()])
    with database.writing() as connection:
        keys.note_use(connection, workspace.key.split("_")[1], date(2020, 1, 1))
    for _ in range(3):
        workspace.put("/v1/sellers/a", json=SELLER)
    assert (len(notes), noted()) == (2, [datetime.now(UTC).date().isoformat()])
    assert (
        workspace.with_key(made_up("sk", workspace.key.split("_")[1], "0" * 64)).get("/v1/sellers").status_code == 401
    )
    assert len(notes) == 2
