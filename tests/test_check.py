"""The form and its result, without a browser: the same answer as the API, nothing lost, every mistake told."""

import csv
import html
import io
import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from advisor.answers.parts import dumps
from advisor.catalog import Catalog
from advisor.domain.program import MARKETPLACES
from advisor.messages import Messages, available_locales, messages_in
from advisor.services.calculations import Services, today
from advisor.web.pages.form import EXAMPLE, STEPS, Form, ask
from advisor.web.pages.result import Result

FIELD = re.compile(r"<(?:input|select|button|textarea)\b[^>]*>")
NUMBERS = {
    "order_defect_rate_60d_how": "counts",
    "order_defect_rate_60d_count": "3",
    "order_defect_rate_60d_of": "1200",
    "pre_fulfillment_cancellation_rate_7d_how": "rate",
    "pre_fulfillment_cancellation_rate_7d_rate": "0.5",
    "late_shipment_rate_30d_how": "counts",
    "late_shipment_rate_30d_count": "4",
    "late_shipment_rate_30d_of": "600",
}

# The account health standards, with none of their rates known.
RATED = {
    "marketplace": "US",
    "program": "account-health-seller-fulfilled",
    "order_defect_rate_seller_fulfilled_60d_how": "unknown",
    "pre_fulfillment_cancellation_rate_7d_how": "unknown",
    "late_shipment_rate_10d_how": "unknown",
    "late_shipment_rate_30d_how": "unknown",
    "valid_tracking_rate_30d_how": "unknown",
    "unit_on_time_delivery_rate_14d_how": "unknown",
}


def attributes(tag: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}


def fields(page: str) -> dict[str, str]:
    """What a browser would send of the page's main form: hidden, text, checked radios and boxes, selected options."""
    form = re.search(r'<form [^>]*id="form".*?</form>', page, re.DOTALL)
    assert form
    found: dict[str, str] = {}
    for tag in FIELD.findall(form[0]):
        one = attributes(tag)
        kind = one.get("type", "")
        if "name" not in one or tag.startswith("<button"):
            continue
        if tag.startswith("<select"):
            inside = form[0].split(tag, 1)[1].split("</select>")[0]
            options = re.findall(r"<option [^>]*>", inside)
            chosen = [attributes(option)["value"] for option in options if " selected" in option]
            found[one["name"]] = chosen[0] if chosen else attributes(options[0])["value"]
        elif kind not in ("radio", "checkbox") or " checked" in tag:
            found.setdefault(one["name"], one.get("value", ""))
    return found


def send(client: FlaskClient, typed: dict[str, str], go: str, query: str = "?view=compact", status: int = 200) -> str:
    response = client.post(f"/{query}", data={**typed, "go": go})
    assert response.status_code == status, response.text
    return response.text


def errors(page: str) -> dict[str, str]:
    summary = re.search(r'<section class="summary-of-errors".*?</section>', page, re.DOTALL)
    if summary is None:
        return {}
    return {name: html.unescape(text) for name, text in re.findall(r'<a href="#([^"]+)">(.*?)</a>', summary[0])}


def answer_of(client: FlaskClient, typed: dict[str, str]) -> Any:
    return json.loads(send(client, typed, "json"))


# The same answer as the API


def test_the_form_asks_the_api_for_the_same(client: FlaskClient) -> None:
    body = {
        "marketplace": "US",
        "as_of": today().isoformat(),
        "programs": ["enterprise-mall"],
        "facts": {"selling_plan": "professional", "fulfillment": "seller", "tracking_on_every_package": True},
        "metrics": {
            "order_defect_rate": {"count": 3, "of": 1200, "window_days": 60},
            "pre_fulfillment_cancellation_rate": {"count": 1, "of": 150, "window_days": 7},
            "late_shipment_rate": {"count": 4, "of": 600, "window_days": 30},
            "valid_tracking_rate": {"rate": "0.981", "window_days": 30},
        },
        "established_in": "US",
        "fixed_monthly_cost": "150.00",
        "lines": [
            {
                "category": "office_products",
                "price": "40.00",
                "unit_cost": "22.00",
                "fulfillment_cost": "4.00",
                "current_monthly_units": 500,
                "scenarios": [{"name": "Scenario 1", "uplift": "0.05"}, {"name": "Scenario 2", "monthly_units": 120}],
                "quantity_discounts": [
                    {"min_quantity": 10, "discount_rate": "0.05"},
                    {"min_quantity": 50, "unit_price": "29.00"},
                ],
            }
        ],
    }
    expected = client.post("/v1/advice", json=body).get_json()
    assert expected["assessment"]["verdict"] == "eligible"
    assert answer_of(client, EXAMPLE) == expected


