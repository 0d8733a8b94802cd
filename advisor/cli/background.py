"""Run a worker until it is told to stop."""

import os
import signal
from threading import Event, Thread
from time import sleep
from types import FrameType

import click

from advisor import logs
from advisor.batch.reading import PART_ROWS
from advisor.settings import Settings, unknown_variables
from advisor.worker import work

LOOK_SECONDS = 0.5


def run(parent: int | None, part_rows: int | None) -> None:
    """Work until SIGTERM or SIGINT, or until the parent process is gone. Raises AdvisorError."""
    for said in unknown_variables() if parent is None else ():  # a server has said it already
        click.echo(f"advisor: {said}", err=True)
    settings = Settings.from_environment()
    logs.set_up(settings.log_level)
    stop = Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    if parent is not None:
        Thread(target=_watch, args=(parent, stop), daemon=True, name="parent").start()
    work(settings, stop, part_rows or PART_ROWS)


def _watch(parent: int, stop: Event) -> None:
    """Stop when the process that started this one is gone, however it ended."""
    while os.getppid() == parent:
        sleep(LOOK_SECONDS)
    stop.set()
