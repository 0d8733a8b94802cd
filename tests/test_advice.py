"""Whether joining is worth it: the recommendation, the cited share, break-even units and quantity discounts."""

from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from advisor.catalog import Catalog
from advisor.domain.advice import AdviceLine, CitedShare, QuantityDiscount, Scenario, advise, overall_verdict
from advisor.domain.fees import FeeLine
from advisor.domain.program import Verdict
from advisor.errors import InvalidInput
from advisor.messages import Messages
from advisor.services.calculations import Services

DAY = date(2026, 11, 22)
SHARE = CitedShare(36_000, 50_000, "", ())

# An eligible account, and an office product at 40.00 that pays 15 %: 6.00. After costs of 26.00 it contributes 8.00.
REQUEST: dict[str, Any] = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "facts": {"selling_plan": "professional"},
    "metrics": {
        "order_defect_rate": {"count": 3, "of": 1200},
        "pre_fulfillment_cancellation_rate": {"count": 0, "of": 150},
        "late_shipment_rate": {"count": 4, "of": 600},
    },
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


def asked(line: dict[str, Any] | None = None, without: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """Take the request with changes, also to its one line."""
    body = deepcopy(REQUEST) | changes
    if line is not None or without:
        body["lines"] = [{key: value for key, value in (body["lines"][0] | (line or {})).items() if key not in without}]
    return body


def answer(catalog: Catalog, body: dict[str, Any]) -> dict[str, Any]:
    return Services(catalog).advice(body, Messages())


def recommendation(catalog: Catalog, body: dict[str, Any]) -> tuple[str, list[str]]:
    found = answer(catalog, body)["recommendation"]
    assert all(reason["text"] for reason in found["reasons"])
    return found["action"], [reason["code"] for reason in found["reasons"]]


# The recommendation


def test_join_when_every_scenario_covers_the_fixed_cost(catalog: Catalog) -> None:
    """25 units bring 200.00 and 120 units 960.00, both more than 150.00."""
    found = answer(catalog, asked())
    assert found["assessment"]["verdict"] == "eligible"
    assert found["recommendation"]["action"] == "join"
    assert [reason["code"] for reason in found["recommendation"]["reasons"]] == ["contribution_covers_fixed_cost"]
    assert [(one["name"], one["contribution_after_fixed_cost"]) for one in found["totals"]] == [
        ("low", "50.00"),
        ("high", "810.00"),
    ]


@pytest.mark.parametrize(
    ("fixed", "action", "reason"),
    [
        ("0.00", "join", "contribution_covers_fixed_cost"),
        ("200.00", "join", "contribution_covers_fixed_cost"),
        ("200.01", "need_more_information", "depends_on_scenario"),
        ("960.00", "need_more_information", "depends_on_scenario"),
        ("960.01", "not_worth_it", "contribution_below_fixed_cost"),
    ],
)
def test_the_action_turns_where_the_contribution_meets_the_fixed_cost(
    catalog: Catalog, fixed: str, action: str, reason: str
) -> None:
    """The low scenario brings exactly 200.00, the high one exactly 960.00."""
    assert recommendation(catalog, asked(fixed_monthly_cost=fixed)) == (action, [reason])


def test_without_a_fixed_cost_it_is_zero(catalog: Catalog) -> None:
    body = asked()
    del body["fixed_monthly_cost"]
    assert recommendation(catalog, body) == ("join", ["contribution_covers_fixed_cost"])
    assert answer(catalog, body)["fixed_monthly_cost"] == "0.00"


def test_a_product_that_loses_money_is_not_worth_it(catalog: Catalog) -> None:
    assert recommendation(catalog, asked({"unit_cost": "30.01"}, fixed_monthly_cost="0.00")) == (
        "not_worth_it",
        ["contribution_below_fixed_cost"],
    )
    assert recommendation(catalog, asked({"unit_cost": "30.00"}, fixed_monthly_cost="0.00"))[0] == "join"


def test_fix_first_whatever_the_money_says(catalog: Catalog) -> None:
    """A missed criterion comes before everything, unknown costs included."""
    missed = REQUEST["metrics"] | {"late_shipment_rate": {"count": 90, "of": 600}}
    assert recommendation(catalog, asked(metrics=missed)) == ("fix_first", ["not_eligible"])
    assert recommendation(catalog, asked(without=("unit_cost",), metrics=missed)) == ("fix_first", ["not_eligible"])


def test_nothing_is_called_profitable_while_tax_is_hidden_in_the_price(catalog: Catalog) -> None:
    """In Germany a price holds VAT: without its rate no break-even, no worthwhile discount and no profitable price."""
    hidden = asked(marketplace="DE", established_in="DE")
    hidden["lines"][0] |= {"category": "business_industrial_scientific", "price": "49.00"}
    told = deepcopy(hidden)
    told["lines"][0]["tax_rate"] = "0.19"
    (line,), (other,) = answer(catalog, hidden)["lines"], answer(catalog, told)["lines"]
    assert "tax_not_deducted" in [one["code"] for one in line["warnings"]]
    assert line["profitable_ranges"] is None
    assert [one["worth_it"] for one in line["quantity_discounts"]] == [None, None]
    assert [one["break_even_units"] for one in line["scenarios"]] == [None, None]
    assert other["profitable_ranges"]
    assert [one["worth_it"] for one in other["quantity_discounts"]] == [True, False]
    assert all(one["break_even_units"] for one in other["scenarios"])


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        (asked(metrics={}), ["verdict_undetermined"]),
        (
            asked(
                marketplace="AU",
                lines=[
                    {
                        "category": "home",
                        "price": "40",
                        "unit_cost": "9",
                        "fulfillment_cost": "0",
                        "current_monthly_units": 100,
                        "tax_rate": "0.1",
                    }
                ],
            ),
            ["verdict_not_covered"],
        ),
        # 49.00 euros hold VAT that nobody told the advisor: what looks like a profit may be the tax office's.
        (
            asked(
                {"category": "business_industrial_scientific", "price": "49.00"},
                marketplace="DE",
                established_in="US",
            ),
            ["tax_unknown"],
        ),
        (asked({"category": "collectible_coins"}), ["fee_not_covered"]),
        (
            asked(
                facts={"selling_plan": "professional"},
                marketplace="CA",
                established_in="CA",
                lines=[REQUEST["lines"][0] | {"category": "media"}],
            ),
            ["fee_unknown"],
        ),
        (asked({"refund_rate": "0.1"}, marketplace="CA", established_in="CA"), ["fee_unknown"]),
        (asked(without=("unit_cost",)), ["cost_unknown"]),
        (asked({"fulfillment": "amazon"}, without=("fulfillment_cost",)), ["cost_unknown"]),
        (asked(without=("scenarios", "current_monthly_units")), ["units_unknown"]),
        (
            asked(
                {"category": "collectible_coins"},
                without=("unit_cost", "scenarios", "current_monthly_units"),
                metrics={},
            ),
            ["verdict_undetermined", "fee_not_covered", "cost_unknown", "units_unknown"],
        ),
    ],
)
def test_more_information_is_asked_for_by_what_is_unknown(
    catalog: Catalog, body: dict[str, Any], reasons: list[str]
) -> None:
    """Each unknown is named, all of them at once."""
    assert recommendation(catalog, body) == ("need_more_information", reasons)


