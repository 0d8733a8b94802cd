"""What the API answers, for its OpenAPI document. The answers themselves are made in `advisor.answers`."""

from marshmallow import Schema, fields

from advisor.batch import FORMATS
from advisor.domain.fees import CHANNELS
from advisor.domain.program import MARKETPLACES
from advisor.domain.sources import BASES
from advisor.domain.trend import Direction
from advisor.inputs.values import Value, Word
from advisor.inputs.webhooks import EVENTS
from advisor.messages import (
    ADVICE_REASONS,
    DELIVERY_FAILURES,
    ERROR_CODES,
    REASONS,
    STAGE_SHOWS,
    TREND_REASONS,
    WARNINGS,
)

ASSESSMENT_EXAMPLE = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "programs": ["enterprise-mall"],
    "seller": {"id": "A1EXAMPLE", "name": "Example Tools"},
    "facts": {"selling_plan": "professional", "fulfillment": "seller", "tracking_on_every_package": True},
    "metrics": {
        "order_defect_rate": {"count": 3, "of": 1200},
        "pre_fulfillment_cancellation_rate": {"count": 1, "of": 150, "window_days": 7},
        "late_shipment_rate": {"count": 4, "of": 600, "window_days": 30},
        "valid_tracking_rate": {"rate": "0.981"},
    },
}
BATCH_EXAMPLE = {"items": [ASSESSMENT_EXAMPLE], "compact": True}
FEE_ESTIMATE_EXAMPLE = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "selling_plan": "professional",
    "established_in": "US",
    "lines": [
        {
            "ref": "sku-1",
            "category": "jewelry",
            "price": "300.00",
            "units": 10,
            "unit_cost": "180.00",
            "fulfillment_cost": "9.50",
        }
    ],
}
ADVICE_EXAMPLE = {
    **ASSESSMENT_EXAMPLE,
    "fixed_monthly_cost": "150.00",
    "lines": [
        {
            "category": "office_products",
            "price": "40.00",
            "unit_cost": "22.00",
            "fulfillment_cost": "4.00",
            "current_monthly_units": 500,
            "scenarios": [{"name": "low", "uplift": "0.05"}, {"name": "high", "monthly_units": 120}],
            "quantity_discounts": [{"min_quantity": 10, "discount_rate": "0.05"}],
        }
    ],
}

SELLER_EXAMPLE = {
    "marketplace": "US",
    "name": "Example Tools",
    "groups": ["north"],
    "programs": ["enterprise-mall"],
    "facts": {"selling_plan": "professional", "fulfillment": "seller"},
}
SNAPSHOT_EXAMPLE = {"as_of": "2026-11-22", "metrics": ASSESSMENT_EXAMPLE["metrics"]}
ACCOUNTS_EXAMPLE = "seller_id,marketplace,order_defect_rate_count,order_defect_rate_of\nA1EXAMPLE,US,3,1200\n"


class Decimal(Value):
    """Money or a rate as decimal text; negative where something is missed or lost."""

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "format": "decimal", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}


class Day(Value):
    """A date."""

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "format": "date"}


class Anything(Value):
    """A value whose type depends on the fact it is of."""


def string() -> fields.String:
    return fields.String(required=True)


def string_or_null() -> fields.String:
    return fields.String(required=True, allow_none=True)


def number() -> fields.Integer:
    return fields.Integer(required=True, strict=True)


def number_or_null() -> fields.Integer:
    return fields.Integer(required=True, strict=True, allow_none=True)


def flag() -> fields.Boolean:
    return fields.Boolean(required=True)


class DecimalOrNull(Decimal):
    """A decimal that is always there and may be null."""

    def __init__(self) -> None:
        super().__init__(required=True)
        self.allow_none = True


class DayOrNull(Day):
    """A date that is always there and may be null."""

    def __init__(self) -> None:
        super().__init__(required=True)
        self.allow_none = True


