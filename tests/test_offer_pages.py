"""The pages that check a planned pre-sale and a listing: the API's answer, shown."""

import html
import re
from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient

from advisor.services.calculations import today
from advisor.web.pages.offers import LISTING_EXAMPLE, pre_sale_example

PRE_SALE_EXAMPLE = pre_sale_example(today())
PAGES = {"pre-sale": PRE_SALE_EXAMPLE, "listing": LISTING_EXAMPLE}


def errors(page: str) -> dict[str, str]:
    return {name: html.unescape(text) for name, text in re.findall(r'<li><a href="#([^"]+)">(.*?)</a>', page)}


def send(client: FlaskClient, name: str, typed: dict[str, str], status: int = 200) -> str:
    response = client.post(f"/checks/{name}", data={**typed, "go": "check"})
    assert response.status_code == status, response.text
    return response.text


def test_the_list_leads_to_every_check(client: FlaskClient) -> None:
    page = client.get("/checks").text
    assert 'href="/">Programs in reach' in page
    for name in PAGES:
        assert f'href="/checks/{name}"' in page
        assert client.get(f"/checks/{name}").status_code == 200


@pytest.mark.parametrize("name", PAGES)
def test_an_example_is_filled_in_and_checked(client: FlaskClient, name: str) -> None:
    page = client.post(f"/checks/{name}", data={"go": "example"}).text
    for value in PAGES[name].values():
        assert html.escape(value.splitlines()[0], quote=False) in page
    assert 'id="verdict"' not in page
    assert 'id="verdict"' in send(client, name, PAGES[name])


def test_a_pre_sale_gets_the_answer_of_the_api(client: FlaskClient) -> None:
    body = {
        "marketplace": "US",
        "as_of": today().isoformat(),
        "kind": "pre_order",
        "listed_on": PRE_SALE_EXAMPLE["listed_on"],
        "release_on": PRE_SALE_EXAMPLE["release_on"],
        "promised_ship_on": PRE_SALE_EXAMPLE["promised_ship_on"],
        "holidays": [PRE_SALE_EXAMPLE["holidays"]],
        "fulfillment": "seller",
        "stock_secured": 150,
        "expected_units": 200,
        "handling_days": 1,
        "return_policy_stated": True,
        "selling_plan": "professional",
        "established_in": "US",
        "line": {"category": "jewelry", "price": "300", "unit_cost": "180", "fulfillment_cost": "9.5"},
        "metrics": {
            "late_shipment_rate": {"count": 4, "of": 600, "window_days": 30},
            "pre_fulfillment_cancellation_rate": {"count": 1, "of": 150, "window_days": 7},
        },
        "late_share": "0.05",
        "cancelled_share": "0.01",
    }
    answer = client.post("/v1/pre-sale-checks", json=body).get_json()
    page = html.unescape(send(client, "pre-sale", PRE_SALE_EXAMPLE))
    said = [answer["message"], answer["margin"]["message"]]
    said += [one["message"] for one in answer["findings"]] + [one["message"] for one in answer["effects"]]
    said += [one["text"] for one in answer["calendar"]] + [one["note"] for one in answer["calendar"] if one["note"]]
    assert len(said) > 15
    assert [sentence for sentence in said if sentence not in page] == []


def test_the_example_of_a_pre_sale_lies_ahead_of_every_day() -> None:
    example = pre_sale_example(date(2027, 5, 1))
    dates = {name: example[name] for name in ("listed_on", "release_on", "promised_ship_on", "holidays")}
    assert dates == {
        "listed_on": "2027-06-04",
        "release_on": "2027-07-04",
        "promised_ship_on": "2027-07-06",
        "holidays": "2027-07-05",
    }
    for number in range(7):
        day = date(2028, 2, 25) + timedelta(days=number)
        release = date.fromisoformat(pre_sale_example(day)["release_on"])
        assert release.weekday() == 6 and 60 <= (release - day).days <= 66


def test_a_listing_gets_the_answer_of_the_api(client: FlaskClient) -> None:
    listing = {
        "title": "Example Tools claw hammer, 450 g, ash handle",
        "item_highlights": "Forged steel head, handle of ash, 33 cm long",
        "bullet_points": ["Forged steel head of 450 g", "Handle of ash, 33 cm long"],
        "search_terms": "nail puller carpenter joiner",
        "images": 3,
        "main_image": {"longest_side": 1600, "filled_percent": 90, "format": "jpeg", "white_background": True},
        "attributes": {"brand": "Example Tools", "head_material": "steel"},
        "required_attributes": ["brand", "head_material", "item_weight"],
        "gtin": "4006381333931",
    }
    answer = client.post("/v1/listing-checks", json={"marketplace": "US", "listings": [listing]}).get_json()
    page = html.unescape(send(client, "listing", LISTING_EXAMPLE))
    findings = answer["listings"][0]["findings"]
    said = [one["message"] for one in findings]
    said += [other["message"] for one in findings for other in one["also_published"]]
    said += [one["note"] for one in findings if one["note"]]
    assert len(said) >= 40
    assert [sentence for sentence in said if sentence not in page] == []


