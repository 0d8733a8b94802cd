"""Read metrics, facts, programs, stages and the cited B2B share into domain objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from advisor.catalog.tables import Table, check_sequence, check_unique
from advisor.domain.advice import CitedShare
from advisor.domain.program import (
    MARKETPLACES,
    Band,
    Bar,
    Criterion,
    Fact,
    FactValue,
    Level,
    Metric,
    Note,
    OtherEnds,
    Program,
    Scale,
    Threshold,
    Vocabulary,
)
from advisor.domain.readiness import Check, Teller
from advisor.domain.sources import Source

STAGES = ("registration", "listing", "order-processing", "logistics", "after-sales")
SEGMENTS = ("seller_fulfilled", "amazon_fulfilled", "business")
COMPARISONS = ("below", "at_most", "at_least", "above", "equals")
COLORS = ("red", "yellow", "green")

Sources = Mapping[str, Source]


@dataclass(frozen=True, slots=True, eq=False)
class Remedy:
    """What to do about a missed metric or fact, and why it works. English texts are message ids of the catalog."""

    text: str
    why: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A stage of the business process."""

    id: str
    label: str
    summary: str


@dataclass(frozen=True, slots=True, eq=False)
class Consequence:
    """What follows for accounts that miss these programs' bars and do nothing; not `published`, where others say so."""

    id: str
    label: str
    text: str
    published: bool
    programs: tuple[str, ...]
    note: str | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """The business process: its stages in order, and the remedies by metric or fact key, most effective first.

    `order` has every remedy once, as the file has them. `follows` is in the order in which things come. `declared` are
    the facts that answer something of the checklist.
    """

    stages: tuple[Stage, ...]
    remedies: Mapping[str, tuple[Remedy, ...]]
    order: tuple[Remedy, ...]
    checklist: tuple[Check, ...]
    follows: tuple[Consequence, ...]
    declared: tuple[str, ...]


def read_sources(top: Table) -> dict[str, Source]:
    """Read one file of data/sources."""
    found = {}
    for key, table in top.named_tables().items():
        found[key] = Source(
            key=key,
            title=table.text("title"),
            url=table.text_or_none("url"),
            publisher=table.text("publisher"),
            trust=table.choice("trust", ("official", "staff", "reporting", "opinion")),
            published_on=table.day("published_on") if table.has("published_on") else None,
            read_on=table.day("read_on"),
        )
        url = found[key].url
        if url is not None and not url.startswith(("https://", "http://")):
            table.problem("url", f"found {url!r}; an address starts with https://, or the key is left out")
        table.close()
    top.close()
    return found


def read_vocabulary(top: Table, sources: Sources) -> Vocabulary:
    """Read data/metrics.toml."""
    metrics = {key: _metric(key, table, sources) for key, table in top.named_tables("metric").items()}
    facts = {key: _fact(key, table, sources) for key, table in top.named_tables("fact").items()}
    for metric in metrics.values():
        for part in metric.components:
            if part not in metrics or metrics[part].kind != "rate":
                top.problem(f"metric.{metric.key}.components", f"found {part!r}, which is no metric of kind rate")
    top.close()
    return Vocabulary(metrics, facts)


def _metric(key: str, table: Table, sources: Sources) -> Metric:
    kind = table.choice("kind", ("rate", "counter"))
    metric = Metric(
        key=key,
        label=table.text("label"),
        kind=kind,
        counts=table.text("counts"),
        of=table.text("of") if kind == "rate" else None,
        unit=table.text("unit"),
        good=table.choice("good", ("low", "high")),
        scope=table.choice("scope", ("account", "seller_fulfilled")),
        components=table.words("components", default=()),
        stage=table.choice("stage", STAGES),
        note=table.text_or_none("note"),
        sources=table.sources(sources),
    )
    table.close()
    return metric