class WordOrNull(Word):
    """One of listed words that is always there and may be null."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        super().__init__(choices, required=True)
        self.allow_none = True


def many(schema: type[Schema]) -> "fields.List[object]":
    return fields.List(fields.Nested(schema), required=True)


def names_or_null() -> "fields.List[str]":
    return fields.List(fields.String(), required=True, allow_none=True)


def one(schema: type[Schema]) -> fields.Nested:
    return fields.Nested(schema, required=True)


def one_or_null(schema: type[Schema]) -> fields.Nested:
    return fields.Nested(schema, required=True, allow_none=True)


class Code(Value):
    """One of a closed list of codes; its description says what each means."""

    def __init__(self, sentences: dict[str, str]) -> None:
        super().__init__(required=True)
        self.sentences = sentences

    def json_schema(self) -> dict[str, object]:
        meanings = "".join(f"- `{code}`: {sentence}\n" for code, sentence in self.sentences.items())
        return {"type": "string", "enum": list(self.sentences), "description": meanings}


class ProblemEntry(Schema):
    """One wrong value: where (JSON pointer; ?name for a query parameter), a stable code, and what to do."""

    pointer = string()
    code = Code(ERROR_CODES)
    detail = string()


class Problem(Schema):
    """Why a request was not answered (RFC 9457)."""

    type = string()
    title = string()
    status = number()
    detail = string()
    instance = string()
    errors = many(ProblemEntry)
    request_id = string_or_null()


class Source(Schema):
    """Where a number was published, and when it was read."""

    url = string_or_null()
    title = string()
    publisher = string()
    trust = Word(("official", "staff", "reporting", "opinion"), required=True)
    published_on = DayOrNull()
    read_on = Day(required=True)


class Dated(Schema):
    """From when to when it holds, and how well that is known."""

    effective_from = Day(required=True)
    effective_from_kind = Word(("documented", "observed", "unknown"), required=True)
    effective_to = DayOrNull()
    effective_to_kind = string_or_null()


class Cited(Dated):
    """Dated, with how sure it is and where it was published."""

    confidence = Word(("high", "medium", "low"), required=True)
    sources = many(Source)


class Bounds(Schema):
    lowest = Decimal(required=True)
    highest = Decimal(required=True)


class Observed(Schema):
    """What was read of a metric or fact.

    Counts and rate of a metric (rate null for a counter), bounds where only components are known, or a fact's value.
    """

    count = fields.Integer(allow_none=True)
    of = fields.Integer(allow_none=True)
    rate = Decimal()
    between = fields.Nested(Bounds)
    value = Anything()


class Headroom(Schema):
    """The further defects that still meet the bar, and the same as a rate; negative when missed."""

    count = number_or_null()
    rate = DecimalOrNull()


class Recovery(Schema):
    """The fewest clean further orders (or packages, ...) after which the bar is met."""

    clean = number()
    unit = string()


OUTCOME = ("met", "missed", "unknown", "not_applicable")


class AlsoPublished(Schema):
    """What another source prints, and what it would answer."""

    threshold = Anything(required=True)
    comparison = string_or_null()
    outcome = Word(OUTCOME, required=True)
    note = string_or_null()
    sources = many(Source)


class Remedy(Schema):
    text = string()
    why = string()
    sources = many(Source)


class OtherEnds(Schema):
    """A band as another source prints it."""

    lowest = fields.Integer(required=True, strict=True, data_key="from")
    to = number()
    note = string_or_null()
    sources = many(Source)


class BandEnds(Schema):
    """A stretch of a fact's values, both ends included."""

    band = string()
    label = string()
    lowest = fields.Integer(required=True, strict=True, data_key="from")
    to = number()
    color = Word(("red", "yellow", "green"), required=True)


class Band(BandEnds):
    """A band, and what follows in it."""

    consequence = string()
    basis = Word(BASES, required=True)
    note = string_or_null()
    also_published = many(OtherEnds)
    sources = many(Source)


