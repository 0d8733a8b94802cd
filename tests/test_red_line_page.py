"""The page that checks texts against the red lines."""

import html
import re

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from advisor.web.pages.red_lines import EXAMPLE, marked


def send(client: FlaskClient, typed: dict[str, str], status: int = 200) -> str:
    response = client.post("/checks/red-lines", data={**typed, "go": "check"})
    assert response.status_code == status, response.text
    return response.text


def test_the_text_is_shown_with_what_the_api_found(client: FlaskClient) -> None:
    body = {
        "marketplace": "US",
        "texts": [{"kind": "message", "text": EXAMPLE["text"]}],
        "facts": {"selling_accounts": 2, "several_accounts_permitted": True},
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


def test_facts_alone_can_be_checked(client: FlaskClient) -> None:
    page = send(client, {"marketplace": "US", "selling_accounts": "2", "several_accounts_permitted": "false"})
    assert "Prohibited" in page
    assert 'class="passage"' not in page


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"selling_accounts": "many"}, "selling_accounts"),
        ({"text": "x", "kind": "message", "sent_on": "soon"}, "sent_on"),
        ({"text": "x" * 100_001, "kind": "message"}, "text"),
    ],
)
def test_a_mistake_is_told_beside_its_field(client: FlaskClient, typed: dict[str, str], field: str) -> None:
    page = send(client, {"marketplace": "US", **typed}, 422)
    assert f'<a href="#{field}">' in page
    assert f'id="{field}-says"' in page


def test_nothing_at_all_is_a_mistake(client: FlaskClient) -> None:
    assert "There is nothing to check" in send(client, {"marketplace": "US"}, 422)


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
