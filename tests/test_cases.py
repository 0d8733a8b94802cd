"""The cases under tests/cases, which are data: what is asked, and what has to come out."""

import tomllib
from copy import deepcopy
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from advisor.catalog import Catalog
from advisor.domain.assessment import Finding, Observation, assess
from advisor.domain.fees import FeeRule
from advisor.domain.numbers import PPM, parse_decimal
from advisor.domain.program import MARKETPLACES, Fact, Threshold
from advisor.inputs.assessments import read_assessment
from advisor.messages import FACT_REASONS, REASONS, WARNINGS, Messages
from advisor.services.calculations import Services

CASES = Path(__file__).parent / "cases"
PROGRAMS = (
    "enterprise-mall",
    "account-health-seller-fulfilled",
    "account-health-amazon-fulfilled",
    "business-seller-badge",
    "seller-fulfilled-prime",
    "premium-shipping",
)
SHAPES = ("flat", "graduated", "volume", "mixed")
EVER = date(2100, 1, 1)


def load(name: str) -> dict[str, Any]:
    """Read one file of cases."""
    return tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))


def listed(names: tuple[str, ...], kind: str) -> list[Any]:
    """List the entries of one kind, named by file and number."""
    return [
        pytest.param(name, entry, id=f"{name}-{kind}-{number}")
        for name in names
        for number, entry in enumerate(load(name)[kind], start=1)
    ]


def known(answer: Any) -> Any:
    """Write an answer's null the way the cases do."""
    return "unknown" if answer is None else answer


# Programs


