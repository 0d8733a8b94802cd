"""Bring a text into a plain form in which disguises look alike, with a way back to the text as it was sent.

Letters lose their case, width, accents and look-alikes; digits of any script become 0 to 9; what cannot be seen is left
out; every run of blanks becomes one blank or one line end. Each position of the plain text knows which code points of
the original it came from, so that whatever is found in it can be shown where it stands.
"""

import unicodedata
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

# Categories of characters without a shape of their own: accents, enclosing marks, zero-width and control characters.
_UNSEEN = frozenset({"Mn", "Me", "Cf", "Cc", "Cs"})
# A character that would become more than this, such as an Arabic phrase in one, stays as it is.
LONGEST_FOLDED = 4
# The full-width exclamation and question marks have become these already.
_ENDS_SENTENCE = "!?。;\n"


@dataclass(frozen=True, slots=True, eq=False)
class PlainText:
    """A text in its plain form. `starts` and `ends` hold for each position where its original begins and ends.

    `breaks` are the positions behind which a new sentence begins, in order.
    """

    original: str
    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    breaks: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Give the code points of the original that a stretch of the plain text, which is not empty, came from."""
        return self.starts[start], self.ends[end - 1]

    def sentence(self, position: int) -> int:
        """Number the sentence that a position is in."""
        return bisect_left(self.breaks, position)


class Folding:
    """What characters become; `look_alikes` adds to what Unicode says. Each character is worked out once."""

    def __init__(self, look_alikes: Mapping[str, str]) -> None:
        self._look_alikes = look_alikes
        self._known: dict[str, str] = {}

    def plain(self, original: str) -> PlainText:
        """Bring a text into its plain form, in time that grows with its length."""
        known = self._known
        folded: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        blank = ""  # the run of blanks that is being read: "", " " or "\n"
        blank_start = 0
        for place, character in enumerate(original):
            as_plain = known.get(character)
            if as_plain is None:
                as_plain = known[character] = self._fold(character)
            for one in as_plain:
                if one in " \n":
                    if not blank:
                        blank, blank_start = one, place
                    elif one == "\n":
                        blank = one
                    continue
                if blank:
                    folded.append(blank)
                    starts.append(blank_start)
                    ends.append(place)
                    blank = ""
                folded.append(one)
                starts.append(place)
                ends.append(place + 1)
        text = "".join(folded)
        return PlainText(original, text, tuple(starts), tuple(ends), tuple(_breaks(text)))

    def _fold(self, character: str) -> str:
        if character in "\n\r\v\f\u2028\u2029\x85":
            return "\n"
        if character.isspace():
            return " "
        if unicodedata.category(character) in _UNSEEN:
            return ""
        if character in self._look_alikes:
            return self._look_alikes[character]
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", character).casefold())
        plain = "".join(self._letter(one) for one in decomposed)
        return plain if len(plain) <= LONGEST_FOLDED else character

    def _letter(self, character: str) -> str:
        digit = unicodedata.digit(character, None)
        if digit is not None:
            return str(digit)
        if character.isspace():
            return " "
        if unicodedata.category(character) in _UNSEEN:
            return ""
        return self._look_alikes.get(character, character)


def _breaks(text: str) -> list[int]:
    """Find where sentences end. A full stop ends one only before a blank, so that it does not cut an address."""
    last = len(text) - 1
    return [
        place
        for place, character in enumerate(text)
        if character in _ENDS_SENTENCE or (character == "." and (place == last or text[place + 1] in " \n"))
    ]
