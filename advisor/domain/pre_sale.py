"""Hold one planned pre-order or back-order against the published rules of its marketplace and day.

Days are counted by date arithmetic. Which days are holidays is for whoever asks to say: none is ever assumed. What a
plan leaves open is unknown, never a pass, and a marketplace without a published rule is not covered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from advisor.domain import formulas
from advisor.domain.assessment import Observation
from advisor.domain.fees import LineEstimate
from advisor.domain.formulas import INTEGERS
from advisor.domain.media import NOT_MEDIA
from advisor.domain.numbers import PPM
from advisor.domain.program import Bar, Level, Outcome, Program, Rule, rules_in_force
from advisor.domain.sources import Source, Validity, in_force

KINDS = ("pre_order", "back_order")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVENTS = ("late", "cancelled")


@dataclass(frozen=True, slots=True)
class Asks:
    """What one block of a rule asks; each rule reads its own part of it.

    `to_ship` says of a horizon that its source speaks of shipping, and not of the day on which that is counted: it is
    judged by the release or restock, and a ship date after it is told.
    """

    least_days: int | None = None
    most_days: int | None = None
    to_ship: bool = False
    channels: tuple[str, ...] = ()
    prime: bool | None = None
    refused: tuple[str, ...] = ()
    closed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A rule as it stands at some marketplaces, for some kinds of pre-sale, on certain days."""

    marketplaces: frozenset[str]
    kinds: frozenset[str]
    validity: Validity
    level: Level
    basis: str
    asks: Asks
    consequence: str | None
    note: str | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PlanRule:
    """One thing that is asked of a planned pre-sale. Without a block it is shown and not judged."""

    id: str
    label: str
    text: str
    blocks: tuple[Block, ...]
    note: str | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Touched:
    """A metric that pre-orders weigh on when they are late or cancelled."""

    metric: str
    event: str
    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class NotPublished:
    """Something said about pre-sales that no published rule has; it is told and never enforced."""

    id: str
    label: str
    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PreSaleRules:
    """What is published about pre-sales. `media` says what a fee category may hold, by marketplace and category."""

    title: str
    summary: str
    rules: tuple[PlanRule, ...]
    media: Mapping[tuple[str, str], tuple[str, ...]]
    touched: tuple[Touched, ...]
    not_published: tuple[NotPublished, ...]

    def of(self, rule: str) -> PlanRule:
        """Give the rule of that id."""
        return next(one for one in self.rules if one.id == rule)


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned pre-sale. `due_on` is the release of a pre-order or the restock of a back-order; None is unknown."""

    marketplace: str
    kind: str
    listed_on: date
    due_on: date
    promised_ship_on: date | None = None
    earliest_delivery_on: date | None = None
    media: str | None = None
    category: str | None = None
    fulfillment: str | None = None
    prime: bool | None = None
    stock_secured: int | None = None
    expected_units: int | None = None
    handling_days: int | None = None
    release_date_published: bool | None = None
    early_delivery_allowed: bool | None = None
    return_policy_stated: bool | None = None
    holidays: frozenset[date] = frozenset()


class PlanFinding(NamedTuple):
    """One rule's result. `observed` is what was read or worked out, `needs` names what would have to be given."""

    rule: PlanRule
    block: Block | None
    outcome: Outcome
    reason: str
    observed: Mapping[str, Any]
    needs: tuple[str, ...] = ()


class Skipped(NamedTuple):
    """A day on which nothing is shipped, and why: weekend or holiday."""

    day: date
    because: str


class Entry(NamedTuple):
    """A day of the plan: what it is, and for a day that was moved, which days were passed over.

    `doubt` names what speaks against it, and `days` by how many days it is off.
    """

    event: str
    day: date
    skipped: tuple[Skipped, ...] = ()
    doubt: str | None = None
    days: int = 0


