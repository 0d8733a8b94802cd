"""The words of the portfolio: verdicts, room left, what changed, and findings told again in the reader's language."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from babel.dates import format_datetime

from advisor.answers.parts import Answer
from advisor.catalog import Catalog
from advisor.domain.numbers import parse_decimal
from advisor.domain.program import Criterion, Fact, Program
from advisor.errors import Sentence, say
from advisor.messages import FACT_REASONS, FACT_VALUES, REASONS, TEXTS, VERDICT_NAMES, Messages

VERDICTS = {code: say(name) for code, name in VERDICT_NAMES.items()}
OUTCOMES = {
    "met": say("Met"),
    "missed": say("Missed"),
    "unknown": say("Unknown"),
    "not_applicable": say("Does not apply"),
}
STATES = {
    "queued": say("Waiting"),
    "running": say("Running"),
    "done": say("Finished"),
    "failed": say("Failed"),
}
# The classes of the stylesheet for them.
STATE_TAGS = {"queued": "waiting", "running": "running", "done": "finished", "failed": "failed"}


def program_titles(catalog: Catalog, messages: Messages) -> dict[str, str]:
    """Name every program in the reader's language."""
    return {name: messages.text(catalog.program(name).title) for name in catalog.program_ids}


def place(marketplace: str, messages: Messages) -> str:
    """Name the country of a marketplace."""
    return str(messages.locale.territories["GB" if marketplace == "UK" else marketplace])


def labels(program: Program, messages: Messages) -> dict[str, str]:
    """Name every criterion of a program."""
    return {one.id: messages.text(one.label) for one in program.criteria}


def age(days: int) -> Sentence:
    """Say how many days old something is."""
    if days <= 0:
        return say("Today")
    return say("1 day") if days == 1 else say("{days} days", days=days)


def moment(text: str, messages: Messages) -> str:
    """Write a time of the API (ISO 8601, UTC) as the language does."""
    then = datetime.fromisoformat(text)
    written = format_datetime(then, "medium", tzinfo=UTC, locale=messages.locale)
    return messages.say(say("{time} UTC", time=written))


def day_of(text: str, messages: Messages) -> str:
    """Write a day of the API (ISO 8601) as the language does."""
    return messages.day(date.fromisoformat(text))


def days_since(day: str, today: date) -> int:
    """Count the days since a day."""
    return (today - date.fromisoformat(day)).days


def room(finding: Answer | None, messages: Messages) -> str | None:
    """Say how much room a finding leaves: further defects, or percentage points of a rate without counts."""
    left = finding and finding["headroom"]
    if not left:
        return None
    if left["count"] is not None:
        number = messages.number(abs(left["count"]))
        if left["count"] < 0:
            return messages.say(say("{number} too many", number=number))
        return messages.say(say("{number} more allowed", number=number))
    if left["rate"] is None:
        return None
    rate = messages.percent(_ppm(left["rate"].removeprefix("-")))
    if left["rate"].startswith("-"):
        return messages.say(say("{rate} beyond the limit", rate=rate))
    return messages.say(say("{rate} to the limit", rate=rate))


def changes(standing: Answer, messages: Messages) -> list[str]:
    """Say what changed since the snapshot before: the verdict, the score, or nothing."""
    before = standing["previous"]
    if before is None:
        return [messages.say(say("First snapshot"))]
    found = []
    if before["verdict"] != standing["verdict"]:
        found.append(say("Was: {verdict}", verdict=VERDICTS[before["verdict"]]))
    if before["score"] is not None and standing["score"] is not None and before["score"] != standing["score"]:
        points = standing["score"] - before["score"]
        up, down = say("Score up by {points}", points=points), say("Score down by {points}", points=-points)
        found.append(up if points > 0 else down)
    return [messages.say(one) for one in found or [say("No change")]]


@dataclass(frozen=True, slots=True)
class Told:
    """A finding as a page shows it."""

    label: str
    outcome: str
    message: str
    value: str | None
    limit: str | None
    room: str | None
    advisory: bool