def _fact(key: str, table: Table, sources: Sources) -> Fact:
    kind = table.choice("kind", ("choice", "boolean", "integer", "date"))
    fact = Fact(
        key=key,
        label=table.text("label"),
        kind=kind,
        choices=table.words("choices") if kind == "choice" else (),
        lowest=table.integer("lowest", 0, 10**9) if kind == "integer" else None,
        highest=table.integer("highest", 0, 10**9) if kind == "integer" else None,
        stage=table.choice("stage", STAGES),
        sources=table.sources(sources),
    )
    table.text_or_none("note")
    table.close()
    return fact


def read_program(top: Table, name: str, vocabulary: Vocabulary, sources: Sources) -> Program:
    """Read one file of data/programs."""
    if top.text("program") != name:
        top.problem("program", f"found {top.text('program')!r}; it is the file's own name, {name!r}")
    criteria = [_criterion(table, vocabulary, sources) for table in top.tables("criterion", name_by="id")]
    scales = [_scale(table, vocabulary, sources) for table in top.tables("scale")]
    notes = []
    for table in top.tables("note"):
        note = Note(frozenset(table.words("marketplaces", MARKETPLACES)), table.text("text"), table.sources(sources))
        notes.append(note)
        table.close()
    check_unique(top, "criterion", [criterion.id for criterion in criteria])
    _check_scales(top, criteria, scales)
    channel = top.choice("channel", ("seller", "amazon")) if top.has("channel") else None
    program = Program(
        name, top.text("title"), top.text("summary"), channel, tuple(criteria), tuple(notes), tuple(scales)
    )
    top.close()
    return program


def _criterion(table: Table, vocabulary: Vocabulary, sources: Sources) -> Criterion:
    of_fact = table.has("fact")
    subject = table.named("fact", vocabulary.facts) if of_fact else table.named("metric", vocabulary.metrics)
    thresholds = [_threshold(block, subject, sources) for block in table.tables("threshold")]
    criterion = Criterion(
        id=table.text("id"),
        label=table.text("label"),
        subject=subject,
        window_days=table.integer_or_none("window_days", 1, 366),
        segment=table.choice("segment", SEGMENTS) if table.has("segment") else None,
        thresholds=tuple(thresholds),
    )
    for place in MARKETPLACES:
        check_sequence(table, place, [block for block in thresholds if place in block.marketplaces])
    if not thresholds:
        table.problem("threshold", "this criterion has no [[criterion.threshold]]; give it at least one")
    table.close()
    return criterion


def _threshold(table: Table, subject: Metric | Fact, sources: Sources) -> Threshold:
    level = Level(table.choice("level", list(Level)))
    also = []
    for block in table.tables("also_published"):
        also.append(_bar(block, subject, sources))
        if also[-1].value is None:
            block.problem("value", 'found "unknown"; what else is published is a figure')
        block.close()
    bar = _bar(table, subject, sources)
    threshold = Threshold(
        marketplaces=frozenset(table.words("marketplaces", MARKETPLACES)),
        validity=table.validity(),
        level=level,
        basis=table.basis(bar.sources),
        bar=bar,
        minimum_volume=table.integer_or_none("minimum_volume", 1, 10**9),
        consequence=table.text("consequence") if level is Level.REQUIRED else table.text_or_none("consequence"),
        also_published=tuple(also),
    )
    if level is Level.REQUIRED and threshold.bar.value is None:
        table.problem("value", 'found "unknown"; a required criterion needs a published figure')
    table.close()
    return threshold