class Around(NamedTuple):
    """What a plan is judged with beside its rule: the day, what fee categories hold, and the published ship date."""

    as_of: date
    media: Mapping[tuple[str, str], tuple[str, ...]]
    ships_on: date | None


@dataclass(frozen=True, slots=True)
class PlanCheck:
    """What the rules answer about a plan."""

    covered: bool
    findings: tuple[PlanFinding, ...]
    calendar: tuple[Entry, ...]

    @property
    def verdict(self) -> str:
        """Join the required findings: allowed, not_allowed, undetermined, or not_covered."""
        if not self.covered:
            return "not_covered"
        required = {one.outcome for one in self.findings if one.block and one.block.level is Level.REQUIRED}
        if Outcome.MISSED in required:
            return "not_allowed"
        return "undetermined" if Outcome.UNKNOWN in required else "allowed"

    @property
    def missing(self) -> tuple[str, ...]:
        """What would have to be given to answer what is unknown, each once, in the order of the rules."""
        return tuple(dict.fromkeys(name for one in self.findings for name in one.needs))


def check_plan(rules: PreSaleRules, plan: Plan, as_of: date) -> PlanCheck:
    """Judge a plan by the rules of its marketplace and of that day; without a required one it is not covered."""
    standing = {rule.id: _block(rule, plan, as_of) for rule in rules.rules}
    covered = any(block is not None and block.level is Level.REQUIRED for block in standing.values())
    promise = standing.get("promised-ship-date")
    ships_on = None if promise is None else shipping_day(plan.due_on, promise.asks.closed, plan.holidays)[0]
    around = Around(as_of, rules.media, ships_on)
    findings: list[PlanFinding] = []
    for rule in rules.rules if covered else ():
        block = standing[rule.id]
        observed = {name: getattr(plan, name) for name in READS[rule.id]}
        if block is None:
            findings.append(PlanFinding(rule, None, Outcome.NOT_APPLICABLE, "no_published_rule", observed))
            continue
        outcome, reason, more, needs = CHECKS[rule.id](block.asks, plan, around)
        findings.append(PlanFinding(rule, block, outcome, reason, {**observed, **more}, needs))
    return PlanCheck(covered, tuple(findings), _calendar(plan, standing.get("horizon"), promise))


def _block(rule: PlanRule, plan: Plan, as_of: date) -> Block | None:
    blocks = [one for one in rule.blocks if plan.marketplace in one.marketplaces and plan.kind in one.kinds]
    return in_force(blocks, as_of)


Answer = tuple[Outcome, str, dict[str, Any], tuple[str, ...]]


def _met(reason: str, **more: Any) -> Answer:
    return Outcome.MET, reason, more, ()


def _missed(reason: str, **more: Any) -> Answer:
    return Outcome.MISSED, reason, more, ()


def _needs(*names: str) -> Answer:
    return Outcome.UNKNOWN, "not_provided", {}, names


def _check_still_ahead(asks: Asks, plan: Plan, around: Around) -> Answer:
    """Ask for a release or restock after the day of the offer, and after the day of judging."""
    if plan.due_on <= plan.listed_on:
        return _missed("not_after_offer")
    if plan.due_on <= around.as_of:
        return _missed("past_already", as_of=around.as_of)
    return _met("still_ahead")


def _check_horizon(asks: Asks, plan: Plan, around: Around) -> Answer:
    """Count the days to the release or restock; a later ship date is told where the source speaks of shipping."""
    days = (plan.due_on - plan.listed_on).days
    if days <= 0:
        return Outcome.NOT_APPLICABLE, "no_days", {"days": days}, ()
    if asks.least_days is not None and days < asks.least_days:
        return _missed("too_soon", days=days)
    if asks.most_days is not None and days > asks.most_days:
        return _missed("beyond_horizon", days=days)
    ships_on = max((day for day in (around.ships_on, plan.promised_ship_on) if day is not None), default=plan.due_on)
    if over := _days_over(asks, plan, ships_on):
        return _met("ships_beyond_horizon", days=days, ships_on=ships_on, days_over=over)
    return _met("within_horizon", days=days)


