"""Bad bodies on every route that takes JSON: the right status, pointer and code, one shape, and never a failure."""

import json
import tomllib
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from advisor import strict_json
from advisor.inputs.accounts import MOST_OBSERVATIONS
from advisor.inputs.assessments import MOST_ITEMS
from advisor.inputs.fees import MOST_LINES
from advisor.messages import ERROR_CODES
from advisor.settings import Settings
from advisor.strict_json import MOST_PROBLEMS
from advisor.web import create_app
from tests.conftest import CATALOG

ROUTES = ("/v1/assessments", "/v1/assessments:batch", "/v1/fee-estimates", "/v1/advice")
CORPUS = tomllib.loads((Path(__file__).parent / "corpus" / "bad_json.toml").read_text(encoding="utf-8"))
SHAPE = {"type", "title", "status", "detail", "instance", "errors", "request_id"}
JEWELRY = {"category": "jewelry", "price": "300.00"}
MIB = 2**20

GOOD = {
    "/v1/assessments": {"marketplace": "US", "seller": {"name": "Example Tools"}},
    "/v1/assessments:batch": {"items": [{"marketplace": "US", "seller": {"name": "Example Tools"}}]},
    "/v1/fee-estimates": {"marketplace": "US", "lines": [{**JEWELRY, "ref": "Example Tools"}]},
    "/v1/advice": {"marketplace": "US", "seller": {"name": "Example Tools"}, "lines": [JEWELRY]},
}

