"""Find in one part of a listing what its marketplace does not allow in it: characters, phrases, repeated words."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache

from advisor.domain.plain_text import Folding

# Emoji and the symbols that are used like them: pictographs, dingbats, flags, keycaps.
_EMOJI = re.compile("[\u203c\u2049\u20e3\u231a\u231b\u2600-\u27bf\u2b50\u2b55\ufe0f\U0001f000-\U0001faff]")
_ASIN = re.compile(r"\bB0[0-9A-Z]{8}\b", re.ASCII)
_TAG = re.compile(r"</?([a-z][a-z0-9]*)\b[^<>]*>", re.IGNORECASE | re.ASCII)
_LINE_BREAK = "br"
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
# Scripts that put no blanks between words: Thai, Kana, Chinese characters.
_UNBROKEN = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]")
_FOLDING = Folding({})


def forbidden_characters(text: str, forbidden: Collection[str]) -> tuple[str, ...]:
    """List the forbidden characters of a text, each once."""
    return tuple(dict.fromkeys(one for one in text if one in forbidden))


def emoji(text: str) -> tuple[str, ...]:
    """List the emoji of a text, each once."""
    return tuple(one for one in dict.fromkeys(_EMOJI.findall(text)) if one != "\ufe0f")


def asins(text: str) -> tuple[str, ...]:
    """List the ASINs of a text, each once."""
    return tuple(dict.fromkeys(_ASIN.findall(text)))


def tags(text: str) -> tuple[str, ...]:
    """List the HTML tags of a text, each once. Line breaks are allowed."""
    found = (match for match in _TAG.finditer(text) if match[1].lower() != _LINE_BREAK)
    return tuple(dict.fromkeys(match[0] for match in found))


def forbidden_phrases(text: str, phrases: Sequence[str]) -> tuple[str, ...]:
    """List the phrases that stand in a text as whole words, whatever their case, accents, width and hyphens."""
    plain = _FOLDING.plain(text).text
    return tuple(one for one in phrases if _phrase(one).search(plain))


@lru_cache(maxsize=1024)
def _phrase(phrase: str) -> re.Pattern[str]:
    """Make a pattern of a phrase, in which a hyphen may be a blank or nothing."""
    parts = (re.escape(part) for part in re.split(r"[-\s]", _FOLDING.plain(phrase).text))
    marks = (r"[-\u2010-\u2015\s]?" if mark == "-" else r"\s" for mark in re.findall(r"[-\s]", phrase))
    joined = "".join(part + mark for part, mark in zip(parts, [*marks, ""], strict=True))
    return re.compile(rf"(?<!\w){joined}(?!\w)")


def repeated_words(text: str, most: int, besides: Collection[str]) -> tuple[str, ...]:
    """List the words that stand in a text more often than that. Numbers and single letters, as in sizes, are none."""
    words = Counter(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
    return tuple(
        word
        for word, times in words.items()
        if times > most and len(word) > 1 and not word.isdigit() and word not in besides and not unbroken(word)
    )


def unbroken(text: str) -> bool:
    """Say whether part of a text is in a script that has no blanks between words."""
    return _UNBROKEN.search(text) is not None


def bytes_of_words(text: str) -> int:
    """Count the bytes of UTF-8 without those of blanks and punctuation."""
    counted = (one for one in text if not one.isspace() and not unicodedata.category(one).startswith("P"))
    return len("".join(counted).encode())


def digits_of(number: str) -> str:
    """Take the blanks and hyphens out of a product's number."""
    return "".join(one for one in number if not one.isspace() and one != "-")


def check_digit_right(digits: str) -> bool:
    """Say whether the last digit of a GTIN follows from the others, as GS1 defines it."""
    weighted = sum(int(one) * (3 if place % 2 else 1) for place, one in enumerate(reversed(digits)))
    return weighted % 10 == 0
