"""Read fee schedules into domain objects."""

from collections.abc import Mapping, Sequence

from advisor.catalog.tables import Table, check_sequence
from advisor.domain.fees import (
    CHANNELS,
    BusinessOrders,
    Category,
    ClosingBand,
    ClosingFeeTable,
    DigitalServices,
    FeeRule,
    FeeSchedule,
    Plan,
    RefundAdministration,
    Remark,
    Tier,
    pieces_of,
)
from advisor.domain.program import MARKETPLACES
from advisor.domain.sources import Source

Sources = Mapping[str, Source]

HIGHEST_REFUND_CAP = 9_000_000  # minor units: refund_cost() stays inside 64 bits up to here


def read_schedule(top: Table, name: str, sources: Sources) -> FeeSchedule:
    """Read one file of data/fees."""
    marketplace = top.choice("marketplace", MARKETPLACES)
    if marketplace.lower() != name:
        top.problem("marketplace", f"found {marketplace!r}; the file's own name says {name.upper()!r}")
    covered = top.flag("covered")
    decimals = top.integer("decimals", 0, 3)
    tables = _closing_fee_tables(top, decimals, sources) if covered else ()
    categories = _categories(top, decimals, tables, sources) if covered else {}
    schedule = FeeSchedule(
        marketplace=marketplace,
        currency=top.text("currency"),
        decimals=decimals,
        covered=covered,
        prices_include_tax=top.flag("prices_include_tax") if covered else False,
        note=top.text("note"),
        categories=categories,
        plans=_plans(top, decimals, sources),
        refund_administration=_refunds(top, decimals, sources),
        digital_services=_digital_services(top, sources),
        business_orders=_business_orders(top, sources),
        closing_fee_tables=tables,
        tax_on_fees_ppm=_tax_on_fees(top, sources),
        remarks=_remarks(top, sources),
        sources=() if covered else top.sources(sources),
    )
    if covered and not categories:
        top.problem("category", "a covered marketplace has at least one [[category]]")
    top.close()
    return schedule


def _categories(top: Table, decimals: int, closing: Sequence[ClosingFeeTable], sources: Sources) -> dict[str, Category]:
    found: dict[str, Category] = {}
    names: set[str] = set()
    banded = _banded(closing)
    for table in top.tables("category", name_by="key"):
        versions = [_version(one, decimals, sources) for one in table.tables("version")]
        category = Category(
            key=table.text("key"),
            label=table.text("label"),
            also_known_as=table.words("also_known_as", default=()),
            closing_groups=_closing_groups(table, banded),
            versions=tuple(versions),
        )
        for channel in CHANNELS:
            check_sequence(table, channel, [one for one in versions if channel in one.channels])
        if not versions:
            table.problem("version", "this category has no [[category.version]]; give it at least one")
        for one in (category.key, *category.also_known_as):
            if one in names:
                table.problem("key", f"found {one!r}, which another category uses already")
            names.add(one)
        if not closing and any(one.closing_fee == "table" for one in versions):
            table.problem("version", 'closing_fee = "table" needs a [[closing_fee_table]] in this file')
        found[category.key] = category
        table.close()
    return found


def _banded(closing: Sequence[ClosingFeeTable]) -> list[list[Mapping[str, int]]]:
    """List the groups of every table and channel by the place of their band among the grouped bands."""
    rows = [[band.groups for band in bands if band.groups] for one in closing for bands in one.channels.values()]
    places = max(map(len, rows), default=0)
    return [[row[place] for row in rows if place < len(row)] for place in range(places)]


def _closing_groups(table: Table, banded: Sequence[Sequence[Mapping[str, int]]]) -> tuple[str | None, ...]:
    if not banded:
        return ()
    names = table.values.get("closing_groups")
    table.has("closing_groups")
    if not isinstance(names, list) or len(names) != len(banded):
        table.problem("closing_groups", f"found {names!r}; it lists one group for each of {len(banded)} grouped bands")
        return (None,) * len(banded)
    for name, several in zip(names, banded, strict=True):
        for groups in several:
            if name != "unknown" and name not in list(groups):
                table.problem("closing_groups", f'found {name!r}; allowed are {", ".join(groups)} and "unknown"')
    return tuple(None if name == "unknown" else str(name) for name in names)