class NextBand(Schema):
    """A neighbouring band, and how many points lead there."""

    band = string()
    label = string()
    points = number()


class FindingBand(Band):
    """The band that an observed value lies in, with the next better and the next worse one, and all of its scale."""

    better = one_or_null(NextBand)
    worse = one_or_null(NextBand)
    scale = many(BandEnds)
    message = string()


class Finding(Dated):
    """One criterion's result."""

    criterion = string()
    metric = string_or_null()
    fact = string_or_null()
    window_days = number_or_null()
    segment = string_or_null()
    level = Word(("required", "advisory"), required=True)
    basis = Word(BASES, required=True)
    comparison = string_or_null()
    threshold = Anything(required=True)
    observed = one_or_null(Observed)
    outcome = Word(OUTCOME, required=True)
    reason = Code(REASONS)
    headroom = one_or_null(Headroom)
    recovery = one_or_null(Recovery)
    band = one_or_null(FindingBand)
    also_published = many(AlsoPublished)
    message = string()
    consequence = string_or_null()
    note = string_or_null()
    stage = string()
    remedies = many(Remedy)
    sources = many(Source)


class Missing(Schema):
    """An unknown required metric, or fact."""

    metric = fields.String()
    window_days = fields.Integer(allow_none=True)
    segment = fields.String(allow_none=True)
    fact = fields.String()


class Slot(Schema):
    """An observation that no criterion read."""

    metric = string()
    window_days = number_or_null()
    segment = string_or_null()


class NextStep(Schema):
    criterion = string()
    stage = string()
    text = string()


class StageRemedy(Schema):
    """What to do about misses of one stage, and how soon it shows.

    `shows_after_days` is the longest window of the `criteria` it helps with: by then everything that is counted now has
    left it. Null where no window is published, or where it is declared.
    """

    text = string()
    why = string()
    criteria = fields.List(fields.String(), required=True)
    shows = Code(STAGE_SHOWS)
    shows_after_days = number_or_null()
    shows_text = string()
    sources = many(Source)


class StageConsequence(Schema):
    """What a rule publishes for whoever misses it, with its doubts."""

    criterion = string()
    level = Word(("required", "advisory"), required=True)
    text = string()
    doubts = string_or_null()
    sources = many(Source)


class Teller(Schema):
    """A fact, or a criterion on a metric, that answers an item; `criterion` is null where no criterion reads it."""

    metric = string_or_null()
    fact = string_or_null()
    criterion = string_or_null()
    outcome = Word(OUTCOME, required=True)


class AnsweredItem(Schema):
    """Something that has to be in place, answered for the account. It is never met unless something proves it.

    `unknown` without `reads` means that nothing an account gives can tell; with them, that it was not given, or that
    being met does not prove it.
    """

    id = string()
    text = string()
    outcome = Word(OUTCOME, required=True)
    reads = many(Teller)


class StageStanding(Schema):
    """How one stage of the business process stands: outcomes counted, what to do in order of effect, what follows.

    Remedies that help with more required misses come first, then those that help with more misses, then those that are
    most effective by themselves.
    """

    stage = string()
    label = string()
    missed = number()
    not_known = fields.Integer(required=True, data_key="unknown")  # a schema has an `unknown` of its own
    met = number()
    not_applicable = number()
    remedies = many(StageRemedy)
    consequences = many(StageConsequence)
    checklist = many(AnsweredItem)


class Consequence(Schema):
    """What follows if nothing is done. `published` is false where only others say so, or nobody who could know."""

    id = string()
    label = string()
    text = string()
    published = flag()
    doubts = string_or_null()
    sources = many(Source)


VERDICT = ("eligible", "not_eligible", "undetermined", "not_covered")


