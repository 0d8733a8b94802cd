"""The disk: how much room is left, and what is really on it."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from advisor.errors import Sentence, say

MIB = 2**20


def free(place: Path) -> int:
    """Count the free bytes where a file or directory is, or would be made. Raises OSError."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def lack(place: Path, floor: int) -> Sentence | None:
    """Say that less than `floor` bytes are free there; None while there is room."""
    try:
        left = free(place.absolute())
    except OSError as error:
        return say("The free space at {place} cannot be told: {reason}.", place=str(place), reason=error.strerror)
    if left >= floor:
        return None
    return say(
        "Only {left} MiB are free at {place}, and ADVISOR_FREE_SPACE wants {wanted}. Make room.",
        left=left // MIB,
        place=str(place),
        wanted=-(-floor // MIB),
    )


def make_private(folder: Path) -> None:
    """Make a directory that only its owner may enter, with those above it that are missing; leave what is there."""
    for one in (*reversed(folder.parents), folder):
        one.mkdir(mode=0o700, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make an empty file that only its owner may read, unless there is one. Raises OSError."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def sync(place: Path) -> None:
    """Bring a file, or the names in a directory, to the disk: what is written before may still be in memory alone."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
