"""Read the tables of one data file, and note everything that is wrong with them by file, key, found and allowed.

A getter that finds a mistake notes it and returns a stand-in, so that one run shows every mistake of a file; whoever
opened the file then raises `DataError`. Nothing that was read beside a mistake is ever used.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from advisor.domain.numbers import HIGHEST_AMOUNT, parse_decimal
from advisor.domain.sources import BASES, OF_AMAZON, Dated, Source, Validity, has_address
from advisor.errors import DataError, DataProblem

_PERCENT = re.compile(r"([0-9.]+) %")
_T = TypeVar("_T")


def open_file(path: Path, name: str) -> "Table":
    """Open a TOML file as its top table. Decimals stay exact; a repeated key is refused by TOML itself."""
    problems: list[DataProblem] = []
    try:
        values = tomllib.loads(path.read_bytes().decode(), parse_float=Decimal)
    except FileNotFoundError:
        raise DataError([DataProblem(name, "file", "this file is missing")]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError([DataProblem(name, "file", f"this is not TOML in UTF-8: {error}")]) from None
    return Table(name, "", values, problems)


class Table:
    """One TOML table with its place in the file and the mistakes found so far."""

    def __init__(self, file: str, place: str, values: Mapping[str, Any], problems: list[DataProblem]) -> None:
        self.file = file
        self.place = place
        self.values = values
        self.problems = problems
        self._read: set[str] = set()

    def problem(self, key: str, detail: str) -> None:
        """Note a mistake at a key of this table."""
        place = f"{self.place}.{key}" if self.place and key else self.place or key
        self.problems.append(DataProblem(self.file, place, detail))

    def close(self) -> None:
        """Note every key that nobody asked for; of the top table, raise what was found."""
        for key in self.values:
            if key not in self._read:
                self.problem(key, f"this key is not known here; known are {', '.join(sorted(self._read))}")
        if not self.place and self.problems:
            raise DataError(self.problems)

    def has(self, key: str) -> bool:
        """Say whether the key is there."""
        self._read.add(key)
        return key in self.values

    def _get(self, key: str, kind: type | tuple[type, ...], what: str) -> Any:
        self._read.add(key)
        if key not in self.values:
            self.problem(key, f"this is missing; it is {what}")
            return None
        value = self.values[key]
        # Python takes true for a whole number, and a time of day for a date; here neither is.
        wrong_boolean = isinstance(value, bool) and kind is not bool
        if wrong_boolean or isinstance(value, datetime) or not isinstance(value, kind):
            self.problem(key, f"found {value!r}; it is {what}")
            return None
        return value

    def text(self, key: str) -> str:
        """Read a text that is not empty."""
        value = self._get(key, str, "a text in quotes")
        if value is not None and not value.strip():
            self.problem(key, "found an empty text; write it or leave the key out")
        return value or ""

    def text_or_none(self, key: str) -> str | None:
        """Read a text that may be left out."""
        return self.text(key) if self.has(key) else None

    def choice(self, key: str, allowed: Iterable[str], default: str | None = None) -> str:
        """Read one of the allowed words; an empty one stands in where none is."""
        if default is not None and not self.has(key):
            return default
        words = list(allowed)
        listed = ", ".join(words) or "none here"
        value = self._get(key, str, f"one of {listed}")
        if value in words:
            return str(value)
        if value is not None:
            self.problem(key, f"found {value!r}; allowed are {listed}")
        return words[0] if words else ""

    def named(self, key: str, known: Mapping[str, _T]) -> _T:
        """Read the name of something; where nothing has one, nothing can stand in: raises DataError at once."""
        name = self.choice(key, known)
        if name not in known:
            raise DataError(self.problems)
        return known[name]

    def words(
        self, key: str, allowed: Sequence[str] | None = None, default: Sequence[str] | None = None
    ) -> tuple[str, ...]:
        """Read a list of words, each once."""
        if default is not None and not self.has(key):
            return tuple(default)
        values = self._get(key, list, "a list of texts") or []
        if not values and self.has(key):
            self.problem(key, "found an empty list; name at least one or leave the key out")
        for value in values:
            if not isinstance(value, str) or (allowed is not None and value not in allowed):
                self.problem(key, f"found {value!r}; allowed are {', '.join(allowed or ['texts'])}")
        if len(set(map(str, values))) != len(values):
            self.problem(key, "found a word twice; name each once")
        return tuple(str(value) for value in values)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Read true or false."""
        if default is not None and not self.has(key):
            return default
        return bool(self._get(key, bool, "true or false"))

    def integer(self, key: str, low: int, high: int) -> int:
        """Read a whole number from low to high."""
        value = self._get(key, int, f"a whole number from {low} to {high}")
        if value is not None and not low <= value <= high:
            self.problem(key, f"found {value}; it is a whole number from {low} to {high}")
        return min(max(value, low), high) if value is not None else low

    def integer_or_none(self, key: str, low: int, high: int) -> int | None:
        """Read a whole number that may be left out."""
        return self.integer(key, low, high) if self.has(key) else None

    def day(self, key: str) -> date:
        """Read a date."""
        value = self._get(key, date, "a date such as 2026-02-01, without quotes")
        return value or date.min

    def percent(self, key: str) -> int:
        """Read a percentage as parts per million."""
        text = self._get(key, str, 'a percentage in quotes such as "15 %"')
        if text is None:
            return 0
        match = _PERCENT.fullmatch(text)
        ppm = parse_decimal(match[1], 4) if match else None
        if ppm is None or ppm > 1_000_000:
            self.problem(key, f'found {text!r}; a percentage is from "0 %" to "100 %" with up to four decimals')
            return 0
        return ppm

    def percents(self, key: str) -> dict[str, int]:
        """Read an inline table of percentages as parts per million."""
        inner = self.table(key, 'a table of percentages such as { UK = "2 %" }')
        return {name: inner.percent(name) for name in inner.values}

    def amount(self, key: str, decimals: int) -> int:
        """Read money in major units as minor units."""
        return self.to_minor(key, self._get(key, (int, Decimal), "an amount such as 0.30"), decimals)

    def to_minor(self, key: str, value: int | Decimal | None, decimals: int) -> int:
        """Bring money into minor units, exactly."""
        if value is None:
            return 0
        minor = parse_decimal(str(value) if isinstance(value, int) else f"{value:f}", decimals)
        if minor is None:
            self.problem(key, f"found {value}; an amount is not negative and has at most {decimals} decimals here")
        elif minor > HIGHEST_AMOUNT:
            self.problem(key, f"found {value}; an amount is at most {HIGHEST_AMOUNT // 10**decimals}")
        return minor or 0

    def amount_or_unknown(self, key: str, decimals: int) -> int | None:
        """Read money, or the word "unknown" as None."""
        if self.values.get(key) == "unknown":
            self._read.add(key)
            return None
        return self.amount(key, decimals)

    def table(self, key: str, what: str | None = None) -> "Table":
        """Open a table inside this one."""
        values = self._get(key, dict, what or f"a table [{key}]") or {}
        return Table(self.file, f"{self.place}.{key}" if self.place else key, values, self.problems)

    def named_tables(self, key: str | None = None) -> dict[str, "Table"]:
        """Open the tables that stand in this one (or in its table `key`) under names of their own."""
        if key is not None:
            return self.table(key).named_tables()
        self._read.update(self.values)
        return {name: self.table(name) for name in self.values}

    def tables(self, key: str, name_by: str | None = None) -> list["Table"]:
        """Open a list of tables, [[key]] or inline; none when left out. Their places carry the name if there is one."""
        if not self.has(key):
            return []
        values = self._get(key, list, f"tables [[{key}]]") or []
        opened = []
        for number, value in enumerate(values, start=1):
            if not isinstance(value, dict):
                self.problem(key, f"found {value!r}; each entry is a table")
                continue
            name = value.get(name_by, number) if name_by else number
            opened.append(Table(self.file, f"{self.place}.{key}[{name}]".lstrip("."), value, self.problems))
        return opened

    def sources(self, known: Mapping[str, Source]) -> tuple[Source, ...]:
        """Read the sources that a number comes from: at least one, each listed under data/sources."""
        found = []
        for key in self.words("sources"):
            if key in known:
                found.append(known[key])
            else:
                self.problem("sources", f"found {key!r}, which no file in data/sources describes")
        return tuple(found)

    def confidence(self, sources: Sequence[Source]) -> str:
        """Read how sure a number is. A source without an address is low confidence."""
        confidence = self.choice("confidence", ("high", "medium", "low"))
        if confidence != "low" and not has_address(sources):
            self.problem("confidence", f'found {confidence!r}; it is "low" where no source has a url')
        return confidence

    def basis(self, sources: Sequence[Source]) -> str:
        """Read whether Amazon says something itself: in a page of its own or a copy of one, that can be looked up."""
        basis = self.choice("basis", BASES)
        if basis == "official" and sources and not has_address([one for one in sources if one.trust in OF_AMAZON]):
            self.problem(
                "basis", f'found {basis!r}; it is "guideline" where no source with a url is {" or ".join(OF_AMAZON)}'
            )
        return basis

    def validity(self) -> Validity:
        """Read `from`, `from_kind`, `to` and `to_kind`."""
        start = self.day("from")
        start_kind = self.choice("from_kind", ("documented", "observed", "unknown"))
        end, end_kind = None, None
        if self.has("to"):
            end = self.day("to")
            end_kind = self.choice("to_kind", ("documented", "last_verified"))
            if end < start:
                self.problem("to", f"found {end}, which is before its `from` {start}")
        elif self.has("to_kind"):
            self.problem("to_kind", "this needs a `to`")
        return Validity(start, start_kind, end, end_kind)


