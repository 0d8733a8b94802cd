"""Compare POST /v1/assessments with a bare Flask view that parses the same JSON and returns the same bytes.

Both run under one gunicorn each with the same settings, and take turns. Every request has a body of its own; a client
in a process of its own keeps a few connections open.
"""

import argparse
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import nan
from pathlib import Path
from statistics import median
from typing import Any

from measure import ratios, spread, table, take_turns, verdict

BODIES = 500
GOAL = 0.75
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
ANSWERS = "BENCHMARK_ANSWERS"  # the environment variable that tells the bare application where its answers are

Server = subprocess.Popen[bytes]


def bodies(number: int) -> list[bytes]:
    """Make requests like real ones: eight metrics around the bars, some not known, facts, and a seller."""
    draw = random.Random(1)
    made = []
    for index in range(number):
        orders = draw.randint(150, 6000)
        metrics: dict[str, Any] = {
            "order_defect_rate": {"count": draw.randint(0, orders // 120), "of": orders},
            "pre_fulfillment_cancellation_rate": {
                "count": draw.randint(0, orders // 800),
                "of": orders // 8,
                "window_days": 7,
            },
            "late_shipment_rate": {"count": draw.randint(0, orders // 80), "of": orders // 2, "window_days": 30},
            "valid_tracking_rate": {"rate": f"0.{draw.randint(930, 999)}", "window_days": 30},
            "negative_feedback_rate": {"count": 0, "of": orders},
            "a_to_z_claim_rate": {"count": 0, "of": orders},
            "chargeback_rate": {"count": 0, "of": orders},
            "return_rate": {"rate": f"0.0{draw.randint(10, 99)}"},
        }
        for metric in draw.sample(sorted(metrics), draw.choice((0, 0, 0, 1, 2))):
            del metrics[metric]
        body = {
            "marketplace": draw.choice(("US", "US", "US", "UK", "DE", "CA")),
            "as_of": f"2026-11-{draw.randint(10, 22)}",
            "seller": {"id": str(index), "name": f"Example Tools {index}"},
            "facts": {"selling_plan": draw.choice(("professional", "individual")), "fulfillment": "seller"},
            "metrics": metrics,
        }
        made.append(json.dumps(body).encode())
    return made


def bare() -> Any:
    """Make the bare application: parse the JSON with Flask, pick the answer by the seller's id, return its bytes."""
    from flask import Flask, Response, request

    answers = json.loads(Path(os.environ[ANSWERS]).read_text(encoding="utf-8"))
    ready = {name: answer.encode() for name, answer in answers.items()}
    app = Flask("bare")

    @app.post("/v1/assessments")
    def assess() -> Response:
        return Response(ready[request.get_json()["seller"]["id"]], content_type="application/json")

    @app.get("/healthz")
    def healthz() -> Response:
        return Response(b"{}", content_type="application/json")

    return app


@contextmanager
def served(application: str, workers: int, threads: int, environment: dict[str, str]) -> Iterator[tuple[int, Server]]:
    """Serve an application under gunicorn; gives its port and process once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    command += ["--workers", str(workers), "--threads", str(threads), "--keep-alive", "30", "--log-level", "error"]
    command += ["--pythonpath", str(Path(__file__).parent), application]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment})
        try:
            wait_until_ready(port, process)
            yield port, process
        finally:
            process.terminate()
            process.wait()


def cpu_seconds(server: Server) -> float:
    """Say how much CPU a server and its workers have used; nan where there is no /proc to ask."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if server.pid in (int(path.parent.name), int(fields[1])):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else nan


def wait_until_ready(port: int, process: Server) -> None:
    """Ask until the server answers 200; exits when it has ended, or after a minute."""
    for _ in range(6000):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        if process.poll() is not None:
            sys.exit(f"The server ended with {process.returncode}.")
        time.sleep(0.01)
    sys.exit("The server was not ready after a minute.")


def load(
    port: int,
    requests: Sequence[tuple[str, bytes]],
    headers: Mapping[str, str],
    expected: int,
    connections: int,
    seconds: float,
) -> dict[str, Any]:
    """Be the client: post requests (path and body) in turn over a few connections; gives how many, and how fast."""
    waits: list[float] = []
    failures: list[int] = []
    until = time.perf_counter() + seconds

    def work(start: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        index = start
        while (before := time.perf_counter()) < until:
            path, body = requests[index % len(requests)]
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            response.read()
            waits.append(time.perf_counter() - before)
            if response.status != expected:
                failures.append(response.status)
            index += connections
        connection.close()

    started = time.perf_counter()
    workers = [threading.Thread(target=work, args=(index,)) for index in range(connections)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    taken = time.perf_counter() - started
    return {"requests": len(waits), "per_second": len(waits) / taken, "wait": median(waits), "failures": failures[:3]}


def in_a_process(*command: str) -> dict[str, Any]:
    """Run the client in a process of its own; exits where an answer was not the expected one."""
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    if found["failures"]:
        sys.exit(f"The server answered {found['failures']}.")
    return found


def client(port: int, connections: int, seconds: float) -> dict[str, Any]:
    """Ask for assessments."""
    return in_a_process(__file__, "--client", str(port), "--connections", str(connections), "--seconds", str(seconds))


def collect_answers(port: int, path: Path) -> int:
    """Ask the advisor every body once, for the bare view to repeat; gives the mean size of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    answers = {}
    for body in bodies(BODIES):
        connection.request("POST", "/v1/assessments", body, HEADERS)
        response = connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            sys.exit(f"The advisor answered {response.status}: {text[:500]}")
        answers[json.loads(body)["seller"]["id"]] = text
    connection.close()
    path.write_text(json.dumps(answers), encoding="utf-8")
    return sum(map(len, answers.values())) // BODIES


def main() -> None:
    """Measure, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=4, help="for each side in each round (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="gunicorn's processes (%(default)s)")
    parser.add_argument("--threads", type=int, default=4, help="gunicorn's threads (%(default)s)")
    parser.add_argument("--connections", type=int, default=4, help="kept open by the client (%(default)s)")
    parser.add_argument("--client", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        sent = [("/v1/assessments", body) for body in bodies(BODIES)]
        print(json.dumps(load(given.client, sent, HEADERS, 200, given.connections, given.seconds)))
        return
    waits: dict[str, list[float]] = {"advisor": [], "bare Flask": []}
    cpu: dict[str, list[float]] = {"advisor": [], "bare Flask": []}
    with tempfile.TemporaryDirectory() as directory:
        answers = Path(directory, "answers.json")
        how = (given.workers, given.threads, {ANSWERS: str(answers), "ADVISOR_RATE_LIMIT": "off"})
        with served("advisor.web:create_app()", *how) as advisor:
            size = collect_answers(advisor[0], answers)
            with served("api:bare()", *how) as bare_flask:

                def measure(name: str, port: int, server: Server) -> float:
                    before = cpu_seconds(server)
                    found = client(port, given.connections, given.seconds)
                    cpu[name].append((cpu_seconds(server) - before) * 1000 / found["requests"])
                    waits[name].append(found["wait"] * 1000)
                    return float(found["per_second"])

                for port, _ in (advisor, bare_flask):
                    client(port, given.connections, 1)
                sides = {
                    "advisor": lambda: measure("advisor", *advisor),
                    "bare Flask": lambda: measure("bare Flask", *bare_flask),
                }
                found = take_turns(given.rounds, sides)
    print(
        f"POST /v1/assessments, {BODIES} bodies, answers of {size:,} bytes, gunicorn with {given.workers} gthread "
        f"worker(s) of {given.threads} threads, {given.connections} connections, {given.rounds} rounds of "
        f"{given.seconds:g} s each"
    )
    table(
        ("", "requests a second", "median wait in ms", "server CPU in ms per request"),
        [(name, spread(found[name], 0), spread(waits[name]), spread(cpu[name])) for name in found],
    )
    shares = ratios(found["advisor"], found["bare Flask"])
    print(f"requests a second, advisor / bare Flask, round by round: {spread(shares)}")
    print(f"server CPU per request, bare Flask / advisor: {spread(ratios(cpu['bare Flask'], cpu['advisor']))}")
    verdict("requests a second, advisor / bare Flask", median(shares), GOAL, at_most=False)


if __name__ == "__main__":
    main()