class Assessment(Schema):
    """One program's verdict, and how it came about.

    `if_nothing_is_done` is null unless a required criterion is missed; it is in the order in which things come.
    """

    program = string()
    verdict = Word(VERDICT, required=True)
    score = number_or_null()
    findings = many(Finding)
    missing = many(Missing)
    next_steps = many(NextStep)
    unused = many(Slot)
    stages = many(StageStanding)
    if_nothing_is_done = fields.List(fields.Nested(Consequence), required=True, allow_none=True)


class AssessmentAnswer(Schema):
    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    assessments = many(Assessment)


class ShortAssessment(Schema):
    program = string()
    verdict = Word(VERDICT, required=True)
    score = number_or_null()
    missed = fields.List(fields.String())
    missing = many(Missing)


class AnyAssessmentAnswer(Schema):
    """In full, or (compact) with the missed criteria only."""

    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    assessments = fields.List(fields.Dict(), required=True)


class AssessmentBatchItem(Schema):
    """The item's result, or its problem."""

    index = number()
    result = fields.Nested(AnyAssessmentAnswer)
    problem = fields.Nested(Problem)


class AssessmentBatchAnswer(Schema):
    items = many(AssessmentBatchItem)


class ProgramSummary(Schema):
    program = string()
    title = string()
    summary = string()
    marketplaces = fields.List(fields.String(), required=True)
    criteria = fields.List(fields.String(), required=True)


class ProgramList(Schema):
    programs = many(ProgramSummary)


class Published(Schema):
    threshold = Anything(required=True)
    comparison = string_or_null()
    note = string_or_null()
    sources = many(Source)


class Threshold(Dated):
    marketplaces = fields.List(fields.String(), required=True)
    level = Word(("required", "advisory"), required=True)
    basis = Word(BASES, required=True)
    comparison = string_or_null()
    threshold = Anything(required=True)
    minimum_volume = number_or_null()
    consequence = string_or_null()
    note = string_or_null()
    also_published = many(Published)
    sources = many(Source)


class Reads(Schema):
    """The metric or fact that a criterion reads."""

    kind = string()
    label = string()
    choices = fields.List(fields.String())
    counts = fields.String()
    of = fields.String(allow_none=True)
    unit = fields.String()
    good = fields.String()
    components = fields.List(fields.String())
    seller_fulfilled_only = fields.Boolean()
    sources = fields.List(fields.Nested(Source))


class Criterion(Schema):
    criterion = string()
    label = string()
    metric = string_or_null()
    fact = string_or_null()
    window_days = number_or_null()
    segment = string_or_null()
    stage = string()
    reads = one(Reads)
    thresholds = many(Threshold)


class Note(Schema):
    marketplaces = fields.List(fields.String(), required=True)
    text = string()
    sources = many(Source)


class Scale(Dated):
    """The bands of a fact's values, from the worst to the best."""

    fact = string()
    marketplaces = fields.List(fields.String(), required=True)
    bands = many(Band)


class Program(Schema):
    program = string()
    title = string()
    summary = string()
    marketplace = string_or_null()
    as_of = Day(required=True)
    covered = fields.List(fields.String(), required=True)
    criteria = many(Criterion)
    scales = many(Scale)
    notes = many(Note)


class FeeScheduleSummary(Schema):
    marketplace = Word(MARKETPLACES, required=True)
    currency = string()
    covered = flag()
    categories = number()
    note = string()


class FeeScheduleList(Schema):
    fee_schedules = many(FeeScheduleSummary)


class Tier(Schema):
    to = DecimalOrNull()
    rate = Decimal(required=True)


class FeeRule(Cited):
    fulfillment = fields.List(Word(CHANNELS, required=True), required=True)
    basis = string()
    shape = Word(("flat", "graduated", "volume", "mixed"), required=True)
    bands = many(Tier)
    slices = many(Tier)
    minimum = Decimal(required=True)
    closing_fee = string_or_null()
    note = string_or_null()
    verified_on = Day(required=True)


