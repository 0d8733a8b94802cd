"""Compare POST /v1/sellers/{id}/snapshots, which judges and stores, with POST /v1/assessments, which only judges.

One server, the same numbers, a new SQLite database; the two take turns. Every stored answer is committed to the disk
before it is given. At the end the stored rows are counted against the acknowledged requests.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from api import BODIES, HEADERS, bodies, cpu_seconds, in_a_process, load, served
from measure import ratios, spread, table, take_turns, verdict

from advisor.catalog import Catalog
from advisor.inputs.sellers import read_seller
from advisor.services import keys
from advisor.services.sellers import put
from advisor.store import schema
from advisor.store.database import Database

GOAL = 0.5
SELLERS = 200
SECRET = "only for the benchmark"


def requests(path: str) -> list[tuple[str, bytes]]:
    """Make the requests of one side: where each goes, and its body."""
    made = []
    for index, text in enumerate(bodies(BODIES)):
        body = json.loads(text)
        if path == "snapshots":
            body = {"as_of": body["as_of"], "facts": body["facts"], "metrics": body["metrics"]}
            made.append((f"/v1/sellers/seller-{index % SELLERS}/snapshots", json.dumps(body).encode()))
        else:
            made.append(("/v1/assessments", json.dumps({**body, "marketplace": "US"}).encode()))
    return made


def client(port: int, path: str, key: str, connections: int, seconds: float) -> dict[str, Any]:
    """Ask one side."""
    command = [__file__, "--client", str(port), "--path", path, "--key", key]
    return in_a_process(*command, "--connections", str(connections), "--seconds", str(seconds))


def prepare(url: str) -> str:
    """Make the database with its sellers; gives a key."""
    database, catalog = Database(url), Catalog()
    schema.upgrade(database)
    wanted = read_seller(catalog, {"marketplace": "US"})
    with database.writing() as connection:
        key = keys.create(connection, SECRET.encode(), "Benchmark")
        workspace = connection.exec_driver_sql("SELECT id FROM workspace").scalar_one()
        for index in range(SELLERS):
            put(connection, workspace, f"seller-{index}", wanted)
    database.close()
    return key


def stored(url: str) -> int:
    """Count the snapshots."""
    database = Database(url)
    with database.reading() as connection:
        found = int(connection.exec_driver_sql("SELECT count(*) FROM snapshot").scalar_one())
    database.close()
    return found


def main() -> None:
    """Measure, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=4, help="for each side in each round (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="gunicorn's processes (%(default)s)")
    parser.add_argument("--threads", type=int, default=4, help="gunicorn's threads (%(default)s)")
    parser.add_argument("--connections", type=int, default=4, help="kept open by the client (%(default)s)")
    parser.add_argument("--url", help="the URL of another database; it is migrated and filled")
    for name, kind in (("client", int), ("path", str), ("key", str)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        stores = given.path == "snapshots"
        headers = {**HEADERS, **({"Authorization": f"Bearer {given.key}"} if stores else {})}
        sent, expected = requests(given.path), 201 if stores else 200
        print(json.dumps(load(given.client, sent, headers, expected, given.connections, given.seconds)))
        return
    cpu: dict[str, list[float]] = {"snapshots": [], "assessments": []}
    acknowledged = 0
    with tempfile.TemporaryDirectory() as directory:
        url = given.url or f"sqlite:///{Path(directory, 'advisor.db')}"
        key = prepare(url)
        environment = {
            "ADVISOR_DATABASE_URL": url,
            "ADVISOR_SECRET_KEY": SECRET,
            "ADVISOR_FILES_DIR": directory,
            "ADVISOR_RATE_LIMIT": "off",
        }
        with served("advisor.web:create_app()", given.workers, given.threads, environment) as (port, server):

            def measure(path: str) -> float:
                nonlocal acknowledged
                before = cpu_seconds(server)
                found = client(port, path, key, given.connections, given.seconds)
                cpu[path].append((cpu_seconds(server) - before) * 1000 / found["requests"])
                acknowledged += found["requests"] if path == "snapshots" else 0
                return float(found["per_second"])

            for path in cpu:
                acknowledged += client(port, path, key, given.connections, 1)["requests"] if path == "snapshots" else 0
            found = take_turns(given.rounds, {path: lambda path=path: measure(path) for path in cpu})
        kept = stored(url)
    table(
        ("", "requests a second", "server CPU in ms per request"),
        [(path, spread(found[path], 0), spread(cpu[path])) for path in cpu],
    )
    print(f"{acknowledged} snapshots were acknowledged, {kept} are stored.")
    shares = ratios(found["snapshots"], found["assessments"])
    print(f"requests a second, storing / judging alone, round by round: {spread(shares)}")
    verdict("requests a second, storing / judging alone", median(shares), GOAL, at_most=False)
    if kept != acknowledged:
        sys.exit("What was acknowledged is not what is stored.")


if __name__ == "__main__":
    main()