def test_without_a_product_there_is_nothing_to_weigh(catalog: Catalog) -> None:
    """The API asks for at least one; the judgement itself copes with none."""
    with pytest.raises(InvalidInput):
        answer(catalog, asked(lines=[]))
    result = advise([], catalog.schedule("US"), DAY, [], SHARE, 0, "professional", "US")
    assert (result.action, result.reasons) == ("need_more_information", ("no_lines",))


def test_a_cost_of_nothing_has_to_be_said(catalog: Catalog) -> None:
    """A fulfillment cost that is not given is unknown, never nothing."""
    assert recommendation(catalog, asked(without=("fulfillment_cost",))) == ("need_more_information", ["cost_unknown"])
    assert recommendation(catalog, asked({"fulfillment_cost": "0"}))[0] == "join"


def test_products_with_different_scenarios_cannot_be_summed(catalog: Catalog) -> None:
    """Each sum would bear the whole fixed cost with a part of the products."""
    line = REQUEST["lines"][0]
    other = line | {"scenarios": [{"name": "other", "monthly_units": 500}]}
    assert recommendation(catalog, asked(lines=[line, other])) == ("need_more_information", ["scenarios_differ"])


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        ([], "eligible"),
        (["eligible", "eligible"], "eligible"),
        (["eligible", "undetermined"], "undetermined"),
        (["undetermined", "not_covered"], "not_covered"),
        (["not_covered", "not_eligible", "undetermined"], "not_eligible"),
    ],
)
def test_of_several_programs_the_worst_verdict_counts(verdicts: list[str], overall: str) -> None:
    assert overall_verdict([Verdict(verdict) for verdict in verdicts]) == overall


