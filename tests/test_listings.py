"""Product listings: the cases under tests/cases, and what holds of every one."""

import json
import re
import shutil
import tomllib
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.answers.parts import dumps
from advisor.catalog import Catalog, default_data_dir
from advisor.domain import listing_wording as wording
from advisor.domain.listing import ELEMENTS, MEASURES, REQUIREMENTS, Listing, MainImage, check_listing
from advisor.domain.program import MARKETPLACES, Level
from advisor.errors import InvalidInput
from advisor.inputs.offers import MOST_BULLETS, MOST_BULLETS_TOGETHER
from advisor.messages import LISTING_MEASURES, LISTING_REASONS, Messages
from advisor.services.offers import Offers

CASES = tomllib.loads((Path(__file__).parent / "cases" / "listing.toml").read_text(encoding="utf-8"))
CATALOG = Catalog()
OFFERS = Offers(CATALOG)
BOUNDED = settings(derandomize=True, database=None, deadline=None, max_examples=200)
DAY = "2026-11-25"
WITHOUT_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text(f"a {WITHOUT_WIDTH}", max_size=4)
JUDGED = {"within_limit", "above_limit", "below_limit"}


def numbered(entries: list[dict[str, Any]]) -> list[Any]:
    """Name entries by their numbers."""
    return [pytest.param(one, id=f"{number}-{one['says'][:40]}") for number, one in enumerate(entries, start=1)]


def written(value: Any) -> Any:
    """Write out the texts of a case that are repeated."""
    if isinstance(value, dict):
        if value.keys() == {"text", "times"}:
            return value["text"] * value["times"]
        return {key: written(one) for key, one in value.items()}
    return [written(one) for one in value] if isinstance(value, list) else value


def listing_of(case: dict[str, Any]) -> dict[str, Any]:
    """Build a listing: the whole one, less what the case leaves out, with what it gives."""
    listing: dict[str, Any] = deepcopy(CASES["whole"])
    for name in case.get("without", ()):
        del listing[name]
    return {**listing, **written(case.get("given", {}))}


def checked(offers: Offers, listing: dict[str, Any], place: str = "US", day: str = DAY) -> dict[str, Any]:
    """Check one listing."""
    body = {"marketplace": place, "as_of": day, "listings": [listing]}
    (answer,) = offers.listing_checks(body, Messages())["listings"]
    found: dict[str, Any] = answer
    return found


@pytest.mark.parametrize("case", numbered(CASES["case"]))
def test_a_listing_is_answered_as_its_case_says(case: dict[str, Any]) -> None:
    answer = checked(OFFERS, listing_of(case))
    present = {one["element"]: one for one in answer["findings"] if not one["measure"] and not one["requirement"]}
    assert list(present) == list(ELEMENTS)
    for key in case.keys() & {"verdict", "missing"}:
        assert answer[key] == case[key]
    for element, expected in case.get("findings", {}).items():
        assert f"{present[element]['outcome']} {present[element]['reason']}" == expected, element
    assert present["attributes"]["names"] == case.get("names", present["attributes"]["names"])
    assert [one["message"] for one in answer["findings"] if re.search(r"\{[a-z]|`", one["message"])] == []


@pytest.mark.parametrize("case", numbered(CASES["limit"]))
def test_a_limit_holds_on_each_side(case: dict[str, Any], tmp_path: Path) -> None:
    """With a rule file that has this limit alone, from a day on and in one marketplace."""
    offers = Offers(Catalog(with_limit(tmp_path, case["element"], case["block"])))
    for row in case["row"]:
        answer = checked(offers, listing_of(row), day="2026-11-22")
        (found,) = [
            one
            for one in answer["findings"]
            if (one["element"], one["measure"], one["bullet"])
            == (case["element"], case["block"]["measure"], case.get("bullet"))
        ]
        assert f"{found['outcome']} {found['reason']}" == row["expected"], row
        assert found["observed"] == row.get("value")
        assert (found["least"], found["most"]) == (case["block"].get("least"), case["block"].get("most"))
        assert found["sources"] and found["effective_from"] == "2026-11-22"
        assert answer["verdict"] == {"met": "complete", "missed": "incomplete"}.get(found["outcome"], "undetermined")
    for place, day in (("UK", "2026-11-22"), ("US", "2026-11-21")):
        elsewhere = checked(offers, listing_of(case["row"][0]), place, day)
        assert not {one["reason"] for one in elsewhere["findings"]} & JUDGED
        assert "no_limit_in_data" in {one["reason"] for one in elsewhere["findings"]}


