"""Hold a product listing against what a complete one has, and against what its marketplace publishes about each part.

Lengths are counted in code points, and in bytes of UTF-8 where a source says bytes. What was not sent is unknown; what
was sent empty is missing. A length without a published limit is shown and never judged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, TypeVar

from advisor.domain import listing_wording as wording
from advisor.domain.program import Level, Outcome
from advisor.domain.sources import Source, Validity, in_force

ELEMENTS = (
    "title",
    "item_highlights",
    "bullet_points",
    "description",
    "search_terms",
    "images",
    "main_image",
    "attributes",
    "gtin",
)
# What can be limited: of a text its length, of a list how many there are and the length of each or of all together.
MEASURES = {
    "title": ("characters", "bytes"),
    "item_highlights": ("characters", "bytes"),
    "bullet_points": ("count", "characters_together", "characters", "bytes"),
    "description": ("characters", "bytes"),
    "search_terms": ("bytes_of_words", "bytes"),
    "images": ("count",),
    "main_image": ("longest_side", "filled_percent"),
    "attributes": ("count",),
    "gtin": (),
}
# Of a list of texts, what is measured of each.
OF_EACH = {"bullet_points": ("characters", "bytes")}
_TEXT = ("characters", "emoji", "phrases", "repeated_words", "asins", "tags")
# What else can be asked of a part.
REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    "title": _TEXT,
    "item_highlights": _TEXT,
    "bullet_points": _TEXT,
    "description": _TEXT,
    "search_terms": _TEXT,
    "images": (),
    "main_image": ("format", "background"),
    "attributes": (),
    "gtin": ("digits", "check_digit"),
}
IMAGE_FORMATS = ("jpeg", "png", "tiff", "gif", "animated_gif", "other")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Published:
    """What is published about one part of a listing, for some marketplaces on certain days.

    `text` says what to do where a listing breaks it; None where nothing can. `except_media` is true where it does not
    hold for books, music, video and the like.
    """

    marketplaces: frozenset[str]
    validity: Validity
    level: Level
    basis: str
    except_media: bool
    text: str | None
    consequence: str | None
    note: str | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class OtherLimit:
    """What somebody else prints, of the same measure or another one; `marketplaces` is where it is said of."""

    measure: str
    marketplaces: frozenset[str]
    least: int | None
    most: int | None
    note: str | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Limit(Published):
    """A limit of one measure. One end may be open; with both open, nobody publishes a number for all products."""

    measure: str
    least: int | None
    most: int | None
    also_published: tuple[OtherLimit, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Requirement(Published):
    """Something asked of a part besides its length.

    `listed` are the forbidden characters or phrases, or the allowed formats; `numbers` the allowed numbers of digits,
    or how often a word may stand in it. `besides_brand`: the brand's own name is not looked at.
    """

    kind: str
    listed: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    besides_brand: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """A part of a listing: what to do about it, why it matters, and what is published about it.

    `level` says whether a listing without it is incomplete.
    """

    key: str
    label: str
    level: Level
    text: str
    why: str
    limits: tuple[Limit, ...]
    requirements: tuple[Requirement, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """Something said about listings, and what is published about it."""

    id: str
    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ListingRules:
    """What is published about listings. The elements stand in the order in which they are answered.

    `small_words` are articles, prepositions and conjunctions, which may stand in a text as often as they have to.
    """

    title: str
    summary: str
    elements: tuple[Element, ...]
    small_words: frozenset[str]
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class MainImage:
    """The image that stands first: pixels on its longest side, and how much of it the product fills, in percent."""

    longest_side: int | None = None
    filled_percent: int | None = None
    format: str | None = None
    white_background: bool | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One product's listing. None is unknown; an empty text or list says that there is none.

    `attributes` are values by name; `required_attributes` are those that the product's own template asks for.
    """

    title: str | None = None
    item_highlights: str | None = None
    bullet_points: tuple[str, ...] | None = None
    description: str | None = None
    search_terms: str | None = None
    images: int | None = None
    main_image: MainImage | None = None
    attributes: Mapping[str, str] | None = None
    required_attributes: tuple[str, ...] | None = None
    gtin: str | None = None
    gtin_exempt: bool | None = None
    media: bool | None = None
    ref: str | None = None

    @property
    def brand(self) -> str:
        """The brand among the attributes, whatever the case of its name; empty where there is none."""
        named = (value.strip() for name, value in (self.attributes or {}).items() if name.casefold() == "brand")
        return next(filter(None, named), "")


class Presence(NamedTuple):
    """Whether an element is there. `names` are the required attributes that are missing."""

    element: Element
    outcome: Outcome
    reason: str
    names: tuple[str, ...] = ()

    @property
    def level(self) -> Level | None:
        """Whether it decides the verdict."""
        return self.element.level


class Held(NamedTuple):
    """What somebody else prints, and what a listing would be by that."""

    other: OtherLimit
    value: int
    outcome: Outcome