class FeeCategory(Schema):
    category = string()
    label = string()
    also_known_as = fields.List(fields.String(), required=True)
    closing_groups = fields.List(fields.String(allow_none=True), required=True)
    rules = many(FeeRule)


class SellingPlan(Cited):
    selling_plan = string()
    monthly = DecimalOrNull()
    per_item = DecimalOrNull()


class Refund(Cited):
    share = Decimal(required=True)
    cap = DecimalOrNull()


class DigitalServices(Cited):
    others = DecimalOrNull()
    home = fields.Dict(required=True)
    on_fulfillment = flag()
    note = string_or_null()


class BusinessOrders(Cited):
    rule = string()
    text = string()


class ClosingBand(Schema):
    to = DecimalOrNull()
    fee = DecimalOrNull()
    groups = fields.Dict(required=True, allow_none=True)


class ClosingFeeTable(Cited):
    channels = fields.Dict(keys=fields.String(), values=fields.List(fields.Nested(ClosingBand)), required=True)


class Remark(Schema):
    text = string()
    sources = many(Source)


class FeeSchedule(Schema):
    marketplace = Word(MARKETPLACES, required=True)
    currency = string()
    as_of = Day(required=True)
    covered = flag()
    prices_include_tax = flag()
    fulfillment = fields.List(fields.String(), required=True)
    note = string()
    selling_plans = many(SellingPlan)
    refund_administration = one_or_null(Refund)
    digital_services = one_or_null(DigitalServices)
    business_orders = one_or_null(BusinessOrders)
    closing_fee_table = one_or_null(ClosingFeeTable)
    tax_on_fees = DecimalOrNull()
    categories = many(FeeCategory)
    facts = many(Remark)
    sources = many(Source)


class Fees(Schema):
    """The fees of a sale; null where nobody publishes one. total_fees is the sum of the known ones."""

    sales_tax = DecimalOrNull()
    referral_fee = DecimalOrNull()
    closing_fee = DecimalOrNull()
    per_item_fee = DecimalOrNull()
    digital_services_fee = DecimalOrNull()
    refund_administration_fee = DecimalOrNull()
    total_fees = DecimalOrNull()
    tax_on_fees = DecimalOrNull()
    net_proceeds = DecimalOrNull()
    contribution = DecimalOrNull()


class Parts(Fees):
    """A sale and its fees."""

    total_sales_price = DecimalOrNull()
    effective_rate = DecimalOrNull()


class Totals(Parts):
    currency = string()
    complete = flag()
    subscription = DecimalOrNull()


class TierShare(Schema):
    """The part of a price that fell into one tier."""

    start = Decimal(required=True, data_key="from")
    to = DecimalOrNull()
    rate = Decimal(required=True)
    base = Decimal(required=True)
    fee = Decimal(required=True)


class AppliedRule(Cited):
    schedule = string()
    shape = string()
    basis = string()
    minimum = Decimal(required=True)
    verified_on = Day(required=True)
    note = string_or_null()


class PriceRange(Schema):
    """Prices at which the contribution is not negative, both ends included; to null: however high."""

    start = Decimal(required=True, data_key="from")
    to = DecimalOrNull()


class Warn(Schema):
    code = Code(WARNINGS)
    detail = string()


class LineEstimate(Schema):
    ref = string_or_null()
    category = string()
    currency = string()
    per_unit = one_or_null(Parts)
    units = number()
    total = one_or_null(Parts)
    complete = flag()
    minimum_applied = flag()
    tiers = many(TierShare)
    rule = one_or_null(AppliedRule)
    profitable_ranges = fields.List(fields.Nested(PriceRange), required=True, allow_none=True)
    warnings = many(Warn)


class FeeEstimateAnswer(Schema):
    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    currency = string()
    lines = many(LineEstimate)
    totals = one(Totals)


class ScenarioFees(Fees):
    name = string()
    b2b_units = number()
    b2b_revenue = Decimal(required=True)
    take_rate = DecimalOrNull()


