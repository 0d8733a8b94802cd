"""The form: what is asked of an account, what a person typed, and the API request that it means.

Names of fields are those of a file's columns where there is one (`late_shipment_rate_30d_count`). What was typed is
kept as it is; nothing that is unknown is guessed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from advisor.catalog import Catalog
from advisor.domain.fees import FeeSchedule
from advisor.domain.program import MARKETPLACES, Fact, Level, Metric, Program, rules_in_force
from advisor.errors import Sentence, say
from advisor.messages import CHOICES, LABELS, PLACES, ROW_LABELS, TEXTS, Messages
from advisor.web.pages.entries import UNKNOWN, YES_NO, Entries, Rows, one_of_words

ACCOUNT, NUMBERS, PRICES = "account", "numbers", "prices"
STEPS = (ACCOUNT, NUMBERS, PRICES)
SCENARIOS = DISCOUNTS = (1, 2, 3)
PLAN, FULFILLMENT = "selling_plan", "fulfillment"
ASKED_FIRST = (PLAN, FULFILLMENT)
ACCOUNT_FIELDS = ("marketplace", "program", PLAN, FULFILLMENT)
MONEY_FIELDS = ("established_in", "fixed_monthly_cost")
LINE_AMOUNTS = ("price", "unit_cost", "fulfillment_cost", "shipping", "gift_wrap")
LINE_RATES = ("tax_rate", "refund_rate")
LONGEST_NAME = 60
PRODUCTS = Rows(
    "line", "category", say("Product {number}"), say("Add a product"), say("Remove product {number}"), say("Product")
)
COUNTRIES = ("US", "CA", "UK", "DE", "FR", "IT", "ES", "JP", "IN", "AU", "CN")

EXAMPLE = {
    "marketplace": "US",
    "program": "enterprise-mall",
    PLAN: "professional",
    FULFILLMENT: "seller",
    "order_defect_rate_60d_how": "counts",
    "order_defect_rate_60d_count": "3",
    "order_defect_rate_60d_of": "1200",
    "pre_fulfillment_cancellation_rate_7d_how": "counts",
    "pre_fulfillment_cancellation_rate_7d_count": "1",
    "pre_fulfillment_cancellation_rate_7d_of": "150",
    "late_shipment_rate_30d_how": "counts",
    "late_shipment_rate_30d_count": "4",
    "late_shipment_rate_30d_of": "600",
    "valid_tracking_rate_30d_how": "rate",
    "valid_tracking_rate_30d_rate": "98.1",
    "tracking_on_every_package": "true",
    "established_in": "US",
    "fixed_monthly_cost": "150",
    "line_1_category": "office_products",
    "line_1_price": "40.00",
    "line_1_unit_cost": "22.00",
    "line_1_fulfillment_cost": "4.00",
    "line_1_current_monthly_units": "500",
    "line_1_scenario_1_uplift": "5",
    "line_1_scenario_2_units": "120",
    "line_1_discount_1_quantity": "10",
    "line_1_discount_1_rate": "5",
    "line_1_discount_2_quantity": "50",
    "line_1_discount_2_price": "29.00",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that is asked of an account: a metric over a window, or a fact. `required` decides the verdict.

    `label` is what it is called, and `days` its window where the label does not say it.
    """

    name: str
    subject: Metric | Fact
    label: str
    days: int | None
    window_days: int | None
    segment: str | None
    required: bool

    @property
    def is_fact(self) -> bool:
        """Whether it is declared, not measured."""
        return isinstance(self.subject, Fact)

    @property
    def how(self) -> str:
        """How it is answered unless the person says otherwise: what is not required may well be unknown."""
        return "counts" if self.required else UNKNOWN

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields."""
        if self.is_fact:
            return (self.name,)
        return tuple(f"{self.name}_{part}" for part in ("how", "count", "of", "rate", "rate_sure"))


def ask(program: Program, marketplace: str, day: date, fulfillment: str) -> list[Question]:
    """List what a program asks of an account, in program order; what its fulfillment makes moot is left out."""
    found: dict[str, Question] = {}
    for rule in rules_in_force(program, marketplace, day):
        criterion = rule.criterion
        subject = criterion.subject
        required = rule.threshold.level is Level.REQUIRED
        if isinstance(subject, Fact):
            name, label, window, segment = subject.key, subject.label, None, None
            if name in ASKED_FIRST:
                continue
        else:
            label, window, segment = criterion.label, criterion.window_days, criterion.segment
            name = "_".join([subject.key, *([segment.replace(":", "_")] if segment else [])])
            name += f"_{window}d" if window else ""
            if fulfillment == "amazon" and criterion.channel == "seller":
                continue
        known = found.get(name)
        if known is None or (required and not known.required):
            days = None if criterion.id.endswith(f"-{window}d") else window  # by such an id, the label says it
            found[name] = Question(name, subject, label, days, window, segment, required)
    return list(found.values())


class Form(Entries):
    """A form as somebody filled it in. `read` says what it means, and what is wrong with it."""

    several = (PRODUCTS,)

    def __init__(self, catalog: Catalog, typed: Mapping[str, str], day: date, messages: Messages) -> None:
        super().__init__(typed, messages)
        self.catalog = catalog
        self.day = day
        self.marketplace = one_of_words(self.typed.get("marketplace"), MARKETPLACES, "US")
        self.program = catalog.program(
            one_of_words(self.typed.get("program"), catalog.program_ids, catalog.program_ids[0])
        )
        self.questions = ask(self.program, self.marketplace, day, self.typed.get(FULFILLMENT, ""))
        self.schedule = catalog.schedule(self.marketplace)

    # What is shown

    def options(self, question: Question) -> list[tuple[str, str]]:
        """List the answers to a question of yes and no, or of listed words."""
        words = question.subject.choices if isinstance(question.subject, Fact) else ()
        return [(word, self.messages.text(CHOICES.get(word, word))) for word in (*(words or YES_NO), UNKNOWN)]

    def how(self, question: Question) -> str:
        """Say how a metric is answered: counts, rate or unknown."""
        return self.typed.get(f"{question.name}_how", question.how)

    def is_given(self, question: Question) -> bool:
        """Tell whether something was typed that answers a metric."""
        parts = {"counts": ("count", "of"), "rate": ("rate",)}.get(self.how(question), ())
        return any(self.value(f"{question.name}_{part}").strip() for part in parts)

    @property
    def holds(self) -> bool:
        """Whether any rule of the program holds here today, also one that asks nothing of this account."""
        return bool(rules_in_force(self.program, self.marketplace, self.day))

    @property
    def categories(self) -> list[tuple[str, str]]:
        """List the fee categories that hold on this day, by their names in the reader's language."""
        held = categories_of(self.schedule, self.day, self.messages)
        return [(key, self.messages.text(label)) for key, label in held]

    @property
    def channels(self) -> list[tuple[str, str]]:
        """List the fulfillment channels that are priced here."""
        return [(channel, self.messages.text(CHOICES[channel])) for channel in self.schedule.channels]

    def opens(self, start: str) -> bool:
        """Tell whether something was typed, or is wrong, in fields whose names start so."""
        names = [*(name for name, value in self.typed.items() if value), *self.errors]
        return any(name.startswith(start) for name in names)

    @property
    def lines(self) -> list[int]:
        """Number the products that are shown."""
        return self.numbers(PRODUCTS)

    def step_of(self, name: str) -> str:
        """Say on which page a field is asked."""
        if name in ACCOUNT_FIELDS:
            return ACCOUNT
        return PRICES if name.startswith("line") or name in MONEY_FIELDS else NUMBERS

    def shown(self, steps: tuple[str, ...]) -> set[str]:
        """Name the fields that the pages of these steps show; all others travel hidden."""
        names: set[str] = set()
        if ACCOUNT in steps:
            names.update(ACCOUNT_FIELDS)
        if NUMBERS in steps:
            names.update(name for question in self.questions for name in question.fields)
        if PRICES in steps:
            names.update(MONEY_FIELDS, [PRODUCTS.shown], *(self.line_fields(number) for number in self.lines))
        return names

    def hidden(self, steps: tuple[str, ...]) -> dict[str, str]:
        """Give what was typed on other pages, or for another program, so that nothing is lost."""
        shown = self.shown(steps)
        return {name: value for name, value in self.typed.items() if value and name not in shown}

    @property
    def line_rates(self) -> tuple[str, ...]:
        """Name the rates of a product: a tax rate is asked where prices include the tax."""
        return LINE_RATES if self.schedule.prices_include_tax else LINE_RATES[1:]

    def line_fields(self, number: int) -> list[str]:
        """Name the fields of a product, as they stand on the page."""
        here = f"line_{number}_"
        names = [here + one for one in ("category", *LINE_AMOUNTS[:3], "current_monthly_units", "fulfillment")]
        for row in SCENARIOS:
            names += [f"{here}scenario_{row}_{part}" for part in ("name", "units", "uplift", "uplift_sure")]
        for row in DISCOUNTS:
            names += [f"{here}discount_{row}_{part}" for part in ("quantity", "rate", "rate_sure", "price")]
        names += [here + one for one in (*LINE_AMOUNTS[3:], *self.line_rates)]
        names += [f"{here}{rate}_sure" for rate in self.line_rates]
        return names

    def answered(self, fees_only: bool = False) -> list[tuple[str, str, str]]:
        """List what was answered: the field to change it by, the question, and the answer as it was read."""
        text = self.messages.text
        found = [("marketplace", text(LABELS["marketplace"]), text(PLACES[self.marketplace]))]
        if not fees_only:
            found.append(("program", text(LABELS["program"]), text(self.program.title)))
        found += [
            (name, text(LABELS[name]), text(CHOICES.get(self.value(name), CHOICES[UNKNOWN])))
            for name in (ASKED_FIRST[:1] if fees_only else ASKED_FIRST)
        ]
        return [*found, *([] if fees_only else self._answered_numbers()), *self._answered_prices()]

    def _answered_numbers(self) -> Iterator[tuple[str, str, str]]:
        text, unknown = self.messages.text, self.messages.text(CHOICES[UNKNOWN])
        for question in self.questions:
            name, how = question.name, self.how(question)
            if question.is_fact:
                given = self.value(name)
                yield name, text(question.label), text(CHOICES.get(given, given)) if given else unknown
            else:
                place = f"{name}_rate" if how == "rate" else f"{name}_count"
                yield place, text(question.label), self._seen(name, how) or unknown

    def _answered_prices(self) -> Iterator[tuple[str, str, str]]:
        """List what was typed of prices, product by product; rows of scenarios and discounts as they stand."""
        text, names = self.messages.text, dict(self.categories) | dict(self.channels)
        for number in self.lines:
            here = f"line_{number}_"
            for name in self.line_fields(number):
                given = self.value(name).strip()
                if given and not name.endswith("_sure") and self.value(f"{here}category"):
                    yield name, self._of_line(number, name), self.read_as.get(name, names.get(given, given))
        for name in MONEY_FIELDS:
            if given := self.value(name).strip():
                yield name, text(LABELS[name]), self.read_as.get(name, text(PLACES.get(given, given)))

    def _seen(self, name: str, how: str) -> str | None:
        if how == "rate":
            return self.read_as.get(f"{name}_rate")
        if how == "counts" and (count := self.read_as.get(f"{name}_count")) is not None:
            of = self.read_as.get(f"{name}_of")
            return count if of is None else self.messages.text(TEXTS["of"], {"count": count, "of": of})
        return None

    def _of_line(self, number: int, name: str) -> str:
        """Say what a field of a product is called, and of which product where there are several."""
        part = name.removeprefix(f"line_{number}_")
        kind, _, rest = part.partition("_")
        if kind in ("scenario", "discount"):
            row, _, what = rest.partition("_")
            label = self.messages.text(ROW_LABELS[f"{kind}_{what}"], {"row": row})
        else:
            label = self.messages.text(LABELS[part])
        if len(self.lines) == 1:
            return label
        return self.messages.text(TEXTS["product"], {"number": number, "label": label})

    def played(self) -> dict[str, str]:
        """Name the numbers that a what-if can change, with their labels: those that were given."""
        found: dict[str, str] = {}
        for question in self.questions:
            label, how = self.messages.text(question.label), self.how(question)
            if question.is_fact or not self.is_given(question):
                continue
            if how == "rate":
                found[f"{question.name}_rate"] = self.messages.text(TEXTS["in_percent"], {"label": label})
                continue
            found[f"{question.name}_count"] = label
            if isinstance(question.subject, Metric) and question.subject.kind == "rate":
                found[f"{question.name}_of"] = self.messages.text(TEXTS["in_all"], {"label": label})
        for number in self.lines:
            if self.value(f"line_{number}_price"):
                names = [f"line_{number}_{part}" for part in LINE_AMOUNTS[:3]]
                found |= {name: self._of_line(number, name) for name in names}
        return found

    # What it means

    def read(self, steps: tuple[str, ...] = STEPS) -> dict[str, Any]:
        """Read the fields of these steps into the body of a request for advice; `errors` holds what is wrong."""
        body: dict[str, Any] = {
            "marketplace": self.marketplace,
            "as_of": self.day.isoformat(),
            "programs": [self.program.id],
            "facts": {},
            "metrics": {},
        }
        for name in ASKED_FIRST:
            self._read_fact(self.catalog.vocabulary.facts[name], body)
        if NUMBERS in steps:
            for question in self.questions:
                self._read_question(question, body)
        if PRICES in steps:
            self._read_prices(body)
        return body

    def _read_question(self, question: Question, body: dict[str, Any]) -> None:
        name, subject = question.name, question.subject
        if isinstance(subject, Fact):
            self._read_fact(subject, body)
            return
        how = self.how(question)
        seen: dict[str, Any] = {}
        if how == "rate":
            seen["rate"] = self.percent(f"{name}_rate")
        elif how == "counts" and subject.kind == "rate":
            both = self.pair(f"{name}_count", f"{name}_of")
            seen["count"], seen["of"] = both or (None, None)
        elif how == "counts":
            seen["count"] = self.count(f"{name}_count")
        if not seen or None in seen.values():
            return
        seen |= {"window_days": question.window_days, "segment": question.segment}
        several = body["metrics"].setdefault(subject.key, [])
        pointer = f"/metrics/{subject.key}/{len(several)}"
        self.pointers |= {f"{pointer}/{part}": f"{name}_{part}" for part in ("count", "of", "rate")}
        self.pointers[pointer] = f"{name}_{'rate' if how == 'rate' else 'count'}"
        several.append(seen)

    def _read_fact(self, fact: Fact, body: dict[str, Any]) -> None:
        self.pointers[f"/facts/{fact.key}"] = fact.key
        given: Any = None
        if fact.kind == "integer":
            given = self.count(fact.key)
        elif fact.kind == "date":
            given = self.value(fact.key).strip() or None
        elif (word := self.chosen(fact.key, fact.choices or YES_NO)) is not None:
            given = word if fact.choices else word == "true"
        if given is not None:
            body["facts"][fact.key] = given

    def _read_prices(self, body: dict[str, Any]) -> None:
        if (country := self.chosen("established_in", COUNTRIES)) is not None:
            body["established_in"] = country
        body["fixed_monthly_cost"] = self.amount("fixed_monthly_cost")
        self.pointers["/fixed_monthly_cost"] = "fixed_monthly_cost"
        lines: list[dict[str, Any]] = []
        for number in self.lines:
            names = set(self.line_fields(number)) - {f"line_{number}_fulfillment"}
            if any(self.value(name).strip() for name in names):
                lines.append(self._read_line(f"line_{number}_", f"/lines/{len(lines)}"))
        body["lines"] = lines

    def want_product(self) -> None:
        """Refuse a form without a product: fees alone are asked for."""
        self.refuse("line_1_category", self._choose_category)

    @property
    def _choose_category(self) -> Sentence:
        return _CHOOSE_CATEGORY if self.categories else _NO_CATEGORY

    def _read_line(self, here: str, pointer: str) -> dict[str, Any]:
        line: dict[str, Any] = {}
        line["category"] = self.chosen(f"{here}category", dict(self.categories))
        if line["category"] is None:
            self.refuse(f"{here}category", self._choose_category)
        for name in LINE_AMOUNTS:
            missing = say("Type the price that a buyer pays for one.") if name == "price" else None
            line[name] = self.amount(here + name, missing)
        for name in self.line_rates:
            line[name] = self.percent(here + name, places=6)
        line["current_monthly_units"] = self.count(f"{here}current_monthly_units")
        account = "amazon" if self.value(FULFILLMENT) == "amazon" else None
        line["fulfillment"] = self.chosen(f"{here}fulfillment", self.schedule.channels) or account
        self.pointers |= {f"{pointer}/{name}": here + name for name in line}
        line["scenarios"] = list(self._read_scenarios(here, pointer)) or None
        line["quantity_discounts"] = list(self._read_discounts(here, pointer)) or None
        self.pointers[pointer] = f"{here}category"
        return line

    def _read_scenarios(self, here: str, pointer: str) -> Iterator[dict[str, Any]]:
        count = 0
        for row in SCENARIOS:
            own = f"{here}scenario_{row}_"
            name, units, uplift = (self.value(own + part).strip() for part in ("name", "units", "uplift"))
            if not (name or units or uplift):
                continue
            scenario: dict[str, Any] = {"name": name or self.messages.say(say("Scenario {number}", number=row))}
            if len(name) > LONGEST_NAME:
                self.refuse(f"{own}name", say("Type a name of at most {most} characters.", most=LONGEST_NAME))
            if units and uplift:
                self.refuse(f"{own}uplift", say("Type either the units or the increase, not both."))
            elif uplift:
                scenario["uplift"] = self.percent(f"{own}uplift", most=10_000, places=6)
                if self.value(f"{here}current_monthly_units").strip() == "":
                    self.refuse(
                        f"{here}current_monthly_units",
                        say("Type how many you sell a month now: a scenario is an increase of that."),
                    )
            else:
                missing = say("Type the additional units a month of this scenario, or the increase in percent.")
                scenario["monthly_units"] = self.count(f"{own}units", missing=missing)
            place = f"{pointer}/scenarios/{count}"
            parts = {"monthly_units": "units", "uplift": "uplift", "name": "name"}
            self.pointers |= {f"{place}/{key}": own + part for key, part in parts.items()}
            count += 1
            yield scenario

    def _read_discounts(self, here: str, pointer: str) -> Iterator[dict[str, Any]]:
        count = 0
        for row in DISCOUNTS:
            own = f"{here}discount_{row}_"
            quantity, rate, price = (self.value(own + part).strip() for part in ("quantity", "rate", "price"))
            if not (quantity or rate or price):
                continue
            offer: dict[str, Any] = {}
            offer["min_quantity"] = self.count(f"{own}quantity", missing=say("Type the quantity from which it holds."))
            if rate and price:
                self.refuse(f"{own}price", say("Type either the discount or the price, not both."))
            elif rate:
                offer["discount_rate"] = self.percent(f"{own}rate", places=6)
            else:
                offer["unit_price"] = self.amount(
                    f"{own}price", say("Type the discount in percent, or the price for one.")
                )
            place = f"{pointer}/quantity_discounts/{count}"
            parts = {"min_quantity": "quantity", "discount_rate": "rate", "unit_price": "price"}
            self.pointers |= {f"{place}/{key}": own + part for key, part in parts.items()}
            count += 1
            yield offer

    def look_at(self, steps: tuple[str, ...]) -> None:
        """Tell only of mistakes on the pages of these steps: the others are told where they can be mended."""
        self.errors = {name: words for name, words in self.errors.items() if self.step_of(name) in steps}

    @property
    def first_wrong_step(self) -> str | None:
        """Say on which page the first error is."""
        wrong = {self.step_of(name) for name in self.errors}
        return next((step for step in STEPS if step in wrong), None)

    def in_order(self) -> list[tuple[str, str, str]]:
        """List the errors in the order of the form: field, what it is about, and the error."""
        text = self.messages.text
        about = {name: text(LABELS[name]) for name in ACCOUNT_FIELDS}
        about |= {name: text(one.label) for one in self.questions for name in one.fields}
        about |= {
            name: self._of_line(number, name)
            for number in self.lines
            for name in self.line_fields(number)
            if not name.endswith("_sure")
        }
        about |= {name: text(LABELS[name]) for name in MONEY_FIELDS}
        place = {name: index for index, name in enumerate(about)}
        in_order = sorted(self.errors.items(), key=lambda one: place.get(one[0], len(place)))
        return [(name, about.get(name, ""), words) for name, words in in_order]


_CHOOSE_CATEGORY = say("Choose the fee category of this product.")
_NO_CATEGORY = say(
    "No fees are known in this marketplace, so nothing can be priced. Leave the prices empty, or choose another "
    "marketplace."
)


def categories_of(schedule: FeeSchedule, day: date, messages: Messages) -> list[tuple[str, str]]:
    """List the fee categories that hold on a day, key and label, by their names in the reader's language."""
    held = [
        (one.key, one.label)
        for one in schedule.categories.values()
        if any(version.validity.covers(day) for version in one.versions)
    ]
    return sorted(held, key=lambda one: messages.text(one[1]).lower())
