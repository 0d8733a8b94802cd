"""The documents agree with the program: codes, names, routes, settings, data keys, excerpts, links and samples.

`python tests/test_docs.py` writes the lists of names and codes in docs/api.md anew.
"""

import json
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from standardwebhooks import WebhookVerificationError

from advisor.catalog import Catalog
from advisor.cli import main
from advisor.domain.listing import MEASURES
from advisor.messages import (
    ADVICE_REASONS,
    DELIVERY_FAILURES,
    ERROR_CODES,
    LISTING_REASONS,
    POLICY_REASONS,
    POLICY_UNCHECKED,
    PRE_SALE_DOUBTS,
    PRE_SALE_EFFECTS,
    PRE_SALE_MARGINS,
    PRE_SALE_REASONS,
    REASONS,
    STAGE_SHOWS,
    TREND_REASONS,
    WARNINGS,
    messages_in,
)
from advisor.outbound import sign
from advisor.services.files import CHECKS
from advisor.services.webhooks import signing_secret

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "data" / "samples"
API = ROOT / "docs" / "api.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
MARK = r"<!-- Written by tests/test_docs\.py from [a-z/_.]+ -->\n\n?"


def names_and_codes(catalog: Catalog) -> dict[str, list[str]]:
    """Write the lists of docs/api.md, by their headings."""

    def kind(fact: Any) -> str:
        bounds = f"{fact.lowest} to {fact.highest}" if fact.kind == "integer" else fact.kind
        return ", ".join(f"`{choice}`" for choice in fact.choices) or {"boolean": "true or false"}.get(bounds, bounds)

    metrics, facts = catalog.vocabulary.metrics, catalog.vocabulary.facts
    lists = {
        "Metrics": [f"- `{key}` ({one.kind}): {one.label}" for key, one in metrics.items()],
        "Facts": [f"- `{key}` ({kind(one)}): {one.label}" for key, one in facts.items()],
    }
    codes = {
        "Reasons": REASONS,
        "Warnings": WARNINGS,
        "Recommendation reasons": ADVICE_REASONS,
        "When a remedy shows": STAGE_SHOWS,
        "Trend reasons": TREND_REASONS,
        "Pre-sale reasons": PRE_SALE_REASONS,
        "Pre-sale doubts": PRE_SALE_DOUBTS,
        "Pre-sale margins": PRE_SALE_MARGINS,
        "Pre-sale effects": PRE_SALE_EFFECTS,
        "Listing reasons": LISTING_REASONS,
        "Red line reasons": POLICY_REASONS,
        "What is not checked": POLICY_UNCHECKED,
        "Delivery failures": DELIVERY_FAILURES,
        "Errors": ERROR_CODES,
    }
    return lists | {
        heading: [f"- `{code}`: {text}" for code, text in several.items()] for heading, several in codes.items()
    }


def prose(path: Path) -> str:
    """Read a document without its blocks of code."""
    return re.sub(r"^( *)```.*?^ *```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """List what a link into a document can point at, as GitHub names headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def keys_of(value: Any, free: bool = False) -> set[str]:
    """List the keys of a data file; `free` where they are names that whoever writes the file chooses."""
    if isinstance(value, list):
        return set().union(*(keys_of(one) for one in value))
    if not isinstance(value, dict):
        return set()
    mine = set() if free else set(value)
    named = ("metric", "fact", "home", "groups", "fold", "words", "hosts")
    return mine.union(
        *(keys_of(inner, free=key in named and isinstance(inner, dict)) for key, inner in value.items()),
    )


def test_the_names_and_codes_are_those_of_the_program(catalog: Catalog) -> None:
    text = API.read_text()
    for heading, lines in names_and_codes(catalog).items():
        (found,) = re.findall(rf"^### {heading}\n.*?{MARK}((?:- [^\n]*\n)*)", text, re.MULTILINE | re.DOTALL)
        assert found.splitlines() == lines, f"{heading}: `python tests/test_docs.py` writes the list anew"


def test_every_route_is_documented(app: Flask) -> None:
    routes = {re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    assert len(routes) > 10
    text = API.read_text()
    assert {route for route in routes if not re.search(rf"{re.escape(route)}(?![\w/:{{])", text)} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_internal_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\[[^\]]*\]\(([^)]+)\)", prose(path)):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / file).resolve() if file else path
        assert to.is_file(), target
        assert not anchor or anchor in anchors(to), target


def test_the_readme_has_every_setting_and_no_other() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "advisor").rglob("*.py"))
    read = set(re.findall(r'"(ADVISOR_[A-Z_]+)"', sources)) | set(re.findall(r'envvar="(\w+)"', sources))
    listed = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(read)


