"""Text that means harm, or is only unusual, is shown as text and breaks no layout, wherever text can be typed."""

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.ground import Look, Site, no_sideways_scroll, no_violations
from tests.browser.states import example, keep_sellers, sign_in, submit

HOSTILE = {
    "markup": "\"'><b id=hostile>bold</b></textarea></select><svg/onload=alert(1)>",
    "script": "<script id=hostile>document.title = 'taken'</script><img id=hostile src=x onerror=alert(1)>",
    "templates": "{{ 7 * 7 }}{% raw %}${7*7}#{7*7}<%= 7 %>{count}%(x)s%s",
    "long": "W" * 10_000,
    "right to left": "\u202eمرحبا <b id=hostile> بالعالم שלום\u202c \u2066x",  # noqa: RUF001 - what is typed
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈🤷🏽‍♀️" * 40,
    "combining": "Z̸̨̧̛͇̹̞̰̲̱͔̥̀̇" * 100,
}
NARROW = Look(width=320, height=640)
MOST_OF_A_NAME = 60

FILL = """text => {
  const fields = [...document.querySelectorAll("#form input[type=text]")];
  for (const one of fields) one.value = text;
  return fields.map(one => one.name);
}"""
VALUES = """names => names.map(name => document.querySelector(`#form [name="${name}"]`).value)"""


def shortened(text: str) -> str:
    """Cut a text to what is taken as a name."""
    return text[:MOST_OF_A_NAME].strip()


def assert_harmless(page: Page) -> None:
    """Show that nothing of a text became a part of the page, and that the page fits."""
    assert page.locator("#hostile").count() == 0
    assert page.title() != "taken"
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 640})
        no_sideways_scroll(page)


@pytest.mark.parametrize("kind", HOSTILE)
def test_in_every_field_of_the_form(kind: str, open_page: OpenPage) -> None:
    page = open_page(NARROW)
    typed = example(line_2_category="jewelry", a_to_z_claim_rate_60d_how="rate", chargeback_rate_60d_how="counts")
    submit(page, "/?view=compact", typed, "refresh")
    fields = page.evaluate(FILL, HOSTILE[kind])
    assert len(fields) > 40
    with page.expect_navigation() as answer:
        page.locator('button[name="go"][value="result"]:not(.sr)').click()
    assert answer.value.status == 422
    assert page.evaluate(VALUES, fields) == [HOSTILE[kind]] * len(fields)
    assert_harmless(page)
    no_violations(page)


@pytest.mark.parametrize("kind", HOSTILE)
def test_in_what_travels_hidden_to_the_result_and_is_shared(kind: str, open_page: OpenPage) -> None:
    page = open_page(NARROW)
    name = shortened(HOSTILE[kind])
    hidden = {"chargeback_rate_60d_count": HOSTILE[kind], "line_1_no_such_field": HOSTILE[kind]}
    submit(page, "/", example(line_1_scenario_1_name=name, **hidden), "result")
    shown = page.locator("th", has_text=name)
    assert {one.text_content() for one in shown.all()} == {name}
    assert_harmless(page)
    kept = page.locator('#form input[type="hidden"][name="line_1_no_such_field"]')
    assert kept.get_attribute("value") == HOSTILE[kind]
    page.locator("#if-line_1_price").fill("41")
    with page.expect_navigation():
        page.locator('button[value="what_if"]').click()
    assert page.locator("th", has_text=name).count() == shown.count()
    assert_harmless(page)
    with page.expect_navigation():
        page.locator('button[value="share"]').click()
    page.goto(page.locator("a.link-to-share").first.get_attribute("href") or "")
    assert page.locator("th", has_text=name).count() > 0
    assert_harmless(page)


@pytest.mark.parametrize("kind", HOSTILE)
def test_in_every_part_of_an_address(kind: str, open_page: OpenPage) -> None:
    page = open_page(NARROW)
    text = quote(shortened(HOSTILE[kind])[:15], safe="")  # servers take addresses of 4,000 characters at most
    names = ("key", "view", "locale", "theme", "marketplace", "emit", "origin", "to", "said", "group", "verdict")
    query = "&".join(f"{name}={text}" for name in names)
    for path in ("/", "/embed/try", "/portfolio", f"/shared/{text}", f"/portfolio/sellers/{text}", f"/{text}"):
        answer = page.goto(f"{path}?{query}")
        assert answer is not None and answer.status in (200, 404), path
        assert_harmless(page)


@pytest.mark.parametrize("kind", HOSTILE)
def test_in_the_portfolio(kind: str, site: Site, open_page: OpenPage) -> None:
    key = site.new_key(f"Hostile {kind}")
    text = "".join(sign for sign in shortened(HOSTILE[kind]) if sign.isprintable())
    keep_sellers(site, key, {"S-1": {"name": text, "groups": [text]}, "S-2": {"name": text, "groups": []}})
    page = open_page(NARROW)
    page.goto("/portfolio")
    page.locator("#key").fill(HOSTILE[kind])
    with page.expect_navigation():
        page.locator("#key").press("Enter")
    expect(page.locator(".summary-of-errors")).to_be_visible()
    assert_harmless(page)
    sign_in(page, key)
    assert [one.text_content() for one in page.locator("tbody th a").all()] == [text, text]
    assert_harmless(page)
    page.locator("#group").fill(text)  # it becomes part of an address, which servers cut off
    with page.expect_navigation():
        page.locator("#group").press("Enter")
    assert_harmless(page)
    page.goto("/portfolio/sellers/S-1")
    expect(page.locator("h1")).to_have_text(text)
    assert_harmless(page)