# What a TOML text cannot hold, or nobody wants to read.
BYTES = {
    "nothing": (b"", "empty_body"),
    "blanks": (b"  \t  ", "empty_body"),
    "line breaks": (b"\r\n\r\n", "empty_body"),
    "a form feed and a value": (b'\x0c{"marketplace": "US"}', "not_json"),
    "a no-break space and a value": ("\u00a0{}".encode(), "not_json"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "not_json"),
    "a byte order mark and a value": (b'\xef\xbb\xbf{"marketplace": "US"}', "not_json"),
    "UTF-16 with byte order mark": ('{"marketplace": "US"}'.encode("utf-16"), "not_utf8"),
    "UTF-16 without byte order mark": ('{"marketplace": "US"}'.encode("utf-16-le"), "not_json"),
    "UTF-32 without byte order mark": ('{"marketplace": "US"}'.encode("utf-32-be"), "not_json"),
    "Latin-1": ('{"seller": {"name": "Bücher"}}'.encode("latin-1"), "not_utf8"),
    "GB 18030": ('{"seller": {"name": "卖家"}}'.encode("gb18030"), "not_utf8"),
    "UTF-8 cut within a character": ('{"seller": {"name": "Bü'.encode()[:-1], "not_utf8"),
    "an overlong slash": (b'{"seller": {"name": "\xc0\xaf"}}', "not_utf8"),
    "a surrogate in UTF-8": (b'{"seller": {"name": "\xed\xa0\x80"}}', "not_utf8"),
    "beyond Unicode": (b'{"seller": {"name": "\xf4\x90\x80\x80"}}', "not_utf8"),
    "a NUL before the value": (b'\0{"marketplace": "US"}', "not_json"),
    "a NUL behind the value": (b'{"marketplace": "US"}\0', "not_json"),
    "a NUL within a text": (b'{"marketplace": "U\0S"}', "not_json"),
    "an escape character within a text": (b'{"marketplace": "U\x1bS"}', "not_json"),
    "gzip without saying so": (
        bytes.fromhex("1f8b0800000000000003ab56ca4d2c2ace4e2dc8494c4e55b252500a0d56aa05"),
        "not_utf8",
    ),
    "MessagePack": (b"\x81\xabmarketplace\xa2US", "not_utf8"),
    "an integer of 5,000 digits": (b'{"items": ' + b"9" * 5000 + b"}", "number_out_of_range"),
    "a decimal of 5,000 digits": (b'{"items": 0.' + b"9" * 5000 + b"}", "number_out_of_range"),
    "an exponent of 5,000 digits": (b'{"items": 1e' + b"9" * 5000 + b"}", "number_out_of_range"),
    "100,000 arrays in one another": (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
    "100,000 arrays never closed": (b"[" * 100_000, "too_deep"),
    "100,000 objects in one another": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too_deep"),
    "1,000 arrays behind a text of quotes and brackets": (rb'["\"\\[[[", ' + b"[" * 1000 + b"]" * 1001, "too_deep"),
    "brackets closed before they open": (b"]" * 100 + b"[" * 100, "not_json"),
}


def bodies() -> list[Any]:
    """List the unreadable bodies, from the corpus and from here."""
    found = [pytest.param(case["body"].encode(), case["code"], id=case["name"]) for case in CORPUS["unreadable"]]
    return found + [pytest.param(body, code, id=name) for name, (body, code) in BYTES.items()]


def cases(kind: str) -> list[Any]:
    """List the cases of one kind by name."""
    return [pytest.param(case, id=case["name"]) for case in CORPUS[kind]]


def post(client: FlaskClient, route: str, body: bytes | str, **more: Any) -> TestResponse:
    """Post a body as JSON."""
    more.setdefault("content_type", "application/json")
    return client.post(route, data=body, **more)


def problem(answer: TestResponse, status: int, route: str) -> dict[str, Any]:
    """Check that an answer is a problem of the one shape, with a known code for everything wrong; return it."""
    assert answer.status_code == status, answer.get_data(as_text=True)[:500]
    assert answer.content_type == "application/problem+json"
    found: dict[str, Any] = strict_json.loads(answer.data)
    assert set(found) == SHAPE
    assert (found["type"], found["status"], found["instance"]) == ("about:blank", status, route)
    assert found["title"] and found["detail"].endswith(".")
    assert found["request_id"] and found["request_id"] == answer.headers["X-Request-Id"]
    listed(found["errors"])
    return found


def listed(errors: Any) -> list[tuple[str, str]]:
    """Check a list of errors; return its pointers and codes."""
    for one in errors:
        assert set(one) == {"pointer", "code", "detail"}
        assert one["code"] in ERROR_CODES
        assert one["detail"].strip().endswith((".", ").")), one
        assert one["pointer"] == "" or one["pointer"].startswith("/")
    return [(one["pointer"], one["code"]) for one in errors]


def expected(case: Any, below: str = "") -> list[tuple[str, str]]:
    """List what a case expects, sorted."""
    return sorted((below + pointer, code) for pointer, code in case["errors"])


def test_the_corpus_is_large_and_its_names_differ() -> None:
    """Each case is one kind of mistake; a name that stands twice within a kind and route hides one."""
    names = [(kind, case.get("route"), case["name"]) for kind, several in CORPUS.items() for case in several] + [
        ("unreadable", None, name) for name in BYTES
    ]
    assert len(set(names)) == len(names) >= 140


def test_every_code_of_the_closed_list_is_in_the_corpus_or_in_another_test() -> None:
    """A code that nothing leads to is either dead or not tested."""
    refusals = [pair for kind in ("account", "line", "whole") for case in CORPUS[kind] for pair in case["errors"]]
    codes = {code for _, code in refusals} | {case["code"] for case in CORPUS["unreadable"]}
    codes |= {code for _, code in BYTES.values()}
    assert codes <= set(ERROR_CODES)
    places = [path for path in Path(__file__).parent.rglob("*") if path.suffix in (".py", ".toml")]
    tests = "".join(path.read_text(encoding="utf-8") for path in places if path != Path(__file__))
    elsewhere = {code for code in set(ERROR_CODES) - codes if f'"{code}"' in tests}
    assert codes | elsewhere == set(ERROR_CODES)


@pytest.mark.parametrize("route", ROUTES)
def test_the_good_bodies_that_the_bad_ones_are_made_of_are_accepted(client: FlaskClient, route: str) -> None:
    """Otherwise a refusal would say nothing."""
    assert post(client, route, json.dumps(GOOD[route])).status_code == 200


@pytest.mark.parametrize(("body", "code"), bodies())
def test_what_is_no_strict_json_is_a_400_on_every_route(client: FlaskClient, body: bytes, code: str) -> None:
    """The same bytes are answered alike wherever they are posted."""
    for route in ROUTES:
        found = problem(post(client, route, body), 400, route)
        assert listed(found["errors"]) == [("", code)]
        assert len(found["detail"]) < 300


@pytest.mark.parametrize("case", cases("account"))
def test_a_bad_account_is_a_422_wherever_accounts_are_taken(client: FlaskClient, case: Any) -> None:
    """Alone, as an item of a batch, and in a request for advice: the same pointers and codes."""
    body = case["body"]
    found = problem(post(client, "/v1/assessments", body), 422, "/v1/assessments")
    assert sorted(listed(found["errors"])) == expected(case)

    batch = f'{{"items": [{{"marketplace": "US"}}, {body}, {{"marketplace": "US"}}]}}'
    answer = post(client, "/v1/assessments:batch", batch)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    before, item, behind = answer.json["items"]
    assert set(item) == {"index", "problem"} and item["index"] == 1
    assert item["problem"]["status"] == 422
    assert sorted(listed(item["problem"]["errors"])) == expected(case)
    assert "result" in before and "result" in behind

    if body.startswith("{"):
        lines = f'"lines": [{json.dumps(JEWELRY)}]'
        body = "{" + lines + ("}" if body == "{}" else "," + body[1:])
    found = problem(post(client, "/v1/advice", body), 422, "/v1/advice")
    assert sorted(listed(found["errors"])) == expected(case)


@pytest.mark.parametrize("case", cases("line"))
def test_a_bad_fee_line_is_a_422_wherever_fee_lines_are_taken(client: FlaskClient, case: Any) -> None:
    """In a request for an estimate and in one for advice: the same pointers and codes."""
    body = f'{{"marketplace": "{case.get("marketplace", "US")}", "lines": [{case["line"]}]}}'
    for route in ("/v1/fee-estimates", "/v1/advice"):
        found = problem(post(client, route, body), 422, route)
        assert sorted(listed(found["errors"])) == expected(case, "/lines/0")


@pytest.mark.parametrize("case", cases("whole"))
def test_a_bad_value_is_a_422_with_its_pointer_and_code(client: FlaskClient, case: Any) -> None:
    """What only one route takes."""
    found = problem(post(client, case["route"], case["body"]), 422, case["route"])
    assert sorted(listed(found["errors"])) == expected(case)


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": None},
        {"content_type": ""},
        {"content_type": "text/plain"},
        {"content_type": "text/json"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_type": "application/octet-stream"},
        {"content_type": "application/problem+json"},
        {"content_type": "application/jsonp"},
        {"content_type": "application/json; charset=utf-16"},
        {"content_type": "application/json; charset=latin-1"},
        {"headers": {"Content-Encoding": "gzip"}},
        {"headers": {"Content-Encoding": "br"}},
        {"headers": {"Content-Encoding": "identity, gzip"}},
    ],
    ids=lambda headers: str(next(iter(headers.values()))),
)
def test_another_content_type_or_encoding_is_a_415(client: FlaskClient, headers: dict[str, Any]) -> None:
    """The bytes are not looked at: good JSON in a form is refused too."""
    for route in ROUTES:
        problem(post(client, route, json.dumps(GOOD[route]), **headers), 415, route)


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "application/json; charset=utf-8"},
        {"content_type": "Application/JSON; Charset=UTF-8"},
        {"content_type": 'application/json; charset="utf-8"'},
        {"headers": {"Content-Encoding": "identity"}},
    ],
    ids=lambda headers: str(next(iter(headers.values()))),
)
def test_content_types_that_mean_json_in_utf8_are_taken(client: FlaskClient, headers: dict[str, Any]) -> None:
    """Charset and letter case make no difference."""
    for route in ROUTES:
        assert post(client, route, json.dumps(GOOD[route]), **headers).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_may_be_as_large_as_the_limit_and_no_larger(client: FlaskClient, route: str) -> None:
    """With a length and without one; a batch may be eight times as large."""
    most = 8 * MIB if route.endswith(":batch") else MIB
    good = json.dumps(GOOD[route]).encode()
    fitting = good + b" " * (most - len(good))
    without = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    for body, status in ((fitting[:-1], 200), (fitting, 200), (fitting + b" ", 413), (fitting * 2, 413)):
        for environment in ({}, {**without, "wsgi.input": BytesIO(body)}):
            answer = post(client, route, body, environ_overrides=environment)
            assert answer.status_code == status
            if status == 413:
                assert listed(problem(answer, 413, route)["errors"]) == [("", "too_large")]