def _bar(table: Table, subject: Metric | Fact, sources: Sources) -> Bar:
    cited, note = table.sources(sources), table.text_or_none("note")
    if table.values.get("value") == "unknown":
        table.has("value")
        return Bar(None, None, cited, note)
    comparison = table.choice("comparison", COMPARISONS)
    value: FactValue
    if isinstance(subject, Metric):
        if (subject.good == "high") != (comparison in ("above", "at_least")):
            table.problem("comparison", f"found {comparison!r}, but of {subject.key} {subject.good} values are good")
        value = table.percent("value") if subject.kind == "rate" else table.integer("value", 0, 1000)
        if comparison == "equals" and value != 0:
            table.problem("value", f"found {table.values.get('value')!r}; equals is for zero, otherwise it is at_most")
    elif subject.kind == "integer":
        value = table.integer("value", subject.lowest or 0, subject.highest or 0)
    elif comparison != "equals":
        table.problem("comparison", f"found {comparison!r}; a {subject.kind} is compared with equals")
        value = False
    elif subject.kind == "boolean":
        value = table.flag("value")
    elif subject.kind == "choice":
        value = table.choice("value", subject.choices)
    else:
        value = table.day("value")
    return Bar(comparison, value, cited, note)


def _scale(table: Table, vocabulary: Vocabulary, sources: Sources) -> Scale:
    facts = {key: fact for key, fact in vocabulary.facts.items() if fact.kind == "integer"}
    fact = table.named("fact", facts)
    marketplaces = frozenset(table.words("marketplaces", MARKETPLACES))
    bands = tuple(_band(each, fact, sources) for each in table.tables("band", name_by="key"))
    check_unique(table, "band", [band.key for band in bands], "key")
    lowest, highest = fact.lowest or 0, fact.highest or 0
    due = lowest
    for band in bands:
        if band.lowest != due:
            wrong = "overlaps the band before it" if band.lowest < due else "leaves a gap before it"
            table.problem(f"band[{band.key}].from", f"found {band.lowest}, which {wrong}; this band starts at {due}")
        due = band.highest + 1
    if due != highest + 1:
        found = f"they end at {due - 1}" if bands else "there is none"
        table.problem("band", f"{found}; the bands of {fact.key} go from {lowest} to {highest}, the worst first")
    scale = Scale(fact, marketplaces, table.validity(), bands)
    table.close()
    return scale


def _band(table: Table, fact: Fact, sources: Sources) -> Band:
    def ends(of: Table) -> tuple[int, int]:
        first, last = (of.integer(key, fact.lowest or 0, fact.highest or 0) for key in ("from", "to"))
        if last < first:
            of.problem("to", f"found {last}, which is below its `from` {first}")
        return first, last

    also = []
    for block in table.tables("also_published"):
        also.append(OtherEnds(*ends(block), block.text_or_none("note"), block.sources(sources)))
        block.close()
    cited = table.sources(sources)
    first, last = ends(table)
    band = Band(
        key=table.text("key"),
        label=table.text("label"),
        color=table.choice("color", COLORS),
        lowest=first,
        highest=last,
        consequence=table.text("consequence"),
        basis=table.basis(cited),
        note=table.text_or_none("note"),
        also_published=tuple(also),
        sources=cited,
    )
    table.close()
    return band


def _check_scales(top: Table, criteria: Sequence[Criterion], scales: Sequence[Scale]) -> None:
    """Note where scales of a fact overlap, leave out a threshold on it, or have no edge where it divides."""
    for fact in dict.fromkeys(scale.fact for scale in scales):
        for place in MARKETPLACES:
            here = [one for one in scales if one.fact is fact and place in one.marketplaces]
            check_sequence(top, f"scale of {fact.key}, {place}", here)
            for criterion in criteria:
                for block in criterion.thresholds if criterion.subject is fact else ():
                    if place in block.marketplaces:
                        _check_threshold(top, f"criterion[{criterion.id}]", place, block, here)


def _check_threshold(top: Table, key: str, place: str, block: Threshold, scales: Sequence[Scale]) -> None:
    """Compare one threshold with the scales of its fact at one marketplace."""
    first, last = block.validity.start, block.validity.end or date.max
    holding = [one for one in scales if one.validity.start <= last and first <= (one.validity.end or date.max)]
    if not any(one.validity.covers(first) for one in holding) or not any(one.validity.covers(last) for one in holding):
        until = block.validity.end or "further notice"
        top.problem(key, f"{place}: no [[scale]] covers this threshold from {first} until {until}")
    bar = block.bar
    if bar.value is None:
        return
    for scale in holding:
        edges = [band.lowest for band in scale.bands[1:]]
        first_met = {"at_least": bar.number, "above": bar.number + 1}.get(bar.comparison or "")
        if first_met not in edges:
            allowed = ", ".join(map(str, edges))
            top.problem(
                key, f"{place}: {bar.comparison} {bar.value} does not divide the bands; at_least is one of {allowed}"
            )


