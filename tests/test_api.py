"""The JSON API as its users see it: the published examples, and what is promised of unknowns, days and errors."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from advisor.catalog import Catalog
from advisor.domain.program import MARKETPLACES
from advisor.inputs.fees import MOST_LINES
from advisor.logs import HANDLER
from advisor.messages import ADVICE_REASONS, DELIVERY_FAILURES, ERROR_CODES, REASONS, TREND_REASONS, WARNINGS
from advisor.settings import Settings
from advisor.web import create_app
from tests.conftest import CATALOG

POSTS = ("/v1/assessments", "/v1/assessments:batch", "/v1/fee-estimates", "/v1/advice")
GETS = ("/v1/programs", "/v1/programs/enterprise-mall", "/v1/fee-schedules", "/v1/fee-schedules/US")
PAGES = ("/healthz", "/openapi.json", "/docs", "/docs/start.js", "/docs/swagger-ui.css")

ACCOUNT: dict[str, Any] = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "programs": ["enterprise-mall"],
    "seller": {"id": "A1EXAMPLE", "name": "Example Tools"},
    "facts": {"selling_plan": "professional", "fulfillment": "seller", "tracking_on_every_package": True},
    "metrics": {
        "order_defect_rate": {"count": 3, "of": 1200},
        "negative_feedback_rate": {"count": 2, "of": 1200},
        "a_to_z_claim_rate": {"count": 1, "of": 1200},
        "chargeback_rate": {"count": 0, "of": 1200},
        "return_rate": {"count": 24, "of": 1200},
        "pre_fulfillment_cancellation_rate": {"count": 1, "of": 150, "window_days": 7},
        "late_shipment_rate": [
            {"count": 1, "of": 200, "window_days": 10},
            {"count": 4, "of": 600, "window_days": 30},
        ],
        "valid_tracking_rate": {"rate": "0.981"},
    },
}
SALE: dict[str, Any] = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "selling_plan": "professional",
    "established_in": "US",
    "lines": [
        {
            "ref": "sku-1",
            "category": "jewelry",
            "price": "300.00",
            "shipping": "0.00",
            "gift_wrap": "0.00",
            "units": 10,
            "fulfillment": "seller",
            "business_order": True,
            "unit_cost": "180.00",
            "fulfillment_cost": "9.50",
            "refund_rate": "0.02",
            "tax_rate": None,
        }
    ],
}
PLAN: dict[str, Any] = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "programs": ["enterprise-mall"],
    "facts": {"selling_plan": "professional"},
    "metrics": {},
    "fixed_monthly_cost": "150.00",
    "lines": [
        {
            "category": "office_products",
            "price": "40.00",
            "unit_cost": "22.00",
            "fulfillment_cost": "4.00",
            "current_monthly_units": 500,
            "scenarios": [{"name": "low", "uplift": "0.05"}, {"name": "high", "monthly_units": 120}],
            "quantity_discounts": [
                {"min_quantity": 10, "discount_rate": "0.05"},
                {"min_quantity": 50, "unit_price": "35.00"},
            ],
        }
    ],
}


def ask(client: FlaskClient, route: str, body: Any) -> Any:
    """Post JSON and return what a 200 answers."""
    answer = client.post(route, data=json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.get_data(as_text=True)[:500]
    assert answer.content_type == "application/json"
    return json.loads(answer.data, parse_float=lambda text: pytest.fail(f"a JSON float in an answer: {text}"))


def judge(client: FlaskClient, **changes: Any) -> Any:
    """Assess the example account with changes; return the one assessment."""
    (assessment,) = ask(client, "/v1/assessments", {**ACCOUNT, **changes})["assessments"]
    return assessment


def price(client: FlaskClient, **changes: Any) -> Any:
    """Estimate the example sale with changes to its line or, for known names, to the request; return the line."""
    request = {name: changes.pop(name) for name in ("marketplace", "as_of", "selling_plan") if name in changes}
    (line,) = ask(client, "/v1/fee-estimates", {**SALE, **request, "lines": [{**SALE["lines"][0], **changes}]})["lines"]
    return line


def refusal(answer: TestResponse, status: int) -> list[tuple[str, str]]:
    """Check a problem answer; return its pointers and codes."""
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    found = answer.get_json(force=True)
    assert set(found) == {"type", "title", "status", "detail", "instance", "errors", "request_id"}
    assert found["status"] == status
    assert found["request_id"] == answer.headers["X-Request-Id"]
    return [(one["pointer"], one["code"]) for one in found["errors"]]


# Assessments


def test_the_example_account_is_eligible_with_score_67(client: FlaskClient) -> None:
    """The published example, to the last number."""
    whole = ask(client, "/v1/assessments", ACCOUNT)
    assert (whole["marketplace"], whole["as_of"]) == ("US", "2026-11-22")
    (assessment,) = whole["assessments"]
    fields = {"program", "verdict", "score", "findings", "missing", "next_steps", "unused"}
    assert set(assessment) == fields | {"stages", "if_nothing_is_done"}
    assert (assessment["program"], assessment["verdict"], assessment["score"]) == ("enterprise-mall", "eligible", 67)
    assert assessment["missing"] == assessment["next_steps"] == []

    findings = {finding["criterion"]: finding for finding in assessment["findings"]}
    assert len(findings) == len(assessment["findings"])
    late = findings["late-shipment-30d"]
    expected = {
        "metric": "late_shipment_rate",
        "window_days": 30,
        "segment": None,
        "level": "required",
        "basis": "official",
        "comparison": "below",
        "threshold": "0.02",
        "observed": {"count": 4, "of": 600, "rate": "0.006667"},
        "outcome": "met",
        "reason": "meets_threshold",
        "headroom": {"count": 7, "rate": "0.013333"},
        "recovery": {"clean": 0, "unit": "orders"},
        "stage": "order-processing",
        "remedies": [],
    }
    assert {name: late[name] for name in expected} == expected
    assert late["effective_from_kind"] in ("documented", "observed", "unknown")
    assert date.fromisoformat(late["effective_from"]) <= date(2026, 11, 22)
    assert [(one["threshold"], one["comparison"], one["outcome"]) for one in late["also_published"]] == [
        ("0.01", "below", "met")
    ]
    assert late["message"].startswith("Late shipment rate")
    for source in (*late["sources"], *late["also_published"][0]["sources"]):
        assert source["url"].startswith("https://") and source["title"] and date.fromisoformat(source["read_on"])

    required = [one["criterion"] for one in assessment["findings"] if one["level"] == "required"]
    assert required == ["selling-plan", "order-defect", "pre-fulfillment-cancellation-7d", "late-shipment-30d"]
    assert findings["valid-tracking-30d"]["headroom"] == {"count": None, "rate": "0.031"}
    assert findings["return"]["reason"] == "no_published_threshold"


@pytest.mark.parametrize(
    ("route", "more", "detail"),
    [
        (
            "/v1/assessments",
            {"metrics": {"return_rate": {"count": 3}}},
            "“Return rate” is a rate: give `count` and `of`, or `rate`.",
        ),
        (
            "/v1/assessments",
            {"metrics": {"safety_complaints": {"count": 3, "of": 9}}},
            "“Product safety customer complaints” is a plain count: give `count` alone.",
        ),
        (
            "/v1/pre-sale-checks",
            {"kind": "pre_order", "listed_on": "1899-12-31", "release_on": "2026-11-22"},
            "A day lies from January 1, 1900 to December 31, 2999.",
        ),
    ],
)
def test_a_refusal_has_labels_and_dates_as_people_read_them(
    client: FlaskClient, route: str, more: dict[str, Any], detail: str
) -> None:
    answer = client.post(route, json={"marketplace": "US", **more})
    assert [one["detail"] for one in answer.get_json()["errors"]] == [detail]


def test_an_observation_that_no_criterion_reads_is_listed(client: FlaskClient) -> None:
    """The program reads late shipments over 30 days; the 10 days of the example stand unused."""
    assert judge(client)["unused"] == [{"metric": "late_shipment_rate", "window_days": 10, "segment": None}]


def test_not_eligible_is_an_answer_with_what_to_do(client: FlaskClient) -> None:
    """A missed bar names its headroom below zero, the clean orders needed, and the next steps."""
    metrics = {**ACCOUNT["metrics"], "late_shipment_rate": {"count": 20, "of": 600}}
    assessment = judge(client, metrics=metrics)
    assert (assessment["verdict"], assessment["score"]) == ("not_eligible", 17)
    (late,) = [one for one in assessment["findings"] if one["criterion"] == "late-shipment-30d"]
    assert (late["outcome"], late["reason"]) == ("missed", "misses_threshold")
    assert late["headroom"] == {"count": -9, "rate": "-0.013333"}
    assert late["recovery"] == {"clean": 401, "unit": "orders"}
    assert late["remedies"] and late["remedies"][0]["text"]
    steps = assessment["next_steps"]
    assert steps and all(set(step) == {"criterion", "stage", "text"} for step in steps)
    assert steps[0]["criterion"] == "late-shipment-30d"


COMPONENTS = ("negative_feedback_rate", "a_to_z_claim_rate", "chargeback_rate")


@pytest.mark.parametrize(
    "unknown",
    ["absent", None, [], [None], {"count": None, "of": None}, {"rate": None}, {"count": 0, "of": 0}],
    ids=str,
)
@pytest.mark.parametrize("metric", ["order_defect_rate", "pre_fulfillment_cancellation_rate", "late_shipment_rate"])
def test_an_unknown_metric_is_never_a_pass(client: FlaskClient, metric: str, unknown: Any) -> None:
    """However it is unknown: left out, null, an empty list, null inside, or nothing of nothing."""
    metrics = {name: seen for name, seen in ACCOUNT["metrics"].items() if name not in (metric, *COMPONENTS)}
    if unknown != "absent":
        metrics[metric] = unknown
    assessment = judge(client, metrics=metrics)
    assert (assessment["verdict"], assessment["score"]) == ("undetermined", None)
    window = {"order_defect_rate": 60, "pre_fulfillment_cancellation_rate": 7, "late_shipment_rate": 30}[metric]
    assert assessment["missing"] == [{"metric": metric, "window_days": window, "segment": None}]


@pytest.mark.parametrize("facts", [None, {}, {"selling_plan": None}, {"fulfillment": "seller"}], ids=str)
def test_an_unknown_fact_is_never_a_pass(client: FlaskClient, facts: Any) -> None:
    """The required selling plan."""
    assessment = judge(client, facts=facts)
    assert (assessment["verdict"], assessment["score"]) == ("undetermined", None)
    assert assessment["missing"] == [{"fact": "selling_plan"}]


def test_nothing_known_is_undetermined_for_every_program_and_marketplace(client: FlaskClient, catalog: Catalog) -> None:
    """No program lets an empty account pass, anywhere."""
    for marketplace in MARKETPLACES:
        body = {"marketplace": marketplace, "as_of": "2026-11-22", "programs": catalog.program_ids}
        for assessment in ask(client, "/v1/assessments", body)["assessments"]:
            assert assessment["verdict"] in ("undetermined", "not_covered"), (marketplace, assessment["program"])
            assert assessment["score"] is None


def test_programs_default_to_enterprise_mall_and_keep_their_order(client: FlaskClient, catalog: Catalog) -> None:
    """One assessment for each program asked, in the order asked."""
    for body in ({"marketplace": "US"}, {"marketplace": "US", "programs": None}):
        assert [one["program"] for one in ask(client, "/v1/assessments", body)["assessments"]] == ["enterprise-mall"]
    names = list(reversed(catalog.program_ids))
    answered = ask(client, "/v1/assessments", {"marketplace": "US", "programs": names})["assessments"]
    assert [one["program"] for one in answered] == names


def test_optional_fields_may_be_null(client: FlaskClient) -> None:
    """Null or absent is unknown, in every field that need not be given."""
    body = {"marketplace": "US", "as_of": None, "programs": None, "seller": None, "facts": None, "metrics": None}
    assert ask(client, "/v1/assessments", body) == ask(client, "/v1/assessments", {"marketplace": "US"})
    inner = {**body, "seller": {"id": None, "name": None}, "facts": dict.fromkeys(ACCOUNT["facts"])}
    assert ask(client, "/v1/assessments", inner) == ask(client, "/v1/assessments", {"marketplace": "US"})
    line = {**dict.fromkeys(SALE["lines"][0]), "category": "jewelry", "price": "300.00"}
    body = {"marketplace": "US", "as_of": None, "selling_plan": None, "established_in": None, "lines": [line]}
    short = {"marketplace": "US", "lines": [{"category": "jewelry", "price": "300.00"}]}
    assert ask(client, "/v1/fee-estimates", body) == ask(client, "/v1/fee-estimates", short)
    line = {**dict.fromkeys(PLAN["lines"][0]), "category": "jewelry", "price": "300.00"}
    body = {"marketplace": "US", "established_in": None, "fixed_monthly_cost": None, "lines": [line]}
    assert ask(client, "/v1/advice", body) == ask(client, "/v1/advice", short)


# Marketplaces and days


@pytest.mark.parametrize(("given", "meant"), [("GB", "UK"), ("gb", "UK"), ("Uk", "UK"), ("us", "US"), ("dE", "DE")])
def test_marketplaces_are_taken_in_any_letter_case_and_gb_as_uk(client: FlaskClient, given: str, meant: str) -> None:
    """In bodies, paths and query parameters."""
    assert ask(client, "/v1/assessments", {"marketplace": given})["marketplace"] == meant
    line = {"category": "jewelry" if meant == "US" else "jewellery", "price": "10.00"}
    assert ask(client, "/v1/fee-estimates", {"marketplace": given, "lines": [line]})["marketplace"] == meant
    assert client.get(f"/v1/fee-schedules/{given}").json["marketplace"] == meant
    assert client.get(f"/v1/programs/enterprise-mall?marketplace={given}").json["marketplace"] == meant


def test_a_country_is_taken_in_any_letter_case_and_gb_as_uk(client: FlaskClient) -> None:
    """The digital services fee depends on it."""
    body = {"marketplace": "UK", "as_of": "2026-11-22", "lines": [{"category": "jewellery", "price": "100.00"}]}
    answers = [ask(client, "/v1/fee-estimates", {**body, "established_in": one}) for one in ("GB", "gb", "UK", "uk")]
    assert all(answer == answers[0] for answer in answers)


def test_as_of_picks_the_rules_of_that_day(client: FlaskClient) -> None:
    """US clothing went from 17 % to 5 % up to 15.00 on 2024-01-15."""
    fees = {
        day: price(client, category="clothing_accessories", price="14.99", as_of=day)
        for day in ("2024-01-14", "2024-01-15")
    }
    assert fees["2024-01-14"]["per_unit"]["referral_fee"] == "2.55"
    assert fees["2024-01-15"]["per_unit"]["referral_fee"] == "0.75"
    assert fees["2024-01-14"]["rule"]["effective_from"] == "2019-02-19"
    assert fees["2024-01-15"]["rule"]["effective_from"] == "2024-01-15"
    line = {"category": "clothing_accessories", "price": "14.99"}
    for day, fee in (("2024-01-14", "2.55"), ("2024-01-15", "0.75")):
        advice = ask(client, "/v1/advice", {"marketplace": "US", "as_of": day, "lines": [line]})
        assert advice["as_of"] == day
        assert advice["lines"][0]["per_unit"]["referral_fee"] == fee
        (clothing,) = [
            one
            for one in client.get(f"/v1/fee-schedules/US?as_of={day}").json["categories"]
            if one["category"] == "clothing_accessories"
        ]
        assert [rule["shape"] for rule in clothing["rules"]] == ["flat" if day == "2024-01-14" else "volume"]


def test_as_of_defaults_to_today_everywhere(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Today in UTC, for whatever judges, prices or shows rules."""
    monkeypatch.setattr("advisor.services.calculations.today", lambda: date(2024, 1, 14))
    line = {"category": "clothing_accessories", "price": "14.99"}
    assert ask(client, "/v1/assessments", {"marketplace": "US"})["as_of"] == "2024-01-14"
    assert ask(client, "/v1/advice", {"marketplace": "US", "lines": [line]})["as_of"] == "2024-01-14"
    estimate = ask(client, "/v1/fee-estimates", {"marketplace": "US", "lines": [line]})
    assert (estimate["as_of"], estimate["lines"][0]["per_unit"]["referral_fee"]) == ("2024-01-14", "2.55")
    (item,) = ask(client, "/v1/assessments:batch", {"items": [{"marketplace": "US"}], "compact": True})["items"]
    assert item["result"]["as_of"] == "2024-01-14"
    for path in ("/v1/programs/enterprise-mall", "/v1/fee-schedules/US"):
        assert client.get(path).json["as_of"] == "2024-01-14"


