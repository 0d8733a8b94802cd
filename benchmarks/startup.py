"""Measure how long `advisor --help` takes, and `advisor serve` from its start to the first 200 of /readyz."""

import argparse
import os
import socket
import subprocess
import sys
import time
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

from measure import ADVISOR, run, spread, table, take_turns, verdict

GOAL = 0.4
PATIENCE = 60


def bare_python() -> float:
    """Start Python and do nothing; gives the seconds: what no command can go below."""
    return run(sys.executable, "-c", "pass").seconds


def show_help() -> float:
    """Run `advisor --help`; gives the seconds."""
    return run(ADVISOR, "--help").seconds


def serve() -> float:
    """Start the server, ask until it is ready, and stop it; gives the seconds until then."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(
        [ADVISOR, "serve", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ADVISOR_LOG_LEVEL": "ERROR"},
    )
    try:
        while time.perf_counter() - started < PATIENCE:
            try:
                with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return time.perf_counter() - started
            except (URLError, ConnectionError):
                pass
            if process.poll() is not None:
                sys.exit(f"The server ended with {process.returncode}.")
            time.sleep(0.005)
        sys.exit(f"The server was not ready after {PATIENCE} seconds.")
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure, and print the start of the command against its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="(%(default)s)")
    given = parser.parse_args()
    sides = {"python -c pass": bare_python, "advisor --help": show_help, "advisor serve until /readyz": serve}
    found = take_turns(given.rounds, sides)
    table(("", "seconds, median (range)"), [(name, spread(values, 3)) for name, values in found.items()])
    verdict("advisor --help", median(found["advisor --help"]), GOAL, at_most=True, unit=" s")


if __name__ == "__main__":
    main()
