"""Shared fixtures."""

import pytest

from advisor.catalog import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The rule data as shipped, loaded once."""
    return Catalog()
