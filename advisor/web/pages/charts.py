"""The geometry of charts: whole numbers in, coordinates out. The templates draw them; a table stands behind each."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

WIDTH = 340


@dataclass(frozen=True, slots=True)
class Headroom:
    """How much of an allowance is used: the bar ends at `end`, the bar to keep stands at `limit`, wherever that is."""

    limit: int
    end: float
    is_beyond: bool
    is_cut: bool


def headroom(value_ppm: int, limit_ppm: int, good: str) -> Headroom | None:
    """Draw a rate against its bar. The bar always stands in the middle; None where it allows nothing at all."""
    used, allowed = (value_ppm, limit_ppm) if good == "low" else (10**6 - value_ppm, 10**6 - limit_ppm)
    if allowed <= 0:
        return None
    half = WIDTH // 2
    reach = used * half / allowed
    return Headroom(half, round(min(max(reach, 2), WIDTH - 10), 1), reach > half, reach > WIDTH - 10)


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands side by side, each as its color, x and width, and where the value stands, `here`."""

    bands: tuple[tuple[str, float, float], ...]
    here: float


def bands(scale: Sequence[tuple[str, int, int]], value: int) -> Bands:
    """Draw bands, each given as its color and both ends, to the scale of their values, and a value among them."""
    lowest, highest = scale[0][1], scale[-1][2]
    unit = WIDTH / (highest - lowest + 1)
    drawn = tuple(
        (color, round((first - lowest) * unit, 1), round((last - first + 1) * unit, 1)) for color, first, last in scale
    )
    return Bands(drawn, round((value - lowest + 0.5) * unit, 1))


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of a waterfall: from x, so wide; `kind` is sum, loss or gap."""

    name: str
    amount: int
    x: float
    width: float
    y: int
    kind: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Bars from what comes in to what is left, one under the other; `zero` is where nothing is."""

    steps: tuple[Step, ...]
    zero: float
    height: int


ROW = 30


def waterfall(parts: Sequence[tuple[str, int, bool]]) -> Waterfall:
    """Draw named amounts: a sum stands by itself, anything else is taken off what stood before it."""
    level, ends = 0, []
    for _, amount, is_sum in parts:
        start, level = (0, amount) if is_sum else (level, level - amount)
        ends.append((start, level))
    lowest, highest = min(0, *(min(one) for one in ends)), max(1, *(max(one) for one in ends))

    def x(amount: int) -> float:
        return round((amount - lowest) * (WIDTH - 4) / (highest - lowest) + 2, 1)

    steps = [
        Step(name, amount, x(min(ends[index])), max(x(max(ends[index])) - x(min(ends[index])), 1.5), index * ROW, kind)
        for index, (name, amount, is_sum) in enumerate(parts)
        for kind in ["sum" if is_sum else "loss" if amount >= 0 else "gain"]
    ]
    return Waterfall(tuple(steps), x(0), len(parts) * ROW)


@dataclass(frozen=True, slots=True)
class Tick:
    """A round number on an axis, and where it stands."""

    value: int
    at: float


@dataclass(frozen=True, slots=True)
class PriceCurve:
    """What is left over prices: paths, filled areas where that is not negative, jumps, and where the price stands."""

    paths: tuple[str, ...]
    areas: tuple[str, ...]
    jumps: tuple[tuple[float, float, float], ...]
    zero: float
    here: tuple[float, float] | None
    prices: tuple[Tick, ...]
    amounts: tuple[Tick, ...]


LEFT, RIGHT, TOP, BOTTOM = 46, WIDTH - 8, 10, 170
JUMP = 2  # minor units; rounding alone makes one


def price_curve(stretches: Sequence[Sequence[int]], price: int) -> PriceCurve | None:
    """Draw stretches of [from, to, left at from, left at to]. A jump is drawn where the next begins elsewhere."""
    if not stretches:
        return None
    lowest = min(0, *(min(one[2], one[3]) for one in stretches))
    highest = max(1, *(max(one[2], one[3]) for one in stretches))
    last = max(stretches[-1][1], 1)

    def x(amount: float) -> float:
        return round(LEFT + amount * (RIGHT - LEFT) / last, 1)

    def y(amount: float) -> float:
        return round(BOTTOM - (amount - lowest) * (BOTTOM - TOP) / (highest - lowest), 1)

    paths: list[list[str]] = []
    areas, jumps, before, here = [], [], None, None
    for start, end, at_start, at_end in stretches:
        if before is None or abs(at_start - before) > JUMP:
            if before is not None:
                jumps.append((x(start), y(before), y(at_start)))
            paths.append([f"M{x(start)} {y(at_start)}"])
        paths[-1].append(f"L{x(end)} {y(at_end)}")
        if area := _area(start, end, at_start, at_end):
            areas.append("M" + " L".join(f"{x(at)} {y(left)}" for at, left in area) + " Z")
        before = at_end
        if start <= price <= end:
            at = at_start + (at_end - at_start) * (price - start) / max(end - start, 1)
            here = (x(price), y(at))
    return PriceCurve(
        tuple(" ".join(path) for path in paths),
        tuple(areas),
        tuple(jumps),
        y(0),
        here,
        tuple(Tick(value, x(value)) for value in ticks(0, last)),
        tuple(Tick(value, y(value)) for value in ticks(lowest, highest)),
    )


def _area(start: int, end: int, first: int, last: int) -> list[tuple[float, float]]:
    """Cut the part of a stretch that is not negative, down to zero."""
    if first < 0 and last < 0:
        return []
    cross = start + (end - start) * first / (first - last) if (first < 0) != (last < 0) and first != last else None
    left, from_ = (0, cross) if first < 0 and cross is not None else (first, start)
    right, to = (0, cross) if last < 0 and cross is not None else (last, end)
    return [(from_, 0), (from_, left), (to, right), (to, 0)]


def ticks(low: int, high: int, most: int = 5) -> list[int]:
    """Choose a few round numbers from low to high: 1, 2 or 5 times a power of ten apart."""
    span = max(high - low, 1)
    power = 10 ** max(floor(log10(span / most)), 0)
    apart = next(step * power for step in (1, 2, 5, 10, 20) if span / (step * power) <= most)
    return list(range(-(-low // apart) * apart, high + 1, apart))