@pytest.mark.parametrize(
    ("name", "typed", "field", "says"),
    [
        ("pre-sale", {"listed_on": ""}, "listed_on", "Type the day"),
        ("pre-sale", {"listed_on": "4 June"}, "listed_on", "year, month and day"),
        ("pre-sale", {"holidays": "2027-07-05, soon"}, "holidays", "year, month and day"),
        ("pre-sale", {"stock_secured": "some"}, "stock_secured", "whole number"),
        ("pre-sale", {"price": "1,234"}, "price", "two ways"),
        ("pre-sale", {"price": ""}, "price", "Price for one: Type the price for one, or leave fee category"),
        ("pre-sale", {"category": ""}, "category", "Fee category: Choose the fee category, or leave price"),
        ("pre-sale", {"late_count": "700"}, "late_count", "There cannot be 700 of 600. Type at most 600 here"),
        ("pre-sale", {"late_count": ""}, "late_count", "Type how many there were; 0 if there were none"),
        (
            "pre-sale",
            {"cancelled_of": ""},
            "cancelled_of",
            "Cancellations, 7 days, Of how many orders in all: Type how many",
        ),
        ("pre-sale", {"restock_on": "2027-07-04"}, "restock_on", "Empty this, and type the release date"),
        ("pre-sale", {"fulfillment": "seller_prime", "prime": "false"}, "prime", "Choose another answer here"),
        ("pre-sale", {"late_share": "0.005"}, "late_share", "if you mean 0.5 %, type that"),
        ("listing", {"images": "-1"}, "images", "whole number"),
        ("listing", {"longest_side": "0"}, "longest_side", "from 1 to"),
        ("listing", {"filled_percent": "101"}, "filled_percent", "from 0 to 100"),
        ("listing", {"attributes": "no colon"}, "attributes", "no colon"),
    ],
)
def test_a_mistake_is_told_beside_its_field(
    client: FlaskClient, name: str, typed: dict[str, str], field: str, says: str
) -> None:
    page = send(client, name, {**PAGES[name], **typed}, 422)
    told = errors(page)
    assert list(told) == [field]
    assert says in told[field]
    assert f'id="{field}-says"' in page
    assert "<title>Error: " in page
    assert html.escape(typed[field]) in page


def test_all_that_is_missing_is_told_at_once(client: FlaskClient) -> None:
    typed = {"marketplace": "US", "kind": "pre_order", "unit_cost": "5", "late_count": "5"}
    assert list(errors(send(client, "pre-sale", typed, 422))) == [
        "listed_on",
        "release_on",
        "category",
        "price",
        "late_of",
    ]
    typed = {**typed, "kind": "back_order", "restock_on": "soon", "handling_days": "many"}
    told = errors(send(client, "pre-sale", typed, 422))
    assert list(told) == ["listed_on", "restock_on", "handling_days", "category", "price", "late_of"]
    assert "year, month and day" in told["restock_on"]


def test_a_list_of_another_marketplace_is_chosen_from_again(client: FlaskClient) -> None:
    typed = {**PRE_SALE_EXAMPLE, "marketplace": "DE"}
    assert errors(send(client, "pre-sale", typed, 422)) == {
        "category": "Fee category: What was chosen before is not in this list. Choose again."
    }
    assert 'id="verdict"' in send(client, "pre-sale", {**typed, "category": "jewellery"})


def test_what_is_left_empty_is_unknown(client: FlaskClient) -> None:
    typed = {"marketplace": "US", "kind": "pre_order"}
    typed |= {name: PRE_SALE_EXAMPLE[name] for name in ("listed_on", "release_on")}
    assert "Undetermined" in send(client, "pre-sale", typed)
    page = client.get("/checks/pre-sale").text
    prime = re.search(r'<select id="prime".*?</select>', page, re.DOTALL)
    assert prime
    assert re.findall(r'value="(\w+)"', prime[0])[0] == "unknown"
    assert "Undetermined" in send(client, "listing", {"marketplace": "US"})


def test_a_listing_without_images_has_no_main_image(client: FlaskClient) -> None:
    told = errors(send(client, "listing", {**LISTING_EXAMPLE, "images": "0"}, 422))
    assert any("there is no main one" in words for words in told.values())


def test_what_a_listing_breaks_is_shown_with_what_follows(client: FlaskClient) -> None:
    typed = {**LISTING_EXAMPLE, "title": "Hammer! " * 10, "bullet_points": "Eco-friendly\n<b>", "media": "unknown"}
    page = html.unescape(send(client, "listing", typed))
    for told in (
        "Title, characters: 80. Asked for: at most 75. It is above that, so it is missed.",
        "Title: these characters are not allowed: !.",
        "Title: these words stand there more often than is allowed (2): hammer.",
        "Bullet point 1: these phrases are not allowed: eco-friendly.",
        "Amazon may correct a longer title by itself",
        "Elsewhere stands: at most 200 (characters). By that it is met, with 80.",
    ):
        assert told in page, told
    assert "Title, characters: 80. The limit does not hold for media" in html.unescape(
        send(client, "listing", {**typed, "media": "true"})
    )


def test_full_width_signs_part_days_and_attributes(client: FlaskClient) -> None:
    days = {**PRE_SALE_EXAMPLE, "holidays": "2027-07-05\uff0c2027-07-06"}
    assert 'id="verdict"' in send(client, "pre-sale", days)
    assert 'id="verdict"' in send(client, "listing", {"marketplace": "US", "attributes": "brand\uff1aExample"})


def test_hostile_text_is_shown_as_text(client: FlaskClient) -> None:
    hostile = '</textarea><script>alert("x")</script>'
    typed = {"marketplace": "US", "title": hostile, "bullet_points": hostile, "attributes": f"{hostile}: {hostile}"}
    page = send(client, "listing", typed)
    assert "<script>alert" not in page


def test_the_stages_are_those_of_the_api(client: FlaskClient) -> None:
    page = html.unescape(client.get("/checks/stages").text)
    stages = client.get("/v1/stages").get_json()["stages"]
    assert len(stages) == 5
    for stage in stages:
        said = [stage["label"], stage["summary"], *(one["text"] for one in stage["checklist"] + stage["remedies"])]
        assert [sentence for sentence in said if sentence not in page] == []
