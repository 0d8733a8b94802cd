"""Whole bodies: objects that refuse unknown fields, lists, and every wrong value as a problem with its pointer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, missing

from advisor.errors import InvalidInput, Problem, Sentence, say
from advisor.inputs.values import MISSING, Refusal
from advisor.strict_json import MOST_PROBLEMS, escape

NO_OBJECT = say("This has to be a JSON object.")
NO_LIST = say("This has to be a list.")
NO_BODY_OBJECT = say("The body has to be a JSON object.")


def too_many(given: Sequence[Any], most: int) -> Sentence:
    """Say that a list is too long."""
    return say("This list has {number} entries; it may have up to {most}.", number=len(given), most=most)


class Strict(Schema):
    """A schema that refuses unknown fields."""

    class Meta:
        unknown = RAISE

    error_messages = {
        "type": Refusal("not_an_object", NO_OBJECT),  # type: ignore[dict-item]
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        detail = say("There is no such field here. There are {fields}.", fields=", ".join(self.fields))
        self.error_messages["unknown"] = Refusal("unknown_field", detail)  # type: ignore[assignment]

    def load(self, data: Any, **_: Any) -> dict[str, Any]:
        """Read one object, whole. The schema's own way serves hooks and partial objects, which nothing here has."""
        if not isinstance(data, dict):
            raise ValidationError([self.error_messages["type"]])
        loaded: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field in self.fields.items():
            try:
                value = field.deserialize(data.get(name, missing), name, data)
            except ValidationError as error:
                errors[name] = error.messages
            else:
                if value is not missing:
                    loaded[name] = value
        errors |= {name: [self.error_messages["unknown"]] for name in data if name not in self.fields}
        if errors:
            raise ValidationError(errors, valid_data=loaded)
        return loaded


class Inner(fields.Nested):
    """An object of its own schema."""

    default_error_messages = {
        "null": Refusal("not_an_object", NO_OBJECT),  # type: ignore[dict-item]
    }


class Several(fields.List[Any]):
    """A list of values or objects."""

    default_error_messages = {
        **MISSING,
        "invalid": Refusal("wrong_value", NO_LIST),  # type: ignore[dict-item]
    }


def check_number(problems: list[Problem], given: list[Any], pointer: str, most: int) -> None:
    """Note a list that is empty or too long."""
    if not 1 <= len(given) <= most:
        detail = say("This list has {number} entries; it may have 1 to {most}.", number=len(given), most=most)
        problems.append(Problem(pointer, "wrong_length", detail))


def check_most(problems: list[Problem], given: Sequence[Any], pointer: str, most: int) -> None:
    """Note a list that is too long."""
    if len(given) > most:
        problems.append(Problem(pointer, "wrong_length", too_many(given, most)))


def refuse_if_any(problems: list[Problem]) -> None:
    """Raise what was found; no more than anybody reads, so that the answer does not outgrow the request."""
    if problems:
        raise InvalidInput(problems[:MOST_PROBLEMS])


def load(
    schema: Schema, body: Any, missing_too: Callable[[Mapping[str, Any]], list[Problem]] | None = None
) -> dict[str, Any]:
    """Read a body by its schema. Raises InvalidInput.

    `missing_too` says of what could be read what else is missing, so that all that is missing is told at once.
    """
    if not isinstance(body, dict):
        raise InvalidInput([Problem("", "not_an_object", NO_BODY_OBJECT)])
    try:
        loaded: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        problems = flatten(error.messages, "")
        if missing_too is not None:
            told = {problem.pointer for problem in problems}
            readable: Any = error.valid_data
            problems += [problem for problem in missing_too(readable) if problem.pointer not in told]
        raise InvalidInput(problems[:MOST_PROBLEMS]) from None
    return loaded


def noted(schema: Schema, given: Any, pointer: str, problems: list[Problem]) -> dict[str, Any]:
    """Load an object that stands at a pointer; notes what is wrong with it, and gives nothing then."""
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        problems.extend(flatten(error.messages, pointer))
        return {}
    return loaded


def flatten(messages: Any, pointer: str) -> list[Problem]:
    """Bring marshmallow's nested messages into problems with pointers."""
    if isinstance(messages, Refusal):
        return [Problem(pointer, messages.code, messages.detail)]
    if isinstance(messages, dict):
        found = []
        for key, inner in messages.items():
            found.extend(flatten(inner, f"{pointer}/{escape(str(key))}"))
        return found
    if isinstance(messages, list):
        return [problem for inner in messages for problem in flatten(inner, pointer)]
    return [Problem(pointer, "wrong_value", str(messages))]
