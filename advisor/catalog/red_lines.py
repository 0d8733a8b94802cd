"""Read data/policies/red-lines.toml into domain objects."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from advisor.catalog.patterns import (
    UnusablePattern,
    alternatives,
    check_pattern,
    compile_part,
    compile_pattern,
    compile_words,
    expand,
    has_host,
)
from advisor.catalog.tables import Table, check_sequence, check_unique
from advisor.domain.declared import FACTS
from advisor.domain.plain_text import Folding
from advisor.domain.program import MARKETPLACES
from advisor.domain.red_lines import (
    DOUBTFUL,
    IN_TEXTS,
    KINDS,
    MESSAGE,
    SEVERITIES,
    Bar,
    Block,
    Gap,
    MessageTypes,
    Part,
    Pattern,
    RedLines,
    Rule,
    Shield,
)
from advisor.domain.sources import Source

Sources = Mapping[str, Source]

# The facts of a message, and the one that is looked for in texts; the others are compared by the domain.
OF_MESSAGES = ("message_type", "order_completed_on")
FACT_NAMES = (*FACTS, *OF_MESSAGES, IN_TEXTS)
LONGEST_REACH = 400
MOST_ACROSS = 3
# What a pattern of several parts does not look at, and one that has to match all of a text.
_NOT_TOGETHER = ("whole", "needs", "hosts", "not_hosts", "digits")
_NOT_WHOLE = ("needs", "without", "hosts", "not_hosts", "digits")


def read_red_lines(top: Table, sources: Sources) -> RedLines:
    """Read the file; what is wrong with a pattern is said at its key."""
    reader = _Reader(top, sources)
    types = top.table("message_types")
    message_types = MessageTypes(
        listed=types.words("listed"),
        also_listed=types.words("also_listed", default=()),
        sources=types.sources(sources),
        note=types.text_or_none("note"),
    )
    types.close()
    rules = tuple(reader.rule(table) for table in top.tables("rule", name_by="id"))
    ids = [rule.id for rule in rules]
    check_unique(top, "rule", ids)
    for rule in rules:
        for other in sorted(rule.yields_to - set(ids)):
            top.problem(f"rule[{rule.id}].yields_to", f"found {other!r}, which is no rule")
    shields: list[Shield] = []
    for table in top.tables("shield"):
        without, of_rules = reader.optional(table, "without"), frozenset(table.words("rules", ids))
        parts = (reader.part(table, "find", one) for one in _one_or_several(table, "find"))
        doubtful = table.has("severity") and table.choice("severity", (DOUBTFUL,)) == DOUBTFUL
        shields += [Shield(part, of_rules, without, doubtful) for part in parts]
        table.close()
    gaps = []
    for table in top.tables("gap", name_by="id"):
        gaps.append(Gap(table.text("id"), table.text("label"), table.text("text"), table.sources(sources)))
        table.close()
    lines = RedLines(reader.languages, reader.folding, reader.uncut, message_types, rules, tuple(shields), tuple(gaps))
    top.close()
    return lines


class _Reader:
    """What the rules of the file share: languages, look-alikes, named fragments and hosts."""

    def __init__(self, top: Table, sources: Sources) -> None:
        self.sources = sources
        self.languages = top.words("languages")
        self.folding = Folding(self._look_alikes(top.table("fold")) | self._simplified(top))
        self.uncut = self._uncut(top)
        self.alternatives: dict[str, tuple[str, ...]] = {}
        self.words = self._words(top.table("words"))
        self.lists: dict[str, tuple[Part, ...]] = {}
        self.parts: dict[str, tuple[Part, ...]] = {}
        self.blocks: dict[str, tuple[Block, ...]] = {}
        hosts = top.table("hosts")
        self.hosts = {name: frozenset(hosts.words(name)) for name in hosts.values}

    def _look_alikes(self, table: Table) -> dict[str, str]:
        """Read which characters look like a letter: a text of them by that letter."""
        found: dict[str, str] = {}
        for plain in table.values:
            for character in table.text(plain):
                if found.setdefault(character, plain) != plain:
                    table.problem(plain, f"found {character!r}, which stands under another letter too")
        return found

    def _simplified(self, top: Table) -> dict[str, str]:
        """Read how Chinese characters are written in more than one way: the first of each word stands for the rest."""
        found: dict[str, str] = {}
        for word in " ".join(top.words("simplified")).split():
            for character in word[1:]:
                if found.setdefault(character, word[0]) != word[0]:
                    top.problem("simplified", f"found {character!r}, which stands under another character too")
        return found

    def _uncut(self, top: Table) -> re.Pattern[str]:
        """Read the words that nothing found may begin or end inside of; of several at a place the longest counts."""
        words = " ".join(top.words("uncut")).split()
        for word in words:
            if self.folding.plain(word).text != word:
                top.problem("uncut", f"found {word!r}, which no text is compared with")
        return re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))))

    def _words(self, table: Table) -> dict[str, str]:
        """Read named lists of alternatives; one may use those above it."""
        found: dict[str, str] = {}
        for name in table.values:
            self.alternatives[name] = table.words(name)
            try:
                found[name] = f"(?:{'|'.join(self._expanded(one, found) for one in self.alternatives[name])})"
                check_pattern(found[name])
            except UnusablePattern as error:
                table.problem(name, str(error))
                found[name] = "(?:x)"
        return found

    def _part(self, several: Iterable[str]) -> tuple[Part, ...]:
        """Compile alternatives of whole words. A list of words among them is always the same part."""
        parts: list[Part] = []
        others = []
        for one in several:
            name = one[1:-1] if one[:1] == "{" else ""
            if name not in self.alternatives:
                others.append(self._expanded(one))
                continue
            if name not in self.lists:
                self.lists[name] = self._part(self.alternatives[name])
            parts += self.lists[name]
        return tuple(dict.fromkeys((*parts, *compile_words(others))))

    def compiled(self, table: Table, key: str) -> re.Pattern[str]:
        """Compile the pattern at a key, or the alternatives there."""
        try:
            return compile_pattern("|".join(map(self._expanded, _one_or_several(table, key))))
        except UnusablePattern as error:
            table.problem(key, str(error))
            return re.compile("x")

    def part(self, table: Table, key: str, pattern: str) -> Part:
        """Compile a pattern at a key, to search with."""
        try:
            return compile_part(self._expanded(pattern))
        except UnusablePattern as error:
            table.problem(key, str(error))
            return Part(re.compile("x"))

    def together(self, table: Table, key: str) -> tuple[tuple[Part, ...], ...]:
        """Compile the patterns at a key, each of whole words. What several patterns share is one part."""
        parts = []
        for one in table.words(key):
            try:
                if one not in self.parts:
                    self.parts[one] = self._part(alternatives(one))
                parts.append(self.parts[one])
            except UnusablePattern as error:
                table.problem(key, str(error))
        return tuple(parts)

    def _expanded(self, pattern: str, words: Mapping[str, str] | None = None) -> str:
        """Put the lists of words into a pattern. A character that no plain text has would be sought in vain."""
        for character in set(pattern):
            if not character.isascii() and (plain := self.folding.plain(character).text) != character:
                raise UnusablePattern(f"it has {character!r}, which no text is compared with: write {plain!r}")
        return expand(pattern, self.words if words is None else words)

    def optional(self, table: Table, key: str) -> re.Pattern[str] | None:
        """Compile the pattern at a key that may be left out."""
        return self.compiled(table, key) if table.has(key) else None

    def _hosts(self, table: Table, key: str) -> frozenset[str]:
        return frozenset().union(
            *(self.hosts[name] for name in table.words(key, list(self.hosts)) if name in self.hosts)
        )

    def rule(self, table: Table) -> Rule:
        """Read one rule."""
        fact = table.choice("fact", FACT_NAMES) if table.has("fact") else None
        in_text = fact is None or fact == IN_TEXTS
        kinds = frozenset(table.words("kinds", KINDS)) if in_text else frozenset[str]()
        if table.has("blocks_of"):
            blocks = self.blocks.get(table.choice("blocks_of", self.blocks), ())
        else:
            blocks = tuple(self._block(block) for block in table.tables("block"))
        rule = Rule(
            id=table.text("id"),
            label=table.text("label"),
            summary=table.text("summary"),
            text=table.text("text"),
            why=table.text("why"),
            kinds=kinds,
            fact=fact,
            proactive=table.flag("proactive", default=False),
            yields_to=frozenset(table.words("yields_to", default=())),
            patterns=tuple(each for one in table.tables("pattern") for each in self._patterns(one, kinds)),
            blocks=blocks,
        )
        if not blocks:
            table.problem("block", "this rule has no [[rule.block]]; give it at least one")
        if (fact is None) != bool(rule.patterns):
            table.problem("pattern", "a rule has either a fact or patterns [[rule.pattern]]")
        if rule.proactive and MESSAGE not in kinds:
            table.problem("proactive", "only a rule about messages can be about proactive ones")
        for place in MARKETPLACES:
            check_sequence(table, place, [block for block in blocks if place in block.marketplaces])
        self.blocks[rule.id] = blocks
        table.close()
        return rule

    def _block(self, table: Table) -> Block:
        bar = self._bar(table)
        block = Block(
            marketplaces=frozenset(table.words("marketplaces", MARKETPLACES)),
            validity=table.validity(),
            severity=table.choice("severity", SEVERITIES),
            basis=table.basis(bar.sources),
            bar=bar,
            also_published=tuple(self._also(one) for one in table.tables("also_published")),
            consequence=table.text_or_none("consequence"),
        )
        table.close()
        return block

    def _also(self, table: Table) -> Bar:
        bar = self._bar(table)
        table.close()
        return bar

    def _bar(self, table: Table) -> Bar:
        return Bar(
            limit=table.integer_or_none("limit", 0, 10_000),
            share_ppm=table.percent("share") if table.has("share") else None,
            allowed=frozenset(table.words("among", default=())),
            sources=table.sources(self.sources),
            note=table.text_or_none("note"),
        )

    def _patterns(self, table: Table, kinds: frozenset[str]) -> Iterator[Pattern]:
        """Read a pattern; one that has several things to find is as many patterns."""
        together = table.has("together")
        for key, idle in (("together", _NOT_TOGETHER), ("whole", _NOT_WHOLE)):
            for name in idle:
                if table.has(key) and table.has(name):
                    table.problem(name, f"this has no effect beside `{key}`; leave it out")
        if together == table.has("find"):
            table.problem("find", "a pattern has either `find` or `together`")
        if together:
            several = [self.together(table, "together")]
            if len(several[0]) < 2:
                table.problem("together", "found one pattern; there are at least two, or it is `find`")
        else:
            several = [((self.part(table, "find", one),),) for one in _one_or_several(table, "find")]
        hosts = self._hosts(table, "hosts") if table.has("hosts") else None
        not_hosts = self._hosts(table, "not_hosts") if table.has("not_hosts") else frozenset[str]()
        if (hosts or not_hosts) and not all(has_host(parts[0][0].regex) for parts in several):
            table.problem("find", "it has no group (?P<host>...), which `hosts` and `not_hosts` look at")
        digits = None
        if table.has("digits"):
            inner = table.table("digits")
            digits = (inner.integer("least", 1, 100), inner.integer("most", 1, 100))
            if digits[0] > digits[1]:
                inner.problem("least", f"found {digits[0]}, which is more than `most`, {digits[1]}")
            inner.close()
        pattern = Pattern(
            reason=table.text("reason"),
            parts=(),
            kinds=frozenset(table.words("kinds", sorted(kinds), sorted(kinds))),
            marketplaces=frozenset(table.words("marketplaces", MARKETPLACES, MARKETPLACES)),
            languages=table.words("languages", self.languages, ()),
            whole=table.flag("whole", default=False),
            reach=table.integer("reach", 1, LONGEST_REACH) if together else 0,
            across=table.integer("across", 1, MOST_ACROSS) if together and table.has("across") else 0,
            in_order=table.flag("in_order") if together and table.has("in_order") else False,
            needs=self.optional(table, "needs"),
            without=self.optional(table, "without"),
            hosts=hosts,
            not_hosts=not_hosts,
            digits=digits,
        )
        table.close()
        return (replace(pattern, parts=parts) for parts in several)


def _one_or_several(table: Table, key: str) -> tuple[str, ...]:
    """Read a pattern, or a list of alternatives."""
    return table.words(key) if isinstance(table.values.get(key), list) else (table.text(key),)
