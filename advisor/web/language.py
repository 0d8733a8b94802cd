"""The reader's language, by Accept-Language: of every sentence of an answer."""

from functools import lru_cache

from flask import request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from advisor.messages import Messages, negotiate


def reader() -> Messages:
    """Pick the reader's language."""
    return _language(request.environ.get("HTTP_ACCEPT_LANGUAGE", ""))


@lru_cache(maxsize=64)
def _language(accept_language: str) -> Messages:
    """Pick the language for a header; readers send few different ones."""
    wanted = parse_accept_header(accept_language, LanguageAccept)
    return negotiate([tag for tag, quality in wanted if quality > 0])
