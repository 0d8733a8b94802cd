"""The portfolio: a workspace's sellers, their trends, and files of accounts, for whoever signs in with its key."""

from flask import Blueprint

from advisor.catalog import Catalog
from advisor.web.stored import Workspaces


def add(pages: Blueprint, catalog: Catalog, workspaces: Workspaces) -> None:
    """Add the pages of the portfolio."""
