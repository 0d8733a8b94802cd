"""Hold messages, listings, business names and declared facts against the red lines of a marketplace.

Every rule is deterministic: a pattern of the data that matches, or a declared fact that is compared. A finding says
where (code points of the text as it was sent, or a pointer to the fact), by which rule and why, as codes and numbers.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from advisor.domain.declared import FACTS, Compare, Declared
from advisor.domain.plain_text import Folding, PlainText
from advisor.domain.sources import Source, Validity, in_force
from advisor.domain.wording import other_script, tell

KINDS = ("message", "listing_title", "listing_bullet", "listing_description", "business_name")
PROHIBITED, DOUBTFUL = "prohibited", "doubtful"
SEVERITIES = (PROHIBITED, DOUBTFUL)
MESSAGE = "message"
# The fact that is looked for in texts; the others are compared.
IN_TEXTS = "third_party_trademarks"
# As many findings as anybody reads, so that the answer does not outgrow the request: of one rule in one text (or in the
# facts), and of all together, as far as each rule then keeps one in each text.
MOST_FINDINGS = 100
MOST_TOGETHER = 1_000
# What a text has at least, if it is in one of the languages whose wording the patterns know.
LETTERS = {"en": re.compile("[a-z]"), "zh": re.compile("[\u3400-\u9fff]")}


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A regular expression, and what may not stand before it: apart from it, so that the search can skip ahead.

    One of `literals` at least is in all that it matches, if there are any: a text without them is not searched.
    """

    regex: re.Pattern[str]
    guard: re.Pattern[str] | None = None
    literals: tuple[str, ...] = ()

    def find(self, text: str) -> Iterator[re.Match[str]]:
        """Find the matches one after another, none of them empty."""
        position = 0
        for literal in self.literals:
            if literal in text:
                break
        else:
            if self.literals:
                return
        while match := self.regex.search(text, position):
            start, end = match.span()
            if self.guard is not None and not self.guard.match(text, start):
                position = start + 1
            elif start == end:
                position = end + 1
            else:
                yield match
                position = end


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """What gives a breach away in a plain text.

    A part is what any of several expressions matches. With one part every match is a breach; with several, one match of
    each, each at most `reach` away from the first part's and with at most `across` ends of sentences in between;
    `in_order`: one behind the other, each at most `reach` away from the one before. `without` may not stand inside of
    what was matched; of several parts, not in the sentences around it either, as far as `reach`.

    Of a single part only: `whole`: it has to match all of the text, and nothing else is asked. `needs` has to stand
    inside of what was matched. `hosts`: the group `host` is one of these or below one; `not_hosts`: it is none.
    `digits`: how many digits it has, at least and at most.

    `languages`: those whose wording it knows; none if it looks at signs only.
    """

    reason: str
    parts: tuple[tuple[Part, ...], ...]
    kinds: frozenset[str]
    marketplaces: frozenset[str]
    languages: tuple[str, ...]
    whole: bool = False
    reach: int = 0
    across: int = 0
    in_order: bool = False
    needs: re.Pattern[str] | None = None
    without: re.Pattern[str] | None = None
    hosts: frozenset[str] | None = None
    not_hosts: frozenset[str] = frozenset()
    digits: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """What a rule holds declared facts against; which of them it has depends on the fact. `share_ppm` is a rate."""

    limit: int | None
    share_ppm: int | None
    allowed: frozenset[str]
    sources: tuple[Source, ...]
    note: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A rule for some marketplaces and days."""

    marketplaces: frozenset[str]
    validity: Validity
    severity: str
    basis: str
    bar: Bar
    also_published: tuple[Bar, ...]
    consequence: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One red line. `fact` names what is declared; a rule without one looks at texts of its `kinds`.

    `yields_to`: a finding that overlaps one of those rules is part of it. `proactive`: it holds for messages that
    answer no question of the buyer.
    """

    id: str
    label: str
    summary: str
    text: str
    why: str
    kinds: frozenset[str]
    fact: str | None
    proactive: bool
    yields_to: frozenset[str]
    patterns: tuple[Pattern, ...]
    blocks: tuple[Block, ...]

    def block(self, marketplace: str, day: date) -> Block | None:
        """Pick the block that holds there on that day."""
        return in_force((one for one in self.blocks if marketplace in one.marketplaces), day)

    def concerns(self, text: "Text") -> bool:
        """Say whether it looks at a text, or at what is declared of it."""
        if self.fact == "message_type":
            return text.kind == MESSAGE and text.message_type is not None
        if self.fact == "order_completed_on":
            return text.kind == MESSAGE and text.order_completed_on is not None and not text.reply
        return text.kind in self.kinds and not (self.proactive and text.reply)


