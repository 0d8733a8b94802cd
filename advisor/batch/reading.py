"""Bring a file into clean rows that an engine can read without guessing.

CSV is read as RFC 4180 has it: UTF-8, comma or semicolon, quotes only around whole cells. Every row keeps its number.
What is wrong with a row's form (cells missing or too many, a quote left open, not UTF-8, NUL, too long) rejects that
row alone; what is wrong with the file's form (not text, no header, no rows) refuses the file. Rows and rejects lie on
the disk in parts, so that memory does not grow with their number.
"""

import csv
import io
import json
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import orjson

from advisor import strict_json
from advisor.errors import InvalidInput, Sentence, UnreadableInput, say

BLOCK = 4 * 2**20
LONGEST_ROW = 2**20
LONGEST_CELL = 2**16
MOST_COLUMNS = 500
PART_SIZE = 24 * 2**20
PART_ROWS = 300_000

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")
_UTF_16 = say("This is no CSV file: it is UTF-16. Save it as “CSV UTF-8”.")
_MAGIC = {
    b"\x1f\x8b": say("This is no CSV file: it is compressed with gzip. Unpack it first."),
    b"PK\x03\x04": say("This is no CSV file: it is a ZIP archive or an Excel workbook. Save it as “CSV UTF-8”."),
    b"PAR1": say("This is no CSV file: it is a Parquet file. Name parquet as its format."),
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
    b"\xd0\xcf\x11\xe0": say("This is no CSV file: it is an old Excel workbook. Save it as “CSV UTF-8”."),
}
# Many rows may be rejected for one of these, which is then held in memory once.
_LONG_ROW = say("This row has more than {most} bytes.", most=LONGEST_ROW)
_LONG_CELL = say("A cell has more than {most} characters.", most=LONGEST_CELL)
_THIS_LONG_CELL = say("This cell has more than {most} characters.", most=LONGEST_CELL)
_BROKEN_QUOTE = say(
    "A quote is not closed, or text follows a closing quote. Quote a whole cell, and double quotes inside it."
)
_NUL_IN_CELL = say("This cell holds a NUL character. Remove it.")
_NOT_UTF8 = say("This cell is not UTF-8. Save the file as “CSV UTF-8”.")

Progress = Callable[[int], None]
# Brings a JSON object of a line into the cells of a row, by column; None where it says nothing.
Flatten = Callable[[dict[str, Any]], Mapping[str, str | None]]


class Reject(NamedTuple):
    """Why a row was not scored: its number (the first row after the header is 1), column, code and reason."""

    row: int
    column: str
    code: str
    reason: str


class Part(NamedTuple):
    """A piece of the rows: about PART_SIZE bytes, or PART_ROWS rows, and at most a block more.

    `path` is a delimited file without a header whose first cell is the row number, or None where the engine reads the
    rows itself. `rows` is how many it has, `malformed` how many could not be read (`why` says why), and `last` the
    number of the last row that both account for.
    """

    path: Path | None
    rows: int
    last: int
    malformed: int = 0
    why: Path | None = None

    def rejects(self) -> list[Reject]:
        """List the rows that could not be read."""
        if not self.malformed or self.why is None:
            return []
        with self.why.open("rb") as read:
            return [Reject(*orjson.loads(line)) for line in read]

    def remove(self) -> None:
        """Remove its files."""
        for path in (self.path, self.why):
            if path is not None:
                path.unlink(missing_ok=True)


@dataclass(slots=True)
class Rows:
    """Clean rows: the header, how many rows there were, and the parts where they and the first rejects are.

    `nulls` says whether an empty cell differs from one that is not there; in CSV there is no telling them apart.
    """

    header: list[str]
    count: int = 0
    blank: int = 0
    parts: list[Part] = field(default_factory=list)
    delimiter: str = ","
    nulls: bool = False

    @property
    def decimal_comma(self) -> bool:
        """Whether decimals may have a comma: where it does not part the cells."""
        return self.delimiter == ";"

    @property
    def well_formed(self) -> int:
        """How many rows could be read."""
        return self.count - sum(part.malformed for part in self.parts)