def test_without_products_the_answer_is_the_assessment(client: FlaskClient) -> None:
    typed = {"marketplace": "US", "selling_plan": "professional", **NUMBERS}
    answer = answer_of(client, typed)
    assert [one["verdict"] for one in answer["assessments"]] == ["eligible"]
    assert "lines" not in answer


@pytest.mark.parametrize(
    ("rating", "label", "here", "follows"),
    [
        ("0", "Unhealthy", "0.2", "eligible for deactivation"),
        ("99", "Unhealthy", "33.8", "eligible for deactivation"),
        ("100", "At risk", "34.1", "at risk of deactivation:"),
        ("200", "Healthy", "68.1", "not at risk of deactivation"),
        ("1000", "Healthy", "339.8", "not at risk of deactivation"),
    ],
)
def test_the_result_draws_the_band_of_a_rating_and_says_once_what_follows(
    client: FlaskClient, rating: str, label: str, here: str, follows: str
) -> None:
    page = html.unescape(send(client, {**RATED, "account_health_rating": rating}, "result"))
    assert page.count("Account health rating: healthy</h3>") == 1
    assert page.count("Account health rating: not critical</h3>") == 1  # both read it, and one of them tells the band
    assert re.findall(r'aria-current="true"><span class="swatch \w+"></span>([^:]+): ', page) == [label]
    assert page.count(f"<title>Your value, {rating}, among bands from 0 to 1000</title>") == 1
    assert page.count(f'<line class="place" x1="{here}" x2="{here}"') == 1
    drawn = re.findall(r'class="band (\w+)" x="([\d.]+)" y="5" width="([\d.]+)"', page)
    assert drawn == [("red", "0.0", "34.0"), ("yellow", "34.0", "34.0"), ("green", "67.9", "272.1")]
    assert page.count(follows) == 1
    assert page.count(f"It lies in the band “{label}”") == 1


def test_a_result_without_a_rating_draws_no_bands(client: FlaskClient) -> None:
    page = send(client, RATED, "result")
    assert "the line in the middle" not in page  # there is no headroom bar either
    assert 'class="band ' not in page and 'class="bands"' not in page


@pytest.mark.parametrize("place", MARKETPLACES)
@pytest.mark.parametrize("program", Catalog().program_ids)
def test_every_question_reaches_its_criterion(client: FlaskClient, catalog: Catalog, place: str, program: str) -> None:
    fulfillment = "amazon" if program.endswith("amazon-fulfilled") else "seller"
    typed = {"marketplace": place, "program": program, "fulfillment": fulfillment, "selling_plan": "professional"}
    questions = ask(catalog.program(program), place, today(), fulfillment)
    for one in questions:
        if one.is_fact:
            typed[one.name] = {"boolean": "true", "integer": "5"}.get(one.subject.kind, "professional")
        else:
            typed[f"{one.name}_how"] = "counts"
            typed |= {f"{one.name}_count": "3", f"{one.name}_of": "900"}
    answer = answer_of(client, typed)["assessments"][0]
    assert answer["unused"] == []
    seen = {one["criterion"] for one in answer["findings"] if one["observed"] is not None}
    expected = {one["criterion"] for one in answer["findings"] if one["reason"] != "other_fulfillment_channel"}
    assert seen == expected


def test_every_page_of_every_program_renders(client: FlaskClient, catalog: Catalog) -> None:
    for place in MARKETPLACES:
        for program in catalog.program_ids:
            page = send(client, {"marketplace": place, "program": program}, "refresh")
            assert page.count("<h1") == 1
            shown = fields(page)
            for one in ask(catalog.program(program), place, today(), ""):
                assert one.is_fact or shown[f"{one.name}_how"] == one.how


# Step by step


