"""Compile the patterns of the data, and refuse those that are wrong or could be slow.

A pattern is tried at every place of a text. So that the time grows with the length of the text and no faster, what one
try may cost is bounded before the pattern is ever used: no repetition is without a limit, and the ways in which
repetitions and alternatives can be combined are counted. Nested repetitions multiply, and are refused long before they
matter, unless they are possessive (`{0,3}+`) and never give anything back.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from advisor.domain.red_lines import Part

# The most steps that one try of a pattern may take, and the most characters that it may look at.
MOST_STEPS = 20_000
MOST_CHARACTERS = 2_000
# Looking for more texts than this takes as long as the pattern itself.
MOST_LITERALS = 8
_TOO_MANY = 10**12
# What may not stand before a pattern: (?<![...]), any number of them.
_GUARD = re.compile(r"(?:\(\?<!(?:\[[^\]]*\] ?)+\))+")
_NAMED = re.compile(r"\{([a-z][a-z_]*)\}")
# Where no word of Latin letters is cut in two.
_EDGE = r"(?:(?<![a-z])|(?![a-z]))"


class UnusablePattern(Exception):
    """A pattern is not a regular expression, or could be slow. The text says what is allowed."""


def expand(pattern: str, words: Mapping[str, str]) -> str:
    """Put named fragments, written {name}, into a pattern."""

    def fragment(match: re.Match[str]) -> str:
        if match[1] not in words:
            raise UnusablePattern(f"{{{match[1]}}} names no list of [words] above it")
        return words[match[1]]

    return _NAMED.sub(fragment, pattern)


def alternatives(pattern: str) -> list[str]:
    """Take a pattern apart where it says “or” outside of all brackets."""
    found, depth, start, in_set = [], 0, 0, False
    signs = iter(range(len(pattern)))
    for place in signs:
        sign = pattern[place]
        if sign == "\\":
            next(signs, None)
        elif in_set:
            in_set = sign != "]"
        elif sign == "[":
            in_set = True
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == "|" and depth == 0:
            found.append(pattern[start:place])
            start = place + 1
    return [*found, pattern[start:]]


def check_pattern(*several: str) -> "list[_Cost]":
    """Refuse alternatives that are wrong or could be slow. Gives what each costs. Raises UnusablePattern."""
    for pattern in several:
        if pattern != pattern.casefold().replace("(?p<host>", "(?P<host>"):
            raise UnusablePattern("it has capital letters; texts are compared in small letters")
    try:
        costs = [_whole_cost(pattern) for pattern in several]
    except re.error as error:
        raise UnusablePattern(f"it is no regular expression: {error}") from None
    steps, width = sum(one.steps for one in costs), max((one.width for one in costs), default=0)
    if steps > MOST_STEPS:
        raise UnusablePattern(
            f"one try may take {steps} steps, more than {MOST_STEPS}: make inner repetitions possessive, such as "
            "{0,3}+, or shorter"
        )
    if width > MOST_CHARACTERS:
        raise UnusablePattern(f"one try may look at {width} characters, more than {MOST_CHARACTERS}")
    return costs


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern; raises UnusablePattern."""
    check_pattern(pattern)
    return re.compile(pattern, re.ASCII)


def compile_part(pattern: str) -> Part:
    """Compile a pattern to search with; raises UnusablePattern.

    What may not stand before it is taken off its beginning: the search then skips to the characters it can begin with.
    """
    check_pattern(pattern)
    guard = _GUARD.match(pattern)
    if guard is None or str(_parsed(pattern)[0][0]) != "ASSERT_NOT" or guard.end() == len(pattern):
        return _part(pattern)
    return _part(pattern[guard.end() :], guard[0])


def compile_words(several: Sequence[str]) -> Iterator[Part]:
    """Compile alternatives of whole words, apart by what they begin with; raises UnusablePattern.

    What begins with a letter is tried where a word begins, what never does is tried everywhere.
    """
    by_letter: dict[bool | None, list[str]] = {}
    for one, cost in zip(several, check_pattern(*several), strict=True):
        first = cost.first
        mixed = first is None or (first & _LATIN and first - _LATIN)
        by_letter.setdefault(None if mixed else bool(first and first & _LATIN), []).append(one)
    for letter, alike in by_letter.items():
        words = f"(?:{'|'.join(alike)}){_EDGE}"
        if letter is None:
            yield _part(words, _EDGE)
        else:
            yield _part(f"(?<![a-z]){words}" if letter else words)