def test_ten_million_characters_are_too_large_or_too_long(client: FlaskClient) -> None:
    """A limit on the body comes first; where it is raised, the limit on the text holds."""
    patient = create_app(replace(Settings(), max_body=16 * MIB, max_batch_body=16 * MIB), CATALOG).test_client()
    for route, pointer in (
        ("/v1/assessments", "/seller/name"),
        ("/v1/fee-estimates", "/lines/0/ref"),
        ("/v1/advice", "/seller/name"),
    ):
        body = json.dumps(GOOD[route]).replace("Example Tools", "x" * 10_000_000)
        problem(post(client, route, body), 413, route)
        found = problem(post(patient, route, body), 422, route)
        assert listed(found["errors"]) == [(pointer, "wrong_length")]
        problem(post(client, "/v1/assessments:batch", f'{{"items": [{body}]}}'), 413, "/v1/assessments:batch")


def test_a_body_without_length_and_chunks_is_empty(client: FlaskClient) -> None:
    """Reading on would wait for a client that has nothing more to send."""

    class Endless:
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("the body was read")

    environment = {"CONTENT_LENGTH": "", "wsgi.input": Endless(), "wsgi.input_terminated": False}
    for route in ROUTES:
        found = problem(post(client, route, b"", environ_overrides=environment), 400, route)
        assert listed(found["errors"]) == [("", "empty_body")]