def _days_over(asks: Asks, plan: Plan, ships_on: date) -> int:
    """Count the days by which a plan that is due in time ships after a horizon that speaks of shipping."""
    if not asks.to_ship or asks.most_days is None:
        return 0
    latest = plan.listed_on + timedelta(days=asks.most_days)
    return max((ships_on - latest).days, 0) if plan.listed_on < plan.due_on <= latest else 0


def _check_channel(asks: Asks, plan: Plan, around: Around) -> Answer:
    if plan.fulfillment is None:
        return _needs("fulfillment")
    return _met("channel_allowed") if plan.fulfillment in asks.channels else _missed("channel_refused")


def _check_prime(asks: Asks, plan: Plan, around: Around) -> Answer:
    if plan.prime is None:
        return _needs("prime")
    return _met("prime_as_asked") if plan.prime == asks.prime else _missed("prime_refused")


def _check_category(asks: Asks, plan: Plan, around: Around) -> Answer:
    if not asks.refused:
        return Outcome.UNKNOWN, "table_not_in_data", {}, ()
    possible: tuple[str, ...] = ()
    if plan.media is not None:
        possible = (plan.media,)
    elif plan.category is not None:
        possible = around.media.get((plan.marketplace, plan.category), (NOT_MEDIA,))
    if not possible:
        return _needs("media")
    refused = [one for one in possible if one in asks.refused]
    if not refused:
        return _met("media_allowed")
    if len(refused) == len(possible):
        return _missed("media_refused")
    return Outcome.UNKNOWN, "media_open", {"may_be": list(possible)}, ("media",)


def _check_release_date(asks: Asks, plan: Plan, around: Around) -> Answer:
    if plan.release_date_published is None:
        return _needs("release_date_published")
    return _met("release_date_published") if plan.release_date_published else _missed("release_date_not_published")


def _check_stock(asks: Asks, plan: Plan, around: Around) -> Answer:
    if plan.stock_secured is None or plan.expected_units is None:
        names = ("stock_secured", "expected_units")
        return _needs(*(name for name in names if getattr(plan, name) is None))
    short = plan.expected_units - plan.stock_secured
    return _met("stock_covers", short=0) if short <= 0 else _missed("stock_short", short=short)


def _check_promise(asks: Asks, plan: Plan, around: Around) -> Answer:
    ships_on, _ = shipping_day(plan.due_on, asks.closed, plan.holidays)
    if plan.promised_ship_on is None:
        return Outcome.UNKNOWN, "not_provided", {"ships_on": ships_on}, ("promised_ship_on",)
    if plan.promised_ship_on == ships_on:
        return _met("promised_as_published", ships_on=ships_on)
    early = plan.promised_ship_on < ships_on
    return _missed("promised_too_early" if early else "promised_too_late", ships_on=ships_on)


def _check_early_delivery(asks: Asks, plan: Plan, around: Around) -> Answer:
    """Judge by the earliest delivery; what is shipped on or after the release cannot arrive before it."""
    known = plan.earliest_delivery_on or plan.promised_ship_on
    if known is not None and known >= plan.due_on:
        return _met("not_before_release")
    if plan.early_delivery_allowed:
        return _met("allowed_by_rights_holder")
    if plan.earliest_delivery_on is None:
        return _needs("earliest_delivery_on")
    if plan.early_delivery_allowed is None:
        return _needs("early_delivery_allowed")
    return _missed("before_release")


def _check_return_policy(asks: Asks, plan: Plan, around: Around) -> Answer:
    if plan.return_policy_stated is None:
        return _needs("return_policy_stated")
    return _met("return_policy_stated") if plan.return_policy_stated else _missed("return_policy_not_stated")


