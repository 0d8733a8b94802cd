"""What cannot be used is told: summed up with the focus on it, linked to its field, beside it; and nothing is lost."""

from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from advisor.messages import messages_in
from tests.browser.conftest import OpenPage
from tests.browser.ground import Site
from tests.browser.states import example, good_in_every_look, sign_in, submit


@dataclass(frozen=True)
class Mistakes:
    """What is typed instead of the example, and the fields that are wrong then, in the order of the page."""

    typed: dict[str, str]
    wrong: list[str]


MISSING = Mistakes(
    {
        "order_defect_rate_60d_count": "",
        "order_defect_rate_60d_of": "",
        "pre_fulfillment_cancellation_rate_7d_of": "",
        "late_shipment_rate_30d_count": "",
        "valid_tracking_rate_30d_rate": "",
    },
    [  # what is left empty as a whole is not known, and no mistake
        "pre_fulfillment_cancellation_rate_7d_of",
        "late_shipment_rate_30d_count",
    ],
)
MISTYPED = Mistakes(
    {
        "order_defect_rate_60d_count": "several",
        "pre_fulfillment_cancellation_rate_7d_count": "151",
        "late_shipment_rate_30d_of": "-600",
        "a_to_z_claim_rate_60d_how": "rate",
        "a_to_z_claim_rate_60d_rate": "101 %",
        "chargeback_rate_60d_how": "rate",
        "chargeback_rate_60d_rate": "0.005",
        "negative_feedback_rate_60d_how": "rate",
        "negative_feedback_rate_60d_rate": "0.12345678912345",
        "valid_tracking_rate_30d_rate": "98,1,2",
    },
    [
        "order_defect_rate_60d_count",
        "pre_fulfillment_cancellation_rate_7d_count",
        "late_shipment_rate_30d_of",
        "a_to_z_claim_rate_60d_rate",
        "chargeback_rate_60d_rate",
        "negative_feedback_rate_60d_rate",
        "valid_tracking_rate_30d_rate",
    ],
)
PRICES_MISSING = Mistakes(
    {
        "line_1_category": "",
        "line_1_price": "",
        "line_1_current_monthly_units": "",
        "line_1_scenario_3_name": "Schools",
        "line_1_discount_1_quantity": "",
        "line_1_discount_3_quantity": "100",
    },
    [
        "line_1_category",
        "line_1_price",
        "line_1_current_monthly_units",
        "line_1_scenario_3_units",
        "line_1_discount_1_quantity",
        "line_1_discount_3_price",
    ],
)
PRICES_MISTYPED = Mistakes(
    {
        "line_1_price": "1,234",
        "line_1_unit_cost": "-22",
        "line_1_fulfillment_cost": "4.005",
        "line_1_current_monthly_units": "1.5",
        "line_1_scenario_1_units": "5",
        "line_1_scenario_2_name": "n" * 61,
        "line_1_discount_1_price": "39",
        "line_1_discount_2_quantity": "ten",
        "line_1_shipping": "9" * 30,
        "line_1_gift_wrap": "free",
        "line_1_refund_rate": "101",
        "fixed_monthly_cost": "a lot",
    },
    [
        "line_1_price",
        "line_1_unit_cost",
        "line_1_fulfillment_cost",
        "line_1_current_monthly_units",
        "line_1_scenario_1_uplift",
        "line_1_scenario_2_name",
        "line_1_discount_1_price",
        "line_1_discount_2_quantity",
        "line_1_shipping",
        "line_1_gift_wrap",
        "line_1_refund_rate",
        "fixed_monthly_cost",
    ],
)
# What only the service finds, once all can be read.
REFUSED = Mistakes({"line_1_discount_1_quantity": "1"}, ["line_1_discount_1_quantity"])
ALL = Mistakes(MISTYPED.typed | PRICES_MISTYPED.typed, MISTYPED.wrong + PRICES_MISTYPED.wrong)

KEPT = """() => {
  const kept = {};
  for (const one of document.querySelectorAll("#form [name]"))
    if (one.name !== "go" && one.name !== "step" && one.type !== "checkbox" && (one.type !== "radio" || one.checked))
      kept[one.name] = one.value;
  return kept;
}"""
TOLD = """name => {
  const field = document.getElementById(name), says = document.getElementById(`${name}-says`);
  const ids = (field.getAttribute("aria-describedby") ?? "").trim().split(/\\s+/);
  return [field === document.activeElement, field.getAttribute("aria-invalid"), ids.includes(`${name}-says`),
    says.lastChild.textContent.trim()];
}"""


