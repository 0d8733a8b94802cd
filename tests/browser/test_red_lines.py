"""A list of facts on the page of the red lines: filled in by keyboard, row by row, with and without scripts."""

import pytest
from playwright.sync_api import expect

from tests.browser import keyboard
from tests.browser.conftest import OpenPage
from tests.browser.ground import Site

IN_TIME = {"category": "books", "confirmed_on": "2026-11-02", "dispatched_on": "2026-11-03"}
LATE = {"category": "dvd", "confirmed_on": "2026-11-02", "dispatched_on": "2026-11-10", "holidays": "2026-11-03"}


@pytest.mark.parametrize("scripts", [True, False])
def test_a_list_is_filled_in_row_by_row(scripts: bool, open_page: OpenPage, site: Site) -> None:
    page = open_page(width=360, scripts=scripts)
    page.goto("/checks/red-lines")
    keyboard.fill(page, {"marketplace": "UK", **row(1, IN_TIME)})
    keyboard.go(page, "add:dispatches")
    expect(page.locator("#dispatches_2_category")).to_be_focused()
    keyboard.fill(page, row(2, LATE) | {"dispatches_2_holidays": "tomorrow"})
    keyboard.go(page, "check")

    link = page.locator("#errors a")
    expect(link).to_have_count(1)
    link.press("Enter")
    holidays = page.get_by_role("group", name="Order 2").get_by_label("Holidays in between")
    expect(holidays).to_be_focused()
    holidays.fill("2026-11-03")
    keyboard.go(page, "check")

    facts = {"dispatches": [IN_TIME, LATE | {"holidays": ["2026-11-03"]}]}
    answer = site.ask("POST", "/v1/policy-checks", {"marketplace": "UK", "facts": facts})
    (found,) = answer["findings"]
    finding = page.locator("article.finding")
    expect(finding).to_contain_text(found["message"])
    finding.get_by_role("link", name="Order 2").press("Enter")
    expect(page.get_by_role("group", name="Order 2")).to_be_focused()
    expect(page.get_by_role("group", name="Order 2")).to_be_in_viewport()
    for number, wanted in ((1, IN_TIME), (2, LATE)):
        for name, value in row(number, wanted).items():
            expect(page.locator(f"#{name}")).to_have_value(value)

    keyboard.go(page, "remove:dispatches:2")
    expect(page.locator("#dispatches_1_category")).to_be_focused()
    keyboard.go(page, "check")
    expect(page.locator("article.finding")).to_have_count(0)


def row(number: int, parts: dict[str, str]) -> dict[str, str]:
    return {f"dispatches_{number}_{name}": value for name, value in parts.items()}