@pytest.mark.parametrize("length", [1, 10, 1_000_000])
def test_a_body_shorter_than_announced_is_a_400(client: FlaskClient, length: int) -> None:
    """Even where what arrived is whole JSON."""
    for route in ROUTES:
        body = json.dumps(GOOD[route]).encode()
        answer = post(client, route, body, environ_overrides={"CONTENT_LENGTH": str(len(body) + length)})
        expected_status = 413 if length + len(body) > MIB and not route.endswith(":batch") else 400
        found = problem(answer, expected_status, route)
        assert expected_status == 413 or listed(found["errors"]) == [("", "body_mismatch")]


@pytest.mark.parametrize(
    ("route", "body", "pointer"),
    [
        ("/v1/fee-estimates", {"marketplace": "US", "lines": [JEWELRY] * (MOST_LINES + 1)}, "/lines"),
        ("/v1/advice", {"marketplace": "US", "lines": [JEWELRY] * (MOST_LINES + 1)}, "/lines"),
        ("/v1/assessments:batch", {"items": [{"marketplace": "US"}] * (MOST_ITEMS + 1)}, "/items"),
        (
            "/v1/assessments",
            {
                "marketplace": "US",
                "metrics": {
                    "return_rate": [{"rate": "0", "window_days": day + 1} for day in range(MOST_OBSERVATIONS + 1)]
                },
            },
            "/metrics/return_rate",
        ),
    ],
    ids=["fee lines", "advice lines", "batch items", "observations"],
)
def test_one_entry_too_many_is_a_422(client: FlaskClient, route: str, body: Any, pointer: str) -> None:
    """And one fewer is accepted."""
    found = problem(post(client, route, json.dumps(body)), 422, route)
    assert listed(found["errors"]) == [(pointer, "wrong_length")]
    inner = body
    for key in pointer.split("/")[1:]:
        inner = inner[key]
    del inner[-1]
    assert post(client, route, json.dumps(body)).status_code == 200