@pytest.mark.parametrize("changes", [{"marketplace": "AU"}, {"as_of": "1999-12-31"}, {"as_of": "0001-01-01"}], ids=str)
def test_what_no_rule_covers_is_an_answer(client: FlaskClient, changes: dict[str, str]) -> None:
    """A marketplace or day without rules is not_covered, with status 200, no score, and nothing missing."""
    assessment = judge(client, **changes)
    assert (assessment["verdict"], assessment["score"]) == ("not_covered", None)
    assert assessment["findings"] == assessment["missing"] == []


@pytest.mark.parametrize("changes", [{"marketplace": "MX"}, {"as_of": "1999-12-31"}, {"as_of": "0001-01-01"}], ids=str)
def test_a_price_that_no_rule_covers_is_an_answer(client: FlaskClient, changes: dict[str, str]) -> None:
    """Null fees and the warning not_covered, with status 200; never a guess."""
    line = price(client, **changes)
    assert line["per_unit"] is None and line["total"] is None and line["rule"] is None
    assert line["complete"] is False and line["tiers"] == []
    assert "not_covered" in [warning["code"] for warning in line["warnings"]]
    body = {**changes, "lines": [{"category": "jewelry", "price": "300.00"}]}
    advice = ask(client, "/v1/advice", {"marketplace": "US", **body})
    assert advice["recommendation"]["action"] == "need_more_information"
    assert "fee_not_covered" in [reason["code"] for reason in advice["recommendation"]["reasons"]]


