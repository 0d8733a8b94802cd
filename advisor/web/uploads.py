"""Take in a file of any size, whole or not at all: every byte is counted, hashed and on the disk before it counts.

A server hands over a body that broke off without a word, so nothing here trusts that a body has ended. A multipart body
is taken in whole first; only then is its file looked for.
"""

import base64
import binascii
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import LengthRequired
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from advisor.batch import EXTENSIONS
from advisor.errors import InputTooLarge, InvalidInput, Problem, StoreFull, UnreadableInput, say
from advisor.settings import Settings
from advisor.store import disk
from advisor.web.bodies import too_short
from advisor.web.problems import ContentTypeRefused

CHUNK = 2**20
DIGESTS = {"sha-256": "sha256", "sha-512": "sha512"}
TYPES = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/vnd.apache.parquet": "parquet",
}
ANY_TYPE = "application/octet-stream"
MULTIPART = "multipart/form-data"
_DIGEST = re.compile(r"\s*([a-z0-9*-]+)\s*=\s*:([A-Za-z0-9+/=]*):\s*")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was taken in: where it is, its size and SHA-256 (base64), what it claims to be, and form fields.

    `name` is what it is called there, where it came by a form.
    """

    path: Path
    size: int
    digest: str
    format: str | None
    fields: "MultiDict[str, str]"
    name: str = ""


@contextmanager
def taken_in(settings: Settings, folder: Path) -> Iterator[Upload]:
    """Take in the body of the request into a new folder, which is removed unless it was moved away meanwhile.

    Raises LengthRequired, InputTooLarge, UnreadableInput, InvalidInput, ContentTypeRefused or StoreFull.
    """
    mimetype, parameters = _content_type()
    length = request.content_length
    if length is None:
        raise LengthRequired(
            say("Send the file with a Content-Length, not in chunks: it says when all of it has arrived.")
        )
    if length > settings.max_upload:
        detail = say(
            "The file has {size} bytes; at most {most} are taken. Send it in several batches.",
            size=length,
            most=settings.max_upload,
        )
        raise InputTooLarge("too_large", detail)
    if length == 0:
        raise UnreadableInput("empty_body", say("The body is empty. Send a file of accounts."))
    try:
        disk.make_private(folder.parent)
        folder.mkdir()
        needed = 2 * length if mimetype == MULTIPART else length  # a form lies there beside the file taken out of it
        if disk.free(folder) - needed < settings.free_space:
            raise StoreFull(say("There is no room for this file now; nothing of it was stored. Send it again later."))
        digest = _receive(folder / "body", length)
        if mimetype == MULTIPART:
            yield _of_form(folder, parameters.get("boundary", ""), length)
        else:
            (folder / "body").rename(folder / "input")
            yield Upload(folder / "input", length, digest, TYPES.get(mimetype), MultiDict())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            detail = say("The disk is full; nothing of this file was stored. Send it again later.")
            raise StoreFull(detail) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _content_type() -> tuple[str, dict[str, str]]:
    mimetype, parameters = parse_options_header(request.environ.get("CONTENT_TYPE", ""))
    mimetype = mimetype.lower()
    if mimetype not in (*TYPES, ANY_TYPE, MULTIPART):
        known = ", ".join(dict.fromkeys([*TYPES, ANY_TYPE, MULTIPART]))
        raise ContentTypeRefused(say("Send a file of accounts as one of {types}.", types=known))
    if request.environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise ContentTypeRefused(
            say("A compressed body is not taken: unpack the file, and leave Content-Encoding out.")
        )
    return mimetype, parameters


def _receive(path: Path, length: int) -> str:
    """Write exactly so many bytes of the body to a file on the disk, and check the digests that are announced."""
    announced = _announced()
    hashes = {name: hashlib.new(DIGESTS[name]) for name in {"sha-256", *announced}}
    stream, size = request.environ["wsgi.input"], 0
    with path.open("xb") as out:
        while size < length:
            try:
                part = stream.read(min(CHUNK, length - size))
            except Exception:  # noqa: BLE001 - each server has its own errors for a body that breaks off
                part = b""
            if not part:
                raise UnreadableInput("body_mismatch", too_short(length, size))
            for one in hashes.values():
                one.update(part)
            out.write(part)
            size += len(part)
        out.flush()
        os.fsync(out.fileno())
    for name, digest in announced.items():
        if hashes[name].digest() != digest:
            detail = say(
                "The body does not have the {name} digest that its headers announce. Send it again.", name=name
            )
            raise UnreadableInput("body_mismatch", detail)
    return base64.b64encode(hashes["sha-256"].digest()).decode()


def _announced() -> dict[str, bytes]:
    """Read the digests that Content-Digest and Repr-Digest announce (RFC 9530); other kinds are passed over."""
    found: dict[str, bytes] = {}
    for header in ("Content-Digest", "Repr-Digest"):
        text = request.headers.get(header)
        for one in text.split(",") if text is not None else ():
            match = _DIGEST.fullmatch(one)
            try:
                digest = base64.b64decode(match[2], validate=True) if match else b""
            except binascii.Error:
                digest = b""
            if match is None or not digest or found.get(match[1], digest) != digest:
                detail = say("{header} is written as sha-256=:BASE64:. This one is not.", header=header)
                raise UnreadableInput("body_mismatch", detail)
            if match[1] in DIGESTS:
                found[match[1]] = digest
    return found


def _of_form(folder: Path, boundary: str, length: int) -> Upload:
    """Find the one file of a multipart body that has arrived whole."""

    def make_file(
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return (folder / f"file-{len(list(folder.iterdir()))}").open("xb+")

    try:
        with (folder / "body").open("rb") as body:
            parser = MultiPartParser(make_file, max_form_memory_size=CHUNK, max_form_parts=100)
            fields, files = parser.parse(body, boundary.encode("ascii"), length)
    except (ValueError, UnicodeError):
        detail = say("The body is not multipart/form-data, or its end is missing.")
        raise UnreadableInput("not_multipart", detail) from None
    found = list(files.items(multi=True))
    for _, given in found:
        given.stream.flush()
        os.fsync(given.stream.fileno())
        given.close()
    if [name for name, _ in found] != ["file"]:
        detail = say("A form has exactly one part named `file`, with a file name, and that is the file of accounts.")
        raise InvalidInput([Problem("/file", "missing", detail)])
    one: Any = found[0][1]
    (folder / "body").unlink()
    path = Path(one.stream.name).rename(folder / "input")
    with path.open("rb") as read:
        hashed = hashlib.file_digest(read, "sha256")
        size = read.tell()
    name = one.filename or ""
    kind = EXTENSIONS.get(Path(name).suffix.lower()) or TYPES.get((one.mimetype or "").lower())
    return Upload(path, size, base64.b64encode(hashed.digest()).decode(), kind, fields, name)
