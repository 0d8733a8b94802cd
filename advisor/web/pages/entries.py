"""What a person typed into a form, what is wrong with it, and how it was read."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from advisor.domain.fees import FeeSchedule
from advisor.errors import Problem, Sentence, say
from advisor.messages import Messages
from advisor.web.pages.typed import Mistyped, read_amount, read_count, read_percent

MOST_ROWS = 20
UNKNOWN = "unknown"
YES_NO = ("true", "false")
CHOOSE_AGAIN = say("What was chosen before is not in this list. Choose again.")
_GIVE_COUNT = say("Type how many there were; 0 if there were none. If you do not know, leave both numbers empty.")
_GIVE_OF = say("Type how many there were in all. If you do not know, leave both numbers empty.")
# What the service says of the body of a request, and what a page says instead of the field that it came from. All other
# sentences say the same in both places.
ON_A_PAGE: dict[str, Sentence] = {
    "This is missing; it has to be given.": say("Fill this in."),
    "A discount of everything leaves no price; it is below 1.": say(
        "A discount of everything leaves no price. Type less than 100."
    ),
    "A pre-order has no restock date. Give its release date instead.": say(
        "A pre-order has no restock date. Empty this, and type the release date."
    ),
    "A back-order has no release date. Give its restock date instead.": say(
        "A back-order has no release date. Empty this, and type the restock date."
    ),
    "What the seller ships with Prime is offered with Prime. Leave one of the two out.": say(
        "What you ship with Prime is offered with Prime. Choose another answer here, or to “Who ships it?”."
    ),
    "There are no images, so none of them is the main one. Leave it out, or say how many there are.": say(
        "You say that there are no images, so there is no main one. Leave what is asked of it empty, or type how many "
        "images there are."
    ),
    "There is nothing to check: give texts, facts or both.": say(
        "There is nothing to check. Type a text here, or open what is about the business and answer something there."
    ),
}
Number = TypeVar("Number", int, str)


@dataclass(frozen=True, slots=True)
class Rows:
    """Fields that are asked as often as somebody wants, such as those of a product.

    The field `first` of row 2, with which a row begins, is named `{name}_2_{first}`. `one` says what a row is called,
    by its {number}, and `alone` while there is no other; `add` and `remove` stand on the buttons.
    """

    name: str
    first: str
    one: Sentence
    add: Sentence
    remove: Sentence
    alone: Sentence | None = None

    @property
    def shown(self) -> str:
        """The hidden field that says how many rows are shown."""
        return f"{self.name}_rows"

    @property
    def none(self) -> str:
        """The box that says that there are none."""
        return f"{self.name}_none"

    def field(self, number: int, part: str) -> str:
        """Name a field of a row."""
        return f"{self.name}_{number}_{part}"


class Entries:
    """The fields of a form as they were typed. Reading one notes what is wrong with it, or how it was read.

    `errors` has a sentence for each wrong field, `unsure` those that can be confirmed, `read_as` every number in the
    reader's own way, and `pointers` the field that each place of the request's body came from; that of the whole body,
    if a page has one, is where to begin. `several` are the rows that it has.
    """

    schedule: FeeSchedule
    several: Sequence[Rows] = ()

    def __init__(self, typed: Mapping[str, str], messages: Messages) -> None:
        self.typed = dict(typed)
        self.messages = messages
        self.errors: dict[str, str] = {}
        self.unsure: set[str] = set()
        self.echoes: dict[str, str] = {}
        self.read_as: dict[str, str] = {}
        self.pointers: dict[str, str] = {}

    def value(self, name: str) -> str:
        """Give what was typed into a field."""
        return self.typed.get(name, "")

    def numbers(self, rows: Rows) -> list[int]:
        """Number the rows that are shown: those with anything typed, and as many as were asked for."""
        asked = self.typed.get(rows.shown, "1")
        most = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 2 else 1
        for number in range(1, MOST_ROWS + 1):
            if any(value and name.startswith(rows.field(number, "")) for name, value in self.typed.items()):
                most = max(most, number)
        return list(range(1, min(max(most, 1), MOST_ROWS) + 1))

    def called(self, rows: Rows, number: int) -> str:
        """Say what a row is called."""
        if rows.alone is not None and len(self.numbers(rows)) == 1:
            return self.messages.say(rows.alone)
        return self.messages.text(rows.one, {"number": number})

    def has_room(self, rows: Rows) -> bool:
        """Tell whether there can be one more."""
        return len(self.numbers(rows)) < MOST_ROWS

    def press(self, go: str) -> str | None:
        """Add or remove a row if that is what a button says. Gives the field to go on with; None for other buttons."""
        word, _, rest = go.partition(":")
        name, _, given = rest.partition(":")
        for rows in self.several:
            numbers = self.numbers(rows)
            if (word, name) == ("add", rows.name):
                number = min(len(numbers) + 1, MOST_ROWS)
                self.typed[rows.shown] = str(number)
                return rows.field(number, rows.first)
            if (word, name) == ("remove", rows.name) and given in map(str, numbers):
                left = max(len(numbers) - 1, 1)
                self._remove(rows, int(given))
                self.typed[rows.shown] = str(left)
                return rows.field(min(int(given), left), rows.first)
        return None

    def _remove(self, rows: Rows, number: int) -> None:
        """Take a row away; those behind it move up."""
        kept = {}
        later = set(map(str, range(number + 1, MOST_ROWS + 1)))
        for name, value in self.typed.items():
            own, _, part = name.removeprefix(f"{rows.name}_").partition("_")
            if not name.startswith(f"{rows.name}_") or own not in {str(number), *later}:
                kept[name] = value
            elif own in later:
                kept[rows.field(int(own) - 1, part)] = value
        self.typed = kept

    def count(self, name: str, missing: Sentence | None = None) -> int | None:
        """Read a whole number; an empty field is None, and wrong where `missing` says so."""
        return self._number(name, missing, read_count, self.messages.number)

    def percent(self, name: str, most: int = 100, places: int = 9, missing: Sentence | None = None) -> str | None:
        """Read a percentage as the decimal text of a fraction."""
        sure = self.value(f"{name}_sure") == "true"
        return self._number(
            name, missing, lambda given: read_percent(given, sure, most, places), self.messages.fraction
        )

    def amount(self, name: str, missing: Sentence | None = None) -> str | None:
        """Read an amount of the schedule's currency as a decimal text."""
        decimals, currency = self.schedule.decimals, self.schedule.currency
        return self._number(
            name,
            missing,
            partial(read_amount, decimals=decimals, currency=currency),
            lambda amount: self.messages.money(amount, currency),
        )

    def pair(self, count: str, of: str) -> tuple[int, int] | None:
        """Read how many there were and of how many in all. Both empty are not known; one without the other is wrong."""
        if not (self.value(count).strip() or self.value(of).strip()):
            return None
        some, everything = self.count(count, _GIVE_COUNT), self.count(of, _GIVE_OF)
        if some is None or everything is None:
            return None
        if some > everything:
            words = {"count": some, "of": everything}
            self.refuse(
                count, say("There cannot be {count} of {of}. Type at most {of} here, or a larger total.", **words)
            )
            return None
        return some, everything

    def chosen(self, name: str, allowed: Collection[str]) -> str | None:
        """Read a choice; None is not known. A list may be another one since: what it does not have is chosen again."""
        given = self.value(name).strip()
        if given in ("", UNKNOWN):
            return None
        if given not in allowed:
            self.refuse(name, CHOOSE_AGAIN)
            return None
        return given

    def _number(
        self, name: str, missing: Sentence | None, read: Callable[[str], Number], written: Callable[[Number], str]
    ) -> Number | None:
        """Read a number, and note how it was read; an empty field is None, and wrong where `missing` says so."""
        given = self.value(name)
        if not given.strip():
            if missing is not None:
                self.refuse(name, missing)
            return None
        try:
            found = read(given)
        except Mistyped as error:
            self._wrong(name, error)
            return None
        self._echo(name, given, written(found))
        return found

    def refuse(self, name: str, sentence: str) -> None:
        """Note what is wrong with a field; what was noted first stays."""
        self.errors.setdefault(name, self.messages.say(sentence))

    def _wrong(self, name: str, error: Mistyped) -> None:
        self.refuse(name, error.sentence)
        if error.unsure:
            self.unsure.add(name)

    def _echo(self, name: str, given: str, read: str) -> None:
        """Note how a number was read, and say so where that is not what was typed."""
        self.read_as[name] = read
        if given.strip() != read:
            self.echoes[name] = self.messages.say(say("We read this as {value}.", value=read))

    def refuse_all(self, problems: list[Problem]) -> None:
        """Put what the service found wrong beside the fields that it came from, in the words of a page.

        What is said of the whole is left out where something in it is wrong: that may be all there is.
        """
        for problem in problems:
            if problem.pointer or not self.errors:
                name = self._field_of(problem.pointer)
                self.refuse(name, self.said_of(name, problem))

    def said_of(self, name: str, problem: Problem) -> str:
        """Say of a field what the service says of the value that came from it."""
        detail = problem.detail
        return ON_A_PAGE.get(detail.message, detail) if isinstance(detail, Sentence) else detail

    def _field_of(self, pointer: str) -> str:
        """Find the field that a place of the body came from: its own, that of what it is in, or the first in it."""
        at = pointer
        while at and at not in self.pointers:
            at = at.rpartition("/")[0]
        if at:
            return self.pointers[at]
        inside = (name for place, name in self.pointers.items() if pointer and place.startswith(f"{pointer}/"))
        return next(inside, self.pointers.get("", "main"))


def one_of_words(given: str | None, allowed: Sequence[str], default: str) -> str:
    """Read a choice; what is none of it is the default."""
    return given if given is not None and given in allowed else default
