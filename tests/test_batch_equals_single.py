"""A row of a file and a request of its own get the same answer, on generated accounts around every limit."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

from advisor.answers.assessments import assessment
from advisor.batch.running import Job, Terms, run_file
from advisor.batch.scoring import Accounts
from advisor.catalog import Catalog
from advisor.domain.assessment import Account, Observation, Slot, assess
from advisor.domain.fees import CHANNELS, PART_NAMES, FeeLine, FeeRule, FeeSchedule, estimate_line
from advisor.domain.numbers import (
    HIGHEST_AMOUNT,
    HIGHEST_COUNT,
    HIGHEST_UNITS,
    PPB,
    PPM,
    format_decimal,
    format_rate,
)
from advisor.domain.program import MARKETPLACES, Fact, FactValue, Metric, Program, Vocabulary, rules_in_force
from advisor.inputs.accounts import slot_of
from advisor.messages import messages_in

# Ibis 12 calls what DuckDB 2 names differently.
DAYS = [date(2026, 11, 22), date(2026, 1, 15), date(2025, 6, 1), date(2024, 12, 1), date(2021, 6, 1)]
SEGMENTS = (None, "seller_fulfilled", "amazon_fulfilled", "business")
TOTALS = (0, 1, 7, 19, 20, 21, 100, 199, 200, 201, 1200, 999_999, HIGHEST_COUNT)
COUNTRIES = (None, "US", "UK", "FR", "IT", "ES", "DE", "CA", "CN")
STANDS_FOR = {"seller": "seller", "seller_prime": "seller", "easy_ship": "seller", "self_ship": "seller"}
STANDS_FOR |= {"amazon": "amazon", "both": "both"}


@dataclass
class Row:
    """One account, as the cells of a file and as what `assess` and `estimate_line` take."""

    place: str
    account: Account
    cells: dict[str, str]
    line: FeeLine | None = None
    channel: str = "seller"
    established_in: str | None = None
    selling_plan: str | None = None


@dataclass
class Column:
    """The columns of one observation: its slot, the start of their names, and which of the two forms there are."""

    metric: Metric
    slot: Slot
    name: str
    rate: bool
    counts: bool
    limits: list[int] = field(default_factory=list)


# Accounts


def columns_of(program: Program, vocabulary: Vocabulary, random: Random, priced: bool, few: bool) -> list[Column]:
    """Choose the columns of a file: every metric the program reads, for its windows and segments and some others."""
    windows: dict[str, set[int | None]] = {}
    segments: dict[str, set[str | None]] = {}
    limits: dict[str, list[int]] = {}
    for criterion in program.criteria:
        if not isinstance(criterion.subject, Metric):
            continue
        for key in (criterion.subject.key, *criterion.subject.components):
            windows.setdefault(key, {None}).add(criterion.window_days)
            segments.setdefault(key, {None}).add(criterion.segment)
            for block in criterion.thresholds:
                bars = (block.bar, *block.also_published)
                limits.setdefault(key, []).extend(bar.value for bar in bars if isinstance(bar.value, int))
    found: dict[Slot, Column] = {}
    for key in windows:
        metric = vocabulary.metrics[key]
        every = [sorted(several[key], key=str) for several in (windows, segments)]  # a set has another order each time
        named = list(product(*every))
        others = [(random.choice((3, 14, 365)), None), (random.choice(sorted(windows[key], key=str)), "business")]
        if metric.seller_fulfilled_only:
            others.append((max(windows[key], key=lambda days: days or 0), "seller_fulfilled"))
        for window, segment in [*named, random.choice(others)]:
            own = window == max(windows[key], key=lambda days: days or 0)
            if not own and random.random() < (0.9 if few else 0.65):
                continue
            stem = "_".join(part for part in (key, segment, window and f"{window}d") if part)
            slot = slot_of(metric, window, segment)
            if slot in found:
                continue
            rate, counts = random.choice([(True, True), (True, True), (True, False), (False, True)])
            if metric.kind == "counter":
                rate, counts = False, True
            elif priced and stem == "refund_rate":
                rate, counts = False, True  # with fee columns, refund_rate is the line's
            if random.random() < 0.3:
                stem = stem.upper()
            found[slot] = Column(metric, slot, stem, rate, counts, sorted(set(limits[key])))
    return list(found.values())


def account_rows(
    program: Program, vocabulary: Vocabulary, columns: Sequence[Column], places: Sequence[str], random: Random
) -> Iterator[Row]:
    """Make accounts without end, the marketplaces in turn; those whose cells are all good are eligible."""
    asked = dict(facts_asked(program))
    while True:
        for place in places:
            cells: dict[str, str] = {}
            observations: dict[Slot, Observation] = {}
            missing, bad = random.choice([(0.0, 0.0), (0.0, 0.04), (0.05, 0.0), (0.3, 0.5), (0.7, 0.5), (1.0, 0.0)])
            shared = random.choice(TOTALS)
            for column in columns:
                if random.random() < missing:
                    if random.random() < 0.1:
                        cells[column.name if column.rate else f"{column.name}_count"] = random.choice(
                            ["N/A", " ", "n/a"]
                        )
                        if not column.rate and column.metric.kind == "rate":
                            cells[f"{column.name}_of"] = "N/A"
                    continue
                seen = observation(column, shared, random.random() < bad, random)
                cells |= observation_cells(column, seen, random)
                observations[column.slot] = seen
            facts: dict[str, FactValue] = {}
            for fact in vocabulary.facts.values():
                value = asked[fact.key] if fact.key in asked and bad == 0.0 else fact_value(fact, random)
                if random.random() >= missing and value is not None:
                    facts[fact.key] = value
                    cells[fact.key] = fact_text(value, random)
            yield Row(place, Account(facts, observations), cells)


def facts_asked(program: Program) -> Iterator[tuple[str, FactValue]]:
    """Say for each fact that a program judges which value is good everywhere."""
    for criterion in program.criteria:
        if isinstance(criterion.subject, Fact):
            subject, bar = criterion.subject, criterion.thresholds[0].bar
            if bar.value is not None:
                yield subject.key, subject.highest if subject.highest is not None else bar.value


def observation(column: Column, shared: int, bad: bool, random: Random) -> Observation:
    """Make a value around a limit; without `bad`, on the good side of all of them."""
    if column.metric.kind == "counter":
        return Observation(random.choice((1, 2, HIGHEST_COUNT)) if bad else 0)
    limit = random.choice(column.limits or [50_000])
    step = random.choice((-1, 0, 1, -1, 0, 1, -1000, 1000))
    if not bad:
        high = column.metric.good == "high"
        limit = max(column.limits or [0]) if high else min(column.limits or [PPM])
        step = random.choice((1, 2, 5000)) if high else -random.choice((1, 2, 5000))
    if column.rate and (not column.counts or random.random() < 0.4):
        ppb = (
            random.choice((0, PPB, random.randrange(PPB + 1))) if bad and random.random() < 0.2 else limit * 1000 + step
        )
        return Observation.of_rate(min(max(ppb, 0), PPB))
    of = shared if random.random() < 0.6 else random.choice((*TOTALS, random.randrange(1, 5000)))
    if not bad:
        of = max(of, 1)
    on = limit * of // PPM
    count = on + (step if abs(step) < 3 or of > PPM else 0)
    if not bad and column.metric.good == "high":
        count = of - random.choice((0, 0, 1)) if of > 100 else of
    elif not bad:
        count = random.choice((0, 0, max(on - 1, 0)))
    elif random.random() < 0.15:
        count = random.choice((0, of, random.randint(0, of)))
    return Observation(min(max(count, 0), of), of)


def observation_cells(column: Column, seen: Observation, random: Random) -> dict[str, str]:
    """Write an observation in one of the ways a file may have it."""
    if seen.bare:
        plain = format_decimal(seen.count, 9)
        short = plain.rstrip("0").rstrip(".")
        percent = format_decimal(seen.count, 7).rstrip("0").rstrip(".")
        ways = [plain, short, f" {short} ", f"{percent}%", f"{percent} %"]
        return {column.name: random.choice(ways)}
    cells = {f"{column.name}_count": random.choice((str(seen.count), f"00{seen.count}"))}
    if seen.of is not None:
        cells[f"{column.name}_of"] = str(seen.of)
    return cells


def fact_value(fact: Fact, random: Random) -> FactValue | None:
    if fact.kind == "boolean":
        return random.choice((True, True, False, None))
    if fact.kind == "choice":
        return random.choice((*fact.choices, fact.choices[0], None))
    if fact.kind == "integer":
        return random.choice((fact.lowest or 0, 99, 100, 101, 199, 200, 201, fact.highest or 1000, None))
    return date(2026, 1, random.randint(1, 31))


def fact_text(value: FactValue, random: Random) -> str:
    if isinstance(value, bool):
        word = random.choice(("true", "yes") if value else ("false", "no"))
        return random.choice((word, word.upper(), word.title()))
    text = str(value)
    return random.choice((text, text.upper(), f"  {text}"))


# Sales


def edges_of(rule: FeeRule, schedule: FeeSchedule) -> list[int]:
    """List the prices at which a fee changes its course."""
    edges = {1, 2, 3000, HIGHEST_AMOUNT}
    for piece in rule.pieces:
        if piece.up_to is not None:
            edges.add(piece.up_to)
        if piece.rate_ppm:
            edges.add((rule.minimum * PPM - piece.constant) // piece.rate_ppm)
            for refund in schedule.refund_administration:
                if refund.cap and refund.share_ppm:
                    cap = refund.cap * PPM * PPM // refund.share_ppm
                    edges.add((cap - piece.constant) // piece.rate_ppm)
    for table in schedule.closing_fee_tables:
        edges |= {band.up_to for bands in table.channels.values() for band in bands if band.up_to}
    return sorted(edge for edge in edges if 0 < edge <= HIGHEST_AMOUNT)


def add_sale(row: Row, schedule: FeeSchedule, category: str, edge: int, random: Random) -> None:
    """Give a row a sale in one category at a price on, just under or just over an edge; some rows have none."""
    decimals = schedule.decimals

    def money(name: str, value: int) -> int:
        text = format_decimal(value, decimals)
        padded = f"0{text}" if value < HIGHEST_AMOUNT else text
        row.cells[name] = random.choice((text, text, padded, f"{text}.00" if not decimals else f"{text}0000"))
        return value

    channels = schedule.channels if schedule.covered else CHANNELS
    channel = random.choice((None, *channels, *channels, "both"))
    row.account = Account(dict(row.account.facts), row.account.observations)
    row.cells.pop("fulfillment", None)
    row.account.facts.pop("fulfillment", None)  # type: ignore[attr-defined]
    if channel is not None:
        row.cells["fulfillment"] = random.choice((channel, channel.upper()))
        if channel in STANDS_FOR:
            row.account.facts["fulfillment"] = STANDS_FOR[channel]  # type: ignore[index]
    row.channel = channel or "seller"
    plan = row.account.facts.get("selling_plan")
    row.selling_plan = plan if isinstance(plan, str) else None
    row.established_in = random.choice(COUNTRIES)
    if row.established_in:
        row.cells["established_in"] = random.choice(
            (row.established_in, row.established_in.lower(), "GB" if row.established_in == "UK" else row.established_in)
        )
    if random.random() < 0.02:
        row.cells["shipping"] = "1"  # without a price it is never looked at
        return
    given: dict[str, Any] = {}
    base = min(max(edge + random.choice((-1, 0, 1, 0)), 1), HIGHEST_AMOUNT)
    if random.random() < 0.4 and base > 600:
        given["shipping"] = money("shipping", random.choice((0, 1, 299, 500)))
        if random.random() < 0.5:
            base -= given["shipping"]
        if random.random() < 0.5:
            given["gift_wrap"] = money("gift_wrap", random.choice((0, 1, 99)))
            base -= given["gift_wrap"]
    elif base == HIGHEST_AMOUNT and random.random() < 0.5:
        given["shipping"] = money("shipping", HIGHEST_AMOUNT)
        given["gift_wrap"] = money("gift_wrap", HIGHEST_AMOUNT)
    if random.random() < 0.6:
        given["unit_cost"] = money("unit_cost", random.choice((0, 1, base // 2, base, HIGHEST_AMOUNT)))
    if random.random() < 0.5:
        given["fulfillment_cost"] = money("fulfillment_cost", random.choice((0, 1, 350)))
    if random.random() < 0.6:
        given["units"] = random.choice((1, 2, 120, HIGHEST_UNITS))
        row.cells["units"] = str(given["units"])
    for name in ("refund_rate", "tax_rate"):
        if random.random() < 0.6:
            ppm = random.choice((0, 1, 20_000, 190_000, 999_999, PPM))
            given[f"{name}_ppm"] = ppm
            percent = format_decimal(ppm, 4)
            row.cells[name] = random.choice((format_rate(ppm) if ppm else "0", format_decimal(ppm, 6), f"{percent}%"))
    if random.random() < 0.6:
        given["business_order"] = random.choice((True, False))
        row.cells["business_order"] = fact_text(given["business_order"], random)
    row.cells["category"] = category
    row.line = FeeLine(category, money("price", base), fulfillment=row.channel, **given)


def sales(catalog: Catalog, places: Sequence[str], day: date, random: Random) -> dict[str, list[tuple[str, int]]]:
    """List every category (and alias) of every marketplace with every edge of its price, in random order."""
    found: dict[str, list[tuple[str, int]]] = {}
    for place in places:
        schedule = catalog.schedule(place)
        found[place] = [
            (key, edge)
            for category in schedule.categories.values()
            for key in (category.key, *category.also_known_as)
            for edge in {
                edge for rule in category.versions if rule.validity.covers(day) for edge in edges_of(rule, schedule)
            }
            or {500}
        ] or [("anything", 500)]
        random.shuffle(found[place])
    return found


# Comparing


def place_text(place: str, random: Random) -> str:
    return random.choice((place, place, place.lower(), "gb" if place == "UK" else f" {place}"))


def scored_rows(
    catalog: Catalog,
    rows: Sequence[Row],
    program: str,
    day: date,
    marketplace: str | None,
    folder: Path,
    random: Random,
) -> list[dict[str, Any]]:
    """Write the rows as a CSV file, score it, and read the results."""
    names = {name.lower(): name for row in rows for name in row.cells}
    header = ["seller_id", *(["marketplace"] if marketplace is None else []), *names.values()]
    random.shuffle(header)
    source, target = folder / "accounts.csv", folder / "scored.ndjson"
    delimiter = random.choice(",;")
    with source.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, header, delimiter=delimiter, restval="", quoting=random.choice((0, 1)))
        writer.writeheader()
        for number, row in enumerate(rows):
            cells = {"seller_id": f"S{number}", **row.cells}
            if marketplace is None:
                cells["marketplace"] = place_text(row.place, random)
            writer.writerow(cells)
    result = run_file(Job(source, "csv", target, "ndjson"), Accounts(catalog, program, Terms(day, marketplace)))
    rejects = target.with_name("scored.ndjson.rejects.csv")
    assert result.rejected == 0, rejects.read_text()[:2000]
    assert (result.rows, result.scored) == (len(rows), len(rows))
    with target.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    assert [one["seller_id"] for one in found] == [f"S{number}" for number in range(len(rows))]
    return found


def expected_answer(catalog: Catalog, program: Program, row: Row, day: date) -> dict[str, Any]:
    """What the API answers for the account of a row, in the columns of a file."""
    result = assess(program, row.place, day, row.account)
    answer = assessment(result, catalog.process, messages_in("en"))
    expected: dict[str, Any] = {"verdict": answer["verdict"], "score": answer["score"]}
    for one in answer["findings"]:
        stem = one["criterion"].replace("-", "_")
        seen, room = one["observed"], one["headroom"]
        observed = None
        if seen is not None and "value" in seen:
            observed = seen["value"]
        elif seen is not None:
            counter = one["metric"] and catalog.vocabulary.metrics[one["metric"]].kind == "counter"
            observed = seen["count"] if counter else seen["rate"]
        expected[f"{stem}_outcome"] = one["outcome"]
        expected[f"{stem}_observed"] = observed
        expected[f"{stem}_headroom"] = None if room is None else room["count"]
    return expected


def expected_sale(schedule: FeeSchedule, row: Row, day: date) -> dict[str, Any]:
    """What the API answers for the sale of a row, times its units."""
    expected: dict[str, Any] = dict.fromkeys(("currency", *PART_NAMES, "fees_complete", "fee_warnings"))
    if row.line is None:
        return expected
    priced = estimate_line(schedule, day, row.line, row.selling_plan, row.established_in)
    expected["currency"] = schedule.currency
    if priced.total is not None:
        for name in PART_NAMES:
            value = getattr(priced.total, name)
            expected[name] = None if value is None else format_decimal(value, schedule.decimals)
    expected["fees_complete"] = priced.complete
    expected["fee_warnings"] = " ".join(priced.warnings) or None
    return expected


def compare(
    catalog: Catalog, program: Program, rows: Sequence[Row], found: Sequence[Mapping[str, Any]], day: date, priced: bool
) -> Counter[str]:
    """Hold every row's results against the single answer; count what was seen."""
    seen: Counter[str] = Counter()
    stems = {criterion.id.replace("-", "_") for criterion in program.criteria}
    for row, one in zip(rows, found, strict=True):
        expected = expected_answer(catalog, program, row, day)
        if priced:
            expected |= expected_sale(catalog.schedule(row.place), row, day)
        got = {name: one[name] for name in expected}
        assert got == expected, f"{row.place} on {day}: {row.cells}"
        extra = {f"{stem}_{part}" for stem in stems for part in ("outcome", "observed", "headroom")} - expected.keys()
        assert all(one.get(name) is None for name in extra), f"{row.place} on {day}: {row.cells}"
        seen[expected["verdict"]] += 1
        seen.update(f"outcome {value}" for name, value in expected.items() if name.endswith("_outcome"))
        if priced:
            seen.update((expected["fee_warnings"] or "no warning").split(" "))
            seen["complete" if expected["fees_complete"] else "incomplete"] += 1
    return seen


