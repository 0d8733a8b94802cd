"""Keep standard output and error readable and harmless on whatever terminal, file or pipe they lead to."""

import codecs
import os
import sys
import unicodedata
from contextlib import suppress
from typing import Any

# What the advisor's texts hold beyond ASCII, for terminals that speak only that.
PLAIN = str.maketrans(
    {
        "“": '"',
        "”": '"',
        "„": '"',
        "‘": "'",
        "’": "'",
        "–": "-",
        "—": "-",
        "−": "-",
        "×": "x",
        "•": "*",
        "→": ">",
        "≤": "<=",
        "≥": ">=",
    }
)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Stand in for characters that an encoding lacks: a similar one where there is one, else a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = unicodedata.normalize("NFKD", error.object[error.start : error.end].translate(PLAIN))
    letters = (one for one in text if not unicodedata.combining(one))
    return "".join(one if one.isascii() else "?" for one in letters), error.end


codecs.register_error("advisor.plain", _plain)


def soften(stream: Any) -> None:
    """Let a text stream replace what its encoding lacks instead of failing."""
    with suppress(AttributeError, ValueError):
        stream.reconfigure(errors="advisor.plain")


def printable(text: str, keep: str = "") -> str:
    """Replace what could steer a terminal: texts from files end up on it."""
    return "".join(one if one.isprintable() or one in keep else "\N{REPLACEMENT CHARACTER}" for one in text)


def drop_output() -> None:
    """Let nothing more go to a standard output that cannot be written to, not even when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
