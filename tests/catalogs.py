"""Bring the message catalogs up to date: `make messages`.

Collects every sentence that people are shown: those in `advisor/messages.py`, in `say("...")` of code and templates,
and the texts in `data/`. Each catalog then gets what is new, untranslated, and loses what nobody says any more. What
has to be translated is printed; a test fails until it is.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from advisor.catalog import default_data_dir
from advisor.messages import CATALOG, TRANSLATIONS

PACKAGE = TRANSLATIONS.parent
# The keys of a data file whose texts are shown. A metric's note is for whoever edits the file.
SHOWN = {"label", "title", "summary", "text", "why", "consequence", "counts", "of", "unit", "note"}
NOT_SHOWN = {("metrics.toml", "note")}


def said_in_data(data: Path) -> Iterator[tuple[str, str]]:
    """Give every text of the rule data that is shown, with the file it stands in."""
    for path in sorted(data.rglob("*.toml")):
        name = path.relative_to(data).as_posix()
        if not name.startswith(("sources/", "samples/")):
            yield from ((text, f"data/{name}") for text in _texts(name, tomllib.loads(path.read_text("utf-8"))))


def _texts(file: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _texts(file, one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key in SHOWN and isinstance(one, str):
                if (file, key) not in NOT_SHOWN:
                    yield one
            else:
                yield from _texts(file, one)


def said_in_code(package: Path) -> Iterator[tuple[str, str]]:
    """Give every message of the package: of `say(...)`, and the texts that `advisor/messages.py` lists."""
    for path in sorted(package.rglob("*.py")):
        name = f"advisor/{path.relative_to(package).as_posix()}"
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) == "say" and node.args:
                if isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value), name
                elif path.name != "messages.py" and not _is_variable(node.args[0]):
                    sys.exit(f"{name}:{node.lineno}: say() takes a message as it is written, or a variable.")
    for node in ast.parse((package / "messages.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and str(getattr(node.targets[0], "id", "")).isupper():
            values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
            for value in values:
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and _is_text(node):
                    yield value.value, "advisor/messages.py"


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_variable(node: ast.expr) -> bool:
    return not isinstance(node, (ast.JoinedStr, ast.BinOp))


def _is_text(node: ast.Assign) -> bool:
    """Tell the lists of sentences, and single ones, from names of files and locales."""
    return isinstance(node.value, ast.Dict) or node.targets[0].id == "TREND_METHOD"  # type: ignore[attr-defined]


def said_in_templates(package: Path) -> Iterator[tuple[str, str]]:
    """Give every message of the templates."""
    for path in sorted((package / "web" / "templates").rglob("*.*")):
        name = f"advisor/{path.relative_to(package).as_posix()}"
        found = babel_extract(BytesIO(path.read_bytes()), ["say"], [], {"silent": "false", "encoding": "utf-8"})
        for _, _, said, _ in found:
            message = said[0] if isinstance(said, tuple) else said
            if message is not None:  # else it is a variable: a message that stands elsewhere
                yield str(message), name


def template() -> Catalog:
    """Collect every message, with the files that say it."""
    whole = Catalog(project="Seller Program Advisor", charset="utf-8")
    for said in (said_in_code(PACKAGE), said_in_templates(PACKAGE), said_in_data(default_data_dir())):
        for message, file in said:
            known = whole.get(message)
            if known is None:
                whole.add(message, locations=[(file, None)], flags=("python-brace-format",) if "{" in message else ())
            elif (file, None) not in known.locations:
                known.locations.append((file, None))
    return whole


def read(path: Path) -> Catalog:
    """Read a catalog."""
    with path.open("rb") as source:
        return read_po(source, locale=path.parent.parent.name)


def write(path: Path, catalog: Catalog) -> None:
    """Write a catalog, in the order in which messages are collected."""
    catalog.revision_date = catalog.creation_date = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    catalog.header_comment = f"# The sentences of the advisor: {catalog.locale and catalog.locale.english_name}."
    catalog.last_translator, catalog.language_team = "", ""
    catalog.msgid_bugs_address, catalog.fuzzy = "", False
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        write_po(out, catalog, width=120, ignore_obsolete=True)


def main() -> None:
    """Update every catalog; a language named on the command line gets one. Says what is to be translated."""
    wanted = template()
    paths = {path.parent.parent.name: path for path in TRANSLATIONS.glob(f"*/{CATALOG}")}
    paths |= {name: TRANSLATIONS / name / CATALOG for name in sys.argv[1:]}
    for name, path in sorted(paths.items()):
        catalog = read(path) if path.exists() else Catalog(locale=name, project=wanted.project, charset="utf-8")
        catalog.update(wanted, no_fuzzy_matching=True, update_creation_date=False)
        write(path, catalog)
        todo = [one for one in catalog if one.id and not one.string]
        print(f"{name}: {len(catalog)} messages, {len(todo)} of them to be translated in {path}")
        for one in todo:
            print(f"  {one.id!r}")


if __name__ == "__main__":
    main()