def test_every_program_that_is_asked_takes_part(catalog: Catalog) -> None:
    """The account meets the business bars, but account health asks for more than it says."""
    found = answer(catalog, asked(programs=["enterprise-mall", "account-health-seller-fulfilled"]))
    assert [one["verdict"] for one in found["assessment"]["assessments"]] == ["eligible", "undetermined"]
    assert found["recommendation"]["action"] == "need_more_information"


# Scenarios


def test_a_scenario_is_priced_per_month(catalog: Catalog) -> None:
    """5 % of 500 units are 25; 25 times 40.00 is 1,000.00, of which 15 % are fees."""
    low, high = answer(catalog, asked())["lines"][0]["scenarios"]
    assert {key: low[key] for key in ("name", "b2b_units", "b2b_revenue", "referral_fee", "total_fees")} == {
        "name": "low",
        "b2b_units": 25,
        "b2b_revenue": "1000.00",
        "referral_fee": "150.00",
        "total_fees": "150.00",
    }
    assert (low["net_proceeds"], low["contribution"], low["take_rate"]) == ("850.00", "200.00", "0.15")
    assert (high["b2b_units"], high["b2b_revenue"], high["contribution"]) == (120, "4800.00", "960.00")


@pytest.mark.parametrize(
    ("units", "low", "high"), [(500, 18, 25), (125, 5, 6), (124, 4, 6), (10, 0, 1), (9, 0, 0), (0, 0, 0)]
)
def test_without_a_scenario_the_cited_share_of_sales_stands_in(
    catalog: Catalog, units: int, low: int, high: int
) -> None:
    """3.6 % and 5 % of the current units, to the nearest unit, halves upwards."""
    line = answer(catalog, asked({"current_monthly_units": units}, without=("scenarios",)))["lines"][0]
    assert [(one["name"], one["b2b_units"]) for one in line["scenarios"]] == [("low", low), ("high", high)]
    assert [warning["code"] for warning in line["warnings"]] == ["cited_share_used"]


def test_no_sales_have_no_take_rate(catalog: Catalog) -> None:
    scenario = answer(catalog, asked({"scenarios": [{"name": "none", "monthly_units": 0}]}))["lines"][0]["scenarios"][0]
    assert (scenario["b2b_revenue"], scenario["take_rate"], scenario["contribution"]) == ("0.00", None, "0.00")


def test_the_selling_plan_of_the_account_prices_its_products(catalog: Catalog) -> None:
    body = asked(facts={"selling_plan": "individual"}, programs=["account-health-amazon-fulfilled"])
    scenario = answer(catalog, body)["lines"][0]["scenarios"][0]
    assert (scenario["per_item_fee"], scenario["total_fees"], scenario["contribution"]) == ("24.75", "174.75", "175.25")


