"""What holds of every assessment, whatever the program and the account; and rules that no shipped program needs yet."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.catalog import Catalog
from advisor.domain.assessment import Account, Observation, Slot, assess
from advisor.domain.numbers import HIGHEST_COUNT, PPB
from advisor.domain.program import (
    MARKETPLACES,
    Bar,
    Criterion,
    Fact,
    FactValue,
    Level,
    Metric,
    Outcome,
    Program,
    Threshold,
    Verdict,
    Vocabulary,
)
from advisor.domain.sources import Validity

DAY = date(2026, 11, 22)
PROGRAMS = (
    "enterprise-mall",
    "account-health-seller-fulfilled",
    "account-health-amazon-fulfilled",
    "business-seller-badge",
    "seller-fulfilled-prime",
    "premium-shipping",
)
many = settings(max_examples=150, deadline=None)


# Any account


def observations(metric: Metric) -> st.SearchStrategy[Observation]:
    """Values of a metric: small and large, often close to the bars, and none at all."""
    if metric.kind == "counter":
        return st.builds(Observation, st.integers(0, 3) | st.integers(0, HIGHEST_COUNT))
    of = st.sampled_from([0, 1, 19, 20, 40, 200, 1000, HIGHEST_COUNT])
    counted = of.flatmap(
        lambda total: st.builds(
            Observation,
            st.integers(0, total)
            | st.sampled_from([total * ppm // 10**6 for ppm in (5_000, 10_000, 40_000, 900_000, 950_000)]),
            st.just(total),
        )
    )
    return counted | st.builds(Observation.of_rate, st.integers(0, PPB))


def facts_of(vocabulary: Vocabulary) -> st.SearchStrategy[dict[str, FactValue]]:
    values: dict[str, st.SearchStrategy[FactValue]] = {}
    for fact in vocabulary.facts.values():
        if fact.kind == "boolean":
            values[fact.key] = st.booleans()
        elif fact.kind == "integer":
            values[fact.key] = st.integers(fact.lowest or 0, fact.highest or 0)
        else:
            values[fact.key] = st.sampled_from(fact.choices)
    return st.fixed_dictionaries({}, optional=values)


@st.composite
def accounts(draw: st.DrawFn, catalog: Catalog) -> Account:
    vocabulary = catalog.vocabulary
    windows = st.sampled_from([None, None, 7, 10, 14, 30, 60, 90, 180])
    segments = st.sampled_from([None, None, "seller_fulfilled", "amazon_fulfilled", "business", "category:toys"])
    seen = {}
    for metric in draw(st.lists(st.sampled_from(sorted(vocabulary.metrics)), max_size=14)):
        seen[Slot(metric, draw(windows), draw(segments))] = draw(observations(vocabulary.metrics[metric]))
    return Account(draw(facts_of(vocabulary)), seen)


@many
@given(st.data())
def test_any_account_gets_an_answer_that_follows_from_its_findings(catalog: Catalog, data: Any) -> None:
    """The verdict is a conjunction over the required findings; nothing unknown is ever met."""
    account = data.draw(accounts(catalog))
    program = catalog.program(data.draw(st.sampled_from(PROGRAMS)))
    day = data.draw(st.just(DAY) | st.dates(date(2018, 1, 1), date(2028, 1, 1)))
    result = assess(program, data.draw(st.sampled_from(MARKETPLACES)), day, account)
    required = [finding for finding in result.findings if finding.rule.threshold.level is Level.REQUIRED]
    outcomes = [finding.outcome for finding in required]
    if not required:
        assert result.verdict is Verdict.NOT_COVERED and result.findings == ()
    elif Outcome.MISSED in outcomes:
        assert result.verdict is Verdict.NOT_ELIGIBLE
    elif Outcome.UNKNOWN in outcomes or Outcome.MET not in outcomes:
        assert result.verdict is Verdict.UNDETERMINED
    else:
        assert result.verdict is Verdict.ELIGIBLE
    unknown = [finding.rule.criterion for finding in required if finding.outcome is Outcome.UNKNOWN]
    assert list(result.missing) == unknown
    for finding in result.findings:
        judged = finding.outcome in (Outcome.MET, Outcome.MISSED)
        assert judged or (finding.score is None and finding.headroom is None and finding.recovery is None)
        if finding.outcome is Outcome.MET:
            assert finding.observed is not None or finding.between is not None
            assert finding.score is not None and finding.score >= 50
            assert finding.recovery in (0, None)
            assert finding.headroom is None or finding.headroom.count is None or finding.headroom.count >= 0
        if finding.outcome is Outcome.MISSED:
            assert finding.score is not None and finding.score <= 49
            assert finding.recovery is None or finding.recovery > 0
            assert finding.headroom is None or finding.headroom.count is None or finding.headroom.count < 0
        assert all(also is not Outcome.NOT_APPLICABLE for _, also in finding.also_published)
    scores = [finding.score for finding in required if finding.score is not None]
    decided = result.verdict in (Verdict.ELIGIBLE, Verdict.NOT_ELIGIBLE)
    assert result.score == (min(scores) if decided else None)


@many
@given(st.data())
def test_taking_a_number_away_never_makes_an_account_eligible(catalog: Catalog, data: Any) -> None:
    """Absent is unknown, never a pass: an account that meets every bar but one does not qualify by saying less."""
    metrics = {metric.key: metric for metric in catalog.vocabulary.metrics.values()}
    for part in metrics["order_defect_rate"].components:
        del metrics[part]
    wrong = data.draw(st.sets(st.sampled_from(sorted(metrics)), max_size=2))
    facts: dict[str, FactValue] = {
        "selling_plan": "professional",
        "fulfillment": "seller",
        "account_health_rating": 250,
    }
    seen = {}
    for key, metric in metrics.items():
        bad = (key in wrong) == (metric.good == "low")
        seen[Slot(key, None, None)] = Observation(9 * bad) if metric.kind == "counter" else Observation(100 * bad, 100)
    program, place = catalog.program(data.draw(st.sampled_from(PROGRAMS[:2]))), data.draw(st.sampled_from(MARKETPLACES))
    before = assess(program, place, DAY, Account(facts, seen))
    required = {one.rule.criterion.subject.key for one in before.findings if one.required}
    if required:
        assert before.verdict == ("not_eligible" if wrong & required else "eligible")
    for slot in seen:
        left = {other: seen[other] for other in seen if other != slot}
        after = assess(program, place, DAY, Account(facts, left))
        if before.verdict is Verdict.ELIGIBLE:
            assert after.verdict == ("undetermined" if slot.metric in required else "eligible")
        else:
            assert after.verdict is not Verdict.ELIGIBLE


@many
@given(st.data())
def test_an_observation_is_read_or_named_as_unused(catalog: Catalog, data: Any) -> None:
    """Dropping what is unused changes nothing; dropping everything else leaves nothing known."""
    account = data.draw(accounts(catalog))
    program = catalog.program(data.draw(st.sampled_from(PROGRAMS)))
    place = data.draw(st.sampled_from(MARKETPLACES))
    result = assess(program, place, DAY, account)
    used = {slot: seen for slot, seen in account.observations.items() if slot not in result.unused}
    again = assess(program, place, DAY, replace(account, observations=used))
    assert again.findings == result.findings
    assert again.unused == ()


@many
@given(st.data())
def test_the_order_of_what_is_known_does_not_matter(catalog: Catalog, data: Any) -> None:
    account = data.draw(accounts(catalog))
    program = catalog.program(data.draw(st.sampled_from(PROGRAMS)))
    turned = Account(dict(reversed(list(account.facts.items()))), dict(reversed(list(account.observations.items()))))
    assert assess(program, "UK", DAY, turned).findings == assess(program, "UK", DAY, account).findings


@many
@given(st.lists(st.integers(0, 1000), min_size=3, max_size=3), st.sampled_from([1000, 1001, 2000, 100_000]), st.data())
def test_the_parts_of_a_defect_rate_answer_as_every_possible_rate_would(
    catalog: Catalog, parts: list[int], of: int, data: Any
) -> None:
    """Met or missed exactly when every number of orders between the largest part and the sum of all says so."""
    keys = ("negative_feedback_rate", "a_to_z_claim_rate", "chargeback_rate")
    program = catalog.program("enterprise-mall")
    account = Account(
        {}, {Slot(key, None, None): Observation(count, of) for key, count in zip(keys, parts, strict=True)}
    )
    finding = next(
        one for one in assess(program, "US", DAY, account).findings if one.rule.criterion.id == "order-defect"
    )
    possible = range(max(parts), min(sum(parts), of) + 1)
    met = {count * 200 < of for count in (possible[0], possible[-1])}
    expected = {True: Outcome.MET, False: Outcome.MISSED}[met.pop()] if len(met) == 1 else Outcome.UNKNOWN
    assert finding.outcome is expected
    # Saying the rate as well agrees with the parts exactly within those bounds.
    stated = data.draw(st.integers(0, of))
    both = Account({}, dict(account.observations) | {Slot("order_defect_rate", None, None): Observation(stated, of)})
    finding = next(one for one in assess(program, "US", DAY, both).findings if one.rule.criterion.id == "order-defect")
    assert (finding.reason == "contradictory") == (stated not in possible)


# Rules that no shipped program needs yet

METRIC = Metric("some_rate", "", "rate", "", "", "orders", "low", "account", (), "after-sales", None, ())
HIGH = replace(METRIC, key="good_rate", good="high")
COUNTER = replace(METRIC, key="some_count", kind="counter", of=None)
RATING = Fact("rating", "", "integer", (), 0, 1000, "after-sales", ())
SINCE = Fact("since", "", "date", (), None, None, "registration", ())


def program_of(
    subject: Metric | Fact,
    comparison: str,
    value: FactValue,
    segment: str | None = None,
    window: int | None = None,
    minimum: int | None = None,
) -> Program:
    """Make a program of one required criterion in the United States."""
    bar = Bar(comparison, value, (), None)
    always = Validity(date(2020, 1, 1), "documented")
    block = Threshold(frozenset(["US"]), always, Level.REQUIRED, "official", bar, minimum, "c", ())
    return Program("some", "", "", None, (Criterion("some", "", subject, window, segment, (block,)),), ())


def verdict(program: Program, seen: Mapping[Slot, Observation], **facts: FactValue) -> str:
    return assess(program, "US", DAY, Account(facts, seen)).verdict


@pytest.mark.parametrize("fulfillment", [None, "seller", "amazon", "both"])
def test_the_whole_account_never_serves_the_business_segment(fulfillment: str | None) -> None:
    program = program_of(METRIC, "below", 10_000, segment="business")
    facts: dict[str, FactValue] = {} if fulfillment is None else {"fulfillment": fulfillment}
    whole, business = Slot("some_rate", None, None), Slot("some_rate", None, "business")
    assert verdict(program, {whole: Observation(0, 100)}, **facts) == "undetermined"
    assert verdict(program, {business: Observation(0, 100)}, **facts) == "eligible"
    assert verdict(program, {whole: Observation(0, 100), business: Observation(1, 100)}, **facts) == "not_eligible"


@pytest.mark.parametrize(
    ("segment", "fulfillment", "expected"),
    [
        ("seller_fulfilled", None, "eligible"),
        ("seller_fulfilled", "seller", "eligible"),
        ("seller_fulfilled", "both", "undetermined"),
        ("seller_fulfilled", "amazon", "undetermined"),
        ("amazon_fulfilled", None, "eligible"),
        ("amazon_fulfilled", "amazon", "eligible"),
        ("amazon_fulfilled", "both", "undetermined"),
        ("amazon_fulfilled", "seller", "undetermined"),
        (None, "both", "eligible"),
    ],
)
def test_the_whole_account_serves_a_fulfillment_segment_unless_both_are_used(
    segment: str | None, fulfillment: str | None, expected: str
) -> None:
    """With the other channel only, the criterion does not apply, and nothing is left to qualify by."""
    facts: dict[str, FactValue] = {} if fulfillment is None else {"fulfillment": fulfillment}
    program = program_of(METRIC, "below", 10_000, segment=segment)
    assert verdict(program, {Slot("some_rate", None, None): Observation(0, 100)}, **facts) == expected


def test_the_own_segment_comes_before_the_window_and_the_window_before_none() -> None:
    """Of four values the closest is read: own segment and window, own segment, whole account and window, the rest."""
    program = program_of(METRIC, "below", 10_000, segment="seller_fulfilled", window=30)
    slots = [
        Slot("some_rate", 30, "seller_fulfilled"),
        Slot("some_rate", None, "seller_fulfilled"),
        Slot("some_rate", 30, None),
        Slot("some_rate", None, None),
    ]
    for first in range(4):
        seen = {slot: Observation(slots.index(slot), 100) for slot in reversed(slots[first:])}
        finding = assess(program, "US", DAY, Account({}, seen)).findings[0]
        assert finding.observed == Observation(first, 100)
    assert verdict(program, {Slot("some_rate", 60, "seller_fulfilled"): Observation(0, 100)}) == "undetermined"


@pytest.mark.parametrize(
    ("subject", "comparison", "value", "good", "bad"),
    [
        (METRIC, "below", 10_000, Observation(0, 100), Observation(1, 100)),
        (METRIC, "at_most", 10_000, Observation(1, 100), Observation(2, 100)),
        (METRIC, "equals", 0, Observation(0, 100), Observation(1, 100)),
        (METRIC, "at_most", 0, Observation(0, 1), Observation(1, 1)),
        (HIGH, "above", 950_000, Observation(96, 100), Observation(95, 100)),
        (HIGH, "at_least", 950_000, Observation(95, 100), Observation(94, 100)),
        (HIGH, "at_least", 1_000_000, Observation(100, 100), Observation(99, 100)),
        (COUNTER, "equals", 0, Observation(0), Observation(1)),
        (COUNTER, "at_most", 3, Observation(3), Observation(4)),
        (COUNTER, "below", 3, Observation(2), Observation(3)),
    ],
)
def test_every_comparison_has_its_good_side(
    subject: Metric, comparison: str, value: int, good: Observation, bad: Observation
) -> None:
    program, slot = program_of(subject, comparison, value), Slot(subject.key, None, None)
    assert verdict(program, {slot: good}) == "eligible"
    assert verdict(program, {slot: bad}) == "not_eligible"


@pytest.mark.parametrize(
    ("comparison", "good", "bad", "room"),
    [
        ("below", 199, 200, 0),
        ("at_most", 200, 201, 0),
        ("at_least", 200, 199, 0),
        ("above", 201, 200, 0),
        ("equals", 200, 201, 0),
    ],
)
def test_an_integer_fact_is_compared_as_it_says(comparison: str, good: int, bad: int, room: int) -> None:
    program = program_of(RATING, comparison, 200)
    assert verdict(program, {}, rating=good) == "eligible"
    assert verdict(program, {}, rating=bad) == "not_eligible"
    finding = assess(program, "US", DAY, Account({"rating": good}, {})).findings[0]
    assert finding.headroom is not None and finding.headroom.count == room
    assert (finding.score, finding.recovery) == (100, None)


def test_a_date_is_a_fact_too() -> None:
    program = program_of(SINCE, "equals", date(2020, 1, 1))
    assert verdict(program, {}, since=date(2020, 1, 1)) == "eligible"
    assert verdict(program, {}, since=date(2020, 1, 2)) == "not_eligible"


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Observation(0, 19), "not_applicable"),
        (Observation(0, 20), "met"),
        (Observation(20, 20), "missed"),
        (Observation.of_rate(0), "met"),
        (Observation(0, 0), "unknown"),
    ],
)
def test_a_minimum_volume_counts_from_its_own_number_on(seen: Observation, outcome: str) -> None:
    """No activity stays unknown; a bare rate tells no volume and is judged."""
    program = program_of(METRIC, "below", 10_000, minimum=20)
    finding = assess(program, "US", DAY, Account({}, {Slot("some_rate", None, None): seen})).findings[0]
    assert finding.outcome == outcome


def test_a_zero_allowance_is_never_recovered_from() -> None:
    program = program_of(METRIC, "at_most", 0)
    finding = assess(program, "US", DAY, Account({}, {Slot("some_rate", None, None): Observation(1, 100)})).findings[0]
    assert (finding.score, finding.recovery) == (0, None)
    assert finding.headroom is not None and finding.headroom.count == -1


@pytest.mark.parametrize(("day", "covered"), [(date(2019, 12, 31), False), (date(2020, 1, 1), True)])
def test_rules_hold_from_their_first_day(day: date, covered: bool) -> None:
    result = assess(program_of(METRIC, "below", 10_000), "US", day, Account())
    assert (result.verdict != Verdict.NOT_COVERED) == covered
    assert assess(program_of(METRIC, "below", 10_000), "UK", day, Account()).verdict == "not_covered"


def test_a_day_on_which_nothing_is_required_is_not_covered() -> None:
    """What only advises decides nothing."""
    program = program_of(METRIC, "below", 10_000)
    criterion = program.criteria[0]
    advisory = replace(criterion.thresholds[0], level=Level.ADVISORY, consequence=None)
    program = replace(program, criteria=(replace(criterion, thresholds=(advisory,)),))
    result = assess(program, "US", DAY, Account({}, {Slot("some_rate", None, None): Observation(0, 100)}))
    assert (result.verdict, result.findings) == ("not_covered", ())
