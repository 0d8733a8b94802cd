"""Forms of one page: groups of fields, each of which knows its place in the body of the API request."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from marshmallow import ValidationError

from advisor.domain.fees import FeeSchedule
from advisor.errors import Problem, Sentence, say
from advisor.inputs.values import read_day
from advisor.messages import CHOICES, Messages
from advisor.web.pages.entries import UNKNOWN, YES_NO, Entries, Rows

NOT_KNOWN = say("I do not know")
_IN_CODES = re.compile(r"[\s-]+")
_DAYS = re.compile(r"[\s,;、]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, what it is read as, its label, and the JSON pointer to where it goes.

    `kind` is count, percent, amount, day, days, text, name (a text without the blanks around it), code (a name in
    capitals, without blanks and hyphens), long (text of several lines), lines (a list, one a line), yes_no, choice or
    words (a list of choices, each with a box). What is left empty is unknown and left out; `needed` is said where the
    service then misses it. `pair` has the names of two fields that belong together, how many and of how many in all, of
    which this is one.
    """

    name: str
    kind: str
    label: Sentence
    pointer: str
    hint: Sentence | None = None
    choices: tuple[tuple[str, str], ...] = ()
    needed: Sentence | None = None
    empty: Sentence | None = None
    pair: tuple[str, str] | None = None

    @property
    def none(self) -> str:
        """The box of a list of choices that says that it is none of them."""
        return f"{self.name}_none"


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that stand together, under a heading; `in_rows` puts short ones beside each other.

    `folds`: it is closed until something in it was typed. With `rows` the fields are asked again for each entry of the
    list at `pointer`; the names and pointers of the fields are then those within an entry.
    """

    title: Sentence | None
    fields: tuple[Field, ...]
    in_rows: bool = True
    hint: Sentence | None = None
    folds: bool = False
    rows: Rows | None = None
    pointer: str = ""


class Place(NamedTuple):
    """Where a field stands: what it is about, the row or fact that it is a part of, and the element to link to."""

    about: str
    part_of: str
    anchor: str


class PlainForm(Entries):
    """A form of groups of fields, as somebody filled it in. `at` is the field to go on with."""

    at = ""

    def __init__(
        self, groups: Sequence[Group], typed: Mapping[str, str], messages: Messages, schedule: FeeSchedule
    ) -> None:
        super().__init__(typed, messages)
        self.groups = groups
        self.schedule = schedule
        self.several = tuple(group.rows for group in groups if group.rows is not None)
        self.needed: dict[str, Sentence | None] = {}

    # What is shown

    def options(self, field: Field) -> list[tuple[str, str]]:
        """List the answers to choose from, in the reader's language; the first is what stands there at first."""
        several = field.choices or tuple((word, CHOICES[word]) for word in (UNKNOWN, *YES_NO))
        return [(value, self.messages.text(words)) for value, words in several]

    def boxes(self, field: Field) -> list[tuple[str, str]]:
        """List the boxes of a list of choices: their names, and what they say."""
        return [(f"{field.name}_{value}", words) for value, words in self.options(field)]

    def in_row(self, group: Group, number: int) -> list[Field]:
        """List the fields of a row."""
        assert group.rows is not None
        return [replace(field, name=group.rows.field(number, field.name)) for field in group.fields]

    def opens(self, group: Group) -> bool:
        """Tell whether a group that folds is open: something in it was typed, is wrong, or is gone on with."""
        names = {name for name, _ in self._places(group)}
        more = group.rows is not None and len(self.numbers(group.rows)) > 1
        return more or any(self._is_typed(name) or name in self.errors or name == self.at for name in names)

    def origin(self, pointer: str) -> Place | None:
        """Say where what stands at a place of the body was typed."""
        return self.places.get(self._field_of(pointer))

    @property
    def places(self) -> dict[str, Place]:
        """Say where each field stands, in the order of the page."""
        return {name: place for group in self.groups for name, place in self._places(group)}

    def _places(self, group: Group) -> Iterator[tuple[str, Place]]:
        if group.rows is None:
            for field in group.fields:
                yield from self._places_of(field)
            return
        yield group.rows.none, Place(self.messages.say(group.title or ""), "", group.rows.none)
        for number in self.numbers(group.rows):
            row = self.called(group.rows, number)
            for field in self.in_row(group, number):
                about = self.messages.say(say("{row}, {label}", row=row, label=field.label))
                for name, _ in self._places_of(field):
                    yield name, Place(about, row, f"{group.rows.name}_{number}")

    def _places_of(self, field: Field) -> Iterator[tuple[str, Place]]:
        label = self.messages.say(field.label)
        if field.kind != "words":
            about = label
            if field.pair is not None and field.name == field.pair[1]:
                of = next(one for group in self.groups for one in group.fields if one.name == field.pair[0])
                about = self.messages.say(say("{row}, {label}", row=of.label, label=field.label))
            yield field.name, Place(about, label, field.name)
            return
        for name, words in self.boxes(field):
            yield name, Place(label, self.messages.say(say("{row}, {label}", row=label, label=words)), name)
        yield field.none, Place(label, label, field.none)

    def _is_typed(self, name: str) -> bool:
        return self.value(name).strip() not in ("", UNKNOWN)

    def in_order(self) -> list[tuple[str, str, str]]:
        """List the errors in the order of the form: field, what it is about, and the error."""
        places = self.places
        order = {name: index for index, name in enumerate(places)}
        in_order = sorted(self.errors.items(), key=lambda one: order.get(one[0], len(order)))
        return [(name, places[name].about if name in places else "", words) for name, words in in_order]

    def said_of(self, name: str, problem: Problem) -> str:
        """Say of a field what the service says of its value; where it misses one, what the field says then."""
        needed = self.needed.get(name) if problem.code == "missing" else None
        return needed or super().said_of(name, problem)

    # What it means

    def read(self) -> dict[str, Any]:
        """Read every field into the body of a request; `errors` holds what is wrong with what was typed."""
        body: dict[str, Any] = {}
        for group in self.groups:
            if group.rows is not None:
                _put(body, group.pointer, self._read_rows(group, group.rows))
                continue
            for field in group.fields:
                _put(body, field.pointer, self._read(field, field.pointer))
        return body

    def _read_rows(self, group: Group, rows: Rows) -> list[dict[str, Any]] | None:
        """Read the rows in which something was typed; None where there is none, unless somebody says so."""
        entries: list[dict[str, Any]] = []
        for number in self.numbers(rows):
            fields = self.in_row(group, number)
            if not any(self._is_typed(name) for field in fields for name, _ in self._places_of(field)):
                continue
            entry: dict[str, Any] = {}
            for field in fields:
                _put(entry, field.pointer, self._read(field, f"{group.pointer}/{len(entries)}{field.pointer}"))
            entries.append(entry)
        return self._or_none(rows.none, entries)

    def _or_none(self, box: str, entries: list[Any]) -> list[Any] | None:
        """Give a list; an empty one only where a box says that there is nothing, for else it is unknown."""
        if not self._is_typed(box):
            return entries or None
        if entries:
            self.refuse(box, say("You say that there are none, and give some. Untick this, or empty what you typed."))
        return entries

    def _read(self, field: Field, pointer: str) -> Any:
        self.pointers[pointer] = field.name
        self.needed[field.name] = field.needed
        if field.kind == "words":
            return self._ticked(field, pointer)
        if field.pair is not None:
            both = self.pair(*field.pair)
            return None if both is None else both[field.pair.index(field.name)]
        numbers: dict[str, Callable[[str], Any]] = {
            "count": self.count,
            "percent": lambda name: self.percent(name, places=6),
            "amount": self.amount,
        }
        if field.kind in numbers:
            return numbers[field.kind](field.name)
        if field.kind == "yes_no":
            given = self.chosen(field.name, YES_NO)
            return None if given is None else given == "true"
        given = self.value(field.name)
        if field.kind == "choice":
            if not given.strip() and field.empty is None:
                return field.choices[0][0]  # what a browser shows as chosen
            return self.chosen(field.name, dict(field.choices))
        return self._text(field, given if field.kind in ("text", "long") else given.strip()) if given.strip() else None

    def _ticked(self, field: Field, pointer: str) -> list[str] | None:
        found: list[str] = []
        for (word, _), (name, _) in zip(field.choices, self.boxes(field), strict=True):
            if self._is_typed(name):
                self.pointers[f"{pointer}/{len(found)}"] = name
                found.append(word)
        self.pointers[pointer] = field.none
        return self._or_none(field.none, found)

    def _text(self, field: Field, given: str) -> Any:
        if field.kind == "day":
            return self._day(field.name, given)
        if field.kind == "days":
            return [self._day(field.name, one) for one in _DAYS.split(unicodedata.normalize("NFKC", given)) if one]
        if field.kind == "code":
            return _IN_CODES.sub("", unicodedata.normalize("NFKC", given)).upper()
        if field.kind == "lines":
            return [line.strip() for line in given.splitlines() if line.strip()]
        return given.replace("\r\n", "\n") if field.kind == "long" else given

    def _day(self, name: str, given: str) -> str | None:
        try:
            return str(read_day(given).isoformat())
        except ValidationError:
            self.refuse(name, say("Type a date as year, month and day, such as 2026-11-25."))
            return None


def _put(body: dict[str, Any], pointer: str, value: Any) -> None:
    """Put a value where a JSON pointer says; None is left out. Numbers are places of lists, which grow in order."""
    if value is None:
        return
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