@pytest.mark.parametrize(
    ("fixed", "unit_cost", "units"),
    [
        ("150.00", "22.00", 19),  # 18.75 units of 8.00
        ("152.00", "22.00", 19),  # exactly 19
        ("152.01", "22.00", 20),
        ("0.01", "22.00", 1),
        ("0.00", "22.00", 0),
        ("0.00", "30.00", 0),  # contributes 0.00, and 0.00 is to be covered
        ("0.01", "30.00", None),
        ("0.00", "30.01", None),  # every unit adds to the loss
        ("150.00", "30.01", None),
    ],
)
def test_break_even_units_cover_the_fixed_cost(catalog: Catalog, fixed: str, unit_cost: str, units: int | None) -> None:
    line = answer(catalog, asked({"unit_cost": unit_cost}, fixed_monthly_cost=fixed))["lines"][0]
    assert [one["break_even_units"] for one in line["scenarios"]] == [units, units]


def test_without_a_cost_there_is_no_break_even(catalog: Catalog) -> None:
    line = answer(catalog, asked(without=("unit_cost",)))["lines"][0]
    assert [one["break_even_units"] for one in line["scenarios"]] == [None, None]
    assert [one["contribution"] for one in line["scenarios"]] == [None, None]
    assert line["profitable_ranges"] is None
    assert [warning["code"] for warning in line["warnings"]] == ["unit_cost_unknown"]


def test_the_totals_are_by_scenario_over_the_lines_that_have_it(catalog: Catalog) -> None:
    """The second product, media at 20.00, contributes 20.00 - 3.00 - 1.80 - 10.00 = 5.20."""
    second = {
        "category": "media",
        "price": "20.00",
        "unit_cost": "10.00",
        "scenarios": [{"name": "high", "monthly_units": 10}, {"name": "best", "monthly_units": 100}],
    }
    found = answer(catalog, asked(lines=[REQUEST["lines"][0], second]))
    totals = {one["name"]: one for one in found["totals"]}
    assert list(totals) == ["low", "high", "best"]
    assert [totals[name]["b2b_units"] for name in totals] == [25, 130, 100]
    assert [totals[name]["b2b_revenue"] for name in totals] == ["1000.00", "5000.00", "2000.00"]
    assert [totals[name]["closing_fee"] for name in totals] == ["0.00", "18.00", "180.00"]
    assert [totals[name]["contribution"] for name in totals] == ["200.00", "1012.00", "520.00"]
    assert totals["high"]["contribution_after_fixed_cost"] == "862.00"
    assert totals["high"]["take_rate"] == "0.1536"  # (720.00 + 30.00 + 18.00) of 5,000.00


def test_one_unknown_contribution_makes_the_total_unknown(catalog: Catalog) -> None:
    second = {"category": "media", "price": "20.00", "scenarios": [{"name": "high", "monthly_units": 10}]}
    found = answer(catalog, asked(lines=[REQUEST["lines"][0], second]))
    assert {one["name"]: one["contribution_after_fixed_cost"] for one in found["totals"]} == {
        "low": "50.00",
        "high": None,
    }


# Quantity discounts and prices


def test_a_quantity_discount_is_priced_by_its_own_price(catalog: Catalog) -> None:
    """5 % off 40.00 is 38.00: 15 % are 5.70 and 26.00 are costs. At 35.00 it is 5.25 and 26.00."""
    offers = answer(catalog, asked())["lines"][0]["quantity_discounts"]
    assert offers == [
        {
            "min_quantity": 10,
            "unit_price": "38.00",
            "referral_fee": "5.70",
            "net_proceeds": "32.30",
            "contribution": "6.30",
            "worth_it": True,
        },
        {
            "min_quantity": 50,
            "unit_price": "35.00",
            "referral_fee": "5.25",
            "net_proceeds": "29.75",
            "contribution": "3.75",
            "worth_it": True,
        },
    ]


@pytest.mark.parametrize(("price", "contribution", "worth_it"), [("30.59", "0.00", True), ("30.58", "-0.01", False)])
def test_a_discount_is_worth_it_while_a_unit_costs_nothing(
    catalog: Catalog, price: str, contribution: str, worth_it: bool
) -> None:
    """15 % of 30.59 are 4.59 and leave 26.00; one cent less leaves 25.99."""
    offers = [{"min_quantity": 2, "unit_price": price}]
    offer = answer(catalog, asked({"quantity_discounts": offers}))["lines"][0]["quantity_discounts"][0]
    assert (offer["contribution"], offer["worth_it"]) == (contribution, worth_it)