def test_the_guided_pages_lead_to_the_same_result(client: FlaskClient) -> None:
    page = client.get("/").text
    typed = fields(page) | {"selling_plan": "professional", "fulfillment": "seller"}
    page = send(client, typed, "next", "")
    assert "Your numbers" in page
    typed = fields(page) | NUMBERS
    page = send(client, typed, "next", "")
    assert "Your prices" in page
    typed = fields(page)
    assert {name: typed[name] for name in NUMBERS} == NUMBERS  # travels hidden
    typed |= {"line_1_category": "jewelry", "line_1_price": "300", "line_1_unit_cost": "180"}
    result = send(client, typed, "result", "")
    assert "Eligible: every required criterion is met." in result
    assert answer_of(client, typed)["lines"][0]["per_unit"]["referral_fee"] == "52.50"
    assert "$52.50" in result


def test_going_back_loses_nothing(client: FlaskClient) -> None:
    typed = {**EXAMPLE, "step": "prices", "line_1_price": "not a price"}
    page = send(client, typed, "back", "")
    kept = fields(page)
    assert {name: kept[name] for name in EXAMPLE} == {**EXAMPLE, "line_1_price": "not a price"}


def test_another_program_and_back_keeps_what_was_typed(client: FlaskClient) -> None:
    page = send(client, {**EXAMPLE, "program": "account-health-amazon-fulfilled"}, "refresh")
    page = send(client, {**fields(page), "program": "enterprise-mall"}, "refresh")
    kept = fields(page)
    assert {name: kept[name] for name in EXAMPLE} == EXAMPLE


def test_a_change_leads_to_its_field(client: FlaskClient) -> None:
    page = send(client, EXAMPLE, "change:late_shipment_rate_30d_count", "")
    assert re.search(r'<input [^>]*id="late_shipment_rate_30d_count"[^>]* autofocus', page)
    assert fields(page)["line_1_price"] == "40.00"


def test_products_are_added_and_removed(client: FlaskClient) -> None:
    page = send(client, EXAMPLE, "add:line")
    typed = fields(page) | {"line_2_category": "jewelry", "line_2_price": "10"}
    page = send(client, typed, "remove:line:1")
    left = fields(page)
    assert left["line_1_category"] == "jewelry"
    assert left["line_1_price"] == "10"
    assert "line_2_price" not in left
    assert not any(name.startswith("line_") and value == "40.00" for name, value in left.items())


def test_the_language_changes_and_everything_stays(client: FlaskClient) -> None:
    page = send(client, {**EXAMPLE, "line_1_price": "oops"}, "stay", "?view=compact&locale=zh-Hans")
    assert '<html lang="zh-Hans"' in page
    assert fields(page)["line_1_price"] == "oops"


# Mistakes


@pytest.mark.parametrize(
    ("typed", "field", "says"),
    [
        ({"order_defect_rate_60d_count": ""}, "order_defect_rate_60d_count", "Type how many there were; 0"),
        ({"order_defect_rate_60d_of": ""}, "order_defect_rate_60d_of", "in all"),
        ({"order_defect_rate_60d_count": "many"}, "order_defect_rate_60d_count", "Type a whole number"),
        ({"order_defect_rate_60d_count": "2000"}, "order_defect_rate_60d_count", "There cannot be 2000 of 1200"),
        (
            {"late_shipment_rate_30d_how": "rate", "late_shipment_rate_30d_rate": "0.005"},
            "late_shipment_rate_30d_rate",
            "if you mean 0.5 %, type that",
        ),
        ({"line_1_price": ""}, "line_1_price", "Type the price"),
        ({"line_1_price": "40.0055"}, "line_1_price", "at most 2 decimals"),
        ({"line_1_price": "1,234"}, "line_1_price", "two ways"),
        ({"line_1_category": ""}, "line_1_category", "Choose the fee category"),
        ({"line_1_category": "no_such_thing"}, "line_1_category", "category"),
        ({"line_1_unit_cost": "x"}, "line_1_unit_cost", "Type an amount"),
        ({"line_1_refund_rate": "101"}, "line_1_refund_rate", "at most 100"),
        ({"line_1_current_monthly_units": ""}, "line_1_current_monthly_units", "how many you sell a month now"),
        ({"line_1_scenario_1_units": "5"}, "line_1_scenario_1_uplift", "either the units or the increase"),
        (
            {"line_1_scenario_3_name": "x" * 61, "line_1_scenario_3_units": "5"},
            "line_1_scenario_3_name",
            "at most 60 characters",
        ),
        ({"line_1_scenario_3_name": "x"}, "line_1_scenario_3_units", "additional units"),
        ({"line_1_discount_1_quantity": ""}, "line_1_discount_1_quantity", "quantity from which"),
        ({"line_1_discount_1_quantity": "1"}, "line_1_discount_1_quantity", "from 2 to"),
        ({"line_1_discount_1_price": "1"}, "line_1_discount_1_price", "either the discount or the price"),
        ({"fixed_monthly_cost": "lots"}, "fixed_monthly_cost", "Type an amount"),
        ({"line_1_price": "9" * 30}, "line_1_price", "too large"),
    ],
)
@pytest.mark.parametrize("query", ["", "?view=compact"])
def test_a_mistake_is_told_beside_its_field(
    client: FlaskClient, typed: dict[str, str], field: str, says: str, query: str
) -> None:
    sent = {**EXAMPLE, **typed}
    page = send(client, sent, "result", query, 422)
    told = errors(page)
    assert list(told) == [field]
    assert says in told[field]
    assert re.search(rf'id="{field}"', page)
    assert f'id="{field}-says"' in page
    assert re.search(r"<title>Error: ", page)
    kept = fields(page)
    listed = {name for name in sent if sent[name] == "no_such_thing"}  # what is not in a list cannot be chosen there
    assert all(kept.get(name, "") == value for name, value in sent.items() if name not in listed)