def check_sequence(table: Table, what: str, blocks: Iterable[Dated]) -> None:
    """Note overlaps of dated blocks, and gaps that no stale source explains."""
    ordered = sorted((block.validity for block in blocks), key=lambda validity: validity.start)
    for earlier, later in pairwise(ordered):
        if earlier.end is None or later.start <= earlier.end:
            until = earlier.end or "further notice"
            table.problem(
                "", f"{what}: the block from {earlier.start} until {until} overlaps the one from {later.start}"
            )
        elif later.start > earlier.end + timedelta(days=1) and earlier.end_kind != "last_verified":
            table.problem(
                "",
                f"{what}: nothing holds between {earlier.end} and {later.start}; close the gap, or mark the earlier "
                'block to_kind = "last_verified" if its source went stale',
            )


def check_unique(table: Table, key: str, names: Iterable[str], what: str = "id") -> None:
    """Note a name that several tables of a list have."""
    for name, times in sorted(Counter(names).items()):
        if times > 1:
            table.problem(f"{key}[{name}]", f"this {what} stands twice; each has its own")


def check_each_once(table: Table, key: str, found: Sequence[str], expected: Sequence[str]) -> None:
    """Note an entry that is missing or stands twice: each of them is answered."""
    for name in expected:
        if found.count(name) != 1:
            table.problem(key, f"found {name!r} {found.count(name)} times; each of {', '.join(expected)} stands once")
