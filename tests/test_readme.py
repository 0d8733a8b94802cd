"""The examples of the README and of docs/ are real: every ```console block is run, and prints what stands there."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ADDRESS = ("127.0.0.1", 8000)
DOCUMENTS = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
ANY_LINES = ("...", "…")
# What another shell, or the `make test ARGS=...` that runs this, has set and a newcomer has not.
NOT_A_NEWCOMERS = {"COLUMNS", "FORCE_COLOR", "HOST", "PORT", "ARGS", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS"}


def examples(text: str) -> list[tuple[str, list[str]]]:
    """Find the commands, with the lines printed under each. A command that ends in \\ goes on in the next line."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^( *)```console\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        for line in textwrap.dedent(block[1]).splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found and found[-1][0].endswith("\\") and not found[-1][1]:
                found[-1] = (f"{found[-1][0]}\n{line}", [])
            else:
                found[-1][1].append(line.rstrip())
    return found


def agrees(printed: str, expected: list[str]) -> bool:
    """Compare what was printed with the lines of a document.

    A line ... stands for any lines, and ... within a line for any part of it.
    """
    while expected and not expected[-1]:
        expected = expected[:-1]
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() in ANY_LINES else re.escape(line).replace(r"\.\.\.", ".*") + r" *\n"
        for line in expected
    )
    lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines()).rstrip("\n")
    return re.fullmatch(pattern, f"{lines}\n" if lines else "") is not None


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the project, set up as `make` sets it up, with this environment in place of a new one."""
    place = tmp_path / "checkout"
    left = shutil.ignore_patterns(".*", "__pycache__", "var", "dist", "*.egg-info")
    shutil.copytree(ROOT, place, ignore=left)
    (place / ".venv").mkdir()
    (place / ".venv" / "bin").symlink_to(Path(sys.executable).parent, target_is_directory=True)
    for stamp in ("created", "serve", "test"):
        (place / ".venv" / f"{stamp}.stamp").touch()
    return place


@contextmanager
def serving(command: str, expected: list[str], place: Path, env: dict[str, str]) -> Iterator[None]:
    """Run a command that serves in the background until the block ends."""
    log = place.parent / "served.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=place, env=env, stdout=out, stderr=subprocess.DEVNULL, start_new_session=True
        )
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://{ADDRESS[0]}:{ADDRESS[1]}/readyz", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, f"{command!r} ended: {log.read_text()}"
                time.sleep(0.1)
        assert agrees(log.read_text(), expected), log.read_text()
        yield
    finally:
        with suppress(ProcessLookupError):  # it ended by itself, which is said above
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def test_the_readme_shows_a_result_within_thirty_lines() -> None:
    text = (ROOT / "README.md").read_text()
    found = examples("\n".join(text.splitlines()[:30]) + "\n")
    assert [command.split()[0] for command, printed in found if printed] == ["make", "curl"], "no ```console block"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_examples_of_a_document(document: str, checkout: Path) -> None:
    found = examples((ROOT / document).read_text())
    if shutil.which("curl") is None and any("curl " in command for command, _ in found):
        pytest.skip("curl is not installed, which the examples call the API with")
    with socket.socket() as probe:
        if any(command == "make serve" for command, _ in found) and probe.connect_ex(ADDRESS) == 0:
            pytest.skip(f"something else listens on port {ADDRESS[1]}, which the examples use")
    env = {name: value for name, value in os.environ.items() if name not in NOT_A_NEWCOMERS}
    with ExitStack() as servers:
        for command, expected in found:
            if command == "make serve":
                servers.enter_context(serving(command, expected, checkout, env))
                continue
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=checkout,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
            )
            assert agrees(done.stdout, expected), f"$ {command}\n{done.stdout}"


def test_examples_are_found_with_what_they_print() -> None:
    text = "x\n```console\n$ a\n1\n\n2\n$ b \\\n   c\n```\n```sh\n$ d\n```\n- y\n  ```console\n  $ e\n    z\n  ```\n"
    assert examples(text) == [("a", ["1", "", "2"]), ("b \\\n   c", []), ("e", ["  z"])]


@pytest.mark.parametrize(
    ("printed", "expected", "alike"),
    [
        ("a\nb\n", ["a", "b"], True),
        ("a  \nb\n\n", ["a", "b", ""], True),
        ("a\nb\n", ["a"], False),
        ("a\n", ["a", "b"], False),
        ("a\nx\ny\nb\n", ["a", "...", "b"], True),
        ("a\nb\n", ["a", "...", "b"], True),
        ("a\nx\n", ["...", "b"], False),
        ("", [], True),
        ("a\n", [], False),
        ("a.c\n", ["abc"], False),
        ("abc\n", ["a.c"], False),
        ("abcde\n", ["a...e"], True),
        ("ab\nde\n", ["a...e"], False),
    ],
)
def test_what_is_printed_is_compared(printed: str, expected: list[str], alike: bool) -> None:
    assert agrees(printed, expected) is alike
