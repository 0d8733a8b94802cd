"""Make bodies of requests out of rows: the columns are found in the schema of the request.

What a request takes, a file takes: a value in the column of its name, the entries of a list in columns with a number
(bullet_point_1), the fields of an object in columns that begin with its name (main_image_format), as do those of an
object of any names (attribute_brand). Observations, and the fields of what is sold, stand in columns as files of
accounts have them. A list or an object may also stand whole in the column of its name, as JSON. The request is then
read as any other: nothing is judged here.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from marshmallow import Schema, ValidationError, fields

from advisor import strict_json
from advisor.batch.header import BLANK, NO_MARKETPLACE, Cell, near, no_column, none_of, read_header
from advisor.batch.layout import observation_names
from advisor.domain.program import Vocabulary
from advisor.errors import InvalidInput, Problem, UnreadableInput, say
from advisor.inputs.bodies import flatten

# The cells of a row by their columns. None is a cell that is not there.
Cells = Mapping[int, str | None]

WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)
PERCENTAGE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%", re.ASCII)
NUMBERED = r"_([1-9][0-9]{0,3})(?![0-9])"
FLAGS = {"true": True, "yes": True, "false": False, "no": False}


class Reading(NamedTuple):
    """How cells are read: whether decimals may have a comma, and whether an empty cell differs from none."""

    decimal_comma: bool = False
    nulls: bool = False


class Node(ABC):
    """A part of a body: `key` is its name in the request, and `name` that of its column."""

    def __init__(self, key: str, name: str) -> None:
        self.key = key
        self.name = name
        self.cell: Cell | None = None

    def claim(self, cell: Cell) -> "Node | None":
        """Take a cell that holds all of this part."""
        if self.cell is not None:
            return None
        self.cell = cell
        return self

    def claim_part(self, name: str, cell: Cell) -> "Node | None":
        """Take a cell that holds some of this part, if its name says so; gives the part that it is all of."""
        return None

    @property
    def names(self) -> Iterator[str]:
        """The names that columns of this part have; of those with a number the first."""
        yield self.name

    @property
    def found(self) -> bool:
        """Whether a column holds it, or some of it."""
        return self.cell is not None

    @property
    def example(self) -> str:
        """A name that a column of it may have."""
        return self.name

    @abstractmethod
    def value(self, cells: Cells, how: Reading) -> Any:
        """Make this part of a row; None where nothing is given. Raises InvalidInput."""

    def column(self, path: Sequence[str], cells: Cells, how: Reading) -> str:
        """Name the column that a place within this part comes from."""
        return "/".join([self.cell.name if self.cell else self.name, *path])


class One(Node):
    """A single value."""

    def __init__(self, key: str, name: str, field: fields.Field[Any]) -> None:
        super().__init__(key, name)
        self.field = field
        self.verbatim = _takes_empty(field)
        self.read = _reader(field)

    def value(self, cells: Cells, how: Reading) -> Any:
        text = _text(self.cell, cells)
        if text is None:
            return None
        bare = text.strip()
        if self.verbatim:
            return None if not how.nulls and bare in BLANK and bare else text
        return None if bare in BLANK else self.read(bare, how)


class Compound(Node):
    """A part that stands whole in one column, as JSON, or in several."""

    def value(self, cells: Cells, how: Reading) -> Any:
        parts, whole = self.parts(cells, how), self.whole(cells)
        if whole is None or self.cell is None:
            return parts
        if parts and any(parts.values() if isinstance(parts, dict) else parts):
            detail = say(
                "This stands twice in the row: whole, and in columns of its parts. Leave one of the two empty."
            )
            raise InvalidInput([Problem(self.cell.name, "one_of_two", detail)])
        return whole

    def whole(self, cells: Cells) -> Any:
        """Read the JSON in the column of all; None without any. Raises InvalidInput."""
        text = _text(self.cell, cells)
        if self.cell is None or text is None or text.strip() in BLANK:
            return None
        try:
            return strict_json.loads(text.encode())
        except UnreadableInput as error:
            detail = error.detail
            if error.code == "not_json":
                detail = say("This is not JSON. Write it as JSON, or in columns such as {column}.", column=self.example)
            raise InvalidInput([Problem(self.cell.name, error.code, detail)]) from None
        except InvalidInput as error:
            place = self.cell.name
            raise InvalidInput([Problem(place, one.code, one.detail) for one in error.problems[:1]]) from None

    @property
    def example(self) -> str:
        """A name that a column of some of it may have."""
        return [*self.names][:2][-1]

    @abstractmethod
    def parts(self, cells: Cells, how: Reading) -> Any:
        """Make it of the columns of its parts; None where nothing is given. Raises InvalidInput."""

    def column(self, path: Sequence[str], cells: Cells, how: Reading) -> str:
        if self.whole(cells) is not None:
            return super().column(path, cells, how)
        return self.part_column(path, cells, how) or "/".join([self.name, *path])

    @abstractmethod
    def part_column(self, path: Sequence[str], cells: Cells, how: Reading) -> str | None:
        """Name the column that a place within its parts comes from, where there is one."""


class Listed(Compound):
    """A list: its entries stand in columns with a number."""

    def __init__(self, key: str, name: str, field: fields.List[Any], vocabulary: Vocabulary) -> None:
        super().__init__(key, name)
        self.one = f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")
        self.make: Callable[[int], Node] = lambda number: _node("", f"{self.one}_{number}", field.inner, vocabulary)
        self.entries: dict[int, Node] = {}

    @property
    def found(self) -> bool:
        return super().found or bool(self.entries)

    @property
    def names(self) -> Iterator[str]:
        yield self.name
        yield from self.make(1).names

    def claim_part(self, name: str, cell: Cell) -> Node | None:
        match = re.match(re.escape(self.one) + NUMBERED, name, re.ASCII | re.IGNORECASE)
        if match is None:
            return None
        entry = self.entries.get(int(match[1])) or self.make(int(match[1]))
        claimed = entry.claim(cell) if match[0] == name else entry.claim_part(name, cell)
        if claimed is not None:
            self.entries[int(match[1])] = entry
        return claimed

    def kept(self, cells: Cells, how: Reading) -> list[tuple[Node, Any]]:
        """Give the entries that there are: none after the last that is filled in, and none that is unknown."""
        found = [(self.entries[number], self.entries[number].value(cells, how)) for number in sorted(self.entries)]
        given = [(entry, value) for entry, value in found if value is not None]
        while given and not given[-1][1] and isinstance(given[-1][1], str):
            del given[-1]
        return given

    def parts(self, cells: Cells, how: Reading) -> list[Any] | None:
        given = self.kept(cells, how)
        if not given and all(entry.value(cells, how) is None for entry in self.entries.values()):
            return None
        return [value for _, value in given]

    def part_column(self, path: Sequence[str], cells: Cells, how: Reading) -> str | None:
        given = self.kept(cells, how)
        if path and path[0].isdigit() and int(path[0]) < len(given):
            return given[int(path[0])][0].column(path[1:], cells, how)
        return None


class ByName(Compound):
    """An object of texts by any names: each stands in a column that ends in its name."""

    def __init__(self, key: str, name: str) -> None:
        super().__init__(key, name)
        self.prefix = f"{name.removesuffix('s')}_"
        self.cells: dict[str, Cell] = {}

    @property
    def found(self) -> bool:
        return super().found or bool(self.cells)

    @property
    def names(self) -> Iterator[str]:
        yield self.name
        yield f"{self.prefix}name"

    def claim_part(self, name: str, cell: Cell) -> Node | None:
        rest = name[len(self.prefix) :]
        if name[: len(self.prefix)].lower() != self.prefix or not rest:
            return None
        self.cells[rest] = cell
        return self

    def parts(self, cells: Cells, how: Reading) -> dict[str, str] | None:
        texts = {name: _text(cell, cells) for name, cell in self.cells.items()}
        unknown = () if how.nulls else BLANK[1:]
        found = {name: text for name, text in texts.items() if text is not None and text.strip() not in unknown}
        return found or None

    def part_column(self, path: Sequence[str], cells: Cells, how: Reading) -> str | None:
        cell = self.cells.get(path[0]) if path else None
        return cell.name if cell else None


class Observations(Compound):
    """Observations by metric: each stands in the columns of its rate, or of its count and total."""

    def __init__(self, key: str, name: str, vocabulary: Vocabulary) -> None:
        super().__init__(key, name)
        self.vocabulary = vocabulary
        self.pattern = observation_names(vocabulary)
        self.cells: dict[str, dict[tuple[str | None, str | None], dict[str, Cell]]] = {}

    @property
    def found(self) -> bool:
        return super().found or bool(self.cells)

    @property
    def names(self) -> Iterator[str]:
        yield self.name
        yield from self.vocabulary.metrics

    def claim_part(self, name: str, cell: Cell) -> Node | None:
        match = self.pattern.fullmatch(name.lower())
        if match is None:
            return None
        metric, segment, days, part = match.groups()
        counter = self.vocabulary.metrics[metric].kind == "counter"
        observation = self.cells.setdefault(metric, {}).setdefault((segment, days), {})
        observation[part or ("count" if counter else "rate")] = cell
        return self

    def parts(self, cells: Cells, how: Reading) -> dict[str, list[dict[str, Any]]] | None:
        found = {metric: [one for _, one in self.given(metric, cells, how)] for metric in self.cells}
        return {metric: several for metric, several in found.items() if several} or None

    def given(self, metric: str, cells: Cells, how: Reading) -> list[tuple[dict[str, Cell], dict[str, Any]]]:
        """Give the observations of a metric that there are, each with its columns."""
        found = []
        for (segment, days), columns in self.cells[metric].items():
            read: dict[str, Any] = {}
            for part, cell in columns.items():
                bare = (_text(cell, cells) or "").strip()
                if bare not in BLANK:
                    read[part] = _rate(bare, how) if part == "rate" else _count(bare, how)
            if read:
                window = {"window_days": int(days)} if days else {}
                found.append((columns, {**read, **window, **({"segment": segment} if segment else {})}))
        return found

    def part_column(self, path: Sequence[str], cells: Cells, how: Reading) -> str | None:
        if len(path) < 2 or path[0] not in self.cells:
            return None
        columns, _ = self.given(path[0], cells, how)[int(path[1])]
        wanted = path[2] if len(path) > 2 and path[2] in columns else next(iter(columns))
        return columns[wanted].name


class Fields(Compound):
    """An object of known fields. Those of a `bare` one have columns without its name, which may mean something else."""

    def __init__(self, key: str, name: str, nodes: Sequence[Node], required: Sequence[str], bare: bool) -> None:
        super().__init__(key, name)
        self.nodes = nodes
        self.required = required
        self.bare = bare

    @property
    def found(self) -> bool:
        return super().found or any(node.found for node in self.nodes)

    @property
    def names(self) -> Iterator[str]:
        yield self.name
        for node in self.nodes:
            yield from node.names

    def claim_part(self, name: str, cell: Cell) -> Node | None:
        for node in self.nodes:
            if node.name == name.lower():
                return node.claim(cell)
        return next(filter(None, (node.claim_part(name, cell) for node in self.nodes)), None)

    def parts(self, cells: Cells, how: Reading) -> dict[str, Any] | None:
        """Make the object, if something of it is given; of a bare one something that it has to have."""
        found = self.made(cells, how)
        return found if any(key in found for key in (self.bare and self.required) or found) else None

    def made(self, cells: Cells, how: Reading) -> dict[str, Any]:
        """Make the object of what is given. Raises InvalidInput."""
        found, problems = {}, []
        for node in self.nodes:
            try:
                found[node.key] = node.value(cells, how)
            except InvalidInput as error:
                problems += error.problems
        if problems:
            raise InvalidInput(problems)
        return {key: value for key, value in found.items() if value is not None}

    def part_column(self, path: Sequence[str], cells: Cells, how: Reading) -> str | None:
        node = next((node for node in self.nodes if path and node.key == path[0]), None)
        return None if node is None else node.column(path[1:], cells, how)


def _node(key: str, name: str, field: fields.Field[Any], vocabulary: Vocabulary, bare: Sequence[str] = ()) -> Node:
    """Say how a field of a schema stands in columns."""
    if isinstance(field, fields.List):
        return Listed(key, name, field, vocabulary)
    if isinstance(field, fields.Nested):
        return _object(key, name, field.schema, vocabulary, prefix="" if key in bare else f"{name}_")
    described: dict[str, Any] = field.json_schema()  # type: ignore[attr-defined]
    if described.get("$ref", "").endswith("/Metrics"):
        return Observations(key, name, vocabulary)
    if described.get("type") == "object":
        return ByName(key, name)
    return One(key, name, field)


def _object(
    key: str,
    name: str,
    schema: Schema,
    vocabulary: Vocabulary,
    prefix: str = "",
    without: Sequence[str] = (),
    bare: Sequence[str] = (),
) -> Fields:
    known = {each: field for each, field in schema.fields.items() if each not in without}
    nodes = [_node(each, prefix + each, field, vocabulary, bare) for each, field in known.items()]
    return Fields(key, name, nodes, [each for each, field in known.items() if field.required], bare=not prefix)


def _text(cell: Cell | None, cells: Cells) -> str | None:
    if cell is None:
        return None
    return cell.constant if cell.column is None else cells[cell.column]


def _takes_empty(field: fields.Field[Any]) -> bool:
    """Tell whether an empty text is a value of the field; then its texts are passed on as they are."""
    try:
        field.deserialize("")
    except ValidationError:
        return False
    return True


def _reader(field: fields.Field[Any]) -> Callable[[str, Reading], Any]:
    """Pick how a cell becomes the JSON value that the field takes; what it does not take, it is given as it stands."""
    described: dict[str, Any] = field.json_schema()  # type: ignore[attr-defined]
    if described.get("type") == "integer":
        return _count
    if described.get("type") == "boolean":
        return lambda text, how: FLAGS.get(text.lower(), text)
    if described.get("format") == "decimal":
        return _rate if described["maximum"] == 1 else _decimal
    return lambda text, how: text


def _count(text: str, how: Reading) -> int | str:
    return int(text) if WHOLE.fullmatch(text) else text


def _decimal(text: str, how: Reading) -> str:
    return text.replace(",", ".") if how.decimal_comma else text


def _rate(text: str, how: Reading) -> str:
    """Read a fraction, or a percentage as the fraction that it is."""
    text = _decimal(text, how)
    percentage = PERCENTAGE.fullmatch(text)
    if percentage is None:
        return text
    rate = f"{Decimal(percentage[1]).scaleb(-2):f}"
    return rate.rstrip("0").rstrip(".") if "." in rate else rate


class Bodies:
    """The columns of a file by their meaning in a request, which makes bodies of its rows.

    `schema` is that of the request. Where it has a list of what is checked, `items` is its name: a row has one entry of
    it, and the fields of the request beside. `without` are fields that files do not have, and `bare` objects whose
    fields have columns of their own names. `any_of` are fields of which a file has one at least.
    """

    def __init__(
        self,
        schema: Schema,
        items: str | None,
        vocabulary: Vocabulary,
        without: Sequence[str] = (),
        bare: Sequence[str] = (),
        any_of: Collection[str] = (),
    ) -> None:
        self.items = items
        self.any_of = any_of
        left_out = [*without, *([items] if items else ())]
        self.top = _object("", "", schema, vocabulary, without=left_out, bare=bare)
        self.item: Fields | None = None
        if items is not None:
            entry = schema.fields[items].inner  # type: ignore[attr-defined]
            self.item = _object("", "", entry.schema, vocabulary, bare=bare)
        self.objects = [one for one in (self.item, self.top) if one is not None]
        self.claimed: list[tuple[Cell, Node]] = []
        self.other: list[str] = []
        self.near: dict[str, str] = {}

    @property
    def nested(self) -> set[str]:
        """The names of columns that may hold JSON."""
        return {node.key for one in self.objects for node in one.nodes if isinstance(node, Compound)}

    @property
    def names(self) -> list[str]:
        """The names that columns may have; of those with a number the first, of those with any name one."""
        return list(dict.fromkeys(name for one in self.objects for node in one.nodes for name in node.names))

    @property
    def meaningful(self) -> list[int]:
        """The file's columns that mean something."""
        return sorted(cell.column for cell, _ in self.claimed if cell.column is not None)

    @property
    def whole(self) -> set[int]:
        """The file's columns that hold JSON."""
        found = ((cell.column, node) for cell, node in self.claimed if node.cell is cell)
        return {column for column, node in found if column is not None and isinstance(node, Compound)}

    def read(
        self, header: Sequence[str], constants: Mapping[str, str], outputs: Collection[str], marketplace: str | None
    ) -> None:
        """Find the columns, and the constants that fill missing ones. Raises InvalidInput with those to mend."""
        seen, problems = read_header(header, constants, outputs, lambda cell, _: self._take(cell))
        self._give_back(problems)
        for node in (node for one in self.objects for node in one.nodes if node.key in one.required):
            if node.cell is None and node.key != "marketplace":
                problems.append(Problem(node.key, "missing", no_column(node.key, header)))
            elif node.cell is None and marketplace is None:
                problems.append(Problem("marketplace", "missing", NO_MARKETPLACE))
        needed = [node for one in self.objects for node in one.nodes if node.key in self.any_of]
        if needed and not any(node.found for node in needed):
            problems.append(Problem("columns", "missing", none_of([node.example for node in needed], header)))
        if problems:
            raise InvalidInput(problems)
        meant = {name: near(name, self.names) for name in self.other}
        self.near = {name: one for name, one in meant.items() if one is not None and one not in seen}

    def _take(self, cell: Cell) -> bool:
        claimed = next(filter(None, (one.claim_part(cell.name, cell) for one in self.objects)), None)
        if claimed is not None:
            self.claimed.append((cell, claimed))
        elif cell.column is not None:
            self.other.append(cell.name)
        return claimed is not None

    def _give_back(self, problems: list[Problem]) -> None:
        """Leave out bare objects of which the file has no column that they have to have: the names may mean others."""
        for one in self.objects:
            for node in [node for node in one.nodes if isinstance(node, Fields) and node.bare and node.required]:
                mine = {id(each) for each in node.nodes}
                cells = [cell for cell, each in self.claimed if id(each) in mine]
                if node.cell is not None or not cells:
                    continue
                if any(each.cell is not None for each in node.nodes if each.key in node.required):
                    continue
                one.nodes = [each for each in one.nodes if each is not node]
                self.claimed = [(cell, each) for cell, each in self.claimed if cell not in cells]
                for cell in cells:
                    if not self._take(cell) and cell.column is None:
                        detail = say("No column of this name is read here, so there is nothing to set.")
                        problems.append(Problem(cell.name, "unknown_column", detail))

    def check_constants(self) -> None:
        """Refuse the constants that no row could use. Raises InvalidInput."""
        problems: list[Problem] = []
        for cell, node in self.claimed:
            if cell.column is not None:
                continue
            try:
                value = node.value({}, Reading()) if node.cell is cell else None
                if value is not None and isinstance(node, One):
                    node.field.deserialize(value)
            except InvalidInput as error:
                problems += error.problems
            except ValidationError as error:
                problems += flatten(error.messages, cell.name)
        if problems:
            raise InvalidInput(problems)

    def body(self, cells: Cells, how: Reading) -> dict[str, Any]:
        """Make the body of a row. Raises InvalidInput with the columns that cannot be read."""
        body = self.top.made(cells, how)
        if self.item is not None and self.items is not None:
            body[self.items] = [self.item.made(cells, how)]
        return body

    def column(self, pointer: str, cells: Cells, how: Reading) -> str:
        """Name the column that a place in the body of a row comes from."""
        path = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
        if self.item is not None and path[:2] == [self.items, "0"]:
            return self.item.column(path[2:], cells, how) if len(path) > 2 else ""
        return self.top.column(path, cells, how) if path else ""