class Measured(NamedTuple):
    """One measure of one element (of bullet point `bullet`, from 0), held against the limit there is, if any."""

    element: Element
    measure: str
    bullet: int | None
    value: int | None
    limit: Limit | None
    outcome: Outcome
    reason: str
    also: tuple[Held, ...] = ()

    @property
    def level(self) -> Level | None:
        """Whether it decides the verdict; None without a limit."""
        return None if self.limit is None else self.limit.level


class Kept(NamedTuple):
    """Whether a requirement is kept, by all of an element or by bullet point `bullet`; `names` is what was found."""

    element: Element
    requirement: Requirement
    bullet: int | None
    outcome: Outcome
    reason: str
    names: tuple[str, ...] = ()

    @property
    def level(self) -> Level | None:
        """Whether it decides the verdict."""
        return self.requirement.level


@dataclass(frozen=True, slots=True)
class ListingCheck:
    """What a listing has, what it lacks, what is too long or too short, and what should not be in it."""

    listing: Listing
    presence: tuple[Presence, ...]
    measured: tuple[Measured, ...]
    kept: tuple[Kept, ...]

    @property
    def verdict(self) -> str:
        """Join the outcomes that decide: incomplete if one is missed, else undetermined if one is unknown."""
        several: tuple[Presence | Measured | Kept, ...] = (*self.presence, *self.measured, *self.kept)
        outcomes = {one.outcome for one in several if one.level is Level.REQUIRED}
        if Outcome.MISSED in outcomes:
            return "incomplete"
        return "undetermined" if Outcome.UNKNOWN in outcomes else "complete"

    @property
    def missing(self) -> tuple[str, ...]:
        """The elements that a complete listing has, and that are empty or were not sent."""
        return tuple(
            one.element.key
            for one in self.presence
            if one.level is Level.REQUIRED and one.outcome in (Outcome.MISSED, Outcome.UNKNOWN)
        )


def check_listing(rules: ListingRules, listing: Listing, marketplace: str, as_of: date) -> ListingCheck:
    """Judge a listing by what is published for that marketplace and day."""
    presence = tuple(_presence(element, listing) for element in rules.elements)
    measured: list[Measured] = []
    kept: list[Kept] = []
    for element in rules.elements:
        values = dict(_measures(element.key, listing))
        for (measure, bullet), value in values.items():
            limits = list(_in_force((one for one in element.limits if one.measure == measure), marketplace, as_of))
            for limit in limits:
                also = tuple(
                    Held(other, seen, _within(seen, other.least, other.most)[0])
                    for other in limit.also_published
                    if marketplace in other.marketplaces and (seen := values[other.measure, bullet]) is not None
                )
                measured.append(Measured(element, measure, bullet, value, limit, *_hold(value, limit, listing), also))
            if not limits and value is not None:
                measured.append(
                    Measured(element, measure, bullet, value, None, Outcome.NOT_APPLICABLE, "no_limit_in_data")
                )
        for kind in REQUIREMENTS[element.key]:
            of_kind = (one for one in element.requirements if one.kind == kind)
            for requirement in _in_force(of_kind, marketplace, as_of):
                kept += _keep(element, requirement, listing, rules.small_words)
    return ListingCheck(listing, presence, tuple(measured), tuple(kept))


P = TypeVar("P", bound=Published)
Judged = tuple[Outcome, str, tuple[str, ...]]


def _in_force(several: Iterable[P], marketplace: str, as_of: date) -> Iterator[P]:
    """Pick what holds there and then: at most one that is required, and one that is advised."""
    there = [one for one in several if marketplace in one.marketplaces]
    for level in Level:
        found = in_force((one for one in there if one.level is level), as_of)
        if found is not None:
            yield found


def _presence(element: Element, listing: Listing) -> Presence:
    value = getattr(listing, element.key)
    if element.key == "gtin" and listing.gtin_exempt and (value is None or _blank(value)):
        return Presence(element, Outcome.NOT_APPLICABLE, "exempt")
    if value is None or value == MainImage():
        return Presence(element, Outcome.UNKNOWN, "not_provided")
    if element.key == "attributes":
        return _attributes(element, value, listing.required_attributes)
    if isinstance(value, MainImage):
        return Presence(element, Outcome.MET, "given")
    texts = [value] if isinstance(value, str) else value
    if not texts or (not isinstance(texts, int) and all(_blank(text) for text in texts)):
        return Presence(element, Outcome.MISSED, "empty")
    if not isinstance(texts, int) and any(_blank(text) for text in texts):
        return Presence(element, Outcome.MISSED, "partly_empty")
    return Presence(element, Outcome.MET, "given")


def _attributes(element: Element, given: Mapping[str, str], required: Sequence[str] | None) -> Presence:
    nothing = all(map(_blank, given.values()))
    if required is None:
        if nothing:
            return Presence(element, Outcome.MISSED, "empty")
        return Presence(element, Outcome.UNKNOWN, "required_attributes_not_given")
    lacking = tuple(name for name in required if _blank(given.get(name, "")))
    if lacking:
        return Presence(element, Outcome.MISSED, "attributes_missing", lacking)
    if nothing:
        return Presence(element, Outcome.NOT_APPLICABLE, "none_required")
    return Presence(element, Outcome.MET, "given")


