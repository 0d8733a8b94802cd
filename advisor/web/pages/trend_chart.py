"""Draw a criterion's values over time against its limit: where everything lies in a picture, and the table behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor, log10

from advisor.answers.parts import Answer
from advisor.domain.numbers import parse_decimal
from advisor.errors import say
from advisor.messages import Messages
from advisor.services.portfolio import line
from advisor.web.pages.standing import limit_of, value_of

WIDTH, HEIGHT = 400, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 388, 16, 186
HIGHEST_RATE = 1_000_000.0
STEPS = (1, 2, 2.5, 5, 10)
MOST_TICKS = 4
WORDS_WIDTH = 130.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A value in the picture."""

    x: float
    y: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Words:
    """Where words stand, and which end of them is there."""

    x: float
    y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A value of the axis, and where it stands."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of 400 by 220, and the words and the table that say the same."""

    criterion: str
    label: str
    message: str
    now: str
    advisory: bool
    marks: list[Mark]
    ticks: list[Tick]
    limit_text: str | None
    limit_path: str
    limit_words: Words | None
    line: tuple[Mark, Mark] | None
    crossing: Mark | None
    first_day: str
    last_day: str
    rows: list[tuple[str, str | None, str | None, str]]


def charts(trends: Answer, labels: dict[str, str], messages: Messages) -> list[Chart]:
    """Draw each criterion of `sellers.trends` that any value is known of."""
    drawn = (_chart(one, labels.get(one["criterion"], one["criterion"]), messages) for one in trends["criteria"])
    return [one for one in drawn if one is not None]


def _chart(criterion: Answer, label: str, messages: Messages) -> Chart | None:
    seen = [(date.fromisoformat(one["as_of"]), _number(one["observed"]), one) for one in criterion["points"]]
    values = [(day, value, one["outcome"]) for day, value, one in seen if value is not None]
    if not values:
        return None
    limits = [(day, _bar(one["threshold"])) for day, _, one in seen]
    drawn = line(criterion)
    crosses = None if criterion["crosses_on"] is None else date.fromisoformat(criterion["crosses_on"])
    first = seen[0][0]
    last = max(seen[-1][0], crosses or seen[-1][0])
    heights = [value for _, value, _ in values] + [bar for _, bar in limits if bar is not None]
    if drawn is not None:
        heights += [drawn.first, drawn.last]
    rate = any(one["observed"] and one["observed"]["rate"] is not None for _, _, one in seen)
    low, high, step = _range(heights, rate)

    def x(day: date) -> float:
        span = (last - first).days
        return round(LEFT + (RIGHT - LEFT) * ((day - first).days / span if span else 0.5), 1)

    def y(value: float) -> float:
        inside = min(max(value, low), high)
        return round(BOTTOM - (BOTTOM - TOP) * (inside - low) / (high - low), 1)

    bar = _bar(criterion["threshold"])
    ends = None
    if drawn is not None:
        ends = (Mark(x(drawn.start), y(drawn.first), ""), Mark(x(drawn.end), y(drawn.last), ""))
    marks = [Mark(x(day), y(value), outcome) for day, value, outcome in values]
    latest = next(one for _, value, one in reversed(seen) if value is not None)
    limit_text = limit_of(criterion, messages)
    return Chart(
        criterion=criterion["criterion"],
        label=label,
        message=criterion["message"],
        now=_now(latest, limit_text, messages),
        advisory=criterion["level"] != "required",
        marks=marks,
        ticks=_ticks(low, high, step, rate, y, messages),
        limit_text=limit_text,
        limit_path=_steps([(x(day), None if at is None else y(at)) for day, at in limits], x(last)),
        limit_words=None if bar is None else _words(y(bar), marks),
        line=ends,
        crossing=None if crosses is None or bar is None else Mark(x(crosses), y(bar), ""),
        first_day=messages.day(first),
        last_day=messages.day(last),
        rows=[_row(day, one, criterion, messages) for day, _, one in reversed(seen)],
    )