def test_a_small_percentage_passes_once_it_is_confirmed(client: FlaskClient) -> None:
    typed = {**EXAMPLE, "late_shipment_rate_30d_how": "rate", "late_shipment_rate_30d_rate": "0.005"}
    page = send(client, typed, "result", status=422)
    assert 'name="late_shipment_rate_30d_rate_sure"' in page
    answer = answer_of(client, {**typed, "late_shipment_rate_30d_rate_sure": "true"})
    late = next(
        one for one in answer["assessment"]["assessments"][0]["findings"] if one["criterion"] == "late-shipment-30d"
    )
    assert late["observed"]["rate"] == "0.00005"


@pytest.mark.parametrize("how", ["unknown", "counts", "rate", ""])
def test_what_is_not_known_or_left_empty_is_unknown_and_no_mistake(client: FlaskClient, how: str) -> None:
    asked = ["order_defect_rate_60d", "pre_fulfillment_cancellation_rate_7d", "late_shipment_rate_30d"]
    advisory = ["chargeback_rate_60d", "return_rate"]
    typed = {"marketplace": "US", **{f"{name}_how": how for name in [*asked, *advisory] if how}}
    page = send(client, typed, "result")
    assert "Undetermined" in page
    missing = re.search(r"What is missing for a verdict:</p><ul>(.*?)</ul>", page)
    assert missing
    assert re.findall("<li>(.*?)</li>", missing[1])[-3:] == [
        "Order defect rate",
        "Pre-fulfillment cancellation rate, 7 days",
        "Late shipment rate, 30 days",
    ]
    assert "Chargeback rate: not given" in page
    assert 'name="order_defect_rate_60d_count" value' not in page.split('id="whatif"')[1]


def test_a_counter_left_empty_is_unknown(client: FlaskClient) -> None:
    typed = {"program": "account-health-seller-fulfilled", "suspected_ip_violations_180d_how": "counts"}
    finding = next(
        one
        for one in answer_of(client, typed)["assessments"][0]["findings"]
        if one["criterion"] == "suspected-ip-violations"
    )
    assert finding["outcome"] == "unknown"


@pytest.mark.parametrize("program", Catalog().program_ids)
def test_a_window_is_said_once(catalog: Catalog, program: str) -> None:
    for place in MARKETPLACES:
        for one in ask(catalog.program(program), place, today(), ""):
            if one.window_days:
                assert (f"{one.window_days} days" in one.label) == (one.days is None), one.label


def test_a_fact_is_asked_by_its_name(client: FlaskClient) -> None:
    page = send(client, {"program": "account-health-seller-fulfilled"}, "refresh")
    assert '<label for="account_health_rating">Account health rating</label>' in page


