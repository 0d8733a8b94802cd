"""Named parameters of a query, a form or a command line."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marshmallow import ValidationError

from advisor.errors import LONGEST_NAME_SHOWN, Problem, say
from advisor.inputs.bodies import flatten, refuse_if_any
from advisor.inputs.values import Refusal, refuse, wrong_length
from advisor.strict_json import NUL

LONGEST_CONSTANT = 200


def once(read: Callable[[str], Any]) -> Callable[[Sequence[str]], Any]:
    """Make a reader of all values of a parameter out of that of one: a second value is refused."""

    def read_one(values: Sequence[str]) -> Any:
        if len(values) > 1:
            raise refuse("duplicate_key", say("This parameter stands twice. Give it once."))
        return read(values[0])

    return read_one


def read_constants(values: Sequence[str]) -> dict[str, str]:
    """Read constants written NAME=VALUE; a name stands once, in whatever letter case. Raises ValidationError."""
    found: dict[str, str] = {}
    refusals: list[Refusal] = []
    names: set[str] = set()
    for given in values:
        name, equals, value = given.partition("=")
        if "\0" in given:
            refusals.append(Refusal("nul_character", NUL))
        elif len(given) > LONGEST_CONSTANT:
            refusals.append(Refusal("wrong_length", wrong_length(len(given), LONGEST_CONSTANT)))
        elif not name or not equals:
            detail = say("{given} has to be NAME=VALUE, such as selling_plan=professional.", given=repr(given))
            refusals.append(Refusal("wrong_value", detail))
        elif name.lower() in names:
            detail = say("{name} is set twice. Set it once.", name=name)
            refusals.append(Refusal("duplicate_name", detail))
        else:
            found[name] = value
        names.add(name.lower())
    if refusals:
        raise ValidationError(refusals)
    return found


def read_named(
    given: Mapping[str, Sequence[str]], readers: Mapping[str, Callable[[Sequence[str]], Any]], pointer: str = "?{}"
) -> dict[str, Any]:
    """Read named parameters, each with all its values: of a query, a form or a command line. Raises InvalidInput.

    `pointer` is how a parameter is written where it came from.
    """
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, values in given.items():
        place = pointer.format(name[:LONGEST_NAME_SHOWN])
        reader = readers.get(name)
        if reader is None:
            detail = say("There is no such parameter. None is allowed here.")
            if readers:
                detail = say("There is no such parameter. Allowed are {names}.", names=", ".join(readers))
            problems.append(Problem(place, "unknown_field", detail))
            continue
        try:
            found[name] = reader(values)
        except ValidationError as error:
            problems.extend(flatten(error.messages, place))
    refuse_if_any(problems)
    return found