@pytest.mark.parametrize("path", DOCUMENTS[2:] + DOCUMENTS[:1], ids=lambda path: path.name)
def test_every_command_and_option_in_a_document_exists(path: Path) -> None:
    text = path.read_text().replace("\\\n", " ")
    for name, rest in re.findall(rf"advisor ({'|'.join(main.commands)})\b([^\n`|]*)", text):
        command: click.Command = main.commands[name]
        if isinstance(command, click.Group) and (inner := re.match(r" ([a-z]+)", rest)):
            command = command.commands[inner[1]]
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        assert set(re.findall(r"(?<= )--[a-z-]+", rest.split("#")[0])) <= known | {"--help"}, (name, rest)


@pytest.mark.parametrize("file", sorted((ROOT / "data").rglob("*.toml")), ids=lambda path: path.stem)
def test_every_key_of_a_data_file_is_described(file: Path) -> None:
    chosen = file.parent.name == "sources"
    keys = keys_of(tomllib.loads(file.read_text()), free=chosen)
    text = prose(ROOT / "docs" / "rules.md")
    described = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", text))))
    assert keys - described == set()


def test_what_is_quoted_from_the_data_stands_there() -> None:
    quoted = re.findall(r"```toml\n# (\S+)\n(.*?)```", (ROOT / "docs" / "rules.md").read_text(), re.DOTALL)
    assert len(quoted) >= 5
    for file, text in quoted:
        assert text in (ROOT / file).read_text(), f"{file} has no such lines:\n{text}"


def test_the_changelog_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^## .*\b{re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


# Samples


def test_every_sample_is_tried() -> None:
    tried = {"accounts.csv", "advice.json", "assessment.json", "fee-estimate.json", "seller.json", "snapshot.json"}
    tried |= {"pre-sale.json", "listing.json", "policy.json", "reach.json"}
    tried |= {"listings.csv", "messages.ndjson", "plans.csv"}
    assert {path.name for path in SAMPLES.iterdir()} == tried


def posted(client: FlaskClient, address: str, sample: str) -> Any:
    answer = client.post(address, data=(SAMPLES / sample).read_bytes(), content_type="application/json")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.data)


def test_the_sample_of_an_assessment(client: FlaskClient) -> None:
    (assessment,) = posted(client, "/v1/assessments", "assessment.json")["assessments"]
    assert (assessment["verdict"], assessment["score"]) == ("eligible", 67)
    assert (assessment["missing"], assessment["unused"]) == ([], [])


def test_the_sample_of_a_fee_estimate(client: FlaskClient) -> None:
    answer = posted(client, "/v1/fee-estimates", "fee-estimate.json")
    assert [line["per_unit"]["referral_fee"] for line in answer["lines"]] == ["52.50", "3.40"]
    assert [len(line["profitable_ranges"]) for line in answer["lines"]] == [1, 2]
    assert answer["totals"]["complete"] is True


def test_the_sample_of_advice(client: FlaskClient) -> None:
    answer = posted(client, "/v1/advice", "advice.json")
    assert answer["recommendation"]["action"] == "join"
    assert [offer["worth_it"] for offer in answer["lines"][0]["quantity_discounts"]] == [True, False]


def test_the_sample_of_a_pre_sale(client: FlaskClient) -> None:
    answer = posted(client, "/v1/pre-sale-checks", "pre-sale.json")
    assert answer["verdict"] == "allowed"
    assert [one["rule"] for one in answer["findings"] if one["outcome"] == "missed"] == ["stock"]
    (ships,) = [one for one in answer["calendar"] if one["event"] == "ships"]
    assert (ships["date"], ships["doubt"]) == ("2027-07-06", "beyond_horizon")


def test_the_sample_of_a_listing(client: FlaskClient) -> None:
    (listing,) = posted(client, "/v1/listing-checks", "listing.json")["listings"]
    assert (listing["verdict"], listing["missing"]) == ("incomplete", ["description", "attributes"])


def test_the_sample_of_a_policy_check(client: FlaskClient) -> None:
    answer = posted(client, "/v1/policy-checks", "policy.json")
    assert answer["verdict"] == "prohibited"
    found = [(one["text_index"], one["rule"], one["matched"]) for one in answer["findings"] if one["matched"]]
    assert found == [
        (0, "email-address", "anna (at) example [dot] com"),
        (2, "email-style-name", "ExampleTools.com"),
    ]
    assert [one["permitted"] for one in answer["permitted"]] == [False, True, False]
    assert [one["fact"] for one in answer["findings"] if one["fact"]] == ["/facts/shipping/0"]


