"""Where a number comes from, and from when to when it holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar

# How sure a number is: Amazon prints it, or others do.
BASES = ("official", "guideline")
# The trust of a source in which Amazon speaks: its own page, or a post of its staff or a copy in full.
OF_AMAZON = ("official", "staff")


@dataclass(frozen=True, slots=True)
class Source:
    """One published source. `url` is None for a transcription without one, `published_on` for an undated page."""

    key: str
    title: str
    url: str | None
    publisher: str
    trust: str
    published_on: date | None
    read_on: date


@dataclass(frozen=True, slots=True)
class Validity:
    """The days on which something holds, both ends included.

    start_kind: documented (the source states the start), observed (in force no later than that day) or unknown (the
    start is unpublished; covered from the day it was verified). end_kind: documented, or last_verified (the source went
    stale, nothing is known after it); None while it is still in force.
    """

    start: date
    start_kind: str
    end: date | None = None
    end_kind: str | None = None

    def covers(self, day: date) -> bool:
        """Say whether the day lies within."""
        return self.start <= day and (self.end is None or day <= self.end)


class Dated(Protocol):
    """Anything that holds for certain days."""

    @property
    def validity(self) -> Validity: ...


D = TypeVar("D", bound=Dated)


def in_force(blocks: Iterable[D], day: date) -> D | None:
    """Pick the block that holds on that day; the catalog makes sure there is at most one."""
    return next((block for block in blocks if block.validity.covers(day)), None)


def has_address(sources: Sequence[Source]) -> bool:
    """Say whether at least one source can be looked up; without one, confidence is low."""
    return any(source.url for source in sources)
