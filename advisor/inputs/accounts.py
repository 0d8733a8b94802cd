"""What is said of an account: the programs to hold it against, its facts and its observations."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from marshmallow import ValidationError

from advisor.catalog import Catalog
from advisor.domain.assessment import Observation, Slot
from advisor.domain.numbers import HIGHEST_COUNT, PPB
from advisor.domain.program import Fact, FactValue, Metric, Vocabulary
from advisor.errors import Problem, Sentence, say
from advisor.inputs.bodies import flatten, too_many
from advisor.inputs.values import (
    NOT_TRUE_OR_FALSE,
    Refusal,
    Text,
    Value,
    allowed,
    decimal_schema,
    read_count,
    read_day,
    read_decimal,
    refuse,
)
from advisor.strict_json import escape

SEGMENT = re.compile(r"seller_fulfilled|amazon_fulfilled|business|category:[a-z0-9_]{1,160}", re.ASCII)
MOST_OBSERVATIONS = 100


class Measured(NamedTuple):
    """An observation as sent: what was measured, for which window and segment."""

    seen: Observation
    window_days: int | None
    segment: str | None


class Metrics(Value):
    """Observations by metric: one object or a list of them each; null is unknown."""

    def json_schema(self) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/Metrics"}

    def read(self, value: Any) -> dict[str, list[tuple[str, Measured]]]:
        if not isinstance(value, dict):
            raise refuse("not_an_object", say("This has to be an object of observations by metric."))
        found: dict[str, list[tuple[str, Measured]]] = {}
        errors: dict[str, Any] = {}
        for metric, given in value.items():
            several = isinstance(given, list)
            if several and len(given) > MOST_OBSERVATIONS:
                errors[metric] = Refusal("wrong_length", too_many(given, MOST_OBSERVATIONS))
                continue
            measured = []
            wrong: dict[Any, Any] = {}
            for index, one in enumerate(given if several else [given]):
                try:
                    seen = read_observation(one)
                except ValidationError as error:
                    wrong[index] = error.messages
                else:
                    if seen is not None:
                        measured.append((f"/{index}" if several else "", seen))
            if wrong:
                errors[metric] = wrong if several else wrong[0]
            found[metric] = measured
        if errors:
            raise ValidationError(errors)
        return found


def _read_segment(value: Any) -> str:
    if not isinstance(value, str) or not SEGMENT.fullmatch(value):
        detail = say("Allowed are seller_fulfilled, amazon_fulfilled, business and category:<key>.")
        raise refuse("not_a_segment", detail)
    return value


_OBSERVATION: dict[str, Callable[[Any], Any]] = {
    "count": lambda value: read_count(value, 0, HIGHEST_COUNT),
    "of": lambda value: read_count(value, 0, HIGHEST_COUNT),
    "rate": lambda value: read_decimal(value, 9, PPB, rate=True),
    "window_days": lambda value: read_count(value, 1, 366),
    "segment": _read_segment,
}


def read_observation(given: Any) -> Measured | None:
    """Read `{count, of}`, `{rate}` or `{count}`, each with optional window_days and segment; None is unknown."""
    if given is None:
        return None
    if not isinstance(given, dict):
        detail = say('An observation is an object such as {"count": 3, "of": 1200} or {"rate": "0.0025"}.')
        raise refuse("not_an_object", detail)
    errors: dict[str, Any] = {}
    read: dict[str, Any] = {}
    for key, value in given.items():
        reader = _OBSERVATION.get(key)
        if reader is None:
            errors[key] = [Refusal("unknown_field", allowed(sorted(_OBSERVATION)))]
        elif value is not None:
            try:
                read[key] = reader(value)
            except ValidationError as error:
                errors[key] = error.messages
    if errors:
        raise ValidationError(errors)
    count, of, rate = read.get("count"), read.get("of"), read.get("rate")
    if count is None and of is None and rate is None:
        if given.keys() & {"count", "of", "rate"}:
            return None
        raise refuse(
            "no_value", say("An observation has `count` and `of`, or `rate`, or (for counters) `count` alone.")
        )
    if rate is not None and (count is not None or of is not None):
        raise refuse("rate_and_count", say("Give either `rate`, or `count` and `of`: not both."))
    if rate is not None:
        seen = Observation.of_rate(rate)
    elif count is None:
        raise refuse("half_a_pair", say("`of` needs `count`: how many of them."))
    elif of is not None and count > of:
        detail = say("{count} of {of} is impossible: `count` may be at most `of`.", count=count, of=of)
        raise refuse("count_above_of", detail)
    else:
        seen = Observation(count, of)
    return Measured(seen, read.get("window_days"), read.get("segment"))


class Facts(Value):
    """Declared facts by name; null is unknown."""

    def json_schema(self) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/Facts"}

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refuse("not_an_object", say("This has to be an object of facts by name."))
        return value


class ProgramName(Text):
    """A program's id; whether there is such a program is asked of the catalog."""

    def json_schema(self) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/ProgramId"}