def _version(table: Table, decimals: int, sources: Sources) -> FeeRule:
    shape = table.choice("shape", ("flat", "graduated", "volume", "mixed"))
    bands = _tiers(table, "bands", decimals) if shape in ("volume", "mixed") else ()
    slices = _tiers(table, "slices", decimals) if shape in ("graduated", "mixed") else ()
    if shape == "flat":
        bands = (Tier(None, table.percent("rate")),)
    _check_tiers(table, shape, bands, slices)
    usable = bool(bands or slices) and not table.problems
    cited = table.sources(sources)
    closing: int | str | None = 0
    if table.has("closing_fee"):
        closing = (
            "table" if table.values["closing_fee"] == "table" else table.amount_or_unknown("closing_fee", decimals)
        )
    rule = FeeRule(
        validity=table.validity(),
        verified_on=table.day("verified_on"),
        channels=frozenset(table.words("channels", CHANNELS, CHANNELS)),
        basis=table.choice("basis", ("total_sales_price", "item_price")),
        shape=shape,
        bands=bands,
        slices=slices,
        pieces=pieces_of(bands, slices) if usable else (),
        minimum=table.amount("minimum", decimals) if table.has("minimum") else 0,
        closing_fee=closing,
        confidence=table.confidence(cited),
        sources=cited,
        note=table.text_or_none("note"),
    )
    table.close()
    return rule


def _tiers(table: Table, key: str, decimals: int) -> tuple[Tier, ...]:
    tiers = []
    for one in table.tables(key):
        edge: int | None = None
        if one.has("up_to"):
            edge = one.amount("up_to", decimals)
        # A slice ends at an amount, whether a price that ends there belongs to it or not.
        if key == "bands" and one.has("below"):
            if edge is not None:
                one.problem("below", "a band ends with up_to or below, not both")
            edge = one.amount("below", decimals) - 1
        tiers.append(Tier(edge, one.percent("rate")))
        one.close()
    if not tiers:
        table.problem(key, "this lists at least one tier")
    return tuple(tiers)


def _check_tiers(table: Table, shape: str, bands: Sequence[Tier], slices: Sequence[Tier]) -> None:
    """Note tiers that no price reaches, and the missing open end."""
    for key, tiers in (("bands", bands), ("slices", slices)):
        reached = 0
        for tier in tiers:
            if tier.up_to is not None and tier.up_to <= reached:
                table.problem(key, f"no price reaches the tier up to {tier.up_to} (minor units); edges must rise")
            reached = max(reached, tier.up_to or 0)
        for tier in tiers[:-1]:
            if tier.up_to is None:
                table.problem(key, "only the last tier has no upper edge; no price reaches the ones after it")
        open_end = not (shape == "mixed" and key == "bands")
        if tiers and (tiers[-1].up_to is None) != open_end:
            table.problem(key, f"the last tier has {'no' if open_end else 'an'} upper edge here")


def _dated(top: Table, key: str, sources: Sources) -> list[tuple[Table, tuple[Source, ...]]]:
    return [(table, table.sources(sources)) for table in top.tables(key)]


def _plans(top: Table, decimals: int, sources: Sources) -> tuple[Plan, ...]:
    plans = []
    for table, cited in _dated(top, "plan", sources):
        plans.append(
            Plan(
                selling_plan=table.choice("selling_plan", ("professional", "individual")),
                validity=table.validity(),
                monthly=table.amount_or_unknown("monthly", decimals),
                per_item=table.amount_or_unknown("per_item", decimals),
                confidence=table.confidence(cited),
                sources=cited,
            )
        )
        table.text_or_none("note")
        table.close()
    for name in ("professional", "individual"):
        check_sequence(top, f"plan {name}", [plan for plan in plans if plan.selling_plan == name])
    return tuple(plans)


