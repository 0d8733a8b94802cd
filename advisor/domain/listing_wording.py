"""Find in one part of a listing what its marketplace does not allow in it: characters, phrases, repeated words."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache

from advisor.domain.plain_text import Folding

# The emoji of Unicode 17.0 (emoji-data.txt): all with the property Emoji_Presentation, and from U+2600 on the pictures
# that are drawn as text unless asked otherwise. Amazon's own examples, U+263A and U+2639, are among the latter.
_EMOJI_ALWAYS = (
    "\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2600-\u2604\u260e\u2611\u2614\u2615\u2618\u261d"
    "\u2620\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a\u2640\u2642\u2648-\u2653\u265f\u2660\u2663"
    "\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697\u2699\u269b\u269c\u26a0\u26a1\u26a7\u26aa\u26ab"
    "\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26ce\u26cf\u26d1\u26d3\u26d4\u26e9\u26ea\u26f0-\u26f5"
    "\u26f7-\u26fa\u26fd\u2702\u2705\u2708-\u270d\u270f\u2712\u2714\u2716\u271d\u2721\u2728\u2733\u2734"
    "\u2744\u2747\u274c\u274e\u2753-\u2755\u2757\u2763\u2764\u2795-\u2797\u27a1\u27b0\u27bf\u2b1b\u2b1c"
    "\u2b50\u2b55\U0001f004\U0001f0cf\U0001f18e\U0001f191-\U0001f19a\U0001f1e6-\U0001f1ff\U0001f201"
    "\U0001f21a\U0001f22f\U0001f232-\U0001f236\U0001f238-\U0001f23a\U0001f250\U0001f251"
    "\U0001f300-\U0001f321\U0001f324-\U0001f393\U0001f396\U0001f397\U0001f399-\U0001f39b"
    "\U0001f39e-\U0001f3f0\U0001f3f3-\U0001f3f5\U0001f3f7-\U0001f4fd\U0001f4ff-\U0001f53d"
    "\U0001f549-\U0001f54e\U0001f550-\U0001f567\U0001f56f\U0001f570\U0001f573-\U0001f57a\U0001f587"
    "\U0001f58a-\U0001f58d\U0001f590\U0001f595\U0001f596\U0001f5a4\U0001f5a5\U0001f5a8"
    "\U0001f5b1\U0001f5b2\U0001f5bc\U0001f5c2-\U0001f5c4\U0001f5d1-\U0001f5d3\U0001f5dc-\U0001f5de"
    "\U0001f5e1\U0001f5e3\U0001f5e8\U0001f5ef\U0001f5f3\U0001f5fa-\U0001f64f\U0001f680-\U0001f6c5"
    "\U0001f6cb-\U0001f6d2\U0001f6d5-\U0001f6d8\U0001f6dc-\U0001f6e5\U0001f6e9\U0001f6eb\U0001f6ec"
    "\U0001f6f0\U0001f6f3-\U0001f6fc\U0001f7e0-\U0001f7eb\U0001f7f0\U0001f90c-\U0001f93a"
    "\U0001f93c-\U0001f945\U0001f947-\U0001f9ff\U0001fa70-\U0001fa7c\U0001fa80-\U0001fa8a"
    "\U0001fa8e-\U0001fac6\U0001fac8\U0001facd-\U0001fadc\U0001fadf-\U0001faea\U0001faef-\U0001faf8"
)
# The others with the property Emoji are signs, digits, arrows and letters: an emoji with U+FE0F or U+20E3 behind them.
_EMOJI_IF_ASKED = (
    "#*0-9\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u2328\u23cf\u23ed-\u23ef"
    "\u23f1\u23f2\u23f8-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb\u25fc\u2934\u2935\u2b05-\u2b07\u3030"
    "\u303d\u3297\u3299\U0001f170\U0001f171\U0001f17e\U0001f17f\U0001f202\U0001f237"
)
_EMOJI = re.compile(f"[{_EMOJI_ALWAYS}]\ufe0f?|[{_EMOJI_IF_ASKED}](?:\ufe0f\u20e3?|\u20e3)")
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
    """List the emoji of a text as they stand there, each once."""
    return tuple(dict.fromkeys(_EMOJI.findall(text)))


def without_name(text: str, name: str) -> str:
    """Take a name out of a text, where it stands as whole words, whatever their case."""
    before = r"(?<!\w)" if _ends_word(name[0]) else ""
    after = r"(?!\w)" if _ends_word(name[-1]) else ""
    return re.sub(f"{before}{re.escape(name)}{after}", " ", text, flags=re.IGNORECASE)


def _ends_word(one: str) -> bool:
    """Say whether no letter may stand beside this one where its word ends."""
    return (one.isalnum() or one == "_") and not unbroken(one)


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