# Fees and advice


def test_the_example_sale_costs_52_50(client: FlaskClient) -> None:
    """20 % of the first 250 and 5 % of the rest; every part, times the units, and the rule with its sources."""
    whole = ask(client, "/v1/fee-estimates", SALE)
    (line,) = whole["lines"]
    assert (line["ref"], line["category"], line["currency"], line["complete"]) == ("sku-1", "jewelry", "USD", True)
    assert line["per_unit"] == {
        "total_sales_price": "300.00",
        "sales_tax": "0.00",
        "referral_fee": "52.50",
        "closing_fee": "0.00",
        "per_item_fee": "0.00",
        "digital_services_fee": "0.00",
        "refund_administration_fee": "0.10",
        "total_fees": "52.60",
        "tax_on_fees": "0.00",
        "net_proceeds": "247.40",
        "contribution": "57.90",
        "effective_rate": "0.175333",
    }
    assert (line["total"]["referral_fee"], line["total"]["contribution"]) == ("525.00", "579.00")
    assert line["tiers"] == [
        {"from": "0.00", "to": "250.00", "rate": "0.2", "base": "250.00", "fee": "50.00"},
        {"from": "250.00", "to": None, "rate": "0.05", "base": "50.00", "fee": "2.50"},
    ]
    rule = line["rule"]
    assert (rule["schedule"], rule["shape"], rule["basis"]) == ("US", "graduated", "total_sales_price")
    assert {"effective_from", "effective_from_kind", "verified_on", "confidence", "sources"} <= set(rule)
    assert rule["sources"]
    assert all(set(one) == {"from", "to"} for one in line["profitable_ranges"])
    assert line["warnings"] == []
    assert (whole["totals"]["total_fees"], whole["totals"]["subscription"]) == ("526.00", "39.99")


