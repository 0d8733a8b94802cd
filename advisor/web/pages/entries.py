"""What a person typed into a form, what is wrong with it, and how it was read."""

from collections.abc import Mapping, Sequence

from advisor.domain.fees import FeeSchedule
from advisor.errors import Problem, Sentence, say
from advisor.messages import Messages
from advisor.web.pages.typed import Mistyped, read_amount, read_count, read_percent


class Entries:
    """The fields of a form as they were typed. Reading one notes what is wrong with it, or how it was read.

    `errors` has a sentence for each wrong field, `unsure` those that can be confirmed, `read_as` every number in the
    reader's own way, and `pointers` the field that each place of the request's body came from.
    """

    schedule: FeeSchedule

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

    def count(self, name: str, missing: Sentence | None = None) -> int | None:
        """Read a whole number; an empty field is None, and wrong where `missing` says so."""
        given = self.value(name)
        if not given.strip():
            self._missing(name, missing)
            return None
        try:
            count = read_count(given)
        except Mistyped as error:
            self._wrong(name, error)
            return None
        self._echo(name, given, self.messages.number(count))
        return count

    def percent(self, name: str, most: int = 100, places: int = 9, missing: Sentence | None = None) -> str | None:
        """Read a percentage as the decimal text of a fraction."""
        given = self.value(name)
        if not given.strip():
            self._missing(name, missing)
            return None
        try:
            fraction = read_percent(given, self.value(f"{name}_sure") == "true", most, places)
        except Mistyped as error:
            self._wrong(name, error)
            return None
        self._echo(name, given, self.messages.fraction(fraction))
        return fraction

    def amount(self, name: str, missing: Sentence | None = None) -> str | None:
        """Read an amount of the schedule's currency as a decimal text."""
        given = self.value(name)
        if not given.strip():
            self._missing(name, missing)
            return None
        try:
            amount = read_amount(given, self.schedule.decimals, self.schedule.currency)
        except Mistyped as error:
            self._wrong(name, error)
            return None
        self._echo(name, given, self.messages.money(amount, self.schedule.currency))
        return amount

    def refuse(self, name: str, sentence: str) -> None:
        """Note what is wrong with a field; what was noted first stays."""
        self.errors.setdefault(name, self.messages.say(sentence))

    def _missing(self, name: str, sentence: Sentence | None) -> None:
        if sentence is not None:
            self.refuse(name, sentence)

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
        """Put what the service found wrong beside the fields that it came from."""
        for problem in problems:
            self.refuse(self._field_of(problem.pointer), problem.detail)

    def _field_of(self, pointer: str) -> str:
        """Find the field that a place of the body came from: its own, that of what it is in, or the first in it."""
        at = pointer
        while at:
            if at in self.pointers:
                return self.pointers[at]
            at = at.rpartition("/")[0]
        inside = (name for place, name in self.pointers.items() if pointer and place.startswith(f"{pointer}/"))
        return next(inside, "main")


def one_of_words(given: str | None, allowed: Sequence[str], default: str) -> str:
    """Read a choice; what is none of it is the default."""
    return given if given is not None and given in allowed else default
