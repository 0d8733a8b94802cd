"""The check of red lines: what may not be written and done, with what it answers."""

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields

from advisor.domain.program import MARKETPLACES
from advisor.domain.red_lines import KINDS, SEVERITIES
from advisor.domain.sources import BASES
from advisor.inputs.red_lines import PolicyCheckRequest
from advisor.inputs.values import Word
from advisor.messages import POLICY_PERMISSIONS, POLICY_REASONS, POLICY_UNCHECKED, POLICY_VERDICTS
from advisor.services.red_lines import RedLineChecks
from advisor.settings import Settings
from advisor.web.api import json_answer, json_body, poster
from advisor.web.language import reader
from advisor.web.schemas import (
    Code,
    Dated,
    Day,
    DecimalOrNull,
    Source,
    flag,
    many,
    number,
    number_or_null,
    one,
    string,
    string_or_null,
)

POLICY_EXAMPLE = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "language": "en",
    "texts": [
        {
            "kind": "message",
            "text": "Your mug broke on its way. For a new one write to anna (at) example [dot] com, please.",
            "message_type": "unexpectedProblem",
        },
        {"kind": "listing_title", "text": "Example Tools claw hammer, 450 g, ash handle"},
        {"kind": "business_name", "text": "ExampleTools.com"},
    ],
    "facts": {
        "selling_accounts": 1,
        "buyer_phone_use": "carrier_label",
        "shipping": [{"charged": "12.01", "carrier_standard": "10.00"}],
    },
}


class OtherBar(Schema):
    """What another source prints, and whether that is broken too."""

    limit = number_or_null()
    share = DecimalOrNull()
    among = fields.List(fields.String(), required=True)
    note = string_or_null()
    broken = flag()
    sources = many(Source)


class PolicyFinding(Dated):
    """One breach: of a text, from code point `start` to before `end` as it was sent, or of a declared `fact`.

    `advice` says what to write or do instead.
    """

    rule = string()
    label = string()
    summary = string()
    severity = Word(SEVERITIES, required=True)
    reason = Code(POLICY_REASONS)
    text_index = number_or_null()
    start = number_or_null()
    end = number_or_null()
    matched = string_or_null()
    fact = string_or_null()
    message = string()
    advice = string()
    why = string()
    basis = Word(BASES, required=True)
    consequence = string_or_null()
    note = string_or_null()
    sources = many(Source)
    also_published = many(OtherBar)


class FindingsLeftOut(Schema):
    """How many more findings of a rule there are in a text, or in the declared facts: no more are listed."""

    rule = string()
    label = string()
    text_index = number_or_null()
    number = number()
    message = string()


class PolicyPermission(Schema):
    """Whether a text may go out, as far as it was checked; null where that is doubtful or unknown."""

    text_index = fields.Integer(required=True, strict=True)
    kind = Word(KINDS, required=True)
    permitted = fields.Boolean(required=True, allow_none=True)
    reason = Code(POLICY_PERMISSIONS)
    message = string()
    message_type = string_or_null()
    type_listed = fields.Boolean(required=True, allow_none=True)


class MessageTypeList(Schema):
    """The closed list of types of messages, and those that only another source lists."""

    listed = fields.List(fields.String(), required=True)
    also_listed = fields.List(fields.String(), required=True)
    note = string_or_null()
    sources = many(Source)


class NotChecked(Schema):
    """What could not be checked: a rule, a text or both, and why."""

    rule = string_or_null()
    label = string_or_null()
    text_index = number_or_null()
    reason = Code(POLICY_UNCHECKED)
    message = string()
    sources = many(Source)


class PolicyCheckAnswer(Schema):
    """What the red lines say: findings by text and place, then those of facts."""

    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    verdict = Code(POLICY_VERDICTS)
    message = string()
    findings = many(PolicyFinding)
    left_out = many(FindingsLeftOut)
    permitted = many(PolicyPermission)
    message_types = one(MessageTypeList)
    unchecked = many(NotChecked)


def add(blueprint: Blueprint, checks: RedLineChecks, settings: Settings) -> None:
    """Add the route."""
    post = poster(blueprint)

    @post("/policy-checks", PolicyCheckRequest, PolicyCheckAnswer, POLICY_EXAMPLE)
    def policy_checks() -> Response:
        """Check texts and facts against the red lines.

        Looks in messages, listings and business names for what may not stand there, in English and Chinese and through
        disguises, and compares declared facts. Every finding has its place, its source and what to write instead.
        Nothing is stored.
        """
        return json_answer(checks.policy_checks(json_body(settings.max_body), reader()))
