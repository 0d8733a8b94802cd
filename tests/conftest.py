"""Shared fixtures."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from advisor.catalog import Catalog
from advisor.settings import Settings
from advisor.web import create_app


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The rule data as shipped, loaded once."""
    return Catalog()


@pytest.fixture(scope="session")
def app() -> Flask:
    """The application; what fails is answered as users see it, not raised."""
    app = create_app(Settings())
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


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
