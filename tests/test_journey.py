"""The whole journey: the programs in reach."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.catalog import Catalog
from advisor.cli import main
from advisor.domain.assessment import Account, Observation, Slot, assess
from advisor.domain.program import MARKETPLACES, FactValue, Program, Verdict
from advisor.domain.reach import reach
from advisor.domain.readiness import answer_check
from advisor.messages import Messages
from advisor.services.calculations import Services
from advisor.services.journey import Journey

CATALOG = Catalog()
PROGRAMS = [CATALOG.program(name) for name in CATALOG.program_ids]
SAMPLE = Path(__file__).parent.parent / "data" / "samples" / "reach.json"


def body() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(SAMPLE.read_text())
    return read


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    facts: dict[str, FactValue] = {}
    for fact in CATALOG.vocabulary.facts.values():
        if fact.kind == "boolean":
            facts[fact.key] = draw(st.booleans())
        elif fact.kind == "integer":
            facts[fact.key] = draw(st.sampled_from([0, 9, 10, 11, 90, 91, 100, 200, 1000]))
        else:
            facts[fact.key] = draw(st.sampled_from(fact.choices))
    seen = {}
    for metric in CATALOG.vocabulary.metrics.values():
        for segment in (None, "business"):
            count = draw(st.sampled_from([0, 1, 5, 50, 95, 100]))
            if draw(st.integers(0, 5)):
                seen[Slot(metric.key, None, segment)] = Observation(count, None if metric.kind == "counter" else 100)
    return Account({key: value for key, value in facts.items() if draw(st.integers(0, 4))}, seen)


@settings(max_examples=60, deadline=None)
@given(accounts(), st.sampled_from(MARKETPLACES), st.dates(date(2020, 1, 1), date(2027, 1, 1)))
def test_what_is_in_reach_agrees_with_each_program_alone(account: Account, place: str, day: date) -> None:
    """Every program once, with its own assessment, in the stated order, whatever order they are given in."""
    found = reach(PROGRAMS, place, day, account)
    alone = {one.id: assess(one, place, day, account) for one in PROGRAMS}
    for one in found.programs:
        assert one.assessment == alone[one.assessment.program.id]
        required = [each for each in one.assessment.findings if each.required and each.outcome == "missed"]
        assert list(one.missed) == required
    near = {one.assessment.program.id for one in found.programs}
    apart = {one.program.id: one for one in found.not_applicable}
    without = {one.id for one in found.not_covered}
    assert without == {name for name, one in alone.items() if one.verdict is Verdict.NOT_COVERED}
    assert (near | without).isdisjoint(apart) and near | without | apart.keys() == alone.keys()
    for name, one in apart.items():
        assert one == alone[name] and not one.missing and one.verdict is Verdict.UNDETERMINED
        assert not any(each.outcome in ("missed", "unknown") for each in one.findings if each.required)
    order = ["eligible", "undetermined", "not_eligible"]
    ranks = [
        (
            order.index(one.assessment.verdict),
            len(one.missed),
            -(one.assessment.score or 0),
            len(one.assessment.missing),
        )
        for one in found.programs
    ]
    assert ranks == sorted(ranks)
    again = reach(list(reversed(PROGRAMS)), place, day, account)
    assert sorted(ranks) == [
        ranks[[two.assessment.program for two in found.programs].index(one.assessment.program)]
        for one in again.programs
    ]


def test_the_answer_is_that_of_assessments_of_each_program_alone(client: FlaskClient) -> None:
    answer = client.post("/v1/reach", json=body()).json
    assert [one["distance"]["position"] for one in answer["programs"]] == list(range(1, len(answer["programs"]) + 1))
    for one in answer["programs"]:
        asked = body() | {"programs": [one["program"]]}
        (alone,) = client.post("/v1/assessments", json=asked).json["assessments"]
        assert {key: one[key] for key in ("verdict", "score", "missing", "next_steps")} == {
            key: alone[key] for key in ("verdict", "score", "missing", "next_steps")
        }
        missed = [each for each in alone["findings"] if each["outcome"] == "missed" and each["level"] == "required"]
        assert one["missed"] == missed
        assert [each["recovery"] for each in one["recoveries"]] == [each["recovery"] for each in missed]
        assert one["distance"]["missed"] == len(missed) and one["distance"]["missing"] == len(alone["missing"])


@pytest.mark.parametrize(
    ("place", "ships", "apart"),
    [
        ("US", "amazon", ["premium-shipping", "seller-fulfilled-prime"]),
        ("FR", "amazon", ["seller-fulfilled-prime"]),
        ("JP", "amazon", ["premium-shipping", "seller-fulfilled-prime"]),
        ("US", "seller", ["account-health-amazon-fulfilled"]),
        ("US", "both", []),
    ],
)
def test_programs_about_orders_that_the_account_has_not_stand_apart(place: str, ships: str, apart: list[str]) -> None:
    """What Amazon ships opens no program about shipping, however healthy the rest of the account is."""
    facts = {"selling_plan": "professional", "fulfillment": ships, "days_selling": 400, "account_health_rating": 250}
    healthy = {"order_defect_rate": {"count": 3, "of": 1200}}
    asked = {"marketplace": place, "as_of": "2026-11-22", "facts": facts, "metrics": healthy}
    answer = Journey(CATALOG).reach(asked, Messages())
    assert [one["program"] for one in answer["not_applicable"]] == apart
    assert not {one["program"] for one in answer["programs"]}.intersection(apart)
    assert all("nothing that this program measures" in one["message"] for one in answer["not_applicable"])


def test_programs_without_rules_stand_apart() -> None:
    answer = Journey(CATALOG).reach(body() | {"marketplace": "AU"}, Messages())
    assert {one["program"] for one in answer["not_covered"]} == {
        "enterprise-mall",
        "business-seller-badge",
        "seller-fulfilled-prime",
        "premium-shipping",
    }
    assert all(one["message"].startswith("Not covered") for one in answer["not_covered"])


@pytest.mark.parametrize(
    ("wrong", "pointer", "code"),
    [
        ({"programs": ["enterprise-mall"]}, "/programs", "unknown_field"),
        ({"marketplace": "ZZ"}, "/marketplace", "unknown_marketplace"),
        ({"facts": {"nothing": True}}, "/facts/nothing", "unknown_field"),
        ({"metrics": {"nothing": None}}, "/metrics/nothing", "unknown_field"),
        ({"as_of": "yesterday"}, "/as_of", "not_a_date"),
    ],
)
def test_what_cannot_be_used_is_named(client: FlaskClient, wrong: dict[str, Any], pointer: str, code: str) -> None:
    answer = client.post("/v1/reach", json=body() | wrong)
    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json["errors"]] == [(pointer, code)]


def test_the_command_lists_the_nearest_first(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["reach", str(SAMPLE)])
    assert done.exit_code == 0, done.output
    assert done.output.index("1. Amazon Business seller program") < done.output.index("Premium shipping")
    assert "? Enrolled in Amazon Business (facts.amazon_business_enrolled)\n" in done.output
    as_json = CliRunner().invoke(main, ["reach", str(SAMPLE), "--json"])
    assert json.loads(as_json.output) == Journey(CATALOG).reach(body(), Messages())
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(body() | {"programs": ["enterprise-mall"]}))
    assert CliRunner().invoke(main, ["reach", str(wrong)]).exit_code == 2


def test_a_program_that_is_missed_says_what_it_would_take() -> None:
    """72 of 80 on time is 90 %: 20 further ones bring it to 92 of 100."""
    answer = Journey(CATALOG).reach(body(), Messages())
    premium = next(one for one in answer["programs"] if one["program"] == "premium-shipping")
    assert (premium["verdict"], premium["distance"]["missed"]) == ("not_eligible", 1)
    assert premium["recoveries"][0]["recovery"] == {"clean": 20, "unit": "orders"}
    assert premium["next_steps"]
    assert Services(CATALOG).assessments(body() | {"programs": ["premium-shipping"]}, Messages())


# Stages


def missing_bars(**more: Any) -> dict[str, Any]:
    """An account that misses both late shipment windows, its defect rate and its rating."""
    asked = {
        "marketplace": "US",
        "as_of": "2026-11-22",
        "programs": ["account-health-seller-fulfilled"],
        "facts": {"fulfillment": "seller", "account_health_rating": 150},
        "metrics": {
            "late_shipment_rate": {"count": 50, "of": 600},
            "order_defect_rate": {"count": 50, "of": 1200},
            "pre_fulfillment_cancellation_rate": {"count": 0, "of": 150},
        },
    }
    (answer,) = Services(CATALOG).assessments(asked | more, Messages())["assessments"]
    return dict(answer)


def test_every_finding_is_counted_in_its_stage() -> None:
    answer = missing_bars()
    assert [one["stage"] for one in answer["stages"]] == [one.id for one in CATALOG.process.stages]
    for stage in answer["stages"]:
        mine = [one["outcome"] for one in answer["findings"] if one["stage"] == stage["stage"]]
        counted = {name: stage[name] for name in ("met", "missed", "unknown", "not_applicable")}
        assert counted == {name: mine.count(name) for name in counted}


def test_the_remedies_of_a_stage_are_those_of_its_misses_in_order_of_effect() -> None:
    stages = {one["stage"]: one for one in missing_bars()["stages"]}
    order = [one.text for one in CATALOG.process.order]
    for name, subjects in (
        ("order-processing", ["late_shipment_rate"]),
        ("after-sales", ["order_defect_rate", "account_health_rating"]),
    ):
        shown = stages[name]["remedies"]
        known = {remedy.text for key in subjects for remedy in CATALOG.process.remedies[key]}
        assert {one["text"] for one in shown} == known
        assert shown and all(one["why"] and one["sources"] for one in shown)
        served = [(-len(one["criteria"]), order.index(one["text"])) for one in shown if "rating" not in one["text"]]
        if name == "order-processing":
            assert served == sorted(served)
            assert shown[0]["criteria"] == ["late-shipment-10d", "late-shipment-30d"]
            assert (shown[0]["shows"], shown[0]["shows_after_days"]) == ("within_window", 30)
    shows = {one["shows"] for one in stages["after-sales"]["remedies"]}
    assert shows == {"within_window", "no_window"}  # nobody publishes how soon a rating moves
    # What only advises comes after what decides.
    last = stages["after-sales"]["remedies"][-1]
    assert (last["criteria"], last["shows_after_days"]) == (["account-health-rating"], None)


def test_a_measure_without_a_window_does_not_say_when_it_shows() -> None:
    asked = {"programs": ["seller-fulfilled-prime"], "metrics": {"buy_shipping_rate": {"count": 1, "of": 2}}}
    (logistics,) = [one for one in missing_bars(**asked)["stages"] if one["stage"] == "logistics"]
    assert {(one["shows"], one["shows_after_days"]) for one in logistics["remedies"]} == {("no_window", None)}


def test_what_is_declared_shows_when_it_is_declared() -> None:
    asked = {"programs": ["enterprise-mall"], "facts": {"selling_plan": "individual"}}
    (registration,) = [one for one in missing_bars(**asked)["stages"] if one["stage"] == "registration"]
    assert {(one["shows"], one["shows_after_days"]) for one in registration["remedies"]} == {("declared", None)}


def test_what_follows_is_told_as_published_with_its_doubts() -> None:
    answer = missing_bars()
    follows = {one["id"]: one for one in answer["if_nothing_is_done"]}
    assert list(follows) == [
        one.id for one in CATALOG.process.follows if "account-health-seller-fulfilled" in one.programs
    ]
    assert {"restriction", "demotion", "notice", "quiz", "deactivation", "plan-of-action"} <= follows.keys()
    assert (follows["one-month"]["published"], follows["demotion"]["published"]) == (False, False)
    assert "no published basis" in follows["one-month"]["text"]
    assert all(one["sources"] and one["doubts"] for one in follows.values())
    findings = {one["criterion"]: one for one in answer["findings"]}
    told = [one for stage in answer["stages"] for one in stage["consequences"]]
    assert {one["criterion"] for one in told} == {
        name for name, one in findings.items() if one["outcome"] == "missed" and one["consequence"]
    }
    assert all(one["text"] == findings[one["criterion"]]["consequence"] for one in told)


@settings(max_examples=60, deadline=None)
@given(accounts(), st.sampled_from(PROGRAMS), st.sampled_from(MARKETPLACES))
def test_an_item_is_met_only_by_what_proves_it(account: Account, program: Program, place: str) -> None:
    """Never without an answer that says yes and can prove it, never beside one that says no."""
    judged = [each[:2] for each in assess(program, place, date(2026, 11, 22), account).findings]
    for check in CATALOG.process.checklist:
        answered = answer_check(check, judged, account.facts, place)
        told = [one.outcome for one in answered.told]
        assert (answered.outcome == "missed") == ("missed" in told)
        if answered.outcome == "met":
            proofs = {one.subject for one in check.answered_by if one.proves}
            assert any(one.outcome == "met" and one.subject in proofs for one in answered.told)
        if not check.answered_by:
            assert (answered.outcome, told) == ("unknown", [])


def test_the_checklist_of_a_stage_is_answered_with_what_told_it() -> None:
    answer = missing_bars()
    stages = {one["stage"]: {item["id"]: item for item in one["checklist"]} for one in answer["stages"]}
    assert {one.id for one in CATALOG.process.checklist} == {name for items in stages.values() for name in items}
    findings = {one["criterion"]: one["outcome"] for one in answer["findings"]}
    for items in stages.values():
        for item in items.values():
            for one in item["reads"]:
                assert one["criterion"] is None or one["outcome"] == findings[one["criterion"]]
    assert stages["order-processing"]["handling-time"] == {
        "id": "handling-time",
        "text": "The handling time of each product is what it really takes.",
        "outcome": "missed",
        "reads": [
            {"metric": "late_shipment_rate", "fact": None, "criterion": name, "outcome": "missed"}
            for name in ("late-shipment-10d", "late-shipment-30d")
        ],
    }
    assert stages["after-sales"]["defects-read"]["reads"] == []


def test_what_answers_a_checklist_is_read_by_some_program() -> None:
    read = {one.subject for program in PROGRAMS for one in program.criteria}
    for check in CATALOG.process.checklist:
        for one in check.answered_by:
            assert one.subject in read or one.subject.key == "fulfillment", check.id


def test_nothing_follows_where_nothing_required_is_missed() -> None:
    healthy = {"late_shipment_rate": {"count": 0, "of": 600}, "order_defect_rate": {"count": 0, "of": 1200}}
    assert missing_bars(metrics=healthy)["if_nothing_is_done"] is None


def test_every_program_says_what_follows() -> None:
    for name in CATALOG.program_ids:
        assert any(name in one.programs for one in CATALOG.process.follows), name


def test_the_stages_cover_every_measure_once_and_have_their_etag(client: FlaskClient) -> None:
    answer = client.get("/v1/stages")
    stages = answer.json["stages"]
    metrics = [each["metric"] for one in stages for each in one["metrics"]]
    facts = [each["fact"] for one in stages for each in one["facts"]]
    assert sorted(metrics) == sorted(CATALOG.vocabulary.metrics)
    assert sorted(facts) == sorted(CATALOG.vocabulary.facts)
    assert all(one["checklist"] and one["remedies"] for one in stages)
    checked = {
        key for one in stages for each in one["checklist"] for kind in ("metrics", "facts") for key in each[kind]
    }
    assert checked and checked <= {*metrics, *facts}
    shown = {each["text"] for one in stages for each in one["remedies"]}
    assert shown == {one.text for one in CATALOG.process.order}
    etag = answer.headers["ETag"]
    assert not etag.startswith("W/")
    assert client.get("/v1/stages", headers={"If-None-Match": etag}).status_code == 304
    assert client.get("/v1/stages?more=1").status_code == 422


def test_the_command_lists_the_stages() -> None:
    done = CliRunner().invoke(main, ["stages"])
    assert done.exit_code == 0, done.output
    for one in CATALOG.process.stages:
        assert one.label in done.output
    assert "no published basis" in " ".join(done.output.split())
    as_json = CliRunner().invoke(main, ["stages", "--json"])
    assert json.loads(as_json.output) == Journey(CATALOG).stages(Messages())


@pytest.mark.parametrize(
    ("rating", "band", "better", "worse"),
    [
        (0, "unhealthy", ("at_risk", 100), None),
        (99, "unhealthy", ("at_risk", 1), None),
        (100, "at_risk", ("healthy", 100), ("unhealthy", 1)),
        (199, "at_risk", ("healthy", 1), ("unhealthy", 100)),
        (200, "healthy", None, ("at_risk", 1)),
        (1000, "healthy", None, ("at_risk", 801)),
    ],
)
def test_a_rating_lies_in_its_band(
    client: FlaskClient, rating: int, band: str, better: tuple[str, int] | None, worse: tuple[str, int] | None
) -> None:
    facts = {"account_health_rating": rating}
    body = {"marketplace": "US", "as_of": "2026-11-22", "programs": ["account-health-seller-fulfilled"], "facts": facts}
    (assessment,) = client.post("/v1/assessments", json=body).get_json()["assessments"]
    found = [one for one in assessment["findings"] if one["fact"] == "account_health_rating"]
    assert found
    for one in found:
        nearby = [one["band"][where] and tuple(one["band"][where].values())[::2] for where in ("better", "worse")]
        assert (one["band"]["band"], *nearby) == (band, better, worse)
        assert one["band"]["consequence"] in one["band"]["message"]
        assert one["band"]["consequence"] not in one["message"]  # it is said once
        scale = [(each["band"], each["from"], each["to"]) for each in one["band"]["scale"]]
        assert scale == [("unhealthy", 0, 99), ("at_risk", 100, 199), ("healthy", 200, 1000)]
        assert one["band"]["sources"]
    others = [one["band"] for one in assessment["findings"] if one["fact"] != "account_health_rating"]
    assert others == [None] * len(others)