def with_limit(tmp_path: Path, element: str, block: dict[str, Any]) -> Path:
    """Copy the rule data, with this limit alone."""
    data = Path(shutil.copytree(default_data_dir(), tmp_path / "data"))
    file = data / "policies" / "listing.toml"
    lines = ["  [[element.limit]]", *(f"  {key} = {json.dumps(value)}" for key, value in block.items())]
    lines += ['  marketplaces = ["US"]', "  from = 2026-11-22", '  from_kind = "unknown"', '  level = "required"']
    lines += ['  basis = "guideline"', '  text = "Mend it."', '  consequence = "Made up."']
    lines += ['  sources = ["sipransh-rating"]']
    bare = re.sub(r"\n +\[\[element\.[^\n]*\n(?: [^\n]*\n)*", "", file.read_text(encoding="utf-8"))
    before, key, after = bare.partition(f'key = "{element}"')
    part, end, rest = after.partition('sources = ["')
    named, close, rest = rest.partition("\n")
    file.write_text(f"{before}{key}{part}{end}{named}{close}" + "\n".join(lines) + f"\n{rest}", encoding="utf-8")
    return data


@pytest.mark.parametrize("case", numbered(CASES["published"]))
def test_what_is_published_holds_on_each_side(case: dict[str, Any]) -> None:
    """In each marketplace and on each day that the case names."""
    for place in case["marketplaces"]:
        for day in case["days"]:
            for row in case["row"]:
                answer = checked(OFFERS, listing_of(row), place, day.isoformat())
                found = [one for one in answer["findings"] if picked(one, case)]
                assert len(found) == (row["expected"] != "none"), (place, day, row)
                for one in found:
                    assert f"{one['outcome']} {one['reason']}" == row["expected"], (place, day, row)
                    assert one["observed"] == row.get("value")
                    assert one["names"] == row.get("names", [])
                    assert (one["advice"] is not None) == (one["outcome"] == "missed")
                    if "also" in row:
                        assert [other["outcome"] for other in one["also_published"]] == row["also"], row
                assert answer["verdict"] == row.get("verdict", answer["verdict"])


def picked(finding: dict[str, Any], case: dict[str, Any]) -> bool:
    """Say whether a finding is the one a case is about."""
    keys = ("element", "measure", "requirement", "bullet")
    same = all(finding[key] == case.get(key) for key in keys)
    return same and finding["level"] == case.get("level", finding["level"])


def test_everything_that_is_published_has_a_case_on_each_side() -> None:
    """Of every block, met and missed; of one without a number, not judged."""
    seen = set()
    for case in CASES["published"]:
        for row in case["row"]:
            what = case.get("measure"), case.get("requirement")
            outcome = row["expected"].split()[0]
            seen |= {
                (case["element"], *what, place, day, outcome) for place in case["marketplaces"] for day in case["days"]
            }
    for element in CATALOG.listing.elements:
        blocks = [((limit.measure, None), limit, limit.least or limit.most) for limit in element.limits]
        blocks += [((None, one.kind), one, 1) for one in element.requirements]
        for what, block, number in blocks:
            outcomes = {
                outcome
                for (key, *of, place, day, outcome) in seen
                if key == element.key
                and tuple(of) == what
                and place in block.marketplaces
                and block.validity.covers(day)
            }
            expected = {"met", "missed"} if number else {"not_applicable"}
            assert expected <= outcomes, (element.key, what, sorted(block.marketplaces))


def test_limits_of_bytes_have_cases_in_chinese_and_japanese() -> None:
    given = [
        row["given"] for case in CASES["limit"] if case["block"]["measure"].startswith("bytes") for row in case["row"]
    ]
    given += [
        row["given"]
        for case in CASES["published"]
        if case.get("measure", "").startswith("bytes")
        for row in case["row"]
    ]
    texts = "".join(text for one in given for text in written(one).values() if isinstance(text, str))
    assert "锤" in texts and "ハ" in texts and "é" in texts


def test_a_title_is_held_against_what_others_print() -> None:
    """Of the United Kingdom an older page has 150, of Japan 50, and the field itself takes 200."""

    def also(place: str, length: int) -> list[tuple[int, str]]:
        findings = checked(OFFERS, {**CASES["whole"], "title": "a" * length}, place)["findings"]
        (title,) = [one for one in findings if (one["element"], one["measure"]) == ("title", "characters")]
        assert title["most"] == 75
        return [(one["most"], one["outcome"]) for one in title["also_published"]]

    assert also("US", 200) == [(200, "met")]
    assert also("UK", 151) == [(200, "met"), (150, "missed")]
    assert also("UK", 150) == [(200, "met"), (150, "met")]
    assert also("JP", 51) == [(200, "met"), (50, "missed")]
    assert also("JP", 201) == [(200, "missed"), (50, "missed")]