@dataclass(frozen=True, slots=True, eq=False)
class Shield:
    """What looks like a breach of some rules and is none, such as an order number.

    It shields nothing in a text that has `without` in it. What is `doubtful` may be a breach: somebody has to look.
    """

    part: Part
    rules: frozenset[str]
    without: re.Pattern[str] | None = None
    doubtful: bool = False

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Find the stretches that it shields."""
        if self.without and self.without.search(text):
            return []
        return [match.span() for match in self.part.find(text)]


@dataclass(frozen=True, slots=True, eq=False)
class MessageTypes:
    """The closed list of types of messages, and those that only another source lists."""

    listed: tuple[str, ...]
    also_listed: tuple[str, ...]
    sources: tuple[Source, ...]
    note: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """A published rule that nothing here can check, and why."""

    id: str
    label: str
    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RedLines:
    """All of them. `languages` are those whose wording the patterns know, `uncut` the words that none cuts in two."""

    languages: tuple[str, ...]
    folding: Folding
    uncut: re.Pattern[str]
    message_types: MessageTypes
    rules: tuple[Rule, ...]
    shields: tuple[Shield, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A text to check. `reply`: it answers a question of the buyer; None is unknown, and taken for no."""

    kind: str
    text: str
    language: str | None = None
    message_type: str | None = None
    reply: bool | None = None
    order_completed_on: date | None = None
    sent_on: date | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach. Of a text: its index and span; of a fact: a pointer to it below `facts`.

    `also` gives for each other published bar of the block whether it is broken too.
    """

    rule: Rule
    block: Block
    severity: str
    reason: str
    text_index: int | None = None
    start: int | None = None
    end: int | None = None
    pointer: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    also: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What could not be checked: a rule, a text or both, and why."""

    reason: str
    rule: Rule | None = None
    text_index: int | None = None
    gap: Gap | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a text may go out, as far as it was checked; None where that is doubtful or unknown."""

    text_index: int
    permitted: bool | None
    reason: str
    type_listed: bool | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many more findings of a rule there are in a text, or in the facts."""

    rule: Rule
    text_index: int | None
    number: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What the red lines say. Of what is left out, each has one as bad or worse of its rule and text in `findings`."""

    findings: tuple[Finding, ...]
    left_out: tuple[LeftOut, ...]
    permissions: tuple[Permission, ...]
    unchecked: tuple[Unchecked, ...]


def check(lines: RedLines, marketplace: str, as_of: date, texts: Sequence[Text], declared: Declared) -> Checked:
    """Hold texts and declared facts against the red lines of a marketplace and day."""
    active = [(rule, rule.block(marketplace, as_of)) for rule in lines.rules]
    findings: list[Finding] = []
    unchecked: list[Unchecked] = []
    for rule, block in active:
        compare = FACTS.get(rule.fact or "")
        given = rule.fact is not None and compare is not None and declared.has(rule.fact)
        concerned = any(map(rule.concerns, texts))
        if block is None:
            if given or concerned:
                unchecked.append(Unchecked("not_covered", rule))
        elif compare is not None and given:
            findings.extend(_of_fact(rule, block, compare, declared, as_of))
        elif compare is not None or (rule.fact == IN_TEXTS and concerned and not declared.has(IN_TEXTS)):
            unchecked.append(Unchecked("not_provided", rule))
    here = [(rule, block) for rule, block in active if block is not None]
    for index, text in enumerate(texts):
        plain = lines.folding.plain(text.text)
        findings.extend(_in_text(lines, here, index, text, plain, declared, marketplace))
        findings.extend(_of_message(lines, here, index, text, as_of))
        unchecked.extend(_not_read(lines, here, index, text, plain, marketplace))
    if texts:
        unchecked.extend(Unchecked("not_in_text", gap=gap) for gap in lines.gaps)
    order = {rule.id: number for number, rule in enumerate(lines.rules)}
    findings.sort(
        key=lambda one: (
            one.text_index is None,
            one.text_index or 0,
            one.start if one.start is not None else -1,
            one.end or 0,
            order[one.rule.id],
            one.pointer or "",
        )
    )
    not_held = [rule for rule, block in active if block is None]
    unread = {one.text_index for one in unchecked if one.text_index is not None}
    severities: dict[int | None, set[str]] = {}
    for finding in findings:
        severities.setdefault(finding.text_index, set()).add(finding.severity)
    permissions = [
        _permission(
            lines,
            index,
            text,
            severities.get(index, set()),
            covered=not any(rule.concerns(text) for rule in not_held),
            read=index not in unread,
        )
        for index, text in enumerate(texts)
    ]
    listed, left_out = _bounded(findings)
    return Checked(listed, left_out, tuple(permissions), tuple(unchecked))


def _bounded(findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[LeftOut, ...]]:
    """Keep as many findings of each rule and text as are listed, the worst first; count the others."""
    groups: dict[tuple[int | None, Rule], list[int]] = {}
    for number, one in enumerate(findings):
        groups.setdefault((one.text_index, one.rule), []).append(number)
    most = min(MOST_FINDINGS, max(MOST_TOGETHER // max(len(groups), 1), 1))
    kept: set[int] = set()
    left_out = []
    for (text_index, rule), numbers in groups.items():
        numbers.sort(key=lambda number: SEVERITIES.index(findings[number].severity))
        kept.update(numbers[:most])
        if len(numbers) > most:
            left_out.append(LeftOut(rule, text_index, len(numbers) - most))
    return tuple(one for number, one in enumerate(findings) if number in kept), tuple(left_out)


# Facts


def _of_fact(rule: Rule, block: Block, compare: Compare, declared: Declared, as_of: date) -> Iterator[Finding]:
    """Compare a fact with the block's bar and with what else is published: broken there alone is doubtful."""
    broken = {breach.pointer: breach for breach in compare(declared, block.bar, as_of)}
    others = [{breach.pointer: breach for breach in compare(declared, bar, as_of)} for bar in block.also_published]
    every = broken.copy()
    for other in others:
        every = other | every
    for pointer, breach in every.items():
        severity = DOUBTFUL if breach.doubtful or pointer not in broken else block.severity
        reason = breach.reason if pointer in broken else "only_another_source"
        also = tuple(pointer in other for other in others)
        yield Finding(rule, block, severity, reason, pointer=pointer, values=breach.values, also=also)


