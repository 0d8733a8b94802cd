"""The domain is pure: it knows the standard library and `advisor.errors`, and it has no floats."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import advisor.domain

DOMAIN = Path(advisor.domain.__file__).parent
MODULES = sorted(path.stem for path in DOMAIN.glob("*.py"))
FILES = [*sorted(DOMAIN.glob("*.py")), DOMAIN.parent / "errors.py"]

# What the standard library has for files, networks, clocks, floats, logs and sentences: a judgement needs none of it.
IMPURE = {
    "asyncio", "csv", "gettext", "json", "locale", "logging", "multiprocessing", "random", "requests", "shutil",
    "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "tomllib", "urllib.request",
}  # fmt: skip


def loaded_by(*names: str) -> set[str]:
    """Import modules in a fresh process, and list what that loads beyond a bare start."""
    code = (
        "import sys, json; before = set(sys.modules); "
        f"[__import__(name) for name in {names!r}]; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    # -S leaves out what site packages load at every start.
    path = str(DOMAIN.parent.parent)
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {path!r}); {code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stdout))


def imported_by(path: Path) -> set[str]:
    """List what a file imports, as written."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_of_the_domain_loads_the_standard_library_and_itself_only(module: str) -> None:
    name = "advisor.domain" if module == "__init__" else f"advisor.domain.{module}"
    loaded = loaded_by(name)
    assert name in loaded
    ours = {one for one in loaded if one.split(".")[0] == "advisor"}
    assert all(one == "advisor" or one.startswith(("advisor.domain", "advisor.errors")) for one in ours), ours
    others = {one.split(".")[0] for one in loaded - ours}
    assert others <= sys.stdlib_module_names, others - sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_of_the_domain_imports_nothing_impure(path: Path) -> None:
    imported = imported_by(path)
    assert not imported & IMPURE
    for name in imported:
        assert name.split(".")[0] in sys.stdlib_module_names or name.startswith(("advisor.domain", "advisor.errors")), (
            name
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_domain_has_no_floats(path: Path) -> None:
    """No float is written, asked for, or made by a true division of numbers."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float | complex)), where
        assert not (isinstance(node, ast.Name) and node.id in ("float", "round", "complex")), where
        assert not (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)), where


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_domain_reads_no_clock_file_or_environment(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        assert not (isinstance(node, ast.Attribute) and node.attr in ("today", "now", "utcnow", "environ", "getenv")), (
            where
        )
        assert not (isinstance(node, ast.Name) and node.id in ("open", "print", "input", "eval", "exec")), where


def test_the_package_itself_is_a_docstring() -> None:
    tree = ast.parse((DOMAIN.parent / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) and len(tree.body) == 1
