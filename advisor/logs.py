"""Structured logs: one JSON object a line on standard error, with the request's id; never a body or a query string."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson

LOGGER = logging.getLogger("advisor")
HANDLER = logging.StreamHandler()
# What a line may be about, as `extra` of its call.
NAMED = ("request_id", "batch")


def request(fields: Mapping[str, Any]) -> None:
    """Write the line of a request. Through a logger its record would take as long as reading the body."""
    if LOGGER.isEnabledFor(logging.INFO):
        line = _line(datetime.now(UTC), "INFO", "advisor.web", "request", fields)
        with suppress(OSError, ValueError):  # whoever closed standard error wants the answers all the same
            HANDLER.stream.write(line + "\n")


def _line(at: datetime, level: str, logger: str, event: str, fields: Mapping[str, Any]) -> str:
    time = at.isoformat(timespec="milliseconds")
    return orjson.dumps({"time": time, "level": level, "logger": logger, "event": event, **fields}).decode()


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON. Of an exception it keeps the type and where it was raised, not its text."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {}
        for name in NAMED:
            if hasattr(record, name):
                fields[name] = getattr(record, name)
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = record.exc_info[0].__name__
            fields["raised_at"] = _frames(record)
        at = datetime.fromtimestamp(record.created, UTC)
        return _line(at, record.levelname, record.name, record.getMessage(), fields)


def _frames(record: logging.LogRecord) -> list[str]:
    frames = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-8:]


def set_up(level: str) -> None:
    """Send the advisor's log lines to standard error, once per process."""
    LOGGER.setLevel(level)
    LOGGER.propagate = False
    HANDLER.setFormatter(JsonLines())
    LOGGER.addHandler(HANDLER)
