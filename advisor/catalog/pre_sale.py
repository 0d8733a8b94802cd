"""Read the rules about pre-sales (data/policies/pre-sale.toml)."""

from collections.abc import Mapping

from advisor.catalog.tables import Table, check_each_once, check_sequence
from advisor.domain.fees import CHANNELS
from advisor.domain.media import MEDIA, NOT_MEDIA
from advisor.domain.pre_sale import (
    CHECKS,
    EVENTS,
    KINDS,
    WEEKDAYS,
    Asks,
    Block,
    NotPublished,
    PlanRule,
    PreSaleRules,
    Touched,
)
from advisor.domain.program import MARKETPLACES, Level, Vocabulary
from advisor.domain.sources import Source

Sources = Mapping[str, Source]
MOST_DAYS = 3653


def read_pre_sale(top: Table, vocabulary: Vocabulary, sources: Sources) -> PreSaleRules:
    """Read data/policies/pre-sale.toml."""
    rules = tuple(_rule(table, sources) for table in top.tables("rule", name_by="id"))
    check_each_once(top, "rule", [rule.id for rule in rules], list(CHECKS))
    media: dict[tuple[str, str], tuple[str, ...]] = {}
    for table in top.tables("media"):
        may_be = table.words("may_be", (*MEDIA, NOT_MEDIA))
        for place in table.words("marketplaces", MARKETPLACES):
            media |= {(place, category): may_be for category in table.words("categories")}
        table.close()
    touched = []
    for table in top.tables("touched"):
        metric = table.choice("metric", [one.key for one in vocabulary.metrics.values() if one.kind == "rate"])
        one = Touched(metric, table.choice("event", EVENTS), table.text("text"), table.sources(sources))
        touched.append(one)
        table.close()
    told = []
    for table in top.tables("not_published", name_by="id"):
        told.append(NotPublished(table.text("id"), table.text("label"), table.text("text"), table.sources(sources)))
        table.close()
    found = PreSaleRules(top.text("title"), top.text("summary"), rules, media, tuple(touched), tuple(told))
    top.close()
    return found


def _rule(table: Table, sources: Sources) -> PlanRule:
    name = table.choice("id", CHECKS)
    blocks = tuple(_block(block, name, sources) for block in table.tables("block"))
    rule = PlanRule(
        id=name,
        label=table.text("label"),
        text=table.text("text"),
        blocks=blocks,
        note=table.text("note") if not blocks else table.text_or_none("note"),
        sources=table.sources(sources) if not blocks or table.has("sources") else (),
    )
    for place in MARKETPLACES:
        for kind in KINDS:
            held = [block for block in blocks if place in block.marketplaces and kind in block.kinds]
            check_sequence(table, f"{kind} in {place}", held)
    table.close()
    return rule


def _block(table: Table, rule: str, sources: Sources) -> Block:
    level, cited = Level(table.choice("level", list(Level))), table.sources(sources)
    asks = _asks(table, rule)
    block = Block(
        marketplaces=frozenset(table.words("marketplaces", MARKETPLACES)),
        kinds=frozenset(table.words("kinds", KINDS)),
        validity=table.validity(),
        level=level,
        basis=table.basis(cited),
        asks=asks,
        consequence=table.text("consequence") if level is Level.REQUIRED else table.text_or_none("consequence"),
        note=table.text_or_none("note"),
        sources=cited,
    )
    if rule == "category" and not asks.refused and level is Level.REQUIRED:
        table.problem("refused", 'found "unknown"; a required rule needs what is published')
    table.close()
    return block


# What a block asks where there is only one thing to ask: written out, so that the file reads without the code.
_PLAIN = {
    "still-ahead": "ahead",
    "release-date": "published",
    "stock": "covered",
    "early-delivery": "after_release",
    "return-policy": "stated",
}


def _asks(table: Table, rule: str) -> Asks:
    match rule:
        case "horizon":
            least = table.integer_or_none("least_days", 0, MOST_DAYS)
            most = table.integer_or_none("most_days", 0, MOST_DAYS)
            if least is None and most is None:
                table.problem("most_days", "this is missing; a horizon has least_days, most_days or both")
            elif least is not None and most is not None and least > most:
                table.problem("least_days", f"found {least}, which is above most_days")
            to_ship = table.flag("to_ship", False)
            if to_ship and most is None:
                table.problem("to_ship", "found true; it belongs to most_days")
            return Asks(least_days=least, most_days=most, to_ship=to_ship)
        case "channel":
            return Asks(channels=table.words("channels", CHANNELS))
        case "prime":
            return Asks(prime=table.flag("prime"))
        case "category":
            if table.values.get("refused") == "unknown":
                table.has("refused")
                return Asks()
            return Asks(refused=table.words("refused", MEDIA))
        case "promised-ship-date":
            closed = table.words("closed", WEEKDAYS)
            if len(closed) >= len(WEEKDAYS):
                table.problem("closed", "found every day of the week; at least one is left to ship on")
            return Asks(closed=frozenset(WEEKDAYS.index(day) for day in closed if day in WEEKDAYS))
    if not table.flag(_PLAIN[rule]):
        table.problem(_PLAIN[rule], "found false; it is true, or the block is left out")
    return Asks()
