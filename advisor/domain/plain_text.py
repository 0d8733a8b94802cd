"""Bring a text into a plain form in which disguises look alike, with a way back to the text as it was sent.

Letters lose their case, width, accents and look-alikes; Chinese characters become the simplified ones; digits of any
script become 0 to 9; what cannot be seen is left out; every run of blanks and pictures becomes one blank or one line
end. Each position of the plain text knows which code points of the original it came from, so that whatever is found in
it can be shown where it stands.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

# Categories of characters without a shape of their own: accents, enclosing marks, zero-width and control characters.
_UNSEEN = frozenset({"Mn", "Me", "Cf", "Cc", "Cs"})
# The one picture that is read: people rate with it.
STAR = "★"
# A character that would become more than this, such as an Arabic phrase in one, stays as it is.
LONGEST_FOLDED = 4
# As many characters are remembered: more than any language writes with, and few megabytes.
MOST_KNOWN = 20_000
# The full-width exclamation and question marks have become these already.
_ENDS_SENTENCE = "!?。;\n"
# A full stop behind one of these ends none either.
_ABBREVIATED = re.compile(r"(?<![a-z])(?:no|nr|mr|mrs|ms|dr|st|incl|approx|vs|e\.g|i\.e)\Z")
# Signs and digits that stand for a letter in the middle of a word, as in g!ft c@rd and t3legram.
_STAND_IN = re.compile(
    r"(?<=[a-z])(?:[013457$|]|@(?![a-z0-9-]{1,40}+\.[a-z]))(?=[a-z])|(?:(?<=\b[a-z])|(?<=\b[a-z]{2}))!(?=[a-z])",
    re.ASCII,
)
_STANDS_FOR = str.maketrans("013457@$|!", "oieastasii")


@dataclass(frozen=True, slots=True, eq=False)
class PlainText:
    """A text in its plain form. `starts` and `ends` hold for each position where its original begins and ends.

    `words` is the same with letters in place of what stands for them inside of words. `breaks` are the positions behind
    which a new sentence begins, in order.
    """

    original: str
    text: str
    words: str
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
    """What characters become; `look_alikes` adds to what Unicode says. Those that were met lately are remembered."""

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
                if len(known) >= MOST_KNOWN:
                    known.clear()
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
        words = _STAND_IN.sub(lambda match: match[0].translate(_STANDS_FOR), text)
        return PlainText(original, text, words, tuple(starts), tuple(ends), tuple(_breaks(text)))

    def _fold(self, character: str) -> str:
        if character in "\n\r\v\f\u2028\u2029\x85":
            return "\n"
        if character.isspace():
            return " "
        if unicodedata.category(character) in _UNSEEN:
            return ""
        if character in self._look_alikes:
            return self._look_alikes[character]
        if _is_picture(character):
            return " "
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


def can_be_seen(text: str) -> bool:
    """Say whether a text has anything but blanks and what cannot be seen."""
    return any(not one.isspace() and unicodedata.category(one) not in _UNSEEN for one in text)


def _is_picture(character: str) -> bool:
    """Say whether a character is an emoji, or a sign that stands for no letter."""
    category = unicodedata.category(character)
    return (category == "So" and unicodedata.normalize("NFKC", character) == character and character != STAR) or (
        category == "Sk" and character > "\uffff"
    )


def _breaks(text: str) -> list[int]:
    """Find where sentences end: once where several signs end one.

    A full stop ends one only before a blank, so that it does not cut an address, and not behind an abbreviation.
    """
    found = []
    for place, character in enumerate(text):
        after = text[place + 1 : place + 2]
        if after and after in _ENDS_SENTENCE:
            continue
        stop = character == "." and after in ("", " ") and not _ABBREVIATED.search(text, max(place - 7, 0), place)
        if stop or character in _ENDS_SENTENCE:
            found.append(place)
    return found