def _of_message(
    lines: RedLines, rules: Sequence[tuple[Rule, Block]], index: int, text: Text, as_of: date
) -> Iterator[Finding]:
    """Compare what is declared of a message: its type, and when it is sent."""
    for rule, block in rules:
        if not rule.concerns(text):
            continue
        if rule.fact == "message_type":
            values: dict[str, object] = {"message_type": text.message_type}
            if text.message_type in lines.message_types.also_listed:
                yield Finding(rule, block, DOUBTFUL, "type_in_another_list", index, values=values)
            elif text.message_type not in lines.message_types.listed:
                yield Finding(rule, block, block.severity, "type_not_listed", index, values=values)
        elif rule.fact == "order_completed_on" and text.order_completed_on is not None:
            days = ((text.sent_on or as_of) - text.order_completed_on).days
            if block.bar.limit is not None and days > block.bar.limit:
                values = {"days": days, "limit": block.bar.limit}
                yield Finding(rule, block, block.severity, "sent_too_late", index, values=values)


# Texts

# Where something is found in a plain text, why, and whether it is doubtful.
Span = tuple[int, int, str, bool]


def _in_text(
    lines: RedLines,
    rules: Sequence[tuple[Rule, Block]],
    index: int,
    text: Text,
    plain: PlainText,
    declared: Declared,
    marketplace: str,
) -> list[Finding]:
    found: list[tuple[Rule, Block, list[Span]]] = []
    shields: dict[Shield, list[tuple[int, int]]] = {}
    search = Search(plain, lines.uncut)
    for rule, block in rules:
        if not rule.concerns(text):
            continue
        spans: list[Span] = []
        for pattern in rule.patterns:
            if text.kind in pattern.kinds and marketplace in pattern.marketplaces:
                spans += [(start, end, pattern.reason, False) for start, end in search.matches(pattern)]
        if rule.fact == IN_TEXTS:
            spans += _trademarks(lines.folding, plain, declared.third_party_trademarks or ())
        if not spans:
            continue
        for shield in lines.shields:
            if rule.id in shield.rules:
                if shield not in shields:
                    shields[shield] = shield.spans(plain.text)
                kept = _outside(spans, shields[shield])
                if shield.doubtful:
                    clear = set(kept)
                    kept = [span if span in clear else (*span[:3], True) for span in spans]
                spans = kept
        found.append((rule, block, _merge(spans)))
    by_rule = {rule.id: [(start, end) for start, end, *_ in spans] for rule, _, spans in found}
    findings = []
    for rule, block, spans in found:
        stronger = _merge([(*span, "", False) for other in rule.yields_to for span in by_rule.get(other, ())])
        for start, end, reason, doubtful in _outside(spans, [(first, last) for first, last, *_ in stronger]):
            severity = DOUBTFUL if doubtful else block.severity
            first, last = plain.span(start, end)
            findings.append(Finding(rule, block, severity, reason, index, first, last))
    return findings