def test_a_profitable_range_begins_at_the_first_price_that_pays(client: FlaskClient) -> None:
    """A cent below it the contribution is negative."""
    first = price(client)["profitable_ranges"][0]["from"]
    assert not price(client, price=first)["per_unit"]["contribution"].startswith("-")
    below = f"{float(first) - 0.01:.2f}"
    assert price(client, price=below)["per_unit"]["contribution"].startswith("-")


def test_money_may_be_whole_major_units(client: FlaskClient) -> None:
    """A JSON integer means the same as its text; a text needs no decimals, and yen have none to lose."""
    assert price(client, price=300, unit_cost=180) == price(client, price="300.00", unit_cost="180")
    yen = {"marketplace": "JP", "category": "electronics", "fulfillment_cost": None}
    assert price(client, **yen, price="300.00") == price(client, **yen, price=300)
    assert price(client, **yen, price=300)["per_unit"]["total_sales_price"] == "300"


def test_the_example_of_advice(client: FlaskClient) -> None:
    """Units by uplift and by number, discounts by rate and by price, and no recommendation on an unknown verdict."""
    answer = ask(client, "/v1/advice", PLAN)
    assert answer["assessment"]["verdict"] == "undetermined"
    (line,) = answer["lines"]
    assert [(one["name"], one["b2b_units"], one["b2b_revenue"]) for one in line["scenarios"]] == [
        ("low", 25, "1000.00"),
        ("high", 120, "4800.00"),
    ]
    assert [(one["contribution"], one["take_rate"], one["break_even_units"]) for one in line["scenarios"]] == [
        ("200.00", "0.15", 19),
        ("960.00", "0.15", 19),
    ]
    assert [
        (one["min_quantity"], one["unit_price"], one["referral_fee"], one["contribution"], one["worth_it"])
        for one in line["quantity_discounts"]
    ] == [(10, "38.00", "5.70", "6.30", True), (50, "35.00", "5.25", "3.75", True)]
    assert line["profitable_ranges"] == [{"from": "30.59", "to": None}]
    assert [one["contribution_after_fixed_cost"] for one in answer["totals"]] == ["50.00", "810.00"]
    recommendation = answer["recommendation"]
    assert recommendation["action"] == "need_more_information"
    assert [reason["code"] for reason in recommendation["reasons"]] == ["verdict_undetermined"]


@pytest.mark.parametrize(
    ("changes", "action", "reason"),
    [
        ({}, "join", "contribution_covers_fixed_cost"),
        ({"fixed_monthly_cost": "200.00"}, "join", "contribution_covers_fixed_cost"),
        ({"fixed_monthly_cost": "200.01"}, "need_more_information", "depends_on_scenario"),
        ({"fixed_monthly_cost": "960.01"}, "not_worth_it", "contribution_below_fixed_cost"),
        ({"facts": {"selling_plan": "individual"}}, "fix_first", "not_eligible"),
        ({"marketplace": "AU"}, "need_more_information", "verdict_not_covered"),
        ({"as_of": "1999-12-31"}, "need_more_information", "verdict_not_covered"),
    ],
    ids=str,
)
def test_the_recommendation_follows_verdict_and_money(
    client: FlaskClient, changes: dict[str, Any], action: str, reason: str
) -> None:
    """Not eligible comes first, then what is unknown, then the sum after the fixed cost, to the cent."""
    body = {**PLAN, "facts": ACCOUNT["facts"], "metrics": ACCOUNT["metrics"], **changes}
    recommendation = ask(client, "/v1/advice", body)["recommendation"]
    assert recommendation["action"] == action
    assert reason in [one["code"] for one in recommendation["reasons"]]


def components(*counts: int | None, of: int = 1000) -> dict[str, Any]:
    """Write the components of the order defect rate as counts; None is left out."""
    return {
        name: {"count": count, "of": of} for name, count in zip(COMPONENTS, counts, strict=True) if count is not None
    }


VARIETY: tuple[dict[str, Any], ...] = (
    {},
    {"facts": ACCOUNT["facts"], "metrics": ACCOUNT["metrics"]},
    {"facts": {"fulfillment": "amazon"}, "metrics": ACCOUNT["metrics"]},
    {"facts": {"selling_plan": "individual"}, "metrics": {"late_shipment_rate": {"rate": "1"}}},
    {"metrics": components(1, 1, 1)},
    {"metrics": components(500, 1, 1)},
    {"metrics": components(3, 3, 3)},
    {"metrics": components(3, None, None)},
    {"metrics": {**components(3, 3, 3), **components(None, None, 3, of=999)}},
    {"metrics": {**components(3, 3, 3), "order_defect_rate": {"count": 1, "of": 1000}}},
    {"metrics": {"order_defect_rate": {"count": 0, "of": 0}, "late_shipment_rate": {"count": 0, "of": 0}}},
    {"metrics": {"unit_on_time_delivery_rate": {"count": 1, "of": 2}, "on_time_delivery_rate": {"count": 1, "of": 2}}},
)


