"""Say what files of listings, of texts and of planned pre-sales read and give.

Each row is asked of the same service as a single request; what comes out is what a person filters and sorts by.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from advisor.answers.parts import Answer
from advisor.batch.bodies import Bodies
from advisor.batch.checking import Check
from advisor.catalog import Catalog
from advisor.domain.listing import MEASURES
from advisor.domain.program import Level, Outcome
from advisor.domain.red_lines import SEVERITIES
from advisor.inputs.offers import ListingCheckRequest, PreSaleRequest
from advisor.inputs.red_lines import PolicyCheckRequest
from advisor.messages import Messages
from advisor.services.offers import Offers
from advisor.services.red_lines import RedLineChecks

# From the one that decides to the one that says least.
OUTCOMES = (Outcome.MISSED, Outcome.UNKNOWN, Outcome.MET, Outcome.NOT_APPLICABLE)
LEVELS = tuple(Level).index
DECIDING = ("missed", "unknown", "missed_advice")
# A text has so many characters, and some that it should not have.
FORBIDDEN = {"characters": "forbidden_characters", "phrases": "forbidden_phrases"}
# The days of a plan that are worked out; those that were given stand in its own columns.
DAYS = {
    "earliest_date": "earliest_on",
    "latest_date": "latest_on",
    "stock_needed": "stock_needed_on",
    "ships": "ships_on",
}


def listings(catalog: Catalog, messages: Messages) -> Check:
    """Check one listing a row."""
    schema, elements = ListingCheckRequest(), [element.key for element in catalog.listing.elements]
    given = Bodies(schema, "listings", catalog.vocabulary).names
    measures = [f"{element}_{measure}" for element in elements for measure in MEASURES[element]]

    def values(answer: Answer) -> Answer:
        (listing,) = answer["listings"]
        findings = listing["findings"]
        found = {
            "verdict": listing["verdict"],
            **_by_outcome([(_part(one), one) for one in findings]),
            "missing_attributes": "; ".join(
                name for one in findings if one["reason"] == "attributes_missing" for name in one["names"]
            ),
            "found": "; ".join(
                f"{_part(one)}: {', '.join(one['names'])}"
                for one in findings
                if one["requirement"] is not None and one["outcome"] == Outcome.MISSED and one["names"]
            ),
        }
        for element in elements:
            mine = [one for one in findings if one["element"] == element]
            worst = min((one["outcome"] for one in mine), key=OUTCOMES.index)
            decides = [one for one in mine if one["outcome"] == worst]
            found[f"{element}_outcome"] = worst
            found[f"{element}_level"] = min(filter(None, (one["level"] for one in decides)), default=None, key=LEVELS)
            found[f"{element}_reason"] = _ids(one["reason"] for one in decides)
            for one in mine:
                if one["observed"] is not None:
                    name = f"{element}_{one['measure']}"
                    found[name] = max(found.get(name, 0), one["observed"])
        return {name: None if value == "" else value for name, value in found.items()}

    return Check(
        rows_name="listings",
        schema=schema,
        items="listings",
        any_of=tuple(elements),
        ask=lambda body: Offers(catalog).listing_checks(body, messages),
        outputs={
            **dict.fromkeys(("verdict", *DECIDING, "missing_attributes", "found"), "text"),
            **{f"{element}_{what}": "text" for element in elements for what in ("outcome", "level", "reason")},
            **{name: "count" for name in measures if name not in given},
        },
        values=values,
    )


def _part(finding: Answer) -> str:
    """Name what a finding is about: an element or a bullet point, one of its measures, or what is asked of it."""
    names = [finding["element"]] if finding["bullet"] is None else ["bullet_point", str(finding["bullet"] + 1)]
    asked = finding["measure"] or FORBIDDEN.get(finding["requirement"], finding["requirement"])
    return "_".join([*names, asked] if asked else names)


def _by_outcome(findings: Sequence[tuple[str, Answer]]) -> Answer:
    """Say which findings decide the verdict by being missed or unknown, and which are missed and only advice."""

    def those(outcome: Outcome, level: Level) -> str | None:
        return _ids(name for name, one in findings if (one["outcome"], one["level"]) == (outcome, level))

    wanted = ((Outcome.MISSED, Level.REQUIRED), (Outcome.UNKNOWN, Level.REQUIRED), (Outcome.MISSED, Level.ADVISORY))
    return dict(zip(DECIDING, (those(*one) for one in wanted), strict=True))


def _ids(several: Iterable[str]) -> str | None:
    """Write ids, each once, with blanks between."""
    return " ".join(dict.fromkeys(several)) or None


def texts(catalog: Catalog, messages: Messages) -> Check:
    """Check one text a row against the red lines."""

    def values(answer: Answer) -> Answer:
        findings = answer["findings"]
        (permission,) = answer["permitted"]
        by_severity = {
            severity: _ids(one["rule"] for one in findings if one["severity"] == severity) for severity in SEVERITIES
        }
        return {
            "verdict": answer["verdict"],
            "permitted": permission["permitted"],
            "permitted_reason": permission["reason"],
            "message_type_listed": permission["type_listed"],
            "rules": _ids(one["rule"] for one in findings),
            "severity": next((severity for severity, rules in by_severity.items() if rules), None),
            **by_severity,
            "spans": _ids(f"{one['rule']}:{one['start']}-{one['end']}" for one in findings if one["start"] is not None),
            "reasons": _ids(one["reason"] for one in findings),
            "findings_left_out": sum(one["number"] for one in answer["left_out"]),
            "unchecked": _ids(
                one["rule"] or one["reason"] for one in answer["unchecked"] if one["text_index"] is not None
            ),
        }

    return Check(
        rows_name="texts",
        schema=PolicyCheckRequest(),
        items="texts",
        without=("facts",),
        ask=lambda body: RedLineChecks(catalog).policy_checks(body, messages),
        outputs={
            "verdict": "text",
            "permitted": "flag",
            "permitted_reason": "text",
            "message_type_listed": "flag",
            **dict.fromkeys(("rules", "severity", *SEVERITIES, "spans", "reasons"), "text"),
            "findings_left_out": "count",
            "unchecked": "text",
        },
        values=values,
    )


def plans(catalog: Catalog, messages: Messages) -> Check:
    """Check one planned pre-sale a row."""

    def values(answer: Answer) -> Answer:
        findings, margin = answer["findings"], answer["margin"]
        days = {one["event"]: date.fromisoformat(one["date"]) for one in answer["calendar"]}
        estimate = margin["estimate"] or {}
        return {
            "verdict": answer["verdict"],
            **_by_outcome([(one["rule"], one) for one in findings]),
            "missing": _ids(answer["missing"]),
            **{name: days.get(event) for event, name in DAYS.items()},
            "margin_outcome": margin["outcome"],
            "margin_reason": margin["reason"],
            "currency": estimate.get("currency"),
            **(estimate.get("per_unit") or {}),
            "fees_complete": estimate.get("complete"),
            **{f"{_column(one['rule'])}_{what}": one[what] for one in findings for what in ("outcome", "reason")},
        }

    return Check(
        rows_name="plans",
        schema=PreSaleRequest(),
        items=None,
        bare=("line",),
        ask=lambda body: Offers(catalog).pre_sale_checks(body, messages),
        outputs={
            **dict.fromkeys(("verdict", *DECIDING, "missing"), "text"),
            **dict.fromkeys(DAYS.values(), "day"),
            **dict.fromkeys(("margin_outcome", "margin_reason", "currency"), "text"),
            **dict.fromkeys(("total_fees", "net_proceeds", "contribution"), "money"),
            "fees_complete": "flag",
            **{f"{_column(one.id)}_{what}": "text" for one in catalog.pre_sale.rules for what in ("outcome", "reason")},
        },
        values=values,
    )


def _column(rule: str) -> str:
    return rule.replace("-", "_")


CHECKS = {"listings": listings, "texts": texts, "plans": plans}