def test_the_sample_of_what_is_in_reach(client: FlaskClient) -> None:
    answer = posted(client, "/v1/reach", "reach.json")
    assert (answer["programs"][0]["program"], answer["programs"][-1]["program"]) == (
        "enterprise-mall",
        "premium-shipping",
    )
    assert answer["not_covered"] == []


def test_the_samples_of_a_seller_and_its_snapshot(workspace: Any) -> None:
    seller = "/v1/sellers/A1EXAMPLE"
    assert workspace.put(seller, json=json.loads((SAMPLES / "seller.json").read_text())).status_code == 201
    numbers = json.loads((SAMPLES / "snapshot.json").read_text())
    assert workspace.post(f"{seller}/snapshots", json=numbers).status_code == 201
    (standing,) = workspace.get(seller).json["standings"]
    assert (standing["verdict"], standing["score"]) == ("eligible", 67)
    assert numbers["metrics"] == json.loads((SAMPLES / "assessment.json").read_text())["metrics"]


def test_the_receiver_of_webhooks_takes_what_the_advisor_signs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", API.read_text(), re.DOTALL)
    there: dict[str, Any] = {}
    exec(compile(code, "docs/api.md", "exec"), there)
    secret = signing_secret(b"a secret of the tests", "whe_1", 1)
    body = json.dumps({"type": "webhook.test", "timestamp": "2026-11-24T16:00:00.000Z", "data": {"endpoint": "whe_1"}})
    headers = sign((secret,), "evt_1", int(time.time()), body.encode())
    for _ in range(2):  # the second time it was seen
        there["receive"](secret, body.encode(), headers)
    assert capsys.readouterr().out == "webhook.test {'endpoint': 'whe_1'}\n"
    with pytest.raises(WebhookVerificationError):
        there["receive"](secret, body.encode() + b" ", headers)


def test_the_sample_of_a_file_of_accounts(tmp_path: Path) -> None:
    options = ["--as-of", "2026-11-22", "--set", "selling_plan=professional", "--output-format", "ndjson"]
    out = tmp_path / "scored.ndjson"
    done = CliRunner().invoke(main, ["score", str(SAMPLES / "accounts.csv"), *options, "-o", str(out)])
    assert done.exit_code == 1, done.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    verdicts = ["eligible", "not_eligible", "eligible", "undetermined", "eligible"]
    assert [row["verdict"] for row in rows] == verdicts
    assert all(row["net_proceeds"] for row in rows)


@pytest.mark.parametrize(
    ("command", "sample", "verdicts"),
    [
        ("listing", "listings.csv", ["complete", "incomplete", "incomplete"]),
        ("policy", "messages.ndjson", ["nothing_found", "prohibited", "prohibited", "not_read"]),
        ("pre-sale", "plans.csv", ["allowed", "undetermined", "not_allowed"]),
    ],
)
def test_the_samples_of_files_that_are_checked(tmp_path: Path, command: str, sample: str, verdicts: list[str]) -> None:
    out = tmp_path / "checked.ndjson"
    args = [command, str(SAMPLES / sample), "--marketplace", "US", "--as-of", "2026-11-22", "-o", str(out)]
    assert CliRunner().invoke(main, args).exit_code == 1
    assert [json.loads(line)["verdict"] for line in out.read_text().splitlines()] == verdicts


def test_every_column_of_results_is_described(catalog: Catalog) -> None:
    described = set(re.findall(r"[\w<>]+", " ".join(re.findall(r"`([^`]+)`", prose(ROOT / "docs" / "files.md")))))
    families = {
        f"{element.key}_{what}": ("<element>", what)
        for element in catalog.listing.elements
        for what in ("outcome", "level", "reason")
    }
    families |= {
        f"{rule.id.replace('-', '_')}_{what}": ("<rule>", what)
        for rule in catalog.pre_sale.rules
        for what in ("outcome", "reason")
    }
    measures = {f"{element}_{measure}": measure for element, several in MEASURES.items() for measure in several}
    for make in CHECKS.values():
        for name in make(catalog, messages_in("en")).outputs:
            wanted = {"_".join(families[name])} if name in families else {measures.get(name, name)}
            assert wanted <= described, name
    assert {"<element>_<measure>", *(one.key for one in catalog.listing.elements)} <= described


if __name__ == "__main__":
    document = API.read_text()
    for title, entries in names_and_codes(Catalog()).items():
        pattern = rf"(^### {title}\n.*?)({MARK})((?:- [^\n]*\n)*)"
        written = "".join(f"{entry}\n" for entry in entries)
        document = re.sub(
            pattern,
            lambda match, written=written: f"{match[1]}{match[2].rstrip()}\n\n{written}",  # type: ignore[misc]
            document,
            count=1,
            flags=re.MULTILINE | re.DOTALL,
        )
    API.write_text(document)
