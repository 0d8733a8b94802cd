"""Make the fields of a form out of the schema of the request that they fill: what the schema has more is asked too."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from marshmallow import Schema
from marshmallow.fields import Field as SchemaField
from marshmallow.fields import List, Nested

from advisor.errors import Sentence, say
from advisor.inputs.red_lines import Amount, Code
from advisor.inputs.values import Count, Day, Flag, LongText, Money, Rate, Text, Word
from advisor.web.pages.entries import Rows
from advisor.web.pages.plain import NOT_KNOWN, Field, Group

# What each type of the schema is read as, and a list of them.
KINDS: tuple[tuple[type[SchemaField[object]], str, str], ...] = (
    (Count, "count", ""),
    (Flag, "yes_no", ""),
    (Day, "day", "days"),
    (Amount, "amount", ""),
    (Money, "amount", ""),
    (Rate, "percent", ""),
    (Word, "choice", "words"),
    (LongText, "long", ""),
    (Text, "name", "lines"),
    (Code, "code", "lines"),
)


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said of the values of a schema, by name; of a value within an entry of a list, by `{list}.{name}`.

    `choices` names the words of a value, `rows` says for a list what an entry is called, and its two buttons.
    """

    labels: Mapping[str, Sentence]
    hints: Mapping[str, Sentence] = field(default_factory=dict)
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rows: Mapping[str, tuple[Sentence, Sentence, Sentence]] = field(default_factory=dict)


def ask(schema: type[Schema], name: str, pointer: str, wording: Wording) -> Group:
    """Ask for a value of a schema that stands at a pointer: one field, or rows of them for a list of objects."""
    value = schema().fields[name]
    if not (isinstance(value, List) and isinstance(value.inner, Nested)):
        return Group(None, (_field(value, name, name, pointer, wording),), in_rows=False)
    parts = value.inner.schema.fields
    rows = Rows(name, next(iter(parts)), *wording.rows[name])
    fields = tuple(_field(one, part, f"{name}.{part}", f"/{part}", wording) for part, one in parts.items())
    return Group(None, fields, rows=rows, pointer=pointer)


def _field(value: SchemaField[object], name: str, key: str, pointer: str, wording: Wording) -> Field:
    several = isinstance(value, List)
    inner = value.inner if isinstance(value, List) else value
    single, listed = next((one, many) for kind, one, many in KINDS if isinstance(inner, kind))
    choices: tuple[tuple[str, str], ...] = ()
    if isinstance(inner, Word):
        choices = tuple((word, wording.choices[key][word]) for word in inner.choices)
    needed = empty = None
    if "." in key and value.required:
        needed = say("A row needs this: fill it in, or leave the whole row empty.")
    if choices and not several:
        empty = say("Choose") if value.required else NOT_KNOWN
    return Field(
        name,
        listed if several else single,
        wording.labels[key],
        pointer,
        hint=wording.hints.get(key),
        choices=choices,
        needed=needed,
        empty=empty,
    )
