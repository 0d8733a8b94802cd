"""Serve the web application with gunicorn."""

import os
import socket
from typing import Any

import click
from gunicorn import util
from gunicorn.app.base import BaseApplication

from advisor.errors import AdvisorError

# By its import string, not by an import: the command line and the web side do not know each other.
APPLICATION = "advisor.web:create_app()"
GRACEFUL_TIMEOUT = 30


def run(host: str, port: int, workers: int, threads: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises AdvisorError when the rule data, settings or address cannot be used."""
    application = util.import_app(APPLICATION)
    listener = _listen(host, port)
    where = _address(listener)

    def announce(server: Any) -> None:
        click.echo(f"The advisor listens on {where}; its documentation is at {where}/docs. Ctrl-C stops it.")

    _Server(
        application,
        bind=f"fd://{listener.detach()}",
        worker_class="gthread",
        workers=workers,
        threads=threads,
        preload_app=True,
        graceful_timeout=GRACEFUL_TIMEOUT,
        control_socket_disable=True,
        loglevel="warning",
        when_ready=announce,
    ).run()


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
