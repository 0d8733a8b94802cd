"""The portfolio's pages: signing in with a key, sellers and their trends, files of accounts; and nobody else's."""

import html
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from advisor.catalog import Catalog
from advisor.services import keys
from advisor.services.portfolio import line
from advisor.services.sellers import trends
from advisor.services.webhooks import announce
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.web.pages.session import COOKIE, SECONDS
from advisor.worker import Worker
from tests.conftest import MakeWorkspace, Workspace

SELLER = {"marketplace": "US", "facts": {"selling_plan": "professional", "fulfillment": "seller"}}
ACCOUNTS = b"seller_id,marketplace,order_defect_rate\nA1,US,0.001\nA2,XX,0.001\n"
TODAY = datetime.now(UTC).date()
PLACES = {"seller": "S1", "batch": "", "form": "csv"}


@dataclass
class Visit:
    """A browser: it asks for pages, keeps cookies, and says where a form was sent from."""

    client: FlaskClient

    def get(self, path: str, language: str = "en", **given: Any) -> TestResponse:
        return self.client.get(path, headers={"Accept": "text/html", "Accept-Language": language}, **given)

    def post(self, path: str, site: str = "same-origin", **given: Any) -> TestResponse:
        return self.client.post(path, headers={"Accept": "text/html", "Sec-Fetch-Site": site}, **given)

    def sign_in(self, key: str, **fields: str) -> TestResponse:
        return self.post("/portfolio/sign-in", data={"key": key, **fields})


SignedIn = Callable[[Workspace], Visit]


@pytest.fixture
def signed_in(stored_app: Flask) -> SignedIn:
    """Sign in with the key of a workspace, in a browser of its own."""

    def enter(workspace: Workspace) -> Visit:
        visit = Visit(stored_app.test_client())
        assert visit.sign_in(workspace.key).status_code == 303
        return visit

    return enter


@pytest.fixture
def visit(workspace: Workspace, signed_in: SignedIn) -> Visit:
    """A browser that is signed in to the workspace."""
    return signed_in(workspace)


@pytest.fixture
def work(settings: Settings, database: Database, catalog: Catalog) -> Callable[[], None]:
    """Score every batch that waits."""

    def run() -> None:
        worker = Worker(settings, database, catalog, announce)
        while worker.score_next(Event()):
            pass

    return run


