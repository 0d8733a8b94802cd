"""Numbers as people type them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.web.pages.typed import Mistyped, read_amount, read_count, read_percent


def wide(text: str) -> str:
    """Write ASCII as the full-width signs of East Asian keyboards."""
    return "".join(chr(ord(sign) + 0xFEE0) for sign in text)


@pytest.mark.parametrize(
    ("typed", "count"),
    [
        ("0", 0),
        ("12", 12),
        ("1,200", 1200),
        ("1.200", 1200),
        ("1 200", 1200),
        ("1\u00a0200", 1200),
        ("1'200", 1200),
        (wide("1200"), 1200),
        (" 7 ", 7),
        ("1,000,000,000", 10**9),
        ("007", 7),
    ],
)
def test_whole_numbers_may_be_grouped(typed: str, count: int) -> None:
    assert read_count(typed) == count


@pytest.mark.parametrize(
    "typed", ["", "twelve", "12.5", "1,20", "-3", "1e3", "1000000001", "9" * 400, "1,2,3", "٣", "½"]
)
def test_what_is_no_whole_number_is_told_so(typed: str) -> None:
    with pytest.raises(Mistyped, match="Type a whole number such as 12"):
        read_count(typed)


@pytest.mark.parametrize(
    ("typed", "fraction"),
    [
        ("0", "0"),
        ("0.45", "0.0045"),
        ("0,45", "0.0045"),
        ("0.45 %", "0.0045"),
        (wide("0.45%"), "0.0045"),
        (".5", "0.005"),
        ("98.1", "0.981"),
        ("100", "1"),
        ("100.0000000", "1"),
        ("0.01", "0.0001"),
        ("1.234", "0.01234"),
        ("33.3333333", "0.333333333"),
    ],
)
def test_percentages_become_exact_fractions(typed: str, fraction: str) -> None:
    assert read_percent(typed) == fraction


def test_a_tiny_percentage_is_asked_about() -> None:
    with pytest.raises(Mistyped, match=r"We read this as 0\.005 %.*if you mean 0\.5 %, type that") as asked:
        read_percent("0.005")
    assert asked.value.unsure
    assert read_percent("0.005", sure=True) == "0.00005"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("100.1", "at most 100"),
        ("120 %", "at most 100"),
        ("half", "Type a percentage such as"),
        ("", "Type a percentage such as"),
        (".", "Type a percentage such as"),
        ("1.2.3", "Type a percentage such as"),
        ("-1", "Type a percentage such as"),
        ("33.33333333", "at most 7 decimals"),
    ],
)
def test_what_is_no_percentage_is_told_so(typed: str, says: str) -> None:
    with pytest.raises(Mistyped, match=says) as refused:
        read_percent(typed)
    assert not refused.value.unsure


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("40", "40"),
        ("40.00", "40"),
        ("$40", "40"),
        ("40 €", "40"),
        ("US$ 12.50", "12.5"),
        ("EUR 12,50", "12.5"),
        ("1,234.50", "1234.5"),
        ("1.234,50", "1234.5"),
        ("1 234,5", "1234.5"),
        ("1,234,567", "1234567"),
        ("1.234.567,89", "1234567.89"),
        (wide("12.5"), "12.5"),
        ("0.125", None),
        ("1234", "1234"),
        ("￥1200", "1200"),
    ],
)
def test_amounts_have_separators_and_currencies(typed: str, amount: str | None) -> None:
    if amount is None:
        with pytest.raises(Mistyped, match="at most 2 decimals"):
            read_amount(typed, 2)
    else:
        assert read_amount(typed, 2) == amount


@pytest.mark.parametrize("typed", ["1,234", "1.234", "12,345", "$1,234"])
def test_an_amount_that_can_be_read_two_ways_is_asked_about(typed: str) -> None:
    with pytest.raises(Mistyped, match="can be read two ways"):
        read_amount(typed, 2)


def test_a_currency_without_decimals_takes_none() -> None:
    assert read_amount("1200", 0) == "1200"
    with pytest.raises(Mistyped, match="this currency has no decimals"):
        read_amount("12.5", 0)


@given(st.text(max_size=60))
def test_nothing_that_is_typed_breaks_the_readers(typed: str) -> None:
    for read in (read_count, read_percent, lambda text: read_amount(text, 2)):
        with suppress(Mistyped):
            read(typed)


@given(st.integers(0, 10**9))
def test_every_count_is_read_back_with_and_without_groups(number: int) -> None:
    assert read_count(str(number)) == read_count(f"{number:,}") == number


@given(st.integers(0, 10**11))
def test_every_amount_is_read_back(cents: int) -> None:
    written = f"{cents // 100}.{cents % 100:02d}"
    assert read_amount(written, 2) == (written.rstrip("0").rstrip("."))
    if cents >= 10**8:  # two separators tell which is which
        assert read_amount(f"{cents // 100:,}.{cents % 100:02d}", 2) == written.rstrip("0").rstrip(".")


def test_a_large_percentage_that_can_be_read_two_ways_is_asked_about() -> None:
    with pytest.raises(Mistyped, match="can be read two ways"):
        read_percent("1,500", most=10_000)
    assert read_percent("1500", most=10_000) == "15"


def test_yen_have_no_decimals_and_so_one_reading() -> None:
    assert read_amount("1,200", 0, "JPY") == "1200"
    assert read_amount("￥1,200", 0, "JPY") == "1200"


@pytest.mark.parametrize(("typed", "currency"), [("$40", "USD"), ("US$40", "USD"), ("40 usd", "USD"), ("€40", "EUR")])
def test_the_sign_of_the_currency_may_be_typed(typed: str, currency: str) -> None:
    assert read_amount(typed, 2, currency) == "40"


@pytest.mark.parametrize("typed", ["€40", "EUR 40", "40 JPY", "¥40"])
def test_the_sign_of_another_currency_is_a_mistake(typed: str) -> None:
    with pytest.raises(Mistyped, match="Type the amount in USD"):
        read_amount(typed, 2, "USD")
