"""The page that checks texts against the red lines."""

import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema
from marshmallow.fields import List, Nested

from advisor.catalog import Catalog
from advisor.errors import Problem, say
from advisor.inputs.red_lines import DeclaredSchema, TextSchema
from advisor.inputs.values import Day, Flag, Word
from advisor.messages import messages_in
from advisor.web.pages.asking import Wording, ask
from advisor.web.pages.plain import PlainForm
from advisor.web.pages.red_lines import EXAMPLE, marked

# Every list, with a row that breaks its rule, one that does not, and an empty one in between.
LISTS = {
    "marketplace": "DE",
    "review_requests_1_order_id": "303-1",
    "review_requests_1_count": "1",
    "review_requests_3_order_id": "303-1 ",
    "review_requests_3_sent_on": "2026-11-09",
    "dispatches_1_category": "other",
    "dispatches_1_confirmed_on": "2026-11-02",
    "dispatches_3_category": "video_games",
    "dispatches_3_confirmed_on": "2026-11-02",
    "dispatches_3_dispatched_on": "2026-11-06",
    "dispatches_3_holidays": "2026-11-03",
    "shipping_2_charged": "12,50",
    "shipping_2_carrier_standard": "\u20ac5",
    "multi_packs_2_price": "30",
    "multi_packs_2_units": "3",
    "multi_packs_2_single_price": "9.5",
    "listings_1_asin": "b000 exampl",
    "listings_1_gtin": "4006381-333931",
    "listings_3_asin": "B000EXAMP2",
    "listings_3_gtin": "04006381333931",
    "media_pre_sales_music": "true",
    "media_pre_sales_other": "true",
    "third_party_trademarks": "Acme",
}
LISTS_BODY: dict[str, Any] = {
    "marketplace": "DE",
    "facts": {
        "review_requests": [{"order_id": "303-1", "count": 1}, {"order_id": "303-1", "sent_on": "2026-11-09"}],
        "dispatches": [
            {"category": "other", "confirmed_on": "2026-11-02"},
            {
                "category": "video_games",
                "confirmed_on": "2026-11-02",
                "dispatched_on": "2026-11-06",
                "holidays": ["2026-11-03"],
            },
        ],
        "shipping": [{"charged": "12.5", "carrier_standard": "5"}],
        "multi_packs": [{"price": "30", "units": 3, "single_price": "9.5"}],
        "listings": [
            {"asin": "B000EXAMPL", "gtin": "4006381333931"},
            {"asin": "B000EXAMP2", "gtin": "04006381333931"},
        ],
        "media_pre_sales": ["music", "other"],
        "third_party_trademarks": ["Acme"],
    },
}
# Where each finding of it says that it comes from.
ORIGINS = {
    "/facts/review_requests/0": ("review_requests_1", "Request 1"),
    "/facts/dispatches/1": ("dispatches_3", "Order 3"),
    "/facts/shipping/0": ("shipping_2", "Shipping fee 2"),
    "/facts/multi_packs/0": ("multi_packs_2", "Multi-pack 2"),
    "/facts/listings/1": ("listings_3", "Listing 3"),
    "/facts/media_pre_sales/0": ("media_pre_sales_music", "Media that you offer before the release, Music"),
}


def send(client: FlaskClient, typed: dict[str, str], status: int = 200, go: str = "check") -> str:
    response = client.post("/checks/red-lines", data={**typed, "go": go})
    assert response.status_code == status, response.text
    return response.text


def errors(page: str) -> dict[str, str]:
    return {name: html.unescape(text) for name, text in re.findall(r'<li><a href="#([^"]+)">(.*?)</a>', page)}