class ScenarioResult(ScenarioFees):
    break_even_units = number_or_null()


class ScenarioTotal(ScenarioFees):
    contribution_after_fixed_cost = DecimalOrNull()


class DiscountResult(Schema):
    min_quantity = number()
    unit_price = Decimal(required=True)
    referral_fee = DecimalOrNull()
    net_proceeds = DecimalOrNull()
    contribution = DecimalOrNull()
    worth_it = fields.Boolean(required=True, allow_none=True)


class LineAdvice(Schema):
    ref = string_or_null()
    category = string()
    per_unit = one_or_null(Parts)
    complete = flag()
    scenarios = many(ScenarioResult)
    quantity_discounts = many(DiscountResult)
    profitable_ranges = fields.List(fields.Nested(PriceRange), required=True, allow_none=True)
    warnings = many(Warn)


class Reason(Schema):
    code = Code(ADVICE_REASONS)
    text = string()


class Recommendation(Schema):
    action = Word(("fix_first", "need_more_information", "join", "not_worth_it"), required=True)
    reasons = many(Reason)


class JointAssessment(AssessmentAnswer):
    """The assessments, and the verdict over all programs asked: the worst one counts."""

    verdict = Word(VERDICT, required=True)


class AdviceAnswer(Schema):
    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    currency = string()
    assessment = one(JointAssessment)
    fixed_monthly_cost = Decimal(required=True)
    lines = many(LineAdvice)
    totals = many(ScenarioTotal)
    recommendation = one(Recommendation)


class Previous(Schema):
    """The verdict before the present one."""

    verdict = Word(VERDICT, required=True)
    score = number_or_null()


class Standing(Schema):
    """Where a seller stands with a program: its newest assessment, and the tightest required criterion."""

    program = string()
    verdict = Word(VERDICT, required=True)
    score = number_or_null()
    tightest = string_or_null()
    as_of = Day(required=True)
    assessment = string()
    previous = one_or_null(Previous)


class Instant(Value):
    """A time in UTC."""

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "format": "date-time"}


class InstantOrNull(Instant):
    """A time that is always there and may be null."""

    def __init__(self) -> None:
        super().__init__(required=True)
        self.allow_none = True


