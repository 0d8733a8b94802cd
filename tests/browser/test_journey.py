"""The whole journey by keyboard, from the first question to the figures, which are those of the API to the cent."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from advisor.messages import VERDICT_NAMES, messages_in
from tests.browser import keyboard
from tests.browser.conftest import OpenPage
from tests.browser.ground import Site

FEES = ("referral_fee", "closing_fee", "per_item_fee", "digital_services_fee", "refund_administration_fee")


@dataclass(frozen=True)
class Case:
    """What somebody types, product by product, and the request that says the same to the API."""

    account: dict[str, str]
    numbers: dict[str, str]
    products: list[dict[str, str]]
    money: dict[str, str]
    body: dict[str, Any]


JOINS = Case(
    account={"selling_plan": "professional", "fulfillment": "seller"},
    numbers={
        "order_defect_rate_60d_count": "3",
        "order_defect_rate_60d_of": "1,200",
        "pre_fulfillment_cancellation_rate_7d_how": "rate",
        "pre_fulfillment_cancellation_rate_7d_rate": "0.45 %",
        "late_shipment_rate_30d_count": "4",
        "late_shipment_rate_30d_of": "600",
        "valid_tracking_rate_30d_how": "rate",
        "valid_tracking_rate_30d_rate": "98,1",
        "tracking_on_every_package": "true",
        "tax_exemption_enrolled": "false",
    },
    products=[
        {
            "category": "office_products",
            "price": "$39.97",
            "unit_cost": "21.13",
            "fulfillment_cost": "4",
            "current_monthly_units": "500",
            "scenario_1_name": "Schools & co",
            "scenario_1_uplift": "7.5",
            "scenario_2_units": "120",
            "discount_1_quantity": "10",
            "discount_1_rate": "5",
            "discount_2_quantity": "50",
            "discount_2_price": "29.01",
        }
    ],
    money={"established_in": "US", "fixed_monthly_cost": "149.95"},
    body={
        "marketplace": "US",
        "programs": ["enterprise-mall"],
        "facts": {
            "selling_plan": "professional",
            "fulfillment": "seller",
            "tracking_on_every_package": True,
            "tax_exemption_enrolled": False,
        },
        "metrics": {
            "order_defect_rate": [{"count": 3, "of": 1200, "window_days": 60}],
            "pre_fulfillment_cancellation_rate": [{"rate": "0.0045", "window_days": 7}],
            "late_shipment_rate": [{"count": 4, "of": 600, "window_days": 30}],
            "valid_tracking_rate": [{"rate": "0.981", "window_days": 30}],
        },
        "established_in": "US",
        "fixed_monthly_cost": "149.95",
        "lines": [
            {
                "category": "office_products",
                "price": "39.97",
                "unit_cost": "21.13",
                "fulfillment_cost": "4",
                "current_monthly_units": 500,
                "fulfillment": "seller",
                "scenarios": [
                    {"name": "Schools & co", "uplift": "0.075"},
                    {"name": "Scenario 2", "monthly_units": 120},
                ],
                "quantity_discounts": [
                    {"min_quantity": 10, "discount_rate": "0.05"},
                    {"min_quantity": 50, "unit_price": "29.01"},
                ],
            }
        ],
    },
)
FIXES_FIRST = Case(
    account={"marketplace": "DE", "selling_plan": "individual", "fulfillment": "both"},
    numbers={
        "order_defect_rate_60d_count": "31",
        "order_defect_rate_60d_of": "2 400",
        "pre_fulfillment_cancellation_rate_7d_how": "rate",
        "pre_fulfillment_cancellation_rate_7d_rate": "0.45",
        "late_shipment_rate_30d_how": "unknown",
    },
    products=[
        {
            "category": "jewellery",
            "price": "329,99",
            "unit_cost": "201.37",
            "fulfillment_cost": "6.21",
            "current_monthly_units": "1,250",
            "scenario_1_name": "Schulen",
            "scenario_1_uplift": "2.5",
            "discount_1_quantity": "5",
            "discount_1_rate": "7.5",
            "shipping": "4.99",
            "tax_rate": "19",
            "refund_rate": "3.5",
        },
        {
            "category": "office_products",
            "price": "9.5",
            "unit_cost": "3.33",
            "fulfillment_cost": "1",
            "fulfillment": "amazon",
            "scenario_1_name": "Schulen",
            "scenario_1_units": "40",
        },
    ],
    money={"established_in": "DE", "fixed_monthly_cost": "39.90"},
    body={
        "marketplace": "DE",
        "programs": ["enterprise-mall"],
        "facts": {"selling_plan": "individual", "fulfillment": "both"},
        "metrics": {
            "order_defect_rate": [{"count": 31, "of": 2400, "window_days": 60}],
            "pre_fulfillment_cancellation_rate": [{"rate": "0.0045", "window_days": 7}],
        },
        "established_in": "DE",
        "fixed_monthly_cost": "39.90",
        "lines": [
            {
                "category": "jewellery",
                "price": "329.99",
                "unit_cost": "201.37",
                "fulfillment_cost": "6.21",
                "shipping": "4.99",
                "tax_rate": "0.19",
                "refund_rate": "0.035",
                "current_monthly_units": 1250,
                "fulfillment": "seller",
                "scenarios": [{"name": "Schulen", "uplift": "0.025"}],
                "quantity_discounts": [{"min_quantity": 5, "discount_rate": "0.075"}],
            },
            {
                "category": "office_products",
                "price": "9.50",
                "unit_cost": "3.33",
                "fulfillment_cost": "1.00",
                "fulfillment": "amazon",
                "scenarios": [{"name": "Schulen", "monthly_units": 40}],
            },
        ],
    },
)

# Every case comes in both languages and both views, with and without scripts.
JOURNEYS = [
    (case, view, scripts, language)
    for index, view in enumerate(("guided", "compact"))
    for scripts in (True, False)
    for language in ("en", "zh-Hans")
    for case in ("joins" if (index + scripts + (language == "en")) % 2 else "fixes first",)
]
CASES = {"joins": JOINS, "fixes first": FIXES_FIRST}


@pytest.mark.parametrize(("name", "view", "scripts", "language"), JOURNEYS)
def test_the_journey_by_keyboard(
    name: str, view: str, scripts: bool, language: str, open_page: OpenPage, site: Site
) -> None:
    case = CASES[name]
    page = open_page(scripts=scripts, language=language)
    page.goto(f"/?view={view}&locale={language}")
    products = [
        {f"line_{number}_{part}": value for part, value in product.items()}
        for number, product in enumerate(case.products, 1)
    ]
    if view == "guided":
        keyboard.fill(page, case.account)
        keyboard.go(page, "next")
        keyboard.fill(page, case.numbers)
        keyboard.go(page, "next")
        keyboard.fill(page, products[0])
    else:
        if "marketplace" in case.account:
            keyboard.fill(page, {"marketplace": case.account["marketplace"]})
            keyboard.go(page, "refresh")
        keyboard.fill(page, case.account | case.numbers | products[0])
    for number, product in enumerate(products[1:], 2):
        keyboard.go(page, "add:line")
        expect(page.locator(f"#line_{number}_category")).to_be_focused()
        keyboard.fill(page, product)
    keyboard.fill(page, case.money)
    keyboard.go(page, "result")
    body = json.loads(json.dumps(case.body).replace('"Scenario 2"', json.dumps(scenario_name(language, 2))))
    answer = site.ask("POST", "/v1/advice", body, language=language)
    assert_shows(page, answer, case.body, language)
    keyboard.tab_to(page, 'button[name="go"][value="json"]')
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert json.loads(Path(download.value.path()).read_text()) == answer


def scenario_name(language: str, number: int) -> str:
    return messages_in(language.replace("-", "_")).text("Scenario {number}", {"number": number})


def assert_shows(page: Page, answer: dict[str, Any], body: dict[str, Any], language: str) -> None:
    """Hold what the page of a result shows against an answer of the API."""
    shown = page.evaluate(SHOWN)
    (assessment,) = answer["assessment"]["assessments"]
    assert shown["lang"] == language
    assert shown["verdict"] == ["verdict", assessment["verdict"]]
    assert messages_in(language.replace("-", "_")).text(VERDICT_NAMES[assessment["verdict"]]) in page.title()
    said = [
        (one["outcome"], one["message"])
        for one in assessment["findings"]
        if one["outcome"] in ("met", "missed") or (one["outcome"] == "unknown" and one["level"] == "required")
    ]
    assert sorted(map(tuple, shown["findings"])) == sorted(said)
    assert [outcome for outcome, _ in shown["findings"]] == sorted(
        (outcome for outcome, _ in said), key=["missed", "unknown", "met"].index
    )
    assert {one["message"] for one in assessment["findings"]} == {words for _, words in said} | set(shown["unchecked"])
    assert [figures(table) for table in shown["tables"]] == expected_tables(answer, body)


# The tables of the money, without that of the prices, which the API does not answer with.
SHOWN = """() => {
  const text = one => one.textContent.replace(/\\s+/g, " ").trim();
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const rows = table => all("tbody tr", table).map(row => all("td", row).map(text));
  const tables = all('[aria-labelledby="money"] table').filter(one => all("th", one)[0].className !== "number");
  return {
    lang: document.documentElement.lang,
    verdict: [...document.querySelector(".verdict").classList],
    findings: all("article.finding").map(one => [one.classList[1], text(one.querySelector(":scope > p"))]),
    unchecked: all('[aria-labelledby="unchecked"] li').map(text),
    tables: tables.map(rows),
  };
}"""


def figures(table: list[list[str]]) -> list[list[Decimal | None]]:
    return [[figure(cell) for cell in row] for row in table]


def figure(text: str) -> Decimal | None:
    """Read a number as a person sees it: $1,234.50, −$1.06, 16.5 %; None where there is none."""
    found = re.search(r"\d[\d,]*(\.\d+)?", text)
    if found is None:
        return None
    number = Decimal(found[0].replace(",", ""))
    return -number if text.startswith(("−", "-")) else number


def expected_tables(answer: dict[str, Any], body: dict[str, Any]) -> list[list[list[Decimal | None]]]:
    """Write the tables that the page has to show, from the answer of the API."""

    def numbers(*cells: Any) -> list[Decimal | None]:
        return [None if cell is None else Decimal(cell) for cell in cells]

    tables: list[list[list[Decimal | None]]] = []
    for line, asked in zip(answer["lines"], body["lines"], strict=True):
        unit = line["per_unit"]
        parts = [unit[name] for name in ("total_sales_price", "sales_tax", *FEES, "net_proceeds")]
        parts += [asked["unit_cost"], asked["fulfillment_cost"], unit["contribution"]]
        tables.append([numbers(part) for part in parts if part is None or Decimal(part) != 0])
        tables.append([])
        for one in line["scenarios"]:
            row = numbers(one["b2b_units"], one["b2b_revenue"], one["total_fees"], one["contribution"])
            tables[-1].append([*row, Decimal(one["take_rate"]) * 100, *numbers(one["break_even_units"])])
        if line["quantity_discounts"]:
            tables.append(
                [
                    [*numbers(one["unit_price"], one["referral_fee"], one["net_proceeds"], one["contribution"]), None]
                    for one in line["quantity_discounts"]
                ]
            )
    tables.append(
        [
            numbers(*(one[name] for name in ("b2b_units", "b2b_revenue", "total_fees", "contribution")))
            + numbers(one["contribution_after_fixed_cost"])
            for one in answer["totals"]
        ]
    )
    return tables


def test_enter_in_a_field_goes_on(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/")
    keyboard.go(page, "next")
    first = page.locator("#order_defect_rate_60d_count")
    for question in ("pre_fulfillment_cancellation_rate_7d", "late_shipment_rate_30d"):
        page.locator(f"#{question}_how-unknown").check()
    page.locator("#order_defect_rate_60d_of").fill("1200")
    first.fill("3")
    with page.expect_navigation():
        first.press("Enter")
    expect(page.locator("#line_1_category")).to_be_visible()
    with page.expect_navigation():
        page.locator("#line_1_price").press("Enter")
    expect(page.locator("#verdict")).to_be_visible()


def test_the_first_tab_leads_past_the_navigation(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#marketplace")).to_be_focused()


def test_back_and_change_keep_every_answer(open_page: OpenPage) -> None:
    page = open_page(scripts=False)
    page.goto("/")
    keyboard.fill(page, JOINS.account)
    keyboard.go(page, "next")
    keyboard.fill(page, JOINS.numbers)
    keyboard.go(page, "next")
    page.locator("#line_1_price").fill("39.97")
    keyboard.go(page, "back")
    for name in ("order_defect_rate_60d_of", "pre_fulfillment_cancellation_rate_7d_rate"):
        expect(page.locator(f"#{name}")).to_have_value(JOINS.numbers[name])
    keyboard.go(page, "back")
    expect(page.locator("input[name=fulfillment][value=seller]")).to_be_checked()
    keyboard.go(page, "next")
    keyboard.go(page, "next")
    expect(page.locator("#line_1_price")).to_have_value("39.97")
    keyboard.fill(page, {"line_1_category": "office_products"})
    keyboard.go(page, "result")
    keyboard.go(page, "change:late_shipment_rate_30d_count")
    expect(page.locator("#late_shipment_rate_30d_count")).to_be_focused()
    expect(page.locator("#late_shipment_rate_30d_count")).to_have_value("4")