def typed_into(page: str) -> dict[str, str]:
    """Give what the fields of the page hold: texts, hidden fields, ticked boxes."""
    found = {}
    for tag in re.findall(r"<input [^>]*>", page):
        one = {name: html.unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        if one["type"] != "checkbox" or " checked" in tag:
            found[one["name"]] = one["value"]
    return {name: value for name, value in found.items() if value}


def opened(page: str) -> list[str]:
    return re.findall(r'<details class="subject" open><summary>(.*?)</summary>', page)


def test_the_text_is_shown_with_what_the_api_found(client: FlaskClient) -> None:
    body = {
        "marketplace": "US",
        "texts": [{"kind": "message", "text": EXAMPLE["text"]}],
        "facts": {
            "selling_accounts": 2,
            "several_accounts_permitted": True,
            "review_requests": [
                {
                    "order_id": EXAMPLE[f"review_requests_{row}_order_id"],
                    "sent_on": EXAMPLE[f"review_requests_{row}_sent_on"],
                }
                for row in (1, 2, 3)
            ],
        },
    }
    answer = client.post("/v1/policy-checks", json=body).get_json()
    assert answer["verdict"] == "prohibited"
    page = html.unescape(send(client, EXAMPLE))
    said = [answer["message"], *(one["message"] for one in [*answer["findings"], *answer["unchecked"]])]
    assert [sentence for sentence in said if sentence not in page] == []
    found = re.findall(r"<mark>(.*?)</mark>", page)
    assert found
    for one in answer["findings"]:
        if one["matched"]:
            assert any(one["matched"] in piece or piece in one["matched"] for piece in found)
    passage = re.search(r'<p class="passage"[^>]*>(.*?)</p>', page, re.DOTALL)
    assert passage
    assert re.sub(r"</?mark>", "", passage[1]) == EXAMPLE["text"]


def test_a_plain_order_message_passes(client: FlaskClient) -> None:
    text = "Hello, the spare part that you asked for is packed today. Your order number is 123-1234567-1234567."
    page = send(client, {"marketplace": "US", "kind": "message", "text": text, "reply": "true"})
    assert "<mark>" not in page
    assert "Prohibited" not in page
    assert "Nothing was found that speaks against it." in page


def test_the_language_of_a_text_can_be_said(client: FlaskClient) -> None:
    typed = {"marketplace": "US", "kind": "listing_title", "text": "Claw hammer, 450 g, ash handle"}
    assert "Not read: " in send(client, typed)
    assert "Nothing was found that speaks against it." in send(client, {**typed, "language": "en"})
    assert "Not read: " in send(client, {**typed, "language": "und"})
    field = re.search(r'<select id="language".*?</select>', client.get("/checks/red-lines").text, re.DOTALL)
    assert field and re.findall(r'value="(\w*)"', field[0])[-3:] == ["en", "zh", "und"]


def test_what_is_not_listed_is_counted(client: FlaskClient) -> None:
    page = send(client, {"marketplace": "US", "kind": "message", "text": "t.me/a " * 107})
    assert len(re.findall(r'<article class="finding', page)) == page.count("<mark>") == 100
    assert "Links that lead off Amazon: further findings that are not listed: 7." in page


def test_facts_alone_can_be_checked(client: FlaskClient) -> None:
    page = send(client, {"marketplace": "US", "selling_accounts": "2", "several_accounts_permitted": "false"})
    assert "Prohibited" in page
    assert 'class="passage"' not in page


# Lists of facts


def test_everything_that_the_api_takes_is_asked(client: FlaskClient) -> None:
    page = client.get("/checks/red-lines").text
    asked = set(re.findall(r'<(?:input|select|textarea) [^>]*name="([^"]+)"', page))
    wanted = set(TextSchema().fields)
    for name, value in DeclaredSchema().fields.items():
        if isinstance(value, List) and isinstance(value.inner, Nested):
            wanted |= {f"{name}_1_{part}" for part in value.inner.schema.fields}
        elif isinstance(value, List) and isinstance(value.inner, Word):
            wanted |= {f"{name}_{word}" for word in value.inner.choices}
        else:
            wanted.add(name)
    assert wanted - asked == set()
    assert asked - wanted == {"marketplace"} | {name for name in asked if name.endswith(("_rows", "_none"))}


def test_lists_get_the_answer_of_the_api_with_the_row_of_each_finding(client: FlaskClient) -> None:
    answer = client.post("/v1/policy-checks", json=LISTS_BODY).get_json()
    found = {one["fact"]: one["message"] for one in answer["findings"]}
    assert found.keys() == ORIGINS.keys()
    page = html.unescape(send(client, LISTS))
    articles = re.findall(r'<article class="finding.*?</article>', page, re.DOTALL)
    assert len(articles) == len(found)
    for pointer, (anchor, words) in ORIGINS.items():
        (article,) = (one for one in articles if f'<a href="#{anchor}">{words}</a>' in one)
        assert found[pointer] in article
        assert len(re.findall(f' id="{anchor}"', page)) == 1
    assert {one["message"] for one in answer["unchecked"]} <= set(re.findall(r"<li>(.*?)</li>", page))
    kept = typed_into(page) | {"marketplace": "DE", "third_party_trademarks": "Acme"}
    chosen = {name for name in LISTS if name.endswith("_category")}
    assert {name: kept.get(name) for name in LISTS if name not in chosen} == {
        name: value for name, value in LISTS.items() if name not in chosen
    }
    for name in chosen:
        assert f'<option value="{LISTS[name]}" selected>' in page[page.index(f'<select id="{name}"') :]


def test_a_finding_of_a_single_fact_leads_to_its_field(client: FlaskClient) -> None:
    page = send(client, {"marketplace": "US", "buyer_data_kept_days": "90"})
    assert '<a href="#buyer_data_kept_days">Days for which the data of buyers is kept after shipment</a>' in page


def test_only_what_was_typed_is_open(client: FlaskClient) -> None:
    page = client.get("/checks/red-lines").text
    assert opened(page) == []
    assert page.count('<details class="subject">') == 10
    assert opened(send(client, {"text": "Hello"})) == []
    assert opened(send(client, {"shipping_1_charged": "much"}, 422)) == ["Shipping fees above the carrier&#39;s rate"]
    assert opened(send(client, {"text": "Hello", "reply": "unknown", "listings_rows": "1"})) == []
    assert opened(send(client, {"reply": "true", "dispatches_none": "true", "kind": "message", "text": "Hello"})) == [
        "About the message",
        "Dispatch of media",
    ]


def test_rows_are_added_and_removed(client: FlaskClient) -> None:
    page = send(client, {"marketplace": "DE", "dispatches_1_confirmed_on": "2026-11-02"}, go="add:dispatches")
    assert opened(page) == ["Dispatch of media"]
    assert re.search(r'<select id="dispatches_2_category"[^>]* autofocus', page)
    assert typed_into(page)["dispatches_rows"] == "2"
    more = {**typed_into(page), "dispatches_2_confirmed_on": "2026-11-03", "listings_1_asin": "B000EXAMPL"}
    left = typed_into(send(client, more, go="remove:dispatches:1"))
    assert left["dispatches_rows"] == "1"
    assert left["dispatches_1_confirmed_on"] == "2026-11-03"
    assert "dispatches_2_confirmed_on" not in left
    assert left["listings_1_asin"] == "B000EXAMPL"


def test_there_is_an_end_of_rows(client: FlaskClient) -> None:
    page = send(client, {"listings_rows": "19"}, go="add:listings")
    assert 'id="listings_20"' in page
    assert 'value="add:listings"' not in page
    assert 'id="listings_21"' not in send(client, {"listings_rows": "20"}, go="add:listings")


@pytest.mark.parametrize(
    "typed",
    [
        {"go": "add:nothing"},
        {"go": "add:"},
        {"go": "remove:listings:99"},
        {"go": "remove:listings:\u00b2", "listings_\u00b2_asin": "x"},
        {"go": "refresh", "listings_rows": "9" * 5000},
        {"go": "check", "text": "Hello", "listings_rows": "-1", "listings_99_asin": "x", "media_pre_sales_x": "true"},
    ],
    ids=lambda typed: str(typed)[:40],
)
def test_nothing_that_is_sent_breaks_the_page(client: FlaskClient, typed: dict[str, str]) -> None:
    assert client.post("/checks/red-lines", data={"marketplace": "US", **typed}).status_code == 200


def test_that_there_are_none_is_not_the_same_as_unknown(client: FlaskClient) -> None:
    said = "Asking for a review more than once: what this depends on is not given."
    unknown = send(client, {"selling_accounts": "1"})
    none = send(client, {"selling_accounts": "1", "review_requests_none": "true", "media_pre_sales_none": "true"})
    assert said in unknown and said not in none
    assert "Media that is offered in advance: what" in unknown
    assert "Media that is offered in advance: what" not in none


def test_amounts_are_of_the_marketplace(client: FlaskClient) -> None:
    typed = {"shipping_1_charged": "500", "shipping_1_carrier_standard": "\u00a5400"}
    assert "We read this as \u00a5500." in send(client, {"marketplace": "JP", **typed})
    assert list(errors(send(client, {"marketplace": "US", **typed}, 422))) == ["shipping_1_carrier_standard"]


def test_what_a_schema_has_is_asked_without_more(catalog: Catalog) -> None:
    class Visit(Schema):
        """Something that the advisor does not know yet."""

        seen_on = Day(required=True)
        pleasant = Flag()
        seen = List(Word(("cats", "dogs"), required=True))

    class Facts(Schema):
        """Facts with one more list."""

        visits = List(Nested(Visit))
        colours = List(Word(("red", "blue"), required=True))

    wording = Wording(
        labels={name: say(name) for name in ("visits.seen_on", "visits.pleasant", "visits.seen", "colours")},
        choices={"visits.seen": {"cats": "Cats", "dogs": "Dogs"}, "colours": {"red": "Red", "blue": "Blue"}},
        rows={"visits": (say("Visit {number}"), say("Add a visit"), say("Remove visit {number}"))},
    )
    groups = [ask(Facts, name, f"/facts/{name}", wording) for name in ("visits", "colours")]
    typed = {"visits_2_seen_on": "2026-11-25", "visits_2_pleasant": "false", "colours_blue": "true"}
    form = PlainForm(groups, typed, messages_in("en"), catalog.schedule("US"))
    assert form.read() == {"facts": {"visits": [{"seen_on": "2026-11-25", "pleasant": False}], "colours": ["blue"]}}
    assert form.errors == {}
    place = form.origin("/facts/visits/0")
    assert place is not None and (place.anchor, place.part_of) == ("visits_2", "Visit 2")
    form = PlainForm(groups, {"visits_1_seen_dogs": "true"}, messages_in("en"), catalog.schedule("US"))
    form.read()
    form.refuse_all([Problem("/facts/visits/0/seen_on", "missing", say("This is missing; it has to be given."))])
    assert form.errors == {"visits_1_seen_on": "A row needs this: fill it in, or leave the whole row empty."}


# Mistakes


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"selling_accounts": "many"}, "selling_accounts"),
        ({"text": "x", "kind": "message", "sent_on": "soon"}, "sent_on"),
        ({"text": "x" * 100_001, "kind": "message"}, "text"),
        ({"text": "\u200b", "kind": "message"}, "text"),
        ({"review_requests_2_count": "2"}, "review_requests_2_order_id"),
        ({"review_requests_2_order_id": "1", "review_requests_2_count": "0"}, "review_requests_2_count"),
        ({"review_requests_1_order_id": "x" * 101}, "review_requests_1_order_id"),
        ({"dispatches_1_confirmed_on": "2026-11-02"}, "dispatches_1_category"),
        ({"dispatches_2_category": "dvd", "dispatches_2_confirmed_on": "2026-02-30"}, "dispatches_2_confirmed_on"),
        (
            {
                "dispatches_3_category": "dvd",
                "dispatches_3_confirmed_on": "2026-11-02",
                "dispatches_3_dispatched_on": "2026-11-01",
            },
            "dispatches_3_dispatched_on",
        ),
        (
            {
                "dispatches_1_category": "dvd",
                "dispatches_1_confirmed_on": "2026-11-02",
                "dispatches_1_holidays": "1066-10-14, 2026-11-03",
            },
            "dispatches_1_holidays",
        ),
        ({"dispatches_1_category": "stone", "dispatches_1_confirmed_on": "2026-11-02"}, "dispatches_1_category"),
        ({"shipping_2_charged": "1,234", "shipping_2_carrier_standard": "5"}, "shipping_2_charged"),
        (
            {"multi_packs_4_price": "9", "multi_packs_4_units": "1", "multi_packs_4_single_price": "9"},
            "multi_packs_4_units",
        ),
        ({"listings_1_asin": "B000", "listings_1_gtin": "4006381333931"}, "listings_1_asin"),
        ({"listings_1_asin": "B000EXAMPL", "listings_1_gtin": "none"}, "listings_1_gtin"),
        ({"listings_none": "true", "listings_2_asin": "B000EXAMPL", "listings_2_gtin": "40063813"}, "listings_none"),
        ({"media_pre_sales_none": "true", "media_pre_sales_dvd": "true"}, "media_pre_sales_none"),
        ({"third_party_trademarks": "Acme\n" + "x" * 101}, "third_party_trademarks"),
    ],
)
def test_a_mistake_is_told_beside_its_field(client: FlaskClient, typed: dict[str, str], field: str) -> None:
    page = send(client, {"marketplace": "US", **typed}, 422)
    assert list(errors(page)) == [field]
    assert f'id="{field}-says"' in page
    assert re.search(rf'<(?:input|select|textarea) [^>]*id="{field}"[^>]* aria-invalid="true"', page)


