"""Every page and state there is can be read and used: narrow, enlarged, dark, in forced colours, in every language."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from advisor.services.calculations import today
from advisor.web.pages.offers import pre_sale_example
from tests.browser.conftest import OpenPage
from tests.browser.ground import Look, Site, no_sideways_scroll, no_violations
from tests.browser.states import (
    MISSED,
    RATED,
    RED_LINES,
    RED_LINES_WRONG,
    SELLERS,
    example,
    good_in_every_look,
    keep_sellers,
    sign_in,
    submit,
)

PAGES = {
    "/": 200,
    "/?view=compact": 200,
    "/?view=fees": 200,
    "/embed": 200,
    "/embed?view=compact": 200,
    "/embed/try": 200,
    "/portfolio": 200,
    "/checks": 200,
    "/checks/pre-sale": 200,
    "/checks/listing": 200,
    "/checks/red-lines": 200,
    "/checks/stages": 200,
    "/shared/none": 404,
    "/no-such-page": 404,
}
LANGUAGES = ("en", "zh-Hans")
# 400 % of a window of 1280 by 1024 pixels leaves 320 by 256 of CSS.
ENLARGED = Look(width=320, height=256, scale=4)
UNKNOWN = {f"{name}_how": "unknown" for name in ("order_defect_rate_60d", "late_shipment_rate_30d")}
WITHOUT_PRICES = {"marketplace": "AU", "selling_plan": "professional"}
# The states of the form and its result: the view, what was typed, the button, and what the answer says it is.
STATES = {
    "numbers": ("/", example(step="account"), "next", 200),
    "prices": ("/", example(step="numbers"), "next", 200),
    "another program": ("/?view=compact", example(program="account-health-seller-fulfilled"), "refresh", 200),
    "no rules": ("/?view=compact", WITHOUT_PRICES, "refresh", 200),
    "two products": ("/?view=compact", example(line_2_category="jewelry", line_2_price="310"), "refresh", 200),
    "eligible": ("/", example(), "result", 200),
    "not eligible": ("/", example(**MISSED), "result", 200),
    "undetermined": ("/?view=compact", example(**UNKNOWN, line_2_category="jewelry", line_2_price="9"), "result", 200),
    "not covered": ("/", WITHOUT_PRICES, "result", 200),
    "fees": ("/?view=fees", example(), "result", 200),
    "in a band": ("/", RATED, "result", 200),
    "in a frame": ("/embed?view=compact", example(**MISSED), "result", 200),
    "shared": ("/", example(), "share", 201),
    "wrong": ("/?view=compact", example(line_1_price="", late_shipment_rate_30d_of="?"), "result", 422),
    "pre-sale": ("/checks/pre-sale", pre_sale_example(today()), "check", 200),
    "red lines": ("/checks/red-lines", RED_LINES, "check", 200),
    "wrong red lines": ("/checks/red-lines", RED_LINES | RED_LINES_WRONG, "check", 422),
    "wrong in a frame": ("/embed", example(line_1_price="1,234"), "result", 422),
}
SHOWS = {
    "eligible": ".verdict.eligible",
    "not eligible": ".verdict.not_eligible",
    "undetermined": ".verdict.undetermined",
    "not covered": ".verdict.not_covered",
    "in a band": ".finding .bands [aria-current]",
}
FILE = b"seller_id,marketplace,selling_plan,order_defect_rate\nA1,US,professional,0.001\nA2,XX,professional,0.001\n"


def in_language(address: str, language: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}locale={language}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_every_look(path: str, language: str, open_page: OpenPage) -> None:
    page = open_page(ENLARGED)
    answer = page.goto(in_language(path, language))
    assert answer is not None and answer.status == PAGES[path]
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("h1").count() == 1
    good_in_every_look(page)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_scripts(path: str, open_page: OpenPage) -> None:
    page = open_page(width=320, height=640, scripts=False)
    answer = page.goto(path)
    assert answer is not None and answer.status == PAGES[path]
    no_sideways_scroll(page)
    no_violations(page)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_a_state_in_every_look(state: str, language: str, open_page: OpenPage) -> None:
    address, typed, go, status = STATES[state]
    page = open_page(ENLARGED)
    assert submit(page, in_language(address, language), typed, go).status == status
    assert page.locator("h1").count() == 1
    expect(page.locator(SHOWS.get(state, "h1"))).to_be_visible()
    good_in_every_look(page)
    open_all(page)
    page.set_viewport_size({"width": 320, "height": 256})
    no_sideways_scroll(page)
    no_violations(page)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", ["eligible", "pre-sale"])
def test_a_table_of_a_result_is_read_on_a_phone_without_moving_it(
    state: str, language: str, open_page: OpenPage
) -> None:
    address, typed, go, _ = STATES[state]
    page = open_page(width=390, height=844)
    submit(page, in_language(address, language), typed, go)
    assert page.locator("table.cards").count() >= 1
    for cell in page.locator("table.cards :is(th[scope=row], td)").all():
        box = cell.bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    for cell in page.locator("table.cards td.wide").all():
        assert cell.evaluate("one => one.clientWidth") > 250
    labels = page.locator("table.cards td").evaluate_all("all => all.map(one => one.dataset.label)")
    assert all(labels)


def open_all(page: Page) -> None:
    page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true })")


def test_what_if_in_every_look(open_page: OpenPage) -> None:
    page = open_page(ENLARGED)
    submit(page, "/", example(), "result")
    page.locator("#if-late_shipment_rate_30d_count").fill("90")
    with page.expect_navigation():
        page.locator('button[value="what_if"]').click()
    expect(page.locator("#moved")).to_be_visible()
    good_in_every_look(page)


def test_a_shared_result_and_its_deletion_in_every_look(open_page: OpenPage) -> None:
    page = open_page(ENLARGED)
    submit(page, "/", example(**MISSED), "share")
    result, deletion = (one.get_attribute("href") for one in page.locator("a.link-to-share").all())
    assert result is not None and deletion is not None
    page.goto(result)
    expect(page.locator(".verdict.not_eligible")).to_be_visible()
    good_in_every_look(page)
    page.goto(deletion)
    good_in_every_look(page)
    with page.expect_navigation():
        page.locator("button.danger").click()
    good_in_every_look(page)
    gone = page.goto(result)
    assert gone is not None and gone.status == 404


@pytest.fixture(scope="session")
def key(site: Site) -> str:
    """The key of a workspace with some sellers."""
    key = site.new_key("Looks")
    keep_sellers(site, key)
    return key


@pytest.fixture
def at_home(open_page: OpenPage, key: str) -> Callable[[str], Page]:
    """Open a window, signed in to that workspace, in a language."""

    def enter(language: str) -> Page:
        page = open_page(ENLARGED)
        sign_in(page, key, language)
        return page

    return enter


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_portfolio_in_every_look(language: str, at_home: Callable[[str], Page]) -> None:
    page = at_home(language)
    expect(page.locator("tbody tr")).to_have_count(len(SELLERS))
    good_in_every_look(page)
    for path in (
        "/portfolio?verdict=not_eligible&group=nobody",
        "/portfolio/sellers/A-2",
        "/portfolio/sellers/A-1/delete",
    ):
        page.goto(in_language(path, language))
        good_in_every_look(page)
    page.goto(in_language("/portfolio/sellers/A-1", language))
    open_all(page)
    good_in_every_look(page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_files_in_every_look(language: str, at_home: Callable[[str], Page], tmp_path: Path) -> None:
    page = at_home(language)
    page.goto(in_language("/portfolio/batches", language))
    open_all(page)
    good_in_every_look(page)
    with page.expect_navigation():
        page.locator("#file").locator("xpath=ancestor::form").locator("button").click()
    expect(page.locator(".summary-of-errors")).to_be_focused()
    good_in_every_look(page)
    page.locator("#file").set_input_files({"name": "accounts.csv", "mimeType": "text/csv", "buffer": FILE})
    with page.expect_navigation():
        page.locator("#file").locator("xpath=ancestor::form").locator("button").click()
    expect(page.locator(".tag.finished").first).to_be_visible(timeout=30_000)
    good_in_every_look(page)


def test_an_empty_portfolio_and_a_refused_key_in_every_look(site: Site, open_page: OpenPage) -> None:
    page = open_page(ENLARGED)
    sign_in(page, "sk_nobody")
    expect(page.locator(".summary-of-errors")).to_be_focused()
    good_in_every_look(page)
    sign_in(page, site.new_key("Empty"))
    good_in_every_look(page)
    page.goto("/portfolio/sellers/nobody")
    good_in_every_look(page)