def _refunds(top: Table, decimals: int, sources: Sources) -> tuple[RefundAdministration, ...]:
    refunds = []
    for table, cited in _dated(top, "refund_administration", sources):
        cap = table.amount_or_unknown("cap", decimals)
        if cap is not None and cap > HIGHEST_REFUND_CAP:
            table.problem("cap", f"found {cap} minor units; at most {HIGHEST_REFUND_CAP} can be computed")
        validity, share = table.validity(), table.percent("share")
        refunds.append(RefundAdministration(validity, share, cap, table.confidence(cited), cited))
        table.text_or_none("note")
        table.close()
    check_sequence(top, "refund_administration", refunds)
    return tuple(refunds)


def _digital_services(top: Table, sources: Sources) -> tuple[DigitalServices, ...]:
    blocks = []
    for table, cited in _dated(top, "digital_services", sources):
        unknown = table.has("rates")
        if unknown:
            table.choice("rates", ("unknown",))
        blocks.append(
            DigitalServices(
                validity=table.validity(),
                others_ppm=None if unknown else table.percent("others"),
                home_ppm={} if unknown or not table.has("home") else table.percents("home"),
                on_fulfillment=table.flag("on_fulfillment", default=False),
                note=table.text_or_none("note"),
                confidence=table.confidence(cited),
                sources=cited,
            )
        )
        table.close()
    check_sequence(top, "digital_services", blocks)
    return tuple(blocks)


def _business_orders(top: Table, sources: Sources) -> tuple[BusinessOrders, ...]:
    blocks = []
    for table, cited in _dated(top, "business_orders", sources):
        rule = table.choice("rule", ("standard", "unknown"))
        blocks.append(BusinessOrders(table.validity(), rule, table.text("text"), table.confidence(cited), cited))
        table.close()
    check_sequence(top, "business_orders", blocks)
    return tuple(blocks)


def _closing_fee_tables(top: Table, decimals: int, sources: Sources) -> tuple[ClosingFeeTable, ...]:
    found = []
    for table, cited in _dated(top, "closing_fee_table", sources):
        channels = {
            channel: tuple(_closing_band(one, decimals) for one in table.tables(channel))
            for channel in CHANNELS
            if table.has(channel)
        }
        for channel, bands in channels.items():
            edges = [band.up_to for band in bands]
            if edges[-1:] != [None] or None in edges[:-1] or edges[:-1] != sorted(set(edges[:-1])):  # type: ignore[type-var]
                table.problem(channel, "band edges rise, and the last band has none")
        found.append(ClosingFeeTable(table.validity(), channels, table.confidence(cited), cited))
        table.text_or_none("note")
        table.close()
    check_sequence(top, "closing_fee_table", found)
    return tuple(found)


def _closing_band(table: Table, decimals: int) -> ClosingBand:
    up_to = table.amount("up_to", decimals) if table.has("up_to") else None
    groups: dict[str, int] = {}
    if table.has("groups"):
        inner = table.table("groups")
        groups = {name: inner.amount(name, decimals) for name in inner.values}
    fee = None if groups else table.amount("fee", decimals)
    table.close()
    return ClosingBand(up_to, fee, groups)


def _tax_on_fees(top: Table, sources: Sources) -> int:
    if not top.has("tax_on_fees"):
        return 0
    table = top.table("tax_on_fees")
    table.sources(sources)
    table.text_or_none("note")
    rate = table.percent("rate")
    table.close()
    return rate


def _remarks(top: Table, sources: Sources) -> tuple[Remark, ...]:
    remarks = []
    for table in top.tables("fact"):
        remarks.append(Remark(table.text("text"), table.sources(sources)))
        table.close()
    return tuple(remarks)
