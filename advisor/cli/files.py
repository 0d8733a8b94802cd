"""Take a file through from the command line: what the options mean, the progress, and the closing sentence."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from advisor.batch import EXTENSIONS, WORKBOOKS
from advisor.batch.running import Job, Kind, Progress, Result, Silent, Terms, run_file
from advisor.errors import InvalidInput, Problem
from advisor.inputs.parameters import once, read_constants, read_named
from advisor.inputs.values import read_day, read_marketplace
from advisor.services.calculations import today


def format_of(path: str, given: str | None, option: str, otherwise: str | None = None) -> str:
    """Tell a file's format by its option or its extension; raises InvalidInput where neither says."""
    found = given or EXTENSIONS.get(Path(path).suffix.lower()) or otherwise
    if found is None and Path(path).suffix.lower() in WORKBOOKS:
        detail = f"{path} is a workbook. Save the sheet as “CSV UTF-8” and take that file."
        raise InvalidInput([Problem(option, "not_allowed", detail)])
    if found is None:
        detail = f"The format of {path} cannot be told by its name. Give {option} csv, ndjson or parquet."
        raise InvalidInput([Problem(option, "not_allowed", detail)])
    return found


def job(source: str, source_format: str | None, target: str, target_format: str | None, rejects: str | None) -> Job:
    """Read the options that name files; raises InvalidInput where a format cannot be told."""
    read = format_of(source, source_format, "--format")
    return Job(
        source=None if source == "-" else Path(source),
        source_format=read,
        target=None if target == "-" else Path(target),
        target_format=format_of(target, target_format, "--output-format", read if target == "-" else None),
        rejects=None if rejects is None else Path(rejects),
    )


def terms(marketplace: str | None, as_of: str | None, constants: Sequence[str]) -> Terms:
    """Read the options that hold for all rows; raises InvalidInput with every one that cannot be used."""
    given = {"marketplace": marketplace, "as-of": as_of}
    options = {name: [value] for name, value in given.items() if value is not None}
    readers = {"marketplace": once(read_marketplace), "as-of": once(read_day), "set": read_constants}
    found = read_named({**options, "set": constants}, readers, "--{}")
    return Terms(found.get("as-of") or today(), found.get("marketplace"), found["set"])


def run(wanted: Job, kind: Kind) -> Result:
    """Take the file through, with progress on standard error where that is a terminal."""
    with _tidy_when_stopped() as stop, _progress(wanted.source, kind, stop) as progress:
        return run_file(wanted, kind, progress)


class _Stop:
    """Whether somebody said to stop. The interrupt itself can get lost inside a library that was called just then."""

    def __init__(self) -> None:
        self.told = False

    def take(self, number: int, frame: FrameType | None) -> None:
        """Take a signal: remember it, and interrupt what is going on."""
        self.told = True
        signal.default_int_handler(number, frame)


@contextmanager
def _tidy_when_stopped() -> Iterator[_Stop]:
    """Take SIGTERM like Ctrl-C, so that temporary files are removed then too."""
    stop = _Stop()
    before = {number: signal.signal(number, stop.take) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Quiet(Silent):
    """Shows nothing, and ends the work between two steps if somebody said to stop."""

    def __init__(self, stop: _Stop) -> None:
        self.stop = stop

    def check(self) -> None:
        """Raise KeyboardInterrupt if one was told and got lost."""
        if self.stop.told:
            raise KeyboardInterrupt


class _Bars(_Quiet):
    """Two bars: bytes read, and rows scored."""

    def __init__(self, stop: _Stop, bars: "object", reading: int, scoring: int) -> None:
        super().__init__(stop)
        self.bars = bars
        self.tasks = (reading, scoring)

    def reading(self, size: int) -> None:
        """Move the first bar."""
        self.bars.advance(self.tasks[0], size)  # type: ignore[attr-defined]

    def scoring(self, share: float) -> None:
        """Move the second bar."""
        self.bars.update(self.tasks[1], completed=share * 100)  # type: ignore[attr-defined]


@contextmanager
def _progress(source: Path | None, kind: Kind, stop: _Stop) -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield _Quiet(stop)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(file=sys.stderr)) as bars:
        size = source.stat().st_size if source is not None and source.is_file() else None
        yield _Bars(stop, bars, bars.add_task("Reading", total=size), bars.add_task(kind.doing, total=100))


def closing_sentence(result: Result, kind: Kind, seconds: float) -> str:
    """Say how the run went."""
    lines = [f"{result.scored} of {result.rows} {kind.rows_name} {kind.done} in {seconds:.1f} s."]
    if result.rejected:
        where = f"; {result.rejects} says why" if result.rejects else ""
        lines.append(f"{result.rejected} {'was' if result.rejected == 1 else 'were'} rejected{where}.")
    if result.passed_through:
        names = [
            f"{name} (did you mean {result.near[name]}?)" if name in result.near else name
            for name in result.passed_through
        ]
        lines.append(f"Passed through without a meaning here: {', '.join(names)}.")
    if result.unused:
        lines.append(f"Not read by {kind.reader}: {', '.join(result.unused)}.")
    return " ".join(lines)
