"""The form in a frame of somebody's site: who may frame it, the loader, and a page that shows it live."""

from flask import Blueprint

from advisor.web.pages.shell import Shell
from advisor.web.stored import Workspaces


def framing(workspaces: Workspaces) -> Shell:
    """Say who may frame this request's page: the origins of its publishable key, or those of the settings without."""
    return Shell(framed=True)


def add(pages: Blueprint, workspaces: Workspaces) -> None:
    """Add the loader and the page to try it."""