@pytest.mark.parametrize(
    ("part", "said", "advice"),
    [
        (
            {"description": "A <b>good</b> hammer"},
            "Description: HTML is not allowed: <b> and </b>.",
            "Take the HTML tags out of the description, and keep the words between them.",
        ),
        ({"description": ""}, "Description: none is there, so this is missing.", "Write a description with what"),
        (
            {"images": 1},
            "Images, how many: 1. Asked for: 6 or more. It is below that, so it is missed.",
            "Add more images of the product.",
        ),
        (
            {"main_image": {"format": "animated_gif"}},
            "the format is not allowed: animated GIF. Allowed are JPEG, PNG, TIFF, and GIF without animation.",
            "Save the main image in one of these formats, as a still image.",
        ),
    ],
)
def test_the_advice_is_about_what_is_broken(part: dict[str, Any], said: str, advice: str) -> None:
    """What a whole description has is no help where it only has tags."""
    answer = checked(OFFERS, {**CASES["whole"], **part})
    (found,) = [one for one in answer["findings"] if said in one["message"]]
    assert found["advice"].startswith(advice)


def test_what_is_advised_does_not_decide() -> None:
    """Every finding that is missed is advice, and the listing is complete all the same."""
    listing = {**CASES["whole"], "images": 1, "bullet_points": ["One"], "item_highlights": "a" * 126}
    listing["main_image"] = {**listing["main_image"], "longest_side": 500}
    answer = checked(OFFERS, listing)
    missed = [one for one in answer["findings"] if one["outcome"] == "missed"]
    assert {one["level"] for one in missed} == {"advisory"} and len(missed) == 4
    assert answer["verdict"] == "complete"