def test_codes_come_from_the_published_lists(client: FlaskClient, catalog: Catalog) -> None:
    """For every program, marketplace, channel and category, with much given and with nothing; every reason occurs."""
    reasons, warnings = set(), set()
    for marketplace in MARKETPLACES:
        body = {"marketplace": marketplace, "programs": catalog.program_ids, "as_of": "2026-11-22"}
        for more in VARIETY:
            for assessment in ask(client, "/v1/assessments", {**body, **more})["assessments"]:
                reasons |= {finding["reason"] for finding in assessment["findings"]}
        schedule = catalog.schedule(marketplace)
        for channel in schedule.channels:
            lines = [{"category": key, "price": "500", "fulfillment": channel} for key in schedule.categories]
            for start in range(0, len(lines), MOST_LINES):
                request = {"marketplace": marketplace, "lines": lines[start : start + MOST_LINES]}
                for line in ask(client, "/v1/fee-estimates", request)["lines"]:
                    warnings |= {warning["code"] for warning in line["warnings"]}
    assert reasons == set(REASONS)
    assert warnings <= set(WARNINGS) and len(warnings) > 6


def test_the_published_lists_name_every_code_that_the_source_can_give() -> None:
    """Reasons, warnings and errors are closed lists: what is raised is listed."""
    source = Path(create_app.__code__.co_filename).parent.parent
    raised, failures = set(), set()
    for folder in ("", "inputs", "web", "services", "batch"):
        for path in sorted((source / folder).glob("*.py")):
            text = path.read_text(encoding="utf-8")
            kinds = "refuse|Refusal|UnreadableInput|InputTooLarge|Conflict"
            raised |= set(re.findall(rf"(?:{kinds})\(\s*\"([a-z_0-9]+)\"", text))
            raised |= set(re.findall(r"Problem\([^,()]+(?:\([^()]*\))?[^,()]*,\s*\"([a-z_0-9]+)\"", text))
            failures |= set(re.findall(r"Failure\(\s*\"([a-z_0-9]+)\"", text))
    assert len(raised) > 50 and len(failures) > 8
    assert raised <= set(ERROR_CODES)
    assert failures <= set(DELIVERY_FAILURES)


# Batches


def test_a_batch_answers_every_item_in_order(client: FlaskClient) -> None:
    """Each as it would be answered alone, or with its own problem; the others are not held up."""
    items = [
        ACCOUNT,
        {"marketplace": "ZZ"},
        {**ACCOUNT, "marketplace": "DE"},
        None,
        {**ACCOUNT, "facts": {"selling_plan": "individual"}},
        [],
        {**ACCOUNT, "marketplace": "AU"},
    ]
    answer = ask(client, "/v1/assessments:batch", {"items": items})["items"]
    assert [one["index"] for one in answer] == list(range(len(items)))
    for item, one in zip(items, answer, strict=True):
        alone = client.post("/v1/assessments", data=json.dumps(item), content_type="application/json")
        if alone.status_code == 200:
            assert set(one) == {"index", "result"}
            assert one["result"] == alone.json
        else:
            assert set(one) == {"index", "problem"}
            problem = alone.get_json(force=True)
            place = {"instance": "/v1/assessments:batch", "request_id": one["problem"]["request_id"]}
            assert one["problem"] == {**problem, **place}


@pytest.mark.parametrize(
    ("category", "close"),
    [
        ("Computer parts", "computers"),
        ("Cell Phones", "consumer_electronics"),
        ("shoes", "shoes_handbags_sunglasses"),
        ("footwaer", "footwear"),
    ],
)
def test_an_unknown_category_names_those_that_share_its_words(client: FlaskClient, category: str, close: str) -> None:
    """Words of the label count as well as those of the key."""
    body = {"marketplace": "US", "lines": [{"category": category, "price": "10"}]}
    (problem,) = client.post("/v1/fee-estimates", json=body).get_json(force=True)["errors"]
    assert (problem["pointer"], problem["code"]) == ("/lines/0/category", "unknown_category")
    assert close in problem["detail"]


def test_an_unknown_field_is_told_the_known_ones(client: FlaskClient) -> None:
    """At the top and within objects."""
    body = {"market": "US", "lines": [{"categorie": "baby"}]}
    found = {one["pointer"]: one for one in client.post("/v1/fee-estimates", json=body).get_json(force=True)["errors"]}
    assert "marketplace, as_of" in found["/market"]["detail"]
    assert "category, price" in found["/lines/0/categorie"]["detail"]


def test_a_nul_in_one_item_of_a_batch_is_the_problem_of_that_item(client: FlaskClient) -> None:
    """The pointer starts at the item; a NUL beside the items refuses the body, and so does half a surrogate pair."""
    bad = {**ACCOUNT, "seller": {"id": "a\0", "name": "b\0"}}
    good, other = ask(client, "/v1/assessments:batch", {"items": [ACCOUNT, bad]})["items"]
    assert good["result"]["assessments"][0]["verdict"]
    pointers = [(one["pointer"], one["code"]) for one in other["problem"]["errors"]]
    assert pointers == [("/seller/id", "nul_character"), ("/seller/name", "nul_character")]
    refused = client.post("/v1/assessments:batch", json={"items": [ACCOUNT], "compact": "\0"})
    assert (refused.status_code, refused.get_json(force=True)["errors"][0]["pointer"]) == (422, "/compact")
    body = b'{"items": [{"seller": {"id": "\\ud800"}}]}'
    assert client.post("/v1/assessments:batch", data=body, content_type="application/json").status_code == 400


def test_a_compact_batch_says_the_same_in_short(client: FlaskClient) -> None:
    """Verdict, score, missed criteria and what is missing."""
    missed = {**ACCOUNT["metrics"], "order_defect_rate": {"rate": "0.5"}}
    items = [ACCOUNT, {**ACCOUNT, "metrics": missed}, {"marketplace": "US"}, {"marketplace": "ZZ"}]
    compact = ask(client, "/v1/assessments:batch", {"items": items, "compact": True})["items"]
    full = ask(client, "/v1/assessments:batch", {"items": items, "compact": False})["items"]
    again = ask(client, "/v1/assessments:batch", {"items": items, "compact": None})["items"]
    for one in (compact[3], full[3], again[3]):
        assert one["problem"].pop("request_id")
    assert full == again
    assert compact[3] == full[3]
    for short, long in zip(compact[:3], full[:3], strict=True):
        (one,), (other,) = short["result"]["assessments"], long["result"]["assessments"]
        assert set(one) == {"program", "verdict", "score", "missed", "missing"}
        assert all(one[name] == other[name] for name in ("program", "verdict", "score", "missing"))
    assert compact[1]["result"]["assessments"][0]["missed"] == ["order-defect"]