def test_mistakes_of_several_rows_are_told_in_the_order_of_the_page(client: FlaskClient) -> None:
    typed = {
        "listings_1_asin": "x",
        "dispatches_2_category": "dvd",
        "dispatches_1_holidays": "soon",
        "selling_accounts": "many",
    }
    told = errors(send(client, typed, 422))
    assert list(told) == [
        "selling_accounts",
        "dispatches_1_category",
        "dispatches_1_confirmed_on",
        "dispatches_1_holidays",
        "dispatches_2_confirmed_on",
        "listings_1_asin",
        "listings_1_gtin",
    ]
    assert told["dispatches_2_confirmed_on"].startswith("Order 2, The order was confirmed on: A row needs this")


def test_nothing_at_all_is_a_mistake(client: FlaskClient) -> None:
    page = send(client, {"marketplace": "US", "kind": "listing_title"}, 422)
    assert errors(page)["text"].startswith("The text: There is nothing to check. Type a text here")
    assert 'id="text-says"' in page
    assert list(errors(send(client, {"marketplace": "US", "selling_accounts": "many"}, 422))) == ["selling_accounts"]
    blank = send(client, {"marketplace": "US", "kind": "message", "text": " \r\n "}, 422)
    assert errors(blank)["text"].startswith("The text: There is nothing to check.")
    qualifier = send(client, {"marketplace": "US", "several_accounts_permitted": "true"}, 422)
    assert errors(qualifier)["text"].startswith("The text: There is nothing to check.")


def test_what_only_a_message_has_is_left_out_of_other_texts(client: FlaskClient) -> None:
    typed = {"marketplace": "US", "kind": "business_name", "text": "Example Tools", "reply": "true"}
    assert 'id="verdict"' in send(client, typed)


def test_hostile_text_is_shown_as_text(client: FlaskClient) -> None:
    hostile = '<script>alert(1)</script> write to me@example.com "><img src=x>'
    page = send(client, {"marketplace": "US", "kind": "message", "text": hostile})
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


@given(st.text(max_size=50), st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6))
def test_pieces_add_up_to_the_text(text: str, spans: list[tuple[int, int]]) -> None:
    found = [{"start": min(span), "end": min(max(span), len(text))} for span in spans if min(span) <= len(text)]
    assert "".join(piece for piece, _ in marked(text, found)) == text
