"""The form in a frame: who may frame it, what the frame is told, the loader, and the page that shows it live."""

import gzip
import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from advisor.domain.program import Verdict
from advisor.errors import AdvisorError
from advisor.services import keys
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.store.tables import api_keys
from advisor.web.pages import embed
from advisor.web.pages.form import EXAMPLE
from advisor.web.pages.shell import ASSETS

SHOP = "https://shop.example"
OTHER = "https://other.example:8443"
OWN = "http://localhost"  # of the test client
PAGE = {"Accept": "text/html"}
MOST_OF_LOADER = 2_000
MOST_OF_FRAME = 30_000
MOST_REQUESTS = 5
VERDICTS = {one.value for one in Verdict}

MakeKey = Callable[..., str]


@pytest.fixture
def make_key(database: Database, settings: Settings) -> MakeKey:
    """Make a key of a workspace."""

    def make(name: str = "web", **given: Any) -> str:
        with database.writing() as connection:
            return keys.create(connection, settings.secret(), "Acme", name, **given)

    return make


def made_up_key() -> str:
    """Make a publishable key of the right form that nobody was given."""
    body = f"pk_{'0' * 8}_{'0' * 64}"
    return f"{body}_{keys._check(body)}"


def ancestors(answer: TestResponse) -> list[str]:
    """List who may frame a page; nobody is nobody in each of a browser's ways to say it."""
    (policy,) = answer.headers.getlist("Content-Security-Policy")
    (found,) = re.findall(r"frame-ancestors ([^;]+)", policy)
    assert "X-Frame-Options" not in answer.headers
    return [] if found == "'none'" else found.split()


def told_to(answer: TestResponse) -> str | None:
    """Give the origin that the frame speaks with."""
    found = re.search(r'<html[^>]* data-origin="([^"]*)"', answer.text)
    return unescape(found[1]) if found else None


# Who may frame it


def test_without_a_key_the_settings_say_who_may(set_up_with: Any) -> None:
    client = set_up_with(embed_origins=(SHOP, OTHER)).client
    answer = client.get("/embed")
    assert (answer.status_code, ancestors(answer)) == (200, ["'self'", SHOP, OTHER])
    assert ancestors(client.get("/embed?key=")) == ["'self'", SHOP, OTHER]
    assert ancestors(client.get("/")) == []


def test_without_a_setting_only_the_advisor_itself_may(client: FlaskClient) -> None:
    assert ancestors(client.get("/embed")) == ["'self'"]


def test_a_key_says_who_may_and_nobody_else_may(set_up_with: Any, make_key: MakeKey) -> None:
    client = set_up_with(embed_origins=("https://settings.example",)).client
    key = make_key(origins=[SHOP, OTHER])
    for answer in (client.get(f"/embed?key={key}"), client.post(f"/embed?key={key}", data={"go": "next"})):
        assert (answer.status_code, ancestors(answer)) == (200, [SHOP, OTHER])
    own = make_key("own", origins=[OWN])
    assert ancestors(client.get(f"/embed?key={own}")) == [OWN]


def test_a_key_that_is_not_good_lets_nobody(
    workspace: Any, make_key: MakeKey, database: Database, stored_app: Flask
) -> None:
    good, revoked, expired = (make_key(name, origins=[SHOP]) for name in ("good", "revoked", "expired"))
    with database.writing() as connection:
        keys.revoke(connection, revoked)
        gone = api_keys.update().where(api_keys.c.id == expired.split("_")[1])
        connection.execute(gone.values(expires_at=keys.now_ms() - 1))
    mistyped = good[:-1] + ("0" if good[-1] != "0" else "1")
    for key in (
        workspace.key,
        revoked,
        expired,
        mistyped,
        good.replace("pk_", "sk_"),
        "nonsense",
        "x" * 5000,
        "'self'",
    ):
        answer = workspace.client.get("/embed", query_string={"key": key, "origin": SHOP})
        assert (answer.status_code, ancestors(answer), told_to(answer)) == (200, [], None), key
    assert ancestors(workspace.client.get(f"/embed?key={good}")) == [SHOP]