def account(file: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Build a request: the file's healthy account, less what the entry leaves out, with what it gives."""
    body = {"marketplace": "US", "as_of": "2026-11-22", **deepcopy(file["healthy"]), "programs": [file["program"]]}
    if entry.get("from_nothing"):
        body["facts"], body["metrics"] = {}, {}
    given = entry.get("given", {})
    for name in entry.get("without", ()):
        (body["facts"] if name in body["facts"] else body["metrics"]).pop(name)
    body["facts"] |= given.get("facts", {})
    body["metrics"] |= given.get("metrics", {})
    return body | {key: value for key, value in given.items() if key not in ("facts", "metrics")}


def observation(row: dict[str, Any], bar: dict[str, Any]) -> dict[str, Any]:
    """Bring one row of a bar into an observation of its window and segment."""
    seen = {key: row[key] for key in ("count", "of", "rate") if key in row}
    return seen | {key: bar[key] for key in ("window_days", "segment") if key in bar}


def account_at(file: dict[str, Any], bar: dict[str, Any], row: dict[str, Any], marketplace: str) -> dict[str, Any]:
    """Build the healthy account with one value of one bar instead of its own."""
    body = account(file, {"given": {"marketplace": marketplace, "as_of": bar["as_of"]}})
    if "fact" in bar:
        body["facts"].pop(bar["fact"], None)
        if "value" in row:
            body["facts"][bar["fact"]] = row["value"]
        return body
    healthy = body["metrics"].pop(bar["metric"], None)
    several = [observation(row, bar)] if row.keys() & {"count", "rate"} else []
    # The metric's other windows keep the healthy value, so that only this bar moves.
    several += [healthy | {"window_days": other} for other in bar.get("other_windows", ())]
    body["metrics"][bar["metric"]] = several
    return body


def check_finding(finding: dict[str, Any], expected: dict[str, Any], where: str) -> None:
    """Compare what a case says about one finding."""
    headroom = finding["headroom"] or {}
    recovery = finding["recovery"]
    between = (finding["observed"] or {}).get("between")
    seen = {
        "outcome": finding["outcome"],
        "reason": finding["reason"],
        "level": finding["level"],
        "basis": finding["basis"],
        "threshold": finding["threshold"],
        "headroom": known(headroom.get("count")),
        "headroom_rate": known(headroom.get("rate")),
        "recovery": known(recovery and recovery["clean"]),
        "observed": known(finding["observed"] and finding["observed"].get("rate")),
        "between": between and [between["lowest"], between["highest"]],
        "also_published": [bar["outcome"] for bar in finding["also_published"]],
    }
    assert {key: seen[key] for key in expected} == expected, where


@pytest.mark.parametrize(("name", "case"), listed(PROGRAMS, "case"))
def test_an_account_is_answered_as_its_case_says(catalog: Catalog, name: str, case: dict[str, Any]) -> None:
    """A whole account: verdict, score, findings, what is missing and what nobody read."""
    file = load(name)
    answer = Services(catalog).assessments(account(file, case), Messages())["assessments"][0]
    assert answer["program"] == file["program"]
    for key in case.keys() & {"verdict", "score"}:
        assert known(answer[key]) == case[key], key
    findings = {finding["criterion"]: finding for finding in answer["findings"]}
    for criterion, expected in case.get("findings", {}).items():
        check_finding(findings[criterion], expected, criterion)
    assert not findings.keys() & set(case.get("not_judged", ()))
    ready = {one["id"]: one["outcome"] for stage in answer["stages"] for one in stage["checklist"]}
    expected_ready = case.get("ready", {})
    assert {name: ready[name] for name in expected_ready} == expected_ready
    if "missing" in case:
        assert [" ".join(f"{value}" for value in one.values() if value) for one in answer["missing"]] == case["missing"]
    if "unused" in case:
        assert [" ".join(f"{value}" for value in one.values() if value) for one in answer["unused"]] == case["unused"]
    if "next_steps_for" in case:
        steps = [step["criterion"] for step in answer["next_steps"]]
        assert list(dict.fromkeys(steps)) == case["next_steps_for"]


@pytest.mark.parametrize(("name", "bar"), listed(PROGRAMS, "bar"))
def test_a_bar_divides_where_its_table_says(catalog: Catalog, name: str, bar: dict[str, Any]) -> None:
    """Every row of a bar, at every marketplace where it holds."""
    file, services = load(name), Services(catalog)
    for marketplace in bar["marketplaces"]:
        for row in bar["rows"]:
            where = f"{bar['criterion']} in {marketplace}: {row}"
            body = account_at(file, bar, row, marketplace)
            answer = services.assessments(body, Messages())["assessments"][0]
            finding = {one["criterion"]: one for one in answer["findings"]}[bar["criterion"]]
            about_account = {"verdict", "score"}
            value = {"at", "count", "of", "rate", "value"}
            check_finding(finding, {key: row[key] for key in row.keys() - value - about_account}, where)
            assert finding["level"] == bar["level"], where
            assert (finding["comparison"], finding["threshold"]) == (bar.get("comparison"), bar.get("threshold")), where
            # What only advises leaves the healthy account as it is, unless the row says otherwise.
            expected = {"verdict": "eligible", "score": 75} if bar["level"] == "advisory" else {}
            expected |= {key: row[key] for key in about_account & row.keys()}
            assert {key: known(answer[key]) for key in about_account} == expected, where


def test_every_bar_of_every_program_has_its_cases(catalog: Catalog) -> None:
    """Each threshold in data/ is tried just under, on and just over its bar, missing, and without activity."""
    tried: dict[Threshold, set[str]] = {}
    for name in PROGRAMS:
        file = load(name)
        for bar in file["bar"]:
            for row in bar["rows"]:
                for marketplace in bar["marketplaces"]:
                    wanted = read_assessment(catalog, account_at(file, bar, row, marketplace), EVER)
                    result = assess(wanted.programs[0], wanted.marketplace, wanted.as_of, wanted.account)
                    finding = next(one for one in result.findings if one.rule.criterion.id == bar["criterion"])
                    place = position(finding)
                    assert place == row["at"], f"{bar['criterion']} in {marketplace}: {row}"
                    tried.setdefault(finding.rule.threshold, set()).add(place)
    for program in map(catalog.program, catalog.program_ids):
        for criterion in program.criteria:
            for block in criterion.thresholds:
                expected = positions(criterion.subject, block)
                where = f"{program.id}, {criterion.id}, {sorted(block.marketplaces)} from {block.validity.start}"
                assert tried.get(block, set()) >= expected, where


def positions(subject: Any, block: Threshold) -> set[str]:
    """Say which values a bar has to be tried with."""
    if isinstance(subject, Fact):
        if subject.kind == "integer":
            return {"just under", "exactly on", "just over", "missing"}
        return {"as asked", "not as asked", "missing"}
    if block.bar.value is None:
        return {"shown only"}
    if subject.kind == "counter":
        return {"exactly on", "just over", "missing"}
    few = {"below the minimum volume", "at the minimum volume"} if block.minimum_volume else set()
    over = set() if block.bar.value == PPM else {"just over"}  # there is nothing over 100 %
    return {"just under", "exactly on", "missing", "no activity"} | over | few


def position(finding: Finding) -> str:
    """Say where a value lies, by the definition: defects over all, as an exact fraction, against the bar."""
    bar, seen = finding.rule.threshold.bar, finding.observed
    if isinstance(finding.rule.criterion.subject, Fact):
        if seen is None:
            return "missing"
        if finding.rule.criterion.subject.kind != "integer":
            return "as asked" if seen == bar.value else "not as asked"
        assert isinstance(seen, int) and isinstance(bar.value, int)
        return {-1: "just under", 0: "exactly on", 1: "just over"}.get(seen - bar.value, "elsewhere")
    if bar.value is None:
        return "shown only"
    if seen is None:
        return "missing"
    assert isinstance(seen, Observation) and isinstance(bar.value, int)
    if seen.of == 0:
        return "no activity"
    if seen.of is None:
        return {0: "exactly on", 1: "just over"}.get(seen.count - bar.value, "elsewhere")
    volume = finding.rule.threshold.minimum_volume
    if volume is not None and not seen.bare and seen.of in (volume - 1, volume):
        return "below the minimum volume" if seen.of < volume else "at the minimum volume"
    beyond = seen.count - Fraction(bar.value, PPM) * seen.of
    if beyond == 0:
        return "exactly on"
    if abs(beyond) > 1:
        return "elsewhere"
    return "just under" if beyond < 0 else "just over"


def test_every_reason_a_finding_can_have_occurs(catalog: Catalog) -> None:
    """The cases bring out every reason code and every outcome that the program data can lead to."""
    seen = set()
    for name in PROGRAMS:
        for case in load(name)["case"]:
            wanted = read_assessment(catalog, account(load(name), case), EVER)
            result = assess(wanted.programs[0], wanted.marketplace, wanted.as_of, wanted.account)
            seen |= {
                finding.reason for finding in result.findings if finding.rule.criterion.id in case.get("findings", {})
            }
    assert seen == REASONS.keys() | FACT_REASONS.keys()


# Fees

FEE_FILES = tuple(f"fees-{shape}" for shape in SHAPES)


def shown_range(start: str, end: str | None) -> str:
    """Write a range of prices the way the cases do."""
    return f"{start} to {end}" if end is not None else f"{start} and up"


def check_line(line: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare what a case says about one line."""
    if expected.get("priced", True):
        assert line["per_unit"] is not None
    else:
        assert line["per_unit"] is None and line["total"] is None and line["rule"] is None and line["tiers"] == []
    for part in ("per_unit", "total"):
        for key, value in expected.get(part, {}).items():
            assert known(line[part][key]) == value, f"{part}.{key}"
    if "tiers" in expected:
        shown = [
            f"{shown_range(tier['from'], tier['to'])} at {tier['rate']}: {tier['base']} pays {tier['fee']}"
            for tier in line["tiers"]
        ]
        assert shown == expected["tiers"]
    if "profitable" in expected:
        ranges = line["profitable_ranges"]
        shown_ranges = "unknown" if ranges is None else [shown_range(one["from"], one["to"]) for one in ranges]
        assert shown_ranges == expected["profitable"]
    if "shape" in expected:
        assert line["rule"]["shape"] == expected["shape"]
    for key in expected.keys() & {"complete", "minimum_applied"}:
        assert line[key] == expected[key], key
    if "warnings" in expected:
        assert [warning["code"] for warning in line["warnings"]] == expected["warnings"]


@pytest.mark.parametrize(("name", "case"), listed((*FEE_FILES, "fees-other"), "case"))
def test_a_sale_is_priced_as_its_case_says(catalog: Catalog, name: str, case: dict[str, Any]) -> None:
    """A whole request: every line with its parts, and the totals."""
    body = case["given"] | {"lines": [line["given"] for line in case["line"]]}
    answer = Services(catalog).fee_estimates(body, Messages())
    for line, expected in zip(answer["lines"], case["line"], strict=True):
        check_line(line, expected)
    for key, value in case.get("totals", {}).items():
        assert known(answer["totals"][key]) == value, key


@pytest.mark.parametrize(("name", "table"), listed(FEE_FILES, "table"))
def test_a_price_list_is_met_to_the_cent(catalog: Catalog, name: str, table: dict[str, Any]) -> None:
    """Every "price -> referral fee" of a table, and the shape that its file is about."""
    pairs = [pair.split(" -> ") for pair in table["fees"]]
    body = table["given"] | {"lines": [table["line"] | {"price": price} for price, _ in pairs]}
    lines = Services(catalog).fee_estimates(body, Messages())["lines"]
    found = [f"{line['per_unit']['total_sales_price']} -> {line['per_unit']['referral_fee']}" for line in lines]
    assert found == table["fees"]
    assert {f"fees-{line['rule']['shape']}" for line in lines} == {name}


def structure(marketplace: str, rule: FeeRule) -> tuple[Any, ...]:
    """What makes two versions charge the same percentages."""
    return marketplace, rule.shape, rule.bands, rule.slices, rule.minimum


def turning_points(rule: FeeRule) -> set[int]:
    """List the prices at which a price list has to be tried: one minor unit around each edge and the minimum."""
    edges = {tier.up_to for tier in (*rule.bands, *rule.slices) if tier.up_to is not None}
    points = {point for edge in edges for point in (edge - 1, edge, edge + 1)}
    first = (rule.bands or rule.slices)[0].rate_ppm
    if rule.minimum and first:
        reached = -(-rule.minimum * PPM // first)
        points |= {reached - 1, reached, reached + 1}
    return points | {1}


def test_every_tier_structure_has_a_price_list(catalog: Catalog) -> None:
    """Each distinct set of tiers of each marketplace is tried around every edge and around its minimum."""
    tried: dict[tuple[Any, ...], set[int]] = {}
    for name in FEE_FILES:
        for table in load(name)["table"]:
            schedule = catalog.schedule(table["given"]["marketplace"])
            category, day = schedule.category(table["line"]["category"]), date.fromisoformat(table["given"]["as_of"])
            assert category is not None
            channel = table["line"].get("fulfillment", "seller")
            rule = next(one for one in category.versions if channel in one.channels and one.validity.covers(day))
            prices = {parse_decimal(pair.split(" -> ")[0], schedule.decimals) or 0 for pair in table["fees"]}
            tried.setdefault(structure(schedule.marketplace, rule), set()).update(prices)
    for schedule in map(catalog.schedule, MARKETPLACES):
        for category in schedule.categories.values():
            for rule in category.versions:
                points = tried.get(structure(schedule.marketplace, rule), set())
                assert points >= turning_points(rule), (
                    f"{schedule.marketplace}, {category.key} from {rule.validity.start}"
                )


def test_every_warning_occurs() -> None:
    """The cases bring out every warning that an estimate can carry."""
    of_advice = {"cited_share_used", "current_monthly_units_unknown", "unit_cost_unknown"}
    lines = [line for name in (*FEE_FILES, "fees-other") for case in load(name)["case"] for line in case["line"]]
    assert {code for line in lines for code in line.get("warnings", ())} == WARNINGS.keys() - of_advice
