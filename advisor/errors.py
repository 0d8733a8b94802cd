"""Every error the advisor raises on purpose.

    AdvisorError                   something a person can act on
    ├── DataError                  a file under data/ is wrong: for whoever edits the rules
    ├── UnreadableInput            the bytes are not strict JSON, CSV, NDJSON or Parquet at all
    │   └── InputTooLarge          they are more than the advisor takes
    ├── InvalidInput               readable, but a value is wrong: one Problem per value
    ├── UnknownName                no program, marketplace or fee schedule of that name
    ├── NotFound                   nothing stored under that id, for whoever asks
    ├── Conflict                   what is stored does not allow it now
    ├── Unauthenticated            no key, or none that is valid
    ├── Forbidden                  a valid key, which may not do this
    └── StoreUnavailable           the database cannot be reached or is too busy: nothing was stored
        └── StoreFull              there is no room left: nothing was stored

The texts are public: they name the place (file and key, JSON pointer, or row and column), what was found, what is
allowed, and what to do. `advisor.web.problems` is the one place that turns them into HTTP, `advisor.cli` the one that
turns them into exit codes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LONGEST_NAME_SHOWN = 100


class Sentence(str):
    """An English sentence that knows its message and what was filled in, so that `Messages.say` can translate it."""

    message: str
    values: dict[str, Any]


def say(message: str, **values: object) -> Sentence:
    """Fill in the named placeholders of a message of the catalogs."""
    sentence = Sentence(message.format(**values) if values else message)
    sentence.message, sentence.values = message, values
    return sentence


# One whole sentence a kind: in other languages its words agree with the name of the kind.
_UNKNOWN: dict[str, Callable[[str, str], Sentence]] = {
    "program": lambda name, allowed: say(
        "There is no program named “{name}”. There are: {allowed}.", name=name, allowed=allowed
    ),
    "marketplace": lambda name, allowed: say(
        "There is no marketplace named “{name}”. There are: {allowed}.", name=name, allowed=allowed
    ),
}
_NOT_FOUND: dict[str, Callable[[str], Sentence]] = {
    "assessment": lambda name: say("There is no assessment “{name}” in this workspace.", name=name),
    "batch": lambda name: say("There is no batch “{name}” in this workspace.", name=name),
    "delivery": lambda name: say("There is no delivery “{name}” in this workspace.", name=name),
    "endpoint": lambda name: say("There is no endpoint “{name}” in this workspace.", name=name),
    "seller": lambda name: say("There is no seller “{name}” in this workspace.", name=name),
    "shared result": lambda name: say("There is no shared result “{name}” in this workspace.", name=name),
    "snapshot": lambda name: say("There is no snapshot “{name}” in this workspace.", name=name),
    "webhook delivery": lambda name: say("There is no webhook delivery “{name}” in this workspace.", name=name),
    "webhook endpoint": lambda name: say("There is no webhook endpoint “{name}” in this workspace.", name=name),
}


def _no_such_thing(name: str) -> Sentence:
    return say("There is no such thing “{name}” in this workspace.", name=name)


_NO_KEY = say("Send a valid API key: Authorization: Bearer sk_... `advisor keys create` makes one.")


class AdvisorError(Exception):
    """Something went wrong that a person can put right."""

    @property
    def detail(self) -> str:
        """What it says, as it was made: `str` of an error makes a plain text of a Sentence."""
        return self.args[0] if self.args else ""


@dataclass(frozen=True, slots=True)
class DataProblem:
    """One thing wrong in one data file: where, what was found, and what is allowed."""

    file: str
    key: str
    detail: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.detail}"


class DataError(AdvisorError):
    """The rule data cannot be used. Carries every problem found, not only the first."""

    def __init__(self, problems: list[DataProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class UnreadableInput(AdvisorError):
    """The input cannot be read in the format it claims to be. `code` is stable; the text is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class InputTooLarge(UnreadableInput):
    """The input is larger than the advisor takes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong value: a JSON pointer (RFC 6901) to it, a stable code, and a sentence that says what to do."""

    pointer: str
    code: str
    detail: str


class InvalidInput(AdvisorError):
    """The input was read, but some values cannot be used. Carries every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.pointer or '/'}: {problem.detail}" for problem in problems))
        self.problems = problems


class UnknownName(AdvisorError):
    """The named thing does not exist."""

    def __init__(self, kind: str, name: str, allowed: list[str]) -> None:
        super().__init__(_UNKNOWN[kind](name, ", ".join(allowed)))
        self.kind = kind
        self.name = name
        self.allowed = allowed


class NotFound(AdvisorError):
    """Nothing is stored under that id, for whoever asks: the text never tells whether somebody else has it."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(_NOT_FOUND.get(kind, _no_such_thing)(name[:LONGEST_NAME_SHOWN]))


class Conflict(AdvisorError):
    """What is stored, or under way, does not allow this now. `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Unauthenticated(AdvisorError):
    """There is no key, or none that is valid. One text for all reasons, so that nobody learns which keys exist."""

    def __init__(self) -> None:
        super().__init__(_NO_KEY)


class Forbidden(AdvisorError):
    """The key is valid and may not do this."""


class StoreUnavailable(AdvisorError):
    """The database cannot be reached or is too busy; nothing was stored, and the same request may succeed later."""


class StoreFull(StoreUnavailable):
    """There is no room left; nothing was stored."""
