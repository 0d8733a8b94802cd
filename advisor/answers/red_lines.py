"""Answer what the red lines say about texts and declared facts."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from advisor.answers.parts import Answer, dated, said, sources, text_of
from advisor.domain.numbers import format_rate
from advisor.domain.red_lines import (
    DOUBTFUL,
    PROHIBITED,
    Bar,
    Block,
    Checked,
    Finding,
    LeftOut,
    MessageTypes,
    Permission,
    Rule,
    Text,
    Unchecked,
)
from advisor.errors import say
from advisor.messages import (
    MEDIA_NAMES,
    POLICY_PERMISSIONS,
    POLICY_REASONS,
    POLICY_UNCHECKED,
    POLICY_VERDICTS,
    Messages,
)

# As much of what was matched as a sentence shows.
LONGEST_SHOWN = 60


def policy_check(
    marketplace: str, as_of: date, texts: Sequence[Text], checked: Checked, types: MessageTypes, messages: Messages
) -> Answer:
    """Answer a policy check."""
    verdict = _verdict(checked)
    return {
        "marketplace": marketplace,
        "as_of": as_of.isoformat(),
        "verdict": verdict,
        "message": messages.text(POLICY_VERDICTS[verdict]),
        "findings": [_finding(one, texts, messages) for one in checked.findings],
        "left_out": [_left_out(one, messages) for one in checked.left_out],
        "permitted": [_permission(one, texts, messages) for one in checked.permissions],
        "message_types": _message_types(types, messages),
        "unchecked": [_unchecked(one, messages) for one in checked.unchecked],
    }


def _verdict(checked: Checked) -> str:
    severities = {one.severity for one in checked.findings}
    if PROHIBITED in severities:
        return PROHIBITED
    if DOUBTFUL in severities:
        return DOUBTFUL
    reasons = {one.reason for one in checked.permissions} | {one.reason for one in checked.unchecked}
    if "not_covered" in reasons:
        return "not_covered"
    return "not_read" if "not_read" in reasons else "nothing_found"


def _finding(one: Finding, texts: Sequence[Text], messages: Messages) -> Answer:
    matched = None
    if one.text_index is not None and one.start is not None:
        matched = texts[one.text_index].text[one.start : one.end]
    return {
        **_rule(one.rule, messages),
        "severity": one.severity,
        "reason": one.reason,
        "text_index": one.text_index,
        "start": one.start,
        "end": one.end,
        "matched": matched,
        "fact": None if one.pointer is None else f"/facts{one.pointer}",
        "message": messages.text(POLICY_REASONS[one.reason], _values(one, matched, messages)),
        **_block(one.block, messages),
        "also_published": [
            {**_bar(bar, messages), "broken": broken}
            for bar, broken in zip(one.block.also_published, one.also, strict=False)
        ],
    }


def _values(one: Finding, matched: str | None, messages: Messages) -> dict[str, object]:
    """Fill in a sentence: what was matched, shortened, and numbers and dates as the language writes them."""
    values: dict[str, object] = {"label": messages.text(one.rule.label)}
    if matched is not None:
        flat = " ".join(matched.split())
        values["matched"] = flat if len(flat) <= LONGEST_SHOWN else flat[:LONGEST_SHOWN] + "…"
    for name, value in one.values.items():
        if name == "share_ppm" and isinstance(value, int):
            values["share"] = messages.percent(value)
        elif name == "category":
            values[name] = messages.text(MEDIA_NAMES[str(value)])
        else:
            values[name] = said(value, messages)
    return values


@lru_cache(maxsize=512)
def _rule(rule: Rule, messages: Messages) -> Answer:
    return {
        "rule": rule.id,
        "label": messages.text(rule.label),
        "summary": messages.text(rule.summary),
        "advice": messages.text(rule.text),
        "why": messages.text(rule.why),
    }


@lru_cache(maxsize=2048)
def _block(block: Block, messages: Messages) -> Mapping[str, Any]:
    return {
        "basis": block.basis,
        **dated(block.validity),
        "consequence": text_of(block.consequence, messages),
        "note": text_of(block.bar.note, messages),
        "sources": sources(block.bar.sources),
    }


def _bar(bar: Bar, messages: Messages) -> Answer:
    return {
        "limit": bar.limit,
        "share": None if bar.share_ppm is None else format_rate(bar.share_ppm),
        "among": sorted(bar.allowed),
        "note": text_of(bar.note, messages),
        "sources": sources(bar.sources),
    }


def _left_out(one: LeftOut, messages: Messages) -> Answer:
    label = messages.text(one.rule.label)
    return {
        "rule": one.rule.id,
        "label": label,
        "text_index": one.text_index,
        "number": one.number,
        "message": messages.say(
            say(
                "{label}: further findings that are not listed: {number}.",
                label=label,
                number=said(one.number, messages),
            )
        ),
    }


def _permission(one: Permission, texts: Sequence[Text], messages: Messages) -> Answer:
    text = texts[one.text_index]
    return {
        "text_index": one.text_index,
        "kind": text.kind,
        "permitted": one.permitted,
        "reason": one.reason,
        "message": messages.text(POLICY_PERMISSIONS[one.reason]),
        "message_type": text.message_type,
        "type_listed": one.type_listed,
    }


def _message_types(types: MessageTypes, messages: Messages) -> Answer:
    return {
        "listed": list(types.listed),
        "also_listed": list(types.also_listed),
        "note": text_of(types.note, messages),
        "sources": sources(types.sources),
    }


def _unchecked(one: Unchecked, messages: Messages) -> Answer:
    rule: str | None
    label: str | None
    if one.gap is not None:
        rule, label, detail = one.gap.id, messages.text(one.gap.label), messages.text(one.gap.text)
    else:
        rule = None if one.rule is None else one.rule.id
        label = None if one.rule is None else messages.text(one.rule.label)
        detail = messages.text(POLICY_UNCHECKED[one.reason], {"label": label})
    return {
        "rule": rule,
        "label": label,
        "text_index": one.text_index,
        "reason": one.reason,
        "message": detail,
        "sources": [] if one.gap is None else sources(one.gap.sources),
    }