def test_depth_32_is_still_read(client: FlaskClient) -> None:
    """One level less than what is refused: read, and refused as the wrong type."""
    for route in ROUTES:
        found = problem(post(client, route, b"[" * 32 + b"]" * 32), 422, route)
        assert listed(found["errors"]) == [("", "not_an_object")]


def test_brackets_within_texts_are_no_depth(client: FlaskClient) -> None:
    """Nor are escaped quotes the end of a text."""
    name = '[{"' * 40 + "\\"
    body = json.dumps({"marketplace": "US", "seller": {"name": name}})
    assert post(client, "/v1/assessments", body).status_code == 200


def test_whole_surrogate_pairs_and_other_scripts_are_read(client: FlaskClient) -> None:
    """Escaped or not."""
    for name in (r"\ud83d\ude00", "😀", "卖家", "Bücher", r"\u5356"):
        assert (
            post(client, "/v1/assessments", f'{{"marketplace": "US", "seller": {{"name": "{name}"}}}}').status_code
            == 200
        )


def test_no_answer_outgrows_its_request(client: FlaskClient) -> None:
    """Of thousands of mistakes the first hundred are listed, and a long name is not sent back whole."""
    many = ", ".join(f'"k{number}": 1' for number in range(20_000))
    bodies = (
        ("/v1/assessments", f'{{"marketplace": "US", {many}}}'),
        ("/v1/assessments", f'{{"marketplace": "US", "facts": {{{many}}}}}'),
        ("/v1/assessments", f'{{"marketplace": "US", "metrics": {{{many}}}}}'),
        ("/v1/assessments", f'{{"marketplace": "US", "metrics": {{{many.replace(": 1", ": null")}}}}}'),
        ("/v1/assessments", f'{{"marketplace": "US", "programs": [{", ".join(["7"] * 20_000)}]}}'),
        ("/v1/fee-estimates", f'{{"marketplace": "US", "lines": [{", ".join(["{}"] * 20_000)}]}}'),
        ("/v1/advice", f'{{"marketplace": "US", "lines": [{{"scenarios": [{", ".join(["{}"] * 20_000)}]}}]}}'),
    )
    for route, body in bodies:
        answer = post(client, route, body)
        found = problem(answer, 422, route)
        assert len(found["errors"]) <= MOST_PROBLEMS
        assert len(answer.data) < 100_000
    nul = r"\u0000"
    body = f'{{"{"k" * 500_000}": [{", ".join([chr(34) + nul + chr(34)] * 10_000)}]}}'
    answer = post(client, "/v1/assessments", body)
    assert len(problem(answer, 422, "/v1/assessments")["errors"]) == MOST_PROBLEMS
    assert len(answer.data) < 100_000


def test_nothing_takes_time_that_grows_with_the_square_of_the_body(client: FlaskClient) -> None:
    """The slowest of these took a quarter of a minute when keys were counted one by one."""
    keys = ", ".join(f'"k{number}": 1' for number in range(40_000))
    for body in (
        f'{{{keys}, "k39999": 2}}',
        "[" * 30 + "[], " * 200_000 + "[]" + "]" * 30,
        '["' + '\\"' * 400_000 + '"]',
        '{"marketplace": "' + "U" * 900_000 + '"}',
        '{"as_of": "' + "2" * 900_000 + '"}',
        '{"metrics": {"return_rate": {"rate": "' + "0" * 900_000 + '"}}}',
        '{"metrics": {"return_rate": {"rate": "0", "segment": "category:' + "a" * 900_000 + '"}}}',
    ):
        started = perf_counter()
        assert 400 <= post(client, "/v1/assessments", body).status_code < 500
        assert perf_counter() - started < 3


def test_a_failure_says_nothing_but_its_request_id(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text of the exception, which may hold what was posted."""

    def fail(*_: Any) -> None:
        raise RuntimeError("canary-5e1f in an exception")

    monkeypatch.setattr("advisor.services.calculations.read_assessment", fail)
    answer = post(client, "/v1/assessments", '{"marketplace": "US"}')
    found = problem(answer, 500, "/v1/assessments")
    assert found["errors"] == []
    assert b"canary" not in answer.data and b"RuntimeError" not in answer.data