class KeptSeller(Schema):
    """An account that is kept."""

    id = string()
    marketplace = Word(MARKETPLACES, required=True)
    name = string_or_null()
    groups = fields.List(fields.String(), required=True)
    programs = fields.List(fields.String(), required=True)
    facts = fields.Dict(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    standings = many(Standing)


class SellerPage(Schema):
    """A page of sellers; `next` is null on the last."""

    items = many(KeptSeller)
    next = string_or_null()


class KeptAssessment(Assessment):
    """An assessment with the id it is kept under."""

    id = string()


class JudgedSnapshot(Schema):
    """A snapshot, and how it was judged."""

    id = string()
    seller = string()
    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    created_at = Instant(required=True)
    assessments = many(KeptAssessment)


class KeptSnapshot(Schema):
    """A snapshot as it was sent, and the ids of its assessments."""

    id = string()
    seller = string()
    as_of = Day(required=True)
    created_at = Instant(required=True)
    numbers = fields.Dict(required=True)
    assessments = fields.List(fields.String(), required=True)


class Judged(Schema):
    """An assessment in short. `rules` names the rule data that judged it."""

    id = string()
    snapshot = string()
    program = string()
    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    verdict = Word(VERDICT, required=True)
    score = number_or_null()
    tightest = string_or_null()
    rules = string()
    created_at = Instant(required=True)


class JudgedInFull(Judged):
    """An assessment in full."""

    assessment = one(Assessment)


class JudgedPage(Schema):
    """A page of assessments; `next` is null on the last."""

    items = many(Judged)
    next = string_or_null()


class BatchProblem(Schema):
    """Why a batch failed."""

    code = Word(tuple(ERROR_CODES), required=True)
    detail = string()
    errors = many(ProblemEntry)


class KeptBatch(Schema):
    """A file of accounts that is, or was, scored. `results` and `rejects` are there once it is done.

    `passed_through` names the columns that mean nothing here, `unused` those that the program does not read; both are
    null until the file was read.
    """

    id = string()
    state = Word(("queued", "running", "done", "failed"), required=True)
    format = Word(FORMATS, required=True)
    program = string()
    marketplace = string_or_null()
    as_of = Day(required=True)
    set = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    size = number()
    digest = string()
    rows = number_or_null()
    rows_done = number()
    scored = number()
    rejected = number()
    passed_through = names_or_null()
    unused = names_or_null()
    created_at = Instant(required=True)
    started_at = InstantOrNull()
    finished_at = InstantOrNull()
    problem = one_or_null(BatchProblem)
    results = string_or_null()
    rejects = string_or_null()


class BatchPage(Schema):
    """A page of batches; `next` is null on the last."""

    items = many(KeptBatch)
    next = string_or_null()


class TrendPoint(Schema):
    """A value on a day, and how it was judged then."""

    as_of = Day(required=True)
    observed = one_or_null(Observed)
    outcome = Word(OUTCOME, required=True)
    threshold = Anything(required=True)


class TrendOfCriterion(Schema):
    """A criterion over time. `crosses_on` is the first day on which the line is on the other side of the bar."""

    criterion = string()
    metric = string()
    window_days = number_or_null()
    segment = string_or_null()
    level = string()
    comparison = string_or_null()
    threshold = Anything(required=True)
    points = many(TrendPoint)
    direction = WordOrNull(tuple(Direction))
    crosses_on = DayOrNull()
    reason = Code(TREND_REASONS)
    points_used = number()
    span_days = number()
    message = string()


class Trends(Schema):
    """A seller's metrics over time, and how they are read."""

    seller = string()
    program = string()
    method = string()
    criteria = many(TrendOfCriterion)


WEBHOOK_ENDPOINT_EXAMPLE = {
    "url": "https://hooks.example.com/advisor",
    "description": "The weekly review",
    "events": ["seller.verdict_changed"],
}
DELIVERY_STATES = ("pending", "delivered", "failed")


class KeptEndpoint(Schema):
    """Where events are sent; `disabled` says why nothing is sent there any more."""

    id = string()
    url = string()
    description = string_or_null()
    events = fields.List(Word(EVENTS, required=True), required=True)
    secret_version = number()
    old_secret_until = InstantOrNull()
    disabled = string_or_null()
    created_at = Instant(required=True)


class EndpointWithSecret(KeptEndpoint):
    """An endpoint with the secret that signs its events, which is shown only now."""

    secret = string()


class EndpointList(Schema):
    """The endpoints of a workspace, all of them: `next` is null."""

    items = many(KeptEndpoint)
    next = string_or_null()


class DeliveryFailure(Schema):
    """Why the last attempt did not succeed."""

    code = Code(DELIVERY_FAILURES)
    detail = string()


class Delivery(Schema):
    """One event for one endpoint. `event_id` is its webhook-id; `status` is what the receiver answered last."""

    id = string()
    endpoint = string()
    event = Word((*EVENTS, "webhook.test"), required=True)
    event_id = string()
    state = Word(DELIVERY_STATES, required=True)
    attempts = number()
    status = number_or_null()
    failure = one_or_null(DeliveryFailure)
    next_attempt_at = InstantOrNull()
    created_at = Instant(required=True)
    finished_at = InstantOrNull()


class DeliveryInFull(Delivery):
    """A delivery with what is sent."""

    payload = fields.Dict(required=True)


class DeliveryPage(Schema):
    """A page of deliveries; `next` is null on the last."""

    items = many(Delivery)
    next = string_or_null()