def run(
    catalog: Catalog,
    program_id: str,
    day: date,
    marketplace: str | None,
    folder: Path,
    seed: str,
    number: int,
    priced: bool,
    order: Sequence[str] = (),
) -> Counter[str]:
    """Generate a file of so many rows, score it and compare."""
    random = Random(seed)
    program = catalog.program(program_id)
    places = MARKETPLACES if marketplace is None else (marketplace,)
    columns = columns_of(program, catalog.vocabulary, random, priced, few=marketplace is not None or priced)
    stream = account_rows(program, catalog.vocabulary, columns, order or places, random)
    rows = [next(stream) for _ in range(number)]
    if priced:
        left = sales(catalog, places, day, random)
        for row in rows:
            category, edge = left[row.place].pop()
            left[row.place].insert(0, (category, edge))
            add_sale(row, catalog.schedule(row.place), category, edge, random)
    found = scored_rows(catalog, rows, program_id, day, marketplace, folder, random)
    return compare(catalog, program, rows, found, day, priced)


PROGRAMS = (
    "enterprise-mall",
    "account-health-seller-fulfilled",
    "account-health-amazon-fulfilled",
    "business-seller-badge",
    "seller-fulfilled-prime",
    "premium-shipping",
)


def test_every_program_is_compared(catalog: Catalog) -> None:
    assert sorted(catalog.program_ids) == sorted(PROGRAMS)


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("program", PROGRAMS)
def test_accounts_of_every_marketplace_in_one_file(catalog: Catalog, tmp_path: Path, program: str, day: date) -> None:
    seen = run(catalog, program, day, None, tmp_path, f"{day} {program}", 990, priced=False)
    covered = {place for place in MARKETPLACES if rules_in_force(catalog.program(program), place, day)}
    wanted = {"eligible", "not_eligible", "undetermined", "outcome met", "outcome missed", "outcome unknown"}
    assert not covered or wanted <= seen.keys()
    assert (len(covered) < len(MARKETPLACES)) == (seen["not_covered"] > 0)


