"""Parts of a file as files of their own: scored one by one, by whoever comes, and joined when all are there.

A part is a directory with one file of results in each format and one of rejects. It is complete before it gets its
name, and so is what is joined: whoever finds a file finds all of it.
"""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from advisor.batch import FORMATS, REJECTS, scored_name
from advisor.batch.running import PartResult, Run
from advisor.batch.writing import REJECTS_HEADER, join_parquet, join_text, write_rejects
from advisor.store.disk import sync


def score_part(run: Run, number: int, into: Path) -> PartResult:
    """Score a part into the new directory `into`, in every format; it is there whole, or not at all.

    It is written in the run's own directory, the only one that the engine may touch, on the same disk.
    """
    made = run.work / f"part-{number}"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    write = {
        one: partial(run.copy, target_format=one, path=made / scored_name(one), header=number == 0) for one in FORMATS
    }
    result = run.score(number, write)
    with (made / REJECTS).open("w", encoding="utf-8", newline="") as out:
        write_rejects(out, [REJECTS_HEADER] if number == 0 else [])
        write_rejects(out, result.rejects)
    for path in made.iterdir():
        sync(path)
    sync(made)
    made.rename(into)
    sync(into.parent)
    return result


def join(parts: Sequence[Path], into: Path, work: Path) -> None:
    """Join the parts' files, in order, into files of the same names in `into`, by way of the directory `work`."""
    for name in (*map(scored_name, FORMATS), REJECTS):
        pieces, made = [part / name for part in parts], work / name
        made.unlink(missing_ok=True)
        if name == scored_name("parquet"):
            join_parquet(pieces, made)
        else:
            join_text(pieces, made)
        sync(made)
        made.replace(into / name)
    sync(into)