@pytest.mark.parametrize(
    ("price", "rate", "discounted"),
    [
        ("9.99", "0.05", "9.49"),  # 0.4995 off is 0.50 off
        ("9.90", "0.05", "9.40"),  # 0.495 off is 0.50 off: halves go up
        ("9.88", "0.05", "9.39"),  # 0.494 off is 0.49 off
        ("40.00", "0", "40.00"),
    ],
)
def test_a_discount_is_rounded_to_the_cent(catalog: Catalog, price: str, rate: str, discounted: str) -> None:
    offers = [{"min_quantity": 2, "discount_rate": rate}]
    line = answer(catalog, asked({"price": price, "quantity_discounts": offers}))["lines"][0]
    assert line["quantity_discounts"][0]["unit_price"] == discounted


def test_a_discount_can_cost_more_in_fees_than_it_gives(catalog: Catalog) -> None:
    """1 % off a mower of 505.00 falls below the edge of 500.00: the fee rises from 40.40 to 74.99."""
    mower = {"category": "lawn_mowers_snow_throwers", "price": "505.00", "unit_cost": "430.00", "fulfillment_cost": "0"}
    line = answer(catalog, asked(mower | {"quantity_discounts": [{"min_quantity": 2, "discount_rate": "0.01"}]}))[
        "lines"
    ][0]
    assert line["per_unit"]["contribution"] == "34.60"
    offer = line["quantity_discounts"][0]
    assert (offer["unit_price"], offer["referral_fee"], offer["contribution"]) == ("499.95", "74.99", "-5.04")
    assert offer["worth_it"] is False
    assert line["profitable_ranges"] == [{"from": "500.01", "to": None}]


@pytest.mark.parametrize(
    ("line", "without"),
    [
        ({}, ("unit_cost",)),
        ({"fulfillment": "amazon"}, ("fulfillment_cost",)),
        ({"category": "collectible_coins"}, ()),
    ],
)
def test_nobody_can_say_whether_a_discount_is_worth_it_without_costs_and_fees(
    catalog: Catalog, line: dict[str, Any], without: tuple[str, ...]
) -> None:
    offers = answer(catalog, asked(line, without=without))["lines"][0]["quantity_discounts"]
    assert [offer["worth_it"] for offer in offers] == [None, None]


def test_the_profitable_prices_stand_beside(catalog: Catalog) -> None:
    """85 % of the price cover 26.00 from 30.59 on."""
    assert answer(catalog, asked())["lines"][0]["profitable_ranges"] == [{"from": "30.59", "to": None}]


def test_japan_is_weighed_in_whole_yen(catalog: Catalog) -> None:
    """At 4,000 yen office goods pay 15.4 %, 616 yen, and leave 384 after tax and costs of 3,000 yen."""
    line = {
        "category": "office",
        "price": "4000",
        "unit_cost": "3000",
        "fulfillment_cost": "0",
        "tax_rate": "0",
        "scenarios": [{"name": "one", "monthly_units": 10}],
    }
    found = answer(catalog, asked(marketplace="JP", fixed_monthly_cost="3840", lines=[line]))
    assert found["totals"][0]["contribution_after_fixed_cost"] == "0"
    assert found["lines"][0]["scenarios"][0]["break_even_units"] == 10
    assert found["recommendation"]["action"] == "join"


def test_a_price_given_as_a_discount_and_one_given_outright_agree(catalog: Catalog) -> None:
    line = FeeLine("office_products", 4000, unit_cost=2600)
    offers = (QuantityDiscount(2, discount_ppm=50_000), QuantityDiscount(2, unit_price=3800))
    wanted = AdviceLine(line, 500, (Scenario("one", monthly_units=1),), offers)
    result = advise([], catalog.schedule("US"), DAY, [wanted], SHARE, 0, "professional", "US")
    first, second = result.lines[0].quantity_discounts
    assert first.estimate == second.estimate
    assert (first.unit_price, first.worth_it) == (second.unit_price, second.worth_it)