class _Spool:
    """Writes clean rows and rejects into parts. Quotes a carriage return too, which Python writes bare before 3.13."""

    def __init__(self, directory: Path, delimiter: str, part_rows: int) -> None:
        self.directory = directory
        self.delimiter = delimiter
        self.part_rows = part_rows
        self.parts: list[Part] = []
        self._begin()

    def _begin(self) -> None:
        self.path = self.directory / f"rows-{len(self.parts)}.csv"
        self.why = self.directory / f"malformed-{len(self.parts)}.ndjson"
        self.rows = self.malformed = self.size = 0
        self.out = self.path.open("wb")
        self.rejects: BinaryIO | None = None
        self.text = io.TextIOWrapper(self.out, encoding="utf-8", newline="", write_through=True)
        self.plain = csv.writer(self.text, delimiter=self.delimiter, lineterminator="\n")
        self.quoted = csv.writer(self.text, delimiter=self.delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write(self, number: int, cells: Sequence[str]) -> None:
        """Write one row."""
        self._make_room(number)
        writer = self.quoted if any("\r" in cell for cell in cells) else self.plain
        writer.writerow([str(number), *cells])
        self.rows += 1
        self.size += 20 + len(cells) + sum(map(len, cells))

    def write_with_nulls(self, number: int, cells: Sequence[str | None]) -> None:
        """Write one row with every cell that is there in quotes, so that one that is not differs from an empty one."""
        self._make_room(number)
        quoted = ["" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in cells]
        line = self.delimiter.join([str(number), *quoted]) + "\n"
        self.text.write(line)
        self.rows += 1
        self.size += len(line)

    def write_lines(self, first: int, lines: Sequence[bytes]) -> None:
        """Write rows that are well-formed lines already, numbered from `first` on."""
        comma = self.delimiter.encode()
        while lines:
            self._make_room(first)
            room = self.part_rows - self.rows - self.malformed
            some, lines = lines[:room], lines[room:]
            text = b"".join([b"%d%b%b\n" % (number, comma, line) for number, line in enumerate(some, first)])
            self.out.write(text)
            self.rows += len(some)
            self.size += len(text)
            first += len(some)

    def reject(self, several: Sequence[Reject]) -> None:
        """Write why one row cannot be read."""
        self._make_room(several[0].row)
        if self.rejects is None:
            self.rejects = self.why.open("wb")
        lines = b"".join([orjson.dumps([one.row, one.column, one.code, str(one.reason)]) + b"\n" for one in several])
        self.rejects.write(lines)
        self.malformed += 1
        self.size += len(lines)

    def _make_room(self, number: int) -> None:
        """Begin another part for the row of that number if this one is full."""
        if self.size >= PART_SIZE or self.rows + self.malformed >= self.part_rows:
            self.end(number - 1)
            self._begin()

    def end(self, last: int) -> None:
        """End the part."""
        self.text.close()
        if self.rejects is not None:
            self.rejects.close()
        self.parts.append(Part(self.path, self.rows, last, self.malformed, self.why))


def read_csv(stream: BinaryIO, directory: Path, progress: Progress, part_rows: int = PART_ROWS) -> Rows:
    """Read a CSV file into parts in `directory`. Raises UnreadableInput when the file as a whole cannot be used."""
    return _CsvReader(stream, progress, part_rows).run(directory)


class _CsvReader:
    """Reads blocks of whole lines: well-formed blocks of one row a line at once, others row by row."""

    def __init__(self, stream: BinaryIO, progress: Progress, part_rows: int) -> None:
        self.stream = stream
        self.progress = progress
        self.part_rows = part_rows
        self.rest = b""
        self.ended = False

    def run(self, directory: Path) -> Rows:
        """Read the file to its end."""
        csv.field_size_limit(LONGEST_CELL)
        block = self._next_block()
        for magic, detail in _MAGIC.items():
            if block.startswith(magic):
                raise UnreadableInput("not_csv", detail)
        lines = self._lines(block.removeprefix(b"\xef\xbb\xbf"))
        header, delimiter = self._header(lines)
        rows, spool = Rows(header, delimiter=delimiter), _Spool(directory, delimiter, self.part_rows)
        self._rows(lines, rows, spool)
        while block := self._next_block():
            if not self._plain_block(block, rows, spool):
                self._rows(self._lines(block), rows, spool)
        spool.end(rows.count)
        if rows.count == 0:
            raise UnreadableInput("no_rows", say("This file has a header and no rows."))
        rows.parts = spool.parts
        return rows

    def _next_block(self) -> bytes:
        """Read on to the end of a line; a line longer than LONGEST_ROW is cut short, so that memory stays bounded."""
        while True:
            cut = max(self.rest.rfind(b"\n"), self.rest.rfind(b"\r", 0, len(self.rest) - 1)) + 1
            if cut and (len(self.rest) >= BLOCK or self.ended):
                block, self.rest = self.rest[:cut], self.rest[cut:]
                return block
            if self.ended:
                block, self.rest = self.rest, b""
                return block
            if not cut and len(self.rest) > 2 * LONGEST_ROW:
                self.rest = self.rest[: LONGEST_ROW + 1]
            part = self.stream.read(BLOCK)
            self.progress(len(part))
            self.ended = not part
            self.rest += part

    def _lines(self, block: bytes) -> Iterator[str]:
        """Split a block into physical lines, bytes that are no UTF-8 kept as surrogates."""
        for match in _LINE.finditer(block.decode("utf-8", "surrogateescape")):
            yield match[0]

    def _header(self, lines: Iterator[str]) -> tuple[list[str], str]:
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            raise UnreadableInput("no_header", say("This file is empty. Its first row has to name the columns."))
        delimiter = ";" if first.count(";") > first.count(",") else ","
        try:
            header = next(csv.reader(chain([first], self._more(lines, len(first))), delimiter=delimiter, strict=True))
            "".join(header).encode()
        except (csv.Error, UnicodeEncodeError, StopIteration):
            detail = say("The header cannot be read: it is not UTF-8, or a quote is left open.")
            raise UnreadableInput("no_header", detail) from None
        if any("\0" in name for name in header):
            raise UnreadableInput("no_header", say("The header holds a NUL character. Remove it."))
        return [name.strip() for name in header], delimiter

    def _more(self, lines: Iterator[str], size: int) -> Iterator[str]:
        for line in lines:
            size += len(line)
            if size > LONGEST_ROW:
                return
            yield line

    def _plain_block(self, block: bytes, rows: Rows, spool: _Spool) -> bool:
        """Copy a block at once if nothing in it needs a closer look; say whether it was."""
        if b"\0" in block or len(rows.header) == 1:
            return False
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
            if b"\r" in block:
                return False
        try:
            block.decode()
        except UnicodeDecodeError:
            return False
        if not block.endswith(b"\n"):
            block += b"\n"
        if not _well_formed(block, rows.delimiter, len(rows.header)):
            return False
        lines = block.splitlines()
        spool.write_lines(rows.count + 1, lines)
        rows.count += len(lines)
        return True

    def _rows(self, lines: Iterator[str], rows: Rows, spool: _Spool) -> None:
        """Read rows one by one; a row that is not well-formed is rejected and reading goes on with the next line."""
        pending = _Pushback(lines, self)
        while True:
            pending.start_row()
            try:
                cells = next(csv.reader(pending, delimiter=rows.delimiter, strict=True), None)
            except csv.Error as error:
                rows.count += 1
                pending.go_back_to_second_line()
                spool.reject([Reject(rows.count, "", "malformed_row", _csv_reason(error))])
                continue
            if cells is None:
                return
            if len(cells) <= 1 and not any(map(str.strip, cells)):
                rows.blank += 1
                continue
            rows.count += 1
            reject: Reject | None
            if pending.size > LONGEST_ROW:
                reject = Reject(rows.count, "", "too_large", _LONG_ROW)
            else:
                reject = _form_reject(rows.count, cells, rows.header)
            if reject is None:
                spool.write(rows.count, cells)
            else:
                spool.reject([reject])


def _well_formed(block: bytes, delimiter: str, columns: int) -> bool:
    """Say whether each line of a block is one row of so many cells, quoted as RFC 4180 has it, and none is too long."""
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if np.diff(ends, prepend=-1).max() > LONGEST_CELL:
        return False
    parting = data == ord(delimiter)
    quote = data == ord('"')
    quotes = np.flatnonzero(quote)
    if len(quotes):
        around = np.zeros(256, bool)
        around[[ord(delimiter), ord("\n"), ord('"')]] = True
        opening, closing = quotes[0::2], quotes[1::2]
        before = data[opening[1:] - 1] if opening[0] == 0 else data[opening - 1]
        if len(opening) > len(closing) or not around[before].all() or not around[data[closing + 1]].all():
            return False
        outside = np.cumsum(quote, dtype=np.uint8) & 1 == 0
        if not outside[ends].all():
            return False
        parting &= outside
    cells = np.diff(np.searchsorted(np.flatnonzero(parting), ends), prepend=0) + 1
    return bool((cells == columns).all())


class _Pushback:
    """The physical lines of a row in the making, which can be given back when the row turns out to be broken."""

    def __init__(self, lines: Iterator[str], reader: _CsvReader) -> None:
        self.lines = lines
        self.reader = reader
        self.given_back: deque[str] = deque()
        self.taken: list[str] = []
        self.size = 0

    def __iter__(self) -> "_Pushback":
        return self

    def start_row(self) -> None:
        """Forget the row before."""
        self.taken, self.size = [], 0

    def __next__(self) -> str:
        if self.size > LONGEST_ROW:
            raise StopIteration
        line = self.given_back.popleft() if self.given_back else next(self.lines, None)
        if line is None and self.taken:
            block = self.reader._next_block()
            self.lines = self.reader._lines(block)
            line = next(self.lines, None)
        if line is None:
            raise StopIteration
        self.taken.append(line)
        self.size += len(line)
        return line

    def go_back_to_second_line(self) -> None:
        """Give back every line after the first."""
        self.given_back.extendleft(reversed(self.taken[1:]))


def _csv_reason(error: csv.Error) -> Sentence:
    return _LONG_CELL if "field larger" in str(error) else _BROKEN_QUOTE


@lru_cache(maxsize=64)
def _wrong_number(cells: int, columns: int) -> Sentence:
    return say("This row has {cells} cells, and the header has {columns}.", cells=cells, columns=columns)


def _form_reject(row: int, cells: Sequence[str], header: Sequence[str]) -> Reject | None:
    if len(cells) != len(header):
        return Reject(row, "", "malformed_row", _wrong_number(len(cells), len(header)))
    for name, cell in zip(header, cells, strict=True):
        if "\0" in cell:
            return Reject(row, name, "nul_character", _NUL_IN_CELL)
        if len(cell) > LONGEST_CELL:
            return Reject(row, name, "too_large", _THIS_LONG_CELL)
        if not cell.isascii() and any("\udc80" <= character <= "\udcff" for character in cell):
            return Reject(row, name, "not_utf8", _NOT_UTF8)
    return None


def read_ndjson(
    stream: BinaryIO, directory: Path, progress: Progress, flatten: Flatten, part_rows: int = PART_ROWS
) -> Rows:
    """Read one JSON object a line into parts in `directory`; `flatten` makes cells of it.

    Raises UnreadableInput when no line holds an object.
    """
    rows = Rows([], nulls=True)
    columns: dict[str, None] = {}
    first: Reject | None = None
    flat = directory / "flat.ndjson"
    with flat.open("wb") as out:
        for line in _json_lines(stream, progress):
            if not line.strip():
                rows.blank += 1
                continue
            rows.count += 1
            try:
                cells = flatten(_object(line))
            except UnreadableInput as error:
                rejects = [Reject(rows.count, "", error.code, error.detail)]
            except InvalidInput as error:
                rejects = [Reject(rows.count, one.pointer, one.code, one.detail) for one in error.problems]
            else:
                columns.update(dict.fromkeys(cells))
                out.write(orjson.dumps([rows.count, cells]) + b"\n")
                continue
            first = first or rejects[0]
            out.write(orjson.dumps([rows.count, [[one.column, one.code, str(one.reason)] for one in rejects]]) + b"\n")
    if rows.count == 0:
        raise UnreadableInput("no_rows", say("This file has no rows."))
    if not columns and first is not None:
        detail = say("No line of this file can be read. Row {row}: {reason}", row=first.row, reason=first.reason)
        raise UnreadableInput("not_json", detail)
    rows.header = list(columns)
    spool = _Spool(directory, rows.delimiter, part_rows)
    with flat.open("rb") as read:
        for line in read:
            number, found = orjson.loads(line)
            if isinstance(found, dict):
                spool.write_with_nulls(number, [found.get(name) for name in columns])
            else:
                spool.reject([Reject(number, *one) for one in found])
    spool.end(rows.count)
    rows.parts = spool.parts
    flat.unlink()
    return rows


def _object(line: bytes) -> dict[str, Any]:
    """Read the JSON object of a line. Raises UnreadableInput or InvalidInput."""
    if len(line) > LONGEST_ROW:
        raise UnreadableInput("too_large", say("This line has more than {most} bytes.", most=LONGEST_ROW))
    value = strict_json.loads(line)
    if not isinstance(value, dict):
        raise UnreadableInput("not_an_object", say("This line is no JSON object."))
    return value


def _json_lines(stream: BinaryIO, progress: Progress) -> Iterator[bytes]:
    first = True
    while line := stream.readline(2 * LONGEST_ROW):
        progress(len(line))
        while not line.endswith(b"\n") and (more := stream.readline(LONGEST_ROW)):
            progress(len(more))
            if more.endswith(b"\n"):
                break
        yield line.removeprefix(b"\xef\xbb\xbf") if first else line
        first = False


def flat(value: Mapping[str, Any], nested: Collection[str] = ()) -> dict[str, str | None]:
    """Take the keys of an object for columns; lists and objects may stand under the `nested` ones, as JSON.

    A number with decimals is not exact in them: none is taken there. Raises UnreadableInput.
    """
    cells: dict[str, str | None] = {}
    for name, one in value.items():
        if isinstance(one, (dict, list)):
            if name.lower() not in nested:
                detail = say(
                    "{name} is no single value. Give an object as in the API, or flat columns.", name=repr(name)
                )
                raise UnreadableInput("not_text", detail)
            cells[name] = json.dumps(one, ensure_ascii=False, separators=(",", ":"), default=float)
        else:
            cells[name] = None if one is None else str(one).lower() if isinstance(one, bool) else str(one)
    return cells
