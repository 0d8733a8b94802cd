"""Measure the peak resident memory of `advisor score`, CSV to Parquet, on generated files."""

import argparse
import sys
import tempfile
from pathlib import Path

import accounts
from measure import ADVISOR, CommandFailed, run, table, verdict

SIZES = (100_000, 1_000_000)
FULL = 10_000_000
GOAL = 1024.0


def main() -> None:
    """Measure, and print the highest peak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="sizes of files (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="for each size; the highest peak counts (%(default)s)")
    parser.add_argument("--full", action="store_true", help=f"also {FULL:,} rows, minutes, and 10 GB of disk")
    given = parser.parse_args()
    lines, highest = [], 0.0
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "accounts.csv"), Path(directory, "scored.parquet")
        for rows in [*given.rows, *([FULL] if given.full else [])]:
            accounts.write(source, rows)
            rounds = 1 if rows >= FULL else given.rounds
            command = (ADVISOR, "score", str(source), "-o", str(target), "--as-of", "2026-11-22")
            size = source.stat().st_size / 2**20
            try:
                peaks = [run(*command).peak for _ in range(rounds)]
            except CommandFailed as error:
                lines.append((f"{rows:,}", f"{size:,.0f}", "failed", ""))
                print(f"{rows:,} rows failed: {error}", file=sys.stderr, flush=True)
                continue
            lines.append((f"{rows:,}", f"{size:,.0f}", f"{min(peaks):,.0f}", f"{max(peaks):,.0f}"))
            highest = max(highest, *peaks)
            print(f"{rows:,} rows are done.", file=sys.stderr, flush=True)
    table(("rows", "file in MiB", "lowest peak in MiB", "highest peak in MiB"), lines)
    if not highest:
        sys.exit("Nothing could be measured.")
    verdict("peak memory of advisor score", highest, GOAL, at_most=True, unit=" MiB")


if __name__ == "__main__":
    main()
