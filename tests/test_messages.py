"""The catalogs: every message that is said is in each of them, translated, with its placeholders."""

import re
from datetime import date
from pathlib import Path
from string import Formatter

import pytest

from advisor.messages import (
    CATALOG,
    LISTING_ALSO,
    LISTING_REASONS,
    PRE_SALE_EFFECTS,
    PRE_SALE_REASONS,
    REASONS,
    TEXTS,
    TRANSLATIONS,
    TREND_REASONS,
    available_locales,
    messages_in,
    negotiate,
)
from tests.catalogs import read, template

LOCALES = [name for name in available_locales() if name != "en"]
WANTED = template()
NAME = re.compile(r"[a-z_]+")


def placeholders(text: str) -> list[str]:
    """Name what is filled in. A message that nothing is filled into may show braces, such as those of JSON."""
    names = sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)
    return names if any(NAME.fullmatch(name) for name in names) else []


@pytest.mark.parametrize("locale", LOCALES)
def test_every_message_is_translated_and_keeps_its_placeholders(locale: str) -> None:
    catalog = read(TRANSLATIONS / locale / CATALOG)
    said = {one.id for one in WANTED if one.id}
    assert {one.id for one in catalog if one.id} == said, "run `make messages`"
    for one in catalog:
        if one.id:
            assert one.string, one.id
            assert not one.fuzzy, one.id
            assert placeholders(one.string) == placeholders(one.id), one.id
            assert one.string == one.string.strip(), one.id


def test_sentences_are_right_for_one_and_for_many() -> None:
    """A name may be one of many things (violations), and a number may be 1: no verb or noun agrees with either.

    Only of rates, which are named in the singular, something is said about their components.
    """
    lists = (REASONS, TREND_REASONS, PRE_SALE_REASONS, PRE_SALE_EFFECTS, LISTING_REASONS, LISTING_ALSO, TEXTS)
    for message in (message for several in lists for message in several.values()):
        if "component" not in message:
            assert not re.search(r"\{label\} (is|are|moves|does|goes)\b", message), message
        assert not re.search(r"\{\w+\} (are|more|fewer|units|days|pre-orders|times|lead)\b", message), message


def test_messages_name_their_placeholders() -> None:
    for one in WANTED:
        assert all(NAME.fullmatch(name) for name in placeholders(one.id)), one.id


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        (["zh-CN"], "zh-Hans"),
        (["zh"], "zh-Hans"),
        (["zh-Hans-SG"], "zh-Hans"),
        (["zh_Hans"], "zh-Hans"),
        (["ZH-hant-TW"], "zh-Hans"),
        (["en-GB", "zh"], "en"),
        (["fr", "zh", "en"], "zh-Hans"),
        (["fr"], "en"),
        ([], "en"),
        (["*", "\x00", "zh-" + "x" * 5000, "../../etc"], "zh-Hans"),
        (["../../etc", "-", "_", "zz"], "en"),
    ],
)
def test_the_best_language_is_picked(wanted: list[str], got: str) -> None:
    assert negotiate(wanted).tag == got


def test_numbers_dates_and_money_follow_the_language() -> None:
    english, chinese = messages_in("en"), messages_in("zh_Hans")
    assert english.day(date(2026, 11, 25)) == "November 25, 2026"
    assert chinese.day(date(2026, 11, 25)) == "2026年11月25日"
    assert english.money("1234.5", "USD") == "$1,234.50"
    assert chinese.money("1235", "JPY") == "JP¥1,235"
    assert english.fraction("0.0045") == "0.45%"
    assert english.percent(-4500) == "−0.45%"
    assert english.number(1200) == "1,200"


def test_no_message_is_put_together_in_a_template() -> None:
    """What a template says is written there, whole, or comes from a list of `advisor.messages` or the data."""
    templates = Path(str(TRANSLATIONS)).parent / "web" / "templates"
    for path in templates.rglob("*.html"):
        for said in re.findall(r"say\(([^()]*(?:\([^()]*\)[^()]*)*)\)", path.read_text("utf-8")):
            assert "~" not in said.split(",")[0], f"{path.name}: {said}"