class Search:
    """Searches one plain text. What an expression finds is kept: several patterns share the same lists of words.

    Chinese has no blanks between words: what begins or ends inside of one of `uncut` is none, such as 包邮 in 面包邮票.
    """

    def __init__(self, plain: PlainText, uncut: re.Pattern[str] | None = None) -> None:
        self.plain = plain
        self._readings = (plain.text,) if plain.words == plain.text else (plain.text, plain.words)
        self._languages = {language for language, letter in LETTERS.items() if letter.search(plain.text)}
        self._found: dict[tuple[str, tuple[Part, ...]], tuple[list[int], list[int]]] = {}
        self._inside = {
            place
            for match in (uncut.finditer(plain.text) if uncut and "zh" in self._languages else ())
            for place in range(match.start() + 1, match.end())
        }

    def matches(self, pattern: Pattern) -> Iterator[tuple[int, int]]:
        """Find where a pattern matches, in plain positions. Wording is also sought where signs stand for letters."""
        if pattern.languages and self._languages.isdisjoint(pattern.languages):
            return
        for text in self._readings if pattern.languages else (self.plain.text,):
            if pattern.whole:
                match = pattern.parts[0][0].regex.fullmatch(text)
                if match and text:
                    yield match.span()
            elif len(pattern.parts) > 1:
                yield from self._together(pattern, text)
            else:
                for match in _alone(pattern, text):
                    if self._whole(match):
                        yield match.span()

    def _spans(self, part: tuple[Part, ...], text: str) -> tuple[list[int], list[int]]:
        """Find all matches of a part: where they start, in order, and where they end."""
        if (text, part) not in self._found:
            if len(part) == 1:
                spans = [match.span() for match in part[0].find(text) if self._whole(match)]
            else:
                spans = sorted({span for one in part for span in zip(*self._spans((one,), text), strict=True)})
            self._found[text, part] = [start for start, _ in spans], [end for _, end in spans]
        return self._found[text, part]

    def _whole(self, match: re.Match[str]) -> bool:
        """Say whether a match begins and ends where words do."""
        return not self._inside or self._inside.isdisjoint(match.span())

    def _together(self, pattern: Pattern, text: str) -> Iterator[tuple[int, int]]:
        """Find the first part with one match of each other part near it."""
        for part in sorted(pattern.parts, key=lambda one: (text, one) not in self._found):  # what is known is free
            if not self._spans(part, text)[0]:
                return
        firsts, *others = (self._spans(part, text) for part in pattern.parts)
        near = self._behind if pattern.in_order else self._around
        for start, end in zip(*firsts, strict=True):
            for span in near(pattern, start, end, others):
                low, high = self._sentences(*span)
                low, high = max(low, span[0] - pattern.reach), min(high, span[1] + pattern.reach)
                if not (pattern.without and pattern.without.search(text, low, high)):
                    yield span

    def _around(
        self, pattern: Pattern, start: int, end: int, others: Sequence[tuple[list[int], list[int]]]
    ) -> set[tuple[int, int]]:
        """Take of each other part a match near the first part's: the one with fewer ends of sentences in between.

        Where those before and behind it have as many, each of them counts, so that neither hides the other.
        """
        sentence = self.plain.sentence(start)
        earlier, later = (start, end), (start, end)
        for starts, ends in others:
            at = bisect_left(starts, start)
            candidates = []
            for one, two in zip(starts[max(at - 1, 0) : at + 1], ends[max(at - 1, 0) : at + 1], strict=True):
                between = abs(self.plain.sentence(one) - sentence)
                if max(one - end, start - two) <= pattern.reach and between <= pattern.across:
                    candidates.append((between, one, two))
            if not candidates:
                return set()
            fewest = min(candidates)[0]
            nearest = [one for one in candidates if one[0] == fewest]
            earlier = min(earlier[0], nearest[0][1]), max(earlier[1], nearest[0][2])
            later = min(later[0], nearest[-1][1]), max(later[1], nearest[-1][2])
        return {earlier, later}

    def _behind(
        self, pattern: Pattern, start: int, end: int, others: Sequence[tuple[list[int], list[int]]]
    ) -> set[tuple[int, int]]:
        """Take of each other part the first match behind that of the part before it."""
        sentence, last = self.plain.sentence(start), end
        for starts, ends in others:
            at = bisect_left(starts, last)
            if at == len(starts) or starts[at] - last > pattern.reach:
                return set()
            if self.plain.sentence(starts[at]) - sentence > pattern.across:
                return set()
            last = ends[at]
        return {(start, last)}

    def _sentences(self, start: int, end: int) -> tuple[int, int]:
        """Give the sentences that a stretch lies in, from the beginning of the first to the end of the last."""
        breaks = self.plain.breaks
        first, last = self.plain.sentence(start), self.plain.sentence(end - 1)
        return breaks[first - 1] + 1 if first else 0, breaks[last] if last < len(breaks) else len(self.plain.text)


