"""Serve the web application with gunicorn, and run a worker beside it."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from types import FrameType
from typing import Any

import click
from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from advisor.cli.child import Child
from advisor.cli.database import prepare
from advisor.errors import AdvisorError
from advisor.settings import Settings, unknown_variables

# By its import string, not by an import: the command line and the web side do not know each other.
APPLICATION = "advisor.web:create_app()"
WORKER = (sys.executable, "-m", "advisor", "worker", "--with-parent")
GRACEFUL_TIMEOUT = 30
FIGURES = "PROMETHEUS_MULTIPROC_DIR"
STOPPING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def run(host: str, port: int, workers: int, threads: int, with_worker: bool) -> None:
    """Serve until SIGTERM or SIGINT. Raises AdvisorError when rule data, settings, database or address cannot be used.

    On SIGTERM the server first says for a while that it is not ready, so that a load balancer sends no more requests.
    """
    for said in unknown_variables():
        click.echo(f"advisor: {said}", err=True)
    settings = Settings.from_environment()
    this = os.getpid()
    child = Child("the worker", (*WORKER, str(this)))
    figures = None if os.environ.get(FIGURES) else tempfile.mkdtemp(prefix="advisor-figures-")
    try:
        if figures:
            os.environ[FIGURES] = figures  # read when prometheus_client is imported, which the application does
        _serve(settings, host, port, workers, threads, child if with_worker else None)
    finally:
        if os.getpid() == this:  # server processes are forked in there, and leave by here as well
            child.stop(GRACEFUL_TIMEOUT)
            if figures:
                shutil.rmtree(figures, ignore_errors=True)


def _serve(settings: Settings, host: str, port: int, workers: int, threads: int, child: Child | None) -> None:
    application = util.import_app(APPLICATION)
    listener = _listen(host, port)
    where = _address(listener)
    prepare(settings)  # only now: where the address is taken, another server may be using the database

    def announce(server: Any) -> None:
        click.echo(f"The advisor listens on {where}; its documentation is at {where}/docs. Ctrl-C stops it.")

    server = _Server(
        application,
        bind=f"fd://{listener.detach()}",
        worker_class=_Worker,
        workers=workers,
        threads=threads,
        preload_app=True,
        graceful_timeout=GRACEFUL_TIMEOUT,
        control_socket_disable=True,
        loglevel="warning",
        when_ready=announce,
        child_exit=_forget,
    )
    _Arbiter(server, application.extensions["advisor.readiness"], settings.drain_seconds, child).run()


def _forget(server: Any, worker: Any) -> None:
    """Let figures that hold only while a process lives end with it."""
    from prometheus_client.multiprocess import mark_process_dead  # only now that it knows the directory

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _listen(host: str, port: int) -> socket.socket:
    """Take the address before anything is started: gunicorn would retry for seconds and then only log it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
        return socket.create_server(address, family=family)
    except (socket.gaierror, UnicodeError):
        raise AdvisorError(f"There is no address for the host {host}. HOST or --host names another.") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        hint = "PORT or --port takes another port, HOST or --host another address."
        raise AdvisorError(f"Nothing can listen on {host} port {port}: {reason}. {hint}") from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn with these settings and this application, which is already made: it is loaded before workers fork."""

    def __init__(self, application: Any, **settings: Any) -> None:
        self.application = application
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.settings.items():
            if name != "control_socket_disable" or name in self.cfg.settings:  # older gunicorns open no such socket
                self.cfg.set(name, value)

    def load(self) -> Any:
        return self.application


class _Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A server process that refuses connections once it stops: gunicorn's would let them wait, and then drop them.

    It stops when the main process says so. Ctrl-C in a terminal goes to all of them, and this one leaves it alone.
    """

    sockets: list[Any]

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def handle_quit(self, number: int, frame: FrameType | None) -> None:
        """Stop. Gunicorn's shuts the pool of threads down from here, which may be in the middle of something."""
        self.handle_exit(number, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled and self.alive)
        if self.alive:
            return
        listeners, self.sockets = self.sockets, []
        for listener in listeners:
            taken = None
            while taken != self.nr_conns:  # who is connected already is answered
                taken = self.nr_conns
                self.accept(listener)
            listener.close()


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's main process: it says first that it stops, goes on for a while, and looks after a child process."""

    def __init__(self, app: _Server, readiness: Any, drain_seconds: float, child: Child | None) -> None:
        super().__init__(app)
        self.readiness = readiness
        self.drain_seconds = drain_seconds
        self.child = child
        self.stop_at: float | None = None

    def spawn_worker(self) -> Any:
        """Start a server process, which is told nothing before it can listen: what it misses, nobody says again."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def handle_term(self) -> None:
        """Say that this server is not ready, and stop after the drain. Told twice, stop at once."""
        self.readiness.drain()
        if self.child:
            self.child.terminate()
        if self.stop_at is not None:
            raise StopIteration
        self.stop_at = time.monotonic() + self.drain_seconds

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        if self.stop_at is not None:
            timeout = max(0.0, min(timeout, self.stop_at - time.monotonic()))
        signals: list[int] = super().wait_for_signals(timeout)
        return signals

    def stop(self, graceful: bool = True) -> None:
        for listener in self.LISTENERS:
            listener.listen(0)  # the system lets newcomers try again a little later, when nobody listens any more
        super().stop(graceful)

    def manage_workers(self) -> None:
        if self.stop_at is not None and time.monotonic() >= self.stop_at:
            raise StopIteration
        super().manage_workers()
        if self.child:
            self.child.look_after()

    def reap_workers(self) -> None:
        if self.child:
            self.child.poll()
        super().reap_workers()