def test_a_program_that_asks_an_account_nothing_says_why(client: FlaskClient) -> None:
    typed = {"program": "seller-fulfilled-prime", "fulfillment": "amazon"}
    page = send(client, typed, "refresh")
    assert "questions concerns an account as you described it" in page
    assert "No rule of this program holds" not in page
    assert "No rule of this program holds" in send(client, {**typed, "marketplace": "AU"}, "refresh")


def test_prices_without_a_fee_schedule_lead_on(client: FlaskClient) -> None:
    told = errors(send(client, {**EXAMPLE, "marketplace": "MX", "line_1_category": ""}, "result", status=422))
    assert told["line_1_category"].startswith("Fee category: No fees are known in this marketplace")


def test_fees_alone_want_a_product(client: FlaskClient) -> None:
    page = send(client, {"marketplace": "US"}, "result", "?view=fees", 422)
    assert list(errors(page)) == ["line_1_category"]
    page = send(client, EXAMPLE, "result", "?view=fees")
    assert "Total sales price" in page
    assert "Each criterion" not in page


@pytest.mark.parametrize(
    "go", ["", "nonsense", "change:", "change:<b>", "remove:line:99", "remove:line:x", "next", "back"]
)
def test_odd_buttons_break_nothing(client: FlaskClient, go: str) -> None:
    assert client.post("/", data={"go": go, "step": "<nowhere>"}).status_code in (200, 422)


def test_odd_values_break_nothing(client: FlaskClient) -> None:
    odd = {
        "marketplace": "XX",
        "program": "../../etc",
        "selling_plan": "gold",
        "fulfillment": "nobody",
        "line_rows": "9999999",
        "order_defect_rate_60d_how": "sideways",
        "line_1_fulfillment": "pigeon",
        "line_x_y": "1",
        "established_in": "??",
    }
    response = client.post("/?view=compact", data={**odd, "go": "result"})
    assert response.status_code == 422
    assert client.post("/?view=nope&locale=%00&theme=%3Cx%3E&marketplace=%3Cb%3E").status_code == 200


# Results


def test_a_result_shows_the_failing_first_and_what_to_do(client: FlaskClient) -> None:
    page = send(client, {**EXAMPLE, "late_shipment_rate_30d_count": "30"}, "result")
    assert "Not eligible: at least one required criterion is missed." in page
    articles = re.findall(r'<article class="finding (\w+)">', page)
    assert articles == sorted(articles, key=["missed", "unknown", "met"].index)
    assert "What to do, in this order" in page
    assert "Order processing" in page


def test_a_marketplace_without_rules_is_an_answer(client: FlaskClient) -> None:
    page = send(client, {"marketplace": "AU", "selling_plan": "professional"}, "result")
    assert "Not covered: no rule of this program holds in Australia" in page


def test_a_what_if_shows_what_moves_beside_what_was(client: FlaskClient) -> None:
    changed = {**EXAMPLE, "late_shipment_rate_30d_count": "30", "was": json.dumps(EXAMPLE)}
    page = send(client, changed, "what_if")
    moved = re.search(r'id="moved".*?</table>', page, re.DOTALL)
    assert moved
    cells = [
        html.unescape(cell) for cell in re.findall(r"<t[dh][^>]*>(?:<strong>)?(.*?)(?:</strong>)?</t[dh]>", moved[0])
    ]
    assert cells[3:6] == ["Verdict", "Eligible", "Not eligible"]
    assert "Late shipment rate, 30 days" in cells
    back = re.search(r'<form method="post" action="[^"]*">(.*?)</form>', page, re.DOTALL)
    assert back
    kept = {attributes(tag)["name"]: attributes(tag)["value"] for tag in FIELD.findall(back[1]) if "hidden" in tag}
    assert kept == EXAMPLE


@pytest.mark.parametrize("was", ["", "[]", "{", '{"a": 1}', '"text"'])
def test_a_what_if_without_a_before_is_a_result(client: FlaskClient, was: str) -> None:
    page = send(client, {**EXAMPLE, "was": was}, "what_if")
    assert "What if: what moves" not in page
    assert "Eligible" in page