def _alone(pattern: Pattern, text: str) -> Iterator[re.Match[str]]:
    """Find the only part of a pattern, with what has to be so inside of it."""
    for match in pattern.parts[0][0].find(text):
        matched = match[0]
        if pattern.needs and not pattern.needs.search(matched):
            continue
        if pattern.without and pattern.without.search(matched):
            continue
        if pattern.hosts is not None and not below(match["host"], pattern.hosts):
            continue
        if pattern.not_hosts and below(match["host"], pattern.not_hosts):
            continue
        if pattern.digits and not pattern.digits[0] <= sum(map(str.isdigit, matched)) <= pattern.digits[1]:
            continue
        yield match


def below(host: str, hosts: frozenset[str]) -> bool:
    """Say whether a host is one of these or lies below one of them."""
    labels = host.strip(".").split(".")
    return any(".".join(labels[number:]) in hosts for number in range(len(labels)))


def _trademarks(folding: Folding, plain: PlainText, names: Sequence[str]) -> list[Span]:
    found: list[Span] = []
    for name in names:
        wanted = folding.plain(name).text.strip()
        start = plain.text.find(wanted) if wanted else -1
        while start >= 0:
            end = start + len(wanted)
            before, after = plain.text[start - 1 : start], plain.text[end : end + 1]
            if not (_joined(before, wanted[0]) or _joined(wanted[-1], after)):
                found.append((start, end, "trademark", False))
            start = plain.text.find(wanted, end)
    return found


def _joined(one: str, two: str) -> bool:
    """Say whether two neighbors are of one word: only scripts with blanks between words have such."""
    return bool(one and two) and all(each.isascii() and each.isalnum() for each in (one, two))


def _outside(spans: list[Span], shielded: list[tuple[int, int]]) -> list[Span]:
    """Leave out what overlaps a shielded stretch; those are in order and do not overlap each other."""
    starts = [start for start, _ in shielded]
    kept = []
    for span in spans:
        at = bisect_left(starts, span[1]) - 1
        if at < 0 or shielded[at][1] <= span[0]:
            kept.append(span)
    return kept


def _merge(spans: list[Span]) -> list[Span]:
    """Join what overlaps; the reason is that of the stretch that begins first, the longest of them.

    What is certain comes before what is doubtful: together they are doubtful only if each of them is.
    """
    merged: list[Span] = []
    for start, end, reason, doubtful in sorted(spans, key=lambda one: (one[0], -one[1])):
        if merged and start < merged[-1][1]:
            first, last, earlier, so_far = merged[-1]
            certain = so_far and not doubtful
            merged[-1] = (first, max(last, end), reason if certain else earlier, so_far and doubtful)
        else:
            merged.append((start, end, reason, doubtful))
    return merged


def _not_read(
    lines: RedLines,
    rules: Sequence[tuple[Rule, Block]],
    index: int,
    text: Text,
    plain: PlainText,
    marketplace: str,
) -> Iterator[Unchecked]:
    """Say why the wording of a text was not read for certain, where some rule looks at the wording of its kind."""
    if not any(
        pattern.languages and text.kind in pattern.kinds and marketplace in pattern.marketplaces
        for rule, _ in rules
        for pattern in rule.patterns
    ):
        return
    if text.language is not None and text.language not in lines.languages:
        yield Unchecked("language_not_covered", text_index=index)
    elif other_script(text.text):
        yield Unchecked("script_not_covered", text_index=index)
    elif text.language is None and any(map(str.isalpha, text.text)) and tell(text.text, plain.text) is None:
        yield Unchecked("language_not_told", text_index=index)


def _permission(
    lines: RedLines, index: int, text: Text, severities: set[str], *, covered: bool, read: bool
) -> Permission:
    """Say whether a text may go out. A rule that does not hold, or wording that was not read, permits nothing."""
    listed = None
    if text.message_type is not None:
        listed = text.message_type in lines.message_types.listed
    if PROHIBITED in severities:
        return Permission(index, False, "breaks_a_rule", listed)
    if severities:
        return Permission(index, None, "doubtful", listed)
    if not covered:
        return Permission(index, None, "not_covered", listed)
    if not read:
        return Permission(index, None, "not_read", listed)
    return Permission(index, True, "nothing_found", listed)