def read_process(top: Table, vocabulary: Vocabulary, sources: Sources, programs: Sequence[str]) -> Process:
    """Read data/stages.toml."""
    stages = []
    for table in top.tables("stage", name_by="id"):
        stages.append(Stage(table.choice("id", STAGES), table.text("label"), table.text("summary")))
        table.close()
    if tuple(stage.id for stage in stages) != STAGES:
        top.problem("stage", f"the stages are, in this order, {', '.join(STAGES)}")
    subjects = [*vocabulary.metrics, *vocabulary.facts]
    remedies: dict[str, list[Remedy]] = {}
    order = []
    for table in top.tables("remedy"):
        remedy = Remedy(table.text("text"), table.text("why"), table.sources(sources))
        order.append(remedy)
        for key in table.words("for", subjects):
            remedies.setdefault(key, []).append(remedy)
        table.close()
    checklist = [_check(table, vocabulary, sources) for table in top.tables("checklist", name_by="id")]
    follows = [_consequence(table, programs, sources) for table in top.tables("follows", name_by="id")]
    check_unique(top, "checklist", [one.id for one in checklist])
    check_unique(top, "follows", [one.id for one in follows])
    top.close()
    by_subject = {key: tuple(found) for key, found in remedies.items()}
    tellers = [one.subject for check in checklist for one in check.answered_by]
    declared = tuple(dict.fromkeys(one.key for one in tellers if isinstance(one, Fact)))
    return Process(tuple(stages), by_subject, tuple(order), tuple(checklist), tuple(follows), declared)


def _check(table: Table, vocabulary: Vocabulary, sources: Sources) -> Check:
    check = Check(
        stage=table.choice("stage", STAGES),
        id=table.text("id"),
        text=table.text("text"),
        why=table.text("why"),
        answered_by=tuple(_teller(each, vocabulary) for each in table.tables("answered_by")),
        sources=table.sources(sources),
    )
    table.close()
    return check


def _teller(table: Table, vocabulary: Vocabulary) -> Teller:
    marketplaces = table.words("marketplaces", MARKETPLACES, MARKETPLACES)
    if table.has("fact"):
        facts = {key: fact for key, fact in vocabulary.facts.items() if fact.kind in ("boolean", "choice")}
        fact = table.named("fact", facts)
        words: tuple[FactValue, ...]
        words = (table.flag("is"),) if fact.kind == "boolean" else table.words("is", fact.choices)
        teller = Teller(fact, frozenset(marketplaces), says_yes=words)
    else:
        metric = table.named("metric", vocabulary.metrics)
        proves = table.choice("tells", ("both", "misses"), default="both") == "both"
        teller = Teller(metric, frozenset(marketplaces), proves=proves)
    table.close()
    return teller


def _consequence(table: Table, programs: Sequence[str], sources: Sources) -> Consequence:
    one = Consequence(
        id=table.text("id"),
        label=table.text("label"),
        text=table.text("text"),
        published=table.flag("published"),
        programs=table.words("programs", programs),
        note=table.text_or_none("note"),
        sources=table.sources(sources),
    )
    table.close()
    return one


def read_cited_share(top: Table, sources: Sources) -> CitedShare:
    """Read data/b2b_share.toml."""
    share = CitedShare(top.percent("low"), top.percent("high"), top.text("derivation"), top.sources(sources))
    if share.low_ppm > share.high_ppm:
        top.problem("low", "this is above `high`")
    top.close()
    return share