def test_the_csv_has_a_row_for_every_finding(client: FlaskClient) -> None:
    text = send(client, EXAMPLE, "csv").removeprefix("\ufeff")
    rows = list(csv.reader(io.StringIO(text)))
    answer = answer_of(client, EXAMPLE)
    findings = answer["assessment"]["assessments"][0]["findings"]
    assert len(rows) == 1 + len(findings) + 6
    assert {len(row) for row in rows} == {7}
    assert ["Office Products: Referral fee (commission)", "", "6.00", "", "", "", ""] in rows


def test_hostile_text_is_shown_as_text(client: FlaskClient) -> None:
    hostile = "\"><script>alert(1)</script><b onmouseover='x'>"
    typed = {**EXAMPLE, "line_1_scenario_1_name": hostile[:60], "line_1_price": hostile}
    page = send(client, typed, "result", status=422)
    assert "<script>alert" not in page
    assert fields(page)["line_1_price"] == hostile
    page = send(client, {**EXAMPLE, "line_1_scenario_1_name": hostile[:60]}, "result")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


# Where it stands


def test_a_form_of_another_site_is_refused(client: FlaskClient) -> None:
    response = client.post("/", data=EXAMPLE, headers={"Sec-Fetch-Site": "cross-site", "Accept": "text/html"})
    assert response.status_code == 403
    assert response.mimetype == "text/html"
    assert client.post("/", data=EXAMPLE, headers={"Origin": "https://elsewhere.example"}).status_code == 403
    assert client.post("/", data=EXAMPLE, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.post("/", data=EXAMPLE, headers={"Origin": "http://localhost"}).status_code == 200


def test_pages_load_nothing_from_elsewhere_and_keep_nothing(client: FlaskClient) -> None:
    response = client.get("/")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    for address in re.findall(r'(?:src|href)="(/assets/[^"]+)"', response.text):
        asset = client.get(address)
        assert asset.status_code == 200
        assert "immutable" in asset.headers["Cache-Control"]
    assert not re.search(r'(?:src|href)="(?:https?:)?//', response.text)
    assert "style=" not in response.text


def test_an_asset_of_another_version_is_not_kept(client: FlaskClient) -> None:
    assert client.get("/assets/000000000000/advisor.css").headers["Cache-Control"] == "no-cache"
    assert client.get("/assets/000000000000/nothing.css").status_code == 404
    assert client.get("/assets/000000000000/..%2Fapi.py").status_code == 404


def test_a_problem_is_a_page_for_a_person_and_json_for_a_program(client: FlaskClient) -> None:
    page = client.get("/nowhere", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert client.get("/nowhere").mimetype == "application/problem+json"
    assert client.get("/v1/nowhere", headers={"Accept": "text/html"}).mimetype == "application/problem+json"


def test_a_body_that_is_too_large_is_a_page(client: FlaskClient) -> None:
    response = client.post("/", data={"line_1_price": "9" * 3_000_000}, headers={"Accept": "text/html"})
    assert (response.status_code, response.mimetype) == (413, "text/html")


@pytest.mark.parametrize("locale", available_locales())
def test_the_example_fills_every_part_of_the_form(catalog: Catalog, locale: str) -> None:
    form = Form(catalog, EXAMPLE, today(), messages_in(locale))
    body = form.read()
    assert form.errors == {}
    assert set(EXAMPLE) <= form.shown(STEPS)
    assert body["lines"][0]["price"] == "40"


def test_a_what_if_that_cannot_be_read_keeps_the_original(client: FlaskClient) -> None:
    changed = {**EXAMPLE, "late_shipment_rate_30d_count": "many", "line_1_price": "much", "was": json.dumps(EXAMPLE)}
    page = send(client, changed, "what_if", "", 422)
    assert set(errors(page)) == {"if-late_shipment_rate_30d_count", "if-line_1_price"}
    for name in errors(page):
        assert re.search(rf'<input [^>]*id="{name}"[^>]*aria-invalid="true"', page)
    assert 'value="many"' in page
    assert "Eligible: every required criterion is met." in page
    assert json.dumps(EXAMPLE) in html.unescape(page)


def test_a_guided_page_tells_only_of_what_can_be_mended_there(client: FlaskClient) -> None:
    typed = {**EXAMPLE, "late_shipment_rate_30d_count": "many", "line_1_price": "much"}
    assert list(errors(send(client, typed, "result", "", 422))) == ["late_shipment_rate_30d_count"]
    mended = {**typed, "late_shipment_rate_30d_count": "4"}
    assert list(errors(send(client, mended, "result", "", 422))) == ["line_1_price"]


def test_a_product_is_shipped_as_the_account_says(client: FlaskClient) -> None:
    answer = answer_of(client, {**EXAMPLE, "fulfillment": "amazon", "line_1_fulfillment_cost": ""})
    codes = [one["code"] for one in answer["lines"][0]["warnings"]]
    assert "fulfillment_fee_not_included" in codes


def test_mistakes_are_told_in_the_order_of_the_page(client: FlaskClient) -> None:
    wrong = ["line_1_price", "line_1_current_monthly_units", "line_1_discount_1_quantity", "line_1_gift_wrap"]
    page = send(client, {**EXAMPLE, **dict.fromkeys(wrong, "x")}, "result", status=422)
    told = list(errors(page))
    assert told == wrong
    places = [page.index(f'id="{name}"') for name in told]
    assert places == sorted(places)


def test_a_result_shows_the_other_programs_as_the_api_does(client: FlaskClient) -> None:
    answer = answer_of(client, EXAMPLE)
    body = {"marketplace": "US", "facts": {}, "metrics": {}}
    for one in answer["assessment"]["assessments"][0]["findings"]:
        seen = one["observed"]
        if seen and one["fact"]:
            body["facts"][one["fact"]] = seen["value"]
        elif seen:
            value = {"count": seen["count"], "of": seen["of"]} if seen["of"] else {"rate": seen["rate"]}
            body["metrics"].setdefault(one["metric"], []).append({**value, "window_days": one["window_days"]})
    body["facts"]["fulfillment"] = "seller"
    reach = client.post("/v1/reach", json=body).get_json()
    assert len(reach["programs"]) > 3
    page = html.unescape(send(client, EXAMPLE, "result"))
    table = page[page.index("Other programs, by the same numbers") :]
    listed = [one for one in (*reach["programs"], *reach["not_applicable"]) if one["program"] != "enterprise-mall"]
    places = [table.index(one["title"]) for one in listed]
    assert places == sorted(places)
    assert reach["not_applicable"] and table.count(">Not applicable<") == len(reach["not_applicable"])


@pytest.mark.parametrize(
    "odd",
    [
        {"go": "remove:line:1", "line_foo": "1"},
        {"go": "remove:line:\u00b2", "line_\u00b2_x": "1"},
        {"go": "remove:line:" + "9" * 5000},
        {"go": "what_if", "was": "[" * 100_000},
        {"go": "what_if", "was": '{"zz": "\\ud800"}'},
        {"go": "what_if", "was": '{"zz": "a", "zz": "b"}'},
    ],
    ids=lambda odd: str(odd)[:40],
)
def test_nothing_that_is_sent_breaks_the_form(client: FlaskClient, odd: dict[str, str]) -> None:
    assert client.post("/?view=compact", data={**EXAMPLE, **odd}).status_code == 200


def test_another_view_keeps_what_was_typed(client: FlaskClient) -> None:
    page = send(client, EXAMPLE, "refresh")
    assert re.search(r'<button [^>]*formaction="[?]view=guided"[^>]*value="stay"', page)
    kept = fields(send(client, fields(page), "stay", "?view=guided"))
    assert {name: kept[name] for name in EXAMPLE} == EXAMPLE


def test_a_tax_rate_waits_where_prices_have_no_tax(client: FlaskClient) -> None:
    german = {**EXAMPLE, "marketplace": "DE", "line_1_category": "", "line_1_tax_rate": "19"}
    page = send(client, {**german, "marketplace": "US", "line_1_category": "office_products"}, "refresh")
    assert fields(page)["line_1_tax_rate"] == "19"
    result = send(client, fields(page), "result")
    assert "Tax rate" not in result
    assert fields(send(client, {**fields(page), "marketplace": "DE"}, "refresh"))["line_1_tax_rate"] == "19"


def test_a_what_if_can_confirm_a_small_percentage(client: FlaskClient) -> None:
    changed = {**EXAMPLE, "valid_tracking_rate_30d_rate": "0.005", "was": json.dumps(EXAMPLE)}
    page = send(client, changed, "what_if", status=422)
    assert 'name="valid_tracking_rate_30d_rate_sure"' in page
    page = send(client, {**changed, "valid_tracking_rate_30d_rate_sure": "true"}, "what_if")
    assert "What if: what moves" in page


def test_a_secret_key_goes_no_further(client: FlaskClient) -> None:
    page = client.get("/embed/try?key=sk_live_0123456789abcdef").text
    assert "sk_live_" not in page
    assert "key=pk_" in client.get("/?key=pk_abc").text


def test_every_answer_can_be_looked_at_and_changed(client: FlaskClient) -> None:
    page = send(client, EXAMPLE, "result")
    changes = set(re.findall(r'name="go" value="change:([^"]+)"', page))
    numbers = {name for name in EXAMPLE if not name.endswith(("_how", "_of"))}
    assert numbers <= changes
    for name in changes:
        form = send(client, EXAMPLE, f"change:{name}", "")
        assert re.search(rf'id="{name}"[^>]*autofocus|autofocus[^>]*id="{name}"', form), name


def test_what_is_missed_has_remedies_by_stage_and_what_follows(client: FlaskClient) -> None:
    typed = {**EXAMPLE, "late_shipment_rate_30d_count": "30"}
    assessment = answer_of(client, typed)["assessment"]["assessments"][0]
    page = html.unescape(send(client, typed, "result"))
    remedies = [one for stage in assessment["stages"] for one in stage["remedies"]]
    assert remedies
    assert assessment["if_nothing_is_done"]
    said = [one["text"] for one in remedies + assessment["if_nothing_is_done"]]
    assert [sentence for sentence in said if sentence not in page] == []


def test_what_to_do_is_in_the_order_of_the_api(client: FlaskClient) -> None:
    """Required misses first: a counter that only advises belongs to an earlier stage, and comes later."""
    typed = {
        "program": "account-health-seller-fulfilled",
        "order_defect_rate_seller_fulfilled_60d_count": "20",
        "order_defect_rate_seller_fulfilled_60d_of": "1000",
        "suspected_ip_violations_180d_how": "counts",
        "suspected_ip_violations_180d_count": "1",
    }
    steps = answer_of(client, typed)["assessments"][0]["next_steps"]
    assert [steps[0]["criterion"], steps[-1]["criterion"]] == ["order-defect", "suspected-ip-violations"]
    page = html.unescape(send(client, typed, "result"))
    shown = re.findall(r"<li><strong>(.*?)</strong><br>", page[page.index('id="todo"') : page.index('id="ready"')])
    assert shown == [one["text"] for one in steps]


def test_what_has_to_be_in_place_is_answered_as_far_as_the_answers_tell(client: FlaskClient) -> None:
    typed = {**EXAMPLE, "late_shipment_rate_30d_count": "30"}
    assessment = answer_of(client, typed)["assessment"]["assessments"][0]
    page = html.unescape(send(client, typed, "result"))
    section = page[page.index('id="ready"') : page.index('id="nothing"')]
    shown = re.findall(r'<li><span class="tag (\w+)">([^<]+)</span> ([^<]+?)(?:<br>|</li>)', section)
    answered = [(one["outcome"], one["text"]) for stage in assessment["stages"] for one in stage["checklist"]]
    assert [(outcome, text) for outcome, _, text in shown] == answered
    assert {"In place", "Not in place", "Ask yourself"} <= {said for _, said, _ in shown}
    assert "By: Late shipment rate, 30 days." in page
    assert "Met, which does not prove it: Pre-fulfillment cancellation rate, 7 days." in page
    assert "Would tell, once given: Business profile filled in." in page


def test_a_kept_answer_from_before_the_checklists_is_still_shown(catalog: Catalog) -> None:
    body = {"marketplace": "US", "as_of": "2026-11-22", "programs": ["enterprise-mall"], "facts": {}, "metrics": {}}
    answer = json.loads(dumps(Services(catalog).assessments(body, Messages())))
    document = {"body": body, "answer": answer, "left": [], "view": "program"}
    assert Result(document, catalog, Messages()).ready
    for stage in answer["assessments"][0]["stages"]:
        del stage["checklist"]
    assert Result(document, catalog, Messages()).ready == []
