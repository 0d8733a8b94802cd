"""The benchmarks still run; what they measure is no test."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = ("api.py", "files.py", "memory.py", "startup.py")


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=BENCHMARKS.parent, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_says_what_it_measures(script: str) -> None:
    assert "--rounds" in run(f"benchmarks/{script}", "--help")


def test_files_are_compared_and_the_last_line_is_the_ratio() -> None:
    lines = run("benchmarks/files.py", "--rows", "2000", "--rounds", "1").splitlines()
    assert lines[-1].startswith("2,000 rows, score / copy: ")
    assert "the goal is at most 3" in lines[-1]
