"""Hold a product listing against what a complete one has, and against the published limits of its marketplace.

Lengths are counted in code points, and in bytes of UTF-8 where a source says bytes. What was not sent is unknown; what
was sent empty is missing. A length without a published limit is shown and never judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from advisor.domain.program import Outcome
from advisor.domain.sources import Source, Validity, in_force

ELEMENTS = ("title", "bullet_points", "description", "images", "attributes")
# What can be limited: of a text its length, of a list how many there are and the length of each.
MEASURES = {
    "title": ("characters", "bytes"),
    "bullet_points": ("count", "characters", "bytes"),
    "description": ("characters", "bytes"),
    "images": ("count",),
    "attributes": ("count",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """A published limit of one measure, at some marketplaces on certain days; either end may be open."""

    measure: str
    marketplaces: frozenset[str]
    validity: Validity
    basis: str
    least: int | None
    most: int | None
    consequence: str | None
    note: str | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """A part of a listing: what to do about it, why it matters, and its limits."""

    key: str
    label: str
    text: str
    why: str
    limits: tuple[Limit, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """Something said about listings, and what is published about it."""

    id: str
    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ListingRules:
    """What is published about listings. The elements stand in the order in which they are answered."""

    title: str
    summary: str
    elements: tuple[Element, ...]
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """One product's listing. None is unknown; an empty text or list says that there is none.

    `attributes` are values by name; `required_attributes` are those that the product's own template asks for.
    """

    title: str | None = None
    bullet_points: tuple[str, ...] | None = None
    description: str | None = None
    images: int | None = None
    attributes: Mapping[str, str] | None = None
    required_attributes: tuple[str, ...] | None = None
    ref: str | None = None


class Presence(NamedTuple):
    """Whether an element is there. `names` are the required attributes that are missing."""

    element: Element
    outcome: Outcome
    reason: str
    names: tuple[str, ...] = ()


class Measured(NamedTuple):
    """One measure of one element (of bullet point `bullet`, from 0), held against the limit there is, if any."""

    element: Element
    measure: str
    bullet: int | None
    value: int
    limit: Limit | None
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class ListingCheck:
    """What a listing has, what it lacks and what is too long or too short."""

    listing: Listing
    presence: tuple[Presence, ...]
    measured: tuple[Measured, ...]

    @property
    def verdict(self) -> str:
        """Join the outcomes: incomplete if one is missed, else undetermined if one is unknown, else complete."""
        outcomes = {one.outcome for one in self.presence} | {one.outcome for one in self.measured}
        if Outcome.MISSED in outcomes:
            return "incomplete"
        return "undetermined" if Outcome.UNKNOWN in outcomes else "complete"

    @property
    def missing(self) -> tuple[str, ...]:
        """The elements that are empty or were not sent."""
        return tuple(one.element.key for one in self.presence if one.outcome in (Outcome.MISSED, Outcome.UNKNOWN))


def check_listing(rules: ListingRules, listing: Listing, marketplace: str, as_of: date) -> ListingCheck:
    """Judge a listing by the limits of that marketplace and day."""
    presence = tuple(_presence(element, listing) for element in rules.elements)
    measured = []
    for element in rules.elements:
        for measure, bullet, value in _measures(element.key, listing):
            limits = [one for one in element.limits if one.measure == measure and marketplace in one.marketplaces]
            measured.append(_hold(element, measure, bullet, value, in_force(limits, as_of)))
    return ListingCheck(listing, presence, tuple(measured))


def _presence(element: Element, listing: Listing) -> Presence:
    value = getattr(listing, element.key)
    if value is None:
        return Presence(element, Outcome.UNKNOWN, "not_provided")
    if element.key == "attributes":
        return _attributes(element, value, listing.required_attributes)
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
    return not text.strip().strip("\u200b\u200c\u200d\u2060\ufeff\u00ad").strip()


def _measures(element: str, listing: Listing) -> list[tuple[str, int | None, int]]:
    """List every measure of an element: its name, the bullet point it is of, and its value."""
    value = getattr(listing, element)
    if value is None:
        return []
    if isinstance(value, str):
        return [("characters", None, len(value)), ("bytes", None, len(value.encode()))]
    if isinstance(value, int):
        return [("count", None, value)]
    found: list[tuple[str, int | None, int]] = [("count", None, len(value))]
    if element == "bullet_points":
        for index, text in enumerate(value):
            found += [("characters", index, len(text)), ("bytes", index, len(text.encode()))]
    return found


def _hold(element: Element, measure: str, bullet: int | None, value: int, limit: Limit | None) -> Measured:
    if limit is None:
        return Measured(element, measure, bullet, value, None, Outcome.NOT_APPLICABLE, "no_limit_in_data")
    if limit.most is not None and value > limit.most:
        return Measured(element, measure, bullet, value, limit, Outcome.MISSED, "above_limit")
    if limit.least is not None and value < limit.least:
        return Measured(element, measure, bullet, value, limit, Outcome.MISSED, "below_limit")
    return Measured(element, measure, bullet, value, limit, Outcome.MET, "within_limit")
