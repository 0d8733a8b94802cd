"""The disk: how much room is left, and what is really on it."""

import os
import shutil
from pathlib import Path

MIB = 2**20


def free(place: Path) -> int:
    """Count the free bytes where a file or directory is, or would be made. Raises OSError."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def lack(place: Path, floor: int) -> str | None:
    """Say that less than `floor` bytes are free there; None while there is room."""
    try:
        left = free(place.absolute())
    except OSError as error:
        return f"The free space at {place} cannot be told: {error.strerror}."
    if left >= floor:
        return None
    return f"Only {left // MIB} MiB are free at {place}, and ADVISOR_FREE_SPACE wants {-(-floor // MIB)}. Make room."


def sync(place: Path) -> None:
    """Bring a file, or the names in a directory, to the disk: what is written before may still be in memory alone."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
