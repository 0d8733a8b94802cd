"""Show fee estimates and fee schedules as tables: the parts of a sale, what is left, and the rule behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from advisor.catalog import Catalog
from advisor.cli.terminal import bullet, citations, cite, heading, item, print_table, scope, table, text
from advisor.domain.numbers import parse_decimal
from advisor.messages import Messages

Answer = Mapping[str, Any]

PARTS = {
    "total_sales_price": "Total sales price",
    "sales_tax": "Sales tax within it",
    "referral_fee": "Referral fee",
    "closing_fee": "Closing fee",
    "per_item_fee": "Fee per item",
    "digital_services_fee": "Digital services fee",
    "refund_administration_fee": "Refund administration fee",
    "total_fees": "Total fees",
    "tax_on_fees": "Tax on fees",
    "net_proceeds": "Net proceeds",
    "contribution": "Contribution",
}
SUMS = ("total_fees", "net_proceeds", "contribution")
START_KINDS = {"documented": "documented", "observed": "seen in force by then", "unknown": "its start is not published"}


def show(to: Console, answer: Answer, catalog: Catalog, messages: Messages) -> None:
    """Print the answer to a fee estimate request."""
    categories = catalog.schedule(answer["marketplace"]).categories
    sources: list[Answer] = []
    for number, line in enumerate(answer["lines"]):
        if number:
            to.print()
        known = categories.get(line["category"])
        name = f"{messages.text(known.label)} ({line['category']})" if known else line["category"]
        ref = f"{line['ref']}: " if line["ref"] else ""
        to.print(text(f"{ref}{name}, {scope(answer, messages)}", "bold"))
        _show_line(to, line, messages, sources)
    totals = answer["totals"]
    if len(answer["lines"]) > 1 and totals["total_sales_price"] is not None:
        heading(to, "All of it, a month")
        _show_parts(to, {"total": totals}, totals["complete"], totals["currency"], messages)
    if totals["subscription"] is not None:
        to.print()
        to.print(text(f"The selling plan costs {totals['subscription']} {totals['currency']} a month on top."))
    if sources:
        citations(to, sources)


def _show_line(to: Console, line: Answer, messages: Messages, sources: list[Answer]) -> None:
    if line["per_unit"] is not None:
        columns = {"per unit": line["per_unit"]}
        if line["units"] > 1:
            columns[f"{line['units']} units"] = line["total"]
        _show_parts(to, columns, line["complete"], line["currency"], messages)
    if line["tiers"]:
        heading(to, "Referral fee")
        for tier in line["tiers"]:
            until = f"to {tier['to']}" if tier["to"] else "on"
            rate = _percent(tier["rate"], messages)
            bullet(to, f"from {tier['from']} {until}: {rate} of {tier['base']} is {tier['fee']}")
        if line["minimum_applied"]:
            bullet(to, f"The minimum, {line['rule']['minimum']}, is more than that and is charged instead.")
    if line["per_unit"] is not None:
        heading(to, "Prices that leave a profit")
        for sentence in _ranges(line["profitable_ranges"], line["currency"]):
            bullet(to, sentence)
    if line["warnings"]:
        heading(to, "Warnings")
    for warning in line["warnings"]:
        item(to, "!", warning["detail"])
    if line["rule"] is not None:
        heading(to, "The rule")
        for sentence in _rule(line["rule"], sources):
            bullet(to, sentence)


def _show_parts(to: Console, columns: Mapping[str, Answer], complete: bool, currency: str, messages: Messages) -> None:
    """Print the parts of a sale, one column each for one unit and for all of them."""
    names = [f"{currency} {name}" for name in columns]
    made = table("", *names, right=names)
    for key, label in PARTS.items():
        known = label if complete or key != "total_fees" else "Total of the known fees"
        style = "bold" if key in SUMS else ""
        cells = ["unknown" if parts[key] is None else parts[key] for parts in columns.values()]
        made.add_row(text(known, style), *(text(cell, style) for cell in cells))
    shares = [parts["effective_rate"] for parts in columns.values()]
    made.add_row("Fees as a share of sales", *("unknown" if one is None else _percent(one, messages) for one in shares))
    print_table(to, made)


def _percent(rate: str, messages: Messages) -> str:
    return messages.percent(parse_decimal(rate, 6) or 0)


def _ranges(ranges: Sequence[Answer] | None, currency: str) -> list[str]:
    if ranges is None:
        return ["Not known: that needs the unit cost and every fee."]
    if not ranges:
        return ["None: at no price does the contribution reach 0."]
    return [
        f"{one['from']} to {one['to']} {currency}" if one["to"] else f"{one['from']} {currency} or more"
        for one in ranges
    ]


def _rule(rule: Answer, sources: list[Answer]) -> list[str]:
    """Say which rule was applied, with its dates, and note its sources."""
    numbers = cite(rule["sources"], sources)
    minimum = f"minimum {_or_none(rule['minimum'])}"
    until = f" until {rule['effective_to']}" if rule["effective_to"] else ""
    basis = rule["basis"].replace("_", " ")
    start = f"{rule['effective_from']} ({START_KINDS[rule['effective_from_kind']]})"
    sentences = [
        f"{rule['schedule']} fee schedule: {rule['shape']}, taken of the {basis}, {minimum}. {numbers}",
        f"In force from {start}{until}; verified on {rule['verified_on']}; confidence {rule['confidence']}.",
    ]
    return [*sentences, rule["note"]] if rule["note"] else sentences


def show_schedule(to: Console, answer: Answer, messages: Messages) -> None:
    """Print the categories of a fee schedule with their rates."""
    to.print(text(f"Referral fees, {scope(answer, messages)}, in {answer['currency']}", "bold"))
    if not answer["covered"]:
        to.print(text(f"No fee rule holds in {answer['marketplace']} on {answer['as_of']}. {answer['note']}"))
        return
    rows = [
        (
            category["category"] + (f" ({', '.join(rule['fulfillment'])})" if len(category["rules"]) > 1 else ""),
            _rates(rule, messages),
            _or_none(rule["minimum"]),
            _closing_fee(rule["closing_fee"]),
        )
        for category in answer["categories"]
        for rule in category["rules"]
    ]
    if max(len(key) for key, *_ in rows) > to.width // 2:
        # A key that is broken over lines cannot be copied.
        for key, rates, minimum, closing_fee in rows:
            to.print(text(key), soft_wrap=True)
            item(to, " ", f"{rates}; minimum {minimum}; closing fee {closing_fee}")
        return
    made = table("Category", "Rate", "Minimum", "Closing fee", right=("Minimum", "Closing fee"))
    for row in rows:
        made.add_row(*(text(cell) for cell in row))
    print_table(to, made)


def _or_none(amount: str | None) -> str:
    """Write an amount; nothing at all is “none”."""
    return "none" if amount is None or set(amount) <= {"0", "."} else amount


def _closing_fee(fee: str | None) -> str:
    if fee is None:
        return "unknown"
    return "by price and channel" if fee == "table" else _or_none(fee)


def _rates(rule: Answer, messages: Messages) -> str:
    """Write a rule's tiers: bands take the whole price, slices only their part of it."""

    def tiers(several: Sequence[Answer], of: str) -> list[str]:
        ends = [f"up to {one['to']}" if one["to"] else "above" for one in several]
        return [f"{_percent(one['rate'], messages)} {of} {end}" for one, end in zip(several, ends, strict=True)]

    if rule["shape"] == "flat":
        return _percent((rule["slices"] or rule["bands"])[0]["rate"], messages)
    return ", ".join([*tiers(rule["bands"], "of all"), *tiers(rule["slices"], "of the part")])