def test_a_revoked_key_is_believed_for_a_minute_at_most(
    workspace: Any, make_key: MakeKey, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(embed.time, "monotonic", lambda: now[0])
    key = make_key(origins=[SHOP])

    def framed_by() -> list[str]:
        return ancestors(workspace.client.get(f"/embed?key={key}"))

    assert framed_by() == [SHOP]
    with database.writing() as connection:
        keys.revoke(connection, key)
    now[0] += embed.KNOWN_SECONDS - 1
    assert framed_by() == [SHOP]
    now[0] += 1
    assert framed_by() == []


def test_no_more_keys_are_remembered_than_there_is_room_for(
    workspace: Any, make_key: MakeKey, stored_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "MOST_KNOWN", 2)
    made = [make_key(f"key {number}", origins=[SHOP]) for number in range(5)]
    for key in made * 2:
        assert ancestors(workspace.client.get(f"/embed?key={key}")) == [SHOP]
    assert 1 <= len(stored_app.extensions["advisor.page_keys"]) <= 2


def test_the_day_is_noted_on_which_a_key_showed_the_form(workspace: Any, make_key: MakeKey, database: Database) -> None:
    key = make_key(origins=[SHOP])

    def noted() -> str | None:
        with database.reading() as connection:
            return {one.id: one.last_used_on for one in keys.listed(connection)}[key.split("_")[1]]

    assert noted() is None
    workspace.client.get(f"/embed?key={key}")
    assert noted() is not None


def test_without_the_database_a_frame_with_a_key_is_a_problem_that_nobody_frames(client: FlaskClient) -> None:
    answer = client.get(f"/embed?key={made_up_key()}", headers=PAGE)
    assert (answer.status_code, answer.mimetype, ancestors(answer)) == (503, "text/html", [])
    assert "Retry-After" in answer.headers
    assert client.get("/embed").status_code == 200


def test_a_problem_within_a_frame_is_shown_in_it(client: FlaskClient) -> None:
    answer = client.post(f"/embed?origin={OWN}", data={**EXAMPLE, "go": "share"}, headers=PAGE)  # there is no database
    assert (answer.status_code, ancestors(answer), told_to(answer)) == (503, ["'self'"], OWN)
    assert re.findall(r'data-problem="(\d+)"', answer.text) == ["503"]
    assert f'href="/embed?origin={OWN.replace(":", "%3A").replace("/", "%2F")}"' in answer.text
    assert 'class="masthead"' not in answer.text


# What the frame is told


TOLD = {
    SHOP: SHOP,
    OWN: OWN,
    OTHER: None,
    "https://shop.example.evil.example": None,
    "https://SHOP.example": None,
    "http://shop.example": None,
    "'self'": None,
    "*": None,
    "null": None,
    '"><script>alert(1)</script>': None,
    "": None,
}


def test_the_frame_speaks_only_with_an_origin_that_may_frame_it(set_up_with: Any) -> None:
    client = set_up_with(embed_origins=(SHOP,)).client
    for origin, told in TOLD.items():
        answer = client.get("/embed", query_string={"origin": origin, "emit": "summary"})
        assert told_to(answer) == told, origin
        assert ('data-emit="summary"' in answer.text) == (told is not None)
        assert "<script>alert" not in answer.text


def test_with_a_key_the_frame_speaks_with_its_origins_only(set_up_with: Any, make_key: MakeKey) -> None:
    client = set_up_with(embed_origins=(OTHER,)).client
    key = make_key(origins=[SHOP])
    told = [told_to(client.get(f"/embed?key={key}&origin={origin}")) for origin in (SHOP, OTHER, OWN)]
    assert told == [SHOP, None, None]


def test_only_a_frame_has_the_script_of_frames(client: FlaskClient) -> None:
    assert "/frame.js" in client.get("/embed").text
    assert "/frame.js" not in client.get("/").text
    assert told_to(client.get(f"/?origin={OWN}")) is None


@pytest.mark.parametrize("emit", ["none", "", "all", "summary", "full"])
def test_a_result_holds_for_the_host_what_it_asked_for_and_no_more(client: FlaskClient, emit: str) -> None:
    answer = client.post(f"/embed?origin={OWN}&emit={emit}", data={**EXAMPLE, "go": "result"})
    assert answer.status_code == 200
    (data,) = re.findall(r'<script type="application/json" id="result-data">(.*?)</script>', answer.text)
    told = json.loads(data)
    whole = told.pop("answer", None)
    assert (whole is not None) == (emit == "full")
    if emit not in ("summary", "full"):
        assert told == {}
        return
    assert told.pop("verdict") in VERDICTS
    assert told == {"result_id": None, "program": EXAMPLE["program"], "marketplace": EXAMPLE["marketplace"]}


# The loader and the budgets


def test_the_loader_is_small_and_kept_for_an_hour(client: FlaskClient) -> None:
    answer = client.get("/embed/v1.js")
    assert (answer.status_code, answer.content_type) == (200, "text/javascript; charset=utf-8")
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers and "Vary" not in answer.headers
    assert len(gzip.compress(answer.data)) <= MOST_OF_LOADER
    again = client.get("/embed/v1.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("view", ["guided", "compact", "fees"])
def test_the_first_page_of_a_frame_is_small(client: FlaskClient, view: str) -> None:
    first = client.get(f"/embed?view={view}&origin={OWN}")
    parts = re.findall(r'<(?:script|img|link rel="stylesheet")[^>]* (?:src|href)="([^"]+)"', first.text)
    assert [part.rpartition("/")[2] for part in parts] == ["advisor.css", "page.js", "frame.js"]
    answers = [first, *(client.get(part) for part in parts)]
    assert {answer.status_code for answer in answers} == {200}
    assert len(answers) <= MOST_REQUESTS
    assert sum(len(gzip.compress(answer.data)) for answer in answers) <= MOST_OF_FRAME
    assert not any("Set-Cookie" in answer.headers for answer in answers)


@pytest.mark.parametrize("script", ["v1.js", "frame.js", "try.js"])
def test_a_script_keeps_nothing_and_asks_nobody(script: str) -> None:
    text = (ASSETS / script).read_text("utf-8")
    assert not re.findall(
        r"\bcookie|Storage\b|indexedDB|caches\b|fetch\(|XMLHttp|sendBeacon|WebSocket|innerHTML|eval", text
    )
    assert '"*"' not in text  # every message has an exact receiver


# The page that shows it live


def snippet(answer: TestResponse) -> str:
    (found,) = re.findall(r'<code id="snippet">(.*?)</code>', answer.text, re.DOTALL)
    return unescape(found)


def element(answer: TestResponse) -> dict[str, str]:
    """Read the attributes of the element on the page."""
    (found,) = re.findall(r"<seller-advisor\b([^>]*)>(?=<a)", answer.text)
    return {name: unescape(value) for name, value in re.findall(r' ([a-z-]+)="([^"]*)"', found)}


def test_the_page_is_a_host_with_a_strict_policy(client: FlaskClient) -> None:
    answer = client.get("/embed/try")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "frame-src", "form-action")} == {"'self'"}
    assert ancestors(answer) == []
    assert not re.findall(r"<style|\bstyle=|<script(?![^>]* src=)|\bon[a-z]+=", answer.text)
    assert element(answer) == {"emit": "summary", "title": "Check eligibility and fees"}
    assert snippet(answer) == (
        '<script src="http://localhost/embed/v1.js" async></script>\n'
        '<seller-advisor emit="summary">\n'
        '  <a href="http://localhost/">Check eligibility and fees</a>\n'
        "</seller-advisor>\n"
    )


