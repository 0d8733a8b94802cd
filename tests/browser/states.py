"""Brings pages into the states that no address leads to: a form as somebody filled it in, its result, a portfolio."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Page, Response

from advisor.web.pages.form import EXAMPLE
from tests.browser.ground import COLOURS, Site, no_sideways_scroll, no_violations

# Sends a form as the page itself would: what is pressed last is the button `go`.
SUBMIT = """([address, fields]) => {
  const form = Object.assign(document.createElement("form"), {method: "post", action: address});
  for (const [name, value] of Object.entries(fields))
    form.append(Object.assign(document.createElement("input"), {type: "hidden", name, value}));
  document.body.append(form);
  HTMLFormElement.prototype.submit.call(form);
}"""
MISSED = {"late_shipment_rate_30d_count": "90", "order_defect_rate_60d_count": "40"}
# An account of which only its health rating is known.
RATED = {
    "marketplace": "US",
    "program": "account-health-seller-fulfilled",
    "account_health_rating": "150",
    **dict.fromkeys(
        (
            "order_defect_rate_seller_fulfilled_60d_how",
            "pre_fulfillment_cancellation_rate_7d_how",
            "late_shipment_rate_10d_how",
            "late_shipment_rate_30d_how",
            "valid_tracking_rate_30d_how",
            "unit_on_time_delivery_rate_14d_how",
        ),
        "unknown",
    ),
}
# Facts of every kind, in lists with some rows, and mistakes in them.
RED_LINES = {
    "marketplace": "DE",
    "text": "Please leave us a five star review.",
    "buyer_data_kept_days": "90",
    "review_requests_none": "true",
    "dispatches_1_category": "books",
    "dispatches_1_confirmed_on": "2026-11-02",
    "dispatches_2_category": "video_games",
    "dispatches_2_confirmed_on": "2026-11-02",
    "dispatches_2_dispatched_on": "2026-11-10",
    "dispatches_2_holidays": "2026-11-03, 2026-11-04",
    "shipping_1_charged": "12,50",
    "shipping_1_carrier_standard": "5",
    "multi_packs_1_price": "30",
    "multi_packs_1_units": "3",
    "multi_packs_1_single_price": "9.50",
    "listings_1_asin": "B000EXAMPL",
    "listings_1_gtin": "4006381333931",
    "media_pre_sales_dvd": "true",
    "third_party_trademarks": "Acme",
}
RED_LINES_WRONG = {
    "review_requests_2_count": "many",
    "dispatches_1_category": "",
    "dispatches_2_holidays": "soon",
    "shipping_1_charged": "1,234",
    "multi_packs_1_price": "",
    "media_pre_sales_none": "true",
}
SELLERS: dict[str, dict[str, Any]] = {
    "A-1": {"name": "Office & more", "groups": ["north", "paper"]},
    "A-2": {"name": None, "groups": []},
}


def submit(page: Page, address: str, fields: Mapping[str, str], go: str, **more: str) -> Response:
    """Send the form of a page, from that page; gives the answer, which is shown."""
    page.goto(address)
    with page.expect_navigation() as answer:
        page.evaluate(SUBMIT, [address, {**fields, **more, "go": go}])
    return answer.value


def example(**changes: str) -> dict[str, str]:
    """Give the example of the form, with some answers changed."""
    return {**EXAMPLE, **changes}


def good_in_every_look(page: Page) -> None:
    """Show that a page as it stands is accessible and fits: narrow, wide, and, in English, in every colour as well.

    Colours do not depend on the language.
    """
    page.set_viewport_size({"width": 1280, "height": 900})
    no_sideways_scroll(page)
    page.set_viewport_size({"width": 320, "height": 256})  # 1280 by 1024 at 400 %
    no_sideways_scroll(page)
    no_violations(page)
    if page.locator("html").get_attribute("lang") != "en":
        return
    page.emulate_media(color_scheme="dark")
    no_violations(page, COLOURS)
    page.emulate_media(color_scheme="light", forced_colors="active")
    no_violations(page, COLOURS)
    page.emulate_media(forced_colors="none")
    page.set_viewport_size({"width": 1280, "height": 900})
    no_violations(page)


def keep_sellers(site: Site, key: str, sellers: Mapping[str, Mapping[str, Any]] = SELLERS) -> None:
    """Keep some sellers of a workspace; all but the last have numbers of six weeks, which get worse."""
    facts = {"selling_plan": "professional", "fulfillment": "seller"}
    today = datetime.now(UTC).date()
    for name, seller in sellers.items():
        site.ask("PUT", f"/v1/sellers/{name}", {"marketplace": "US", "facts": facts, **seller}, key)
        if name == list(sellers)[-1]:
            continue
        for week in range(6):
            metrics = {
                "order_defect_rate": {"count": 4 + 2 * week, "of": 1200},
                "pre_fulfillment_cancellation_rate": {"count": 1, "of": 150},
                "late_shipment_rate": {"count": 10 + 5 * week, "of": 600},
            }
            day = today - timedelta(weeks=5 - week)
            site.ask("POST", f"/v1/sellers/{name}/snapshots", {"as_of": day.isoformat(), "metrics": metrics}, key)


def sign_in(page: Page, key: str, language: str = "en") -> None:
    """Sign in to the portfolio."""
    page.goto(f"/portfolio?locale={language}")
    page.locator("#key").fill(key)
    with page.expect_navigation():
        page.locator("#key").press("Enter")
