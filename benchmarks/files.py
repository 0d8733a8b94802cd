"""Compare `advisor score` (CSV to Parquet) with DuckDB merely copying the same file to as many columns.

Both are whole processes, timed from start to end, and take turns. The columns that scoring adds are, in the copy,
copies of input columns. The files are generated, and removed.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

import accounts
import duckdb
from measure import ADVISOR, CommandFailed, ratios, run, spread, table, take_turns, verdict

SIZES = (10_000, 100_000, 1_000_000)
FULL = 10_000_000
MOST_SECONDS = 60  # for each size: a round that has begun ends, no other begins
GOAL = 3.0


def score(source: Path, target: Path) -> float:
    """Score a file; gives the seconds."""
    return run(ADVISOR, "score", str(source), "-o", str(target), "--as-of", "2026-11-22").seconds


def copy(source: Path, target: Path, columns: int) -> float:
    """Copy a file with DuckDB to so many columns; gives the seconds."""
    names = list(accounts.COLUMNS)
    more = ", ".join(f"{names[index % len(names)]} AS added_{index}" for index in range(columns - len(names)))
    query = (
        f"COPY (SELECT *, {more} FROM read_csv('{source}', header = true, all_varchar = true)) "
        f"TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
    )
    return run(sys.executable, "-c", f"import duckdb; duckdb.connect().execute({query!r})").seconds


def compare(directory: Path, rows: int, rounds: int, columns: int) -> dict[str, list[float]]:
    """Time both on a file of so many rows; the copy has to have as many columns as scoring gives."""
    source, scored, copied = directory / "accounts.csv", directory / "scored.parquet", directory / "copied.parquet"
    accounts.write(source, rows)
    sides = {"score": lambda: score(source, scored), "copy": lambda: copy(source, copied, columns)}
    found = take_turns(rounds, sides, MOST_SECONDS)
    if not shape(scored) == shape(copied) == (rows, columns):
        sys.exit(f"Not {rows} rows of {columns} columns: scored {shape(scored)}, copied {shape(copied)}.")
    for path in (source, scored, copied):
        path.unlink()
    return found


def scored_columns(directory: Path) -> int:
    """Count the columns that scoring gives, on a small file."""
    source, scored = directory / "accounts.csv", directory / "scored.parquet"
    accounts.write(source, 100)
    score(source, scored)
    return shape(scored)[1]


def shape(path: Path) -> tuple[int, int]:
    """Count the rows and columns of a Parquet file."""
    with duckdb.connect() as engine:
        return engine.read_parquet(str(path)).shape


def main() -> None:
    """Measure, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="sizes of files (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help=f"for each size, within {MOST_SECONDS} s (%(default)s)")
    parser.add_argument("--full", action="store_true", help=f"also {FULL:,} rows, minutes, and 10 GB of disk")
    given = parser.parse_args()
    sizes = [*given.rows, *([FULL] if given.full else [])]

    lines, last, measured = [], {}, 0
    with tempfile.TemporaryDirectory() as directory:
        columns = scored_columns(Path(directory))
        for rows in sizes:
            try:
                last = compare(Path(directory), rows, given.rounds, columns)
            except CommandFailed as error:
                lines.append((f"{rows:,}", "failed", "", "", ""))
                print(f"{rows:,} rows failed: {error}", file=sys.stderr, flush=True)
                continue
            measured = rows
            shares = spread(ratios(last["score"], last["copy"]))
            pace = f"{rows / median(last['score']):,.0f}"
            lines.append((f"{rows:,}", spread(last["score"]), spread(last["copy"]), shares, pace))
            print(f"{rows:,} rows are done.", file=sys.stderr, flush=True)
    print(f"CSV of {len(accounts.COLUMNS)} columns to Parquet of {columns}; median (range) of seconds")
    table(("rows", "advisor score", "DuckDB copy", "ratio", "accounts a second"), lines)
    if not measured:
        sys.exit("Nothing could be measured.")
    verdict(f"{measured:,} rows, score / copy", median(ratios(last["score"], last["copy"])), GOAL, at_most=True)


if __name__ == "__main__":
    main()
