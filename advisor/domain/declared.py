"""Compare what a seller declares of its business with the red lines. Absent is unknown, never a pass."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

from advisor.domain.numbers import PPM

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """Requests for a review of one order, so many on one day."""

    order_id: str
    count: int = 1
    sent_on: date | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An order and when it was handed over; `holidays` are days besides weekends on which nobody works."""

    category: str
    confirmed_on: date
    dispatched_on: date | None = None
    holidays: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Shipping:
    """What the buyer pays for shipping, and what the carrier's standard rate is, in millionths of the currency."""

    charged: int
    carrier_standard: int


@dataclass(frozen=True, slots=True)
class MultiPack:
    """Several units sold as one, and a single one, in millionths of the currency."""

    price: int
    units: int
    single_price: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing with its product's number; `gtin` without leading zeros."""

    asin: str
    gtin: str


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared; None is unknown."""

    selling_accounts: int | None = None
    several_accounts_permitted: bool | None = None
    buyer_phone_use: str | None = None
    buyer_phone_disposed: bool | None = None
    buyer_data_kept_days: int | None = None
    self_paid_orders: bool | None = None
    review_requests: tuple[ReviewRequest, ...] | None = None
    dispatches: tuple[Dispatch, ...] | None = None
    shipping: tuple[Shipping, ...] | None = None
    multi_packs: tuple[MultiPack, ...] | None = None
    listings: tuple[Listing, ...] | None = None
    media_pre_sales: tuple[str, ...] | None = None
    third_party_trademarks: tuple[str, ...] | None = None

    def has(self, fact: str) -> bool:
        """Say whether a fact is declared."""
        return getattr(self, fact) is not None


class Bar(Protocol):
    """What facts are held against."""

    @property
    def limit(self) -> int | None: ...
    @property
    def share_ppm(self) -> int | None: ...
    @property
    def allowed(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Breach:
    """A fact that breaks a rule: where it stands below `facts`, a reason, and the numbers of its sentence."""

    pointer: str
    reason: str
    values: Mapping[str, object] = field(default_factory=dict)
    doubtful: bool = False


Compare = Callable[[Declared, Bar, date], Iterator[Breach]]


def business_days_after(day: date, number: int, holidays: Sequence[date] = ()) -> date:
    """Count so many business days from a day on, which itself does not count: Monday to Friday, less holidays."""
    while number:
        day += timedelta(days=1)
        number -= day.weekday() < SATURDAY and day not in holidays
    return day


def _selling_accounts(declared: Declared, bar: Bar, _: date) -> Iterator[Breach]:
    number = declared.selling_accounts or 0
    if bar.limit is not None and number > bar.limit and not declared.several_accounts_permitted:
        values = {"number": number}
        if declared.several_accounts_permitted is None:
            yield Breach("/selling_accounts", "several_accounts_unexplained", values, doubtful=True)
        else:
            yield Breach("/selling_accounts", "several_accounts", values)


def _buyer_phone_use(declared: Declared, bar: Bar, _: date) -> Iterator[Breach]:
    if declared.buyer_phone_use not in bar.allowed:
        yield Breach("/buyer_phone_use", "phone_used_otherwise")


def _buyer_phone_disposed(declared: Declared, _: Bar, __: date) -> Iterator[Breach]:
    if declared.buyer_phone_disposed is False:
        yield Breach("/buyer_phone_disposed", "phone_kept")


def _buyer_data_kept_days(declared: Declared, bar: Bar, _: date) -> Iterator[Breach]:
    days = declared.buyer_data_kept_days or 0
    if bar.limit is not None and days > bar.limit:
        yield Breach("/buyer_data_kept_days", "data_kept_too_long", {"days": days, "limit": bar.limit})


def _self_paid_orders(declared: Declared, _: Bar, __: date) -> Iterator[Breach]:
    if declared.self_paid_orders:
        yield Breach("/self_paid_orders", "own_orders")


def _review_requests(declared: Declared, bar: Bar, _: date) -> Iterator[Breach]:
    """Count by order; the entry that goes beyond the limit is named, once an order, by date and then as listed."""
    numbered = list(enumerate(declared.review_requests or ()))
    numbered.sort(key=lambda one: (one[1].sent_on or date.max, one[0]))
    counted: dict[str, int] = {}
    for index, request in numbered:
        before = counted.get(request.order_id, 0)
        counted[request.order_id] = now = before + request.count
        if bar.limit is not None and before <= bar.limit < now:
            values = {"order_id": request.order_id, "limit": bar.limit}
            yield Breach(f"/review_requests/{index}", "repeated_request", values)


def _dispatches(declared: Declared, bar: Bar, as_of: date) -> Iterator[Breach]:
    for index, one in enumerate(declared.dispatches or ()):
        if one.category in bar.allowed and bar.limit is not None:
            due = business_days_after(one.confirmed_on, bar.limit, one.holidays)
            if (one.dispatched_on or as_of) > due:
                yield Breach(f"/dispatches/{index}", "dispatched_late", {"due": due, "limit": bar.limit})


def _shipping(declared: Declared, bar: Bar, _: date) -> Iterator[Breach]:
    for index, one in enumerate(declared.shipping or ()):
        if bar.share_ppm is not None and one.charged * PPM > one.carrier_standard * (PPM + bar.share_ppm):
            yield Breach(f"/shipping/{index}", "shipping_excessive", {"share_ppm": bar.share_ppm})


def _multi_packs(declared: Declared, _: Bar, __: date) -> Iterator[Breach]:
    for index, one in enumerate(declared.multi_packs or ()):
        if one.price > one.single_price * one.units:
            yield Breach(f"/multi_packs/{index}", "multi_pack_dearer")


def _listings(declared: Declared, _: Bar, __: date) -> Iterator[Breach]:
    """Name every listing whose product an earlier one has under another ASIN."""
    first: dict[str, str] = {}
    for index, one in enumerate(declared.listings or ()):
        if first.setdefault(one.gtin, one.asin) != one.asin:
            values = {"gtin": one.gtin, "asin": first[one.gtin]}
            yield Breach(f"/listings/{index}", "duplicate_listing", values)


def _media_pre_sales(declared: Declared, bar: Bar, _: date) -> Iterator[Breach]:
    for index, category in enumerate(declared.media_pre_sales or ()):
        if category in bar.allowed:
            yield Breach(f"/media_pre_sales/{index}", "media_pre_sale", {"category": category})


# How each fact is compared. `third_party_trademarks` are looked for in texts instead.
FACTS: dict[str, Compare] = {
    "selling_accounts": _selling_accounts,
    "buyer_phone_use": _buyer_phone_use,
    "buyer_phone_disposed": _buyer_phone_disposed,
    "buyer_data_kept_days": _buyer_data_kept_days,
    "self_paid_orders": _self_paid_orders,
    "review_requests": _review_requests,
    "dispatches": _dispatches,
    "shipping": _shipping,
    "multi_packs": _multi_packs,
    "listings": _listings,
    "media_pre_sales": _media_pre_sales,
}