def test_a_batch_takes_a_thousand_items_and_keeps_their_order(client: FlaskClient) -> None:
    """A thousand and one are refused as a whole."""
    items = [
        {"marketplace": "US", "metrics": {"order_defect_rate": {"count": number, "of": 1000}}} for number in range(1000)
    ]
    answer = ask(client, "/v1/assessments:batch", {"items": items})["items"]
    assert len(answer) == 1000
    for number, one in enumerate(answer):
        assert one["index"] == number
        (defects,) = [
            finding for finding in one["result"]["assessments"][0]["findings"] if finding["criterion"] == "order-defect"
        ]
        assert defects["observed"]["count"] == number
    many = client.post("/v1/assessments:batch", json={"items": [*items, items[0]], "compact": True})
    assert refusal(many, 422) == [("/items", "wrong_length")]


# Programs and fee schedules


def test_programs_are_listed_and_described(client: FlaskClient, catalog: Catalog) -> None:
    """Every criterion with what it reads, its numbers, dates and sources."""
    listing = client.get("/v1/programs").json["programs"]
    assert [one["program"] for one in listing] == catalog.program_ids
    assert {"enterprise-mall", "account-health-seller-fulfilled", "account-health-amazon-fulfilled"} <= set(
        catalog.program_ids
    )
    for one in listing:
        described = client.get(f"/v1/programs/{one['program']}?as_of=2026-11-22").json
        assert described["program"] == one["program"]
        assert described["criteria"]
        for criterion in described["criteria"]:
            assert (criterion["metric"] is None) != (criterion["fact"] is None)
            assert criterion["reads"]["label"] and criterion["thresholds"]
            for threshold in criterion["thresholds"]:
                assert threshold["sources"] and threshold["effective_from"] and threshold["level"]


def test_a_program_is_described_for_one_marketplace_and_day(client: FlaskClient) -> None:
    """Only what holds there and then; a day before any rule, or a marketplace without, has no criteria."""
    path = "/v1/programs/enterprise-mall"
    described = client.get(f"{path}?marketplace=de&as_of=2026-11-22").json
    assert (described["marketplace"], described["covered"]) == ("DE", ["DE"])
    assert all("DE" in one["marketplaces"] for criterion in described["criteria"] for one in criterion["thresholds"])
    assert client.get(f"{path}?marketplace=AU").json["criteria"] == []
    assert client.get(f"{path}?as_of=1999-12-31").json["covered"] == []


def test_fee_schedules_are_listed_and_described(client: FlaskClient, catalog: Catalog) -> None:
    """Every marketplace, every category, with rates, dates, confidence and sources; Mexico as not covered."""
    listing = {one["marketplace"]: one for one in client.get("/v1/fee-schedules").json["fee_schedules"]}
    assert tuple(listing) == MARKETPLACES
    assert [name for name, one in listing.items() if not one["covered"]] == ["MX"]
    for marketplace in MARKETPLACES:
        described = client.get(f"/v1/fee-schedules/{marketplace}?as_of=2026-11-22").json
        assert described["marketplace"] == marketplace and described["currency"]
        assert [one["category"] for one in described["categories"]] == list(catalog.schedule(marketplace).categories)
        assert described["covered"] == (marketplace != "MX")
        for category in described["categories"]:
            for rule in category["rules"]:
                assert rule["sources"] and rule["verified_on"] and rule["confidence"] and rule["effective_from"]


@pytest.mark.parametrize("path", GETS)
def test_a_strong_etag_saves_the_answer(client: FlaskClient, path: str) -> None:
    """304 to whoever has it, in whatever form they say so; 200 to anybody else."""
    first = client.get(path)
    tag = first.headers["ETag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
    assert first.headers["Vary"] == "Accept-Language"
    assert "max-age" in first.headers["Cache-Control"]
    for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in (client.get, client.head):
            again = method(path, headers={"If-None-Match": value})
            assert (again.status_code, again.data) == (304, b"")
            assert again.headers["ETag"] == tag
            assert again.headers["Vary"] == "Accept-Language"
            assert again.headers["X-Request-Id"]
    for value in ('"other"', f'"{tag}"', '""', "", "\xff"):
        assert client.get(path, headers={"If-None-Match": value}).data == first.data


def test_the_etag_follows_the_rules(client: FlaskClient) -> None:
    """Another day with other rules has another tag; the same answer has the same."""
    path = "/v1/fee-schedules/US"
    tags = {
        day: client.get(f"{path}?as_of={day}").headers["ETag"] for day in ("2024-01-14", "2024-01-15", "2024-01-16")
    }
    assert len(set(tags.values())) == 3
    assert client.get(f"{path}?as_of=2024-01-14").headers["ETag"] == tags["2024-01-14"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/programs/unknown",
        "/v1/programs/Enterprise-Mall",
        "/v1/programs/enterprise-mall.toml",
        "/v1/programs/..%2Fmetrics",
        "/v1/programs/%00",
        "/v1/programs/%FF",
        "/v1/programs/%ED%A0%80",
        "/v1/programs/" + "x" * 3000,
        "/v1/programs/",
        "/v1/fee-schedules/ZZ",
        "/v1/fee-schedules/usa",
        "/v1/fee-schedules/%C4%B1t",
        "/v1/fee-schedules/US/",
        "/v1/assessments/1",
        "/v1",
        "/v2/programs",
        "/docs/../advisor",
        "/docs/unknown.js",
        "/static/x",
        "/favicon.ico",
    ],
    ids=lambda path: path[:40],
)
def test_what_does_not_exist_is_a_404(client: FlaskClient, path: str) -> None:
    """With the one shape of errors, whatever stands in the path."""
    assert refusal(client.get(path), 404) == []