def test_what_is_chosen_stands_in_the_element_and_in_the_snippet(workspace: Any, make_key: MakeKey) -> None:
    key = make_key(origins=[SHOP, OTHER])
    chosen = {"view": "compact", "marketplace": "DE", "locale": "zh-Hans", "theme": "dark", "emit": "full"}
    answer = workspace.client.get("/embed/try", query_string={**chosen, "key": key, "accent": "amber"})
    live = element(answer)
    assert {name: live[name] for name in chosen} == chosen
    assert "key" not in live  # the advisor's own page is none of the key's origins
    written = snippet(answer)
    attributes = "".join(f' {name}="{value}"' for name, value in {"key": key, **chosen}.items())
    assert f"<seller-advisor{attributes}>\n" in written
    assert f'<a href="http://localhost/?key={key}">' in written
    assert 'class="stage accent-amber"' in answer.text
    assert "seller-advisor { --advisor-accent: #ffc857; }" in answer.text
    assert f"{SHOP}, {OTHER}" in answer.text
    assert '<option value="DE" selected>' in answer.text


def test_every_accent_to_try_is_in_the_stylesheet() -> None:
    styles = (ASSETS / "advisor.css").read_text("utf-8")
    accents = {name: colour for name, colour in embed.ACCENTS.items() if name}
    assert len(accents) == 3
    for name, colour in accents.items():
        assert f".accent-{name} seller-advisor {{ --advisor-accent: {colour}; }}" in styles


