"""What answers are made of: parts that are ready, sources, dates, thresholds and observations."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import orjson

from advisor.domain.assessment import Observation
from advisor.domain.formulas import INTEGERS, rate_ppm
from advisor.domain.numbers import format_rate
from advisor.domain.program import Band, Bar, Fact, Metric
from advisor.domain.sources import Source, Validity
from advisor.messages import TEXTS, Messages

Answer = dict[str, Any]


class Ready(dict[str, Any]):
    """A part that many answers share and none changes: a dict that has its JSON ready for `dumps` to copy."""

    __slots__ = ("json",)

    def __init__(self, part: Answer) -> None:
        super().__init__(part)
        self.json = orjson.Fragment(dumps(part))


def dumps(answer: Answer) -> bytes:
    """Write an answer as JSON. Most of it are parts that are ready."""
    return orjson.dumps(answer, default=_json, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def _json(part: Any) -> orjson.Fragment:
    if isinstance(part, Ready):
        return part.json
    raise TypeError(f"{type(part).__name__} is not part of an answer")


@lru_cache(maxsize=4096)
def source(one: Source) -> Ready:
    """Describe a source."""
    return Ready(
        {
            "url": one.url,
            "title": one.title,
            "publisher": one.publisher,
            "trust": one.trust,
            "published_on": plain(one.published_on),
            "read_on": one.read_on.isoformat(),
        }
    )


def sources(several: Sequence[Source]) -> list[Answer]:
    """Describe sources."""
    return [source(one) for one in several]


def dated(validity: Validity | None) -> Answer:
    """Say from when to when something holds; all null where nothing does."""
    return {
        "effective_from": None if validity is None else validity.start.isoformat(),
        "effective_from_kind": None if validity is None else validity.start_kind,
        "effective_to": None if validity is None else plain(validity.end),
        "effective_to_kind": None if validity is None else validity.end_kind,
    }


def text_of(message: str | None, messages: Messages) -> str | None:
    """Translate a text of the data that may be absent."""
    return None if message is None else messages.text(message)


def bar_value(subject: Metric | Fact, bar: Bar) -> Any:
    """Write a threshold: a decimal text for rates, else the value itself; None where nobody publishes one."""
    if isinstance(subject, Metric) and subject.kind == "rate" and isinstance(bar.value, int):
        return format_rate(bar.value)
    return plain(bar.value)


def ends(one: Band, messages: Messages) -> Answer:
    """Name a band of a scale, with both ends, which lie in it."""
    return {
        "band": one.key,
        "label": messages.text(one.label),
        "from": one.lowest,
        "to": one.highest,
        "color": one.color,
    }


def band(one: Band, messages: Messages) -> Answer:
    """Describe a band of a scale, and what follows in it."""
    return {
        **ends(one, messages),
        "consequence": messages.text(one.consequence),
        "basis": one.basis,
        "note": text_of(one.note, messages),
        "also_published": [
            {
                "from": other.lowest,
                "to": other.highest,
                "note": text_of(other.note, messages),
                "sources": sources(other.sources),
            }
            for other in one.also_published
        ],
        "sources": sources(one.sources),
    }


def plain(value: Any) -> Any:
    """Write a value as JSON has it: a date as its ISO text."""
    return value.isoformat() if isinstance(value, date) else value


def rate_of(seen: Observation) -> int | None:
    """Tell the observed rate, in parts per million; None where there is none."""
    return rate_ppm(INTEGERS, seen.count, seen.of) if seen.of else None


def counted(seen: Observation, rate: int | None) -> Answer:
    """Write an observation with its rate; a bare rate has no counts."""
    return {
        "count": None if seen.bare else seen.count,
        "of": None if seen.bare else seen.of,
        "rate": None if rate is None else format_rate(rate),
    }


def said(value: Any, messages: Messages) -> Any:
    """Write a number, a date, yes or no as the language does."""
    if isinstance(value, bool):
        return messages.text(TEXTS["yes" if value else "no"])
    if isinstance(value, int):
        return messages.number(value)
    return messages.day(value) if isinstance(value, date) else value
