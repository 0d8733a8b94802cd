"""Errors on a page speak of the page: they name its fields and lead to them, and nothing that only the API has."""

import html
import re

import pytest
from flask.testing import FlaskClient

from advisor.web.pages.entries import ON_A_PAGE
from advisor.web.pages.form import EXAMPLE
from advisor.web.pages.offers import LISTING_EXAMPLE, PRE_SALE_EXAMPLE
from advisor.web.pages.red_lines import EXAMPLE as RED_LINES_EXAMPLE
from tests.catalogs import template

FORMS = {
    "/?view=compact": (EXAMPLE, "result"),
    "/checks/pre-sale": (PRE_SALE_EXAMPLE, "check"),
    "/checks/listing": (LISTING_EXAMPLE, "check"),
    "/checks/red-lines": (RED_LINES_EXAMPLE, "check"),
}
WRONG = ["", "0", "-1", "x", "1.5", "101", "9" * 11, "9" * 30, "1,234", "0.005", "2026-02-30", "1066-10-14"]
WRONG += ["x" * 300, "x" * 11_000, "a:1\na:2", "a\0b", "true"]
# Wrong together only, or only where all else is right.
TOGETHER: list[tuple[str, dict[str, str]]] = [
    ("/?view=compact", {"line_1_discount_1_rate": "100"}),
    ("/?view=compact", {"line_1_discount_1_quantity": "1"}),
    ("/?view=compact", {"line_1_price": "0"}),
    ("/?view=compact", {"line_1_scenario_1_name": "A", "line_1_scenario_2_name": "A"}),
    ("/?view=compact", {"line_1_fulfillment": "easy_ship"}),
    ("/?view=compact", {"fixed_monthly_cost": "9" * 10 + "1"}),
    ("/?view=compact", {"marketplace": "MX"}),
    ("/checks/pre-sale", {"listed_on": "", "release_on": ""}),
    ("/checks/pre-sale", {"release_on": "2027-01-01"}),
    ("/checks/pre-sale", {"kind": "back_order"}),
    ("/checks/pre-sale", {"restock_on": "2027-07-04"}),
    ("/checks/pre-sale", {"late_count": "700"}),
    ("/checks/pre-sale", {"late_of": ""}),
    ("/checks/pre-sale", {"cancelled_count": ""}),
    ("/checks/pre-sale", {"category": ""}),
    ("/checks/pre-sale", {"price": ""}),
    ("/checks/pre-sale", {"marketplace": "DE"}),
    ("/checks/pre-sale", {"marketplace": "MX"}),
    ("/checks/pre-sale", {"fulfillment": "easy_ship"}),
    ("/checks/pre-sale", {"fulfillment": "seller_prime", "prime": "false"}),
    ("/checks/listing", {"images": "0"}),
    ("/checks/red-lines", {"order_completed_on": "2026-01-02", "sent_on": "2026-01-01"}),
    ("/checks/red-lines", {"text": "", "selling_accounts": "", "several_accounts_permitted": ""}),
]
OF_THE_API = re.compile(
    r"`|[a-z]_[a-z]|JSON|\bAPI\b|YYYY|Allowed are|in quotes|\b[Ll]eave (it|one of the two) out|has to be given"
)


def told(page: str) -> list[tuple[str, str]]:
    summary = re.search(r'<section class="summary-of-errors".*?</section>', page, re.DOTALL)
    found = re.findall(r'<a href="#([^"]+)">(.*?)</a>', summary[0], re.DOTALL) if summary else []
    return [(name, html.unescape(words)) for name, words in found]


def speaks_of_the_page(page: str) -> None:
    for name, words in told(page):
        assert not OF_THE_API.search(words), words
        field = re.search(rf'<(?:input|select|textarea) [^>]*id="{name}"', page)
        assert field, (name, words)
        assert f'id="{name}-says"' in page
        assert re.match(r"\w.*: \w", words), words


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
def test_any_value_anywhere(client: FlaskClient, form: str, value: str) -> None:
    _, go = FORMS[form]
    fields = re.findall(r'<(?:input|select|textarea) [^>]*name="([^"]+)"', client.get(form).text)
    rate = {name: "rate" for name in fields if name.endswith("_how")}
    for wrong in (dict.fromkeys(fields, value), dict.fromkeys(fields, value) | rate):
        page = client.post(form, data={**wrong, "go": go})
        assert page.status_code in (200, 422)
        speaks_of_the_page(page.text)


@pytest.mark.parametrize(("form", "changes"), TOGETHER, ids=lambda one: str(one)[:60])
def test_what_only_the_service_finds(client: FlaskClient, form: str, changes: dict[str, str]) -> None:
    typed, go = FORMS[form]
    kept = {name: "" for name in typed if name.startswith("review_requests")}
    several = {**typed, **kept, **changes}
    page = client.post(form, data={**several, "go": go})
    assert page.status_code == 422
    assert told(page.text)
    speaks_of_the_page(page.text)


def test_what_is_said_otherwise_on_a_page_is_said() -> None:
    said = {one.id for one in template()}
    assert ON_A_PAGE.keys() - said == set()