def component_schemas(vocabulary: Vocabulary, program_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Describe, as JSON Schema, the parts of a request that the rule data names: programs, metrics and facts."""
    window = {"type": ["integer", "null"], "minimum": 1, "maximum": 366}
    segment = {"type": ["string", "null"], "pattern": f"^({SEGMENT.pattern})$"}
    count = {"type": ["integer", "null"], "minimum": 0, "maximum": HIGHEST_COUNT}
    null = {"type": "null"}
    given = [{"required": [name]} for name in ("count", "of", "rate")]

    def observation(description: str, count: Any, of: Any, rate: Any, ways: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "type": "object",
            "description": description,
            "properties": {"count": count, "of": of, "rate": rate, "window_days": window, "segment": segment},
            "additionalProperties": False,
            "anyOf": ways,
        }

    def several(ref: str) -> dict[str, Any]:
        one = {"$ref": f"#/components/schemas/{ref}"}
        many = {"type": "array", "items": {"anyOf": [one, null]}, "maxItems": MOST_OBSERVATIONS}
        return {"anyOf": [one, many, null]}

    facts: dict[str, Any] = {}
    for fact in vocabulary.facts.values():
        kinds: dict[str, dict[str, Any]] = {
            "boolean": {"type": ["boolean", "null"]},
            "choice": {"enum": [*fact.choices, None]},
            "integer": {"type": ["integer", "null"], "minimum": fact.lowest, "maximum": fact.highest},
            "date": {"type": ["string", "null"], "format": "date"},
        }
        facts[fact.key] = {"description": fact.label, **kinds[fact.kind]}
    metrics = {
        metric.key: {"description": metric.label, **several("Counter" if metric.kind == "counter" else "Rate")}
        for metric in vocabulary.metrics.values()
    }
    rate = decimal_schema(9, 1, "0.0025")
    rate["type"] = [*rate["type"], "null"]
    some_count, some_rate = {"type": "integer"}, {"type": ["string", "integer"]}
    return {
        "ProgramId": {"type": "string", "enum": list(program_ids)},
        "Facts": {"type": "object", "properties": facts, "additionalProperties": False},
        "Metrics": {"type": "object", "properties": metrics, "additionalProperties": False},
        "Rate": observation(
            "Either count and of, which give headroom, or a bare rate with up to nine decimals; null is unknown.",
            count,
            count,
            rate,
            [
                {"properties": {"count": some_count, "of": some_count, "rate": null}, "required": ["count", "of"]},
                {"properties": {"count": null, "of": null, "rate": some_rate}, "required": ["rate"]},
                {"properties": {"count": null, "of": null, "rate": null}, "anyOf": given},
            ],
        ),
        "Counter": observation("A plain count; null is unknown.", count, null, null, given),
    }


def check_programs(catalog: Catalog, names: Sequence[str], problems: list[Problem]) -> None:
    """Note what is wrong with a list of programs: each there is, named once."""
    if not 1 <= len(names) <= len(catalog.program_ids) or len(set(names)) < len(names):
        detail = say("Name each program once; there are {programs}.", programs=", ".join(catalog.program_ids))
        problems.append(Problem("/programs", "wrong_programs", detail))
    for index, name in enumerate(names):
        if name not in catalog.program_ids:
            problems.append(Problem(f"/programs/{index}", "unknown_program", _no_such_program(catalog)))


def read_program(catalog: Catalog) -> Callable[[str], str]:
    """Make a reader of a program's id; it raises ValidationError where there is no such program."""

    def read(name: str) -> str:
        if name not in catalog.program_ids:
            raise refuse("unknown_program", _no_such_program(catalog))
        return name

    return read


def _no_such_program(catalog: Catalog) -> Sentence:
    return say("There is no such program. There are {programs}.", programs=", ".join(catalog.program_ids))


@lru_cache(maxsize=8)
def _no_such_fact(vocabulary: Vocabulary) -> Sentence:
    return say("There is no such fact. There are {facts}.", facts=", ".join(vocabulary.facts))


@lru_cache(maxsize=8)
def _no_such_metric(vocabulary: Vocabulary) -> Sentence:
    return say("There is no such metric. There are {metrics}.", metrics=", ".join(vocabulary.metrics))


def read_facts(vocabulary: Vocabulary, given: Mapping[str, Any], problems: list[Problem]) -> dict[str, FactValue]:
    """Read loaded facts by what each fact is; notes what is wrong."""
    facts: dict[str, FactValue] = {}
    for name, value in given.items():
        fact = vocabulary.facts.get(name)
        if fact is None:
            problems.append(Problem(f"/facts/{escape(name)}", "unknown_field", _no_such_fact(vocabulary)))
        elif value is not None:
            try:
                facts[name] = read_fact(fact, value)
            except ValidationError as error:
                problems.extend(flatten(error.messages, f"/facts/{name}"))
    return facts


def read_fact(fact: Fact, value: Any) -> FactValue:
    """Read one fact's value; raises ValidationError."""
    match fact.kind:
        case "boolean":
            if not isinstance(value, bool):
                raise refuse("not_true_or_false", NOT_TRUE_OR_FALSE)
            return value
        case "choice":
            if value not in fact.choices:
                raise refuse("not_allowed", allowed(fact.choices))
            return str(value)
        case "integer":
            return read_count(value, fact.lowest or 0, fact.highest or HIGHEST_COUNT)
    return read_day(value)


def read_observations(
    vocabulary: Vocabulary, given: Mapping[str, list[tuple[str, Measured]]], problems: list[Problem]
) -> dict[Slot, Observation]:
    """Read loaded metrics by what each metric is; notes what is wrong."""
    observations: dict[Slot, Observation] = {}
    for name, several in given.items():
        metric = vocabulary.metrics.get(name)
        if metric is None:
            problems.append(Problem(f"/metrics/{escape(name)}", "unknown_field", _no_such_metric(vocabulary)))
            continue
        counter = metric.kind == "counter"
        for place, (seen, window_days, segment) in several:
            slot = slot_of(metric, window_days, segment)
            if slot in observations:
                detail = say("There are two observations of this metric for one window and segment. Keep one.")
                problems.append(Problem(f"/metrics/{name}{place}", "duplicate_observation", detail))
            elif counter == (seen.of is None):
                observations[slot] = seen
            elif counter:
                detail = say("“{label}” is a plain count: give `count` alone.", label=say(metric.label))
                problems.append(Problem(f"/metrics/{name}{place}", "not_a_count", detail))
            else:
                detail = say("“{label}” is a rate: give `count` and `of`, or `rate`.", label=say(metric.label))
                problems.append(Problem(f"/metrics/{name}{place}", "half_a_pair", detail))
    return observations


def slot_of(metric: Metric, window_days: int | None, segment: str | None) -> Slot:
    """Say which slot an observation fills: seller-fulfilled is the whole of a metric defined on such orders only."""
    if segment == "seller_fulfilled" and metric.seller_fulfilled_only:
        segment = None
    return Slot(metric.key, window_days, segment)