def words(answer: TestResponse) -> str:
    """Give the text of a page as one line."""
    text = re.sub(r"<(style|script)\b.*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def rows(answer: TestResponse) -> list[str]:
    """Give the text of each row of the first table."""
    body = re.search(r"<tbody.*?</tbody>", answer.text, re.DOTALL)
    found = re.findall(r"<tr.*?</tr>", body[0], re.DOTALL) if body else []
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", one)).split()) for one in found]


def portfolio_pages(app: Flask) -> Iterator[tuple[str, str]]:
    """List the pages behind the sign-in, with their methods."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/portfolio") and "/sign-" not in rule.rule:
            for method in (rule.methods or set()) & {"GET", "POST"}:
                yield method, rule.rule


def fill(rule: str, places: dict[str, str]) -> str:
    """Write a path with ids; every placeholder has to be known here, so that no new page is forgotten."""
    return re.sub(r"<[^:]+:(\w+)>", lambda found: places[found[1]], rule)


def numbers(defects: int = 3, late: int = 4) -> dict[str, Any]:
    return {
        "order_defect_rate": {"count": defects, "of": 1200},
        "pre_fulfillment_cancellation_rate": {"count": 1, "of": 150},
        "late_shipment_rate": {"count": late, "of": 600, "window_days": 30},
        "valid_tracking_rate": {"rate": "0.981"},
    }


def keep(workspace: Workspace, seller: str, *days: tuple[int, dict[str, Any]], **more: Any) -> None:
    """Keep a seller, with snapshots of so many days ago."""
    assert workspace.put(f"/v1/sellers/{seller}", json={**SELLER, **more}).status_code == 201
    for ago, metrics in days:
        body = {"as_of": (TODAY - timedelta(days=ago)).isoformat(), "metrics": metrics}
        assert workspace.post(f"/v1/sellers/{seller}/snapshots", json=body).status_code == 201


def send(visit: Visit, content: bytes = ACCOUNTS, name: str = "accounts.csv", **fields: str) -> TestResponse:
    return visit.post("/portfolio/batches", data={"file": (BytesIO(content), name), **fields})


# Signing in


def test_signing_in_sets_a_cookie_that_holds_no_key(stored_app: Flask, workspace: Workspace) -> None:
    for scheme in ("http", "https"):
        visit = Visit(stored_app.test_client())
        given = visit.post(
            "/portfolio/sign-in", data={"key": f" {workspace.key}\n"}, base_url=f"{scheme}://localhost", site="none"
        )
        assert (given.status_code, given.headers["Location"]) == (303, "/portfolio")
        (cookie,) = given.headers.getlist("Set-Cookie")
        value, *attributes = cookie.split("; ")
        named = {name.lower(): text for name, _, text in (one.partition("=") for one in attributes)}
        assert named.pop("expires")
        secure = {"secure": ""} if scheme == "https" else {}
        assert named == {"httponly": "", "samesite": "Strict", "path": "/portfolio", "max-age": "28800", **secure}
        secret = workspace.key.split("_")[2]
        assert secret not in value and workspace.key not in value
        assert visit.get("/portfolio", base_url=f"{scheme}://localhost").status_code == 200


def test_a_page_sends_whoever_is_not_signed_in_to_the_form_and_back(stored_app: Flask, workspace: Workspace) -> None:
    keep(workspace, "S1")
    visit = Visit(stored_app.test_client())
    asked = visit.get("/portfolio/sellers/S1?program=enterprise-mall&locale=zh-Hans")
    assert asked.status_code == 303
    form = visit.get(asked.headers["Location"])
    (to,) = re.findall(r'name="to" value="([^"]*)"', form.text)
    back = visit.sign_in(workspace.key, to=html.unescape(to))
    assert back.headers["Location"] == "/portfolio/sellers/S1?program=enterprise-mall&locale=zh-Hans"
    assert visit.get(back.headers["Location"]).status_code == 200
    assert visit.get("/portfolio/sign-in").headers["Location"] == "/portfolio"


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/portfolio",
        "//evil.example/portfolio",
        "/\\evil.example",
        "/portfolio\\@evil.example",
        "/portfolio/../..//evil.example",
        "/portfolio//evil.example",
        "/portfolio/..",
        "/portfolioevil",
        "/portfolio\nLocation: https://evil.example",
        "/docs",
        "javascript:alert(1)",
        "/portfolio/sign-in?to=/portfolio/sign-in",
    ],
)
def test_signing_in_leads_nowhere_but_to_the_portfolio(stored_app: Flask, workspace: Workspace, to: str) -> None:
    visit = Visit(stored_app.test_client())
    form = visit.get("/portfolio/sign-in", query_string={"to": to})
    assert 'name="to" value=""' in form.text
    assert visit.sign_in(workspace.key, to=to).headers["Location"] == "/portfolio"


def test_a_wrong_key_is_answered_beside_the_field_and_tells_nothing(
    stored_app: Flask, workspace: Workspace, database: Database, settings: Settings
) -> None:
    visit = Visit(stored_app.test_client())
    with database.writing() as connection:
        revoked = keys.create(connection, settings.secret(), "Acme", name="revoked")
        keys.revoke(connection, revoked)
        expired = keys.create(connection, settings.secret(), "Acme", name="expired", days=-1)
    unknown = Settings(secret_key="another secret 1234").secret()
    with database.writing() as connection:
        of_others = keys.create(connection, unknown, "Others")
    pages = []
    for wrong in ("sk_nonsense", workspace.key[:-1] + "x", revoked, expired, of_others, "<b>hello</b>", "x" * 5000):
        answer = visit.sign_in(wrong)
        assert answer.status_code == 422 and "Set-Cookie" not in answer.headers
        assert wrong[:60] not in html.unescape(answer.text)
        pages.append(answer.text)
    assert len(set(pages)) == 1
    assert "<title>Error: Sign in to your portfolio" in pages[0]
    assert 'aria-describedby="key-hint key-error" aria-invalid="true"' in pages[0]
    assert '<p class="says" id="key-error">This key opens nothing here.' in pages[0]
    assert '<a href="#key">This key opens nothing here.' in pages[0]
    assert "Enter a key of your workspace." in words(visit.sign_in("  "))


def test_a_publishable_key_and_one_that_reads_nothing_are_refused_in_a_sentence(
    stored_app: Flask, database: Database, settings: Settings
) -> None:
    visit = Visit(stored_app.test_client())
    with database.writing() as connection:
        publishable = keys.create(connection, settings.secret(), "Acme", origins=["https://a.example"])
        hooks = keys.create(connection, settings.secret(), "Acme", name="hooks", scopes=["webhooks:read"])
    for key, sentence in (
        (publishable, "This is a publishable key, and it opens no stored data."),
        ("pk_whatever", "This is a publishable key, and it opens no stored data."),
        (hooks, "This key may read neither sellers nor files of accounts."),
    ):
        answer = visit.sign_in(key)
        assert answer.status_code == 422 and sentence in words(answer)
        assert "Set-Cookie" not in answer.headers


def test_every_page_asks_to_sign_in(stored_app: Flask) -> None:
    visit = Visit(stored_app.test_client())
    asked = 0
    for method, rule in portfolio_pages(stored_app):
        path = fill(rule, PLACES | {"batch": "bat_1"})
        answer = visit.get(path) if method == "GET" else visit.post(path)
        assert answer.status_code == 303, (method, rule)
        assert answer.headers["Location"].startswith("/portfolio/sign-in"), (method, rule)
        asked += 1
    assert asked >= 11


def test_whoever_signs_out_is_out(visit: Visit) -> None:
    assert visit.get("/portfolio").status_code == 200
    left = visit.post("/portfolio/sign-out")
    assert left.headers["Location"] == "/portfolio/sign-in?said=signed-out"
    assert "You are signed out." in words(visit.get(left.headers["Location"]))
    assert visit.get("/portfolio").status_code == 303


def test_a_key_that_is_revoked_or_expires_signs_out_at_once(visit: Visit, database: Database) -> None:
    for change in (
        "UPDATE api_key SET revoked_at = 1",
        "UPDATE api_key SET revoked_at = NULL, expires_at = 1",
    ):
        with database.writing() as connection:
            connection.exec_driver_sql(change)
        asked = visit.get("/portfolio")
        assert (asked.status_code, "ended=yes" in asked.headers["Location"]) == (303, True)
        assert "Sign in again." in words(visit.get(asked.headers["Location"]))
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE api_key SET expires_at = NULL")
    assert visit.get("/portfolio").status_code == 200


def test_a_cookie_that_is_old_or_was_changed_signs_nobody_in(
    visit: Visit, stored_app: Flask, make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = visit.client.get_cookie(COOKIE, path="/portfolio")
    assert cookie is not None
    statement, stamp, signature = cookie.value.split(".")
    other = make_workspace("Other").key.split("_")[1]
    forged = Visit(stored_app.test_client())
    for value in ("", "x", f'"{other}".{stamp}.{signature}', f"{statement}.{stamp}A.{signature}", f"{cookie.value}A"):
        forged.client.set_cookie(COOKIE, value, path="/portfolio")
        assert forged.get("/portfolio").status_code == 303, value
    forged.client.set_cookie(COOKIE, cookie.value, path="/portfolio")
    assert forged.get("/portfolio").status_code == 200
    now = time.time()
    for later, status in ((SECONDS - 5, 200), (SECONDS + 5, 303)):
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda later=later: now + later)
        assert forged.get("/portfolio").status_code == status


def test_a_cookie_of_another_secret_signs_nobody_in(visit: Visit, set_up_with: Callable[..., Workspace]) -> None:
    cookie = visit.client.get_cookie(COOKIE, path="/portfolio")
    assert cookie is not None
    elsewhere = Visit(set_up_with(secret_key="another secret of tests").client)
    elsewhere.client.set_cookie(COOKIE, cookie.value, path="/portfolio")
    assert elsewhere.get("/portfolio").status_code == 303


def test_every_page_needs_its_scope(
    stored_app: Flask, workspace: Workspace, database: Database, settings: Settings
) -> None:
    keep(workspace, "S1")
    batch = workspace.post("/v1/batches", data=ACCOUNTS, headers={"Content-Type": "text/csv"}).json["id"]
    reading = {}
    for scope in ("sellers:read", "batches:read"):
        with database.writing() as connection:
            key = keys.create(connection, settings.secret(), "Acme", name=scope, scopes=[scope])
        reading[scope] = Visit(stored_app.test_client())
        entered = reading[scope].sign_in(key)
        assert entered.headers["Location"] == ("/portfolio" if scope == "sellers:read" else "/portfolio/batches")
    for method, rule in portfolio_pages(stored_app):
        kind = "batches" if "/batches" in rule else "sellers"
        writes = method == "POST" or rule.endswith("/delete")
        path = fill(rule, PLACES | {"batch": batch})
        for scope, visit in reading.items():
            answer = visit.get(path) if method == "GET" else visit.post(path)
            if writes or not scope.startswith(kind):
                assert answer.status_code == 403, (method, rule, scope)
                assert "it lacks the scope" in words(answer) and "Sign out" in words(answer)
            else:
                assert answer.status_code in (200, 409), (method, rule, scope)
    page = reading["sellers:read"].get("/portfolio/sellers/S1")
    assert "Delete this seller" not in words(page)
    assert "Send the file" not in words(reading["batches:read"].get("/portfolio/batches"))


# Whose it is


def test_what_belongs_to_somebody_else_is_a_page_that_does_not_exist(
    stored_app: Flask, workspace: Workspace, make_workspace: MakeWorkspace, signed_in: SignedIn
) -> None:
    other = make_workspace("Other")
    keep(other, "theirs", (0, numbers()), name="Secret name", groups=["secret-group"])
    batch = other.post("/v1/batches", data=ACCOUNTS, headers={"Content-Type": "text/csv"}).json["id"]
    mine = signed_in(workspace)
    theirs = {"seller": "theirs", "batch": batch, "form": "csv"}
    nobodys = {"seller": "nobody", "batch": re.sub("[0-9a-f]{8}$", "00000000", batch), "form": "csv"}
    asked = 0
    for method, rule in portfolio_pages(stored_app):
        if "<" not in rule:
            continue
        texts = []
        for places in (theirs, nobodys):
            answer = (mine.get if method == "GET" else mine.post)(fill(rule, places))
            assert (answer.status_code, answer.mimetype) == (404, "text/html"), (method, rule)
            text = re.sub("|".join(map(re.escape, (places["seller"], places["batch"]))), "ID", words(answer))
            texts.append(text)
            assert "Secret" not in text
        assert texts[0] == texts[1], (method, rule)
        asked += 1
    assert asked >= 8
    for path in ("/portfolio", "/portfolio/batches", "/portfolio?group=secret-group"):
        answer = mine.get(path)
        assert answer.status_code == 200 and "theirs" not in answer.text and batch not in answer.text
        assert "secret-group" not in words(answer)
        assert '<option value="secret-group">' not in answer.text
    assert other.get("/v1/sellers/theirs").status_code == 200
    assert other.get(f"/v1/batches/{batch}").status_code == 200


def test_a_form_of_another_site_changes_nothing(visit: Visit, workspace: Workspace, stored_app: Flask) -> None:
    keep(workspace, "S1")
    batch = workspace.post("/v1/batches", data=ACCOUNTS, headers={"Content-Type": "text/csv"}).json["id"]
    forms = [path for method, path in portfolio_pages(stored_app) if method == "POST"]
    for rule in (*forms, "/portfolio/sign-in", "/portfolio/sign-out"):
        for site in ("cross-site", "same-site"):
            answer = visit.post(fill(rule, PLACES | {"batch": batch}), site=site, data={"key": workspace.key})
            assert (answer.status_code, answer.mimetype) == (403, "text/html"), rule
            assert "Set-Cookie" not in answer.headers
    assert workspace.get("/v1/sellers/S1").status_code == workspace.get(f"/v1/batches/{batch}").status_code == 200
    assert visit.get("/portfolio").status_code == 200


def test_nobody_frames_or_keeps_a_page(visit: Visit) -> None:
    for path in ("/portfolio", "/portfolio/batches", "/portfolio/sellers/nobody", "/portfolio/sign-in?to=x"):
        headers = visit.get(path).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"


def test_odd_addresses_are_answered(visit: Visit, workspace: Workspace) -> None:
    keep(workspace, "S1", (0, numbers()))
    for path, status in (
        ("/portfolio?path=1&template=2&visitor=3&said=x&cursor=nonsense&sort=x&verdict=x&program=x&marketplace=x", 200),
        ("/portfolio?group=%00&cursor=WyJcdTAwMDAiXQ", 200),
        (f"/portfolio?group={'x' * 500}", 200),
        ("/portfolio/sellers/S1?cursor=nonsense&program=nope&path=1", 200),
        ("/portfolio/batches?cursor=nonsense&path=1", 200),
        ("/portfolio/sellers/a%00b", 404),
        ("/portfolio/batches/a%00b", 404),
        ("/portfolio/batches/x/results.exe", 404),
    ):
        answer = visit.get(path)
        assert (answer.status_code, answer.mimetype) == (status, "text/html"), path


# Sellers


def test_an_empty_portfolio_says_how_to_begin(visit: Visit) -> None:
    text = words(visit.get("/portfolio"))
    assert "Your workspace keeps no seller yet." in text
    assert "curl -X PUT http://localhost/v1/sellers/A1" in text


def test_the_table_says_where_each_seller_stands(visit: Visit, workspace: Workspace) -> None:
    keep(workspace, "S1", (8, numbers(3)), (1, numbers(5)), name="First & <b>best</b>", groups=["north", "south"])
    keep(workspace, "S2", (9, numbers(3)), (2, numbers(9)), marketplace="UK")
    keep(workspace, "S3")
    keep(workspace, "S4", (0, {**numbers(), "order_defect_rate": {"rate": "0.0049"}}), groups=["north"])
    keep(workspace, "S5", (7, numbers(3)), (0, numbers(3)))
    page = visit.get("/portfolio")
    assert rows(page) == [
        "First & <b>best</b> S1 US Eligible 58 Order defect rate 0 more allowed Score down by 9 1 day north south",
        "S2 UK Not eligible 25 Order defect rate 4 too many Was: Eligible Score down by 42 2 days – Nothing",
        "S3 US Not judged yet" + " – Nothing" * 6,
        "S4 US Eligible 51 Order defect rate 0.01% to the limit First snapshot Today north",
        "S5 US Eligible 67 Pre-fulfillment cancellation rate, 7 days 0 more allowed No change Today – Nothing",
    ]
    assert "&lt;b&gt;best&lt;/b&gt;" in page.text
    assert '<option value="north"></option><option value="south"></option>' in page.text


def test_sellers_are_filtered_sorted_and_paged(visit: Visit, workspace: Workspace) -> None:
    for name, late in (("S1", 4), ("S2", 11), ("S3", 30)):
        keep(workspace, name, (0, numbers(late=late)), groups=["odd"] if name != "S2" else ["a&b"])
    keep(workspace, "S4", marketplace="UK")

    def listed(query: str) -> list[str]:
        return [row.split()[0] for row in rows(visit.get(f"/portfolio?{query}"))]

    assert listed("") == ["S1", "S2", "S3", "S4"]
    assert listed("sort=tightest") == ["S3", "S2", "S1", "S4"]
    assert listed("verdict=not_eligible") == ["S3"]
    assert listed("group=odd&verdict=eligible") == ["S1"]
    assert listed("group=a%26b") == ["S2"]
    assert listed("marketplace=UK") == ["S4"]
    assert listed("program=account-health-seller-fulfilled&verdict=eligible") == []
    nothing = visit.get("/portfolio?verdict=not_covered")
    assert "No seller is like that." in words(nothing) and "How to begin" not in words(nothing)
    sorted_by = re.findall(r'aria-sort="ascending"><a href="([^"]*)"', visit.get("/portfolio?sort=tightest").text)
    assert sorted_by == ["/portfolio?sort=tightest"]


def test_pages_follow_one_another_with_their_filters(visit: Visit, workspace: Workspace) -> None:
    for number in range(53):
        keep(workspace, f"S{number:02}", groups=["many"])
    following, seen = "/portfolio?group=many&sort=tightest&locale=en", []
    while following:
        page = visit.get(following)
        seen += [row.split()[0] for row in rows(page)]
        found = re.findall(r'href="([^"]*)">Next page', page.text)
        following = html.unescape(found[0]) if found else ""
        assert not found or {"group=many", "sort=tightest", "locale=en"} < set(following.partition("?")[2].split("&"))
    assert seen == [f"S{number:02}" for number in range(53)]
    assert re.findall(r'href="([^"]*)">First page', page.text) == [
        "/portfolio?locale=en&amp;group=many&amp;sort=tightest"
    ]


def test_a_page_takes_as_many_queries_for_many_sellers_as_for_one(
    visit: Visit, workspace: Workspace, stored_app: Flask
) -> None:
    asked: list[str] = []
    engine = stored_app.extensions["advisor.database"].engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    counted = []
    for count in (1, 12):
        for number in range(count):
            keep(workspace, f"S{count}-{number}", (0, numbers()), groups=["g"])
        asked.clear()
        assert visit.get("/portfolio").status_code == 200
        counted.append(len([one for one in asked if one.lstrip().upper().startswith("SELECT")]))
    assert counted[0] == counted[1] <= 8


def test_findings_are_told_in_the_language_of_whoever_reads(visit: Visit, workspace: Workspace) -> None:
    metrics = {
        "order_defect_rate": {"count": 9, "of": 1200},
        "a_to_z_claim_rate": {"rate": "0.002"},
        "pre_fulfillment_cancellation_rate": {"count": 0, "of": 0},
        "late_shipment_rate": {"rate": "0.0123", "window_days": 30},
        "valid_tracking_rate": {"count": 591, "of": 600, "window_days": 30},
        "return_rate": {"rate": "0.2"},
    }
    programs = ["enterprise-mall", "account-health-seller-fulfilled", "account-health-amazon-fulfilled"]
    facts = {"selling_plan": "individual", "fulfillment": "seller", "tracking_on_every_package": True}
    body = {"metrics": metrics, "as_of": TODAY.isoformat()}
    workspace.put("/v1/sellers/S1", json={"marketplace": "US", "facts": facts, "programs": programs})
    told = 0
    for sent_in, read_in in (("zh-Hans", "en"), ("en", "zh-Hans")):
        posted = workspace.post("/v1/sellers/S1/snapshots", json=body, headers={"Accept-Language": sent_in})
        assert posted.status_code == 201
        request = {"marketplace": "US", "facts": facts, "programs": programs, **body}
        alone = workspace.client.post("/v1/assessments", json=request, headers={"Accept-Language": read_in}).json
        for one in alone["assessments"]:
            page = visit.get(f"/portfolio/sellers/S1?program={one['program']}", language=read_in)
            for finding in one["findings"]:
                assert finding["message"] in words(page), (read_in, finding["criterion"], finding["reason"])
                told += 1
    assert told > 20


def test_a_finding_that_the_rules_do_not_know_any_more_keeps_its_sentence(catalog: Catalog) -> None:
    from advisor.messages import messages_in
    from advisor.web.pages.standing import told

    old = {
        "criterion": "gone", "fact": None, "level": "required", "comparison": "below", "threshold": "0.010000",
        "observed": {"count": 1, "of": 50, "rate": "0.020000"}, "outcome": "missed", "reason": "misses_threshold",
        "headroom": {"count": -1, "rate": "-0.010000"}, "message": "As it was said then.",
    }  # fmt: skip
    (one,) = told([old], catalog.program("enterprise-mall"), messages_in("en"))
    assert (one.label, one.message, one.limit, one.room) == ("gone", "As it was said then.", "below 1%", "1 too many")


def test_trends_are_drawn_against_their_limit_with_a_table_behind(visit: Visit, workspace: Workspace) -> None:
    keep(workspace, "S1", *[(7 * (6 - week), numbers(late=4 + week)) for week in range(7)], (60, numbers(late=20)))
    found = workspace.get("/v1/sellers/S1/trend").json["criteria"]
    late = next(one for one in found if one["criterion"] == "late-shipment-30d")
    page = visit.get("/portfolio/sellers/S1")
    figure = next(one for one in re.findall(r"<figure.*?</figure>", page.text, re.DOTALL) if "Late shipment" in one)
    assert late["crosses_on"] is None or late["message"] in html.unescape(figure)
    title, desc = re.findall(r"<(?:title|desc) id=\"[^\"]*\">([^<]*)<", figure)
    assert 'role="img" aria-labelledby="late-shipment-30d-title late-shipment-30d-desc"' in figure
    assert title == "Late shipment rate, 30 days"
    assert "it was 1.6667%; the limit is below 2%." in desc and late["message"] in html.unescape(desc)
    assert (figure.count("<circle"), figure.count("<rect")) == (7, 1)  # met, and missed
    assert len(re.findall(r'<tr><th scope="row">', figure)) == len(late["points"]) == 8
    assert "Missed" in figure and "style=" not in page.text


def test_the_line_of_a_trend_reaches_the_limit_where_it_crosses(
    workspace: Workspace, database: Database, catalog: Catalog
) -> None:
    from advisor.messages import messages_in

    keep(workspace, "S1", *[(7 * (6 - week), numbers(late=3 + week)) for week in range(7)])
    with database.reading() as connection:
        owner = connection.exec_driver_sql("SELECT id FROM workspace").scalar_one()
        found = trends(connection, catalog, owner, "S1", "enterprise-mall", messages_in("en"))["criteria"]
    lines = {one["criterion"]: line(one) for one in found}
    late = lines["late-shipment-30d"]
    assert late is not None and late.start == TODAY - timedelta(days=42)
    crosses = next(one["crosses_on"] for one in found if one["criterion"] == "late-shipment-30d")
    assert late.end == date.fromisoformat(crosses) > TODAY
    a_day = (late.last - late.first) / (late.end - late.start).days
    assert late.last - a_day < 20_000 <= late.last
    assert late.first == pytest.approx(5000)
    level = lines["order-defect"]
    assert level is not None and (level.first, level.last, level.end) == (2500, 2500, TODAY)
    assert lines["return"] is None  # nothing is known of it


@pytest.mark.parametrize("count", [1, 2])
def test_few_snapshots_are_drawn_too(visit: Visit, workspace: Workspace, count: int) -> None:
    keep(workspace, "S1", *[(7 * ago, numbers(late=0)) for ago in range(count)])
    page = visit.get("/portfolio/sellers/S1")
    figures = re.findall(r"<figure.*?</figure>", page.text, re.DOTALL)
    assert len(figures) == 4
    assert all(one.count("<circle") == count for one in figures)
    assert "nan" not in page.text and "inf" not in re.sub("inform", "", " ".join(re.findall(r'd="[^"]*"', page.text)))


def test_a_seller_without_numbers_and_the_history_of_one_with_many(visit: Visit, workspace: Workspace) -> None:
    keep(workspace, "S1")
    assert "No numbers of this seller were sent yet" in words(visit.get("/portfolio/sellers/S1"))
    keep(workspace, "S2", *[(ago, numbers()) for ago in range(12, 0, -1)])
    page = visit.get("/portfolio/sellers/S2")
    days = re.findall(r'rowheader" scope="row"><time datetime="([^"]*)"', page.text)
    assert days == [(TODAY - timedelta(days=ago)).isoformat() for ago in range(1, 11)]
    (older,) = re.findall(r'href="([^"]*)#history">Earlier assessments', page.text)
    rest = visit.get(html.unescape(older))
    assert len(re.findall(r'rowheader" scope="row"><time datetime="([^"]*)"', rest.text)) == 2
    assert "Latest assessments" in words(rest)


def test_a_seller_is_deleted_once_that_is_confirmed(visit: Visit, workspace: Workspace) -> None:
    keep(workspace, "S1", (0, numbers()), name="Example")
    asked = visit.get("/portfolio/sellers/S1/delete")
    assert "Delete Example?" in words(asked) and workspace.get("/v1/sellers/S1").status_code == 200
    done = visit.post("/portfolio/sellers/S1/delete")
    assert done.headers["Location"] == "/portfolio?said=seller-deleted"
    assert "The seller was deleted" in words(visit.get(done.headers["Location"]))
    assert workspace.get("/v1/sellers/S1").status_code == 404
    assert visit.post("/portfolio/sellers/S1/delete").status_code == 404


def test_a_language_stays_from_page_to_page(visit: Visit, workspace: Workspace) -> None:
    keep(workspace, "S1", (0, numbers()))
    page = visit.get("/portfolio?locale=zh-Hans&theme=dark")
    assert 'lang="zh-Hans" data-theme="dark"' in page.text
    assert "/portfolio/sellers/S1?locale=zh-Hans&amp;theme=dark&amp;program=enterprise-mall" in page.text
    assert '<input type="hidden" name="locale" value="zh-Hans">' in page.text
    assert (
        visit.post("/portfolio/sign-out?locale=zh-Hans").headers["Location"].endswith("?locale=zh-Hans&said=signed-out")
    )


# Files of accounts


def test_a_file_is_sent_watched_fetched_and_deleted(
    visit: Visit, workspace: Workspace, work: Callable[[], None], settings: Settings
) -> None:
    sent = send(visit, as_of=TODAY.isoformat(), set="selling_plan=professional\n", marketplace="", format="")
    assert sent.status_code == 303, words(sent)
    place = sent.headers["Location"]
    name = place.rpartition("/")[2]
    waiting = visit.get(place)
    assert (waiting.status_code, waiting.headers["Refresh"]) == (200, "3")
    assert "Waiting" in words(waiting) and "<progress" in waiting.text
    assert "Refresh" not in visit.get(f"{place}?refresh=off").headers
    assert visit.get(f"{place}/results.csv").status_code == 409
    work()
    done = visit.get(place)
    assert "Refresh" not in done.headers
    assert "1 of 2 rows were scored. Rejected: 1." in words(done)
    for kind in ("csv", "ndjson", "parquet"):
        with visit.get(f"{place}/results.{kind}") as got:
            assert got.headers["Content-Disposition"] == f"attachment; filename={name}.{kind}"
            assert got.data == workspace.download(f"/v1/batches/{name}/results?format={kind}").data
    with visit.get(f"{place}/rejects.csv") as got:
        assert b"unknown_marketplace" in got.data
    assert rows(visit.get("/portfolio/batches"))[0].split()[-3:] == ["2", "1", "1"]
    assert workspace.get(f"/v1/batches/{name}").json["set"] == {"selling_plan": "professional"}
    assert "Delete this file?" in words(visit.get(f"{place}/delete"))
    gone = visit.post(f"{place}/delete")
    assert "The file was deleted" in words(visit.get(gone.headers["Location"]))
    assert visit.get(place).status_code == 404
    assert not [path for path in settings.files_dir.rglob("*") if path.is_file()]


def test_a_file_that_is_scored_can_be_cancelled(visit: Visit, workspace: Workspace, database: Database) -> None:
    place = send(visit).headers["Location"]
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE batch SET state = 'running', rows = 2000, rows_done = 1500")
    assert "1,500 of 2,000 rows are done." in words(visit.get(place))
    assert "Scoring ends here." in words(visit.get(f"{place}/delete"))
    assert visit.post(f"{place}/delete").status_code == 303
    assert workspace.get("/v1/batches").json["items"] == []


def test_a_file_that_cannot_be_scored_says_why(visit: Visit, database: Database) -> None:
    place = send(visit).headers["Location"]
    with database.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE batch SET state = 'failed', problem = "
            '\'{"code": "not_usable", "detail": "D.", "errors": '
            '[{"pointer": "/colour", "code": "unknown_column", "detail": "There is {no} such <b>column</b>."}]}\''
        )
    page = visit.get(place)
    assert "Refresh" not in page.headers
    assert "colour : There is {no} such <b>column</b>." in words(page)


def test_what_is_wrong_with_a_file_is_said_and_what_was_typed_is_kept(
    visit: Visit, workspace: Workspace, settings: Settings
) -> None:
    for content, name, fields, field, sentence, status in (
        (b"", "", {}, "file", "Choose a file of accounts that is not empty.", 422),
        (b"", "empty.csv", {}, "file", "Choose a file of accounts that is not empty.", 422),
        (ACCOUNTS, "accounts", {}, "format", "Choose CSV, NDJSON or Parquet.", 422),
        (ACCOUNTS, "a.csv", {"as_of": "<soon>"}, "as_of", "A date is written YYYY-MM-DD", 422),
        (ACCOUNTS, "a.csv", {"set": "oops"}, "set", "NAME=VALUE", 422),
        (ACCOUNTS, "a.csv", {"program": "nope"}, "program", "enterprise-mall", 422),
        (b"seller_id,seller_id\nA,B\n", "a.csv", {}, "file", "seller_id", 422),
        (b"\x1f\x8b\x08" + bytes(100), "a.csv", {}, "file", "", 400),
        (b"seller_id,marketplace\n", "a.csv", {}, "file", "", 400),
    ):
        page = send(visit, content, name, **{"set": "selling_plan=professional", **fields})
        assert page.status_code == status, (name, fields, words(page))
        assert "<title>Error: Files of accounts" in page.text
        (said,) = re.findall(rf'id="{field}-error-1">(.*?)</p>', page.text)
        assert said and sentence in html.unescape(said)
        assert f'<a href="#{field}">' in page.text
        assert re.search(
            rf'id="{field}"[^>]* aria-describedby="[^"]*{field}-error-1"[^>]* aria-invalid="true"', page.text
        )
        kept = fields.get("set", "selling_plan=professional")
        assert f">{kept}</textarea>" in page.text
        assert str(settings.files_dir) not in page.text
    assert "&lt;soon&gt;" in send(visit, as_of="<soon>").text
    no_file = visit.post("/portfolio/batches", data={"program": "enterprise-mall"}, content_type="multipart/form-data")
    assert (no_file.status_code, "Choose a file of accounts" in words(no_file)) == (422, True)
    assert workspace.get("/v1/batches").json["items"] == []
    assert not [path for path in settings.files_dir.rglob("*") if path.is_file()]


def test_a_file_that_is_too_large_is_refused_on_the_page(set_up_with: Callable[..., Workspace]) -> None:
    small = set_up_with(max_upload=1024)
    visit = Visit(small.client)
    visit.sign_in(small.key)
    page = send(visit, ACCOUNTS + b"A,US,0.1\n" * 200)
    assert page.status_code == 413 and "<title>Error: Files of accounts" in page.text
    assert "at most 1024 are taken" in words(page)


def test_no_room_for_a_file_is_said_on_the_page(set_up_with: Callable[..., Workspace], tmp_path: Path) -> None:
    full = set_up_with(free_space=2**60)
    visit = Visit(full.client)
    visit.sign_in(full.key)
    page = send(visit)
    assert page.status_code == 507 and "nothing of it was stored" in words(page)
