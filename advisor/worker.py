"""The worker: scores batches one after the other, sends events, and keeps house. Any number of them may run.

Three threads: one scores, one renews the lease of what is being scored, one does everything else. Whatever is wrong
with the database or the disk passes: the worker waits and goes on, and nothing is lost meanwhile.
"""

import errno
import logging
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

from advisor.batch import FORMATS
from advisor.batch.parts import join, score_part
from advisor.batch.reading import PART_ROWS
from advisor.batch.running import Run, Silent, Terms, opened, refuse_constants
from advisor.batch.scoring import Accounts
from advisor.catalog import Catalog
from advisor.errors import AdvisorError, InvalidInput, Problem, StoreUnavailable, UnknownName, UnreadableInput
from advisor.services import batches
from advisor.services.batches import Claim, LeaseLost
from advisor.services.sellers import Announce
from advisor.settings import Settings
from advisor.store.database import Database

POLL_SECONDS = 1.0
LONGEST_WAIT = 30.0
HOUSEKEEPING_SECONDS = 300.0
UPLOAD_HOURS = 6

log = logging.getLogger("advisor.worker")


class Abandoned(AdvisorError):
    """The work on a batch ends here: its lease is lost, or the worker stops."""


class _Lease(Silent):
    """Keeps the lease of a batch while it is scored, and ends the work when it is lost or the worker stops.

    As the progress of the work it is asked often enough to end it within a second or two.
    """

    def __init__(self, database: Database, held: Claim, seconds: float, stop: Event) -> None:
        self.database = database
        self.held = held
        self.seconds = seconds
        self.stop = stop
        self.lost = Event()
        self._ended = Event()
        self._thread = Thread(target=self._renew, daemon=True, name="lease")

    def __enter__(self) -> "_Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _renew(self) -> None:
        until = time.monotonic() + self.seconds
        while not self._ended.wait(min(1.0, self.seconds / 10)) and not self.lost.is_set():
            if time.monotonic() < until - self.seconds * 2 / 3:
                continue
            asked = time.monotonic()
            try:
                with self.database.writing() as connection:
                    batches.renew(connection, self.held, int(self.seconds * 1000))
                until = asked + self.seconds
            except LeaseLost:
                self.lost.set()
            except StoreUnavailable:
                if time.monotonic() > until:
                    self.lost.set()

    def check(self) -> None:
        """Raise Abandoned when the work should end."""
        if self.stop.is_set() or self.lost.is_set():
            raise Abandoned("The work on this batch ends here.")

    def reading(self, size: int) -> None:
        """Let the reading of the file end too."""
        self.check()


