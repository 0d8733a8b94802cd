"""Read a request's JSON body in full, or refuse it: the one way in for JSON."""

from functools import lru_cache
from typing import Any
from wsgiref.types import WSGIEnvironment

from flask import request
from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_content_length

from advisor import strict_json
from advisor.errors import InputTooLarge, Sentence, UnreadableInput, say
from advisor.web.problems import ContentTypeRefused

CHUNK = 65_536


def read_json(most: int, apart: str | None = None) -> Any:
    """Read the body as strict JSON of at most `most` bytes; `apart` is that of strict_json.loads.

    Raises ContentTypeRefused, InputTooLarge, UnreadableInput or InvalidInput.
    """
    return strict_json.loads(read_bytes(most), apart)


def read_bytes(most: int) -> bytes:
    """Read the bytes of a JSON body of at most `most` bytes. Raises ContentTypeRefused, InputTooLarge, UnreadableInput.

    The bytes are counted here: a server may hand over a body that ended early, or one without a length, without a word.
    """
    environ = request.environ
    refused = _why_refused(environ.get("CONTENT_TYPE", ""))
    if refused:
        raise ContentTypeRefused(refused)
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise ContentTypeRefused(say("A compressed body is not taken: leave Content-Encoding out."))
    return _read_all(environ, most)


@lru_cache(maxsize=64)
def _why_refused(content_type: str) -> Sentence | None:
    """Say why a body of this Content-Type is not taken; None where it is. Clients send one header all day long."""
    mimetype, parameters = parse_options_header(content_type)
    if mimetype.lower() != "application/json":
        return say("Send the body as application/json.")
    if parameters.get("charset", "utf-8").lower().replace("_", "-") not in ("utf-8", "utf8"):
        return say("JSON is sent in UTF-8: leave the charset out.")
    return None


def _read_all(environ: WSGIEnvironment, most: int) -> bytes:
    announced = get_content_length(environ)
    if announced is None and not environ.get("wsgi.input_terminated"):
        return b""  # no length and no chunks is no body: reading on would wait for the client to hang up
    if announced is not None and announced > most:
        detail = say("The body has {size} bytes; at most {most} are taken.", size=announced, most=most)
        raise InputTooLarge("too_large", detail)
    parts, size = [], 0
    stream = environ["wsgi.input"]
    try:
        while size <= most:
            wanted = CHUNK if announced is None else min(CHUNK, announced - size)
            part = stream.read(wanted) if wanted else b""
            if not part:
                break
            parts.append(part)
            size += len(part)
    except Exception:  # noqa: BLE001 - each server has its own errors for a body that breaks off or has malformed chunks
        detail = say("The body broke off or its chunks cannot be read. Send it again.")
        raise UnreadableInput("body_mismatch", detail) from None
    if size > most:
        detail = say("The body has more than {most} bytes, the most that is taken.", most=most)
        raise InputTooLarge("too_large", detail)
    if announced is not None and size != announced:
        raise UnreadableInput("body_mismatch", too_short(announced, size))
    return b"".join(parts)


def too_short(announced: int, size: int) -> Sentence:
    """Say that a body ended before all of it was there."""
    return say("Of {announced} announced bytes {size} arrived. Send it again.", announced=announced, size=size)
