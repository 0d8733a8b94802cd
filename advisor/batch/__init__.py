"""Score files of accounts: rows become columns once, one expression judges them, and nothing is lost on the way.

reading      a file in any accepted format -> clean rows, and the rows that could not be read
layout       the header -> what each column means
expression   columns -> checked values -> findings, verdict, score and fees as columns (Ibis)
parts        the same for parts of a file as files of their own, which are joined at the end
scoring      runs it on a locked-down DuckDB, and writes results and rejects whole or not at all
"""

FORMATS = ("csv", "ndjson", "parquet")
# What a file is, by the end of its name.
EXTENSIONS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".pq": "parquet"}
# Files of spreadsheets, which nobody reads here.
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")

# How the files are named that come of scoring in parts, and of joining them.
REJECTS = "rejects.csv"


def scored_name(target_format: str) -> str:
    """Name the file of results of a format."""
    return f"scored.{target_format}"


# A text that begins so is taken for a formula by spreadsheets.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
