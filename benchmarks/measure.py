"""What the benchmarks share: rounds that take turns, medians, tables, and programs run as whole processes."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADVISOR = str(Path(sys.executable).with_name("advisor"))


class CommandFailed(Exception):
    """A measured program ended with an error; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a process took: wall time in seconds, and its peak resident memory in MiB."""

    seconds: float
    peak: float


def run(*command: str) -> Run:
    """Run a program to its end; raises CommandFailed with what it said if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise CommandFailed(said.decode(errors="replace").strip() or f"exit code {process.returncode}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Run(seconds, usage.ru_maxrss / unit)


def take_turns(
    rounds: int, sides: Mapping[str, Callable[[], float]], most_seconds: float = 120
) -> dict[str, list[float]]:
    """Measure each side once a round, A B A B ..., so that a noisy neighbour disturbs all of them alike.

    Once so many seconds have gone by, no further round begins.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    started = time.perf_counter()
    for number in range(rounds):
        if number and time.perf_counter() - started > most_seconds:
            break
        for name, measure in sides.items():
            found[name].append(measure())
    return found


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Write a median with the lowest and the highest value."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Divide round by round."""
    return [one / other for one, other in zip(above, below, strict=True)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    for row in (header, *rows):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells[1:]]), flush=True)


def verdict(what: str, value: float, goal: float, at_most: bool, unit: str = "") -> None:
    """Print the last line: a figure against its goal."""
    met = value <= goal if at_most else value >= goal
    bound = "at most" if at_most else "at least"
    print(f"{what}: {value:.2f}{unit}; the goal is {bound} {goal:g}{unit}: {'met' if met else 'missed'}.", flush=True)
