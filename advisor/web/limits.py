"""Rate limits (Flask-Limiter): so many requests of one client in a time, whatever they ask for.

Each process counts for itself, or all count in one Redis, which is exact. When that cannot be reached, each process
goes on counting for itself until it can.
"""

import logging
import math
import time

from flask import Flask, Response, request
from flask_limiter import Limiter, RateLimitExceeded, RequestLimit
from limits.errors import ConfigurationError

from advisor.errors import AdvisorError, Problem, say
from advisor.settings import Settings
from advisor.web.clients import client
from advisor.web.problems import problem

EXEMPT = {"healthz", "readyz", "metrics"}
STORAGE_SECONDS = 0.5


def register(app: Flask, settings: Settings) -> None:
    """Count requests and refuse those over the limit. Raises AdvisorError where the counters cannot be kept."""
    if settings.rate_limit is None:
        return
    redis = not settings.rate_limit_storage.startswith("memory")
    waits = {"socket_connect_timeout": STORAGE_SECONDS, "socket_timeout": STORAGE_SECONDS}
    try:
        limiter = Limiter(
            client,
            app=app,
            application_limits=[settings.rate_limit],
            strategy="fixed-window",
            storage_uri=settings.rate_limit_storage,
            storage_options=waits if redis else {},  # type: ignore[arg-type]  # they are floats
            in_memory_fallback_enabled=redis,
            swallow_errors=True,
            fail_on_first_breach=True,
        )
    except ConfigurationError:
        raise AdvisorError(
            "ADVISOR_RATE_LIMIT_STORAGE names a Redis, for which the package redis is missing: `pip install redis`."
        ) from None
    limiter.logger = logging.getLogger("advisor.limits")
    # At INFO it would log whoever is refused.
    limiter.logger.setLevel(max(logging.WARNING, limiter.logger.getEffectiveLevel()))
    limiter.request_filter(_is_exempt)

    @app.after_request
    def say_what_is_left(response: Response) -> Response:
        """Name each limit and what is left of it (draft-ietf-httpapi-ratelimit-headers-10)."""
        try:
            counted = [_Counted(one) for one in limiter.current_limits]
        except Exception:  # noqa: BLE001  # whatever a storage raises that has just gone away
            return response
        if counted:
            response.headers["RateLimit-Policy"] = ", ".join(one.policy for one in counted)
            response.headers["RateLimit"] = ", ".join(one.left for one in counted)
        if response.status_code == 429:
            response.headers["Retry-After"] = str(max((one.reset for one in counted if one.breached), default=1))
        return response

    @app.errorhandler(RateLimitExceeded)
    def exceeded(error: RateLimitExceeded) -> Response:
        limit = error.limit.limit
        detail = say(
            "More than {number} requests came in {seconds} seconds. Wait for Retry-After seconds.",
            number=limit.amount,
            seconds=limit.get_expiry(),
        )
        return problem(429, detail, [Problem("", "rate_limited", detail)])


def _is_exempt() -> bool:
    return request.method == "OPTIONS" or request.endpoint in EXEMPT


class _Counted:
    """One limit, as it stands after this request, in the words of the header fields."""

    def __init__(self, counted: RequestLimit) -> None:
        limit = counted.limit
        seconds = limit.get_expiry()
        self.breached = counted.breached
        self.reset = max(1, math.ceil(counted.window.reset_time - time.time()))
        self.policy = f'"{seconds}s";q={limit.amount};w={seconds}'
        self.left = f'"{seconds}s";r={counted.remaining};t={self.reset}'
