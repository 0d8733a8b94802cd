"""Structured logs: one JSON object a line on standard error, with the request id; never a body or a query string."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

FIELDS = ("request_id", "method", "route", "status", "milliseconds", "bytes_out")


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON. Of an exception it keeps the type and where it was raised, not its text."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name in FIELDS:
            if hasattr(record, name):
                line[name] = getattr(record, name)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["raised_at"] = _frames(record)
        return orjson.dumps(line).decode()


def _frames(record: logging.LogRecord) -> list[str]:
    frames = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-8:]


def set_up(level: str) -> logging.Logger:
    """Send the advisor's log lines to standard error, once per process."""
    logger = logging.getLogger("advisor")
    logger.setLevel(level)
    logger.propagate = False
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
    return logger