@pytest.mark.parametrize("name", ["view", "marketplace", "locale", "theme", "emit", "accent", "key"])
def test_what_is_none_of_the_choices_goes_nowhere(client: FlaskClient, name: str) -> None:
    hostile = '"><img src=x onerror=alert(1)>'
    answer = client.get("/embed/try", query_string={name: hostile})
    assert answer.status_code == 200
    assert hostile not in answer.text and "onerror" not in snippet(answer)
    assert "onerror" not in str(element(answer))


def test_a_key_that_nobody_may_use_is_told_and_a_secret_one_is_not_shown(set_up_with: Any, make_key: MakeKey) -> None:
    there = set_up_with(embed_origins=(OTHER,))
    good = make_key(origins=[SHOP])
    for wrong in (good[:-1] + "g", good[:-1], "pk_x", made_up_key()):
        told = there.client.get("/embed/try", query_string={"key": wrong})
        assert "No site may use this key" in told.text and "With this key" not in told.text
        assert "Without a key it may be shown on" in told.text
    told = there.client.get(f"/embed/try?key={good}")
    assert f"With this key the form is shown on {SHOP} only." in told.text and OTHER not in told.text
    secret = there.client.get(f"/embed/try?key={there.key}")
    assert "This is a secret key." in secret.text
    assert f'value="{there.key}"' not in secret.text and "key=" not in snippet(secret)


# The setting


def test_origins_are_read_from_the_environment() -> None:
    def read(text: str) -> tuple[str, ...]:
        return Settings.from_environment({"ADVISOR_EMBED_ORIGINS": text}).embed_origins

    assert read("") == read(" , ") == Settings.from_environment({}).embed_origins == ()
    assert read(f"{SHOP}, HTTPS://Other.example:8443,{SHOP}") == (SHOP, OTHER)
    assert read("http://localhost:3000") == ("http://localhost:3000",)


@pytest.mark.parametrize(
    "text", ["*", "'self'", "'none'", "shop.example", "http://shop.example", f"{SHOP}/", f"{SHOP} {OTHER}", f"{SHOP};"]
)
def test_a_setting_that_names_no_exact_origin_is_refused_by_name(text: str) -> None:
    for given in (text, f"{SHOP},{text}"):
        with pytest.raises(AdvisorError, match=r"^ADVISOR_EMBED_ORIGINS cannot be used: .* is no origin\."):
            Settings.from_environment({"ADVISOR_EMBED_ORIGINS": given})