@pytest.mark.parametrize(
    ("mistakes", "view", "step", "language", "scripts"),
    [
        (MISSING, "guided", "numbers", "en", True),
        (MISTYPED, "guided", "numbers", "zh-Hans", False),
        (PRICES_MISSING, "guided", "prices", "zh-Hans", True),
        (PRICES_MISTYPED, "guided", "prices", "en", False),
        (REFUSED, "guided", "prices", "en", True),
        (ALL, "compact", "account", "en", True),
        (ALL, "compact", "account", "zh-Hans", False),
        (PRICES_MISTYPED, "fees", "account", "en", False),
    ],
)
def test_mistakes_are_told(
    mistakes: Mistakes, view: str, step: str, language: str, scripts: bool, open_page: OpenPage
) -> None:
    mistakes = without_numbers(mistakes) if view == "fees" else mistakes
    page = open_page(scripts=scripts)
    show_form(page, f"/?view={view}&locale={language}", example(**mistakes.typed, step=step))
    before = page.evaluate(KEPT)
    assert mistakes.typed.items() <= {**mistakes.typed, **before}.items()
    with page.expect_navigation() as answer:
        page.locator(".buttons button:not(.quiet, .link)").click()
    assert answer.value.status == 422
    assert page.title().startswith(messages_in(language.replace("-", "_")).text("Error: "))
    expect(page.locator("#errors")).to_be_focused()
    assert page.evaluate(KEPT) == before
    links = page.locator("#errors a")
    linked = [(link.get_attribute("href") or "").removeprefix("#") for link in links.all()]
    assert sorted(linked) == sorted(mistakes.wrong)
    for name, link in zip(linked, links.all(), strict=True):
        words = link.inner_text().strip()
        link.press("Enter")
        expect(page.locator(f"#{name}")).to_be_focused()
        focused, invalid, described, says = page.evaluate(TOLD, name)
        assert (focused, invalid, described) == (True, "true", True)
        assert says and words.endswith(says)
    good_in_every_look(page)
    assert linked == mistakes.wrong  # in the order of the page


def without_numbers(mistakes: Mistakes) -> Mistakes:
    """Leave out what a form of fees alone does not ask."""
    return Mistakes(
        {name: value for name, value in mistakes.typed.items() if name != "fixed_monthly_cost"},
        [name for name in mistakes.wrong if name != "fixed_monthly_cost"],
    )


def show_form(page: Page, address: str, typed: dict[str, str]) -> None:
    """Show a form with answers in it, on one of its pages, as if they had just been typed there."""
    submit(page, address, typed, "stay")
    expect(page.locator("#errors")).to_have_count(0)


def test_a_small_percentage_passes_once_it_is_confirmed(open_page: OpenPage) -> None:
    page = open_page()
    typed = example(chargeback_rate_60d_how="rate", chargeback_rate_60d_rate="0.005")
    assert submit(page, "/?view=compact", typed, "result").status == 422
    page.locator("#chargeback_rate_60d_rate_sure").check()
    with page.expect_navigation():
        page.locator('button[name="go"][value="result"]:not(.sr)').click()
    expect(page.locator("#verdict")).to_be_visible()


def test_mistakes_of_a_what_if_lead_to_their_fields(open_page: OpenPage) -> None:
    page = open_page()
    submit(page, "/", example(), "result")
    page.locator("#if-late_shipment_rate_30d_count").fill("many")
    page.locator("#if-line_1_price").fill("much")
    with page.expect_navigation() as answer:
        page.locator('button[value="what_if"]').click()
    assert answer.value.status == 422
    for link in page.locator("#errors a").all():
        link.press("Enter")
        expect(page.locator(link.get_attribute("href") or "")).to_be_focused()


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_mistakes_of_a_pre_sale_and_of_a_text_lead_to_their_fields(language: str, open_page: OpenPage) -> None:
    page = open_page()
    planned = {"marketplace": "DE", "kind": "pre_order", "category": "jewelry", "unit_cost": "5", "late_count": "5"}
    for address, typed, wrong in (
        ("/checks/pre-sale", planned, ["listed_on", "release_on", "category", "price", "late_of"]),
        ("/checks/red-lines", {"marketplace": "US"}, ["text"]),
    ):
        assert submit(page, f"{address}?locale={language}", typed, "check").status == 422
        links = page.locator("#errors a")
        assert [link.get_attribute("href") for link in links.all()] == [f"#{name}" for name in wrong]
        for name, link in zip(wrong, links.all(), strict=True):
            link.press("Enter")
            expect(page.locator(f"#{name}")).to_be_focused()
        good_in_every_look(page)


def test_a_key_that_signs_nobody_in(site: Site, open_page: OpenPage) -> None:
    page = open_page(scripts=False)
    for key in ("", "nonsense", "pk_of_a_page", "sk_" + "x" * 40, site.new_key("Acme", "--scope", "webhooks:read")):
        sign_in(page, key)
        assert page.title().startswith("Error: ")
        expect(page.locator(".summary-of-errors")).to_be_focused()
        page.locator(".summary-of-errors a").press("Enter")
        expect(page.locator("#key")).to_be_focused()
        expect(page.locator("#key")).to_have_value("")  # a key is not sent back