@pytest.mark.parametrize(
    ("path", "errors"),
    [
        ("/v1/programs?x=1", [("?x", "unknown_field")]),
        ("/v1/programs?as_of=2026-11-22", [("?as_of", "unknown_field")]),
        ("/v1/fee-schedules?marketplace=US", [("?marketplace", "unknown_field")]),
        ("/v1/fee-schedules/US?marketplace=US", [("?marketplace", "unknown_field")]),
        ("/v1/fee-schedules/US?as_of=", [("?as_of", "not_a_date")]),
        ("/v1/fee-schedules/US?as_of", [("?as_of", "not_a_date")]),
        ("/v1/fee-schedules/US?as_of=2026-02-30", [("?as_of", "not_a_date")]),
        ("/v1/fee-schedules/US?as_of=20260201", [("?as_of", "not_a_date")]),
        ("/v1/fee-schedules/US?as_of=%FF", [("?as_of", "not_a_date")]),
        ("/v1/fee-schedules/US?as_of=%00", [("?as_of", "not_a_date")]),
        ("/v1/fee-schedules/US?as_of=2026-11-22&as_of=2026-11-22", [("?as_of", "duplicate_key")]),
        ("/v1/fee-schedules/US?AS_OF=2026-11-22", [("?AS_OF", "unknown_field")]),
        ("/v1/programs/enterprise-mall?marketplace=ZZ", [("?marketplace", "unknown_marketplace")]),
        ("/v1/programs/enterprise-mall?marketplace=", [("?marketplace", "unknown_marketplace")]),
        (
            "/v1/programs/enterprise-mall?marketplace=ZZ&as_of=x&y=1",
            [("?marketplace", "unknown_marketplace"), ("?as_of", "not_a_date"), ("?y", "unknown_field")],
        ),
        ("/v1/programs/unknown?as_of=x", [("?as_of", "not_a_date")]),
    ],
)
def test_query_parameters_are_read_strictly(client: FlaskClient, path: str, errors: list[tuple[str, str]]) -> None:
    """Unknown, repeated or wrong ones are a 422, each with its name."""
    assert refusal(client.get(path), 422) == errors


@pytest.mark.parametrize("route", POSTS)
def test_a_query_on_a_post_is_refused(client: FlaskClient, route: str) -> None:
    """An as_of there would be passed over in silence: it belongs into the body."""
    assert refusal(client.post(f"{route}?as_of=2024-01-14", json={}), 422) == [("?as_of", "unknown_field")]


# HTTP


@pytest.mark.parametrize(
    "language",
    [
        "en",
        "EN-us",
        "en;q=0.1",
        "*",
        "",
        ",",
        ",,;;",
        "-",
        "_",
        "en-",
        "-en",
        "en_US.UTF-8",
        "C",
        "x-klingon",
        "../../etc/passwd",
        "en;q=",
        "en;q=abc",
        "en;q=-1",
        "en;q=2",
        "en;q=NaN",
        "en;q=0",
        "\xff\xfe",
        "xx-Hans-CN-x-" + "a" * 500,
        ", ".join(["de"] * 1000),
        "i-default;q=0.5, @!#;q=x",
    ],
    ids=lambda language: language[:20] or "empty",
)
def test_a_malformed_language_is_passed_over(client: FlaskClient, language: str) -> None:
    """English where nothing fits; codes do not change."""
    headers = {"Accept-Language": language}
    answer = client.post("/v1/assessments", json=ACCOUNT, headers=headers)
    assert answer.status_code == 200
    assert answer.json == client.post("/v1/assessments", json=ACCOUNT).json
    assert client.get("/v1/programs", headers=headers).status_code == 200


@pytest.mark.parametrize("path", [*GETS, *PAGES])
def test_head_answers_like_get_without_a_body(client: FlaskClient, path: str) -> None:
    """With the same length and type."""
    got, headed = client.get(path, buffered=True), client.head(path, buffered=True)
    assert got.status_code == headed.status_code == (503 if path == "/readyz" else 200)  # there is no database
    assert headed.data == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control", "Content-Security-Policy"):
        assert headed.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize("path", [*POSTS, *GETS, *PAGES])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_another_method_is_a_405_that_names_the_right_ones(client: FlaskClient, path: str, method: str) -> None:
    """With an Allow header, for methods nobody ever heard of too."""
    allowed = {"POST", "OPTIONS"} if path in POSTS else {"GET", "HEAD", "OPTIONS"}
    if method in allowed:
        return
    answer = client.open(path, method=method)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    if method != "HEAD":
        assert refusal(answer, 405) == []
        assert answer.json is not None and all(one in answer.json["detail"] for one in {method, *allowed})


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/v1/A 1", "/v1/A%201"),
        ("/v1/%22%3C\u00e9", "/v1/%22%3C%C3%A9"),
        ("/v1/x:y", "/v1/x:y"),
        ("/v1/a%25b", "/v1/a%25b"),
    ],
)
def test_the_instance_of_a_problem_is_a_uri_reference(client: FlaskClient, path: str, instance: str) -> None:
    """RFC 9457 wants one: what a URI cannot hold is percent-encoded."""
    answer = client.get(path)
    assert answer.json is not None and answer.json["instance"] == instance


@pytest.mark.parametrize("path", [*POSTS, *GETS])
def test_options_names_the_methods(client: FlaskClient, path: str) -> None:
    """Without a body."""
    answer = client.options(path)
    assert (answer.status_code, answer.data) == (200, b"")
    assert "OPTIONS" in answer.headers["Allow"]


@pytest.mark.parametrize("given", ["abcd1234", "0123456789abcdef" * 6, "A.b_c-d9", "a" * 100])
def test_a_well_formed_request_id_is_kept(client: FlaskClient, given: str) -> None:
    """On answers and on problems."""
    for answer in (
        client.get("/healthz", headers={"X-Request-Id": given}),
        client.get("/nothing", headers={"X-Request-Id": given}),
    ):
        assert answer.headers["X-Request-Id"] == given
    assert answer.get_json(force=True)["request_id"] == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "short",
        "a" * 101,
        "with blank 1",
        "semi;colon1",
        "<script>alert(1)</script>",
        'quote"quote',
        "ümlaut-12345",
        "${jndi:x}",
        "a/b/c/d/e/f",
        "1234567\t",
    ],
)
def test_any_other_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    """By one of ours, new each time."""
    ids = {client.get("/nothing", headers={"X-Request-Id": given}).headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)


def test_every_answer_has_the_headers_that_browsers_need(client: FlaskClient) -> None:
    """No sniffing, no referrer, no framing; what depends on a body is not stored."""
    answers = [client.get(path, buffered=True) for path in (*GETS, *PAGES, "/nothing")]
    answers += [client.post(route, json=body) for route, body in zip(POSTS, (ACCOUNT, {}, SALE, PLAN), strict=True)]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in answer.headers
    assert all(answer.headers["Cache-Control"] == "no-store" for answer in answers[-4:])


