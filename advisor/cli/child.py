"""A process that runs beside the server: started with it, started again when it ends, stopped with it."""

import subprocess
import time
from collections.abc import Sequence

import click

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
SETTLED_SECONDS = 60.0


class Child:
    """One child process, looked after by whoever calls `look_after` every second or so."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.command = list(command)
        self.stopping_since: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._wait = FIRST_WAIT

    def look_after(self) -> None:
        """Start the process, or start it again when it has ended: at once at first, then after longer and longer."""
        now = time.monotonic()
        if self.stopping_since is not None:
            return
        if self._process is None:
            if now < self._started:
                return
            # A group of its own, so that Ctrl-C in a terminal goes to the server alone, which then stops this one.
            self._process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, process_group=0)
            self._started = now
        elif (status := self._process.poll()) is not None:
            if now - self._started > SETTLED_SECONDS:
                self._wait = FIRST_WAIT
            click.echo(f"advisor: {self.name} ended ({_how(status)}); it starts again in {self._wait:g} s.", err=True)
            self._process, self._started = None, now + self._wait
            self._wait = min(self._wait * 2, LONGEST_WAIT)

    def poll(self) -> None:
        """Take note of how the process ended, before anybody else asks the system about all children."""
        if self._process is not None:
            self._process.poll()

    def terminate(self) -> None:
        """Tell the process to end; it is not started again."""
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()
            if self._process is not None:
                self._process.terminate()

    def stop(self, seconds: float) -> None:
        """End the process: by force where it has not ended so many seconds after it was told to."""
        self.terminate()
        if self._process is None or self.stopping_since is None:
            return
        try:
            self._process.wait(max(0.0, self.stopping_since + seconds - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _how(status: int) -> str:
    return f"by signal {-status}" if status < 0 else f"with status {status}"
