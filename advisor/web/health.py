"""Whether this server should be sent requests: /healthz says that the process is up, /readyz that all it needs is."""

import logging
import mmap
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from functools import cache
from threading import Lock
from typing import Any, Generic, TypeVar

import orjson
from flask import Flask, Response

from advisor.errors import AdvisorError, say
from advisor.settings import Settings
from advisor.store import disk, schema
from advisor.store.database import Database
from advisor.web.language import reader
from advisor.web.problems import RETRY_AFTER, problem

DATABASE_SECONDS = 1.0
LITTLE_ROOM = say("The files' disk has less room than ADVISOR_FREE_SPACE.")
LITTLE_ROOM_FOR_ROWS = say("The database's disk has less room than ADVISOR_FREE_SPACE.")

log = logging.getLogger("advisor.web")

Found = TypeVar("Found")


class Deadline(Generic[Found]):
    """Runs one thing at a time for at most so long. What takes longer goes on, and who asks meanwhile waits for it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._running: Future[Found] | None = None

    def run(self, work: Callable[[], Found]) -> Found:
        """Give what the work gives. Raises TimeoutError, or what the work raises."""
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, thread_name_prefix="deadline")
            if self._running is None or self._running.done():
                self._running = self._executor.submit(work)
            running = self._running
        try:
            return running.result(self.seconds)
        except TookTooLong:
            raise TimeoutError from None


class Readiness:
    """What has to hold before requests are sent here."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        # Shared by all processes that are forked from this one.
        self._draining = mmap.mmap(-1, 1)
        self._deadline: Deadline[str | None] = Deadline(DATABASE_SECONDS)

    def drain(self) -> None:
        """Say from now on, in every process, that no more requests should be sent here."""
        self._draining[0] = 1

    def problems(self) -> list[str]:
        """Say what is wrong, in whole sentences."""
        if self._draining[0]:
            return [say("The server is being stopped.")]
        return [*filter(None, [self._database()]), *self._rooms()]

    def _database(self) -> str | None:
        try:
            found = self._deadline.run(lambda: schema.current(self.database))
        except TimeoutError:
            return say("The database does not answer in time.")
        except AdvisorError as error:
            return error.detail
        if found is None:
            return say(
                "The database has the layout of none, and {needed} is needed: `advisor db upgrade`.", needed=_head()
            )
        if found != _head():
            return say(
                "The database has the layout {found}, and {needed} is needed: `advisor db upgrade`.",
                found=found,
                needed=_head(),
            )
        return None

    def _rooms(self) -> list[str]:
        """Look at the room of the files, and of the database where that is a file: what is full can store nothing.

        Everybody may ask, so where that is and how much there is goes to the log.
        """
        places = [(self.settings.files_dir, LITTLE_ROOM)]
        if self.database.path is not None:
            places.append((self.database.path, LITTLE_ROOM_FOR_ROWS))
        found: list[str] = []
        for place, sentence in places:
            lack = disk.lack(place, self.settings.free_space)
            if lack:
                log.warning("not ready: %s", lack)
                found.append(sentence)
        return found


@cache
def _head() -> str:
    return schema.head()


def register(app: Flask, settings: Settings, database: Database) -> None:
    """Answer /healthz and /readyz."""
    readiness = app.extensions["advisor.readiness"] = Readiness(settings, database)

    @app.get("/healthz")
    def healthz() -> Response:
        """Say that the process is up."""
        return _ok({"status": "up"})

    @app.get("/readyz")
    def readyz() -> Response:
        """Say whether requests can be answered: the rule data is loaded before the first one is taken."""
        wrong = readiness.problems()
        if not wrong:
            return _ok({"status": "ready"})
        answer = problem(503, " ".join(map(reader().say, wrong)))
        answer.headers["Retry-After"] = RETRY_AFTER
        return answer


def _ok(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), content_type="application/json")