def test_health(client: FlaskClient) -> None:
    """Up, whatever becomes of the database."""
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "up"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_only_trusted_hosts_are_answered_where_they_are_named() -> None:
    """Another Host is a 400 of the one shape."""
    client = create_app(Settings(trusted_hosts=("advisor.example",)), CATALOG).test_client()
    assert client.get("/healthz", headers={"Host": "advisor.example"}).status_code == 200
    assert refusal(client.get("/healthz", headers={"Host": "evil.example"}), 400) == []


class Links(HTMLParser):
    """Collects what a page loads or links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "base"
        assert tag != "style"
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name in ("href", "src", "srcset", "action", "data", "poster"):
                self.found.append(value or "")


def test_the_docs_page_loads_nothing_from_anybody_else(client: FlaskClient) -> None:
    """Its links and scripts are relative, exist, and its policy names no host."""
    page = client.get("/docs")
    links = Links()
    links.feed(page.get_data(as_text=True))
    assert len(links.found) >= 5
    for link in links.found:
        assert re.fullmatch(r"[a-z0-9./-]+", link) and not link.startswith(("/", "."))
        assert client.get(urljoin("/docs", link), buffered=True).status_code == 200
    for text in (page.get_data(as_text=True), client.get("/docs/start.js").get_data(as_text=True)):
        assert "//" not in text.replace("<!doctype html>", "")
    assert re.fullmatch(r"(?:[a-z-]+(?: '[a-z-]+'| data:)+(?:; |$))+", page.headers["Content-Security-Policy"])
    assert "<script>" not in page.get_data(as_text=True)


def test_the_docs_page_lists_every_code(client: FlaskClient) -> None:
    """The closed lists of reasons, warnings and errors, for readers with and without scripts."""
    page = client.get("/docs").get_data(as_text=True)
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    places = {"Finding": ("reason", REASONS), "Warn": ("code", WARNINGS)}
    places |= {"Reason": ("code", ADVICE_REASONS), "ProblemEntry": ("code", ERROR_CODES)}
    places |= {"TrendOfCriterion": ("reason", TREND_REASONS), "DeliveryFailure": ("code", DELIVERY_FAILURES)}
    for schema, (name, codes) in places.items():
        listed = schemas[schema]["properties"][name]
        assert listed["enum"] == list(codes)
        for code in codes:
            assert f"<code>{code}</code>" in page
            assert f"`{code}`" in listed["description"]


# Logs


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the advisor writes to standard error."""
    stream = StringIO()
    before = HANDLER.setStream(stream)
    yield stream
    HANDLER.setStream(before)


CANARY = "canary-7f3a"


def test_logs_are_json_lines_that_never_hold_what_was_sent(
    app: Flask, client: FlaskClient, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a body, a query, a path, a header or the text of an exception; one line a request, with its id."""
    headers = {"X-Request-Id": "request-0001"}
    seller = {"id": CANARY, "name": CANARY}
    good, bad = {**deepcopy(ACCOUNT), "seller": seller}, {"marketplace": CANARY, CANARY: CANARY}
    answers = [client.post("/v1/assessments", json=good, headers=headers)]
    answers += [client.post(route, json=bad, headers=headers) for route in POSTS]
    answers += [client.post(route, data=f"{CANARY} is no JSON", content_type="application/json") for route in POSTS]
    answers += [client.post(route, data=CANARY, content_type=f"text/{CANARY}") for route in POSTS]
    answers += [
        client.get(f"/v1/programs/{CANARY}?as_of={CANARY}"),
        client.get(f"/{CANARY}"),
        client.get("/v1/programs", headers={"User-Agent": CANARY, "Authorization": CANARY, "Referer": CANARY}),
        client.get("/v1/programs", headers={"X-Request-Id": f"{CANARY}\x7f"}),
        client.open("/v1/programs", method=CANARY.upper()),
    ]

    def fail(*_: Any) -> None:
        raise ValueError(f"cannot use {CANARY}")

    monkeypatch.setattr("advisor.services.calculations.read_assessment", fail)
    answers.append(client.post("/v1/assessments", json=good, headers={"X-Request-Id": "request-0500"}))
    assert answers[-1].status_code == 500

    text = log.getvalue()
    assert CANARY not in text
    lines = [json.loads(line) for line in text.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == len(answers)
    for line, answer in zip(requests, answers, strict=True):
        assert line["status"] == answer.status_code
        assert line["request_id"] == answer.headers["X-Request-Id"]
        assert {"time", "level", "logger", "event", "method", "route", "milliseconds", "bytes_out"} <= set(line)
    (failure,) = [line for line in lines if line["level"] == "ERROR"]
    assert (failure["exception"], failure["request_id"]) == ("ValueError", "request-0500")
    assert failure["raised_at"]


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.5, 'A rate has to be sent as a text, so that it stays exact: 0.5 % is written "0.005".'),
        (True, 'This has to be a rate in quotes: 0.5 % is written "0.005".'),
        ("0.5%", 'separator, exponent or percent sign. 0.5 % is written "0.005".'),
        ("2", "This is too large; at most 1 is possible. 1 is 100 %."),
    ],
)
def test_a_rate_that_is_not_taken_tells_how_it_is_written(client: FlaskClient, rate: object, said: str) -> None:
    """A number that is guessed from the message is not wrong by a factor of 100."""
    metrics = {"order_defect_rate": {"rate": rate}}
    answer = client.post("/v1/assessments", json={"marketplace": "US", "metrics": metrics})
    assert said in answer.json["errors"][0]["detail"]
    line = {"category": "jewelry", "price": "5.00", "refund_rate": rate}
    answer = client.post("/v1/fee-estimates", json={"marketplace": "US", "lines": [line]})
    assert said in answer.json["errors"][0]["detail"]


def test_a_price_that_is_not_taken_has_a_price_as_its_example(client: FlaskClient) -> None:
    for price in (0.5, True, "5 USD"):
        line = {"category": "jewelry", "price": price}
        answer = client.post("/v1/fee-estimates", json={"marketplace": "US", "lines": [line]})
        assert '"52.50"' in answer.json["errors"][0]["detail"]
