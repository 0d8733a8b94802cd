"""Read the header of a file, whatever its rows are: names in any order and letter case, each standing once."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from advisor.errors import LONGEST_NAME_SHOWN, Problem, Sentence, say

MOST_SHOWN = 20
# Cells that say nothing.
BLANK = ("", "N/A", "n/a", "N/a", "n/A")


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a value comes from: a column of the file, or (column None) one text for every row."""

    name: str
    column: int | None
    constant: str | None = None


def read_header(
    header: Sequence[str],
    constants: Mapping[str, str],
    outputs: Collection[str],
    take: Callable[[Cell, list[Problem]], bool],
) -> tuple[set[str], list[Problem]]:
    """Hand each column, and each constant that fills a missing one, to `take`, which says whether it means something.

    `outputs` are the names that the results will have: a column may not have one of them. Gives the names that there
    are, in small letters, and what is wrong with them.
    """
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for index, name in enumerate(header):
        key = name.lower()
        if not name:
            detail = say("This column has no name. Name it, or remove it.")
            problems.append(Problem(f"column {index + 1}", "missing", detail))
        elif key in seen:
            detail = say(
                "The columns {first} and {second} have one name. Remove or rename one.",
                first=repr(seen[key]),
                second=repr(name),
            )
            problems.append(Problem(name, "duplicate_name", detail))
        elif key in outputs:
            detail = say("The results have a column {column} too. Rename yours.", column=repr(key))
            problems.append(Problem(name, "duplicate_name", detail))
        else:
            take(Cell(name, index), problems)
        seen.setdefault(key, name)
    for name, text in constants.items():
        key = name.lower()
        if key in seen:
            detail = say("The file has this column already: only a missing one can be set.")
            problems.append(Problem(name, "duplicate_name", detail))
        elif not take(Cell(name, None, text), problems):
            detail = say("No column of this name is read here, so there is nothing to set.")
            problems.append(Problem(name, "unknown_column", detail))
        seen.setdefault(key, name)
    return set(seen), problems


def no_column(wanted: str, header: Sequence[str]) -> Sentence:
    """Say that a column that every row needs is not there, and what there is instead."""
    from difflib import get_close_matches

    mark = _other_mark(header)
    if mark is not None:
        return say(
            "There is no column {column}: the columns seem to be separated by {mark}. Commas or semicolons are taken.",
            column=wanted,
            mark=mark,
        )
    near = get_close_matches(wanted, [plain(name) for name in header], n=1, cutoff=0.7)
    if near:
        meant = next(name for name in header if plain(name) == near[0])
        return say(
            "There is no column {column}, which every row needs. Is it {near}? Name it {column}.",
            column=wanted,
            near=repr(meant[:LONGEST_NAME_SHOWN]),
        )
    return say(
        "There is no column {column}, which every row needs. The file begins with {columns}.",
        column=wanted,
        columns=_beginning(header),
    )


def none_of(wanted: Sequence[str], header: Sequence[str]) -> Sentence:
    """Say that none of the columns is there of which every file needs one, and what there is instead."""
    columns = ", ".join(wanted)
    mark = _other_mark(header)
    if mark is not None:
        return say(
            "One of these columns is needed at least: {columns}. "
            "The columns seem to be separated by {mark}. Commas or semicolons are taken.",
            columns=columns,
            mark=mark,
        )
    for name in header:
        meant = near(name, wanted)
        if meant is not None:
            return say(
                "One of these columns is needed at least: {columns}. Is {near} one of them? Name it {column}.",
                columns=columns,
                near=repr(name[:LONGEST_NAME_SHOWN]),
                column=meant,
            )
    return say(
        "One of these columns is needed at least: {columns}. The file begins with {header}.",
        columns=columns,
        header=_beginning(header),
    )


def _other_mark(header: Sequence[str]) -> str | None:
    """Name what seems to separate the columns, where that is none of what is taken."""
    marks = {"\t": "tabs", "|": "bars"}
    return next((name for mark, name in marks.items() if len(header) == 1 and mark in header[0]), None)


def _beginning(header: Sequence[str]) -> str:
    return ", ".join(name[:LONGEST_NAME_SHOWN] for name in header[:MOST_SHOWN])


NO_MARKETPLACE = say("There is no column marketplace. Add one, or name the marketplace of all rows.")


def near(name: str, known: Sequence[str]) -> str | None:
    """Say which of the known names is meant by one that means nothing, where one is close to it.

    Of letters that are swapped difflib sees two mistakes, which are too many for a short name.
    """
    from difflib import get_close_matches

    written = plain(name)
    if written in known:
        return written
    swapped = next((one for one in known if sorted(one) == sorted(written)), None)
    if swapped is not None:
        return swapped
    return next(iter(get_close_matches(written[:LONGEST_NAME_SHOWN], known, n=1, cutoff=0.85)), None)


def plain(name: str) -> str:
    """Write a name that people gave a column as names are written here."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