CHECKS: dict[str, Callable[[Asks, Plan, Around], Answer]] = {
    "still-ahead": _check_still_ahead,
    "horizon": _check_horizon,
    "channel": _check_channel,
    "prime": _check_prime,
    "category": _check_category,
    "release-date": _check_release_date,
    "stock": _check_stock,
    "promised-ship-date": _check_promise,
    "early-delivery": _check_early_delivery,
    "return-policy": _check_return_policy,
}
READS: dict[str, tuple[str, ...]] = {
    "still-ahead": ("listed_on", "due_on"),
    "horizon": ("listed_on", "due_on"),
    "channel": ("fulfillment",),
    "prime": ("prime",),
    "category": ("media", "category"),
    "release-date": ("release_date_published",),
    "stock": ("stock_secured", "expected_units"),
    "promised-ship-date": ("due_on", "promised_ship_on"),
    "early-delivery": ("due_on", "earliest_delivery_on", "early_delivery_allowed"),
    "return-policy": ("return_policy_stated",),
}


def shipping_day(day: date, closed: frozenset[int], holidays: frozenset[date]) -> tuple[date, tuple[Skipped, ...]]:
    """Find the first day from `day` on that is neither a closed weekday (0 is Monday) nor one of the holidays."""
    skipped = []
    while (because := _why_closed(day, closed, holidays)) is not None:
        skipped.append(Skipped(day, because))
        day += timedelta(days=1)
    return day, tuple(skipped)


def days_before(day: date, number: int, closed: frozenset[int], holidays: frozenset[date]) -> date:
    """Go back from `day` over so many days on which something is shipped."""
    while number:
        day -= timedelta(days=1)
        if _why_closed(day, closed, holidays) is None:
            number -= 1
    return day


def _why_closed(day: date, closed: frozenset[int], holidays: frozenset[date]) -> str | None:
    if day.weekday() in closed:
        return "weekend"
    return "holiday" if day in holidays else None


def _calendar(plan: Plan, horizon: Block | None, promise: Block | None) -> tuple[Entry, ...]:
    """List the days of a plan in order. Where no promised date is published, none is worked out."""
    entries = [Entry("listed", plan.listed_on)]
    if horizon is not None and horizon.asks.least_days is not None:
        entries.append(Entry("earliest_date", plan.listed_on + timedelta(days=horizon.asks.least_days)))
    if promise is not None:
        closed = promise.asks.closed
        ships_on, skipped = shipping_day(plan.due_on, closed, plan.holidays)
        if plan.handling_days is not None:
            needed = days_before(ships_on, plan.handling_days, closed, plan.holidays)
            short = (plan.due_on - needed).days if plan.kind == "back_order" else 0
            entries.append(Entry("stock_needed", needed, (), "before_restock" if short > 0 else None, max(short, 0)))
    entries.append(Entry("release" if plan.kind == "pre_order" else "restock", plan.due_on))
    if promise is not None:
        over = 0 if horizon is None else _days_over(horizon.asks, plan, ships_on)
        entries.append(Entry("ships", ships_on, skipped, "beyond_horizon" if over else None, over))
    if horizon is not None and horizon.asks.most_days is not None:
        entries.append(Entry("latest_date", plan.listed_on + timedelta(days=horizon.asks.most_days)))
    return tuple(sorted(entries, key=lambda entry: entry.day))


def margin(estimate: LineEstimate | None) -> tuple[Outcome, str]:
    """Say whether one unit leaves something after fees and costs; a cost that is not given makes it unknown."""
    if estimate is None:
        return Outcome.UNKNOWN, "no_line"
    parts, line = estimate.per_unit, estimate.line
    if parts is None:
        return Outcome.UNKNOWN, "fee_not_covered"
    unknown = line.unit_cost is None or line.fulfillment_cost is None or not parts.decidable
    if parts.contribution is None or unknown:
        return Outcome.UNKNOWN, "contribution_unknown"
    if parts.contribution < 0:
        return Outcome.MISSED, "contribution_negative"
    return Outcome.MET, "contribution_not_negative"