def _blank(text: str) -> bool:
    """Say whether a text shows nothing: blanks, and characters without a width."""
    return all(one.isspace() or one in "\u200b\u200c\u200d\u2060\ufeff\u00ad" for one in text)


def _measures(element: str, listing: Listing) -> Iterator[tuple[tuple[str, int | None], int | None]]:
    """Yield every measure of what was sent, with the bullet point it is of, and its value if that is known."""
    given = getattr(listing, element)
    for measure in MEASURES[element] if given is not None else ():
        if isinstance(given, MainImage):
            yield (measure, None), getattr(given, measure)
        elif measure in OF_EACH.get(element, ()):
            yield from (((measure, index), _measure(measure, text)) for index, text in enumerate(given))
        else:
            yield (measure, None), _measure(measure, given)


def _measure(measure: str, given: str | int | Sequence[str] | Mapping[str, str]) -> int:
    """Measure a text, or count how many there are."""
    if isinstance(given, int):
        return given
    if isinstance(given, str):
        match measure:
            case "bytes":
                return len(given.encode())
            case "bytes_of_words":
                return wording.bytes_of_words(given)
    return sum(map(len, given)) if measure == "characters_together" else len(given)


def _hold(value: int | None, limit: Limit, listing: Listing) -> tuple[Outcome, str]:
    if value is None:
        return Outcome.UNKNOWN, "detail_not_given"
    if limit.except_media and listing.media:
        return Outcome.NOT_APPLICABLE, "not_for_media"
    if limit.least is None and limit.most is None:
        return Outcome.NOT_APPLICABLE, "no_published_limit"
    return _within(value, limit.least, limit.most)


def _within(value: int, least: int | None, most: int | None) -> tuple[Outcome, str]:
    if most is not None and value > most:
        return Outcome.MISSED, "above_limit"
    if least is not None and value < least:
        return Outcome.MISSED, "below_limit"
    return Outcome.MET, "within_limit"


def _keep(element: Element, asked: Requirement, listing: Listing, small_words: frozenset[str]) -> Iterator[Kept]:
    """Hold an element against a requirement: each bullet point that breaks it, or all that keep it at once."""
    given = getattr(listing, element.key)
    if given is None or (asked.except_media and listing.media):
        return
    if isinstance(given, MainImage):
        yield Kept(element, asked, None, *_image(asked, given))
        return
    if element.key == "gtin":
        if not _blank(given):
            yield from _number(element, asked, wording.digits_of(given))
        return
    texts = [(None, given)] if isinstance(given, str) else list(enumerate(given))
    found = [(bullet, *_text(asked, text, listing.brand, small_words)) for bullet, text in texts if not _blank(text)]
    worse = [one for one in found if one[1] is not Outcome.MET]
    for bullet, outcome, reason, names in worse or ((None, *one[1:]) for one in found[:1]):
        yield Kept(element, asked, bullet, outcome, reason, names)


def _text(
    asked: Requirement, text: str, brand: str, small_words: frozenset[str]
) -> tuple[Outcome, str, tuple[str, ...]]:
    """Say what a text has that it should not have."""
    if asked.besides_brand and brand:
        text = wording.without_name(text, brand)
    match asked.kind:
        case "characters":
            names = wording.forbidden_characters(text, asked.listed)
        case "phrases":
            names = wording.forbidden_phrases(text, asked.listed)
        case "emoji":
            names = wording.emoji(text)
        case "asins":
            names = wording.asins(text)
        case "tags":
            names = wording.tags(text)
        case _:
            names = wording.repeated_words(text, asked.numbers[0], small_words)
            if not names and wording.unbroken(text):
                return Outcome.UNKNOWN, "repeated_words_not_told", ()
    return (Outcome.MISSED, f"{asked.kind}_found", names) if names else (Outcome.MET, f"{asked.kind}_not_found", ())


def _image(asked: Requirement, image: MainImage) -> Judged:
    """Say whether an image has the format or the background that is asked for."""
    given = image.format if asked.kind == "format" else image.white_background
    if given is None:
        return Outcome.UNKNOWN, f"{asked.kind}_not_given", ()
    names = (given,) if isinstance(given, str) else ()
    if given in asked.listed if names else given:
        return Outcome.MET, f"{asked.kind}_allowed", names
    return Outcome.MISSED, f"{asked.kind}_not_allowed", names


def _number(element: Element, asked: Requirement, digits: str) -> Iterator[Kept]:
    """Say whether a product's number has as many digits as it may have, and whether its last one fits the others."""
    plain = digits.isascii() and digits.isdigit()
    if asked.kind == "digits":
        kept = plain and len(digits) in asked.numbers
    elif plain:
        kept = wording.check_digit_right(digits)
    else:
        return  # what is no number has no check digit either
    reason = f"{asked.kind}_{'allowed' if kept else 'not_allowed'}"
    if asked.kind == "digits" and kept and not digits.strip("0"):
        kept, reason = False, "digits_all_zeros"
    yield Kept(element, asked, None, Outcome.MET if kept else Outcome.MISSED, reason)
