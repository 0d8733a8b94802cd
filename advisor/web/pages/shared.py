"""Results that somebody chose to share: kept under an opaque link until they expire or are deleted."""

from flask import Blueprint

from advisor.web.stored import Workspaces


def add(pages: Blueprint, workspaces: Workspaces) -> None:
    """Add the pages of shared results."""