def told(findings: Sequence[Answer], program: Program, messages: Messages) -> list[Told]:
    """Tell findings of a stored answer in the reader's language, those that need something done first.

    What was stored is in the language of whoever sent the snapshot: its codes and numbers are told again. Only of a
    criterion that the rules do not have any more the old sentence is left.
    """
    known = {one.id: one for one in program.criteria}
    ordered = sorted(findings, key=_urgency)
    return [_told(one, known.get(one["criterion"]), messages) for one in ordered]


def _urgency(finding: Answer) -> int:
    """Say where a finding stands: what is missed or has to be given comes first, what was not judged last."""
    required = finding["level"] == "required"
    order = {"missed": 0 if required else 2, "unknown": 1 if required else 4, "met": 3}
    return order.get(finding["outcome"], 5)


def _told(finding: Answer, criterion: Criterion | None, messages: Messages) -> Told:
    limit = limit_of(finding, messages)
    seen = finding["observed"]
    return Told(
        label=messages.text(criterion.label) if criterion else finding["criterion"],
        outcome=finding["outcome"],
        message=(criterion and _sentence(finding, criterion, limit, messages)) or finding["message"],
        value=value_of(seen, messages) if seen else None,
        limit=limit,
        room=room(finding, messages),
        advisory=finding["level"] != "required",
    )


def _sentence(finding: Answer, criterion: Criterion, limit: str | None, messages: Messages) -> str | None:
    fact = isinstance(criterion.subject, Fact)
    sentence = (FACT_REASONS if fact else REASONS).get(finding["reason"])
    seen = finding["observed"]
    observed = (counted_of(seen, criterion, messages) or value_of(seen, messages)) if seen else None
    least = {one.minimum_volume for one in criterion.thresholds if one.minimum_volume is not None}
    words = {
        "label": messages.text(criterion.label),
        "bar": limit,
        "observed": observed,
        "of": seen.get("of") if seen else None,
        "minimum": least.pop() if len(least) == 1 else None,
        "unit": messages.text(criterion.metric.unit) if criterion.metric else None,
    }
    given = {name: value for name, value in words.items() if value is not None}
    try:
        return messages.text(sentence, given) if sentence else None
    except KeyError:  # it says something that is not known any more
        return None


def limit_of(finding: Answer, messages: Messages) -> str | None:
    """Write the limit of a stored finding, such as “below 1%”; None where nobody publishes a number."""
    if finding["comparison"] is None or finding["threshold"] is None:
        return None
    return messages.bar(
        finding["comparison"], _written(finding["threshold"], finding.get("fact") is not None, messages)
    )


def value_of(seen: Answer, messages: Messages) -> str | None:
    """Write an observed value: a rate as a percentage, a count, or a fact."""
    if "value" in seen:
        return _written(seen["value"], True, messages)
    if seen["rate"] is not None:
        return messages.percent(_ppm(seen["rate"]))
    if seen.get("between"):
        ends = {name: messages.percent(_ppm(one)) for name, one in seen["between"].items()}
        return messages.say(say("{lowest} to {highest}", **ends))
    return None if seen["count"] is None else messages.number(seen["count"])


def counted_of(seen: Answer, criterion: Criterion, messages: Messages) -> str | None:
    """Write a rate with the counts it is made of; None where there are none."""
    if criterion.metric is None or seen.get("rate") is None or seen.get("count") is None:
        return None
    words = {"rate": messages.percent(_ppm(seen["rate"])), "count": seen["count"], "of": seen["of"]}
    return messages.text(TEXTS["counted"], words | {"unit": messages.text(criterion.metric.unit)})


def _written(value: bool | int | str, fact: bool, messages: Messages) -> str:
    if isinstance(value, bool):
        return messages.text(TEXTS["yes" if value else "no"])
    if isinstance(value, int) or fact:
        text = str(value)
        return messages.text(FACT_VALUES[text]) if text in FACT_VALUES else text
    return messages.percent(_ppm(value))


def _ppm(text: str) -> int:
    return parse_decimal(text, 6) or 0