def _part(pattern: str, guard: str | None = None) -> Part:
    guarded = None if guard is None else re.compile(guard, re.ASCII)
    return Part(re.compile(pattern, re.ASCII), guarded, _literals(_parsed(pattern)))


def _literals(items: Any) -> tuple[str, ...]:
    """Find texts of which one at least is in whatever a sequence matches, as far as is seen at once; none otherwise.

    Of several places in the sequence the one counts that tells most.
    """
    found: tuple[str, ...] = ()
    run = ""
    for kind, value in items:
        name = str(kind)
        inner: tuple[str, ...] = ()
        if name == "LITERAL":
            run += chr(value)
            inner = (run,)
        elif name in ("AT", "ASSERT", "ASSERT_NOT"):
            continue
        else:
            run = ""
            if name == "SUBPATTERN":
                inner = _literals(value[3])
            elif name == "ATOMIC_GROUP":
                inner = _literals(value)
            elif name.endswith("_REPEAT") and value[0] > 0:
                inner = _literals(value[2])
            elif name == "BRANCH":
                inner = _of_each(map(_literals, value[1]))
        found = max(found, inner, key=_telling)
    return found


def _of_each(branches: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Join what branches have, without those that have another in them; none where a branch has none, or too many."""
    joined: set[str] = set()
    for one in branches:
        if not one:
            return ()
        joined |= set(one)
    fewest = [one for one in joined if not any(other != one and other in one for other in joined)]
    return tuple(sorted(fewest)) if len(fewest) <= MOST_LITERALS else ()


def _telling(literals: tuple[str, ...]) -> tuple[int, int, int]:
    """Say how much texts tell: three characters are as good as any, and then fewer texts are better."""
    shortest = min(map(len, literals), default=0)
    return min(shortest, 3), -len(literals), shortest


@lru_cache(1)  # who has checked a pattern then looks at what it is made of
def _parsed(pattern: str) -> Any:
    return re._parser.parse(pattern, re.ASCII)  # type: ignore[attr-defined]


def has_host(pattern: re.Pattern[str]) -> bool:
    """Say whether it has the group `host`."""
    return "host" in pattern.groupindex


# What stands for a character that no pattern names. Sets of characters are kept over ASCII, named ones and this.
_OTHER = 0x10FFFF
_ANY = frozenset({*range(128), _OTHER})
_CATEGORIES = {
    "CATEGORY_DIGIT": frozenset(map(ord, "0123456789")),
    "CATEGORY_SPACE": frozenset(map(ord, " \t\n\r\f\v")),
    "CATEGORY_WORD": frozenset(ord(one) for one in map(chr, range(128)) if one.isalnum() or one == "_"),
}
_Set = frozenset[int]
_LATIN = frozenset(range(ord("a"), ord("z") + 1))


class _Cost(NamedTuple):
    """The ways in which something can match at one place, the steps to try them all, and the characters looked at.

    `first` are the characters it can begin with; None if it can match nothing at all.
    """

    ways: int
    steps: int
    width: int
    first: _Set | None


def _whole_cost(pattern: str) -> _Cost:
    """Work out the cost of a pattern; plain words, which most of them are, need no parsing."""
    if pattern.replace(" ", "a").isalnum():
        return _Cost(1, len(pattern), len(pattern), _only(ord(pattern[0])))
    return _cost(_parsed(pattern))


def _cost(items: Any) -> _Cost:
    """Work out the cost of a sequence, from its end on: what follows decides what giving back can lead to."""
    ways, steps, width, first = 1, 0, 0, cast(_Set | None, None)
    for kind, value in reversed(items.data):
        name = kind.name
        if name == "LITERAL":  # most of a pattern is
            steps, width, first = steps + 1, width + 1, _only(value)
            continue
        one = _cost_of(name, value)
        repeats = name in ("MAX_REPEAT", "MIN_REPEAT")
        several = one.ways
        # Of one kind of character repeated, giving some back leads nowhere if what follows begins with another kind.
        if repeats and first and len(value[2]) == 1:
            repeated = _characters(value[2][0][0].name, value[2][0][1])
            if repeated is not None and not _meet(repeated, first):
                several = 1
        if one.first is not None:
            optional = (repeats or name == "POSSESSIVE_REPEAT") and value[0] == 0
            if not optional:
                first = one.first
            elif first is not None:
                first |= one.first
        steps = min(one.steps + several * steps, _TOO_MANY)
        ways = min(several * ways, _TOO_MANY)
        width += one.width
    return _Cost(ways, steps, width, first)


def _cost_of(kind: str, value: Any) -> _Cost:
    characters = _characters(kind, value)
    if characters is not None:
        return _Cost(1, 1, 1, characters)
    if kind == "AT":
        return _Cost(1, 1, 0, None)
    if kind == "SUBPATTERN":
        return _cost(value[3])
    if kind == "BRANCH":
        return _branches([_cost(branch) for branch in value[1]])
    if kind in ("ASSERT", "ASSERT_NOT"):
        inner = _cost(value[1])
        return _Cost(1, max(inner.steps, 1), inner.width, None)
    if kind == "ATOMIC_GROUP":
        return _cost(value)._replace(ways=1)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _repeated(kind, *value)
    raise UnusablePattern("it refers back to what it matched, which is not allowed")


def _branches(each: list[_Cost]) -> _Cost:
    """Only alternatives that can begin with the same character can match at the same place; others take one step."""
    anywhere = sum(one.ways for one in each if one.first is None)
    steps = sum(max(one.steps, 1) for one in each if one.first is None)
    by_first: dict[int, int] = {}
    steps_by_first: dict[int, int] = {}
    for one in each:
        for character in one.first or ():
            by_first[character] = by_first.get(character, 0) + one.ways
            steps_by_first[character] = steps_by_first.get(character, 0) + one.steps
    empty = any(one.first is None for one in each)
    return _Cost(
        anywhere + max(by_first.values(), default=0) or 1,
        len(each) + steps + max(steps_by_first.values(), default=0),
        max(one.width for one in each),
        None if empty else frozenset().union(*(one.first or frozenset() for one in each)),
    )


def _repeated(kind: str, least: int, most: int, items: Any) -> _Cost:
    if str(most) == "MAXREPEAT":
        raise UnusablePattern("it repeats something without a limit: write {0,40} for *, and {1,40} for +")
    inner = _cost(items)
    steps, so_far, ways = 0, 1, 0
    for number in range(most + 1):
        if number >= least:
            ways += so_far
        steps += so_far * inner.steps
        so_far *= inner.ways
        if so_far > _TOO_MANY:
            raise UnusablePattern("its repetitions are nested: make the inner one possessive, such as {0,3}+")
    # What is possessive goes on with the first way that fits, and gives nothing back.
    if kind == "POSSESSIVE_REPEAT":
        return _Cost(1, (most + 1) * max(inner.steps, 1), most * inner.width, inner.first)
    return _Cost(ways, steps, most * inner.width, inner.first)


@lru_cache(10_000)
def _only(character: int) -> _Set:
    return frozenset({character})


def _characters(kind: str, value: Any) -> _Set | None:
    """Give the characters that one element of a pattern stands for, if it stands for one character."""
    if kind == "LITERAL":
        return _only(value)
    if kind == "NOT_LITERAL":
        return _ANY - {value}
    if kind == "ANY":
        return _ANY - {10}
    if kind != "IN":
        return None
    found: set[int] = set()
    items = list(value)
    negated = items[0][0].name == "NEGATE"
    for one, what in items[negated:]:
        if one.name == "LITERAL":
            found.add(what)
        elif one.name == "RANGE":
            found |= {*range(what[0], min(what[1], what[0] + 5000) + 1)}
        else:
            found |= _CATEGORIES.get(str(what), _ANY)
    return frozenset(_ANY - found) if negated else frozenset(found)


def _meet(one: _Set, two: _Set) -> bool:
    """Say whether two sets have a character in common. A character that one does not name is any other to it."""

    def rest(names: _Set) -> bool:
        return any(name > 127 and name != _OTHER for name in names)

    return bool(one & two) or (_OTHER in one and rest(two)) or (_OTHER in two and rest(one))
