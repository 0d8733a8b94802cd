"""Read what is published about product listings (data/policies/listing.toml)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from advisor.catalog.tables import Table, check_each_once, check_sequence
from advisor.domain.listing import (
    ELEMENTS,
    IMAGE_FORMATS,
    MEASURES,
    OF_EACH,
    REQUIREMENTS,
    Doubt,
    Element,
    Limit,
    ListingRules,
    OtherLimit,
    Published,
    Requirement,
)
from advisor.domain.program import MARKETPLACES, Level
from advisor.domain.sources import Source

Sources = Mapping[str, Source]
HIGHEST_LIMIT = 10**6


def read_listing(top: Table, sources: Sources) -> ListingRules:
    """Read data/policies/listing.toml."""
    elements = tuple(_element(table, sources) for table in top.tables("element", name_by="key"))
    check_each_once(top, "element", [element.key for element in elements], ELEMENTS)
    small_words = top.table("small_words")
    words = [word for language in small_words.values for word in small_words.words(language)]
    doubts = []
    for table in top.tables("doubt", name_by="id"):
        doubts.append(Doubt(table.text("id"), table.text("text"), table.sources(sources)))
        table.close()
    rules = ListingRules(top.text("title"), top.text("summary"), elements, frozenset(words), tuple(doubts))
    top.close()
    return rules


def _element(table: Table, sources: Sources) -> Element:
    key = table.choice("key", ELEMENTS)
    limits = tuple(_limit(limit, key, sources) for limit in table.tables("limit"))
    requirements = tuple(
        _requirement(requirement, REQUIREMENTS[key], sources) for requirement in table.tables("requirement")
    )
    for measure in MEASURES[key]:
        _check(table, measure, [limit for limit in limits if limit.measure == measure])
    for kind in REQUIREMENTS[key]:
        _check(table, kind, [requirement for requirement in requirements if requirement.kind == kind])
    element = Element(
        key=key,
        label=table.text("label"),
        level=Level(table.choice("level", list(Level))),
        text=table.text("text"),
        why=table.text("why"),
        limits=limits,
        requirements=requirements,
        sources=table.sources(sources),
    )
    table.close()
    return element


def _check(table: Table, what: str, blocks: Iterable[Published]) -> None:
    """Note blocks of one level that hold in one place at once."""
    several = list(blocks)
    for place in MARKETPLACES:
        for level in Level:
            held = [block for block in several if place in block.marketplaces and block.level is level]
            check_sequence(table, f"{what} in {place}", held)


def _published(table: Table, sources: Sources) -> dict[str, Any]:
    """Read what every block has."""
    level, cited = Level(table.choice("level", list(Level))), table.sources(sources)
    return {
        "marketplaces": frozenset(table.words("marketplaces", MARKETPLACES)),
        "validity": table.validity(),
        "level": level,
        "basis": table.basis(cited),
        "except_media": table.flag("except_media", default=False),
        "consequence": table.text("consequence") if level is Level.REQUIRED else table.text_or_none("consequence"),
        "note": table.text_or_none("note"),
        "sources": cited,
    }


def _ends(table: Table, needed: bool) -> tuple[int | None, int | None]:
    """Read `least` and `most`, of which one may be missing."""
    least = table.integer_or_none("least", 1, HIGHEST_LIMIT)
    most = table.integer_or_none("most", 1, HIGHEST_LIMIT)
    if least is None and most is None and needed:
        table.problem("most", "this is missing; a limit has least, most or both")
    elif least is not None and most is not None and least > most:
        table.problem("least", f"found {least}, which is above most")
    return least, most


def _limit(table: Table, element: str, sources: Sources) -> Limit:
    measure = table.choice("measure", MEASURES[element])
    of_each = OF_EACH.get(element, ())
    comparable = [one for one in MEASURES[element] if (one in of_each) == (measure in of_each)]
    unknown = table.values.get("most") == "unknown"
    least, most = (None, None) if unknown and table.has("most") else _ends(table, needed=True)
    others = tuple(_other(other, measure, comparable, sources) for other in table.tables("also_published"))
    limit = Limit(
        **_published(table, sources),
        text=None if unknown else table.text("text"),
        measure=measure,
        least=least,
        most=most,
        also_published=others,
    )
    if unknown and limit.level is Level.REQUIRED:
        table.problem("level", "found 'required'; where nobody publishes a number it is advisory")
    table.close()
    return limit


def _other(table: Table, measure: str, measures: Sequence[str], sources: Sources) -> OtherLimit:
    least, most = _ends(table, needed=True)
    other = OtherLimit(
        measure=table.choice("measure", measures, default=measure),
        marketplaces=frozenset(table.words("marketplaces", MARKETPLACES, MARKETPLACES)),
        least=least,
        most=most,
        note=table.text_or_none("note"),
        sources=table.sources(sources),
    )
    table.close()
    return other


def _requirement(table: Table, kinds: Sequence[str], sources: Sources) -> Requirement:
    kind = table.choice("kind", kinds)
    listed: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    match kind:
        case "characters":
            listed = tuple(dict.fromkeys("".join(table.text("forbidden").split())))
        case "phrases":
            listed = table.words("forbidden")
        case "format":
            listed = table.words("allowed", IMAGE_FORMATS)
        case "digits":
            listed = table.words("allowed", [str(number) for number in range(8, 15)])
            numbers = tuple(int(number) for number in listed if number.isdigit())
        case "repeated_words":
            numbers = (table.integer("most", 1, 100),)
        case _:
            # Written out where there is only one thing to ask, so that the file reads without the code.
            key = {"background": "white", "check_digit": "checked"}.get(kind, "none")
            if not table.flag(key):
                table.problem(key, "found false; it is true, or the block is left out")
    requirement = Requirement(
        **_published(table, sources),
        text=table.text("text"),
        kind=kind,
        listed=listed,
        numbers=numbers,
        besides_brand=table.flag("besides_brand", default=False),
    )
    table.close()
    return requirement