@pytest.mark.parametrize("case", numbered(CASES["refused"]))
def test_a_listing_that_cannot_be_used_is_refused_with_pointer_and_code(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked(OFFERS, listing_of(case))
    assert [(one.pointer, one.code) for one in caught.value.problems] == [(case["pointer"], case["code"])]


def test_a_request_has_so_many_bullet_points_and_no_more() -> None:
    """Each is answered, so the answer to a small request would be a large one."""
    full = {"title": "Hammer", "bullet_points": ["!"] * MOST_BULLETS}
    body = {"marketplace": "US", "as_of": DAY, "listings": [full] * (MOST_BULLETS_TOGETHER // MOST_BULLETS)}
    assert len(dumps(OFFERS.listing_checks(body, Messages()))) < 15_000_000
    with pytest.raises(InvalidInput) as caught:
        OFFERS.listing_checks({**body, "listings": [*body["listings"], {"bullet_points": ["!"]}]}, Messages())
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code) == ("/listings", "wrong_length")
    assert problem.detail.startswith("These listings have 1001 bullet points together;")


def test_what_was_found_is_named_alike_in_every_language() -> None:
    """Only its sentence changes."""
    body = {"marketplace": "US", "as_of": DAY, "listings": [{"main_image": {"format": "animated_gif"}}]}
    found = [
        one
        for messages in (Messages(), Messages("zh_Hans"))
        for one in OFFERS.listing_checks(body, messages)["listings"][0]["findings"]
        if one["requirement"] == "format"
    ]
    assert [one["names"] for one in found] == [["animated_gif"]] * 2
    assert "animated GIF" in found[0]["message"] and "\u52a8\u6001GIF" in found[1]["message"]


def test_every_reason_of_a_listing_is_met_in_a_case() -> None:
    expected = {one.split()[1] for case in CASES["case"] for one in case.get("findings", {}).values()}
    expected |= {row["expected"].split()[1] for case in CASES["limit"] for row in case["row"]}
    rows = [row["expected"] for case in CASES["published"] for row in case["row"]]
    expected |= {one.split()[1] for one in rows if one != "none"}
    assert expected == LISTING_REASONS.keys()
    measures = {case["block"]["measure"] for case in CASES["limit"]}
    assert measures == LISTING_MEASURES.keys() == {one for several in MEASURES.values() for one in several}


def lacking(listing: Listing) -> set[str]:
    """Say which required parts a listing shows nothing of, or not all."""

    def shown(text: str | None) -> bool:
        return any(not one.isspace() and one not in WITHOUT_WIDTH for one in text or "")

    attributes, required = listing.attributes or {}, listing.required_attributes
    there = {
        "title": shown(listing.title),
        "bullet_points": bool(listing.bullet_points) and all(map(shown, listing.bullet_points)),
        "description": shown(listing.description),
        "images": bool(listing.images),
        "main_image": listing.main_image not in (None, MainImage()),
        "attributes": listing.attributes is not None
        and required is not None
        and all(shown(attributes.get(name)) for name in required),
        "gtin": bool(listing.gtin_exempt) or shown(listing.gtin),
    }
    return {name for name, given in there.items() if not given}


@BOUNDED
@given(
    listing=st.builds(
        Listing,
        title=st.none() | TEXTS,
        item_highlights=st.none() | TEXTS,
        bullet_points=st.none() | st.lists(TEXTS, max_size=5).map(tuple),
        description=st.none() | TEXTS,
        search_terms=st.none() | TEXTS,
        images=st.none() | st.integers(0, 1000),
        main_image=st.none() | st.builds(MainImage, longest_side=st.none() | st.integers(1, 20_000)),
        attributes=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=4),
        required_attributes=st.none() | st.lists(TEXTS, max_size=4, unique=True).map(tuple),
        gtin=st.none() | TEXTS | st.from_regex(r"[0-9]{6,16}", fullmatch=True),
        gtin_exempt=st.none() | st.booleans(),
        media=st.none() | st.booleans(),
    ),
    place=st.sampled_from(MARKETPLACES),
    day=st.dates(date(2017, 1, 1), date(2028, 1, 1)),
)
def test_any_listing_of_any_script_is_answered(listing: Listing, place: str, day: date) -> None:
    """What is missing is what the listing shows nothing of; a text is never shorter in bytes than in code points."""
    check = check_listing(CATALOG.listing, listing, place, day)
    assert set(check.missing) == lacking(listing)
    assert check.verdict != "complete"
    by_measure = {(one.element.key, one.bullet, one.measure): one.value for one in check.measured}
    for (element, bullet, measure), value in by_measure.items():
        if measure == "bytes" and (element, bullet, "characters") in by_measure:
            assert by_measure[element, bullet, "characters"] <= value  # type: ignore[operator]
        if measure == "bytes" and (element, bullet, "bytes_of_words") in by_measure:
            assert by_measure[element, bullet, "bytes_of_words"] <= value  # type: ignore[operator]
    for one in check.kept:
        assert bool(one.names) == (one.reason.endswith("_found") and not one.reason.endswith("not_found")) or not (
            one.reason.endswith("found")
        )


@BOUNDED
@given(digits=st.from_regex(r"[0-9]{12}", fullmatch=True))
def test_one_check_digit_in_ten_is_right(digits: str) -> None:
    """And leading zeros, by which a shorter number becomes a longer one, change nothing."""
    right = [last for last in "0123456789" if wording.check_digit_right(digits + last)]
    assert len(right) == 1
    assert wording.check_digit_right(f"0{digits}{right[0]}")


def test_a_long_text_is_looked_through_in_time_that_grows_with_it() -> None:
    """Of texts made to be slow: the time for ten times the text is no more than thirty times that of the text."""
    from time import process_time

    def spent(text: str) -> float:
        start = process_time()
        for element, kinds in REQUIREMENTS.items():
            if "tags" in kinds:
                check_listing(
                    CATALOG.listing,
                    Listing(**{element: (text,) if element == "bullet_points" else text}),
                    "US",
                    date(2026, 11, 25),
                )
        return process_time() - start

    for part in ("<a ", "free ", "a'", "eco-", "B0", "1 "):
        short, long = (min(spent(part * (times // len(part))) for _ in range(3)) for times in (1_000, 10_000))
        assert long < 30 * short + 0.05, part


# The rule file


def test_every_part_says_what_to_do_and_where_it_stands() -> None:
    rules = CATALOG.listing
    assert [element.key for element in rules.elements] == list(ELEMENTS)
    assert all(element.text.endswith(".") and element.why.endswith(".") for element in rules.elements)
    assert all(one.sources for one in rules.doubts)
    assert rules.small_words and all(word == word.casefold() for word in rules.small_words)
    for element in rules.elements:
        for block in (*element.limits, *element.requirements):
            assert block.level is not Level.REQUIRED or block.consequence


def test_the_rules_are_among_the_numbers_that_somebody_confirms() -> None:
    files = [one.place for one in CATALOG.confirmations() if one.file == "policies/listing.toml"]
    assert len(files) > 20 and any(place.startswith("gtin, digits") for place in files)
