"""Forms of one page: a list of fields, each of which knows its place in the body of the API request."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from advisor.domain.fees import FeeSchedule
from advisor.errors import Sentence, say
from advisor.inputs.values import read_day
from advisor.messages import CHOICES, Messages
from advisor.web.pages.entries import Entries

UNKNOWN = "unknown"
YES_NO = ("true", "false")
_DAYS = re.compile(r"[\s,;、]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, what it is read as, its label, and the JSON pointer to where it goes.

    `kind` is count, percent, amount, day, days, text, long (text of several lines), lines (a list, one a line), yes_no
    or choice. `needed` is said where it is left empty; without it, what is empty is unknown and left out.
    """

    name: str
    kind: str
    label: Sentence
    pointer: str
    hint: Sentence | None = None
    choices: tuple[tuple[str, str], ...] = ()
    needed: Sentence | None = None
    empty: Sentence | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that stand together, under a heading; `in_rows` puts short ones beside each other."""

    title: Sentence | None
    fields: tuple[Field, ...]
    in_rows: bool = True


class PlainForm(Entries):
    """A form of groups of fields, as somebody filled it in."""

    def __init__(
        self, groups: Sequence[Group], typed: Mapping[str, str], messages: Messages, schedule: FeeSchedule
    ) -> None:
        super().__init__(typed, messages)
        self.groups = groups
        self.schedule = schedule

    @property
    def fields(self) -> list[Field]:
        """All fields, in order."""
        return [field for group in self.groups for field in group.fields]

    def options(self, field: Field) -> list[tuple[str, str]]:
        """List the answers to choose from, in the reader's language; the first is what stands there at first."""
        several = field.choices or tuple((word, CHOICES[word]) for word in (UNKNOWN, *YES_NO))
        return [(value, self.messages.text(words)) for value, words in several]

    def read(self) -> dict[str, Any]:
        """Read every field into the body of a request; `errors` holds what is wrong."""
        body: dict[str, Any] = {}
        for field in self.fields:
            value = self._read(field)
            self.pointers[field.pointer] = field.name
            if value is not None:
                _put(body, field.pointer, value)
        return body

    def _read(self, field: Field) -> Any:
        numbers: dict[str, Callable[[str, Sentence | None], Any]] = {
            "count": self.count,
            "percent": lambda name, missing: self.percent(name, places=6, missing=missing),
            "amount": self.amount,
        }
        if field.kind in numbers:
            return numbers[field.kind](field.name, field.needed)
        given = self.value(field.name)
        if field.kind not in ("text", "long"):
            given = given.strip()
        if not given and field.kind == "choice" and field.empty is None:
            given = field.choices[0][0]  # what a browser shows as chosen
        if not given.strip() or given == UNKNOWN:
            if field.needed is not None:
                self.refuse(field.name, field.needed)
            return None
        return self._word(field, given)

    def _word(self, field: Field, given: str) -> Any:
        if field.kind == "yes_no":
            return given == "true"
        if field.kind == "day":
            return self._day(field.name, given)
        if field.kind == "days":
            return [self._day(field.name, one) for one in _DAYS.split(unicodedata.normalize("NFKC", given)) if one]
        if field.kind == "lines":
            return [line.strip() for line in given.splitlines() if line.strip()]
        return given.replace("\r\n", "\n") if field.kind == "long" else given

    def _day(self, name: str, given: str) -> str | None:
        try:
            return str(read_day(given).isoformat())
        except ValidationError:
            self.refuse(name, say("Type a date as year, month and day, such as 2026-11-25."))
            return None

    def in_order(self) -> list[tuple[str, str, str]]:
        """List the errors in the order of the form: field, what it is about, and the error."""
        labels = {field.name: self.messages.say(field.label) for field in self.fields}
        place = {name: index for index, name in enumerate(labels)}
        in_order = sorted(self.errors.items(), key=lambda one: place.get(one[0], len(place)))
        return [(name, labels.get(name, ""), words) for name, words in in_order]


def _put(body: dict[str, Any], pointer: str, value: Any) -> None:
    """Put a value where a JSON pointer says; numbers in it are places of lists, which grow in order."""
    at: Any = body
    *parents, last = pointer.removeprefix("/").split("/")
    for index, key in enumerate(parents):
        following = [*parents, last][index + 1]
        empty: Any = [] if following.isdigit() else {}
        if isinstance(at, list):
            if int(key) == len(at):
                at.append(empty)
            at = at[int(key)]
        else:
            at = at.setdefault(key, empty)
    if isinstance(at, list):
        at.append(value)
    else:
        at[last] = value