def _now(latest: Answer, limit: str | None, messages: Messages) -> str:
    words = {"day": messages.day(date.fromisoformat(latest["as_of"])), "value": value_of(latest["observed"], messages)}
    if limit is None:
        return messages.say(say("On {day} it was {value}.", **words))
    return messages.say(say("On {day} it was {value}; the limit is {limit}.", limit=limit, **words))


def _row(day: date, one: Answer, criterion: Answer, messages: Messages) -> tuple[str, str | None, str | None, str]:
    limit = limit_of({"comparison": criterion["comparison"], "threshold": one["threshold"]}, messages)
    value = value_of(one["observed"], messages) if one["observed"] else None
    return messages.day(day), value, limit, one["outcome"]


def _number(seen: Answer | None) -> float | None:
    """Give the height of a value: ppm of a rate, or a count."""
    if seen is None:
        return None
    if seen["rate"] is not None:
        return float(parse_decimal(seen["rate"], 6) or 0)
    return None if seen["count"] is None or seen["of"] is not None else float(seen["count"])


def _bar(threshold: str | int | None) -> float | None:
    if isinstance(threshold, str):
        return float(parse_decimal(threshold, 6) or 0)
    return None if threshold is None else float(threshold)


def _range(heights: Sequence[float], rate: bool) -> tuple[float, float, float]:
    """Choose where the axis begins and ends, and its step: round numbers around everything that is drawn."""
    low, high = min(heights), max(heights)
    if rate:
        low, high = max(low, 0.0), min(high, HIGHEST_RATE)
    low = 0.0 if low < high / 2 else low
    span = (high - low) or max(high, 1.0)
    low, high = max(low - span / 10, 0.0) if low else 0.0, high + span / 10
    if rate:
        high = min(high, HIGHEST_RATE)
    rough = (high - low) / MOST_TICKS
    whole = 10.0 ** floor(log10(rough))
    step = next(one * whole for one in STEPS if one * whole >= rough)
    if not rate:
        step = max(step, 1.0)
    return floor(low / step) * step, ceil(high / step) * step, step


def _ticks(
    low: float, high: float, step: float, rate: bool, y: Callable[[float], float], messages: Messages
) -> list[Tick]:
    values = [low + step * number for number in range(round((high - low) / step) + 1)]
    shown = [value for value in values if not rate or value <= HIGHEST_RATE]
    return [Tick(y(one), messages.percent(round(one)) if rate else messages.number(round(one))) for one in shown]


def _steps(limits: Sequence[tuple[float, float | None]], end: float) -> str:
    """Write the path of the limit: level while it holds, a step where it changes, and on to the end of the picture."""
    path, level = [], None
    for at, height in limits:
        if height is None:
            level = None
            continue
        if level is None:
            path.append(f"M{at} {height}")
        elif height != level:
            path.append(f"H{at}V{height}")
        level = height
    if level is None:
        return "".join(path)
    if len(limits) == 1:
        return f"M{LEFT} {level}H{RIGHT}"
    return "".join(path) + f"H{end}"


def _words(limit: float, marks: Sequence[Mark]) -> Words:
    """Choose where the words of the limit stand: above or below its line, at either end, where no value lies."""
    places = [
        Words(x, limit + below, anchor)
        for anchor, x in (("start", LEFT + 4.0), ("end", RIGHT - 4.0))
        for below in (-6, 16)
    ]
    inside = [one for one in places if TOP < one.y < BOTTOM] or places
    return min(inside, key=lambda one: sum(_covers(one, mark) for mark in marks))


def _covers(words: Words, mark: Mark) -> bool:
    left = words.x - 5 if words.anchor == "start" else words.x - WORDS_WIDTH
    return left < mark.x < left + WORDS_WIDTH + 5 and words.y - 16 < mark.y < words.y + 8