class Worker:
    """One worker process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        catalog: Catalog,
        announce: Announce,
        often: Sequence[Callable[[], object]] = (),
        seldom: Sequence[Callable[[], object]] = (),
        part_rows: int = PART_ROWS,
    ) -> None:
        self.settings = settings
        self.database = database
        self.catalog = catalog
        self.announce = announce
        self.often = often
        self.seldom = (self.sweep, *seldom)
        self.part_rows = part_rows
        self.files = settings.files_dir
        self.lease_ms = settings.lease_seconds * 1000
        self.owner = f"{socket.gethostname()}:{os.getpid()}"

    def run(self, stop: Event) -> None:
        """Work until told to stop."""
        others = Thread(target=self._do_chores, args=(stop,), daemon=True, name="chores")
        others.start()
        self._again_and_again(self.score_next, stop)
        others.join(POLL_SECONDS * 5)

    def _again_and_again(self, work: Callable[[Event], bool], stop: Event) -> None:
        """Work while there is something to do, look again every second, and wait longer while things are broken."""
        wait = POLL_SECONDS
        while not stop.is_set():
            try:
                busy = work(stop)
                wait = POLL_SECONDS
            except (StoreUnavailable, OSError) as error:
                log.warning("waiting: %s", type(error).__name__)
                busy, wait = False, min(wait * 2, LONGEST_WAIT)
            except Exception as error:
                log.error("failed", exc_info=error)
                busy, wait = False, min(wait * 2, LONGEST_WAIT)
            if not busy:
                stop.wait(wait)

    def _do_chores(self, stop: Event) -> None:
        house_is_kept_until = 0.0

        def work(_: Event) -> bool:
            nonlocal house_is_kept_until
            if time.monotonic() > house_is_kept_until:
                house_is_kept_until = time.monotonic() + HOUSEKEEPING_SECONDS
                for chore in self.seldom:
                    try:
                        chore()
                    except StoreUnavailable as error:
                        log.warning("housekeeping waits for the next time: %s", type(error).__name__)
                    except Exception as error:  # whatever it is, it holds up nothing else
                        log.error("housekeeping failed", exc_info=error)
            for chore in self.often:
                chore()
            return False

        self._again_and_again(work, stop)

    def sweep(self) -> None:
        """Remove files of batches that are gone, and what workers that died or slept left beside results."""
        with self.database.reading() as connection:
            known = batches.known(connection)
        batches.sweep(self.files, known, before=time.time() - UPLOAD_HOURS * 3600)
        for batch_id, ended in known.items():
            if ended:
                _tidy(batches.folder(self.files, batch_id))

    def score_next(self, stop: Event) -> bool:
        """Claim a batch and score it; says whether there was one."""
        with self.database.writing() as connection:
            held = batches.claim(connection, self.owner, self.lease_ms, self.announce)
        if held is None:
            return False
        log.info("claimed", extra={"batch": held.id})
        try:
            with _Lease(self.database, held, self.lease_ms / 1000, stop) as lease:
                self._score(held, lease)
        except (LeaseLost, Abandoned):
            self._give_back(held)
        except (StoreUnavailable, OSError):
            if self._give_back(held, self.lease_ms):  # as if it had died; others are scored meanwhile
                raise
        return True

    def _give_back(self, held: Claim, wait_ms: int = 0) -> bool:
        """Let another go on; says False when the lease is not held any more."""
        try:
            with self.database.writing() as connection:
                batches.give_back(connection, held, wait_ms)
        except LeaseLost:
            return False
        except StoreUnavailable:
            pass  # its lease will pass
        return True

    def _score(self, held: Claim, lease: _Lease) -> None:
        """Score the parts that are missing, and join them all."""
        place = batches.folder(self.files, held.id)
        with _work_folder(place, held.token) as work:
            try:
                with self._opened(held, place, work, lease) as run:
                    done = self._score_parts(held, run, place, lease)
                    self._refuse_constants(held, run, done)
            except UnknownName as error:  # the rule data has changed since
                self._fail(held, InvalidInput([Problem("program", "unknown_program", error.detail)]))
                return
            except (UnreadableInput, InvalidInput) as error:
                if error.__cause__ is not None:
                    log.warning("damaged file", exc_info=error, extra={"batch": held.id})
                self._fail(held, error)
                return
            lease.check()
            join([place / f"part-{number}-{token}" for number, token in sorted(done.items())], place, work)
        with self.database.writing() as connection:
            batches.finish(connection, held, self.announce)
        _tidy(place)

    def _fail(self, held: Claim, why: UnreadableInput | InvalidInput) -> None:
        with self.database.writing() as connection:
            batches.fail(connection, held, why, self.announce)

    @contextmanager
    def _opened(self, held: Claim, place: Path, work: Path, lease: _Lease) -> Iterator[Run]:
        order = held.order
        accounts = Accounts(self.catalog, order.program, Terms(order.as_of, order.marketplace, order.constants))
        source = place / "input"
        if not source.exists():
            lost = not place.exists()
            raise FileNotFoundError(errno.ENOENT, "the folder of files is not there" if lost else "no input", source)
        with opened(source, order.format, accounts, work, FORMATS, lease, part_rows=self.part_rows) as run:
            yield run

    def _score_parts(self, held: Claim, run: Run, place: Path, lease: _Lease) -> dict[int, int]:
        """Score the parts that are missing; gives the token of each part."""
        lasts = {number: part.last for number, part in enumerate(run.parts)}
        done = {number: token for number, (token, last) in held.parts.items() if lasts.get(number) == last}
        whole = all((place / f"part-{number}-{token}").is_dir() for number, token in done.items())
        with self.database.writing() as connection:
            if len(done) < len(held.parts) or not whole:
                batches.begin_again(connection, held)
                done = {}
            unread = {"passed_through": run.named.other, "unused": run.unused}
            batches.begin(connection, held, run.rows.count, **unread)
        for number in lasts:
            if number in done:
                continue
            lease.check()
            result = score_part(run, number, batches.part_folder(self.files, held.id, number, held.token))
            with self.database.writing() as connection:
                batches.add_part(
                    connection,
                    held,
                    number,
                    last_row=lasts[number],
                    rows=result.scored + result.rejected,
                    scored=result.scored,
                    blamed=result.blamed,
                    lease_ms=self.lease_ms,
                )
            done[number] = held.token
        return done

    def _refuse_constants(self, held: Claim, run: Run, done: dict[int, int]) -> None:
        """Refuse the file when a constant spoilt all its rows: they are not to blame. Raises InvalidInput."""
        with self.database.reading() as connection:
            spoilt = batches.blamed(connection, held)
        refuse_constants(spoilt, run.rows.well_formed)


@contextmanager
def _work_folder(place: Path, token: int) -> Iterator[Path]:
    """Make the directory that this claim works in, and remove those of claims before it."""
    for left in place.glob("work-*"):
        if int(left.name.removeprefix("work-")) < token:  # who slept since its claim is not the last
            shutil.rmtree(left, ignore_errors=True)
    work = place / f"work-{token}"
    work.mkdir(exist_ok=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _tidy(place: Path) -> None:
    """Remove what a batch that ended needs no more: the file that was sent, its parts, and what claims left behind."""
    for path in place.glob("*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
    (place / "input").unlink(missing_ok=True)


def work(settings: Settings, stop: Event, part_rows: int = PART_ROWS) -> None:
    """Run a worker by the settings until told to stop. Raises AdvisorError when they cannot be used."""
    from advisor.services import idempotency, sharing, webhooks

    catalog = Catalog(settings.data_dir)
    catalog.load_all()
    database = Database(settings.database_url)

    def forget_what_ended() -> None:
        with database.writing() as connection:
            idempotency.purge(connection)
            sharing.purge(connection)

    often = [partial(webhooks.deliver_due, database, settings, stop=stop)]
    seldom: list[Callable[[], object]] = [forget_what_ended, partial(webhooks.purge, database)]
    try:
        Worker(settings, database, catalog, webhooks.announce, often, seldom, part_rows).run(stop)
    finally:
        database.close()