@pytest.mark.parametrize("number", range(len(MARKETPLACES)), ids=MARKETPLACES)
def test_accounts_of_one_marketplace_named_by_an_option(catalog: Catalog, tmp_path: Path, number: int) -> None:
    place, program, day = MARKETPLACES[number], PROGRAMS[number % len(PROGRAMS)], DAYS[number % len(DAYS)]
    run(catalog, program, day, place, tmp_path, f"{place} {program}", 400, priced=number % 3 == 2)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_sales_of_every_category_and_edge(catalog: Catalog, tmp_path: Path, day: date) -> None:
    every = [place for place, several in sales(catalog, MARKETPLACES, day, Random(0)).items() for _ in several]
    seen = run(catalog, PROGRAMS[2], day, None, tmp_path, f"sales {day}", len(every), priced=True, order=every)
    if day == DAYS[0]:
        assert seen["complete"] > 400
        assert {
            "not_covered",
            "closing_fee_unknown",
            "closing_fee_depends_on_channel",
            "selling_plan_unknown",
            "per_item_fee_unknown",
            "established_in_unknown",
            "refund_administration_fee_unknown",
            "tax_not_deducted",
            "fulfillment_fee_not_included",
            "business_order_rule_unknown",
            "digital_services_fee_on_fulfillment_not_included",
        } <= seen.keys()


def test_accounts_and_sales_together(catalog: Catalog, tmp_path: Path) -> None:
    run(catalog, PROGRAMS[0], DAYS[0], None, tmp_path, "together", 990, priced=True)


@pytest.fixture(autouse=True)
def no_profitable_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files do not have them, and they take longer to find than everything else."""
    monkeypatch.setattr("advisor.domain.fees.profitable_ranges", lambda *_: None)