# What late and cancelled pre-orders do to a seller's rates


class After(NamedTuple):
    """A rate once the pre-orders are counted, so many of them late or cancelled."""

    events: int
    seen: Observation
    outcome: Outcome


class Effect(NamedTuple):
    """What pre-orders do to one criterion.

    `most` is the largest number of them that may be late (or cancelled) with the bar still met; None where even none is
    too many, or where it cannot be known. `also_published` holds the same for what other sources print.
    """

    program: Program
    rule: Rule
    touched: Touched
    reason: str
    seen: Observation | None = None
    most: int | None = None
    after: After | None = None
    also_published: tuple[tuple[Bar, int | None], ...] = ()


def effects(
    rules: PreSaleRules,
    programs: Sequence[Program],
    marketplace: str,
    as_of: date,
    seen: Callable[[Rule], Observation | None],
    orders: int | None,
    shares: Mapping[str, int],
    channel: str | None,
) -> tuple[Effect, ...]:
    """Weigh `orders` pre-orders on every criterion that they touch, in the order of programs and criteria.

    `seen` gives what was observed for a rule; `shares` are the shares (ppm) that may be late and cancelled. Each is
    weighed alone, one unit to an order, and all in the window that is counted now.
    """
    found = []
    for program in programs:
        for rule in rules_in_force(program, marketplace, as_of):
            for touched in rules.touched:
                if rule.criterion.subject.key == touched.metric:
                    share = shares.get(touched.event)
                    found.append(_effect(program, rule, touched, seen(rule), orders, share, channel))
    return tuple(found)


def _effect(
    program: Program,
    rule: Rule,
    touched: Touched,
    seen: Observation | None,
    orders: int | None,
    share: int | None,
    channel: str | None,
) -> Effect:
    bar = rule.threshold.bar
    reason = None
    if channel == "amazon" and rule.criterion.channel == "seller":
        reason = "other_fulfillment_channel"
    elif bar.value is None:
        reason = "no_published_threshold"
    elif orders is None:
        reason = "units_not_given"
    elif seen is None or seen.bare or seen.of is None:
        reason = "counts_not_given"
    elif rule.threshold.minimum_volume is not None and seen.of + orders < rule.threshold.minimum_volume:
        reason = "below_minimum_volume"
    if reason is not None or orders is None or seen is None:
        return Effect(program, rule, touched, reason or "counts_not_given", seen)
    most = most_events(bar, seen, orders)
    after = None
    if share is not None:
        events = -(-share * orders // PPM)
        outcome = Outcome.MET if most is not None and events <= most else Outcome.MISSED
        after = After(events, with_orders(bar, seen, orders, events), outcome)
    if most is None:
        reason = "missed_anyway"
    elif most == 0:
        reason = "none_may_be"
    else:
        reason = "all_may_be" if most == orders else "some_may_be"
    also = tuple((other, most_events(other, seen, orders)) for other in rule.threshold.also_published)
    return Effect(program, rule, touched, reason, seen, most, after, also)


def most_events(bar: Bar, seen: Observation, orders: int) -> int | None:
    """Find the largest number of `orders` that may go wrong with the bar still met; None if even none is too many."""
    of = (seen.of or 0) + orders
    allowed = formulas.allowance(bar.comparison or "", bar.number)
    bad = formulas.defects(bar.comparison or "", seen.count, seen.of or 0)
    room: int = formulas.headroom(INTEGERS, allowed, bad, of)
    return None if room < 0 else min(room, orders)


def with_orders(bar: Bar, seen: Observation, orders: int, events: int) -> Observation:
    """Count so many further orders, `events` of them gone wrong, into an observation."""
    high_is_good = bar.comparison in ("above", "at_least")
    return Observation(seen.count + (orders - events if high_is_good else events), (seen.of or 0) + orders)
